//! Numbers for a monitoring system: what is counted, and when the counts go
//! into the database.
//!
//! Each isolate counts in its memory, since a row for each webhook would cost
//! as much as the webhook's record. Counts go into D1 behind an answer, about
//! once a minute; what an isolate has counted in its last seconds may be lost
//! with it. So they are for graphs and alerts, and not for accounts.

mod connectors;
mod page;

use crate::json;
use crate::sql::Statement;
use crate::sql::Value;
use crate::time::Timestamp;

pub use page::{CONTENT_TYPE, page, select};

/// What can become of a delivery: the status of the answer, or the label of
/// the problem. In the order of D1's columns.
pub const OUTCOMES: [&str; 9] = [
    "accepted",
    "duplicate",
    "quarantined",
    "ignored",
    "pong",
    "bad_signature",
    "too_large",
    "source_not_ready",
    "ledger_unavailable",
];

/// Upper bounds of the buckets of confirmations, in seconds. What takes longer
/// is in one more.
pub const BOUNDS_S: [u64; 8] = [1, 2, 5, 10, 30, 60, 300, 1_800];

const BUCKETS: usize = BOUNDS_S.len() + 1;
/// Columns of a source's row, but for its name.
const COLUMNS: usize = OUTCOMES.len() + BUCKETS + 1;

/// Time between two writes of an isolate, where there is something to write.
const FLUSH_S: u64 = 60;
/// Time before a write that was due already: what comes with it is written
/// along.
const GATHER_S: u64 = 5;
/// A write is planned at most so long ahead: the platform lets a Worker work
/// for 30 s behind its answer.
const AHEAD_S: u64 = 25;
/// A planned write that has not begun so long after its time never will.
const LOST_S: u64 = 30;

/// Adds to what is there already: `?1` is a JSON array of a source's name and
/// its counts, for each source.
const ADD: &str = "
    INSERT INTO metrics (source, accepted, duplicate, quarantined, ignored, pong, bad_signature,
                         too_large, source_not_ready, ledger_unavailable, within_1_s, within_2_s,
                         within_5_s, within_10_s, within_30_s, within_60_s, within_300_s,
                         within_1800_s, later, confirmation_ms)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
           value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16, value ->> 17,
           value ->> 18, value ->> 19
    FROM json_each(?1) WHERE true
    ON CONFLICT (source) DO UPDATE SET
      accepted = accepted + excluded.accepted,
      duplicate = duplicate + excluded.duplicate,
      quarantined = quarantined + excluded.quarantined,
      ignored = ignored + excluded.ignored,
      pong = pong + excluded.pong,
      bad_signature = bad_signature + excluded.bad_signature,
      too_large = too_large + excluded.too_large,
      source_not_ready = source_not_ready + excluded.source_not_ready,
      ledger_unavailable = ledger_unavailable + excluded.ledger_unavailable,
      within_1_s = within_1_s + excluded.within_1_s,
      within_2_s = within_2_s + excluded.within_2_s,
      within_5_s = within_5_s + excluded.within_5_s,
      within_10_s = within_10_s + excluded.within_10_s,
      within_30_s = within_30_s + excluded.within_30_s,
      within_60_s = within_60_s + excluded.within_60_s,
      within_300_s = within_300_s + excluded.within_300_s,
      within_1800_s = within_1800_s + excluded.within_1800_s,
      later = later + excluded.later,
      confirmation_ms = confirmation_ms + excluded.confirmation_ms";

/// The counts of each source, in the order of D1's columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(Vec<(String, [u64; COLUMNS])>);

/// What an isolate has counted and not written yet.
#[derive(Debug, Default)]
pub struct Meter {
    counts: Counts,
    /// When it wrote last.
    flushed_at: Option<Timestamp>,
    /// When it will write next, if that is planned.
    planned_for: Option<Timestamp>,
}

impl Counts {
    fn add(&mut self, source: &str, column: usize, count: u64) {
        if !self.0.iter().any(|(name, _)| name == source) {
            self.0.push((source.to_owned(), [0; COLUMNS]));
        }
        let counts = self.0.iter_mut().find(|(name, _)| name == source);
        if let Some(sum) = counts.and_then(|(_, counts)| counts.get_mut(column)) {
            *sum = sum.saturating_add(count);
        }
    }

    /// The D1 statement that adds them to those it has: a row for each source.
    pub fn statement(&self) -> Statement {
        let mut all = String::new();
        for (source, counts) in &self.0 {
            all.push_str(if all.is_empty() { "[[" } else { "],[" });
            all.push_str(&json::quoted(source));
            for count in counts {
                all.push(',');
                all.push_str(&count.to_string());
            }
        }
        all.push_str("]]");
        Statement {
            sql: ADD,
            params: vec![Value::Text(all)],
        }
    }
}

impl Meter {
    /// Counts a delivery to `source`.
    pub fn delivery(&mut self, source: &str, outcome: &str) {
        if let Some(column) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.counts.add(source, column, 1);
        }
    }

    /// Counts a confirmation that came `ms` milliseconds after the receipt.
    pub fn confirmation(&mut self, source: &str, ms: u64) {
        let within = |bound_s: &u64| ms <= bound_s.saturating_mul(1_000);
        let bucket = BOUNDS_S.iter().position(within).unwrap_or(BOUNDS_S.len());
        let column = OUTCOMES.len().saturating_add(bucket);
        self.counts.add(source, column, 1);
        self.counts.add(source, COLUMNS.saturating_sub(1), ms);
    }

    /// For who has just counted something: in how many milliseconds to write,
    /// or `None` if that is planned already, or left to a later count. Then
    /// [`Meter::take`] must follow.
    pub fn plan(&mut self, now: Timestamp) -> Option<u32> {
        // By a clock that goes back, neither time must lie far ahead.
        let is_planned = self
            .planned_for
            .is_some_and(|at| (at.minus_s(FLUSH_S)..at.plus_s(LOST_S)).contains(&now));
        if is_planned {
            return None;
        }
        let recently = |at: &Timestamp| (*at..at.plus_s(FLUSH_S)).contains(&now);
        let at = match self.flushed_at.filter(recently) {
            None => now.plus_s(GATHER_S),
            Some(flushed_at) => flushed_at.plus_s(FLUSH_S),
        };
        if at > now.plus_s(AHEAD_S) {
            return None;
        }
        self.planned_for = Some(at);
        u32::try_from(at.ms().saturating_sub(now.ms())).ok()
    }

    /// What is to be written now, if there is anything.
    pub fn take(&mut self, now: Timestamp) -> Option<Counts> {
        // A timer may be a little early. One that asks out of turn, for a
        // page, leaves the plan as it is.
        if self.planned_for.is_some_and(|at| at <= now.plus_s(1)) {
            self.planned_for = None;
        }
        if self.counts.0.is_empty() {
            return None;
        }
        self.flushed_at = Some(now);
        Some(std::mem::take(&mut self.counts))
    }

    /// Takes back what could not be written. If it was written after all, and
    /// only the answer got lost, it is counted twice.
    pub fn put_back(&mut self, counts: Counts) {
        for (source, counts) in &counts.0 {
            for (column, count) in counts.iter().enumerate() {
                self.counts.add(source, column, *count);
            }
        }
    }
}
