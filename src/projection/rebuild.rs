//! Records from their ledger straight into D1.

use std::borrow::Cow;

use super::{Key, Projection, Row, announcement, epoch, if_newer};
use crate::json::Map;
use crate::ledger::{Announcement, PackRef, Part, Rebuilt, Rewrite, SeqRange};
use crate::sql::Statement;
use crate::time::Timestamp;

/// Of records whose last event is gone: where D1 has the same state, it knows
/// better when that was.
const UPSERT_UNDATED: &str = super::upsert_records!(
    "iif((excluded.generation, excluded.version) = (records.generation, records.version),
         records.occurred_at, excluded.occurred_at)"
);

/// The batch that writes a step of a rebuild.
pub fn rebuilt(part: &Part, now: Timestamp) -> Vec<Statement> {
    let state = &part.state;
    let told = Announcement {
        state: state.clone(),
        report: None,
    };
    let of = Projection {
        of: state.of.clone(),
        pack: PackRef {
            events: SeqRange::through(state.last_seq),
            rewrite: Rewrite::NONE,
        },
        epoch: Some(state.epoch),
        records: Map::default(),
        missing: Vec::new(),
        synced_at: None,
        notices: super::Notices::default(),
    };
    let mut statements = announcement(&told);
    for is_undated in [false, true] {
        let records = part.records.iter();
        let rows: Vec<_> = records
            .filter(|record| record.is_undated == is_undated)
            .map(row)
            .collect();
        // A large one alone wouldn't fit into a parameter with others.
        let rows: Vec<_> = rows.iter().map(|(key, row)| (key, row)).collect();
        if rows.is_empty() {
            continue;
        }
        let mut statement = of.many(&rows, now);
        if is_undated {
            statement.sql = UPSERT_UNDATED;
        }
        statements.push(statement);
    }
    statements
}

fn row(record: &Rebuilt) -> (Key<'_>, Row<'_>) {
    let key = (
        Cow::Borrowed(record.model.as_str()),
        Cow::Borrowed(record.record_id.as_str()),
    );
    let row = Row {
        generation: record.generation.0,
        version: record.version,
        fields: &record.fields,
        partial: record.partial,
        drift: record.drift,
        occurred_at: record.occurred_at,
        large: false,
    };
    (key, row)
}
