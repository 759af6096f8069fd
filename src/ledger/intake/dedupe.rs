//! The latest events about a record, by which a repetition is known.
//!
//! They stand in the record's own row, which each event rewrites anyway: no
//! index, and so no further row. A record with more events in its dedupe
//! window than the list takes has them in an index of the log, at a row each,
//! so that no record gets slow by being busy. Of events that are one for ever
//! the list has more than those of the window, as long as there is room.

use crate::signature::DedupeKey;
use crate::sql::SqlError;
use crate::time::Timestamp;

/// Events in a list: 8 KB of them.
pub const RECENT_MAX: usize = 256;

/// How long beyond its dedupe window an event stays in the list: it is within
/// the window again if the clock ran ahead and is set back.
const SLACK_S: u64 = 86_400;

/// Key, number and time of an event.
const ENTRY_BYTES: usize = 32;

/// A record's latest events, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    /// When the index got the last event that found no place here.
    overflowed_at: Option<Timestamp>,
    entries: Vec<Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    key: DedupeKey,
    seq: u64,
    received_at: Timestamp,
}

impl Recent {
    /// Reads what [`Recent::to_bytes`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, SqlError> {
        let broken = || SqlError("a list of recent events is broken".to_owned());
        let (head, entries) = bytes.split_first_chunk::<8>().ok_or_else(broken)?;
        let overflowed_us = i64::from_le_bytes(*head);
        let (entries, rest) = entries.as_chunks();
        let entries: Option<_> = entries.iter().map(Seen::parse).collect();
        Ok(Self {
            overflowed_at: (overflowed_us != 0).then(|| Timestamp::from_us(overflowed_us)),
            entries: entries.filter(|_| rest.is_empty()).ok_or_else(broken)?,
        })
    }

    /// As it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len().saturating_mul(ENTRY_BYTES));
        let overflowed_us = self.overflowed_at.map_or(0, Timestamp::us);
        bytes.extend_from_slice(&overflowed_us.to_le_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.key.0);
            bytes.extend_from_slice(&entry.seq.to_le_bytes());
            bytes.extend_from_slice(&entry.received_at.us().to_le_bytes());
        }
        bytes
    }

    /// Number of the last event with `key` that was received after `since`, or
    /// has at least the number `kept_from`.
    pub fn find(&self, key: DedupeKey, since: Timestamp, kept_from: Option<u64>) -> Option<u64> {
        let mut latest = self.entries.iter().rev();
        latest
            .find(|entry| entry.key == key && entry.is_known(since, kept_from))
            .map(|entry| entry.seq)
    }

    /// When the event `seq` was received, if it is in the list.
    pub fn received_at(&self, seq: u64) -> Option<Timestamp> {
        let found = self.entries.iter().find(|entry| entry.seq == seq);
        found.map(|entry| entry.received_at)
    }

    /// True if an event received after `since` may be in the index.
    pub fn is_elsewhere(&self, since: Timestamp) -> bool {
        self.overflowed_at.is_some_and(|at| at > since)
    }

    /// Adds the event `seq`; false if it must go into the index. Those that
    /// were received long before `since` are forgotten, unless their number is
    /// at least `kept_from` and there is room.
    pub fn add(
        &mut self,
        key: DedupeKey,
        seq: u64,
        received_at: Timestamp,
        since: Timestamp,
        kept_from: Option<u64>,
    ) -> bool {
        let since = since.minus_s(SLACK_S);
        self.entries
            .retain(|entry| entry.is_known(since, kept_from));
        if self.entries.len() >= RECENT_MAX
            && self
                .entries
                .first()
                .is_some_and(|oldest| !oldest.is_known(since, None))
        {
            self.entries.remove(0);
        }
        let fits = self.entries.len() < RECENT_MAX;
        if fits {
            self.entries.push(Seen {
                key,
                seq,
                received_at,
            });
        } else {
            self.overflowed_at = self.overflowed_at.max(Some(received_at));
        }
        fits
    }
}

impl Seen {
    fn is_known(&self, since: Timestamp, kept_from: Option<u64>) -> bool {
        self.received_at > since || kept_from.is_some_and(|from| self.seq >= from)
    }

    fn parse(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (seq, received_at) = rest.split_first_chunk()?;
        Some(Self {
            key: DedupeKey(*key),
            seq: u64::from_le_bytes(*seq),
            received_at: Timestamp::from_us(i64::from_le_bytes(received_at.try_into().ok()?)),
        })
    }
}
