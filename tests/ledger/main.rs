//! The ledger: what it takes in, keeps, sends, and is told.

mod columns;
#[path = "../common/mod.rs"]
mod common;
mod dedupe;
mod discard;
mod epochs;
mod expiry;
mod gone;
mod lost;
mod model;
mod nobody;
mod owed;
mod packs;
mod quarantine;
mod rebuild;
mod redrive;
mod replay;
mod reports;
