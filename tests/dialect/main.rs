//! What providers send, and what is read in it.

#[path = "../common/mod.rs"]
mod common;
mod filters;
mod identities;
mod names;
mod requests;
mod samples;
mod times;
