//! The outbox: what is forwarded, in which packs, and what became of it.

pub(in crate::ledger) mod dead;
pub(in crate::ledger) mod flight;
pub(in crate::ledger) mod forward;
pub(in crate::ledger) mod packs;
pub(in crate::ledger) mod quarantine;
pub(in crate::ledger) mod ranges;
pub(in crate::ledger) mod reader;
pub(in crate::ledger) mod redelivery;
pub(in crate::ledger) mod redrive;
pub(in crate::ledger) mod resends;
pub(in crate::ledger) mod state;
