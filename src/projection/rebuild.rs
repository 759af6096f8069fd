//! Records from their ledger straight into D1.
//!
//! Where D1 refuses a step, a probe tells whether it takes anything: only then
//! may it be the records' fault, and a single one be left out in the end. Of one
//! that fails by nobody's fault there is nothing to find out.

use std::borrow::Cow;

use super::{Fault, Key, Projection, Row, announcement, epoch, if_newer};
use crate::json::Map;
use crate::ledger::{Announcement, Ledger, PackRef, Part, Rebuilt, Rewrite, SeqRange};
use crate::sql::{Sql, SqlError, Statement};
use crate::time::Timestamp;

/// Of records whose last event is gone: where D1 has the same state, it knows
/// better when that was.
const UPSERT_UNDATED: &str = super::upsert_records!(
    "iif((excluded.generation, excluded.version) = (records.generation, records.version),
         records.occurred_at, excluded.occurred_at)"
);

/// A step of a rebuild on its way into D1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildStep {
    part: Part,
    /// Why D1 refused it.
    refused: Option<String>,
    takes_others: Option<bool>,
}

impl RebuildStep {
    /// Begins with what the ledger gave.
    pub fn new(part: Part) -> Self {
        Self {
            part,
            refused: None,
            takes_others: None,
        }
    }

    /// What to run next as one transaction of D1, then [`Self::ran`]; nothing if
    /// that was all, then [`Self::end`].
    pub fn statements(&self, now: Timestamp) -> Option<Vec<Statement>> {
        match (&self.refused, self.takes_others) {
            (_, Some(_)) => None,
            (None, _) => Some(rebuilt(&self.part, now)),
            (Some(_), None) => Some(rebuilt(&self.part.without_records(), now)),
        }
    }

    /// What D1 said.
    pub fn ran(&mut self, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.takes_others = Some(true),
            Err(_) if self.refused.is_some() => self.takes_others = Some(false),
            Err(why) => {
                let is_single = self.part.records.len() <= 1;
                let is_nobodys = Fault::of(&why) == Fault::Nobodys;
                self.takes_others = (is_single && is_nobodys).then_some(false);
                self.refused = Some(why);
            }
        }
    }

    /// Tells `ledger` how it ended. Returns when to take the next step, if
    /// sooner than the next alarm.
    pub fn end<S: Sql>(
        &self,
        ledger: &mut Ledger<S>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        match &self.refused {
            None => ledger.rebuilt(&self.part, now),
            Some(_) => ledger.refused(&self.part, self.takes_others == Some(true), now),
        }
    }

    /// Why D1 refused it, if it did.
    pub fn refused(self) -> Option<String> {
        self.refused
    }
}

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
        gone_since: record.gone_since,
        large: false,
    };
    (key, row)
}
