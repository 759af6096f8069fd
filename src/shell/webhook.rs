//! The front door: a webhook on its way to its ledger.
//!
//! It is verified before anything of it is read, and reaches a ledger only
//! when it is authentic.

use wasm_bindgen::JsValue;
use worker::web_sys::Request;

use super::environment::{self, NotReady, Ready};
use super::http::body;
use super::log::{Level, Line};
use super::{database, glue, ledger_client, metrics, now};
use crate::edge::delivery::{Admitted, BODY_BYTES_MAX, Delivery, admit};
use crate::edge::secret;
use crate::ledger::Taken;
use crate::problem::Problem;
use crate::signature::{Presented, Unauthorized};
use crate::time::Timestamp;

/// Who sends a request. No request can say so itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody out there.
    Outside,
    /// This Worker: a test event.
    Test,
}

/// A request, and what the platform says of it.
pub struct Inbound {
    pub request: Request,
    pub method: String,
    pub url: String,
    pub trigger: Trigger,
    /// When it came in.
    pub at: Timestamp,
}

/// Takes a webhook from outside for the source called `name`, and counts what
/// became of it. Returns the answer, JSON; `line` is told about it.
pub async fn take(
    call: &Inbound,
    env: &JsValue,
    ctx: &JsValue,
    name: String,
    line: &mut Line,
) -> Result<String, Problem> {
    let answer = verify_and_hand_over(call, env, ctx, name, line).await;
    let now = now();
    count(env, ctx, &answer, line, now);
    line.ended = Some(now);
    answer
}

/// Takes a test event in, as a webhook from outside, but that nobody counts it.
/// It is logged.
pub async fn take_test(
    call: &Inbound,
    env: &JsValue,
    ctx: &JsValue,
    name: &str,
    path: &str,
) -> Result<String, Problem> {
    let mut line = Line::new(Level::default(), &["POST ", path].concat());
    line.test = true;
    let answer = verify_and_hand_over(call, env, ctx, name.to_owned(), &mut line).await;
    match &answer {
        Ok(_) => line.status = Some(200),
        Err(problem) => line.refused(problem),
    }
    line.write_since(call.at);
    answer
}

/// Counts what became of a webhook, if it was one to a configured source:
/// anybody can make up names.
fn count(
    env: &JsValue,
    ctx: &JsValue,
    answer: &Result<String, Problem>,
    line: &Line,
    now: Timestamp,
) {
    let outcome = match answer {
        Ok(_) => line.outcome,
        Err(problem) => Some(problem.label()),
    };
    if let (Some(source), Some(outcome)) = (&line.source, outcome) {
        metrics::delivery(env, ctx, source, outcome, now);
    }
}

async fn verify_and_hand_over(
    call: &Inbound,
    env: &JsValue,
    ctx: &JsValue,
    name: String,
    line: &mut Line,
) -> Result<String, Problem> {
    let ready = environment::source(env, &name).map_err(|not_ready| match not_ready {
        NotReady::Unknown => Problem::UnknownSource,
        NotReady::Misconfigured(why) => {
            line.source = environment::is_configured(env, &name).then(|| name.clone());
            line.reason = Some(why);
            Problem::SourceNotReady
        }
    })?;
    line.source = Some(name);
    let scheme = ready.source.dialect.scheme();
    let header = |name| glue::header(&call.request, name);
    let signature = header(scheme.header);
    let timestamp = scheme.timestamp_header.and_then(header);
    let presented = Presented {
        signature: signature.as_deref(),
        timestamp: timestamp.as_deref(),
    };
    // Anybody can send a body, and take their time over it: it is read only
    // where it may be authentic.
    let checked = presented.check(scheme, ready.source.accepted_age_s, call.at);
    checked.map_err(|why| unauthorized(why, line))?;
    let body = body(&call.request, BODY_BYTES_MAX).await?;
    line.bytes = Some(body.len());
    // By the clock once the body is here, as the ledger's: a body that took its
    // time must not make a replayed request younger than its dedupe window.
    let admitted = admit(&ready.source, &ready.secrets, presented, body, now());
    let (label, delivery) = match admitted.map_err(|why| unauthorized(why, line))? {
        Admitted::Ping(label) => (label, None),
        Admitted::Delivery(delivery, label) => (label, Some(delivery)),
    };
    if call.trigger == Trigger::Outside {
        note_use(env, ctx, &ready, label.secret, call.at);
    }
    line.label(label);
    match delivery {
        None => {
            line.outcome = Some("pong");
            Ok(r#"{"status":"pong"}"#.to_owned())
        }
        Some(mut delivery) => {
            if call.trigger == Trigger::Test {
                delivery = delivery.into_test();
            }
            line.integration = Some(delivery.of.integration.clone());
            hand_over(env, ctx, delivery, line).await
        }
    }
}

/// Writes down, behind the answer and seldom, that a secret was used. Our own
/// test events don't count: they would keep an old secret looking alive.
fn note_use(env: &JsValue, ctx: &JsValue, ready: &Ready, position: u32, now: Timestamp) {
    if let Some(secret) = ready.to_note(position, now) {
        let note = secret::note(&ready.source.name, secret, now);
        database::run_behind(env, ctx, note, "use of a secret not noted");
    }
}

/// One answer for every reason, which the log has.
fn unauthorized(why: Unauthorized, line: &mut Line) -> Problem {
    line.reason = Some(why.label().to_owned());
    Problem::BadSignature
}

async fn hand_over(
    env: &JsValue,
    ctx: &JsValue,
    delivery: Delivery,
    line: &mut Line,
) -> Result<String, Problem> {
    let answer = match ledger_client::hand_over(env, ctx, delivery).await {
        Ok(answer) => answer.unwrap_or_default(),
        Err(why) => {
            line.reason = Some(why);
            return Err(Problem::LedgerUnavailable);
        }
    };
    let (status, seq) = Taken::parse(&answer).ok_or(Problem::LedgerUnavailable)?;
    line.outcome = Some(status);
    line.seq = Some(seq);
    if status == "quarantined" {
        line.level = Level::Warn;
    }
    Ok(answer)
}
