//! The sweep: every ledger is looked at once a day, whether it has work and
//! has lost its alarm. Nobody else would wake it.
//!
//! Cron starts a run every quarter of an hour. A run looks at a piece of D1's
//! list of integrations and goes on where the last one ended. When the round
//! is over, nothing is asked or written until a day after it began.

use crate::integration::IntegrationId;
use crate::json;
use crate::sql::Statement;
use crate::sql::Value;
use crate::time::Timestamp;

/// Ledgers that one run looks at. One may take 4 s to answer, and the platform
/// ends a run after 15 minutes.
pub const LEDGERS_MAX: usize = 100;

/// From one round to the next.
const ROUND_S: u64 = 86_400;

/// One way through the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    began_at: Timestamp,
    /// The last integration that was looked at.
    after: IntegrationId,
}

/// An integration in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which it is.
    pub of: IntegrationId,
    /// Its last number, as the list has it.
    pub last_seq: u64,
    /// The epoch of that number.
    pub epoch: u64,
}

/// The D1 statement for [`Round::due`].
pub fn select_round() -> Statement {
    Statement {
        sql: "SELECT began_at, source, integration, CAST(is_over AS TEXT) FROM sweep",
        params: Vec::new(),
    }
}

impl Round {
    /// The round to go on with, from D1's rows of [`select_round`] as JSON;
    /// `None` while there is nothing to do. What can't be read is no reason
    /// not to sweep: then a new round begins.
    pub fn due(rows: &str, now: Timestamp) -> Option<Self> {
        let new = Self {
            began_at: now,
            after: IntegrationId::default(),
        };
        let rows = json::rows(rows).unwrap_or_default();
        let Some([began_at, source, integration, is_over]) = rows.first().map(Vec::as_slice) else {
            return Some(new);
        };
        let Some(began_at) = Timestamp::parse(began_at) else {
            return Some(new);
        };
        if is_over == "0" {
            let after = IntegrationId::new(source, integration);
            return Some(Self { began_at, after });
        }
        // A clock that was ahead doesn't stop it for longer than that.
        let is_recent = (began_at..began_at.plus_s(ROUND_S)).contains(&now);
        (!is_recent).then_some(new)
    }

    /// The D1 statement for the integrations to look at next.
    pub fn select(&self) -> Statement {
        Statement {
            sql: "SELECT source, integration, CAST(last_seq AS TEXT), CAST(epoch AS TEXT)
                  FROM integrations
                  WHERE (source, integration) > (?1, ?2)
                  ORDER BY source, integration LIMIT ?3",
            params: vec![
                Value::Text(self.after.source.clone()),
                Value::Text(self.after.integration.clone()),
                Value::Integer(i64::try_from(LEDGERS_MAX).unwrap_or(i64::MAX)),
            ],
        }
    }

    /// The D1 statement that notes that these were looked at. It runs before
    /// they are: a ledger that brings the run to an end mustn't do so again
    /// and again, and keep the sweep from those behind it.
    pub fn note(&self, listed: &[Listed]) -> Statement {
        let last = listed.last();
        let after = last.map_or(&self.after, |last| &last.of);
        let is_over = listed.len() < LEDGERS_MAX;
        Statement {
            sql: "INSERT INTO sweep (id, began_at, source, integration, is_over)
                  VALUES (1, ?1, ?2, ?3, ?4)
                  ON CONFLICT (id) DO UPDATE SET
                    began_at = excluded.began_at, source = excluded.source,
                    integration = excluded.integration, is_over = excluded.is_over",
            params: vec![
                Value::Text(self.began_at.to_string()),
                Value::Text(after.source.clone()),
                Value::Text(after.integration.clone()),
                Value::Integer(i64::from(is_over)),
            ],
        }
    }
}

/// The integrations in D1's rows of [`Round::select`], as JSON; `None` if they
/// are not that.
pub fn listed(rows: &str) -> Option<Vec<Listed>> {
    let mut listed = Vec::new();
    for row in json::rows(rows)? {
        let [source, integration, last_seq, epoch] = row.as_slice() else {
            return None;
        };
        listed.push(Listed {
            of: IntegrationId::new(source, integration),
            last_seq: last_seq.parse().ok()?,
            epoch: epoch.parse().ok()?,
        });
    }
    Some(listed)
}
