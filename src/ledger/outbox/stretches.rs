//! Stretches of the log whose events go out again: in order, and merged where
//! they meet, so that many cost no more than they must.

use std::ops::Range;

use crate::ledger::log::segments::FORWARDED;
use crate::time::Timestamp;

/// A stretch of the log with events to send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) struct Stretch {
    pub first: u64,
    pub last: u64,
    /// The replay that wrote its events; 0 if all of them were redriven.
    pub replay: u64,
    /// When they began to wait.
    pub since: Timestamp,
}

impl Stretch {
    /// Which of its events are sent.
    pub fn condition(&self) -> String {
        match self.replay {
            0 => FORWARDED.to_owned(),
            replay => format!("{FORWARDED} AND replay = {replay}"),
        }
    }

    /// What of it lies before `first..=last`, and behind.
    pub fn without(&self, first: u64, last: u64) -> (Option<Self>, Option<Self>) {
        let before = (self.first < first).then(|| Self {
            last: self.last.min(first.saturating_sub(1)),
            ..*self
        });
        let behind = (self.last > last).then(|| Self {
            first: self.first.max(last.saturating_add(1)),
            ..*self
        });
        (before, behind)
    }
}

/// Stretches in the order of their replays, then of their events. Those of one
/// replay neither overlap nor touch; those of two may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ledger) struct Stretches(Vec<Stretch>);

impl Stretches {
    /// Adds a stretch. What it touches becomes one with it, and has been waiting
    /// since the earlier time.
    pub fn add(&mut self, stretch: Stretch) {
        let (first, last) = (stretch.first, stretch.last);
        let near = (first.saturating_sub(1), last.saturating_add(1));
        let place = self.place(stretch.replay, near);
        let mut whole = stretch;
        for one in self.0.get(place.clone()).unwrap_or_default() {
            whole.first = whole.first.min(one.first);
            whole.last = whole.last.max(one.last);
            whole.since = whole.since.min(one.since);
        }
        let at = place.start;
        self.0.drain(place);
        self.0.insert(at, whole);
    }

    /// Takes `first..=last` out of those of `replay`.
    pub fn remove(&mut self, replay: u64, (first, last): (u64, u64)) {
        let place = self.place(replay, (first, last));
        let touched = self.0.get(place.clone()).unwrap_or_default();
        let before = touched.first().and_then(|one| one.without(first, last).0);
        let behind = touched.last().and_then(|one| one.without(first, last).1);
        let at = place.start;
        self.0.drain(place);
        for part in [behind, before].into_iter().flatten() {
            self.0.insert(at, part);
        }
    }

    /// Where those of `replay` are that have any of `first..=last`.
    fn place(&self, replay: u64, (first, last): (u64, u64)) -> Range<usize> {
        let before = |one: &Stretch| (one.replay, one.last) < (replay, first);
        let reaches = |one: &Stretch| (one.replay, one.first) <= (replay, last);
        let start = self.0.partition_point(before);
        start..self.0.partition_point(reaches).max(start)
    }

    /// Those of `replay` and the ones before that have any of `first..=last`.
    pub fn touching(&self, (first, last): (u64, u64), replay: u64) -> Vec<Stretch> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(one) = self.0.get(at).filter(|one| one.replay <= replay) {
            let of = one.replay;
            let place = self.place(of, (first, last));
            found.extend_from_slice(self.0.get(place).unwrap_or_default());
            at = self.0.partition_point(|one| one.replay <= of);
        }
        found
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Stretch] {
        &self.0
    }
}
