//! What could not be applied, out of quarantine again.
//!
//! The quarantine of an event is lifted in its row, and that takes a step of
//! the replays' queue, under a number of its own: a pack that was sent while the
//! event was in quarantine may span it without having it, and must not confirm
//! it. So what such a pack says is of an older number. Nothing is read or folded
//! again: the record has had the event folded in all the time.

use super::Step;
use crate::ledger::log::Log;
use crate::ledger::outbox::resends::Resend;
use crate::ledger::{Ledger, Ranges, Rewrite, SeqRange};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// What stands in place of a replay's filter. It is none that code of another
/// version could take for a replay.
pub(super) const REDRIVE: &str = r#""redrive""#;

/// Condition of the events that are to be brought back.
const HELD: &str = "AND quarantine IS NOT NULL AND quarantine = 'not_applied'";

impl<S: Sql> Ledger<S> {
    /// Takes in that quarantines are to be lifted. Returns how many. Who asks
    /// again while it goes on asks for nothing new.
    pub(in crate::ledger) fn ask_to_lift(
        &mut self,
        range: SeqRange,
        now: Timestamp,
    ) -> Result<u64, SqlError> {
        let count = self.log.count(HELD, range)?;
        let going_on = "SELECT number FROM replays
             WHERE ended_at IS NULL AND filter = ?3 AND next_seq <= ?1 AND to_seq >= ?2";
        let params = [range.first.into(), range.last.into(), REDRIVE.into()];
        if count > 0 && self.log.sql.query(going_on, &params)?.is_empty() {
            self.log.begin_job(range, REDRIVE, None, count, now)?;
            self.replays.is_going_on = true;
        }
        Ok(count)
    }

    /// Lifts quarantines, as many as a step may. Returns the resends that wait
    /// then.
    pub(super) fn lift(&self, step: &Step) -> Result<Vec<Resend>, SqlError> {
        let job = step.job;
        let (events_max, bytes_max) = (self.replays.pace.events_max, self.replays.pace.bytes_max);
        let size = "seq, octet_length(body) + coalesce(octet_length(data), 0)";
        let rows = self.log.scan(size, HELD, job.left(), events_max)?;
        let (mut lifted, mut bytes, mut count) = (Ranges::default(), 0_u64, 0_u64);
        let mut through = job.to;
        for row in &rows {
            let seq = row.number(0)?;
            bytes = bytes.saturating_add(row.number(1)?);
            if count > 0 && bytes > bytes_max {
                through = seq.saturating_sub(1);
                break;
            }
            lifted.insert(SeqRange::one(seq));
            count = count.saturating_add(1);
            if count >= events_max {
                through = seq;
            }
        }
        let mut resends = Vec::new();
        for events in lifted.iter() {
            self.log.lift_all(events, job.next_rewrite())?;
            resends.push(Resend {
                events,
                rewrite: job.next_rewrite(),
                since: step.now,
            });
        }
        self.store_resends(&resends)?;
        self.log
            .store_progress(step, through, count, through >= job.to, count > 0)?;
        Ok(resends)
    }
}

impl<S: Sql> Log<S> {
    /// Lifts the quarantines of all of `range`.
    fn lift_all(&self, range: SeqRange, rewrite: Rewrite) -> Result<(), SqlError> {
        for (segment, part) in self.segments.within(range) {
            let statement = format!(
                "UPDATE {} SET quarantine = NULL, replay = ?3 WHERE seq BETWEEN ?1 AND ?2",
                segment.table()
            );
            let params = [part.first.into(), part.last.into(), rewrite.into()];
            self.sql.execute(&statement, &params)?;
        }
        Ok(())
    }
}
