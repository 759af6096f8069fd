//! The paths there are, and the API's answers from D1.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::json;
use crate::problem::Problem;
use crate::projection::Statement;
use crate::record::segment;
use crate::sql::Value;

/// Entries on a page unless the request says otherwise.
pub const LIMIT_DEFAULT: u64 = 100;
/// Entries on a page at the most.
pub const LIMIT_MAX: u64 = 500;

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
    /// `GET …/records/{model}`.
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
}

/// The integration a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// The source.
    pub source: String,
    /// The integration.
    pub integration: String,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What the page before ended with.
    pub after: Option<T>,
    /// At most this many, 1 to [`LIMIT_MAX`].
    pub limit: u64,
}

/// True if `path` leads into the API, which wants a token whatever else is
/// wrong with the request. Decided on the decoded path, as [`Route::parse`]
/// reads it.
pub fn is_api(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    percent_decode_str(first)
        .decode_utf8()
        .is_ok_and(|first| first == "v1")
}

impl Route {
    /// Reads method, path and query, each as the URL has it. Ids in paths are
    /// percent-encoded.
    pub fn parse(method: &str, path: &str, query: &str) -> Result<Self, Problem> {
        let parts = path
            .strip_prefix('/')
            .unwrap_or(path)
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Problem::NotFound)?;
        let parts: Vec<&str> = parts.iter().map(Cow::as_ref).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Problem::NotFound);
        }
        let allow = match parts.as_slice() {
            ["webhooks", ..]
            | ["v1", "sources", _, "test"]
            | ["v1", "integrations", _, _, "replay" | "redrive"] => "POST",
            _ => "GET",
        };
        let route = match parts.as_slice() {
            ["webhooks", source] => Ok(Self::Webhook {
                source: (*source).to_owned(),
            }),
            ["healthz"] => Ok(Self::Health),
            ["v1", "integrations", source, integration, "replay"] => {
                Ok(Self::Command(Command::Replay(of(source, integration))))
            }
            ["v1", "integrations", source, integration, "redrive"] => {
                Ok(Self::Command(Command::Redrive(of(source, integration))))
            }
            ["v1", "sources"] => Ok(Self::Api(Query::Sources)),
            ["v1", "sources", source, "test"] => Ok(Self::Test {
                source: (*source).to_owned(),
            }),
            ["v1", "integrations", rest @ ..] => parse_query(rest, query).map(Self::Api),
            _ => Err(Problem::NotFound),
        };
        match route {
            Err(Problem::NotFound) => Err(Problem::NotFound),
            _ if method != allow => Err(Problem::MethodNotAllowed(allow)),
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
            let page = page(query, |after| Ok(after.to_owned()))?;
            Query::Records(of(source, integration), (*model).to_owned(), page)
        }
        [source, integration, "records", model, id] => Query::Record(
            of(source, integration),
            (*model).to_owned(),
            (*id).to_owned(),
        ),
        [source, integration, "unlinked"] => {
            let page = page(query, |after| Ok(after.to_owned()))?;
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

/// The cursor of lists in the order of numbers.
fn seq_cursor(after: &str) -> Result<u64, Problem> {
    number("after", after)
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

/// The D1 statement for a page of integrations, one more than asked for.
pub fn select_integrations(page: &Page<(String, String)>) -> Statement {
    let (source, integration) = page.after.clone().unwrap_or_default();
    Statement {
        sql: "SELECT source, integration, last_seq, first_synced_at, last_synced_at, last_event_at
              FROM integrations WHERE (source, integration) > (?1, ?2)
              ORDER BY source, integration LIMIT ?3",
        params: vec![Value::Text(source), Value::Text(integration), more(page)],
    }
}

/// The D1 statement that finds an integration.
pub fn select_integration(of: &Of) -> Statement {
    Statement {
        sql: "SELECT source, integration, last_seq, first_synced_at, last_synced_at, last_event_at
              FROM integrations WHERE source = ?1 AND integration = ?2",
        params: vec![
            Value::Text(of.source.clone()),
            Value::Text(of.integration.clone()),
        ],
    }
}

/// The D1 statement for a page of records, one more than asked for.
pub fn select_records(of: &Of, model: &str, page: &Page<String>) -> Statement {
    Statement {
        sql: "SELECT source, integration, model, record_id, version, fields, partial, drift,
                     occurred_at, updated_at
              FROM records WHERE source = ?1 AND integration = ?2 AND model = ?3 AND record_id > ?4
              ORDER BY record_id LIMIT ?5",
        params: vec![
            Value::Text(of.source.clone()),
            Value::Text(of.integration.clone()),
            Value::Text(model.to_owned()),
            Value::Text(page.after.clone().unwrap_or_default()),
            more(page),
        ],
    }
}

/// The D1 statement for one record.
pub fn select_record(of: &Of, model: &str, record_id: &str) -> Statement {
    Statement {
        sql: "SELECT source, integration, model, record_id, version, fields, partial, drift,
                     occurred_at, updated_at
              FROM records
              WHERE source = ?1 AND integration = ?2 AND model = ?3 AND record_id = ?4",
        params: vec![
            Value::Text(of.source.clone()),
            Value::Text(of.integration.clone()),
            Value::Text(model.to_owned()),
            Value::Text(record_id.to_owned()),
        ],
    }
}

fn more<T>(page: &Page<T>) -> Value {
    Value::Integer(i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX))
}

#[derive(Serialize, Deserialize)]
struct Integration {
    source: String,
    integration: String,
    last_seq: u64,
    first_synced_at: Option<String>,
    last_synced_at: Option<String>,
    last_event_at: Option<String>,
}

/// A row of `records` as D1 gives it.
#[derive(Deserialize)]
struct Row {
    source: String,
    integration: String,
    model: String,
    record_id: String,
    version: u64,
    fields: String,
    partial: u8,
    drift: u8,
    occurred_at: String,
    updated_at: String,
}

/// A record as the API gives it.
#[derive(Serialize)]
struct Record<'a> {
    source: &'a str,
    integration: &'a str,
    model: &'a str,
    record_id: &'a str,
    version: u64,
    fields: &'a json::Value,
    partial: bool,
    drift: bool,
    occurred_at: &'a str,
    updated_at: &'a str,
}

impl Row {
    fn record(&self) -> Option<Record<'_>> {
        Some(Record {
            source: &self.source,
            integration: &self.integration,
            model: &self.model,
            record_id: &self.record_id,
            version: self.version,
            fields: serde_json::from_str(&self.fields).ok()?,
            partial: self.partial != 0,
            drift: self.drift != 0,
            occurred_at: &self.occurred_at,
            updated_at: &self.updated_at,
        })
    }
}

/// The answer for a page of integrations, from D1's rows as JSON; `None` if
/// they are not what was asked for.
pub fn integrations_page(rows: &str, limit: u64) -> Option<String> {
    #[derive(Serialize)]
    struct Answer {
        integrations: Vec<Integration>,
        next: Option<String>,
    }
    let mut integrations: Vec<Integration> = serde_json::from_str(rows).ok()?;
    let next = cut(&mut integrations, limit)
        .map(|last| format!("{}/{}", segment(&last.source), segment(&last.integration)));
    Some(json::to_json(&Answer { integrations, next }))
}

/// The answer for a page of records, from D1's rows as JSON.
pub fn records_page(rows: &str, limit: u64) -> Option<String> {
    #[derive(Serialize)]
    struct Answer<'a> {
        records: Vec<Record<'a>>,
        next: Option<&'a str>,
    }
    let mut rows: Vec<Row> = serde_json::from_str(rows).ok()?;
    let has_next = cut(&mut rows, limit).is_some();
    let records = rows.iter().map(Row::record).collect::<Option<Vec<_>>>()?;
    let next = rows
        .last()
        .filter(|_| has_next)
        .map(|row| row.record_id.as_str());
    Some(json::to_json(&Answer { records, next }))
}

/// The answer for one record, from D1's rows as JSON.
pub fn record(rows: &str) -> Option<Result<String, Problem>> {
    let rows: Vec<Row> = serde_json::from_str(rows).ok()?;
    match rows.first() {
        Some(row) => Some(Ok(json::to_json(&row.record()?))),
        None => Some(Err(Problem::Unknown("record"))),
    }
}

/// True if D1's rows, as JSON, hold none.
pub fn is_empty(rows: &str) -> bool {
    rows == "[]"
}

/// Cuts the one row too many; the last one left, if there is a next page.
fn cut<T>(rows: &mut Vec<T>, limit: u64) -> Option<&T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last()
}
