//! The log in segments: a table each, so that old history goes by dropping
//! one.

use super::Log;
use crate::dialect::event::RecordKey;
use crate::ledger::{Ledger, SeqRange};
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

const SEGMENT: &str = include_str!("segment.sql");
const INTAKE: &str = include_str!("intake.sql");

/// All columns of a segment's table. One that an older version made has them in
/// another order.
pub(in crate::ledger) const COLUMNS: &str = "seq, key, by_key, prev_seq, received_at, confirmed_seq, model, \
                                  record_id, name, kind, occurred_at, quarantine, ignored, replay, \
                                  data, body, occurred_ns, ambiguous, generation, asked_seq";

/// Condition of the events that are forwarded.
pub(in crate::ledger) const FORWARDED: &str = "AND quarantine IS NULL AND ignored IS NULL";
/// Condition of the quarantined ones: few, and in an index.
pub(in crate::ledger) const QUARANTINED: &str = "AND quarantine IS NOT NULL";

/// A stretch of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) struct Segment {
    pub number: u64,
    pub first_seq: u64,
    pub began_at: Timestamp,
    /// Bytes that the ledger had then.
    pub began_bytes: u64,
}

/// All segments in order, the present one last. Before the first of them
/// stands segment 0, which has what outlived its own.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct Segments {
    all: Vec<Segment>,
}

impl Segment {
    /// Segment 0.
    pub const KEPT: Self = Self {
        number: 0,
        first_seq: 1,
        began_at: Timestamp::from_us(0),
        began_bytes: 0,
    };

    /// The table with its events.
    pub fn table(&self) -> String {
        format!("events_{}", self.number)
    }

    /// `statements` with its table's name in place of `{events}`.
    pub fn named(&self, statements: &str) -> String {
        let table = self.table();
        let parts = statements.split(['{', '}']);
        parts
            .map(|part| if part == "events" { &table } else { part })
            .collect()
    }

    /// What makes its table.
    pub fn schema(&self) -> String {
        self.named(SEGMENT)
    }

    /// What makes new events go into it.
    pub fn intake(&self) -> String {
        self.named(INTAKE)
    }
}

impl Segments {
    /// Those of a new ledger, made at `now`.
    pub fn new(now: Timestamp) -> Self {
        let mut segments = Self {
            all: vec![Segment::KEPT],
        };
        let first = segments.next(0, now, 0);
        segments.all.push(first);
        segments
    }

    /// Those that the table `segments` has: number, first event, beginning,
    /// format and bytes. One that doesn't say how large the ledger was when it
    /// began counts as all of it, and ends soon.
    pub fn load(rows: &[Row]) -> Result<Self, SqlError> {
        let mut all = vec![Segment::KEPT];
        for row in rows {
            all.push(Segment {
                number: row.number(0)?,
                first_seq: row.number(1)?,
                began_at: Timestamp::from_us(row.integer(2)?),
                began_bytes: row.maybe_number(4)?.unwrap_or(0),
            });
        }
        Ok(Self { all })
    }

    /// The one to begin behind the event `last_seq`, when the ledger has
    /// `bytes`.
    pub fn next(&self, last_seq: u64, now: Timestamp, bytes: u64) -> Segment {
        Segment {
            number: self.present().number.saturating_add(1),
            first_seq: last_seq.saturating_add(1),
            began_at: now.max(self.present().began_at),
            began_bytes: bytes,
        }
    }

    /// Notes that `segment` has begun.
    pub fn begin(&mut self, segment: Segment) {
        self.all.push(segment);
    }

    /// Notes that the ledger has `freed` bytes less, none of them the present
    /// one's.
    pub fn shrunk(&mut self, freed: u64) {
        for segment in &mut self.all {
            segment.began_bytes = segment.began_bytes.saturating_sub(freed);
        }
    }

    /// Notes that `segment` is gone.
    pub fn forget(&mut self, segment: Segment) {
        self.all.retain(|one| one.number != segment.number);
    }

    /// There are none: no table was made.
    pub fn are_none(&self) -> bool {
        self.all.is_empty()
    }

    /// The one that new events go into.
    pub fn present(&self) -> Segment {
        self.all.last().copied().unwrap_or(Segment::KEPT)
    }

    /// All of them with segment 0, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Segment> {
        self.all.iter().copied()
    }

    /// The oldest one, and the one behind it, if there are two.
    pub fn oldest(&self) -> Option<(Segment, Segment)> {
        Some((*self.all.get(1)?, *self.all.get(2)?))
    }

    /// The first event of which the history is whole.
    pub fn kept_from(&self) -> u64 {
        self.all.get(1).map_or(1, |oldest| oldest.first_seq)
    }

    /// The segment with the event `seq`, if there was one.
    pub fn of(&self, seq: u64) -> Option<Segment> {
        let (segment, _) = self.within(SeqRange::one(seq)).next()?;
        Some(segment)
    }

    /// The segments with events of `range`, each with its part of them.
    pub fn within(&self, range: SeqRange) -> impl Iterator<Item = (Segment, SeqRange)> {
        let ends = self
            .all
            .iter()
            .skip(1)
            .map(|next| next.first_seq.saturating_sub(1));
        let ends = ends.chain([u64::MAX]);
        self.all
            .iter()
            .zip(ends)
            .map(move |(segment, end)| {
                let own = SeqRange::new(segment.first_seq, end);
                (*segment, range.within(own))
            })
            .filter(|(_, part)| !part.is_empty())
    }

    /// The segments with events received after `since`, the newest first.
    fn since(&self, since: Timestamp) -> impl Iterator<Item = Segment> {
        // One that began before has some, if those behind it don't have all.
        let mut done = false;
        self.all.iter().rev().copied().take_while(move |segment| {
            let wanted = !done;
            done |= segment.began_at <= since;
            wanted
        })
    }
}

impl<S: Sql> Log<S> {
    /// `columns` of the events of `range` that meet `condition`, at most
    /// `limit`, in order.
    pub(in crate::ledger) fn scan(
        &self,
        columns: &str,
        condition: &str,
        range: SeqRange,
        limit: u64,
    ) -> Result<Vec<Row>, SqlError> {
        let mut found = Vec::new();
        for (segment, part) in self.segments.within(range) {
            let left = limit.saturating_sub(found.len() as u64);
            if left == 0 {
                break;
            }
            let statement = format!(
                "SELECT {columns} FROM {} AS e WHERE seq BETWEEN ?1 AND ?2 {condition}
                 ORDER BY seq LIMIT ?3",
                segment.table()
            );
            let params = [part.first.into(), limit_of(part.last), left.into()];
            found.extend(self.sql.query(&statement, &params)?);
        }
        Ok(found)
    }

    /// `columns` of event `seq`.
    pub(in crate::ledger) fn one(&self, columns: &str, seq: u64) -> Result<Option<Row>, SqlError> {
        Ok(self
            .scan(columns, "", SeqRange::one(seq), 1)?
            .into_iter()
            .next())
    }

    /// How many of the events of `range` meet `condition`.
    pub(in crate::ledger) fn count(
        &self,
        condition: &str,
        range: SeqRange,
    ) -> Result<u64, SqlError> {
        let mut count = 0_u64;
        for (segment, part) in self.segments.within(range) {
            let statement = format!(
                "SELECT count(*) FROM {} WHERE seq BETWEEN ?1 AND ?2 {condition}",
                segment.table()
            );
            let row = self
                .sql
                .query(&statement, &[part.first.into(), limit_of(part.last)])?;
            count = count.saturating_add(crate::ledger::first(row)?.number(0)?);
        }
        Ok(count)
    }
}

impl<S: Sql> Ledger<S> {
    /// The last event with `key` about `record`, or about none,
    /// that was received after `since` and is in the index.
    pub(in crate::ledger) fn indexed(
        &self,
        key: &[u8],
        record: Option<RecordKey>,
        since: Timestamp,
    ) -> Result<Option<u64>, SqlError> {
        for segment in self.log.segments.since(since) {
            let statement = format!(
                "SELECT seq FROM {} WHERE key = ?1 AND by_key AND received_at > ?2
                   AND model IS ?3 AND record_id IS ?4
                 ORDER BY seq DESC LIMIT 1",
                segment.table()
            );
            let params = [
                Param::Blob(key),
                since.us().into(),
                record.map(|key| key.model).into(),
                record.map(|key| key.id).into(),
            ];
            if let Some(row) = self.log.sql.query(&statement, &params)?.first() {
                return row.number(0).map(Some);
            }
        }
        match self.index.has_kept_keys() {
            true => self.kept_key(key, record, since),
            false => Ok(None),
        }
    }

    /// The same among the keys of events that went early.
    fn kept_key(
        &self,
        key: &[u8],
        record: Option<RecordKey>,
        since: Timestamp,
    ) -> Result<Option<u64>, SqlError> {
        let rows = self.log.sql.query(
            "SELECT seq FROM kept_keys WHERE key = ?1 AND received_at > ?2
               AND model IS ?3 AND record_id IS ?4
             ORDER BY seq DESC LIMIT 1",
            &[
                Param::Blob(key),
                since.us().into(),
                record.map(|key| key.model).into(),
                record.map(|key| key.id).into(),
            ],
        )?;
        rows.first().map(|row| row.number(0)).transpose()
    }
}

fn limit_of(seq: u64) -> Param<'static> {
    // The platform's numbers are exact to 2^53 only.
    const SEQ_MAX: u64 = 1 << 53;
    seq.min(SEQ_MAX).into()
}
