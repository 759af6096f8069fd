//! Updates that came before it was known to which property their record
//! belongs.
//!
//! Where a source is limited to linked properties, an update that names none,
//! of a record that nothing is known of, is ignored (`no_property`). When the
//! record turns out to be of a linked property, what was ignored of it is read
//! again by a replay of its own, so that it isn't older than the provider's. So
//! is what a replay has left out under a filter that is new.

use crate::dialect::event::RecordKey;
use crate::ledger::log::Log;
use crate::ledger::replay::Request;
use crate::ledger::{Ledger, first};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// Events that were ignored because their record's property isn't known.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::ledger) struct Unplaced {
    has_any: bool,
}

impl Unplaced {
    /// As the tables have it.
    pub fn load(has_any: bool) -> Self {
        Self { has_any }
    }

    /// Notes that there are some, if `any`.
    pub fn add(&mut self, any: bool) {
        self.has_any |= any;
    }
}

impl<S: Sql> Ledger<S> {
    /// Asks for a replay of what was ignored of `record`, of which an event was
    /// accepted `now`. If it fails, the record's next event brings it about.
    pub(in crate::ledger) fn place(
        &mut self,
        record: RecordKey,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        if !self.unplaced.has_any {
            return Ok(());
        }
        let names = [Param::Text(record.model), Param::Text(record.id)];
        let ignored = "SELECT first_seq, last_seq, count FROM unplaced
                       WHERE model = ?1 AND record_id = ?2";
        let rows = self.log.sql.query(ignored, &names)?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        let request = Request {
            from: row.number(0)?,
            to: row.number(1)?,
            models: Some(vec![record.model.to_owned()]),
            events: None,
        };
        self.ask_for_replay_of(&request, record.id, row.number(2)?, now)?;
        let placed = "DELETE FROM unplaced WHERE model = ?1 AND record_id = ?2";
        self.log.sql.execute(placed, &names)?;
        self.unplaced.has_any = self.log.has_unplaced()?;
        Ok(())
    }
}

impl<S: Sql> Log<S> {
    /// Notes that a replay has left out the event `seq` about `record`. One that
    /// was left out before, and lies within what is noted, is counted already.
    /// To be called in a transaction, before the event is written anew.
    pub(in crate::ledger) fn store_unplaced(
        &self,
        seq: u64,
        record: RecordKey,
    ) -> Result<(), SqlError> {
        let row = self.one("coalesce(ignored, '') = 'no_property'", seq)?;
        let was_ignored = row.map(|row| row.flag(0)).transpose()? == Some(true);
        self.sql.execute(
            "INSERT INTO unplaced (model, record_id, first_seq, last_seq, count)
             VALUES (?1, ?2, ?3, ?3, 1)
             ON CONFLICT (model, record_id) DO UPDATE SET
               count = count + (NOT (?4 AND ?3 BETWEEN first_seq AND last_seq)),
               first_seq = min(first_seq, ?3), last_seq = max(last_seq, ?3)",
            &[
                Param::Text(record.model),
                Param::Text(record.id),
                seq.into(),
                was_ignored.into(),
            ],
        )
    }

    fn has_unplaced(&self) -> Result<bool, SqlError> {
        let any = "SELECT EXISTS (SELECT 1 FROM unplaced)";
        first(self.sql.query(any, &[])?)?.flag(0)
    }

    /// Forgets what has gone with old history: all before `kept_from`.
    pub(in crate::ledger) fn forget_unplaced(&self, kept_from: u64) -> Result<(), SqlError> {
        let gone = "DELETE FROM unplaced WHERE last_seq < ?1";
        self.sql.execute(gone, &[kept_from.into()])
    }
}
