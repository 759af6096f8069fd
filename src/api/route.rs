//! The paths there are, and what is asked for by them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::command::Command;
use super::page::{
    Page, integration_cursor, notice_cursor, number, page, parameter, seq_cursor, text_cursor,
};
use crate::dialect::event::model_name;
use crate::integration::IntegrationId;
use crate::problem::Problem;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `POST /webhooks/{source}`.
    Webhook {
        /// Name of the source, not necessarily a configured one.
        source: String,
    },
    /// `GET /healthz`, open to all.
    Health,
    /// `GET /metrics`, which wants the API's token too.
    Metrics,
    /// `GET /openapi.json`, open to all.
    Description,
    /// `POST /v1/sources/{source}/test`, which wants the API's token too.
    Test {
        /// Name of the source, not necessarily a configured one.
        source: String,
    },
    /// `GET /v1/sources/{source}/subscriptions`, which wants the token too.
    Subscriptions {
        /// Name of the source, not necessarily a configured one.
        source: String,
        /// Our own address, where it isn't the one that was asked.
        url: Option<String>,
    },
    /// `POST /v1/sources/{source}/subscriptions`, which wants the token too.
    Subscribe {
        /// Name of the source, not necessarily a configured one.
        source: String,
    },
    /// Anything that wants the API's token.
    Api(Query),
    /// What the API can be told to do; it wants the token too.
    Command(Command),
}

/// A question to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// `GET /v1/sources`.
    Sources,
    /// `GET /v1/integrations`.
    Integrations(Page<(String, String)>),
    /// `GET /v1/integrations/{source}/{integration}`.
    Integration(IntegrationId),
    /// `GET …/records/{model}`, the model as records have it, however the path
    /// spells it.
    Records(IntegrationId, String, Page<String>),
    /// `GET …/records/{model}/{record_id}`.
    Record(IntegrationId, String, String),
    /// `GET …/events`.
    Events(IntegrationId, Page<u64>),
    /// `GET …/events/{seq}`.
    Event(IntegrationId, u64),
    /// `GET …/unlinked`.
    Unlinked(IntegrationId, Page<String>),
    /// `GET …/connector`.
    Connector(IntegrationId),
    /// `GET …/quarantine`.
    Quarantine(IntegrationId, Page<u64>),
    /// `GET …/dead`.
    Dead(IntegrationId, Page<u64>),
    /// `GET …/notices`; pages go by number and kind.
    Notices(IntegrationId, Page<(u64, String)>),
}

/// Methods of a path that is read. Uptime monitors ask by HEAD, some by nothing
/// else.
const READ: &str = "GET, HEAD";
/// Methods of a path that takes something.
const TAKE: &str = "POST";
/// Methods of one that does both.
const BOTH: &str = "GET, HEAD, POST";

/// True if `path` leads into the API or to the numbers, which want a token
/// whatever else is wrong with the request. Decided on the decoded path, as
/// [`Route::parse`] reads it.
pub fn is_api(path: &str) -> bool {
    let first = parts(path).next().unwrap_or_default();
    percent_decode_str(first)
        .decode_utf8()
        .is_ok_and(|first| matches!(first.as_ref(), "v1" | "metrics"))
}

/// The parts of a path. A slash too many says nothing where no name can stand:
/// at either end, and behind the first word, which is where a base address is
/// put together with a path. Between names it does: an empty one is none.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let rest = rest.trim_start_matches('/');
    let rest = (!rest.is_empty()).then(|| rest.split('/'));
    std::iter::once(first).chain(rest.into_iter().flatten())
}

impl Route {
    /// Reads method, path and query, each as the URL has it. Ids in paths are
    /// percent-encoded. HEAD asks what GET asks.
    pub fn parse(method: &str, path: &str, query: &str) -> Result<Self, Problem> {
        let parts = parts(path)
            .map(|part| percent_decode_str(part).decode_utf8())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Problem::NotFound)?;
        let parts: Vec<&str> = parts.iter().map(Cow::as_ref).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Problem::NotFound);
        }
        let allow = match parts.as_slice() {
            ["webhooks", ..]
            | ["v1", "sources", _, "test" | "redrive"]
            | [
                "v1",
                "integrations",
                _,
                _,
                "replay" | "redrive" | "rebuild" | "discard" | "backfill",
            ]
            | ["v1", "integrations", _, _, "records", _, _, "hydrate"] => TAKE,
            ["v1", "sources", _, "subscriptions"] => BOTH,
            _ => READ,
        };
        let route = match parts.as_slice() {
            ["webhooks", source] => Ok(Self::Webhook {
                source: (*source).to_owned(),
            }),
            ["healthz"] => Ok(Self::Health),
            ["metrics"] => Ok(Self::Metrics),
            ["openapi.json"] => Ok(Self::Description),
            ["v1", "integrations", source, integration, "replay"] => {
                Ok(Self::Command(Command::Replay(id(source, integration))))
            }
            ["v1", "integrations", source, integration, "redrive"] => {
                Ok(Self::Command(Command::Redrive(id(source, integration))))
            }
            ["v1", "integrations", source, integration, "rebuild"] => {
                Ok(Self::Command(Command::Rebuild(id(source, integration))))
            }
            ["v1", "integrations", source, integration, "discard"] => {
                Ok(Self::Command(Command::Discard(id(source, integration))))
            }
            ["v1", "integrations", source, integration, "backfill"] => {
                Ok(Self::Command(Command::Backfill(id(source, integration))))
            }
            [
                "v1",
                "integrations",
                source,
                integration,
                "records",
                model,
                record_id,
                "hydrate",
            ] => {
                let (model, record_id) = (model_name(model), (*record_id).to_owned());
                let of = id(source, integration);
                Ok(Self::Command(Command::Hydrate(of, model, record_id)))
            }
            ["v1", "sources"] => Ok(Self::Api(Query::Sources)),
            ["v1", "sources", source, "test"] => Ok(Self::Test {
                source: (*source).to_owned(),
            }),
            ["v1", "sources", source, "subscriptions"] => {
                let source = (*source).to_owned();
                Ok(match method {
                    "POST" => Self::Subscribe { source },
                    _ => Self::Subscriptions {
                        source,
                        url: parameter(query, "url"),
                    },
                })
            }
            ["v1", "sources", source, "redrive"] => page(query, text_cursor)
                .map(|page| Self::Command(Command::RedriveSource((*source).to_owned(), page))),
            ["v1", "integrations", rest @ ..] => parse_query(rest, query).map(Self::Api),
            _ => Err(Problem::NotFound),
        };
        match route {
            Err(Problem::NotFound) => Err(Problem::NotFound),
            _ if !allow.split(", ").any(|one| one == method) => {
                Err(Problem::MethodNotAllowed(allow))
            }
            route => route,
        }
    }
}

fn parse_query(parts: &[&str], query: &str) -> Result<Query, Problem> {
    Ok(match parts {
        [] => Query::Integrations(page(query, integration_cursor)?),
        [source, integration] => Query::Integration(id(source, integration)),
        [source, integration, "records", model] => {
            let page = page(query, text_cursor)?;
            Query::Records(id(source, integration), model_name(model), page)
        }
        [source, integration, "records", model, record_id] => Query::Record(
            id(source, integration),
            model_name(model),
            (*record_id).to_owned(),
        ),
        [source, integration, "connector"] => Query::Connector(id(source, integration)),
        [source, integration, "unlinked"] => {
            let page = page(query, text_cursor)?;
            Query::Unlinked(id(source, integration), page)
        }
        [source, integration, "events"] => {
            Query::Events(id(source, integration), page(query, seq_cursor)?)
        }
        [source, integration, "quarantine"] => {
            Query::Quarantine(id(source, integration), page(query, seq_cursor)?)
        }
        [source, integration, "dead"] => {
            Query::Dead(id(source, integration), page(query, seq_cursor)?)
        }
        [source, integration, "notices"] => {
            Query::Notices(id(source, integration), page(query, notice_cursor)?)
        }
        [source, integration, "events", seq] => {
            Query::Event(id(source, integration), number("seq", seq)?)
        }
        _ => return Err(Problem::NotFound),
    })
}

fn id(source: &str, integration: &str) -> IntegrationId {
    IntegrationId::new(source, integration)
}
