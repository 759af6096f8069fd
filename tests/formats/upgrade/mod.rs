//! What earlier versions have stored and sent, and what this one makes of it.
//!
//! `tests/golden/stores/VERSION` has what each released version leaves: its
//! ledgers and its D1 with everything in them, its queue messages and its calls
//! to ledgers. `UPDATE_GOLDEN=1` writes this version's anew, no other's.

mod d1;
mod dump;
mod everything;
mod ledgers;
mod stores;
mod turns;
