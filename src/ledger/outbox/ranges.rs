//! Sets of sequence numbers, kept as ranges.

use std::ops::Range;

/// A set of numbers as disjoint ranges, first to last, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `first..=last`, merging what overlaps or touches.
    pub fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let near = self.place(first.saturating_sub(1), last.saturating_add(1));
        let touched = self.0.get(near.clone()).unwrap_or_default();
        let whole = (
            touched.first().map_or(first, |(from, _)| first.min(*from)),
            touched.last().map_or(last, |(_, to)| last.max(*to)),
        );
        let at = near.start;
        self.0.drain(near);
        self.0.insert(at, whole);
    }

    /// Where the ranges are that have any of `first..=last`.
    fn place(&self, first: u64, last: u64) -> Range<usize> {
        let start = self.0.partition_point(|(_, to)| *to < first);
        let end = self.0.partition_point(|(from, _)| *from <= last);
        start..if first > last { start } else { end }
    }

    /// What of `first..=last` is in the set, in order.
    pub fn within(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, u64)> {
        let touched = self.0.get(self.place(first, last)).unwrap_or_default();
        touched
            .iter()
            .map(move |(from, to)| (first.max(*from), last.min(*to)))
    }

    /// The last number of the range that holds `seq`.
    pub fn end_of(&self, seq: u64) -> Option<u64> {
        let (_, last) = self.0.get(self.place(seq, seq))?.first()?;
        Some(*last)
    }

    /// True if any of `first..=last` is in the set.
    pub fn touches(&self, first: u64, last: u64) -> bool {
        !self.place(first, last).is_empty()
    }

    /// What of `first..=last` is not in the set, in order.
    pub fn gaps(&self, mut first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        for (from, to) in self.within(first, last) {
            if from > first {
                gaps.push((first, from.saturating_sub(1)));
            }
            first = first.max(to.saturating_add(1));
        }
        if first <= last {
            gaps.push((first, last));
        }
        gaps
    }

    /// Takes out the ranges that end at `seq` or before.
    pub fn forget_through(&mut self, seq: u64) {
        self.0.retain(|(_, last)| *last > seq);
    }

    /// Takes `first..=last` out; true if any of it was there.
    pub fn remove(&mut self, first: u64, last: u64) -> bool {
        let place = self.place(first, last);
        let touched = self.0.get(place.clone()).unwrap_or_default();
        let (Some((from, _)), Some((_, to))) = (touched.first(), touched.last()) else {
            return false;
        };
        let (from, to, at) = (*from, *to, place.start);
        self.0.drain(place);
        if to > last {
            self.0.insert(at, (last.saturating_add(1), to));
        }
        if from < first {
            self.0.insert(at, (from, first.saturating_sub(1)));
        }
        true
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    /// Every number in the set, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.iter().flat_map(|(first, last)| first..=last)
    }

    /// True if nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
