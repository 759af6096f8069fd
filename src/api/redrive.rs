//! The redrive of a whole source: which integrations are asked, and what is
//! answered for each.

use super::Page;
use crate::json::{self, Writer};
use crate::problem::Problem;
use crate::sql::Statement;
use crate::sql::Value;

/// Integrations that one request asks, at the most: as many as a run of the
/// sweep.
pub const INTEGRATIONS_MAX: u64 = 100;
/// For how long it asks, in milliseconds: where ledgers are slow, the rest is
/// for the next request.
pub const ASKING_MS_MAX: u32 = 15_000;

/// The D1 statement for those integrations of `source` that have told of dead or
/// quarantined events, one more than are asked.
pub fn select(source: &str, page: &Page<String>) -> Statement {
    let more = limit(page).saturating_add(1);
    Statement {
        sql: "SELECT integration FROM integrations
              WHERE source = ?1 AND integration > ?2 AND (dead > 0 OR quarantined > 0)
              ORDER BY integration LIMIT ?3",
        params: vec![
            Value::Text(source.to_owned()),
            Value::Text(page.after.clone().unwrap_or_default()),
            Value::Integer(i64::try_from(more).unwrap_or(i64::MAX)),
        ],
    }
}

fn limit(page: &Page<String>) -> u64 {
    page.limit.min(INTEGRATIONS_MAX)
}

/// Integrations that are asked one after the other.
pub struct Asked {
    /// D1's rows: a name each.
    rows: Vec<Vec<String>>,
    limit: usize,
    /// For each that was asked, JSON.
    answers: Vec<String>,
}

impl Asked {
    /// Those in D1's rows of [`select`], as JSON; `None` if they are not that.
    pub fn read(rows: &str, page: &Page<String>) -> Option<Self> {
        Some(Self {
            rows: json::rows(rows)?,
            limit: usize::try_from(limit(page)).unwrap_or(usize::MAX),
            answers: Vec::new(),
        })
    }

    /// The integration to ask next; `None` if that is for the next request, or
    /// there is none.
    pub fn next(&self) -> Option<&str> {
        let at = Some(self.answers.len()).filter(|at| *at < self.limit)?;
        self.name(at)
    }

    fn name(&self, at: usize) -> Option<&str> {
        self.rows.get(at)?.first().map(String::as_str)
    }

    /// Notes what it has answered, JSON, or why it has not.
    pub fn answered(&mut self, answer: &Result<String, Problem>) {
        let Some(name) = self.next() else {
            return;
        };
        let json = Writer::default().text("integration", name);
        let json = match answer {
            Ok(redriven) => json.raw("redriven", redriven),
            Err(problem) => json.raw("problem", &problem.to_json()),
        };
        self.answers.push(json.end());
    }

    /// How many were asked.
    pub fn count(&self) -> usize {
        self.answers.len()
    }

    /// The answer to the request; `next` is the last integration that was asked,
    /// if there are more.
    pub fn to_json(&self) -> String {
        let count = self.count();
        let last = count.checked_sub(1).and_then(|last| self.name(last));
        let next = last.filter(|_| count < self.rows.len());
        Writer::default()
            .list("integrations", &self.answers)
            .text_or_null("next", next)
            .end()
    }
}
