//! The numbers of a ledger, each kind a type of its own.

use crate::sql::Param;

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

/// Which step of a replay wrote an event as it is: its number; 0 if none did,
/// and the event is as it was taken in. What a later step wrote is another
/// state of the event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rewrite(pub u64);

impl Rewrite {
    /// As it was taken in.
    pub const NONE: Self = Self(0);

    /// The next one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<Rewrite> for Param<'_> {
    fn from(rewrite: Rewrite) -> Self {
        rewrite.0.into()
    }
}

/// A pack, as its consumer names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackRef {
    /// All its events, and what lies between them.
    pub events: SeqRange,
    /// The oldest rewrite among them.
    pub rewrite: Rewrite,
}
