//! Whether a repetition may be known by the index alone, which is looked at
//! only then: most of the time a record's own list has it.

use crate::time::Timestamp;

/// For how long it is noted ahead that the index is needed.
const NOTED_S: u64 = 86_400;

/// What the index is needed for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::ledger) struct Index {
    /// An event about a record that was received until then may be in the index
    /// and not in its list.
    until: Timestamp,
    /// Keys of events that went early are kept.
    has_kept_keys: bool,
}

impl Index {
    /// From what the tables say: until when it is needed, where 1 is what
    /// version 0.1.0 wrote for ever, and means as long as there were events; and
    /// whether there are keys of events that went early.
    pub fn load(until: i64, last_received_us: i64, has_kept_keys: bool) -> Self {
        let until = if until == 1 { last_received_us } else { until };
        Self {
            until: Timestamp::from_us(until),
            has_kept_keys,
        }
    }

    /// It may know an event received after `since` that its record's list
    /// doesn't.
    pub fn is_needed(&self, since: Timestamp) -> bool {
        self.until > since
    }

    /// Until when it will be needed, where that isn't noted, for an event
    /// received at `received_at` that no record has in its list, if
    /// `is_needed`. Noted once a day, so that the row is shared.
    pub fn next_until(&self, is_needed: bool, received_at: Timestamp) -> Option<Timestamp> {
        let is_new = is_needed && self.until < received_at;
        is_new.then(|| received_at.plus_s(NOTED_S))
    }

    /// Notes what the tables have been told.
    pub fn noted(&mut self, until: Option<Timestamp>) {
        self.until = until.unwrap_or(self.until);
    }

    /// Keys of events that went early are kept.
    pub fn has_kept_keys(&self) -> bool {
        self.has_kept_keys
    }

    /// Notes whether there are such keys.
    pub fn keeps_keys(&mut self, any: bool) {
        self.has_kept_keys = any;
    }
}
