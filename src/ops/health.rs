//! Whether D1 has the tables that this code needs. A deployment that came
//! before its migration answers webhooks and forwards nothing: `/healthz` tells
//! it, and what to do.

use crate::json::{self, Writer};
use crate::problem::Problem;
use crate::sql::Statement;

/// Version of D1's tables that this code needs.
pub const D1_VERSION: u64 = 3;

/// How long an isolate believes what it found, in seconds: anybody may ask.
pub const BELIEVED_S: u64 = 60;

/// How D1 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// It has what is needed.
    Ready,
    /// It doesn't answer. Webhooks are taken in all the same.
    Away,
    /// It has no tables.
    Empty,
    /// It has those of 0.1.0.
    Old,
    /// A migration wasn't applied.
    Behind,
    /// It has those of a later version.
    Newer,
}

/// The D1 statement for [`Database::of_tables`].
pub fn select_tables() -> Statement {
    Statement {
        sql: "SELECT name FROM sqlite_master
              WHERE type = 'table' AND name IN ('records', 'schema_version') ORDER BY name",
        params: Vec::new(),
    }
}

/// The D1 statement for [`Database::of_version`], where there is a version.
pub fn select_version() -> Statement {
    Statement {
        sql: "SELECT CAST(version AS TEXT) FROM schema_version",
        params: Vec::new(),
    }
}

impl Database {
    /// From D1's rows of [`select_tables`], as JSON; `None` if they say their
    /// version.
    pub fn of_tables(rows: &str) -> Option<Self> {
        let rows = json::rows(rows).unwrap_or_default();
        let has = |name: &str| rows.iter().flatten().any(|table| table == name);
        match (has("schema_version"), has("records")) {
            (true, _) => None,
            (false, true) => Some(Self::Old),
            (false, false) => Some(Self::Empty),
        }
    }

    /// From D1's rows of [`select_version`], as JSON.
    pub fn of_version(rows: &str) -> Self {
        let rows = json::rows(rows).unwrap_or_default();
        let version = rows.iter().flatten().next();
        match version.and_then(|version| version.parse::<u64>().ok()) {
            Some(D1_VERSION) => Self::Ready,
            Some(version) if version > D1_VERSION => Self::Newer,
            Some(2..) => Self::Behind,
            _ => Self::Old,
        }
    }

    /// The answer of `/healthz`.
    pub fn answer(self) -> Result<String, Problem> {
        let word = match self {
            Self::Ready => "ready",
            Self::Away => "away",
            Self::Empty | Self::Old | Self::Behind | Self::Newer => {
                return Err(Problem::DatabaseNotReady(self.what_to_do()));
            }
        };
        Ok(Writer::default()
            .text("status", "ok")
            .text("version", env!("CARGO_PKG_VERSION"))
            .text("database", word)
            .end())
    }

    fn what_to_do(self) -> &'static str {
        match self {
            Self::Empty => {
                "The database has no tables: `wrangler d1 migrations apply leasewire --remote` \
                 makes them."
            }
            Self::Old => {
                "The database has the tables of 0.1.0: `wrangler d1 execute leasewire --remote \
                 --file upgrade/0.1.0.sql`, then `wrangler d1 migrations apply leasewire --remote` \
                 bring them up."
            }
            Self::Behind => {
                "The database has the tables of an earlier version: `wrangler d1 migrations apply \
                 leasewire --remote` brings them up. Nothing is lost meanwhile: records wait in \
                 their ledgers, and arrive by themselves."
            }
            Self::Newer => {
                "The database has the tables of a later version: deploy the Worker that goes with \
                 them."
            }
            Self::Ready | Self::Away => "",
        }
    }
}
