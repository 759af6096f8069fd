//! What the API answers from D1: statements, and their rows as JSON.
//!
//! D1 makes the items, each the JSON that the API gives; here they are put
//! together, and cursors made.
//!
//! A page of records is bounded by bytes as well as by entries, in D1 already.
//! Integrations and notices are made of names alone, of 1 KiB each at the most:
//! 500 of them have less than 4 MiB even if each byte of a name takes an escape.

use super::{PAGE_BYTES_MAX, Page};
use crate::integration::{IntegrationId, encode_segment};
use crate::json::{self, Writer};
use crate::problem::Problem;
use crate::sql::Statement;
use crate::sql::Value;

/// A record as the API gives it. SQLite leaves its fields as they are.
macro_rules! record {
    () => {
        "json_object('source', source, 'integration', integration, 'model', model,
           'record_id', record_id, 'version', version, 'generation', generation, 'epoch', epoch,
           'fields', json(fields),
           'partial', json(iif(partial, 'true', 'false')),
           'drift', json(iif(drift, 'true', 'false')), 'gone_since', gone_since,
           'occurred_at', occurred_at, 'updated_at', updated_at)"
    };
}

/// The D1 statement for a page of integrations, one more than asked for.
pub fn select_integrations(page: &Page<(String, String)>) -> Statement {
    let (source, integration) = page.after.clone().unwrap_or_default();
    Statement {
        sql: "SELECT json_object('source', source, 'integration', integration,
                     'epoch', epoch, 'last_seq', last_seq, 'first_synced_at', first_synced_at,
                     'last_synced_at', last_synced_at, 'last_event_at', last_event_at,
                     'bytes', bytes),
                     source, integration
              FROM integrations WHERE (source, integration) > (?1, ?2)
              ORDER BY source, integration LIMIT ?3",
        params: vec![Value::Text(source), Value::Text(integration), more(page)],
    }
}

/// The D1 statement that finds an integration.
pub fn select_integration(of: &IntegrationId) -> Statement {
    Statement {
        sql: "SELECT source FROM integrations WHERE source = ?1 AND integration = ?2",
        params: vec![
            Value::Text(of.source.clone()),
            Value::Text(of.integration.clone()),
        ],
    }
}

/// The D1 statement for a page of records, no more than fit on it; the last
/// column tells whether there are more. Sizes are looked at first: the items
/// are made of those alone that are given.
pub fn select_records(of: &IntegrationId, model: &str, page: &Page<String>) -> Statement {
    // Flags, times and the names of the fields have about 350 bytes; an escape
    // makes two bytes of one.
    let names = [&of.source, &of.integration, model].map(str::len);
    let names = names.into_iter().fold(0, usize::saturating_add);
    let around = names.saturating_mul(2).saturating_add(350);
    Statement {
        sql: concat!(
            "WITH some AS (
               SELECT record_id AS id,
                      ?6 + length(CAST(fields AS BLOB)) + 2 * length(CAST(record_id AS BLOB))
                        AS bytes
               FROM records
               WHERE source = ?1 AND integration = ?2 AND model = ?3 AND record_id > ?4
               ORDER BY record_id LIMIT ?5 + 1
             ), sized AS (
               SELECT id, row_number() OVER (ORDER BY id) AS number,
                      sum(bytes) OVER (ORDER BY id) AS through, count(*) OVER () AS found
               FROM some
             ), given AS (
               SELECT id, found > max(number) OVER () AS has_more FROM sized
               WHERE number = 1 OR number <= ?5 AND through <= ?7
             )
             SELECT ",
            record!(),
            ", record_id, CAST(has_more AS TEXT)
             FROM given CROSS JOIN records
             WHERE source = ?1 AND integration = ?2 AND model = ?3 AND record_id = id
             ORDER BY record_id"
        ),
        params: vec![
            Value::Text(of.source.clone()),
            Value::Text(of.integration.clone()),
            Value::Text(model.to_owned()),
            Value::Text(page.after.clone().unwrap_or_default()),
            number(page.limit),
            number(around as u64),
            number(PAGE_BYTES_MAX),
        ],
    }
}

/// The D1 statement for one record.
pub fn select_record(of: &IntegrationId, model: &str, record_id: &str) -> Statement {
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
pub fn select_notices(of: &IntegrationId, page: &Page<(u64, String)>) -> Statement {
    let (seq, kind) = page.after.clone().unwrap_or_default();
    Statement {
        sql: "SELECT json_object('source', source, 'integration', integration, 'seq', seq,
                     'kind', kind, 'model', model, 'record_id', record_id, 'at', at,
                     'count', count),
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
    number(page.limit.saturating_add(1))
}

fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The answer for a page of integrations, from D1's rows as JSON; `None` if
/// they are not what was asked for.
pub fn integrations_page(rows: &str, limit: u64) -> Option<String> {
    let cut = Cut::Beyond(limit);
    page("integrations", rows, cut, |[source, integration]| {
        format!("{}/{}", encode_segment(source), encode_segment(integration))
    })
}

/// The answer for a page of records, from D1's rows as JSON.
pub fn records_page(rows: &str) -> Option<String> {
    page("records", rows, Cut::Done, |[record_id, _]| {
        record_id.clone()
    })
}

/// The answer for a page of notices, from D1's rows as JSON.
pub fn notices_page(rows: &str, limit: u64) -> Option<String> {
    page("notices", rows, Cut::Beyond(limit), |[seq, kind]| {
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

/// How a page was bounded.
enum Cut {
    /// It is to be cut behind this many: a row too many tells that more follow.
    Beyond(u64),
    /// It is cut, and the last column is `1` if more follow.
    Done,
}

/// A page of rows that are an item, JSON, and `N` columns that `after` makes a
/// cursor of.
fn page<const N: usize>(
    name: &str,
    rows: &str,
    cut: Cut,
    after: impl FnOnce(&[String; N]) -> String,
) -> Option<String> {
    let mut rows = json::rows(rows)?;
    let has_next = match cut {
        Cut::Beyond(limit) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let is_more = rows.len() > limit;
            rows.truncate(limit);
            is_more
        }
        Cut::Done => rows
            .last()
            .and_then(|row| row.last())
            .is_some_and(|more| more == "1"),
    };
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
