//! Redrive: what died, or could not be applied, goes out again as it is.
//!
//! A dead pack only has to be noted. What could not be applied is lifted out of
//! quarantine in steps: see `replay/lift.rs`.

use super::resends::Resend;
use crate::json::Writer;
use crate::ledger::{Ledger, Ranges, Rewrite, SeqRange};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// What goes out again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Dead packs.
    pub packs: u64,
    /// The events in them.
    pub events: u64,
    /// Events whose quarantine is lifted: it was [`crate::ledger::NOT_APPLIED`].
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
    /// Sends dead packs again, those with events of `range`, and the events
    /// of that range that are in quarantine as [`crate::ledger::NOT_APPLIED`]. These take
    /// steps of [`Ledger::replay`]. Returns how many they are.
    pub fn redrive(&mut self, range: SeqRange, now: Timestamp) -> Result<Redriven, SqlError> {
        if self.name.is_none() {
            return Ok(Redriven::default());
        }
        let range = range.within(self.sequence.all());
        let (packs, events) = self.redrive_dead(&Ranges::of(range), now)?;
        Ok(Redriven {
            packs,
            events,
            not_applied: self.ask_to_lift(range, now)?,
        })
    }

    /// Sends those dead packs again that have any of `wanted`. Returns how many
    /// packs and events they are.
    pub(in crate::ledger) fn redrive_dead(
        &mut self,
        wanted: &Ranges,
        now: Timestamp,
    ) -> Result<(u64, u64), SqlError> {
        let mut packs = Vec::new();
        for range in wanted.iter() {
            let rows = self.log.sql.query(
                "SELECT first_seq, last_seq FROM dead WHERE first_seq <= ?2 AND last_seq >= ?1
                 ORDER BY first_seq",
                &[range.first.into(), range.last.into()],
            )?;
            for row in &rows {
                let pack = Resend {
                    events: SeqRange::new(row.number(0)?, row.number(1)?),
                    rewrite: Rewrite::NONE,
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
        let counts = self.log.count_each(&packs)?;
        self.log.sql.transaction(|| {
            self.store_resends(&packs)?;
            wanted.iter().try_for_each(|range| {
                self.log.sql.execute(
                    "DELETE FROM dead WHERE first_seq <= ?2 AND last_seq >= ?1",
                    &[range.first.into(), range.last.into()],
                )
            })
        })?;
        // Nothing can fail from here on: the tables have it already.
        for pack in &packs {
            self.outbox.restore(pack.events);
            self.outbox.resend(*pack);
        }
        self.health.outdate();
        let events = counts.into_iter().fold(0, u64::saturating_add);
        Ok((packs.len() as u64, events))
    }
}
