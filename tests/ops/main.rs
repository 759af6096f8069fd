//! What is looked after: health, metrics and the sweep.

#[path = "../common/mod.rs"]
mod common;
mod health;
mod metrics;
mod sweep;
