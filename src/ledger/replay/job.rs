//! A replay at hand, as its row has it, and the events that it asks for.

use super::Step;
use super::lift::REDRIVE;
use crate::json::{self, texts_or_null};
use crate::ledger::log::Log;
use crate::ledger::{Rewrite, SeqRange, first};
use crate::sql::{Param, Sql, SqlError};

/// The replay at hand.
pub(super) struct Job {
    pub number: u64,
    /// The number of its first step that wrote: greater than all of the replays
    /// before it.
    pub written_from: Rewrite,
    /// The number of its last step that wrote, if one has.
    pub written_as: Option<Rewrite>,
    pub from: u64,
    pub to: u64,
    pub models: Option<Vec<String>>,
    pub events: Option<Vec<String>>,
    /// Only events about records of this id.
    pub record_id: Option<String>,
    pub next: u64,
    /// It reads nothing again, but lifts quarantines.
    pub is_redrive: bool,
}

impl Job {
    /// What is left to look at.
    pub fn left(&self) -> SeqRange {
        SeqRange::new(self.next, self.to)
    }

    /// What the next step writes as. Each has one of its own: what
    /// an earlier one wrote may be on its way, also in a pack that spans what this
    /// one brings in, and its confirmation is none of that. Not so those of a
    /// redrive, which go through the log in its order and write nothing twice.
    pub fn next_rewrite(&self) -> Rewrite {
        match self.written_as {
            None => self.written_from,
            Some(last) if self.is_redrive => last,
            Some(last) => last.next(),
        }
    }
}

/// Events that a replay asks for, by what is known of them: those that aren't
/// understood are looked at in any case, those without a body in none. `?3` and
/// `?4` are models and events, `?5` a record's id.
const WANTED: &str = "
    (ignored IS NULL OR ignored NOT LIKE 'discarded:%') AND (?5 IS NULL OR record_id = ?5) AND
    (?3 = 'null' OR model IS NULL OR EXISTS (
       SELECT 1 FROM json_each(?3) WHERE value = model
         OR value LIKE '%*' AND substr(model, 1, length(value) - 1) = rtrim(value, '*')))
    AND (?4 = 'null' OR kind IS NULL OR EXISTS (
       SELECT 1 FROM json_each(?4) WHERE value IN (name, kind)
         OR value LIKE '%*' AND (substr(name, 1, length(value) - 1) = rtrim(value, '*')
           OR substr(kind, 1, length(value) - 1) = rtrim(value, '*'))))";

impl<S: Sql> Log<S> {
    pub(super) fn job(&self) -> Result<Option<Job>, SqlError> {
        let rows = self.sql.query(
            "SELECT number, from_seq, to_seq, filter, next_seq, record_id, written_as,
                    (SELECT max(coalesce(b.written_as, b.number)) FROM replays AS b
                     WHERE b.number < a.number)
             FROM replays AS a WHERE ended_at IS NULL ORDER BY number LIMIT 1",
            &[],
        )?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let is_redrive = row.text(3)? == REDRIVE;
        let filter = if is_redrive {
            "[null,null]"
        } else {
            row.text(3)?
        };
        let filter = json::items(filter).unwrap_or_default();
        let [models, events] = filter.as_slice() else {
            return Err(SqlError("a replay's filter is broken".to_owned()));
        };
        let number = row.number(0)?;
        let before = row.maybe_number(7)?.unwrap_or(0);
        let written_from = Rewrite(number.max(before.saturating_add(1)));
        Ok(Some(Job {
            is_redrive,
            number,
            written_from,
            written_as: row.maybe_number(6)?.map(Rewrite),
            from: row.number(1)?,
            to: row.number(2)?,
            models: json::texts(models),
            events: json::texts(events),
            record_id: row.maybe_text(5)?.map(str::to_owned),
            next: row.number(4)?,
        }))
    }

    /// Numbers of the events to look at in this step, and whether this replay
    /// has written them already.
    pub(super) fn wanted(&self, job: &Job, last: u64) -> Result<Vec<(u64, bool)>, SqlError> {
        let (models, events) = (texts_or_null(&job.models), texts_or_null(&job.events));
        let mut wanted = Vec::new();
        for (segment, part) in self.segments.within(SeqRange::new(job.next, last)) {
            let statement = format!(
                "SELECT seq, coalesce(replay, 0) >= ?6 FROM {}
                 WHERE seq BETWEEN ?1 AND ?2 AND {WANTED} ORDER BY seq",
                segment.table()
            );
            let params = [
                part.first.into(),
                part.last.into(),
                models.as_str().into(),
                events.as_str().into(),
                job.record_id.as_deref().into(),
                job.written_from.into(),
            ];
            for row in self.sql.query(&statement, &params)? {
                wanted.push((row.number(0)?, row.flag(1)?));
            }
        }
        Ok(wanted)
    }

    pub(super) fn count_wanted(
        &self,
        range: SeqRange,
        models: &Option<Vec<String>>,
        events: &Option<Vec<String>>,
    ) -> Result<u64, SqlError> {
        let (models, events) = (texts_or_null(models), texts_or_null(events));
        let mut count = 0_u64;
        for (segment, part) in self.segments.within(range) {
            let statement = format!(
                "SELECT count(*) FROM {} WHERE seq BETWEEN ?1 AND ?2 AND {WANTED}",
                segment.table()
            );
            let params = [
                part.first.into(),
                part.last.into(),
                models.as_str().into(),
                events.as_str().into(),
                Param::Null,
            ];
            let row = first(self.sql.query(&statement, &params)?)?;
            count = count.saturating_add(row.number(0)?);
        }
        Ok(count)
    }

    pub(super) fn store_progress(
        &self,
        step: &Step,
        through: u64,
        looked_at: u64,
        has_ended: bool,
        has_written: bool,
    ) -> Result<(), SqlError> {
        self.sql.execute(
            "UPDATE replays SET next_seq = ?2, looked_at = looked_at + ?3, ended_at = ?4,
                                written_as = coalesce(?5, written_as)
             WHERE number = ?1",
            &[
                step.job.number.into(),
                through.saturating_add(1).into(),
                looked_at.into(),
                has_ended.then_some(step.now.us()).into(),
                has_written.then_some(step.job.next_rewrite()).into(),
            ],
        )
    }
}
