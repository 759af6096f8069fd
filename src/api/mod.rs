//! The API: what is asked for by which path, and the answers out of D1.
//!
//! What ledgers answer is in [`crate::ledger`].

pub mod command;
pub mod fresh;
pub mod lists;
mod page;
pub mod redrive;
mod route;
pub mod subscriptions;

pub use page::{LIMIT_DEFAULT, LIMIT_MAX, NUMBER_MAX, Page};
pub use route::{Query, Route, is_api};

pub use crate::ledger::PAGE_BYTES_MAX;
