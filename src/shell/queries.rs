//! The API: records and integrations from D1, state and history from the
//! ledgers.

use std::rc::Rc;

use wasm_bindgen::JsValue;

use super::log::Line;
use super::{connector_client, database, environment, ledger_client, sources};
use crate::api::{Query, lists};
use crate::connector;
use crate::edge::source;
use crate::integration::IntegrationId;
use crate::ledger::{Call, is_nobodys};
use crate::problem::Problem;
use crate::signature::token_matches;
use crate::sql::Statement;

/// Lets in who has one of the API's tokens.
pub fn authorize(env: &JsValue, authorization: Option<&str>) -> Result<(), Problem> {
    let tokens = environment::api_tokens(env);
    if tokens.is_empty() {
        return Err(Problem::TokenNotConfigured);
    }
    let presented = authorization.and_then(bearer).unwrap_or_default();
    if token_matches(&tokens, presented) {
        Ok(())
    } else {
        Err(Problem::BadToken)
    }
}

/// Answers a question to the API.
pub async fn answer(env: &JsValue, query: Query, line: &mut Line) -> Result<String, Problem> {
    line.outcome = Some("read");
    let unavailable = Problem::DatabaseUnavailable;
    let no_event = Problem::Unknown("event");
    match query {
        Query::Sources => sources::list(env, line).await,
        Query::Integrations(page) => {
            let rows = select(env, &lists::select_integrations(&page), line).await?;
            lists::integrations_page(&rows, page.limit).ok_or(unavailable)
        }
        Query::Records(of, model, page) => {
            let rows = list(env, &of, &lists::select_records(&of, &model, &page), line).await?;
            lists::records_page(&rows).ok_or(unavailable)
        }
        Query::Record(of, model, id) => {
            line.of(&of);
            let rows = select(env, &lists::select_record(&of, &model, &id), line).await?;
            lists::record(&rows).ok_or(unavailable)?
        }
        Query::Notices(of, page) => {
            let rows = list(env, &of, &lists::select_notices(&of, &page), line).await?;
            lists::notices_page(&rows, page.limit).ok_or(unavailable)
        }
        Query::Integration(of) => {
            let missing = Problem::Unknown("integration");
            ledger(env, &of, &Call::State, missing, line).await
        }
        Query::Events(of, page) => {
            let (after, limit) = (page.after.unwrap_or(0), page.limit);
            ledger(env, &of, &Call::Events { after, limit }, no_event, line).await
        }
        Query::Connector(of) => {
            let call = connector::Call::State(of.clone());
            connector(env, &of, &call, line).await
        }
        Query::Unlinked(of, page) => {
            let (after, limit) = (page.after.unwrap_or_default(), page.limit);
            let call = Call::Unlinked {
                source: of.source.clone(),
                after,
                limit,
                filter: Rc::default(),
            };
            ledger(env, &of, &call, no_event, line).await
        }
        Query::Event(of, seq) => ledger(env, &of, &Call::Event { seq }, no_event, line).await,
        Query::Quarantine(of, page) => {
            let (after, limit) = (page.after.unwrap_or(0), page.limit);
            ledger(
                env,
                &of,
                &Call::Quarantined { after, limit },
                no_event,
                line,
            )
            .await
        }
        Query::Dead(of, page) => {
            let (after, limit) = (page.after.unwrap_or(0), page.limit);
            ledger(env, &of, &Call::Dead { after, limit }, no_event, line).await
        }
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Asks a ledger. D1, which has a list of them, isn't asked first: the ledger
/// has the truth, and must be seen while D1 is away. One that never took in an
/// event says so and writes nothing. `missing` is what is wrong if the ledger
/// has no answer.
pub async fn ledger(
    env: &JsValue,
    of: &IntegrationId,
    call: &Call,
    missing: Problem,
    line: &mut Line,
) -> Result<String, Problem> {
    let unknown = Problem::Unknown("integration");
    // No ledger is called so: none was ever made, nor is to be.
    if !source::is_usable(of) {
        return Err(unknown);
    }
    line.of(of);
    match ledger_client::ask(env, of, call).await {
        Ok(Some(answer)) if is_nobodys(&answer) => Err(unknown),
        Ok(answer) => answer.ok_or(missing),
        Err(why) => {
            line.reason = Some(why);
            Err(Problem::LedgerUnavailable)
        }
    }
}

/// Asks the connector of an integration's source.
pub async fn connector(
    env: &JsValue,
    of: &IntegrationId,
    call: &connector::Call,
    line: &mut Line,
) -> Result<String, Problem> {
    if !environment::is_configured(env, &of.source) {
        return Err(Problem::UnknownSource);
    }
    if !source::is_usable(of) {
        return Err(Problem::Unknown("integration"));
    }
    line.of(of);
    match connector_client::ask(env, &of.source, call).await {
        Ok(answer) => answer.ok_or(Problem::NoApi),
        Err(why) => {
            line.reason = Some(why);
            Err(Problem::ConnectorUnavailable)
        }
    }
}

/// A page of a list of an integration, which may be empty only if D1 knows the
/// integration.
async fn list(
    env: &JsValue,
    of: &IntegrationId,
    page: &Statement,
    line: &mut Line,
) -> Result<String, Problem> {
    line.of(of);
    let rows = select(env, page, line).await?;
    if lists::is_empty(&rows) {
        check_known(env, of, line).await?;
    }
    Ok(rows)
}

async fn check_known(env: &JsValue, of: &IntegrationId, line: &mut Line) -> Result<(), Problem> {
    let known = select(env, &lists::select_integration(of), line).await?;
    if lists::is_empty(&known) {
        return Err(Problem::Unknown("integration"));
    }
    Ok(())
}

/// The rows of `query` as JSON.
pub async fn select(env: &JsValue, query: &Statement, line: &mut Line) -> Result<String, Problem> {
    database::select(env, query).await.map_err(|why| {
        line.reason = Some(why);
        Problem::DatabaseUnavailable
    })
}
