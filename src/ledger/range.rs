//! A range of sequence numbers.

/// The numbers from `first` to `last`, both included; none if `last` is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqRange {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

impl SeqRange {
    /// From `first` to `last`.
    pub const fn new(first: u64, last: u64) -> Self {
        Self { first, last }
    }

    /// One number alone.
    pub const fn one(seq: u64) -> Self {
        Self::new(seq, seq)
    }

    /// All up to `last`.
    pub const fn through(last: u64) -> Self {
        Self::new(1, last)
    }

    /// True if there is no number in it.
    pub const fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// True if `seq` is in it.
    pub const fn has(self, seq: u64) -> bool {
        self.first <= seq && seq <= self.last
    }

    /// What it shares with `other`.
    pub fn within(self, other: Self) -> Self {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// What of it lies behind `seq`.
    pub fn behind(self, seq: u64) -> Self {
        Self::new(self.first.max(seq.saturating_add(1)), self.last)
    }

    /// What of it lies before `seq`.
    pub fn before(self, seq: u64) -> Self {
        Self::new(self.first, self.last.min(seq.saturating_sub(1)))
    }

    /// With the number before it and the one behind it: what has none of that
    /// doesn't touch it.
    pub(super) fn widened(self) -> Self {
        Self::new(self.first.saturating_sub(1), self.last.saturating_add(1))
    }
}
