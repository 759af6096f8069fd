//! How long the history is kept, and how it goes: a segment at a time.
//!
//! Only what is settled goes. What is dead or quarantined stays, however old:
//! it moves into segment 0 before its own is dropped. Where a ledger becomes
//! too large, history goes earlier than asked for; the keys by which the index
//! knows repetitions within the window stay all the same.

use super::migrate::SEGMENT_FORMAT;
use super::segments::{COLUMNS, Segment};
use crate::ledger::Ledger;
use crate::ledger::log::Log;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// Segments of one retention: the history is kept up to one of them longer
/// than asked for.
const SEGMENTS: u64 = 8;
/// Events and bytes after which a segment ends early. Dropping one must not
/// hold up its ledger for long.
const SEGMENT_EVENTS_MAX: u64 = 250_000;
const SEGMENT_BYTES_MAX: u64 = 256_000_000;
/// Bytes from which on history goes early: an object has 10 GB, and one that
/// is full would take in nothing any more. Between two looks, a minute apart,
/// a ledger grows by less than the difference.
const LEDGER_BYTES_MAX: u64 = 8_000_000_000;
/// Events and bytes that are moved in one step, at least one event: 8 MB are
/// written in some 50 ms.
const STEP_EVENTS_MAX: usize = 500;
const STEP_BYTES_MAX: u64 = 8_000_000;
/// Numbers whose keys are looked at in one step: at 1,000 bytes an event, 5 MB
/// are read.
const STEP_KEYS_MAX: u64 = 5_000;
/// How long beyond the window a key is kept, as in a record's own list: it is
/// within the window again if the clock ran ahead and is set back.
const SLACK_S: u64 = 86_400;
/// Time between two steps.
const STEP_S: u64 = 1;

/// How long, and up to which size, a ledger keeps what is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For how many seconds, at least, while there is room.
    pub history_s: u64,
    /// Within how many seconds a repetition is to be known, whatever the size.
    pub window_s: u64,
    /// Bytes of a ledger from which on history goes early.
    pub ledger_bytes_max: u64,
    /// Bytes after which a segment ends.
    pub segment_bytes_max: u64,
}

impl Retention {
    /// For a history of `history_s` seconds and a dedupe window of `window_s`
    /// seconds, and the sizes of a Durable Object.
    pub const fn new(history_s: u64, window_s: u64) -> Self {
        Self {
            history_s,
            window_s,
            ledger_bytes_max: LEDGER_BYTES_MAX,
            segment_bytes_max: SEGMENT_BYTES_MAX,
        }
    }

    /// Keys of events received after this are kept.
    fn keys_since(&self, now: Timestamp) -> Timestamp {
        now.minus_s(self.window_s.saturating_add(SLACK_S))
    }
}

/// How far the oldest segment was gone through before it goes.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::ledger) struct Moved {
    /// The segment's number; 0 if none was begun.
    segment: u64,
    /// The keys of events up to this number were seen to.
    keys_seq: u64,
    /// What stays of the events up to this number was moved.
    stays_seq: u64,
}

/// A segment that may go.
struct Expired {
    oldest: Segment,
    next: Segment,
    /// Some of it is younger than asked for.
    is_early: bool,
}

impl Expired {
    fn last_seq(&self) -> u64 {
        self.next.first_seq.saturating_sub(1)
    }
}

impl<S: Sql> Ledger<S> {
    /// Lets go, in one small step, of events that are settled, and were
    /// received longer ago than `retention` asks for or are too many bytes.
    /// Returns when to take the next step, if there is one: until then the alarm
    /// is to be set.
    pub fn expire(
        &mut self,
        now: Timestamp,
        retention: &Retention,
    ) -> Result<Option<Timestamp>, SqlError> {
        if self.name.is_none() {
            return Ok(None);
        }
        let bytes = self.log.sql.size()?;
        if self.present_is_over(now, retention, bytes) {
            self.begin_next(now, bytes)?;
        }
        let more_keys = self.forget_keys(now, retention)?;
        let Some(expired) = self.expired(now, retention, bytes) else {
            // Who goes on later looks at all of it anew.
            self.moved = Moved::default();
            return Ok(more_keys.then(|| self.arm_at(now.plus_s(STEP_S))));
        };
        let is_gone = self.move_on(&expired, now, retention)?;
        let has_more =
            !is_gone || more_keys || self.expired(now, retention, self.log.sql.size()?).is_some();
        Ok(has_more.then(|| self.arm_at(now.plus_s(STEP_S))))
    }

    fn present_is_over(&self, now: Timestamp, retention: &Retention, bytes: u64) -> bool {
        let present = self.log.segments.present();
        let events = self.sequence.next().saturating_sub(present.first_seq);
        let grown = bytes.saturating_sub(present.began_bytes);
        let is_old = present.began_at <= now.minus_s(retention.history_s / SEGMENTS);
        let is_large = events >= SEGMENT_EVENTS_MAX || grown >= retention.segment_bytes_max;
        events > 0 && (is_old || is_large)
    }

    fn begin_next(&mut self, now: Timestamp, bytes: u64) -> Result<(), SqlError> {
        let segment = self.log.segments.next(self.sequence.last(), now, bytes);
        self.log.sql.transaction(|| {
            self.log.sql.execute(&segment.schema(), &[])?;
            self.log.begin(segment)
        })?;
        self.log.segments.begin(segment);
        Ok(())
    }

    /// The oldest segment and the one behind it, if the oldest may go.
    fn expired(&self, now: Timestamp, retention: &Retention, bytes: u64) -> Option<Expired> {
        let (oldest, next) = self.log.segments.oldest()?;
        let last_seq = next.first_seq.saturating_sub(1);
        let is_early = next.began_at > now.minus_s(retention.history_s);
        let may_go = self.outbox.is_done_through(last_seq)
            && (!is_early || bytes > retention.ledger_bytes_max);
        may_go.then_some(Expired {
            oldest,
            next,
            is_early,
        })
    }

    /// Takes one step with what is to stay of a segment, and drops it when
    /// nothing is left; true if it did.
    fn move_on(
        &mut self,
        expired: &Expired,
        now: Timestamp,
        retention: &Retention,
    ) -> Result<bool, SqlError> {
        if self.moved.segment != expired.oldest.number {
            let before = expired.oldest.first_seq.saturating_sub(1);
            self.moved = Moved {
                segment: expired.oldest.number,
                keys_seq: before,
                stays_seq: before,
            };
        }
        if expired.is_early && self.moved.keys_seq < expired.last_seq() {
            self.store_keys(expired, retention.keys_since(now))?;
            return Ok(false);
        }
        let (from, last) = (self.moved.stays_seq.saturating_add(1), expired.last_seq());
        let through = self.log.stays_through(expired.oldest, from, last)?;
        let bytes = self.log.sql.size()?;
        self.log.sql.transaction(|| {
            self.log.copy_stays(expired.oldest, from, through)?;
            match through >= last {
                true => self.drop(expired),
                false => Ok(()),
            }
        })?;
        self.moved.stays_seq = through;
        if through < last {
            return Ok(false);
        }
        self.outbox.stored();
        self.log.segments.forget(expired.oldest);
        self.shrunk(bytes)?;
        Ok(true)
    }

    /// Keeps the keys that only the segment's index knows, of events received
    /// after `since`.
    fn store_keys(&mut self, expired: &Expired, since: Timestamp) -> Result<(), SqlError> {
        let from = self.moved.keys_seq.saturating_add(1);
        let through = from
            .saturating_add(STEP_KEYS_MAX.saturating_sub(1))
            .min(expired.last_seq());
        let kept = format!(
            "INSERT OR IGNORE INTO kept_keys (seq, key, received_at, model, record_id)
             SELECT seq, key, received_at, model, record_id FROM {}
             WHERE seq BETWEEN ?1 AND ?2 AND by_key AND received_at > ?3",
            expired.oldest.table()
        );
        let params = [from.into(), through.into(), since.us().into()];
        self.log.sql.execute(&kept, &params)?;
        self.moved.keys_seq = through;
        self.index.keeps_keys(true);
        Ok(())
    }

    /// Forgets keys that are too old to tell a repetition; true if there are
    /// more of them. They are in the order of time, because the log is.
    fn forget_keys(&mut self, now: Timestamp, retention: &Retention) -> Result<bool, SqlError> {
        if !self.index.has_kept_keys() {
            return Ok(false);
        }
        let oldest = "SELECT received_at FROM kept_keys ORDER BY seq LIMIT 1";
        let rows = self.log.sql.query(oldest, &[])?;
        let Some(row) = rows.first() else {
            self.index.keeps_keys(false);
            return Ok(false);
        };
        let since = retention.keys_since(now).us();
        if row.integer(0)? > since {
            return Ok(false);
        }
        self.log.sql.execute(
            "DELETE FROM kept_keys WHERE seq <= (
               SELECT max(seq) FROM (
                 SELECT seq, received_at FROM kept_keys ORDER BY seq LIMIT ?1)
               WHERE received_at <= ?2)",
            &[STEP_KEYS_MAX.into(), since.into()],
        )?;
        Ok(true)
    }

    fn drop(&self, expired: &Expired) -> Result<(), SqlError> {
        self.log.forget_copies(expired)?;
        self.log.sql.execute(
            "DELETE FROM large WHERE seq < ?1 AND seq NOT IN (SELECT seq FROM events_0)",
            &[expired.next.first_seq.into()],
        )?;
        self.log.sql.execute(
            "DELETE FROM segments WHERE number = ?1",
            &[expired.oldest.number.into()],
        )?;
        self.log.forget_unplaced(expired.next.first_seq)?;
        // What a replay has done of a record was folded onto what goes.
        self.log
            .sql
            .execute("UPDATE refolds SET through = NULL", &[])?;
        // The dropped events may be the last ones, and have the watermark.
        self.log.sql.execute(
            "UPDATE ledger SET confirmed_seq = ?1, last_event_at = ?2",
            &[
                self.outbox.confirmed_seq().into(),
                self.sequence.last_received_at().us().into(),
            ],
        )?;
        self.log
            .sql
            .execute(&format!("DROP TABLE {}", expired.oldest.table()), &[])
    }

    /// Notes that the ledger had `before` bytes and has fewer: a segment's own
    /// bytes are those by which the ledger has grown since it began.
    pub(in crate::ledger) fn shrunk(&mut self, before: u64) -> Result<(), SqlError> {
        let freed = before.saturating_sub(self.log.sql.size()?);
        if freed == 0 {
            return Ok(());
        }
        self.log.sql.execute(
            "UPDATE segments SET began_bytes = max(0, began_bytes - ?1)",
            &[freed.into()],
        )?;
        self.log.segments.shrunk(freed);
        Ok(())
    }
}

impl<S: Sql> Log<S> {
    /// Up to which number of `from..=last` one step goes.
    fn stays_through(&self, oldest: Segment, from: u64, last: u64) -> Result<u64, SqlError> {
        let statement = format!(
            "SELECT seq, octet_length(body) + coalesce(octet_length(data), 0) FROM {}
             WHERE seq IN ({}) ORDER BY seq LIMIT {STEP_EVENTS_MAX}",
            oldest.table(),
            stays(oldest),
        );
        let rows = self.sql.query(&statement, &[from.into(), last.into()])?;
        let (mut bytes, mut through) = (0_u64, None);
        for row in &rows {
            bytes = bytes.saturating_add(row.number(1)?);
            if through.is_some() && bytes > STEP_BYTES_MAX {
                return Ok(through.unwrap_or(last));
            }
            through = Some(row.number(0)?);
        }
        let is_full = rows.len() >= STEP_EVENTS_MAX;
        Ok(through.filter(|_| is_full).unwrap_or(last))
    }

    fn copy_stays(&self, oldest: Segment, from: u64, through: u64) -> Result<(), SqlError> {
        let statement = format!(
            "INSERT OR REPLACE INTO events_0 ({COLUMNS}) SELECT {COLUMNS} FROM {}
             WHERE seq IN ({})",
            oldest.table(),
            stays(oldest),
        );
        self.sql.execute(&statement, &[from.into(), through.into()])
    }

    /// Forgets what was copied and isn't to stay any more: a replay or a redrive
    /// has come between two steps.
    fn forget_copies(&self, expired: &Expired) -> Result<(), SqlError> {
        let statement = format!(
            "DELETE FROM events_0 WHERE seq IN (
               SELECT e.seq FROM events_0 AS kept JOIN {} AS e ON e.seq = kept.seq
               WHERE kept.seq BETWEEN ?1 AND ?2 AND e.quarantine IS NULL AND coalesce(
                 (SELECT last_seq FROM dead WHERE first_seq <= e.seq
                  ORDER BY first_seq DESC LIMIT 1), 0) < e.seq)",
            expired.oldest.table()
        );
        let params = [expired.oldest.first_seq.into(), expired.last_seq().into()];
        self.sql.execute(&statement, &params)
    }

    /// Makes new events go into `segment`, which has its table already.
    pub(in crate::ledger) fn begin(&self, segment: Segment) -> Result<(), SqlError> {
        self.sql.execute(&segment.intake(), &[])?;
        self.sql.execute(
            "INSERT INTO segments (number, first_seq, began_at, format, began_bytes)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            &[
                segment.number.into(),
                segment.first_seq.into(),
                segment.began_at.us().into(),
                SEGMENT_FORMAT.into(),
                segment.began_bytes.into(),
            ],
        )
    }
}

/// Numbers `?1` to `?2` of a segment's events that outlive it: those that are
/// quarantined or dead, as far as they aren't in segment 0 as they are now.
fn stays(segment: Segment) -> String {
    const COPIED: &str = "EXISTS (SELECT 1 FROM events_0 AS kept WHERE kept.seq = e.seq
                 AND kept.quarantine IS e.quarantine AND kept.replay IS e.replay)";
    let table = segment.table();
    format!(
        "SELECT seq FROM (
           SELECT seq FROM {table} AS e
             WHERE quarantine IS NOT NULL AND seq BETWEEN ?1 AND ?2
               AND NOT {COPIED}
             ORDER BY seq LIMIT {STEP_EVENTS_MAX})
         UNION SELECT seq FROM (
           SELECT e.seq FROM dead JOIN {table} AS e
             ON e.seq BETWEEN max(dead.first_seq, ?1) AND min(dead.last_seq, ?2)
             WHERE dead.last_seq >= ?1 AND dead.first_seq <= ?2 AND e.ignored IS NULL
               AND NOT {COPIED}
             ORDER BY e.seq LIMIT {STEP_EVENTS_MAX})
         ORDER BY 1 LIMIT {STEP_EVENTS_MAX}"
    )
}
