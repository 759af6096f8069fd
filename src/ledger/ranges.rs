//! Sets of sequence numbers, kept as ranges.

/// A set of numbers as disjoint ranges, first to last, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `first..=last`, merging what overlaps or touches.
    pub fn insert(&mut self, mut first: u64, mut last: u64) {
        if first > last {
            return;
        }
        while let Some((near_first, near_last)) = self
            .before(last.saturating_add(1))
            .filter(|(_, near_last)| near_last.saturating_add(1) >= first)
        {
            self.take_out(near_first);
            first = first.min(near_first);
            last = last.max(near_last);
        }
        self.put_in(first, last);
    }

    /// How many ranges begin at `seq` or before.
    fn count_through(&self, seq: u64) -> usize {
        self.0.partition_point(|(first, _)| *first <= seq)
    }

    /// The last range that begins at `seq` or before.
    fn before(&self, seq: u64) -> Option<(u64, u64)> {
        let at = self.count_through(seq).checked_sub(1)?;
        self.0.get(at).copied()
    }

    fn put_in(&mut self, first: u64, last: u64) {
        self.0.insert(self.count_through(first), (first, last));
    }

    fn take_out(&mut self, first: u64) {
        self.0.retain(|(begin, _)| *begin != first);
    }

    /// The last number of the range that holds `seq`.
    pub fn end_of(&self, seq: u64) -> Option<u64> {
        let (_, last) = self.before(seq)?;
        (last >= seq).then_some(last)
    }

    /// True if any of `first..=last` is in the set.
    pub fn touches(&self, first: u64, last: u64) -> bool {
        self.before(last).is_some_and(|(_, end)| end >= first)
    }

    /// What of `first..=last` is not in the set, in order.
    pub fn gaps(&self, mut first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        for (from, to) in self.iter() {
            if from > last {
                break;
            }
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
        let touched: Vec<_> = self
            .iter()
            .filter(|(from, to)| *from <= last && first <= *to)
            .collect();
        for (from, to) in &touched {
            self.take_out(*from);
            if *from < first {
                self.put_in(*from, first.saturating_sub(1));
            }
            if last < *to {
                self.put_in(last.saturating_add(1), *to);
            }
        }
        !touched.is_empty()
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
