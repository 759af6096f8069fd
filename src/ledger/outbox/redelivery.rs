//! Events that go out again: redriven ones, and replayed ones.
//!
//! They lie below the watermark, mostly, which stays where it is. Each resend
//! of them has a row until it is confirmed, so that it goes out however often
//! the ledger is opened anew.

use super::forward::{Batch, Reach};
use super::packs::Packs;
use super::resends::{Resend, Resends};
use crate::ledger::log::Log;
use crate::ledger::{Ledger, Rewrite, SeqRange};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// Resends looked at for one batch, two statements each.
const BATCH_RESENDS_MAX: usize = 100;
/// Resends whose events are counted by one statement.
const COUNTED_MAX: usize = 1_000;

/// All resends that aren't confirmed.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct Redelivery {
    waiting: Resends,
    unsent: Resends,
}

impl Redelivery {
    /// Adds a resend, which the table has already.
    pub fn add(&mut self, resend: Resend) {
        self.waiting.add(resend);
        self.unsent.add(resend);
    }

    /// Nobody waits any more for that part of a resend.
    pub fn forget(&mut self, part: &Resend) {
        self.waiting.remove(part.rewrite, part.events);
        self.unsent.remove(part.rewrite, part.events);
    }

    /// Those that wait and have any of `range`.
    pub fn waiting(&self, range: SeqRange) -> Vec<Resend> {
        self.waiting.touching(range, Rewrite(u64::MAX))
    }

    /// Since when the oldest of them has been waiting.
    pub fn since(&self) -> Option<Timestamp> {
        self.waiting.all().iter().map(|one| one.since).min()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.all().is_empty()
    }

    pub fn has_unsent(&self) -> bool {
        !self.unsent.all().is_empty()
    }

    /// Takes everything for lost on its way.
    pub fn send_all(&mut self) {
        self.unsent.clone_from(&self.waiting);
    }

    /// Notes that those of `rewrite` in `range` were sent. One that was added
    /// there meanwhile the alarm finds.
    pub fn sent(&mut self, range: SeqRange, rewrite: Rewrite) {
        self.unsent.remove(rewrite, range);
    }

    /// True if an event up to `seq` waits.
    pub fn reaches_below(&self, seq: u64) -> bool {
        !self.waiting(SeqRange::through(seq)).is_empty()
    }

    /// True if a pack of `range` of events written by `rewrite` may be one
    /// that is waited for.
    pub fn waits(&self, range: SeqRange, rewrite: Rewrite) -> bool {
        !self.waiting.touching(range, rewrite).is_empty()
    }

    /// Those of which such a pack may have events.
    pub fn waiting_for(&self, range: SeqRange, rewrite: Rewrite) -> Vec<Resend> {
        self.waiting.touching(range, rewrite)
    }

    /// Whether the event `seq`, last written by `rewrite`, was sent; `None` if
    /// it isn't to be sent again.
    pub fn was_sent(&self, seq: u64, rewrite: Rewrite) -> Option<bool> {
        let any = |all: &Resends| {
            let holding = all.touching(SeqRange::one(seq), rewrite);
            holding
                .iter()
                .any(|one| one.rewrite == Rewrite::NONE || one.rewrite == rewrite)
        };
        any(&self.waiting).then(|| !any(&self.unsent))
    }
}

impl<S: Sql> Ledger<S> {
    /// The next batch of events that go out again, if there are any. They are
    /// of one replay.
    pub(in crate::ledger) fn next_resend(&self) -> Result<Option<Batch>, SqlError> {
        let unsent = self.outbox.redelivery().unsent.all();
        let (Some(name), Some(head)) = (&self.name, unsent.first()) else {
            return Ok(None);
        };
        let path = name.path();
        let mut packs = Packs::default();
        let mut through = head.events.last;
        let mut before = None;
        let resends = unsent.iter().take_while(|one| one.rewrite == head.rewrite);
        'batch: for resend in resends.take(BATCH_RESENDS_MAX) {
            let unsent = self.log.unsent(&resend.condition(), resend.events)?;
            let events = unsent.events(&path, self.epoch)?;
            for event in &events {
                let seq = event.seq;
                // All that a pack spans is confirmed with it, so it may span
                // nothing that still waits.
                if before.is_some_and(|before| !self.outbox.may_span(before, seq, head.rewrite)) {
                    packs.close();
                }
                before = Some(seq);
                let event = self.sendable(event)?;
                if !packs.push(seq, &event) {
                    through = seq.saturating_sub(1);
                    break 'batch;
                }
            }
            through = events.last().map_or(resend.events.last, |end| end.seq);
            if through < resend.events.last {
                break;
            }
        }
        Ok(Some(Batch {
            packs: packs.finish(),
            through: Reach::Resend {
                events: SeqRange::new(head.events.first, through),
                rewrite: head.rewrite,
            },
        }))
    }

    /// Notes that nobody waits any more for `range`, as far as they
    /// were written by `rewrite` or before.
    pub(in crate::ledger) fn confirm_resent(
        &mut self,
        range: SeqRange,
        rewrite: Rewrite,
    ) -> Result<(), SqlError> {
        let done = self.outbox.redelivery().waiting_for(range, rewrite);
        if done.is_empty() {
            return Ok(());
        }
        let (mut left, mut gone) = (Vec::new(), Vec::new());
        for one in &done {
            let (before, behind) = one.without(range);
            for part in before.into_iter().chain(behind) {
                let rows = self.log.scan("seq", &part.condition(), part.events, 1)?;
                if rows.is_empty() {
                    gone.push(part);
                } else {
                    left.push(part);
                }
            }
            gone.push(one.within(range));
        }
        self.log.sql.transaction(|| {
            done.iter()
                .try_for_each(|one| self.log.delete_resend(one))?;
            left.iter()
                .try_for_each(|part| self.log.insert_resend(part))?;
            self.forget_kept(range, Some(rewrite), self.outbox.dead())
        })?;
        gone.iter().for_each(|part| self.outbox.forget_resend(part));
        Ok(())
    }

    /// Forgets resends of which nothing is left to be sent: their events were
    /// quarantined or written by a later replay, and whoever was to note that
    /// here has failed.
    pub(in crate::ledger) fn forget_empty(&mut self) -> Result<(), SqlError> {
        let waiting = self.outbox.redelivery().waiting.all().to_vec();
        let counts = self.log.count_each(&waiting)?;
        for (one, _) in waiting.iter().zip(counts).filter(|(_, count)| *count == 0) {
            self.log.delete_resend(one)?;
            self.outbox.forget_resend(one);
        }
        Ok(())
    }

    /// Keeps `resends` until they are confirmed, each with what it touches as
    /// one row. To be called in a transaction.
    pub(in crate::ledger) fn store_resends(&self, resends: &[Resend]) -> Result<(), SqlError> {
        let mut waiting = self.outbox.redelivery().waiting.clone();
        resends.iter().for_each(|one| waiting.add(*one));
        let mut kept = None;
        for resend in resends {
            // The last of them is its own.
            let whole = waiting.touching(resend.events, resend.rewrite).pop();
            if let Some(whole) = whole.filter(|whole| kept != Some(*whole)) {
                self.log.delete_resend(&whole)?;
                self.log.insert_resend(&whole)?;
                kept = Some(whole);
            }
        }
        Ok(())
    }

    /// How many events are to be sent again: of those unsent, and sent.
    pub(in crate::ledger) fn count_resends(&self) -> Result<(u64, u64), SqlError> {
        let count = |resends: &Resends| {
            let counts = self.log.count_each(resends.all())?;
            Ok::<u64, SqlError>(counts.into_iter().fold(0, u64::saturating_add))
        };
        let (all, unsent) = (
            count(&self.outbox.redelivery().waiting)?,
            count(&self.outbox.redelivery().unsent)?,
        );
        Ok((unsent, all.saturating_sub(unsent)))
    }
}

impl<S: Sql> Log<S> {
    /// How many events are to be sent of each of `resends`.
    pub(in crate::ledger) fn count_each(&self, resends: &[Resend]) -> Result<Vec<u64>, SqlError> {
        let mut counts = Vec::with_capacity(resends.len());
        for some in resends.chunks(COUNTED_MAX) {
            counts.extend(self.count_some(some)?);
        }
        Ok(counts)
    }

    fn count_some(&self, resends: &[Resend]) -> Result<Vec<u64>, SqlError> {
        let mut ranges = String::new();
        let mut all = SeqRange::new(u64::MAX, 0);
        for one in resends {
            let comma = if ranges.is_empty() { '[' } else { ',' };
            ranges += &format!(
                "{comma}[{},{},{}]",
                one.events.first, one.events.last, one.rewrite.0
            );
            all.first = all.first.min(one.events.first);
            all.last = all.last.max(one.events.last);
        }
        ranges.push(']');
        let mut counts = vec![0_u64; resends.len()];
        for (segment, range) in self.segments.within(all) {
            let statement = format!(
                "SELECT given.key, count(*) FROM json_each(?1) AS given CROSS JOIN {} AS e
                 WHERE e.seq BETWEEN max(given.value ->> 0, ?2) AND min(given.value ->> 1, ?3)
                   AND quarantine IS NULL AND ignored IS NULL
                   AND (given.value ->> 2 = 0 OR replay = given.value ->> 2)
                 GROUP BY given.key",
                segment.table()
            );
            let params = [
                ranges.as_str().into(),
                range.first.into(),
                range.last.into(),
            ];
            for row in self.sql.query(&statement, &params)? {
                let at = usize::try_from(row.number(0)?).unwrap_or(usize::MAX);
                if let Some(count) = counts.get_mut(at) {
                    *count = count.saturating_add(row.number(1)?);
                }
            }
        }
        Ok(counts)
    }

    /// Deletes the rows of a resend that waits: one, or some if it was put
    /// together at the opening.
    fn delete_resend(&self, resend: &Resend) -> Result<(), SqlError> {
        self.sql.execute(
            "DELETE FROM again WHERE first_seq BETWEEN ?1 AND ?2 AND replay = ?3",
            &[
                resend.events.first.into(),
                resend.events.last.into(),
                resend.rewrite.into(),
            ],
        )
    }

    fn insert_resend(&self, resend: &Resend) -> Result<(), SqlError> {
        self.sql.execute(
            "INSERT INTO again (first_seq, last_seq, replay, since) VALUES (?1, ?2, ?3, ?4)",
            &[
                resend.events.first.into(),
                resend.events.last.into(),
                resend.rewrite.into(),
                resend.since.us().into(),
            ],
        )
    }

    /// What the table `again` has; none of it is known to be sent.
    pub(in crate::ledger) fn load_redelivery(&self) -> Result<Redelivery, SqlError> {
        let rows = self.sql.query(
            "SELECT first_seq, last_seq, replay, since FROM again ORDER BY first_seq",
            &[],
        )?;
        let mut redelivery = Redelivery::default();
        for row in &rows {
            redelivery.add(Resend {
                events: SeqRange::new(row.number(0)?, row.number(1)?),
                rewrite: Rewrite(row.number(2)?),
                since: Timestamp::from_us(row.integer(3)?),
            });
        }
        Ok(redelivery)
    }
}
