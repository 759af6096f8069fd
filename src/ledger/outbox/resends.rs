//! Resends of the log whose events go out again: in order, and merged where
//! they meet, so that many cost no more than they must.

use std::ops::Range;

use crate::ledger::log::segments::FORWARDED;
use crate::ledger::{Rewrite, SeqRange};
use crate::time::Timestamp;

/// A stretch of the log whose events are to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) struct Resend {
    pub events: SeqRange,
    /// The replay that wrote its events; 0 if all of them were redriven.
    pub rewrite: Rewrite,
    /// When they began to wait.
    pub since: Timestamp,
}

impl Resend {
    /// Which of its events are sent.
    pub fn condition(&self) -> String {
        match self.rewrite {
            Rewrite::NONE => FORWARDED.to_owned(),
            Rewrite(number) => format!("{FORWARDED} AND replay = {number}"),
        }
    }

    /// What of it lies in `range`.
    pub fn within(&self, range: SeqRange) -> Self {
        Self {
            events: self.events.within(range),
            ..*self
        }
    }

    /// What of it lies before `range`, and what behind.
    pub fn without(&self, range: SeqRange) -> (Option<Self>, Option<Self>) {
        let part = |events: SeqRange| (!events.is_empty()).then_some(Self { events, ..*self });
        let (before, behind) = (
            self.events.before(range.first),
            self.events.behind(range.last),
        );
        (part(before), part(behind))
    }
}

/// Resends in the order of their replays, then of their events. Those of one
/// replay neither overlap nor touch; those of two may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ledger) struct Resends(Vec<Resend>);

impl Resends {
    /// Adds a resend. What it touches becomes one with it, and has been waiting
    /// since the earlier time.
    pub fn add(&mut self, resend: Resend) {
        let place = self.place(resend.rewrite, resend.events.widened());
        let mut whole = resend;
        for one in self.0.get(place.clone()).unwrap_or_default() {
            whole.events.first = whole.events.first.min(one.events.first);
            whole.events.last = whole.events.last.max(one.events.last);
            whole.since = whole.since.min(one.since);
        }
        let at = place.start;
        self.0.drain(place);
        self.0.insert(at, whole);
    }

    /// Takes `range` out of those of `rewrite`.
    pub fn remove(&mut self, rewrite: Rewrite, range: SeqRange) {
        let place = self.place(rewrite, range);
        let touched = self.0.get(place.clone()).unwrap_or_default();
        let before = touched.first().and_then(|one| one.without(range).0);
        let behind = touched.last().and_then(|one| one.without(range).1);
        let at = place.start;
        self.0.drain(place);
        for part in [behind, before].into_iter().flatten() {
            self.0.insert(at, part);
        }
    }

    /// Where those of `rewrite` are that have any of `range`.
    fn place(&self, rewrite: Rewrite, range: SeqRange) -> Range<usize> {
        let before = |one: &Resend| (one.rewrite, one.events.last) < (rewrite, range.first);
        let reaches = |one: &Resend| (one.rewrite, one.events.first) <= (rewrite, range.last);
        let start = self.0.partition_point(before);
        start..self.0.partition_point(reaches).max(start)
    }

    /// Those of `rewrite` and the ones before that have any of `range`.
    pub fn touching(&self, range: SeqRange, rewrite: Rewrite) -> Vec<Resend> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(one) = self.0.get(at).filter(|one| one.rewrite <= rewrite) {
            let of = one.rewrite;
            let place = self.place(of, range);
            found.extend_from_slice(self.0.get(place).unwrap_or_default());
            at = self.0.partition_point(|one| one.rewrite <= of);
        }
        found
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Resend] {
        &self.0
    }
}
