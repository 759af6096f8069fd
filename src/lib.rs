//! Leasewire takes the webhooks of property-management platforms and turns
//! them into records a program can trust.
//!
//! It promises:
//! 1. **Only the provider gets in.** Nothing is parsed, stored or routed
//!    before its signature is verified over the raw bytes. A replayed request
//!    changes no record, as far as repetitions can be known (decision 6 in
//!    [`dialect`]).
//! 2. **A 200 means kept.** The answer leaves after the event is durable. No
//!    crash, failed queue or failed database loses it afterwards.
//! 3. **Once, in order.** Each integration has one ledger, which gives every
//!    new event the next number, without gaps. A duplicate gets the first
//!    one's number back and changes nothing.
//! 4. **Records, not fragments.** Each forwarded event carries the change and
//!    the record's whole known state. Applying events twice or in any order
//!    gives the same records.
//! 5. **Nothing disappears.** What can't be understood is kept in quarantine,
//!    what can't be forwarded stays in the log, and both are visible. What an
//!    outage held up arrives by itself.
//!
//! The way of a webhook is the way through the modules:
//!
//! ```text
//! provider ──► edge ──────────────► ledger ──────────────► queue ──► consumer ──► D1
//!              source, signature    dialect, event          record    projection
//!              delivery, group      ledger (intake, fold,     ▲          │
//!                                   forward, history)         └ confirm ─┘
//! ```
//!
//! Everything here is plain Rust that decides and knows no platform; time is
//! a parameter and storage is the trait [`sql::Sql`]. Only `shell`, which
//! exists on wasm32 alone, moves bytes.

#![warn(missing_docs)]
// On this platform a panic takes down every integration in the isolate, so
// whatever can panic is refused where input can reach.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]

pub mod api;
pub mod command;
pub mod delivery;
pub mod dialect;
mod encoding;
pub mod event;
pub mod filter;
mod form;
pub mod group;
pub mod health;
pub mod json;
pub mod ledger;
pub mod metrics;
pub mod occupancy;
pub mod problem;
pub mod projection;
pub mod record;
pub mod sample;
pub mod secret;
pub mod signature;
pub mod source;
pub mod sql;
pub mod sweep;
pub mod time;

#[cfg(target_arch = "wasm32")]
mod shell;
