//! Who gets in, with what secret, and who goes to a ledger with whom.

#[path = "../common/mod.rs"]
mod common;
mod groups;
mod rotation;
mod secrets;
mod signatures;
mod sources;
mod timestamps;
mod wycheproof;
