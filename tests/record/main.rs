//! What events say of records: fields, order, drift and occupancy.

#[path = "../common/mod.rs"]
mod common;
mod fold;
mod occupancy;
mod payloads;
mod reads;
mod ties;
