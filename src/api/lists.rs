//! What the API answers from D1: statements, and their rows as JSON.

use serde::{Deserialize, Serialize};

use super::{Of, Page};
use crate::json;
use crate::problem::Problem;
use crate::projection::Statement;
use crate::record::segment;
use crate::sql::Value;

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

/// The D1 statement for a page of notices, one more than asked for.
pub fn select_notices(of: &Of, page: &Page<(u64, String)>) -> Statement {
    let (seq, kind) = page.after.clone().unwrap_or_default();
    Statement {
        sql: "SELECT source, integration, seq, kind, model, record_id, at FROM notices
              WHERE source = ?1 AND integration = ?2 AND (seq, kind) > (?3, ?4)
              ORDER BY seq, kind LIMIT ?5",
        params: vec![
            Value::Text(of.source.clone()),
            Value::Text(of.integration.clone()),
            Value::Integer(i64::try_from(seq).unwrap_or(i64::MAX)),
            Value::Text(kind),
            more(page),
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

/// The answer for a page of notices, from D1's rows as JSON.
pub fn notices_page(rows: &str, limit: u64) -> Option<String> {
    #[derive(Serialize, Deserialize)]
    struct Notice {
        source: String,
        integration: String,
        seq: u64,
        kind: String,
        model: String,
        record_id: String,
        at: String,
    }
    #[derive(Serialize)]
    struct Answer {
        notices: Vec<Notice>,
        next: Option<String>,
    }
    let mut notices: Vec<Notice> = serde_json::from_str(rows).ok()?;
    let next = cut(&mut notices, limit).map(|last| format!("{}/{}", last.seq, last.kind));
    Some(json::to_json(&Answer { notices, next }))
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
