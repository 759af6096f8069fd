//! The log as the outbox: packs and confirmations.
//!
//! Events go out in order, in packs. A confirmation moves the watermark; what
//! stays beyond it is sent again, with growing pauses, until it is confirmed
//! or reported dead. The watermark lives in memory and is written along with
//! the next event, or by the alarm: losing it only makes events go out again.

use super::packs::{EVENT_BYTES_MAX, Pack, Packs, Sendable};
use crate::dialect::event::Kind;
use crate::ledger::log::Log;
use crate::ledger::log::segments::FORWARDED;
use crate::ledger::{Ledger, PackRef, Ranges, Rewrite, SeqRange, maybe_time};
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
    /// Of the events that go out again, those `events`.
    Resend {
        /// Those that were sent.
        events: SeqRange,
        /// As what they were written; none if they were in dead packs.
        rewrite: Rewrite,
    },
    /// The newest event alone, to see whether anybody answers.
    Probe,
}

impl Reach {
    /// Makes it end at `seq`.
    pub(in crate::ledger) fn end_at(&mut self, seq: u64) {
        match self {
            Self::Log(last) => *last = seq,
            Self::Resend { events, .. } => events.last = seq,
            Self::Probe => {}
        }
    }
}

/// What was handed to the queue.
#[derive(Debug, Clone, Default)]
pub struct Sent<'a> {
    pub(super) packs: &'a [Pack],
    pub(super) through: Reach,
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
        if self.outbox.flight().is_probing() {
            return self.next_probe();
        }
        match self.next_resend()? {
            Some(batch) => Ok(batch),
            None => self.next_of_log(self.outbox.sent_seq().saturating_add(1)),
        }
    }

    /// The next batch of the log's events from the number `from` on.
    fn next_of_log(&self, from: u64) -> Result<Batch, SqlError> {
        let Some(name) = &self.name else {
            return Ok(Batch::default());
        };
        let unsent = self
            .log
            .unsent(FORWARDED, SeqRange::new(from, self.sequence.last()))?;
        let path = name.path();
        let events = unsent.events(&path, self.epoch)?;
        let Some(end) = events.last() else {
            // What is left is quarantined.
            return Ok(Batch {
                packs: Vec::new(),
                through: Reach::Log(self.sequence.last()),
            });
        };
        // A confirmed or dead event within reach ends a pack, so that a
        // pack's range holds its own events only.
        let mut through = end.seq;
        let mut packs = Packs::default();
        for event in &events {
            let seq = event.seq;
            if self.outbox.settled_through(seq).is_some() {
                packs.close();
                continue;
            }
            let event = self.sendable(event)?;
            if !packs.push(seq, &event) {
                through = seq.saturating_sub(1);
                break;
            }
            if self.outbox.goes_alone(seq) {
                packs.close();
            }
        }
        Ok(Batch {
            packs: packs.finish(),
            through: Reach::Log(through),
        })
    }

    /// The probe: one pack.
    fn next_probe(&self) -> Result<Batch, SqlError> {
        let beyond = self.outbox.beyond(self.sequence.last());
        if !self.outbox.probes_oldest()
            && let Some(SeqRange { last, .. }) = beyond
        {
            let mut batch = self.next_of_log(last)?;
            if !batch.packs.is_empty() {
                // What lies before it isn't sent.
                batch.through = Reach::Probe;
                return Ok(batch);
            }
        }
        let mut batch = match self.next_resend()? {
            Some(batch) => batch,
            None => self.next_of_log(self.outbox.confirmed_seq().saturating_add(1))?,
        };
        batch.packs.truncate(1);
        if let Some(pack) = batch.packs.first() {
            batch.through.end_at(pack.last);
        }
        Ok(batch)
    }

    /// True if an event was not handed to the queue yet.
    pub fn has_unsent(&self) -> bool {
        self.outbox.has_unsent(self.sequence.last())
    }

    /// True if something waits for its confirmation.
    pub fn has_unsettled(&self) -> bool {
        self.outbox.has_unsettled(self.sequence.last())
    }

    /// True if something is to be handed to the queue now: it wasn't yet, and
    /// not too much is on its way.
    pub fn may_send(&self) -> bool {
        self.outbox.may_send(self.sequence.last())
    }

    /// Notes that a batch was handed to the queue.
    pub fn sent<'a>(&mut self, sent: impl Into<Sent<'a>>, now: Timestamp) {
        self.outbox.sent(sent.into(), self.sequence.last(), now);
    }

    /// Notes that the queue has not taken a batch, as far as it says. While
    /// nobody answers, the next try is the alarm's.
    pub fn not_sent(&mut self) {
        self.outbox.not_sent();
    }

    /// Notes that a consumer has applied `pack`. Returns when the oldest of its
    /// events was received that nobody had settled before. None for a replay:
    /// how long ago its events came in says nothing of how long this took.
    pub fn confirm(
        &mut self,
        pack: PackRef,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        let PackRef { events, rewrite } = pack;
        if !self.sequence.has(events) {
            return Err(SqlError("no such pack".to_owned()));
        }
        let settled_now = self.outbox.never_settled(events);
        if self.outbox.dead().touches(events) {
            self.restore_written(events, rewrite)?;
        }
        self.confirm_resent(events, rewrite)?;
        self.outbox.confirm(events);
        self.settle(now)?;
        if rewrite > Rewrite::NONE {
            return Ok(None);
        }
        // It stands, even if this can't be told.
        Ok(self.log.first_received_at(&settled_now).unwrap_or(None))
    }

    /// Moves the watermark, and notes what was answered by that.
    pub(in crate::ledger) fn settle(&mut self, now: Timestamp) -> Result<(), SqlError> {
        let before = self.outbox.confirmed_seq();
        self.advance()?;
        let settled = self.outbox.settle(before, self.sequence.last(), now);
        if settled.is_to_be_stored {
            self.write_mark()?;
            // The alarm may be far away.
            if settled.goes_on || self.health.says_waiting() {
                self.wake_sooner();
            }
        }
        Ok(())
    }

    /// Writes the watermark, unless the tables have it.
    pub(in crate::ledger) fn store_mark(&mut self) -> Result<(), SqlError> {
        match self.outbox.is_stored() && self.told.unstored().is_none() {
            true => Ok(()),
            false => self.write_mark(),
        }
    }

    fn write_mark(&mut self) -> Result<(), SqlError> {
        self.log.sql.execute(
            "UPDATE ledger SET confirmed_seq = ?1, attempts = ?2, owed_seq = coalesce(?3, owed_seq)",
            &[
                self.outbox.confirmed_seq().into(),
                u64::from(self.outbox.attempts()).into(),
                self.told.unstored().into(),
            ],
        )?;
        self.outbox.stored();
        self.told.stored();
        Ok(())
    }

    /// Moves the watermark over everything that is settled.
    pub(in crate::ledger) fn advance(&mut self) -> Result<(), SqlError> {
        let last_seq = self.sequence.last();
        while let Some(beyond) = self.outbox.beyond(last_seq) {
            let rows = self.log.scan("seq", FORWARDED, beyond, 1)?;
            let next = rows.first().map(|row| row.number(0)).transpose()?;
            if !self.outbox.pass(next, last_seq) {
                break;
            }
        }
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
        match self.log.one("data", seq)? {
            None => Ok(None),
            Some(row) => match row.maybe_text(0)? {
                Some(data) => Ok(Some(data.to_owned())),
                None => self.large_data(seq),
            },
        }
    }

    fn large_data(&self, seq: u64) -> Result<Option<String>, SqlError> {
        let statement = "SELECT data FROM large WHERE seq = ?1";
        match self.log.sql.query(statement, &[seq.into()])?.first() {
            Some(row) => Ok(Some(row.text(0)?.to_owned())),
            None => Ok(None),
        }
    }
}

impl<S: Sql> Log<S> {
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
