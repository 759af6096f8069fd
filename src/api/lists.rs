//! What the API answers from D1: statements, and their rows as JSON.
//!
//! D1 makes the items, each the JSON that the API gives; here they are put
//! together, and cursors made.

use super::{Of, Page};
use crate::json::{self, Writer};
use crate::problem::Problem;
use crate::projection::Statement;
use crate::record::segment;
use crate::sql::Value;

/// A record as the API gives it. SQLite leaves its fields as they are.
macro_rules! record {
    () => {
        "json_object('source', source, 'integration', integration, 'model', model,
           'record_id', record_id, 'version', version, 'generation', generation, 'epoch', epoch,
           'fields', json(fields),
           'partial', json(iif(partial, 'true', 'false')),
           'drift', json(iif(drift, 'true', 'false')), 'occurred_at', occurred_at,
           'updated_at', updated_at)"
    };
}

/// The D1 statement for a page of integrations, one more than asked for.
pub fn select_integrations(page: &Page<(String, String)>) -> Statement {
    let (source, integration) = page.after.clone().unwrap_or_default();
    Statement {
        sql: "SELECT json_object('source', source, 'integration', integration,
                     'epoch', epoch, 'last_seq', last_seq, 'first_synced_at', first_synced_at,
                     'last_synced_at', last_synced_at, 'last_event_at', last_event_at),
                     source, integration
              FROM integrations WHERE (source, integration) > (?1, ?2)
              ORDER BY source, integration LIMIT ?3",
        params: vec![Value::Text(source), Value::Text(integration), more(page)],
    }
}

/// The D1 statement that finds an integration.
pub fn select_integration(of: &Of) -> Statement {
    Statement {
        sql: "SELECT source FROM integrations WHERE source = ?1 AND integration = ?2",
        params: vec![
            Value::Text(of.source.clone()),
            Value::Text(of.integration.clone()),
        ],
    }
}

/// The D1 statement for a page of records, one more than asked for.
pub fn select_records(of: &Of, model: &str, page: &Page<String>) -> Statement {
    Statement {
        sql: concat!(
            "SELECT ",
            record!(),
            ", record_id FROM records
              WHERE source = ?1 AND integration = ?2 AND model = ?3 AND record_id > ?4
              ORDER BY record_id LIMIT ?5"
        ),
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
        sql: concat!(
            "SELECT ",
            record!(),
            " FROM records
              WHERE source = ?1 AND integration = ?2 AND model = ?3 AND record_id = ?4"
        ),
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
        sql: "SELECT json_object('source', source, 'integration', integration, 'seq', seq,
                     'kind', kind, 'model', model, 'record_id', record_id, 'at', at),
                     CAST(seq AS TEXT), kind
              FROM notices WHERE source = ?1 AND integration = ?2 AND (seq, kind) > (?3, ?4)
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

/// The answer for a page of integrations, from D1's rows as JSON; `None` if
/// they are not what was asked for.
pub fn integrations_page(rows: &str, limit: u64) -> Option<String> {
    page("integrations", rows, limit, |[source, integration]| {
        format!("{}/{}", segment(source), segment(integration))
    })
}

/// The answer for a page of records, from D1's rows as JSON.
pub fn records_page(rows: &str, limit: u64) -> Option<String> {
    page("records", rows, limit, |[record_id]| record_id.clone())
}

/// The answer for a page of notices, from D1's rows as JSON.
pub fn notices_page(rows: &str, limit: u64) -> Option<String> {
    page("notices", rows, limit, |[seq, kind]| {
        format!("{seq}/{kind}")
    })
}

/// The answer for one record, from D1's rows as JSON.
pub fn record(rows: &str) -> Option<Result<String, Problem>> {
    match json::rows(rows)?.into_iter().next() {
        Some(row) => Some(Ok(row.into_iter().next()?)),
        None => Some(Err(Problem::Unknown("record"))),
    }
}

/// True if D1's rows, as JSON, hold none.
pub fn is_empty(rows: &str) -> bool {
    rows == "[]"
}

/// A page of rows that are an item, JSON, and `N` columns that `after` makes a
/// cursor of. There may be one row too many, which tells that more follow.
fn page<const N: usize>(
    name: &str,
    rows: &str,
    limit: u64,
    after: impl FnOnce(&[String; N]) -> String,
) -> Option<String> {
    let mut rows = json::rows(rows)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_next = rows.len() > limit;
    rows.truncate(limit);
    let mut items = Vec::with_capacity(rows.len());
    let mut last = None;
    for row in &rows {
        let (item, cursor) = row.split_first()?;
        items.push(item.as_str());
        last = Some(<&[String; N]>::try_from(cursor).ok()?);
    }
    let next = last.filter(|_| has_next).map(after);
    let answer = Writer::default().list(name, &items);
    Some(answer.text_or_null("next", next.as_deref()).end())
}
