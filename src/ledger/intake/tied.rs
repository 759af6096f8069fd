//! The whole objects in the log that are of the same time as one that comes in
//! (decision 7): see [`crate::record::ties`].

use crate::dialect::event::{RecordKey, Subject};
use crate::dialect::{Dialect, Meaning};
use crate::ledger::dedupe_key;
use crate::ledger::log::Log;
use crate::ledger::log::kept::Kept;
use crate::record::ties::Tied;
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// How many events back those of the same time are looked for. A retry comes
/// up to a day after its event; what lies further back counts as older.
const STEPS_MAX: usize = 64;

/// Bytes of the bodies that are compared: an object has 128 MB.
const BYTES_MAX: u64 = 8_000_000;

/// Which events are looked for.
pub(in crate::ledger) struct Like<'a> {
    /// How bodies are read.
    pub dialect: &'static dyn Dialect,
    /// The record.
    pub record: RecordKey<'a>,
    /// When they happened.
    pub time: Timestamp,
}

impl<'a> Like<'a> {
    /// Those about `subject` at `time`.
    pub fn new(dialect: &'static dyn Dialect, subject: &'a Subject, time: Timestamp) -> Self {
        Self {
            dialect,
            record: subject.key(),
            time,
        }
    }
}

impl<S: Sql> Log<S> {
    /// The whole objects of a time among the events about a record up to
    /// `last_seq`, in the order of arrival.
    pub(in crate::ledger) fn tied(
        &self,
        like: &Like,
        last_seq: Option<u64>,
        now: Timestamp,
    ) -> Result<Vec<Tied>, SqlError> {
        let (mut found, mut bytes) = (Vec::new(), 0_u64);
        let mut next = last_seq;
        for _ in 0..STEPS_MAX {
            let Some(seq) = next else { break };
            let Some(row) = self.one("prev_seq, occurred_at, length(body)", seq)? else {
                break;
            };
            if row.maybe_integer(1)? == Some(like.time.us()) {
                bytes = bytes.saturating_add(row.number(2)?);
                if bytes > BYTES_MAX {
                    break;
                }
                let whole = self.one(&format!("{}, key", Kept::COLUMNS), seq)?;
                let tied = whole.map(|row| read(like, &row, now)).transpose()?;
                found.extend(tied.flatten());
            }
            next = row.maybe_number(0)?.filter(|prev| *prev < seq);
        }
        found.reverse();
        Ok(found)
    }
}

fn read(like: &Like, row: &Row, now: Timestamp) -> Result<Option<Tied>, SqlError> {
    let key = dedupe_key(row, 4)?;
    let reading = Kept::of(row)?.read(like.dialect, now);
    let Meaning::Event(event) = &reading.meaning else {
        return Ok(None);
    };
    let is_like = event.occurred_at == Some(like.time)
        && event
            .subject()
            .is_some_and(|subject| subject.key() == like.record);
    Ok(Tied::of(event, key).filter(|_| is_like))
}
