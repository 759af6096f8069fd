//! Events that nobody could apply.
//!
//! The consumer finds the event that makes its pack fail, and reports it. It
//! is quarantined like one that wasn't understood: listed with its reason,
//! settled, and not sent again until it is redriven or replayed. Its body and
//! data stay.
//!
//! The ledger's record has it folded in and stays as it is. So the next event
//! about the record carries its change too, under a newer version: if that
//! one can be applied, D1's record is whole again, and only the state in
//! between was never in it. If what can't be applied is in the record still,
//! the next event is found and quarantined in turn, and D1 keeps the last
//! state that it took.

use crate::ledger::log::segments::Segment;
use crate::ledger::{Ledger, Rewrite, SeqRange};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// Why: no consumer could apply it.
pub const NOT_APPLIED: &str = "not_applied";

impl<S: Sql> Ledger<S> {
    /// Notes that the event `seq`, as `rewrite` wrote it, makes every pack fail
    /// that has it. What was applied stays so, and what was replayed since is
    /// another's to judge: this may be an old message, or a repeated one.
    pub fn quarantine(
        &mut self,
        seq: u64,
        rewrite: Rewrite,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let range = SeqRange::one(seq);
        if !self.sequence.has(range) {
            return Err(SqlError("no such event".to_owned()));
        }
        let was_dead = self.outbox.dead().touches(range);
        let waits = was_dead || self.outbox.redelivery().waits(range, rewrite);
        let is_settled = self.outbox.is_confirmed(seq);
        let row = self.log.one("coalesce(replay, 0)", seq)?;
        let newest = row.and_then(|row| row.number(0).ok()).map(Rewrite);
        let is_newer = newest.is_some_and(|newest| newest > rewrite);
        if is_newer || is_settled && !waits {
            return Ok(());
        }
        self.store_quarantine(seq, reason)?;
        self.health.outdate();
        if was_dead {
            self.restore(range)?;
        }
        self.confirm_resent(range, rewrite)?;
        self.outbox.refuse(seq);
        self.settle(now)
    }

    fn store_quarantine(&self, seq: u64, reason: &str) -> Result<(), SqlError> {
        // One that was discarded since stays so. A dead one may have been copied
        // already for when its segment goes; the copy first, because it is what
        // revival lets go.
        let kept = Segment::KEPT;
        let own = self.log.segments.of(seq);
        for segment in [kept].into_iter().chain(own.filter(|own| *own != kept)) {
            let table = segment.table();
            self.log.sql.execute(
                &format!(
                    "UPDATE {table} SET quarantine = ?2
                     WHERE seq = ?1 AND quarantine IS NULL AND ignored IS NULL"
                ),
                &[seq.into(), Param::Text(reason)],
            )?;
        }
        Ok(())
    }
}
