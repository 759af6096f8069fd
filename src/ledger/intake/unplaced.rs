//! Updates that came before it was known to which property their record
//! belongs.
//!
//! Where a source is limited to linked properties, an update that names none,
//! of a record that nothing is known of, is ignored (`no_property`). When the
//! record turns out to be of a linked property, what was ignored of it is read
//! again by a replay of its own, so that it isn't older than the provider's.

use crate::dialect::event::Subject;
use crate::ledger::replay::Request;
use crate::ledger::{Ledger, first};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

impl<S: Sql> Ledger<S> {
    /// Asks for a replay of what was ignored of `subject`, of which an event was
    /// accepted `now`. If it fails, the record's next event brings it about.
    pub(in crate::ledger) fn place(
        &mut self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        if !self.mark.has_unplaced {
            return Ok(());
        }
        let (model, record_id) = subject.names();
        let names = [Param::Text(model), Param::Text(record_id)];
        let ignored = "SELECT first_seq, last_seq, count FROM unplaced
                       WHERE model = ?1 AND record_id = ?2";
        let rows = self.sql.query(ignored, &names)?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        let request = Request {
            from: row.number(0)?,
            to: row.number(1)?,
            models: Some(vec![model.to_owned()]),
            events: None,
        };
        self.ask_for_replay_of(&request, record_id, row.number(2)?, now)?;
        let placed = "DELETE FROM unplaced WHERE model = ?1 AND record_id = ?2";
        self.sql.execute(placed, &names)?;
        self.mark.has_unplaced = self.has_unplaced()?;
        Ok(())
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
