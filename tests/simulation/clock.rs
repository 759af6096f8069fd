//! Virtual time, and the receiver's clock, which may be wrong.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use leasewire::time::Timestamp;

pub const SECOND: u64 = 1_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;

/// 2026-03-01T00:00:00Z.
const START_MS: i64 = 1_772_323_200_000;

/// What happens when. Steps of the same time happen in the order in which
/// they were put in.
pub struct Clock<T> {
    /// Milliseconds since the start.
    pub now_ms: u64,
    /// How far the receiver's clock is ahead.
    pub ahead_ms: i64,
    steps: BinaryHeap<Reverse<Timed<T>>>,
    count: u64,
}

struct Timed<T> {
    at: (u64, u64),
    step: T,
}

impl<T> Clock<T> {
    pub fn new() -> Self {
        Self {
            now_ms: 0,
            ahead_ms: 0,
            steps: BinaryHeap::new(),
            count: 0,
        }
    }

    pub fn after(&mut self, ms: u64, step: T) {
        self.count += 1;
        let at = (self.now_ms + ms, self.count);
        self.steps.push(Reverse(Timed { at, step }));
    }

    /// Moves time on to the next step.
    pub fn next(&mut self) -> Option<T> {
        let Reverse(timed) = self.steps.pop()?;
        self.now_ms = timed.at.0;
        Some(timed.step)
    }

    /// What a right clock shows: the senders'.
    pub fn true_time(&self) -> Timestamp {
        self.true_time_at(self.now_ms)
    }

    /// What a right clock shows at `ms`.
    pub fn true_time_at(&self, ms: u64) -> Timestamp {
        Timestamp::from_ms(START_MS + ms as i64)
    }

    /// What the receiver's clock shows.
    pub fn receiver(&self) -> Timestamp {
        Timestamp::from_ms(START_MS + self.now_ms as i64 + self.ahead_ms)
    }

    /// Milliseconds until the receiver's clock shows `at`.
    pub fn ms_until(&self, at: Timestamp) -> u64 {
        u64::try_from(at.ms() - self.receiver().ms()).unwrap_or(0)
    }
}

impl<T> PartialEq for Timed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Timed<T> {}

impl<T> PartialOrd for Timed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Timed<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
