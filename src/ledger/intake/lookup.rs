//! What an intake remembers: the record, and whether a delivery was there
//! before.

use super::dedupe::Recent;
use super::window_start;
use crate::dialect::Identity;
use crate::dialect::event::{RecordKey, Subject};
use crate::edge::delivery::Delivery;
use crate::ledger::log::Log;
use crate::ledger::{Ledger, dedupe_key, maybe_time};
use crate::record::drift::Drift;
use crate::record::fold::Known;
use crate::record::generation::Generation;
use crate::record::occupancy::Timeline;
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// How long the same bytes are a repetition where they carry nothing of their
/// own and are about no record (decision 6a): 10 minutes, the time of a few
/// hasty attempts. A sync may end in the same way every quarter of an hour,
/// and one that isn't noticed is never caught up with.
const CONTROL_WINDOW_S: u64 = 600;

/// What the ledger knows of a record.
pub(in crate::ledger) struct StoredRecord {
    pub known: Known,
    pub last_seq: u64,
    pub recent: Recent,
    pub generation: Generation,
}

impl<S: Sql> Ledger<S> {
    /// The last event about the record that is the same delivery.
    pub(super) fn repeated(
        &self,
        stored: Option<&StoredRecord>,
        delivery: &Delivery,
        subject: &Subject,
        identity: &Identity,
        since: Timestamp,
    ) -> Result<Option<u64>, SqlError> {
        let recent = stored.map(|stored| &stored.recent);
        let kept_from = match identity {
            Identity::JobBody => Some(self.log.segments.kept_from()),
            _ => None,
        };
        let listed = recent.and_then(|recent| recent.find(delivery.key, since, kept_from));
        let is_elsewhere = recent.is_some_and(|recent| recent.is_elsewhere(since));
        if !is_elsewhere && !self.index.is_needed(since) {
            return Ok(listed);
        }
        let indexed = self.indexed(&delivery.key.0, Some(subject.key()), since)?;
        Ok(listed.max(indexed))
    }

    /// The last event about no record that has the same body or id, and
    /// whether this one is a second, real event all the same.
    pub(super) fn repeated_control(
        &self,
        delivery: &Delivery,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Option<(u64, bool)>, SqlError> {
        let key = &delivery.key.0;
        let window = window_start(delivery, now);
        if *identity == Identity::JobBody {
            let ever = self.indexed(key, None, Timestamp::from_us(0))?;
            if let Some(seq) = ever.filter(|seq| *seq >= self.log.segments.kept_from()) {
                return Ok(Some((seq, false)));
            }
        }
        if *identity == Identity::ControlBody {
            let soon = window.max(now.minus_s(CONTROL_WINDOW_S));
            // Behind anything else it may be the end of what that belongs to.
            let last = self.indexed(key, None, soon)?;
            if let Some(seq) = last.filter(|seq| *seq == self.sequence.last()) {
                return Ok(Some((seq, false)));
            }
        }
        let repeats = *identity == Identity::ControlBody;
        let earlier = self.indexed(key, None, window)?;
        Ok(earlier.map(|seq| (seq, repeats)))
    }
}

impl<S: Sql> Log<S> {
    /// What is known of a record.
    pub(in crate::ledger) fn stored_record(
        &self,
        record: RecordKey,
    ) -> Result<Option<StoredRecord>, SqlError> {
        if self.segments.are_none() {
            return Ok(None);
        }
        let rows = self.sql.query(
            "SELECT version, fields, partial, drift, occurred_at, version_key, last_seq, recent,
                    generation, occupancy, occurred_ns, drifted, gone_since
             FROM records WHERE model = ?1 AND record_id = ?2",
            &[Param::Text(record.model), Param::Text(record.id)],
        )?;
        rows.first().map(stored_row).transpose()
    }
}

fn stored_row(row: &Row) -> Result<StoredRecord, SqlError> {
    Ok(StoredRecord {
        known: Known {
            version: row.number(0)?,
            fields: row.text(1)?.to_owned(),
            partial: row.flag(2)?,
            drift: Drift::parse(row.flag(3)?, row.maybe_text(11)?),
            occurred_at: maybe_time(row, 4, 10)?,
            key: dedupe_key(row, 5)?,
            timeline: Timeline::parse(row.maybe_blob(9)?.unwrap_or_default())?,
            gone_since: row.maybe_integer(12)?.map(Timestamp::from_us),
        },
        last_seq: row.number(6)?,
        recent: Recent::parse(row.blob(7)?)?,
        generation: Generation(row.number(8)?),
    })
}
