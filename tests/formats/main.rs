//! Everything that is stored or sent, of this version and of those before.

#[path = "../common/mod.rs"]
mod common;
mod golden;
mod upgrade;
