//! An event of a record's chain, as a replay reads it from the log.

use crate::ledger::dedupe_key;
use crate::ledger::log::Log;
use crate::ledger::log::kept::Kept;
use crate::record::generation::Generation;
use crate::signature::DedupeKey;
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// What an event says besides its record: `1 17` if it is ambiguous and of
/// generation 17. Where its columns don't know, because 0.1.0 took it in, its
/// data does.
const WRITTEN: &str = "
    CASE WHEN ambiguous IS NOT NULL THEN ambiguous || ' ' || generation
    ELSE (SELECT coalesce(json_extract(whole, '$.ambiguous'), 0) || ' '
                 || coalesce(json_extract(whole, '$.generation'), 0)
          FROM (SELECT coalesce(e.data, (SELECT l.data FROM large AS l WHERE l.seq = e.seq))
                         AS whole)) END";

/// What is read of an event, between [`Kept::COLUMNS`] and [`WRITTEN`].
const MEMBER: &str = "key, prev_seq, received_at, coalesce(octet_length(data), 0)";

/// An event of a chain, as the log has it.
pub(super) struct Member<'a> {
    pub kept: Kept<'a>,
    pub key: DedupeKey,
    pub prev_seq: Option<u64>,
    pub received_at: Timestamp,
    /// Of its body and data.
    pub bytes: u64,
    pub ambiguous: bool,
    pub generation: Generation,
}

impl<'a> Member<'a> {
    /// From its row: [`Kept::COLUMNS`], [`MEMBER`], [`WRITTEN`].
    pub fn of(row: &'a Row) -> Result<Self, SqlError> {
        let kept = Kept::of(row)?;
        let parts = row.text(8)?.split_once(' ');
        let written =
            parts.and_then(|(flag, number)| Some((flag == "1", Generation(number.parse().ok()?))));
        let broken = || SqlError("an event says something else of itself".to_owned());
        let (ambiguous, generation) = written.ok_or_else(broken)?;
        Ok(Self {
            kept,
            key: dedupe_key(row, 4)?,
            prev_seq: row.maybe_number(5)?,
            received_at: Timestamp::from_us(row.integer(6)?),
            bytes: (kept.body.len() as u64).saturating_add(row.number(7)?),
            ambiguous,
            generation,
        })
    }
}

impl<S: Sql> Log<S> {
    /// The row of the event `seq`, for [`Member::of`].
    pub(super) fn member(&self, seq: u64) -> Result<Option<Row>, SqlError> {
        self.one(&format!("{}, {MEMBER}, {WRITTEN}", Kept::COLUMNS), seq)
    }
}
