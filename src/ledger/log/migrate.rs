//! The tables' version, and the way from an older one to this code's.
//!
//! The `ledger` row says which version the tables are of. Opening a ledger
//! takes the steps that are missing, all in one transaction; a new ledger is
//! made at the newest version. Steps only add: no row of the log is written
//! anew, and the code of the version before goes on with what comes out, since
//! the two take turns on a ledger while a deployment is gradual. So it may
//! also begin a segment as it knows them: each has a format, and one of an
//! older format is brought up at the next opening.
//!
//! What this code can't know, tables of a newer version or of none, it refuses
//! and leaves as it is.

use super::segments::Segment;
use crate::ledger::Ledger;
use crate::sql::{Sql, SqlError};

/// Version of the tables that this code makes.
pub const SCHEMA_VERSION: u64 = 3;
/// The oldest version whose code may go on with them.
pub(in crate::ledger) const MIN_VERSION: u64 = 1;
/// Version of a segment's table, and of the view and the trigger by which new
/// events go into it.
pub(in crate::ledger) const SEGMENT_FORMAT: u64 = 3;

/// What leads from each version, beginning with 1, to the next.
const STEPS: [&str; 2] = [include_str!("migrate/2.sql"), include_str!("migrate/3.sql")];
/// The same for a segment's table.
const SEGMENT_STEPS: [&str; 2] = [
    include_str!("migrate/segment_2.sql"),
    include_str!("migrate/segment_3.sql"),
];

/// The tables of version 1, which doesn't say that it is one: names of their
/// columns, those of the primary key with a star.
const VERSION_1: [(&str, &str); 9] = [
    (
        "ledger",
        "id* source integration confirmed_seq attempts first_synced_at last_synced_at uses_index \
         last_event_at reported",
    ),
    ("segments", "number* first_seq began_at"),
    ("large", "seq* data"),
    (
        "records",
        "model* record_id* last_seq version fields partial drift occurred_at version_key \
         generation recent occupancy",
    ),
    ("unlinked", "property_id* first_seq first_seen_at"),
    ("again", "first_seq* last_seq replay* since"),
    (
        "replays",
        "number* from_seq to_seq filter count next_seq looked_at asked_at ended_at",
    ),
    ("dead", "first_seq* last_seq reason died_at"),
    (
        "events_0",
        "seq* key by_key prev_seq received_at confirmed_seq model record_id name kind occurred_at \
         quarantine ignored replay data body",
    ),
];

/// What every refusal begins with.
const REFUSED: &str = "the ledger's tables are not this version's: ";

/// True if a ledger could not be opened because its tables are of a newer
/// version or of none. No further attempt ends otherwise, until other code is
/// deployed.
pub fn is_refusal(error: &SqlError) -> bool {
    error.0.starts_with(REFUSED)
}

impl<S: Sql> Ledger<S> {
    /// Brings the tables up to [`SCHEMA_VERSION`]. False if there are none.
    pub(in crate::ledger) fn migrate(&self) -> Result<bool, SqlError> {
        let made = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'ledger'";
        let rows = self.log.sql.query(made, &[])?;
        let Some(ledger) = rows.first() else {
            return Ok(false);
        };
        let version = if ledger.text(0)?.contains("schema_version") {
            self.stated_version()?
        } else {
            self.check_version_1()?;
            1
        };
        if version < SCHEMA_VERSION {
            self.log.sql.transaction(|| {
                let mut steps = missing(&STEPS, version);
                steps.try_for_each(|step| self.log.sql.execute(step, &[]))?;
                // Segment 0 is made with the ledger, and has its version.
                self.bring_up(Segment::KEPT, version)?;
                self.bring_up_segments()
            })?;
        }
        Ok(true)
    }

    /// The version that the tables say they have, if this code may use it.
    fn stated_version(&self) -> Result<u64, SqlError> {
        let stated = "SELECT schema_version, min_version FROM ledger";
        let rows = self.log.sql.query(stated, &[])?;
        let Some(row) = rows.first() else {
            return Ok(SCHEMA_VERSION);
        };
        let (version, min_version) = (row.number(0)?, row.number(1)?);
        if min_version > SCHEMA_VERSION {
            return Err(SqlError(format!(
                "{REFUSED}they have version {version}, this code knows {SCHEMA_VERSION}"
            )));
        }
        Ok(version)
    }

    fn check_version_1(&self) -> Result<(), SqlError> {
        for (table, expected) in VERSION_1 {
            let rows = self
                .log
                .sql
                .query(&format!("PRAGMA table_info({table})"), &[])?;
            let mut columns = Vec::new();
            for row in &rows {
                let star = if row.integer(5)? > 0 { "*" } else { "" };
                columns.push([row.text(1)?, star].concat());
            }
            if columns.join(" ") != expected {
                return Err(SqlError(format!(
                    "{REFUSED}they have none, and `{table}` is not as 0.1.0 made it"
                )));
            }
        }
        Ok(())
    }

    /// Adds what a segment of an older format lacks, and makes new events go
    /// into the present one as this code hands them over. To be called in a
    /// transaction.
    pub(in crate::ledger) fn bring_up_segments(&self) -> Result<(), SqlError> {
        let rows = self.log.sql.query(
            "SELECT number, first_seq, began_at, format, began_bytes FROM segments
             ORDER BY number",
            &[],
        )?;
        let segments = crate::ledger::Segments::load(&rows)?;
        for (segment, row) in segments.iter().skip(1).zip(&rows) {
            self.bring_up(segment, row.number(3)?)?;
        }
        self.log.sql.execute(
            "UPDATE segments SET format = ?1 WHERE format < ?1",
            &[SEGMENT_FORMAT.into()],
        )?;
        self.log.sql.execute(&segments.present().intake(), &[])
    }

    fn bring_up(&self, segment: Segment, format: u64) -> Result<(), SqlError> {
        let mut steps = missing(&SEGMENT_STEPS, format);
        steps.try_for_each(|step| self.log.sql.execute(&segment.named(step), &[]))
    }

    /// After a segment of an older `format`: what the code of an older version wrote of
    /// a record has left the columns that it doesn't know as they were. To be
    /// called in a transaction.
    pub(in crate::ledger) fn clear_unknown(
        &self,
        first_seq: u64,
        format: u64,
    ) -> Result<(), SqlError> {
        if format > 2 {
            return Ok(());
        }
        self.log.sql.execute(
            "UPDATE records SET gone_since = NULL
             WHERE last_seq >= ?1 AND gone_since IS NOT NULL",
            &[first_seq.into()],
        )?;
        if format > 1 {
            return Ok(());
        }
        self.log.sql.execute(
            "UPDATE records SET occurred_ns = NULL, drifted = NULL
             WHERE last_seq >= ?1 AND (occurred_ns IS NOT NULL OR drifted IS NOT NULL)",
            &[first_seq.into()],
        )
    }
}

/// Of `steps`, those that lead on from `version`.
fn missing<'a>(steps: &'a [&'a str], version: u64) -> impl Iterator<Item = &'a str> {
    let done = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
    steps.iter().copied().skip(done)
}
