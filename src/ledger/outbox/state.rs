//! What was sent of the log, and what became of it, as far as memory has it.
//!
//! Everything up to the watermark is settled: confirmed, dead or not to be
//! forwarded. Beyond it, some may be confirmed already, or dead. What goes out
//! again lies anywhere, and has its own list. All of it can be read back from
//! the tables; what is lost with the memory only makes events go out again.
//!
//! Nothing here reads or writes a table: each change is made here once its
//! write has been committed.

use super::flight::Flight;
use super::forward::{Reach, Sent};
use super::ranges::Ranges;
use super::redelivery::Redelivery;
use super::resends::Resend;
use crate::ledger::{Rewrite, SeqRange};
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// After so many attempts what others have overtaken goes one by one: if one
/// event holds up its pack, the rest of the pack arrives.
const ALONE_ATTEMPTS: u32 = 3;

/// How long an event may wait for its confirmation before it is sent again, in
/// seconds.
pub(in crate::ledger) const PATIENCE_S: u64 = 45;

/// The outbox of one ledger.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct Outbox {
    /// Everything up to here was handed to the queue since the ledger opened.
    sent_seq: u64,
    /// The watermark: everything up to here is settled.
    confirmed_seq: u64,
    /// The watermark as the tables have it.
    stored_seq: u64,
    /// Confirmed beyond the watermark.
    ahead: Ranges,
    /// Not to be sent again.
    dead: Ranges,
    /// Sent and not answered.
    flight: Flight,
    /// What goes out again.
    redelivery: Redelivery,
    /// Since when the first unsettled event has been waiting for an answer.
    waiting_since: Option<Timestamp>,
    /// How often it was sent again without one.
    attempts: u32,
}

/// What is to be done when the watermark has moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::ledger) struct Settling {
    /// Write it at once.
    pub is_to_be_stored: bool,
    /// The rest goes out now.
    pub goes_on: bool,
}

impl Outbox {
    /// As the tables have it: the watermark, the attempts, what is dead and what
    /// goes out again.
    pub fn load(confirmed_seq: u64, attempts: u32, dead: Ranges, redelivery: Redelivery) -> Self {
        let mut flight = Flight::default();
        // What was sent again without an answer isn't all sent now either.
        if attempts > 0 {
            flight.probe();
        }
        Self {
            sent_seq: confirmed_seq,
            confirmed_seq,
            stored_seq: confirmed_seq,
            dead,
            flight,
            redelivery,
            attempts,
            ..Self::default()
        }
    }

    /// The watermark.
    pub fn confirmed_seq(&self) -> u64 {
        self.confirmed_seq
    }

    /// The last number that was handed to the queue.
    pub fn sent_seq(&self) -> u64 {
        self.sent_seq
    }

    /// How often the first unsettled event was sent again without an answer.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What is not to be sent again.
    pub fn dead(&self) -> &Ranges {
        &self.dead
    }

    /// What goes out again.
    pub fn redelivery(&self) -> &Redelivery {
        &self.redelivery
    }

    /// What is on its way.
    pub fn flight(&self) -> &Flight {
        &self.flight
    }

    /// The tables have the watermark.
    pub fn is_stored(&self) -> bool {
        self.stored_seq == self.confirmed_seq
    }

    /// The event `seq` is confirmed, or not forwarded and passed by.
    pub fn is_confirmed(&self, seq: u64) -> bool {
        seq <= self.confirmed_seq || self.ahead.end_of(seq).is_some()
    }

    /// The last event of those settled together with `seq`, beyond the
    /// watermark.
    pub fn settled_through(&self, seq: u64) -> Option<u64> {
        self.ahead.end_of(seq).or(self.dead.end_of(seq))
    }

    /// Where the event `seq` is, last written by `rewrite`, one that is forwarded:
    /// its status in the history.
    pub fn status(&self, seq: u64, rewrite: Rewrite) -> &'static str {
        if self.dead.end_of(seq).is_some() {
            return "dead";
        }
        match self.redelivery.was_sent(seq, rewrite) {
            Some(true) => "sent",
            Some(false) => "pending",
            None if self.is_confirmed(seq) => "confirmed",
            None if seq <= self.sent_seq => "sent",
            None => "pending",
        }
    }

    /// What of `range` waits to be settled for the first time.
    pub fn never_settled(&self, range: SeqRange) -> Ranges {
        let mut unsettled = Ranges::default();
        let beyond = range.behind(self.confirmed_seq);
        for gap in self.ahead.gaps(beyond) {
            unsettled.insert(gap);
        }
        for dead in self.dead.within(beyond) {
            unsettled.remove(dead);
        }
        unsettled
    }

    /// What of a pack nobody has settled: parts of it may have been applied,
    /// or all of it by a repetition, or it is dead already.
    pub fn unsettled_within(&self, range: SeqRange, rewrite: Rewrite) -> Ranges {
        let mut unsettled = self.never_settled(range);
        for one in self.redelivery.waiting_for(range, rewrite) {
            unsettled.insert(one.events.within(range));
        }
        for dead in self.dead.within(range) {
            unsettled.remove(dead);
        }
        unsettled
    }

    /// All up to `seq` is settled, and none of it goes out again.
    pub fn is_done_through(&self, seq: u64) -> bool {
        self.confirmed_seq >= seq && !self.redelivery.reaches_below(seq)
    }

    /// True if nothing between two events, the next ones of `rewrite`, is still
    /// to be settled: a pack may span it.
    pub fn may_span(&self, before: u64, seq: u64, rewrite: Rewrite) -> bool {
        let between = SeqRange::new(before, seq).behind(before).before(seq);
        between.is_empty()
            || seq <= self.confirmed_seq
                && !self.dead.touches(between)
                && !(self.redelivery.waiting(between).iter()).any(|one| one.rewrite != rewrite)
    }

    /// An event up to `last_seq` was not handed to the queue yet.
    pub fn has_unsent(&self, last_seq: u64) -> bool {
        self.sent_seq < last_seq || self.redelivery.has_unsent()
    }

    /// An event up to `last_seq` waits for its confirmation.
    pub fn has_unsettled(&self, last_seq: u64) -> bool {
        self.confirmed_seq < last_seq || !self.redelivery.is_empty()
    }

    /// Something is to be handed to the queue now: it wasn't yet, and not too
    /// much is on its way.
    pub fn may_send(&self, last_seq: u64) -> bool {
        self.has_unsent(last_seq) && self.flight.has_room()
    }

    /// The event `seq` goes in a pack of its own, because all of its pack was
    /// overtaken time and again.
    pub fn goes_alone(&self, seq: u64) -> bool {
        self.attempts >= ALONE_ATTEMPTS && self.flight.was_overtaken(seq)
    }

    /// The probe is what has waited the longest, at the first attempt and every
    /// fourth one; else it is the newest event, so that one that nobody can
    /// answer holds up nothing for long.
    pub fn probes_oldest(&self) -> bool {
        self.attempts % 4 == 1
    }

    /// What was sent may yet be confirmed.
    pub fn is_patient(&self, now: Timestamp) -> bool {
        let since = self.waiting_since;
        since.is_some_and(|since| since > now.minus_s(PATIENCE_S))
    }

    /// Notes that `seq` was taken in behind `before`, and the watermark written
    /// along. What isn't forwarded moves it, if all before is settled.
    pub fn taken_in(&mut self, before: u64, seq: u64, is_forwarded: bool) {
        self.stored_seq = self.confirmed_seq;
        if self.confirmed_seq == before && !is_forwarded {
            self.confirmed_seq = seq;
            self.sent_seq = self.sent_seq.max(seq);
        }
    }

    /// Notes that a batch was handed to the queue.
    pub fn sent(&mut self, sent: Sent, last_seq: u64, now: Timestamp) {
        let Sent { packs, through } = sent;
        self.flight.add(packs, now);
        self.flight.probe_sent();
        match through {
            Reach::Probe => {}
            Reach::Resend { events, rewrite } => self.redelivery.sent(events, rewrite),
            Reach::Log(seq) => self.sent_seq = self.sent_seq.max(seq.min(last_seq)),
        }
        if self.has_unsettled(last_seq) {
            self.waiting_since.get_or_insert(now);
        }
    }

    /// Notes that the queue has not taken a batch, as far as it says. While
    /// nobody answers, the next try is the alarm's.
    pub fn not_sent(&mut self) {
        self.flight.probe_sent();
    }

    /// Notes that a consumer has applied `range`.
    pub fn confirm(&mut self, range: SeqRange) {
        self.ahead.insert(range);
        self.flight.land(range);
        self.flight.answer();
    }

    /// Notes that `seq` can't be applied. Whoever says so has seen D1 work.
    pub fn refuse(&mut self, seq: u64) {
        self.flight.land(SeqRange::one(seq));
        self.flight.answer();
    }

    /// Notes that `range` is not to be sent again.
    pub fn dead_letter(&mut self, range: SeqRange) {
        self.dead.insert(range);
    }

    /// Notes that nobody answers to `range` any more.
    pub fn land(&mut self, range: SeqRange) {
        self.flight.land(range);
    }

    /// Notes that `range` isn't dead any more.
    pub fn restore(&mut self, range: SeqRange) {
        self.dead.remove(range);
    }

    /// Notes that `resend` goes out again, which the table has already.
    pub fn resend(&mut self, resend: Resend) {
        self.redelivery.add(resend);
    }

    /// Notes that nobody waits any more for that part of a resend.
    pub fn forget_resend(&mut self, part: &Resend) {
        self.redelivery.forget(part);
    }

    /// What lies between the watermark and `last_seq`; `None` if nothing does.
    pub fn beyond(&self, last_seq: u64) -> Option<SeqRange> {
        let beyond = SeqRange::through(last_seq).behind(self.confirmed_seq);
        (!beyond.is_empty()).then_some(beyond)
    }

    /// Moves the watermark over what isn't forwarded, up to the event `next`,
    /// the next one that is, or to `last_seq` if there is none; and over that if
    /// it is settled. True if it goes on behind it.
    pub fn pass(&mut self, next: Option<u64>, last_seq: u64) -> bool {
        let settled = match next {
            None => Some(last_seq),
            Some(next) => self.settled_through(next),
        };
        let before = next.unwrap_or(last_seq).saturating_sub(1);
        self.confirmed_seq = settled.unwrap_or(before);
        self.ahead.forget_through(self.confirmed_seq);
        self.sent_seq = self.sent_seq.max(self.confirmed_seq);
        settled.is_some()
    }

    /// Notes that there was an answer, if the watermark has moved from `before`,
    /// if nothing waits any more, or if a probe had its answer.
    pub fn settle(&mut self, before: u64, last_seq: u64, now: Timestamp) -> Settling {
        let still_waits = self.has_unsettled(last_seq);
        let has_probed = self.flight.take_end();
        if self.confirmed_seq == before && still_waits && !has_probed {
            return Settling::default();
        }
        self.waiting_since = still_waits.then_some(now);
        // After a resend the watermark is written at once: else a ledger that
        // falls asleep between two alarms would send the same for ever.
        let settled = Settling {
            is_to_be_stored: self.attempts > 0,
            goes_on: has_probed && still_waits,
        };
        self.attempts = 0;
        settled
    }

    /// Notes that the tables have the watermark.
    pub fn stored(&mut self) {
        self.stored_seq = self.confirmed_seq;
    }

    /// Takes all that waits for an answer for lost on its way, so that it is
    /// sent again: after a probe, if nothing was answered.
    pub fn take_for_lost(&mut self, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        // What the queue never took needs no probe.
        let needs_no_probe = self.waiting_since.is_none();
        self.flight.lose(self.sent_seq, needs_no_probe);
        self.sent_seq = self.confirmed_seq;
        self.redelivery.send_all();
        self.waiting_since = Some(now);
    }
}
