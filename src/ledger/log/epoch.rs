//! Epochs: which of two histories a number belongs to.
//!
//! D1 and the queue outlive a ledger: one that was lost, or set back to an
//! older point, gives numbers again that it has given before, for other events.
//! So its numbers have an epoch, and a state of a greater epoch is the newer,
//! whatever the numbers are.

use crate::ledger::Ledger;
use crate::sql::Sql;
use crate::time::Timestamp;

/// The epoch of a ledger that begins `now`.
pub(in crate::ledger) fn epoch_at(now: Timestamp) -> u64 {
    u64::try_from(now.ms()).unwrap_or(0)
}

impl<S: Sql> Ledger<S> {
    /// True if the list of integrations has something that this ledger never
    /// had: then it was set back, or is another one than was listed.
    pub(in crate::ledger) fn was_set_back(&self, listed_seq: u64, listed_epoch: u64) -> bool {
        listed_epoch > self.epoch || listed_epoch == self.epoch && listed_seq > self.sequence.last()
    }
}
