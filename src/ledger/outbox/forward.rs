//! The log as the outbox: packs and confirmations.
//!
//! Events go out in order, in packs. A confirmation moves the watermark; what
//! stays beyond it is sent again, with growing pauses, until it is confirmed
//! or reported dead. The watermark lives in memory and is written along with
//! the next event, or by the alarm: losing it only makes events go out again.

use super::packs::{EVENT_BYTES_MAX, Pack, Packs, Sendable};
use crate::dialect::event::Kind;
use crate::ledger::log::segments::FORWARDED;
use crate::ledger::{Ledger, Ranges, maybe_time};
use crate::record::cloudevent::{CloudEvent, slim_data};
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// Packs to hand to the queue together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The messages, in order.
    pub packs: Vec<Pack>,
    /// What is done once they are sent.
    pub through: Reach,
}

/// How far sending has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything in the log up to this number.
    Log(u64),
    /// Of the events that go out again, those from `first` to `last`.
    Again {
        /// The first one sent.
        first: u64,
        /// The last one sent.
        last: u64,
        /// The replay that wrote them; 0 if they were in dead packs.
        replay: u64,
    },
    /// The newest event alone, to see whether anybody answers.
    Probe,
}

impl Reach {
    /// Makes it end at `seq`.
    pub(in crate::ledger) fn end_at(&mut self, seq: u64) {
        match self {
            Self::Log(last) | Self::Again { last, .. } => *last = seq,
            Self::Probe => {}
        }
    }
}

/// What was handed to the queue.
#[derive(Debug, Clone, Default)]
pub struct Sent<'a> {
    packs: &'a [Pack],
    through: Reach,
}

impl<'a> From<&'a Batch> for Sent<'a> {
    fn from(batch: &'a Batch) -> Self {
        Self {
            packs: &batch.packs,
            through: batch.through,
        }
    }
}

impl From<Reach> for Sent<'_> {
    fn from(through: Reach) -> Self {
        Self {
            packs: &[],
            through,
        }
    }
}

impl From<u64> for Sent<'_> {
    fn from(seq: u64) -> Self {
        Reach::Log(seq).into()
    }
}

impl Default for Reach {
    fn default() -> Self {
        Self::Log(0)
    }
}

impl<S: Sql> Ledger<S> {
    /// The next batch to send. Where it has no packs, there is nothing to
    /// send up to its end.
    pub fn next_batch(&self) -> Result<Batch, SqlError> {
        if self.mark.flight.is_probing() {
            return self.next_probe();
        }
        match self.next_again()? {
            Some(batch) => Ok(batch),
            None => self.next_of_log(self.mark.sent_seq.saturating_add(1)),
        }
    }

    /// The next batch of the log's events from the number `from` on.
    pub(in crate::ledger) fn next_of_log(&self, from: u64) -> Result<Batch, SqlError> {
        let Some(name) = &self.name else {
            return Ok(Batch::default());
        };
        let unsent = self.unsent(FORWARDED, (from, self.mark.last_seq))?;
        let origin = name.path();
        let events = unsent.events(&origin, self.epoch)?;
        let Some(end) = events.last() else {
            // What is left is quarantined.
            return Ok(Batch {
                packs: Vec::new(),
                through: Reach::Log(self.mark.last_seq),
            });
        };
        // A confirmed or dead event within reach ends a pack, so that a
        // pack's range holds its own events only.
        let mut through = end.seq;
        let mut packs = Packs::default();
        for event in &events {
            let seq = event.seq;
            let settled = self.mark.ahead.end_of(seq).or(self.mark.dead.end_of(seq));
            if settled.is_some() {
                packs.close();
                continue;
            }
            let event = self.sendable(event)?;
            if !packs.push(seq, &event) {
                through = seq.saturating_sub(1);
                break;
            }
            if self.goes_alone(seq) {
                packs.close();
            }
        }
        Ok(Batch {
            packs: packs.finish(),
            through: Reach::Log(through),
        })
    }

    /// True if an event was not handed to the queue yet.
    pub fn has_unsent(&self) -> bool {
        self.mark.sent_seq < self.mark.last_seq || self.again.has_unsent()
    }

    /// True if something waits for its confirmation.
    pub fn has_unsettled(&self) -> bool {
        self.mark.confirmed_seq < self.mark.last_seq || !self.again.is_empty()
    }

    /// Notes that a batch was handed to the queue.
    pub fn sent<'a>(&mut self, sent: impl Into<Sent<'a>>, now: Timestamp) {
        let Sent { packs, through } = sent.into();
        self.mark.flight.add(packs, now);
        self.mark.flight.probe_sent();
        match through {
            Reach::Probe => {}
            Reach::Again {
                first,
                last,
                replay,
            } => self.again.sent(first, last, replay),
            Reach::Log(seq) => {
                let mark = &mut self.mark;
                mark.sent_seq = mark.sent_seq.max(seq.min(mark.last_seq));
            }
        }
        if self.has_unsettled() {
            self.mark.waiting_since.get_or_insert(now);
        }
    }

    /// Notes that a consumer has applied the pack `first..=last`, whose events
    /// were written by `replay` or a later one. Returns when the oldest of them
    /// was received that nobody had settled before. None for a replay: how
    /// long ago its events came in says nothing of how long this took.
    pub fn confirm(
        &mut self,
        first: u64,
        last: u64,
        replay: u64,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        if first == 0 || first > last || last > self.mark.last_seq {
            return Err(SqlError("no such pack".to_owned()));
        }
        let settled_now = self.never_settled(first, last);
        if self.mark.dead.touches(first, last) {
            self.revive_written((first, last), replay)?;
        }
        self.confirm_again(first, last, replay)?;
        self.mark.ahead.insert(first, last);
        self.mark.flight.land(first, last);
        self.mark.flight.answer();
        self.settle(now)?;
        if replay > 0 {
            return Ok(None);
        }
        // It stands, even if this can't be told.
        Ok(self.first_received_at(&settled_now).unwrap_or(None))
    }

    /// When the first forwarded event of `ranges` was received.
    pub(in crate::ledger) fn first_received_at(
        &self,
        ranges: &Ranges,
    ) -> Result<Option<Timestamp>, SqlError> {
        for range in ranges.iter() {
            if let Some(row) = self.scan("received_at", FORWARDED, range, 1)?.first() {
                return Ok(Some(Timestamp::from_us(row.integer(0)?)));
            }
        }
        Ok(None)
    }

    /// What of `first..=last` waits to be settled for the first time.
    pub(in crate::ledger) fn never_settled(&self, first: u64, last: u64) -> Ranges {
        let mut unsettled = Ranges::default();
        let beyond = first.max(self.mark.confirmed_seq.saturating_add(1));
        for (first, last) in self.mark.ahead.gaps(beyond, last) {
            unsettled.insert(first, last);
        }
        for (first, last) in self.mark.dead.within(beyond, last) {
            unsettled.remove(first, last);
        }
        unsettled
    }

    /// Moves the watermark, and notes that there was an answer if it moved, if
    /// nothing waits any more, or if a probe had its answer.
    pub(in crate::ledger) fn settle(&mut self, now: Timestamp) -> Result<(), SqlError> {
        let before = self.mark.confirmed_seq;
        self.advance()?;
        let still_waits = self.has_unsettled();
        let has_probed = self.mark.flight.take_end();
        if self.mark.confirmed_seq == before && still_waits && !has_probed {
            return Ok(());
        }
        self.mark.waiting_since = still_waits.then_some(now);
        // After a resend the watermark is written at once: else a ledger that
        // falls asleep between two alarms would send the same for ever.
        if self.mark.attempts > 0 {
            self.mark.attempts = 0;
            self.write_mark()?;
            // The alarm may be far away, and the rest goes out now.
            if self.mark.reported.says_waiting() || has_probed && still_waits {
                self.wake_sooner();
            }
        }
        Ok(())
    }

    pub(in crate::ledger) fn keep_mark(&mut self) -> Result<(), SqlError> {
        if self.mark.kept_seq < self.mark.confirmed_seq {
            self.write_mark()?;
        }
        Ok(())
    }

    fn write_mark(&mut self) -> Result<(), SqlError> {
        self.sql.execute(
            "UPDATE ledger SET confirmed_seq = ?1, attempts = ?2",
            &[
                self.mark.confirmed_seq.into(),
                u64::from(self.mark.attempts).into(),
            ],
        )?;
        self.mark.kept_seq = self.mark.confirmed_seq;
        Ok(())
    }

    /// Moves the watermark over everything that is settled.
    pub(in crate::ledger) fn advance(&mut self) -> Result<(), SqlError> {
        loop {
            let mark = &self.mark;
            if mark.confirmed_seq >= mark.last_seq {
                break;
            }
            let from = mark.confirmed_seq.saturating_add(1);
            let rows = self.scan("seq", FORWARDED, (from, mark.last_seq), 1)?;
            let mark = &mut self.mark;
            let Some(next) = rows.first() else {
                mark.confirmed_seq = mark.last_seq;
                break;
            };
            let next = next.number(0)?;
            let settled = mark.ahead.end_of(next).or(mark.dead.end_of(next));
            mark.confirmed_seq = settled.unwrap_or(next.saturating_sub(1));
            if settled.is_none() {
                break;
            }
        }
        let mark = &mut self.mark;
        mark.ahead.forget_through(mark.confirmed_seq);
        mark.sent_seq = mark.sent_seq.max(mark.confirmed_seq);
        Ok(())
    }

    /// An event as it is sent: where it has too much data, with less of it.
    pub(in crate::ledger) fn sendable(&self, event: &CloudEvent) -> Result<Sendable, SqlError> {
        if !event.data.is_empty() {
            let text = event.to_json();
            if text.len() <= EVENT_BYTES_MAX {
                return Ok(Sendable {
                    text,
                    referenced: 0,
                });
            }
        }
        let whole = self.data(event.seq)?.unwrap_or_default();
        let data = slim_data(&whole).unwrap_or_else(|| "{}".to_owned());
        let slim = CloudEvent {
            by_reference: true,
            data: &data,
            ..*event
        };
        Ok(Sendable {
            text: slim.to_json(),
            referenced: whole.len(),
        })
    }

    /// The whole data of the forwarded event `seq`, JSON; `None` if there is
    /// no such event or it isn't understood.
    pub fn data(&self, seq: u64) -> Result<Option<String>, SqlError> {
        match self.one("data", seq)? {
            None => Ok(None),
            Some(row) => match row.maybe_text(0)? {
                Some(data) => Ok(Some(data.to_owned())),
                None => self.large_data(seq),
            },
        }
    }

    fn large_data(&self, seq: u64) -> Result<Option<String>, SqlError> {
        let statement = "SELECT data FROM large WHERE seq = ?1";
        match self.sql.query(statement, &[seq.into()])?.first() {
            Some(row) => Ok(Some(row.text(0)?.to_owned())),
            None => Ok(None),
        }
    }
}

/// The kind in column `at`.
pub(in crate::ledger) fn kind(row: &Row, at: usize) -> Result<Kind, SqlError> {
    Kind::named(row.text(at)?).ok_or_else(|| SqlError("an unknown kind of event".to_owned()))
}

/// The event's own time in columns `own` and `own_ns`, else when it was
/// received.
pub(in crate::ledger) fn time(
    row: &Row,
    (own, own_ns): (usize, usize),
    received: usize,
) -> Result<Timestamp, SqlError> {
    match maybe_time(row, own, own_ns)? {
        Some(time) => Ok(time),
        None => Ok(Timestamp::from_us(row.integer(received)?)),
    }
}
