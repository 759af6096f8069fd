//! The consumer: what D1 is told, and what becomes of a pack that it refuses.

mod bisect;
#[path = "../common/mod.rs"]
mod common;
mod consumer;
mod faults;

/// The consumers of queues in the configuration.
fn consumers() -> Vec<toml::Value> {
    let text = include_str!("../../wrangler.toml");
    let config: toml::Table = toml::from_str(text).unwrap();
    config["queues"]["consumers"].as_array().unwrap().clone()
}

/// How often the queue of records tries a message again.
fn records_retries() -> i64 {
    let is_records =
        |consumer: &toml::Value| consumer["queue"].as_str() == Some("leasewire-records");
    let records = consumers().into_iter().find(is_records).unwrap();
    records["max_retries"].as_integer().unwrap()
}
