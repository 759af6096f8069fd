//! How long the history is kept, and how it goes: a segment at a time.
//!
//! Only what is settled goes. What is dead or quarantined stays, however old:
//! it moves into segment 0 before its own is dropped.

use super::Ledger;
use super::migrate::SEGMENT_FORMAT;
use super::segments::{COLUMNS, Segment};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// Segments of one retention: the history is kept up to one of them longer
/// than asked for.
const SEGMENTS: u64 = 8;
/// Events and bytes after which a segment ends early. Dropping one must not
/// hold up its ledger for long.
const SEGMENT_EVENTS_MAX: u64 = 250_000;
const SEGMENT_BYTES_MAX: usize = 256_000_000;
/// Bytes from which on history goes early: an object has 10 GB, and one that
/// is full would take in nothing any more.
const STORAGE_BYTES_MAX: u64 = 8_000_000_000;
/// Events that are moved in one step.
const STEP_EVENTS_MAX: usize = 500;
/// Time between two steps.
const STEP_S: u64 = 1;

impl<S: Sql> Ledger<S> {
    /// Lets go, in one small step, of events that were received more than
    /// `retention_s` ago and are settled. Gives when to take the next step, if
    /// there is one: until then the alarm is to be set.
    pub fn expire(
        &mut self,
        now: Timestamp,
        retention_s: u64,
    ) -> Result<Option<Timestamp>, SqlError> {
        if self.name.is_none() {
            return Ok(None);
        }
        if self.present_is_over(now, retention_s) {
            self.begin_next(now)?;
        }
        let Some((oldest, next)) = self.expired(now, retention_s)? else {
            return Ok(None);
        };
        let moved_all = self.move_on(oldest, next)?;
        if moved_all && self.expired(now, retention_s)?.is_none() {
            return Ok(None);
        }
        Ok(Some(self.arm_at(now.plus_s(STEP_S))))
    }

    fn present_is_over(&self, now: Timestamp, retention_s: u64) -> bool {
        let present = self.segments.present();
        let next_seq = self.mark.last_seq.saturating_add(1);
        let events = next_seq.saturating_sub(present.first_seq);
        let is_old = present.began_at <= now.minus_s(retention_s / SEGMENTS);
        let is_large = events >= SEGMENT_EVENTS_MAX || self.segments.bytes >= SEGMENT_BYTES_MAX;
        events > 0 && (is_old || is_large)
    }

    fn begin_next(&mut self, now: Timestamp) -> Result<(), SqlError> {
        let segment = self.segments.next(self.mark.last_seq, now);
        self.sql.transaction(|| {
            self.sql.execute(&segment.schema(), &[])?;
            self.begin(segment)
        })?;
        self.segments.begin(segment);
        Ok(())
    }

    /// Makes new events go into `segment`, which has its table already.
    pub(super) fn begin(&self, segment: Segment) -> Result<(), SqlError> {
        self.sql.execute(&segment.intake(), &[])?;
        self.sql.execute(
            "INSERT INTO segments (number, first_seq, began_at, format) VALUES (?1, ?2, ?3, ?4)",
            &[
                segment.number.into(),
                segment.first_seq.into(),
                segment.began_at.us().into(),
                SEGMENT_FORMAT.into(),
            ],
        )
    }

    /// The oldest segment and the one behind it, if the oldest may go.
    fn expired(
        &self,
        now: Timestamp,
        retention_s: u64,
    ) -> Result<Option<(Segment, Segment)>, SqlError> {
        let Some((oldest, next)) = self.segments.oldest() else {
            return Ok(None);
        };
        let is_settled = self.mark.confirmed_seq.saturating_add(1) >= next.first_seq
            && !self.again.reaches_below(next.first_seq.saturating_sub(1));
        let is_old = next.began_at <= now.minus_s(retention_s);
        let may_go = is_settled && (is_old || self.sql.size()? > STORAGE_BYTES_MAX);
        Ok(may_go.then_some((oldest, next)))
    }

    /// Moves what is to stay of `oldest`, and drops it when that is done; true
    /// if it was.
    fn move_on(&mut self, oldest: Segment, next: Segment) -> Result<bool, SqlError> {
        let table = oldest.table();
        let stays = format!(
            "SELECT seq FROM {table}
               WHERE quarantine IS NOT NULL AND seq > (SELECT coalesce(max(seq), 0) FROM events_0)
             UNION SELECT e.seq FROM dead JOIN {table} AS e
               ON e.seq BETWEEN dead.first_seq AND dead.last_seq
               WHERE e.seq > (SELECT coalesce(max(seq), 0) FROM events_0)
             ORDER BY 1 LIMIT {STEP_EVENTS_MAX}"
        );
        let moved_all = self.sql.query(&stays, &[])?.len() < STEP_EVENTS_MAX;
        let moved = format!(
            "INSERT INTO events_0 ({COLUMNS}) SELECT {COLUMNS} FROM {table} WHERE seq IN ({stays})"
        );
        self.sql.transaction(|| {
            self.sql.execute(&moved, &[])?;
            if moved_all {
                self.drop(oldest, next)?;
            }
            Ok(())
        })?;
        if moved_all {
            self.mark.kept_seq = self.mark.confirmed_seq;
            self.segments.forget(oldest);
        }
        Ok(moved_all)
    }

    fn drop(&self, oldest: Segment, next: Segment) -> Result<(), SqlError> {
        self.sql.execute(
            "DELETE FROM large WHERE seq < ?1 AND seq NOT IN (SELECT seq FROM events_0)",
            &[next.first_seq.into()],
        )?;
        self.sql.execute(
            "DELETE FROM segments WHERE number = ?1",
            &[oldest.number.into()],
        )?;
        // The dropped events may be the last ones, and have the watermark.
        self.sql.execute(
            "UPDATE ledger SET confirmed_seq = ?1, last_event_at = ?2",
            &[
                self.mark.confirmed_seq.into(),
                self.mark.last_received_at.us().into(),
            ],
        )?;
        self.sql
            .execute(&format!("DROP TABLE {}", oldest.table()), &[])
    }
}
