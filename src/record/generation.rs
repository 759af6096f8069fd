//! How often a record was made anew.

use crate::sql::Param;

/// A record's generation: the number of the replay that made it anew last, or
/// a greater one where that replay did so more than once; 0 if none did. Of two
/// states of a record in one epoch, the one with the greater generation is the
/// newer, then the one with the greater version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

impl Generation {
    /// What `replay` makes of a record of this generation.
    pub fn next(self, replay: u64) -> Self {
        Self(replay.max(self.0.saturating_add(1)))
    }
}

impl From<Generation> for Param<'_> {
    fn from(generation: Generation) -> Self {
        generation.0.into()
    }
}
