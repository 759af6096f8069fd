//! What a ledger tells the list of integrations of its trouble: how many
//! events wait, are dead or quarantined, and since when; and how large it is.
//!
//! When it does, and what is known of what it told: see `health.rs`.

use super::State;
use crate::time::Timestamp;

/// What a ledger tells the list of integrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its state.
    pub state: State,
    /// Its trouble and size, where these are not known to be in the list.
    pub report: Option<Report>,
}

/// A ledger's trouble and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What there is of trouble.
    pub numbers: Numbers,
    /// Bytes that the ledger has in use.
    pub bytes: u64,
    /// When it was found. Each report's is later than that of the one before,
    /// whatever the clock does.
    pub at: Timestamp,
}

/// How many events are not as they should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Not handed to the queue. 0 unless one of these or the unconfirmed has
    /// been waiting for too long, as some always wait for a moment.
    pub pending: u64,
    /// Handed to the queue and not confirmed. 0 likewise.
    pub unconfirmed: u64,
    /// In packs that could not be applied.
    pub dead: u64,
    /// Not understood, or not to be applied.
    pub quarantined: u64,
    /// Since when the oldest of those has been waiting.
    pub oldest_unconfirmed_at: Option<Timestamp>,
}

impl Report {
    /// As the tables have it: numbers, times in microseconds, `-` for none, 1
    /// if the list has it, and the bytes.
    pub(super) fn to_text(&self, is_known: bool) -> String {
        let numbers = &self.numbers;
        let oldest = numbers.oldest_unconfirmed_at;
        format!(
            "{} {} {} {} {} {} {} {}",
            numbers.pending,
            numbers.unconfirmed,
            numbers.dead,
            numbers.quarantined,
            oldest.map_or("-".to_owned(), |at| at.us().to_string()),
            self.at.us(),
            u8::from(is_known),
            self.bytes,
        )
    }

    /// Reads that; `None` if it is anything else. 0.1.0 told no bytes, and
    /// doesn't look for them behind the rest.
    pub(super) fn parse(text: &str) -> Option<(Self, bool)> {
        let mut parts = text.split(' ');
        let mut next = || parts.next()?.parse().ok();
        let (pending, unconfirmed, dead, quarantined) = (next()?, next()?, next()?, next()?);
        let time = |part: &str| part.parse().ok().map(Timestamp::from_us);
        let numbers = Numbers {
            pending,
            unconfirmed,
            dead,
            quarantined,
            oldest_unconfirmed_at: parts.next().and_then(time),
        };
        let at = parts.next().and_then(time)?;
        let is_known = parts.next()? == "1";
        let bytes = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        Some((Self { numbers, bytes, at }, is_known))
    }
}
