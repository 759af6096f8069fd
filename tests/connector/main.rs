//! The connector: what it asks for, in which order, and what it makes of
//! answers.

#[path = "../common/mod.rs"]
mod common;
mod failures;
mod figures;
mod gone;
mod hydration;
mod kinds;
mod log;
mod pace;
mod refresh;
mod settings;
mod subscriptions;
mod walks;
mod world;
