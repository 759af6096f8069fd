//! Records that a replay has begun to fold again, kept between its steps.
//!
//! A record may have more events than fit into one step. What its first ones
//! have made of it stands in a row of `refolds` until the next step goes on
//! from there, so that no step takes long, and a crash costs one step at most.

use crate::dialect::event::RecordKey;
use crate::ledger::log::Log;
use crate::ledger::log::ROW_BYTES_MAX;
use crate::ledger::{beyond_us, maybe_time};
use crate::record::drift::Drift;
use crate::record::fold::Known;
use crate::record::generation::Generation;
use crate::record::occupancy::{Noticed, Timeline};
use crate::signature::DedupeKey;
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// A record to fold again.
pub(super) struct Refold {
    model: String,
    record_id: String,
    /// An event that isn't in its chain yet.
    pub added: Option<u64>,
    /// How far it is; `None` if it wasn't begun.
    pub folding: Option<Folding>,
}

/// A record on its way through its events.
pub(super) struct Folding {
    /// It is folded onto what events that are gone have left.
    pub has_ground: bool,
    /// The events up to here were gone through.
    pub through: u64,
    /// The record so far.
    pub known: Option<Known>,
    /// The last event of the chain so far.
    pub last_seq: Option<u64>,
    /// The record's generation before.
    pub generation: Generation,
    /// The last event's generation. It never goes down along the chain, so
    /// that nobody takes an older state for a newer one, wherever D1 stops.
    pub last_generation: Generation,
    /// The last event that was folded in and was not late.
    pub version: Option<Version>,
    /// The notices of all its events.
    pub noticed: Noticed,
}

/// The event that a record's state is the last of.
pub(super) struct Version {
    pub seq: u64,
    /// What it changed, JSON.
    pub changes: String,
    /// Under which generation the replay wrote it; 0 if it didn't.
    pub generation: Generation,
}

const COLUMNS: &str = "model, record_id, added, through, last_seq, generation,
    last_generation, version, changes, version_generation, noticed, known_version, fields, partial, drift,
    occurred_at, occurred_ns, version_key, occupancy, drifted, gone_since";

impl Refold {
    /// One that wasn't begun.
    pub fn new(key: RecordKey, added: Option<u64>) -> Self {
        Self {
            model: key.model.to_owned(),
            record_id: key.id.to_owned(),
            added,
            folding: None,
        }
    }

    /// Which record it is.
    pub fn key(&self) -> RecordKey<'_> {
        RecordKey {
            model: &self.model,
            id: &self.record_id,
        }
    }

    fn read(row: &Row) -> Result<Self, SqlError> {
        let key = RecordKey {
            model: row.text(0)?,
            id: row.text(1)?,
        };
        let mut refold = Self::new(key, row.maybe_number(2)?);
        if let Some(through) = row.maybe_number(3)? {
            refold.folding = Some(Folding::read(row, through)?);
        }
        Ok(refold)
    }
}

impl Folding {
    fn read(row: &Row, through: u64) -> Result<Self, SqlError> {
        let broken = || SqlError("a replay's record is broken".to_owned());
        let version = match row.maybe_number(7)? {
            None => None,
            Some(seq) => Some(Version {
                seq,
                changes: row.text(8)?.to_owned(),
                generation: Generation(row.number(9)?),
            }),
        };
        let known = match row.maybe_number(11)? {
            None => None,
            Some(version) => Some(Known {
                version,
                fields: row.text(12)?.to_owned(),
                partial: row.flag(13)?,
                drift: Drift::parse(row.flag(14)?, row.maybe_text(19)?),
                occurred_at: maybe_time(row, 15, 16)?,
                key: DedupeKey(row.blob(17)?.try_into().map_err(|_| broken())?),
                timeline: Timeline::parse(row.maybe_blob(18)?.unwrap_or_default())?,
                gone_since: row.maybe_integer(20)?.map(Timestamp::from_us),
            }),
        };
        Ok(Self {
            has_ground: false,
            through,
            known,
            last_seq: row.maybe_number(4)?,
            generation: Generation(row.number(5)?),
            last_generation: Generation(row.number(6)?),
            version,
            noticed: Noticed::parse(row.text(10)?).ok_or_else(broken)?,
        })
    }
}

impl<S: Sql> Log<S> {
    /// What the last step of `replay` has left, in order.
    pub(super) fn stored_refolds(&self, replay: u64) -> Result<Vec<Refold>, SqlError> {
        let statement = format!("SELECT {COLUMNS} FROM refolds WHERE replay = ?1 ORDER BY number");
        let rows = self.sql.query(&statement, &[replay.into()])?;
        let mut refolds: Vec<_> = rows.iter().map(Refold::read).collect::<Result<_, _>>()?;
        for refold in &mut refolds {
            // It may have been discarded since.
            let has_body = |seq: &u64| self.one("length(body) > 0", *seq);
            let row = refold.added.as_ref().map(has_body).transpose()?.flatten();
            refold.added = match row {
                Some(row) if row.flag(0)? => refold.added,
                _ => None,
            };
        }
        Ok(refolds)
    }

    /// Keeps what the step has left, in place of what the one before had.
    pub(super) fn store_refolds<'a>(
        &self,
        replay: u64,
        left: impl IntoIterator<Item = &'a Refold>,
    ) -> Result<(), SqlError> {
        self.sql.execute("DELETE FROM refolds", &[])?;
        (1..)
            .zip(left)
            .try_for_each(|(number, refold)| self.store_refold(replay, number, refold))
    }

    fn store_refold(&self, replay: u64, number: u64, refold: &Refold) -> Result<(), SqlError> {
        let folding = refold.folding.as_ref();
        let known = folding.and_then(|folding| folding.known.as_ref());
        let version = folding.and_then(|folding| folding.version.as_ref());
        let occurred_at = known.and_then(|known| known.occurred_at);
        let drifted = known.and_then(|known| known.drift.to_json());
        let timeline = known.map(|known| known.timeline.to_bytes());
        let noticed = folding.map(|folding| folding.noticed.to_json());
        let statement = format!(
            "INSERT INTO refolds (number, replay, {COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18, ?19, ?20, ?21, ?22, ?23)"
        );
        self.sql.execute(
            &statement,
            &[
                number.into(),
                replay.into(),
                Param::Text(&refold.model),
                Param::Text(&refold.record_id),
                refold.added.into(),
                folding.map(|folding| folding.through).into(),
                folding.and_then(|folding| folding.last_seq).into(),
                folding.map(|folding| folding.generation).into(),
                folding.map(|folding| folding.last_generation).into(),
                version.map(|version| version.seq).into(),
                version.map(|version| changes(version, known)).into(),
                version.map(|version| version.generation).into(),
                noticed.as_deref().into(),
                known.map(|known| known.version).into(),
                known.map(|known| known.fields.as_str()).into(),
                known.map(|known| known.partial).into(),
                known.map(|known| known.drift.is_some()).into(),
                occurred_at.map(Timestamp::us).into(),
                beyond_us(occurred_at).into(),
                known.map(|known| known.key.0.as_slice()).into(),
                timeline.as_deref().into(),
                drifted.as_deref().into(),
                known
                    .and_then(|known| known.gone_since)
                    .map(Timestamp::us)
                    .into(),
            ],
        )
    }
}

/// The version's changes, where they fit into one row with the record.
fn changes<'a>(version: &'a Version, known: Option<&Known>) -> &'a str {
    let record_bytes = known.map_or(0, |known| known.fields.len());
    let fits = record_bytes.saturating_add(version.changes.len()) <= ROW_BYTES_MAX;
    if fits { &version.changes } else { "null" }
}
