//! Redrive: what died, or could not be applied, goes out again as it is.
//!
//! A dead pack only has to be noted. The quarantine of an event is lifted in
//! its row, and that takes a step of the replays' queue, under a number of its
//! own: a pack that was sent while the event was in quarantine may span it
//! without having it, and must not confirm it. So what such a pack says is of
//! an older number. Nothing is read or folded again: the record has had the
//! event folded in all the time.

use super::replay::Step;
use super::stretches::Stretch;
use super::{Ledger, Ranges};
use crate::json::Writer;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// What stands in place of a replay's filter. It is none that code of another
/// version could take for a replay.
pub(super) const REDRIVE: &str = r#""redrive""#;

/// Condition of the events that are to be brought back.
const HELD: &str = "AND quarantine IS NOT NULL AND quarantine = 'not_applied'";

/// What goes out again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Dead packs.
    pub packs: u64,
    /// The events in them.
    pub events: u64,
    /// Events whose quarantine is lifted: it was [`super::NOT_APPLIED`].
    pub not_applied: u64,
}

impl Redriven {
    /// As the API has it.
    pub fn to_json(self) -> String {
        Writer::default()
            .number("packs", self.packs)
            .number("events", self.events)
            .number("not_applied", self.not_applied)
            .end()
    }
}

impl<S: Sql> Ledger<S> {
    /// Sends dead packs again, those with events of `from..=to`, and the events
    /// of that range that are in quarantine as [`super::NOT_APPLIED`]. These take
    /// steps of [`Ledger::replay`]. Gives how many they are.
    pub fn redrive(&mut self, from: u64, to: u64, now: Timestamp) -> Result<Redriven, SqlError> {
        if self.name.is_none() {
            return Ok(Redriven::default());
        }
        let mut wanted = Ranges::default();
        wanted.insert(from, to.min(self.mark.last_seq));
        let (packs, events) = self.redrive_dead(&wanted, now)?;
        Ok(Redriven {
            packs,
            events,
            not_applied: self.ask_to_lift(from, to.min(self.mark.last_seq), now)?,
        })
    }

    /// Sends those dead packs again that have any of `wanted`. Gives how many
    /// packs and events they are.
    pub(super) fn redrive_dead(
        &mut self,
        wanted: &Ranges,
        now: Timestamp,
    ) -> Result<(u64, u64), SqlError> {
        let mut packs = Vec::new();
        for (from, to) in wanted.iter() {
            let rows = self.sql.query(
                "SELECT first_seq, last_seq FROM dead WHERE first_seq <= ?2 AND last_seq >= ?1
                 ORDER BY first_seq",
                &[from.into(), to.into()],
            )?;
            for row in &rows {
                let pack = Stretch {
                    first: row.number(0)?,
                    last: row.number(1)?,
                    replay: 0,
                    since: now,
                };
                // One may have events of two ranges.
                if packs.last() != Some(&pack) {
                    packs.push(pack);
                }
            }
        }
        if packs.is_empty() {
            return Ok((0, 0));
        }
        let counts = self.count_each(&packs)?;
        self.sql.transaction(|| {
            self.keep_again(&packs)?;
            wanted.iter().try_for_each(|(from, to)| {
                self.sql.execute(
                    "DELETE FROM dead WHERE first_seq <= ?2 AND last_seq >= ?1",
                    &[from.into(), to.into()],
                )
            })
        })?;
        // Nothing can fail from here on: the tables have it already.
        for pack in &packs {
            self.mark.dead.remove(pack.first, pack.last);
            self.again.add(*pack);
        }
        self.mark.reported.is_outdated = true;
        let events = counts.into_iter().fold(0, u64::saturating_add);
        Ok((packs.len() as u64, events))
    }

    /// Takes in that quarantines are to be lifted. Gives how many. Who asks
    /// again while it goes on asks for nothing new.
    fn ask_to_lift(&mut self, from: u64, to: u64, now: Timestamp) -> Result<u64, SqlError> {
        let count = self.count(HELD, (from, to))?;
        let going_on = "SELECT number FROM replays
             WHERE ended_at IS NULL AND filter = ?3 AND next_seq <= ?1 AND to_seq >= ?2";
        let params = [from.into(), to.into(), REDRIVE.into()];
        if count > 0 && self.sql.query(going_on, &params)?.is_empty() {
            self.begin_job((from, to), REDRIVE, None, count, now)?;
            self.mark.has_replay = true;
        }
        Ok(count)
    }

    /// Lifts quarantines, as many as a step may. Gives the stretches that wait
    /// then.
    pub(super) fn lift(&self, step: &Step) -> Result<Vec<Stretch>, SqlError> {
        let job = step.job;
        let (events_max, bytes_max) = (self.pace.events_max, self.pace.bytes_max);
        let size = "seq, octet_length(body) + coalesce(octet_length(data), 0)";
        let rows = self.scan(size, HELD, (job.next, job.to), events_max)?;
        let (mut lifted, mut bytes, mut count) = (Ranges::default(), 0_u64, 0_u64);
        let mut through = job.to;
        for row in &rows {
            let seq = row.number(0)?;
            bytes = bytes.saturating_add(row.number(1)?);
            if count > 0 && bytes > bytes_max {
                through = seq.saturating_sub(1);
                break;
            }
            lifted.insert(seq, seq);
            count = count.saturating_add(1);
            if count >= events_max {
                through = seq;
            }
        }
        let mut stretches = Vec::new();
        for (first, last) in lifted.iter() {
            self.lift_all((first, last), job.written_as)?;
            stretches.push(Stretch {
                first,
                last,
                replay: job.written_as,
                since: step.now,
            });
        }
        self.keep_again(&stretches)?;
        self.keep_progress(step, through, count, through >= job.to)?;
        Ok(stretches)
    }

    /// Lifts the quarantines of all of `first..=last`.
    fn lift_all(&self, (first, last): (u64, u64), number: u64) -> Result<(), SqlError> {
        for (segment, from, to) in self.segments.within(first, last) {
            let statement = format!(
                "UPDATE {} SET quarantine = NULL, replay = ?3 WHERE seq BETWEEN ?1 AND ?2",
                segment.table()
            );
            let params = [from.into(), to.into(), number.into()];
            self.sql.execute(&statement, &params)?;
        }
        Ok(())
    }
}
