//! What a ledger owes its owner: records of which an event said only a part,
//! or something that contradicts what is known. A record is owed from its last
//! event until a read of the provider's API that began after that event has
//! been merged.
//!
//! Which records these are is read off the log, behind a number up to which
//! the connector has been told. So a webhook writes nothing for it.

pub(super) mod tell;
mod wire;

use crate::integration::IntegrationId;
use crate::time::Timestamp;

/// What a ledger tells the connector of its source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owed {
    /// Whose records they are.
    pub of: IntegrationId,
    /// The epoch of all numbers here.
    pub epoch: u64,
    /// Everything up to here has been told with this: the `asked_seq` of a read
    /// that begins behind it.
    pub seq: u64,
    /// Records to ask for, each once.
    pub records: Vec<OwedRecord>,
    /// Ends of synchronisations, in their order.
    pub syncs: Vec<SyncEnd>,
}

/// A record to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedRecord {
    /// Normalised model: `leases`.
    pub model: String,
    /// The provider's id.
    pub id: String,
    /// When the first of its events told here was received.
    pub since: Timestamp,
}

/// The end of a synchronisation at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncEnd {
    /// The number of its event.
    pub seq: u64,
    /// When that was received.
    pub at: Timestamp,
    /// It was the first one, or one that reads everything anew: of what it has
    /// found there were no events.
    pub is_whole: bool,
    /// It says that it came to its end: only then is what it hasn't seen gone.
    pub is_finished: bool,
    /// The models that it was about, normalised; `None` if it doesn't say.
    pub models: Option<Vec<String>>,
}
