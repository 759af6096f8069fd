//! The log: tables in segments, their versions, and how old history goes.

pub mod discard;
pub(in crate::ledger) mod entry;
pub(in crate::ledger) mod epoch;
pub(in crate::ledger) mod index;
pub(in crate::ledger) mod kept;
pub(in crate::ledger) mod migrate;
pub(in crate::ledger) mod retention;
pub(in crate::ledger) mod segments;

use segments::Segments;

/// Largest row, in bytes. The platform takes 2 MB; the rest is for the
/// columns beside the large ones.
pub(in crate::ledger) const ROW_BYTES_MAX: usize = 1_900_000;

/// The log of one ledger on the storage `S`: its tables, and what is in which.
pub(in crate::ledger) struct Log<S> {
    pub sql: S,
    pub segments: Segments,
}
