//! Sets of sequence numbers, kept as ranges.

use std::ops::Range;

use crate::ledger::SeqRange;

/// A set of numbers as disjoint ranges, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<SeqRange>);

impl Ranges {
    /// The set of the numbers of one range.
    pub fn of(range: SeqRange) -> Self {
        let mut all = Self::default();
        all.insert(range);
        all
    }

    /// Adds a range, merging what overlaps or touches.
    pub fn insert(&mut self, range: SeqRange) {
        if range.is_empty() {
            return;
        }
        let near = self.place(range.widened());
        let touched = self.0.get(near.clone()).unwrap_or_default();
        let mut whole = range;
        if let (Some(first), Some(last)) = (touched.first(), touched.last()) {
            whole.first = whole.first.min(first.first);
            whole.last = whole.last.max(last.last);
        }
        let at = near.start;
        self.0.drain(near);
        self.0.insert(at, whole);
    }

    /// Where the ranges are that have any of `range`.
    fn place(&self, range: SeqRange) -> Range<usize> {
        let start = self.0.partition_point(|one| one.last < range.first);
        let end = self.0.partition_point(|one| one.first <= range.last);
        start..if range.is_empty() { start } else { end }
    }

    /// What of `range` is in the set, in order.
    pub fn within(&self, range: SeqRange) -> impl Iterator<Item = SeqRange> {
        let touched = self.0.get(self.place(range)).unwrap_or_default();
        touched.iter().map(move |one| one.within(range))
    }

    /// The last number of the range that holds `seq`.
    pub fn end_of(&self, seq: u64) -> Option<u64> {
        let holding = self.0.get(self.place(SeqRange::one(seq)))?.first()?;
        Some(holding.last)
    }

    /// True if any of `range` is in the set.
    pub fn touches(&self, range: SeqRange) -> bool {
        !self.place(range).is_empty()
    }

    /// What of `range` is not in the set, in order.
    pub fn gaps(&self, range: SeqRange) -> Vec<SeqRange> {
        let mut gaps = Vec::new();
        let mut left = range;
        for one in self.within(range) {
            gaps.push(left.before(one.first));
            left = left.behind(one.last);
        }
        gaps.push(left);
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    /// Takes out the ranges that end at `seq` or before.
    pub fn forget_through(&mut self, seq: u64) {
        self.0.retain(|one| one.last > seq);
    }

    /// Takes a range out; true if any of it was there.
    pub fn remove(&mut self, range: SeqRange) -> bool {
        let place = self.place(range);
        let touched = self.0.get(place.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (touched.first(), touched.last()) else {
            return false;
        };
        let (before, behind) = (first.before(range.first), last.behind(range.last));
        let at = place.start;
        self.0.drain(place);
        for left in [behind, before].into_iter().filter(|one| !one.is_empty()) {
            self.0.insert(at, left);
        }
        true
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = SeqRange> {
        self.0.iter().copied()
    }

    /// Every number in the set, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.iter().flat_map(|one| one.first..=one.last)
    }

    /// True if nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
