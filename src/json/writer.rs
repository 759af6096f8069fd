//! Objects, written.

use std::borrow::Borrow;

use serde::Serialize;

use super::to_json;

/// An object being written, field by field. Names need no escapes.
#[derive(Default)]
pub struct Writer(String);

impl Writer {
    /// Adds `value`, JSON.
    pub fn raw(mut self, name: &str, value: &str) -> Self {
        let before = if self.0.is_empty() { "{\"" } else { ",\"" };
        for part in [before, name, "\":", value] {
            self.0.push_str(part);
        }
        self
    }

    /// Adds an array of `items`, JSON each.
    pub fn list(self, name: &str, items: &[impl Borrow<str>]) -> Self {
        self.raw(name, &format!("[{}]", items.join(",")))
    }

    /// Adds whatever can be written.
    pub fn json(self, name: &str, value: &impl Serialize) -> Self {
        self.raw(name, &to_json(value))
    }

    /// Adds a string.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.json(name, &value)
    }

    /// Adds a number.
    pub fn number(self, name: &str, value: u64) -> Self {
        self.raw(name, &value.to_string())
    }

    /// The object.
    pub fn end(self) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        self.0 + "}"
    }
}
