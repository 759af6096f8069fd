//! The packs of a batch in one transaction.
//!
//! D1 does one thing at a time, and the way there takes longer than most of
//! what a pack has it do. So the packs of many integrations, each with an
//! event or two, share the way.

use wasm_bindgen::JsValue;
use worker::worker_sys::Message;

use super::{Applied, read, sent_at, text};
use crate::projection::Statement;
use crate::shell::database;
use crate::shell::log::Line;
use crate::time::Timestamp;

/// What applies all packs that need nothing but D1.
pub struct Together {
    now: Timestamp,
    statements: Vec<Statement>,
}

impl Together {
    /// Nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            statements: Vec::new(),
        }
    }

    /// Adds the pack of `message`, and gives what is applied with it. Nothing
    /// if it can't be read, or has an event that travels without its data.
    pub fn add(&mut self, message: &Message, line: &mut Line) -> Option<Applied> {
        let text = text(message, line).ok()?;
        let pack = read(&text, line).ok()?;
        let all = pack.all();
        let projection = pack.part(&all).ok()?;
        if !projection.missing().is_empty() {
            return None;
        }
        let applied = Applied::of(&pack, &all)?;
        let statements = projection.statements(sent_at(message), self.now);
        self.statements.extend(statements);
        Some(applied)
    }

    /// Begins the transaction, and gives the promise of its end; none if there
    /// is nothing to apply.
    pub fn begin(self, env: &JsValue) -> Option<JsValue> {
        if self.statements.is_empty() {
            return None;
        }
        database::start(env, &self.statements).ok()
    }
}
