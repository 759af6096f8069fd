//! The paths there are, and what is asked for by them.
//!
//! What the API answers from D1 is in [`lists`], and who has an answer already
//! in [`fresh`].

pub mod fresh;
pub mod lists;
pub mod redrive;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::command::Command;
use crate::event::{is_usable_id, model_name};
use crate::problem::Problem;
use crate::source;

/// Entries on a page unless the request says otherwise.
pub const LIMIT_DEFAULT: u64 = 100;
/// Entries on a page at the most.
pub const LIMIT_MAX: u64 = 500;
/// Bytes of a page's entries at the most, but for a single larger one: 4 MiB.
/// A record may have 2 MB and an event's name 1 MiB, so that 500 of them would
/// be up to 1 GB; D1 gives 50 MB, and an isolate has 128 MB for all it does,
/// where a page is there four times on its way. 500 usual records have 1 MB.
pub const PAGE_BYTES_MAX: u64 = 4 << 20;

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
    Integration(Of),
    /// `GET …/records/{model}`, the model as records have it, however the path
    /// spells it.
    Records(Of, String, Page<String>),
    /// `GET …/records/{model}/{record_id}`.
    Record(Of, String, String),
    /// `GET …/events`.
    Events(Of, Page<u64>),
    /// `GET …/events/{seq}`.
    Event(Of, u64),
    /// `GET …/unlinked`.
    Unlinked(Of, Page<String>),
    /// `GET …/quarantine`.
    Quarantine(Of, Page<u64>),
    /// `GET …/dead`.
    Dead(Of, Page<u64>),
    /// `GET …/notices`; pages go by number and kind.
    Notices(Of, Page<(u64, String)>),
}

/// The integration a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// The source.
    pub source: String,
    /// The integration.
    pub integration: String,
}

impl Of {
    /// True if an integration can be called so.
    pub fn is_usable(&self) -> bool {
        source::is_usable_name(&self.source) && is_usable_id(&self.integration)
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What the page before ended with.
    pub after: Option<T>,
    /// At most this many, 1 to [`LIMIT_MAX`]; fewer, if they are large.
    pub limit: u64,
}

/// Methods of a path that is read. Uptime monitors ask by HEAD, some by nothing
/// else.
const READ: &str = "GET, HEAD";
/// Methods of a path that takes something.
const TAKE: &str = "POST";

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
                "replay" | "redrive" | "rebuild" | "discard",
            ] => TAKE,
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
                Ok(Self::Command(Command::Replay(of(source, integration))))
            }
            ["v1", "integrations", source, integration, "redrive"] => {
                Ok(Self::Command(Command::Redrive(of(source, integration))))
            }
            ["v1", "integrations", source, integration, "rebuild"] => {
                Ok(Self::Command(Command::Rebuild(of(source, integration))))
            }
            ["v1", "integrations", source, integration, "discard"] => {
                Ok(Self::Command(Command::Discard(of(source, integration))))
            }
            ["v1", "sources"] => Ok(Self::Api(Query::Sources)),
            ["v1", "sources", source, "test"] => Ok(Self::Test {
                source: (*source).to_owned(),
            }),
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

fn of(source: &str, integration: &str) -> Of {
    Of {
        source: source.to_owned(),
        integration: integration.to_owned(),
    }
}

fn parse_query(parts: &[&str], query: &str) -> Result<Query, Problem> {
    Ok(match parts {
        [] => Query::Integrations(page(query, integration_cursor)?),
        [source, integration] => Query::Integration(of(source, integration)),
        [source, integration, "records", model] => {
            let page = page(query, text_cursor)?;
            Query::Records(of(source, integration), model_name(model), page)
        }
        [source, integration, "records", model, id] => {
            Query::Record(of(source, integration), model_name(model), (*id).to_owned())
        }
        [source, integration, "unlinked"] => {
            let page = page(query, text_cursor)?;
            Query::Unlinked(of(source, integration), page)
        }
        [source, integration, "events"] => {
            Query::Events(of(source, integration), page(query, seq_cursor)?)
        }
        [source, integration, "quarantine"] => {
            Query::Quarantine(of(source, integration), page(query, seq_cursor)?)
        }
        [source, integration, "dead"] => {
            Query::Dead(of(source, integration), page(query, seq_cursor)?)
        }
        [source, integration, "notices"] => {
            Query::Notices(of(source, integration), page(query, notice_cursor)?)
        }
        [source, integration, "events", seq] => {
            Query::Event(of(source, integration), number("seq", seq)?)
        }
        _ => return Err(Problem::NotFound),
    })
}

/// Largest number that every JSON reader gets right.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

fn number(name: &'static str, text: &str) -> Result<u64, Problem> {
    whole(text)
        .filter(|number| *number <= NUMBER_MAX)
        .ok_or(Problem::BadParameter(
            name,
            "a whole number from 0 to 9007199254740991",
        ))
}

/// A whole number in digits alone: `+5` is none.
fn whole(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The cursor of lists in the order of names.
fn text_cursor(after: &str) -> Result<String, Problem> {
    Ok(after.to_owned())
}

/// The cursor of lists in the order of numbers.
fn seq_cursor(after: &str) -> Result<u64, Problem> {
    number("after", after)
}

/// The cursor of the list of notices: `17/unit.vacated`, as `next` has it, or
/// the number of an event, for what comes behind all of its notices.
fn notice_cursor(after: &str) -> Result<(u64, String), Problem> {
    const BEHIND_ALL: &str = "\u{7f}";
    let (seq, kind) = after.split_once('/').unwrap_or((after, BEHIND_ALL));
    let must_be = "a number of an event, or the `next` of the page before";
    match whole(seq) {
        Some(seq) if seq <= NUMBER_MAX => Ok((seq, kind.to_owned())),
        _ => Err(Problem::BadParameter("after", must_be)),
    }
}

/// The cursor of the list of integrations: both names, percent-encoded.
fn integration_cursor(after: &str) -> Result<(String, String), Problem> {
    let bad = Problem::BadParameter("after", "the `next` of the page before");
    let (source, integration) = after.split_once('/').ok_or(bad.clone())?;
    let decode = |part| percent_decode_str(part).decode_utf8().map(Cow::into_owned);
    match (decode(source), decode(integration)) {
        (Ok(source), Ok(integration)) => Ok((source, integration)),
        _ => Err(bad),
    }
}

fn page<T>(query: &str, read: impl Fn(&str) -> Result<T, Problem>) -> Result<Page<T>, Problem> {
    let mut page = Page {
        after: None,
        limit: LIMIT_DEFAULT,
    };
    let query = query.strip_prefix('?').unwrap_or(query);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "after" => page.after = Some(read(&value)?),
            "limit" => {
                page.limit = whole(&value)
                    .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                    .ok_or(Problem::BadParameter(
                        "limit",
                        "a whole number from 1 to 500",
                    ))?;
            }
            _ => {}
        }
    }
    Ok(page)
}
