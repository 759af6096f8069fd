//! The numbers of a ledger: given once, without gaps, in the order of time.

use super::SeqRange;
use super::alarm::WAKE_S;
use crate::time::Timestamp;

/// How far the numbers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    last: u64,
    /// When the event with that number was received.
    received_at: Timestamp,
    /// Nothing had come for some time before it.
    is_sparse: bool,
}

impl Sequence {
    /// As the tables have it: the last number, and when its event was received.
    pub fn load(last: u64, received_at: Timestamp) -> Self {
        Self {
            last,
            received_at,
            is_sparse: false,
        }
    }

    /// The last number given; 0 if none was.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The number that the next event gets.
    pub fn next(&self) -> u64 {
        self.last.saturating_add(1)
    }

    /// All numbers given.
    pub fn all(&self) -> SeqRange {
        SeqRange::through(self.last)
    }

    /// True if all of `range` were given, and there is one.
    pub fn has(&self, range: SeqRange) -> bool {
        range.first > 0 && !range.is_empty() && range.last <= self.last
    }

    /// When the last event was received.
    pub fn last_received_at(&self) -> Timestamp {
        self.received_at
    }

    /// When an event that arrives `now` was received. Never before the event
    /// before it, so that the log is in the order of time even where the clock
    /// went back. The dedupe window is counted back from the clock, by which
    /// the edge takes a signed time for too old: so it can become longer, and
    /// no replay falls between the two.
    pub fn received_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.received_at)
    }

    /// The last event came alone: nothing had come for some time.
    pub fn is_sparse(&self) -> bool {
        self.is_sparse
    }

    /// Gives the next number to an event that arrived `now`.
    pub fn advance(&mut self, now: Timestamp) {
        let received_at = self.received_at(now);
        self.is_sparse = self.received_at < received_at.minus_s(WAKE_S);
        self.received_at = received_at;
        self.last = self.next();
    }
}
