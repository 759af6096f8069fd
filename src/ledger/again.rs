//! Events that go out again: redriven dead packs, and replayed events.
//!
//! They lie below the watermark, which stays where it is. Each stretch of them
//! has a row until it is confirmed, so that it goes out however often the
//! ledger is opened anew.

use super::forward::{Batch, Reach};
use super::packs::Packs;
use super::segments::FORWARDED;
use super::{Ledger, Ranges};
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// A stretch of the log with events to send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub first: u64,
    pub last: u64,
    /// The replay that wrote its events; 0 if all of them were redriven.
    pub replay: u64,
    /// When they began to wait.
    pub since: Timestamp,
}

/// All stretches that aren't confirmed.
#[derive(Debug, Clone, Default)]
pub(super) struct Again {
    waiting: Vec<Stretch>,
    unsent: Vec<Stretch>,
}

impl Stretch {
    fn touches(&self, first: u64, last: u64) -> bool {
        self.first <= last && first <= self.last
    }

    fn holds(&self, seq: u64, replay: u64) -> bool {
        self.touches(seq, seq) && (self.replay == 0 || self.replay == replay)
    }

    /// Which of its events are sent.
    fn condition(&self) -> String {
        match self.replay {
            0 => FORWARDED.to_owned(),
            replay => format!("{FORWARDED} AND replay = {replay}"),
        }
    }
}

impl Again {
    /// Those of the table `again`; none of them is known to be sent.
    pub fn load(rows: &[Row]) -> Result<Self, SqlError> {
        let mut again = Self::default();
        for row in rows {
            again.add(Stretch {
                first: row.number(0)?,
                last: row.number(1)?,
                replay: row.number(2)?,
                since: Timestamp::from_us(row.integer(3)?),
            });
        }
        Ok(again)
    }

    /// Adds a stretch. One of the same replay with the same first event is
    /// part of it, or it of that one.
    pub fn add(&mut self, mut stretch: Stretch) {
        let same = |one: &Stretch| (one.first, one.replay) == (stretch.first, stretch.replay);
        if let Some(known) = self.waiting.iter().find(|one| same(one)) {
            stretch.last = stretch.last.max(known.last);
            stretch.since = stretch.since.min(known.since);
        }
        self.waiting.retain(|one| !same(one));
        self.waiting.push(stretch);
        self.unsent.push(stretch);
    }

    /// Nobody waits for it any more.
    fn forget(&mut self, stretch: &Stretch) {
        let is_other = |one: &Stretch| (one.first, one.replay) != (stretch.first, stretch.replay);
        self.waiting.retain(is_other);
        self.unsent.retain(|one| {
            one.replay != stretch.replay || !one.touches(stretch.first, stretch.last)
        });
    }

    /// All that wait.
    pub fn waiting(&self) -> &[Stretch] {
        &self.waiting
    }

    /// Since when the oldest of them has been waiting.
    pub fn since(&self) -> Option<Timestamp> {
        self.waiting.iter().map(|one| one.since).min()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Takes everything for lost on its way.
    pub fn send_all(&mut self) {
        self.unsent.clone_from(&self.waiting);
    }

    /// Notes that the stretch of `replay` which begins at `first` was sent
    /// through `last`.
    pub fn sent(&mut self, first: u64, last: u64, replay: u64) {
        let is_it = |one: &&mut Stretch| (one.first, one.replay) == (first, replay);
        if let Some(stretch) = self.unsent.iter_mut().find(is_it) {
            stretch.first = last.saturating_add(1);
        }
        self.unsent.retain(|one| one.first <= one.last);
    }

    /// True if an event up to `seq` waits.
    pub fn reaches_below(&self, seq: u64) -> bool {
        self.waiting.iter().any(|one| one.first <= seq)
    }

    /// True if a pack `first..=last` of events written by `replay` may be one
    /// that is waited for.
    pub fn waits(&self, first: u64, last: u64, replay: u64) -> bool {
        let waits = |one: &Stretch| one.touches(first, last) && one.replay <= replay;
        self.waiting.iter().any(waits)
    }

    /// What of such a pack is waited for.
    pub fn waiting_within(
        &self,
        first: u64,
        last: u64,
        replay: u64,
    ) -> impl Iterator<Item = (u64, u64)> {
        self.waiting
            .iter()
            .filter(move |one| one.touches(first, last) && one.replay <= replay)
            .map(move |one| (one.first.max(first), one.last.min(last)))
    }

    /// Whether the event `seq`, last written by `replay`, was sent; `None` if
    /// it isn't to be sent again.
    pub fn was_sent(&self, seq: u64, replay: u64) -> Option<bool> {
        let any = |all: &[Stretch]| all.iter().any(|one| one.holds(seq, replay));
        any(&self.waiting).then(|| !any(&self.unsent))
    }
}

impl<S: Sql> Ledger<S> {
    /// The next batch of events that go out again, if there are any.
    pub(super) fn next_again(&self) -> Result<Option<Batch>, SqlError> {
        let (Some(name), Some(stretch)) = (&self.name, self.again.unsent.first()) else {
            return Ok(None);
        };
        let unsent = self.unsent(&stretch.condition(), (stretch.first, stretch.last))?;
        let origin = name.origin();
        let events = unsent.events(&origin, self.epoch)?;
        let mut packs = Packs::default();
        let mut through = events.last().map_or(stretch.last, |end| end.seq);
        let mut before = None;
        for event in &events {
            let seq = event.seq;
            // All that a pack spans is confirmed with it, so it may span
            // nothing that still waits.
            if before.is_some_and(|before| !self.is_settled_between(before, seq)) {
                packs.close();
            }
            before = Some(seq);
            let event = self.sendable(event)?;
            if !packs.push(seq, &event) {
                through = seq.saturating_sub(1);
                break;
            }
        }
        Ok(Some(Batch {
            packs: packs.finish(),
            through: Reach::Again {
                first: stretch.first,
                last: through,
                replay: stretch.replay,
            },
        }))
    }

    fn is_settled_between(&self, before: u64, seq: u64) -> bool {
        let next = before.saturating_add(1);
        let is_dead = |(first, last): (u64, u64)| first < seq && last >= next;
        next == seq || seq <= self.mark.confirmed_seq && !self.mark.dead.iter().any(is_dead)
    }

    /// Notes that nobody waits any more for `first..=last`, as far as they
    /// were written by `replay` or before.
    pub(super) fn confirm_again(
        &mut self,
        first: u64,
        last: u64,
        replay: u64,
    ) -> Result<(), SqlError> {
        if !self.again.waits(first, last, replay) {
            return Ok(());
        }
        let is_done = |one: &Stretch| one.touches(first, last) && one.replay <= replay;
        let (done, mut waiting): (Vec<_>, Vec<_>) =
            self.again.waiting.iter().copied().partition(is_done);
        let mut left = Vec::new();
        for one in &done {
            let mut ranges = Ranges::default();
            ranges.insert(one.first, one.last);
            ranges.remove(first, last);
            for (first, last) in ranges.iter() {
                let part = Stretch {
                    first,
                    last,
                    ..*one
                };
                if self.count_again(&part)? > 0 {
                    left.push(part);
                }
            }
        }
        self.sql.transaction(|| {
            done.iter().try_for_each(|one| self.drop_again(one))?;
            left.iter().try_for_each(|part| self.keep_again(part))?;
            waiting.extend(left);
            self.forget_kept((first, last), &waiting, &self.mark.dead)
        })?;
        self.again.waiting = waiting;
        let waiting = &self.again.waiting;
        self.again.unsent.retain(|unsent| {
            let same = |one: &Stretch| {
                one.replay == unsent.replay && one.touches(unsent.first, unsent.last)
            };
            waiting.iter().any(same)
        });
        Ok(())
    }

    /// Forgets stretches of which nothing is left to be sent: their events were
    /// quarantined or written by a later replay, and whoever was to note that
    /// here has failed.
    pub(super) fn forget_empty(&mut self) -> Result<(), SqlError> {
        for one in self.again.waiting.clone() {
            if self.count_again(&one)? > 0 {
                continue;
            }
            self.drop_again(&one)?;
            self.again.forget(&one);
        }
        Ok(())
    }

    fn drop_again(&self, stretch: &Stretch) -> Result<(), SqlError> {
        self.sql.execute(
            "DELETE FROM again WHERE first_seq = ?1 AND replay = ?2",
            &[stretch.first.into(), stretch.replay.into()],
        )
    }

    /// Keeps a stretch until it is confirmed.
    pub(super) fn keep_again(&self, stretch: &Stretch) -> Result<(), SqlError> {
        self.sql.execute(
            "INSERT INTO again (first_seq, last_seq, replay, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (first_seq, replay) DO UPDATE SET
               last_seq = max(last_seq, excluded.last_seq), since = min(since, excluded.since)",
            &[
                stretch.first.into(),
                stretch.last.into(),
                stretch.replay.into(),
                stretch.since.us().into(),
            ],
        )
    }

    /// How many events are to be sent again: of those unsent, and sent.
    pub(super) fn counted_again(&self) -> Result<(u64, u64), SqlError> {
        let count = |stretches: &[Stretch]| {
            stretches.iter().try_fold(0_u64, |sum, one| {
                Ok::<_, SqlError>(sum.saturating_add(self.count_again(one)?))
            })
        };
        let (all, unsent) = (count(&self.again.waiting)?, count(&self.again.unsent)?);
        Ok((unsent, all.saturating_sub(unsent)))
    }

    pub(super) fn count_again(&self, stretch: &Stretch) -> Result<u64, SqlError> {
        self.count(&stretch.condition(), (stretch.first, stretch.last))
    }
}
