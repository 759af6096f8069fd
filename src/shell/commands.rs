//! Commands to integrations, replay, redrive, rebuild and discard, and to sources.

use wasm_bindgen::JsValue;
use worker::web_sys::Request;

use super::log::{Level, Line};
use super::{environment, http, now, queries};
use crate::api::command::{
    BODY_BYTES_MAX, Command, backfill_models, discard_request, no_fields, redrive_range,
    replay_request, unknown_end,
};
use crate::api::redrive::{self, ASKING_MS_MAX, Asked};
use crate::api::{NUMBER_MAX, Page};
use crate::connector;
use crate::integration::IntegrationId;
use crate::ledger::{Call, SeqRange};
use crate::problem::Problem;

/// Hands a command to its ledger, which works it off; the answer says how much
/// there is to do.
pub async fn run(
    request: &Request,
    env: &JsValue,
    command: Command,
    line: &mut Line,
) -> Result<String, Problem> {
    let body = http::body(request, BODY_BYTES_MAX).await?;
    let (of, call, missing) = match command {
        Command::Replay(of) => (of, Call::Replay(replay_request(&body)?), unknown_end()),
        Command::Rebuild(of) => (of, Call::Rebuild, Problem::Unknown("integration")),
        Command::Redrive(of) => {
            let (from, to) = redrive_range(&body)?;
            (
                of,
                Call::Redrive(SeqRange::new(from, to)),
                Problem::Unknown("pack"),
            )
        }
        Command::RedriveSource(source, page) => {
            no_fields(&body)?;
            return redrive_source(env, &source, &page, line).await;
        }
        Command::Backfill(of) => {
            let models = backfill_models(&body)?;
            let call = connector::Call::Backfill(of.clone(), models);
            return connect(env, &of, &call, line).await;
        }
        Command::Hydrate(of, model, id) => {
            no_fields(&body)?;
            let call = connector::Call::Hydrate(of.clone(), model, id);
            return connect(env, &of, &call, line).await;
        }
        Command::Discard(of) => {
            let call = Call::Discard(discard_request(&body)?);
            (of, call, Problem::Unknown("integration"))
        }
    };
    line.outcome = Some("asked");
    let answer = queries::ledger(env, &of, &call, missing, line).await?;
    line.status = Some(202);
    Ok(answer)
}

/// Hands a command to the connector of its source.
async fn connect(
    env: &JsValue,
    of: &IntegrationId,
    call: &connector::Call,
    line: &mut Line,
) -> Result<String, Problem> {
    line.outcome = Some("asked");
    let answer = queries::connector(env, of, call, line).await?;
    line.status = Some(202);
    Ok(answer)
}

/// Has the integrations of a source redriven that are in trouble, one after the
/// other. One that fails stops none of the others.
async fn redrive_source(
    env: &JsValue,
    source: &str,
    page: &Page<String>,
    line: &mut Line,
) -> Result<String, Problem> {
    if !environment::is_configured(env, source) {
        return Err(Problem::UnknownSource);
    }
    line.source = Some(source.to_owned());
    let rows = queries::select(env, &redrive::select(source, page), line).await?;
    let mut asked = Asked::read(&rows, page).ok_or(Problem::DatabaseUnavailable)?;
    let mut failed = 0_usize;
    let until = now().plus_ms(ASKING_MS_MAX);
    while let Some(integration) = asked.next().filter(|_| now() < until) {
        let of = IntegrationId {
            source: source.to_owned(),
            integration: integration.to_owned(),
        };
        let all = Call::Redrive(SeqRange::through(NUMBER_MAX));
        let mut told = Line::new(Level::Warn, "ledger can't be redriven");
        let unknown = Problem::Unknown("integration");
        let answer = queries::ledger(env, &of, &all, unknown, &mut told).await;
        if answer.is_err() {
            failed = failed.saturating_add(1);
            told.write();
        }
        asked.answered(&answer);
    }
    if failed > 0 {
        line.level = Level::Warn;
    }
    line.outcome = Some("asked");
    line.ledgers = Some(asked.count());
    line.failed = Some(failed);
    line.status = Some(202);
    Ok(asked.to_json())
}
