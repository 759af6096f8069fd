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
//! 6. **The mirror converges.** Whatever was lost, late or never sent: once the
//!    provider's API can be asked, each record in D1 ends equal to the provider's.
//!
//! The way of a webhook is the way through the modules:
//!
//! ```text
//! provider ──► edge ───────► ledger ─────────────► queue ──► consumer ──► D1
//!              signature     dialect (what it says)          projection
//!                            intake, record (fold)               │
//!                            log, outbox ◄──────── confirm ──────┘
//! ```
//!
//! What webhooks don't tell, a `connector` asks the provider's API for. What it
//! returns goes into the same ledger, and the same way from there.
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

// The way of a webhook.
pub mod edge;
pub mod signature;

pub mod dialect;
pub mod record;

pub mod connector;
pub mod ledger;
pub mod projection;

// Who asks, and who looks after it.
pub mod api;
pub mod ops;

// What all of them stand on.
mod encoding;
pub mod integration;
pub mod json;
pub mod problem;
pub mod provider;
pub mod sql;
pub mod time;

// What moves the bytes.
#[cfg(target_arch = "wasm32")]
mod shell;
