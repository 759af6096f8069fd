//! Replays: the kept raw bodies read again, with today's code and filter.
//!
//! A replayed event keeps its number; what it means, and whether it is
//! forwarded, is decided anew. Every record that it touches is folded again,
//! in the order of the log, so that it comes out as if its events had been
//! read that way at first. The alarm works a replay off in steps, which end
//! within a record's events if there are many: no webhook waits for longer
//! than one step.
//!
//! Replays are worked off one after the other, so that what has the greater
//! number is the newer. Redrives out of quarantine stand in the same line.

mod chain;
mod event;
mod ground;
mod lift;
mod record;
mod refold;
mod request;

use std::collections::VecDeque;

use lift::REDRIVE;
use refold::Refold;
pub use request::{Progress, Request};

use super::log::retention::Moved;
use super::log::segments::FORWARDED;
use super::outbox::resends::Resend;
use super::{Ledger, Ranges, Rewrite, SeqRange, first};
use crate::dialect::Dialect;
use crate::dialect::filter::Filter;
use crate::json::{self, texts_or_null};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// Time between two steps.
const STEP_S: u64 = 1;

/// How much one step of a replay may do; it does at least something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Events that are read, or folded, again.
    pub events_max: u64,
    /// Bytes of their bodies and data, of which an object's memory must hold
    /// some at once.
    pub bytes_max: u64,
}

/// The replays and redrives of a ledger.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Replays {
    /// One was asked for and has not ended.
    is_going_on: bool,
    pace: Pace,
}

impl Replays {
    /// As the tables have it.
    pub fn load(is_going_on: bool) -> Self {
        Self {
            is_going_on,
            pace: Pace::default(),
        }
    }
}

impl Default for Pace {
    /// 500 events take some 50 ms natively and some 250 ms in wasm, of the 4 s
    /// that a webhook waits for its ledger; 8 MB are read and written in as
    /// long.
    fn default() -> Self {
        Self {
            events_max: 500,
            bytes_max: 8_000_000,
        }
    }
}

/// What is left of a step.
struct Budget(Pace);

impl Budget {
    fn is_left(&self) -> bool {
        self.0.events_max > 0 && self.0.bytes_max > 0
    }

    /// Events that may still be folded.
    fn rows(&self) -> usize {
        usize::try_from(self.0.events_max).unwrap_or(usize::MAX)
    }

    /// Counts an event of so many bytes.
    fn spend(&mut self, bytes: u64) {
        self.0.events_max = self.0.events_max.saturating_sub(1);
        self.0.bytes_max = self.0.bytes_max.saturating_sub(bytes);
    }
}

/// How bodies are read today.
pub struct Reader<'a> {
    /// The source's dialect.
    pub dialect: &'static dyn Dialect,
    /// What the source's owner wants to have.
    pub filter: &'a Filter,
}

/// The replay at hand.
pub(super) struct Job {
    pub number: u64,
    /// The number of its first step that wrote: greater than all of the replays
    /// before it.
    written_from: Rewrite,
    /// The number of its last step that wrote, if one has.
    written_as: Option<Rewrite>,
    from: u64,
    pub to: u64,
    models: Option<Vec<String>>,
    events: Option<Vec<String>>,
    /// Only events about records of this id.
    record_id: Option<String>,
    pub next: u64,
    /// It reads nothing again, but lifts quarantines.
    is_redrive: bool,
}

/// A replay's step on its way.
pub(super) struct Step<'a> {
    pub job: &'a Job,
    reader: &'a Reader<'a>,
    /// What `job` asks for, as a filter.
    wanted: Filter,
    pub now: Timestamp,
    /// Events that were written anew.
    touched: Ranges,
    budget: Budget,
    /// Records that are to be folded again, in order.
    refolds: VecDeque<Refold>,
    /// Events were ignored because their record's property isn't known.
    has_unplaced: bool,
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

impl Step<'_> {
    /// The next event may be looked at.
    fn is_free(&self) -> bool {
        self.refolds.is_empty() && self.budget.is_left()
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

impl<S: Sql> Ledger<S> {
    /// Makes each step of a replay do as much as `pace` says.
    pub fn set_pace(&mut self, pace: Pace) {
        self.replays.pace = pace;
    }

    /// True if a replay was asked for and has not ended.
    pub fn has_replay(&self) -> bool {
        self.replays.is_going_on
    }

    /// Takes one step of the oldest replay that has not ended. Returns when to
    /// take the next one, if there is one: until then the alarm is to be set.
    /// What was written anew is to be forwarded.
    pub fn replay(
        &mut self,
        reader: &Reader,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        if !self.replays.is_going_on {
            return Ok(None);
        }
        let Some(job) = self.job()? else {
            self.replays.is_going_on = false;
            return Ok(None);
        };
        let mut step = Step {
            job: &job,
            reader,
            wanted: Filter::new(job.models.clone(), job.events.clone(), None),
            now,
            touched: Ranges::default(),
            budget: Budget(self.replays.pace),
            refolds: VecDeque::new(),
            has_unplaced: false,
        };
        let index_until = self.index.next_until(true, self.sequence.received_at(now));
        let resends = self.sql.transaction(|| {
            if let Some(until) = index_until {
                self.store_index_until(until)?;
            }
            self.take_step(&mut step)
        })?;
        self.index.noted(index_until);
        self.unplaced.add(step.has_unplaced);
        self.health.outdate();
        // What was written anew may have to outlive its segment, or not any more.
        self.moved = Moved::default();
        for resend in resends {
            self.outbox.resend(resend);
        }
        self.redrive_dead(&step.touched, now)?;
        self.replays.is_going_on = self.job()?.is_some();
        if !self.replays.is_going_on {
            return Ok(None);
        }
        Ok(Some(self.arm_at(now.plus_s(STEP_S))))
    }

    /// Goes on with the records that the step before has left, then with the
    /// events that weren't looked at, as far as the step goes.
    fn take_step(&self, step: &mut Step) -> Result<Vec<Resend>, SqlError> {
        let job = step.job;
        if job.is_redrive {
            return self.lift(step);
        }
        step.refolds = self.stored_refolds(job.number)?.into();
        let had_refolds = !step.refolds.is_empty();
        self.fold_on(step)?;
        let mut through = job.next.saturating_sub(1);
        let mut looked_at = 0_u64;
        if step.is_free() {
            let last = self.step_end(job)?;
            for (seq, is_written) in self.wanted(job, last)? {
                if !step.is_free() {
                    break;
                }
                looked_at = looked_at.saturating_add(1);
                through = seq;
                match is_written {
                    true => step.budget.spend(0),
                    false => self.reread(step, seq)?,
                }
                self.fold_on(step)?;
            }
            if step.is_free() {
                through = last;
            }
        }
        let has_ended = through >= job.to && step.refolds.is_empty();
        if had_refolds || !step.refolds.is_empty() {
            self.store_refolds(job.number, &step.refolds)?;
        }
        let resends = self.store_touched(step, through)?;
        let has_written = !step.touched.is_empty() || !resends.is_empty();
        self.store_progress(step, through, looked_at, has_ended, has_written)?;
        Ok(resends)
    }

    fn job(&self) -> Result<Option<Job>, SqlError> {
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

    /// The last event that the next step may look at.
    fn step_end(&self, job: &Job) -> Result<u64, SqlError> {
        let Pace {
            events_max,
            bytes_max,
        } = self.replays.pace;
        let sizes = self.scan("seq, length(body)", "", job.left(), events_max)?;
        if (sizes.len() as u64) < events_max {
            let bytes = sizes.iter().map(|row| row.number(1));
            if bytes.sum::<Result<u64, _>>()? <= bytes_max {
                return Ok(job.to);
            }
        }
        let (mut bytes, mut last) = (0_u64, None);
        for row in &sizes {
            bytes = bytes.saturating_add(row.number(1)?);
            if last.is_some() && bytes > bytes_max {
                break;
            }
            last = Some(row.number(0)?);
        }
        Ok(last.unwrap_or(job.to))
    }

    /// Numbers of the events to look at in this step, and whether this replay
    /// has written them already.
    fn wanted(&self, job: &Job, last: u64) -> Result<Vec<(u64, bool)>, SqlError> {
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

    fn count_wanted(
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

    /// Notes what was written anew: all within the step is one stretch, anything
    /// else one of its own. Also what wasn't sent yet, for it may be on its way
    /// as it was before. What an earlier step wrote ahead, and this one passes,
    /// is this one's from now on.
    fn store_touched(&self, step: &Step, last: u64) -> Result<Vec<Resend>, SqlError> {
        let (job, rewrite, since) = (step.job, step.job.next_rewrite(), step.now);
        let resend = |events: SeqRange| Resend {
            events,
            rewrite,
            since,
        };
        // What a later step will pass is that one's.
        let touched = step.touched.numbers();
        let outside = touched.filter(|seq| *seq < job.next || *seq > job.to);
        let mut resends: Vec<_> = outside.map(|seq| resend(SeqRange::one(seq))).collect();
        let passed = SeqRange::new(job.next, last);
        for (segment, part) in self.segments.within(passed) {
            let statement = format!(
                "UPDATE {} SET replay = ?4 WHERE seq BETWEEN ?1 AND ?2 AND replay BETWEEN ?3 AND ?4 - 1",
                segment.table()
            );
            let params = [
                part.first.into(),
                part.last.into(),
                job.written_from.into(),
                rewrite.into(),
            ];
            self.sql.execute(&statement, &params)?;
        }
        let written = format!("{FORWARDED} AND replay = {}", rewrite.0);
        let within = self.scan("seq", &written, passed, self.replays.pace.events_max)?;
        if let (Some(start), Some(end)) = (within.first(), within.last()) {
            let events = SeqRange::new(start.number(0)?, end.number(0)?);
            resends.push(resend(events));
        }
        self.store_resends(&resends)?;
        Ok(resends)
    }
}
