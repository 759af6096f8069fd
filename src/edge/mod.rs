//! The front door: which sources there are, whether a request is one's, and
//! how what is let in travels to its ledger.

pub mod delivery;
pub mod group;
pub mod secret;
pub mod source;
