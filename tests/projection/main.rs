//! The consumer: what D1 is told, and what becomes of a pack that it refuses.

mod bisect;
#[path = "../common/mod.rs"]
mod common;
mod consumer;
mod faults;
