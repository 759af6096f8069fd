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
mod job;
mod lift;
mod member;
mod record;
mod refold;
mod request;

use std::collections::VecDeque;

use job::Job;
use refold::Refold;
pub use request::{Progress, Request};

use super::log::retention::Moved;
use super::log::segments::FORWARDED;
use super::outbox::resends::Resend;
use super::{Ledger, Ranges, SeqRange};
use crate::dialect::Dialect;
use crate::dialect::filter::Filter;
use crate::sql::{Sql, SqlError};
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

/// A replay's step on its way.
pub(super) struct Step<'a> {
    job: &'a Job,
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

impl Step<'_> {
    /// The next event may be looked at.
    fn is_free(&self) -> bool {
        self.refolds.is_empty() && self.budget.is_left()
    }
}

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
        let Some(job) = self.log.job()? else {
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
        let resends = self.log.sql.transaction(|| {
            if let Some(until) = index_until {
                self.log.store_index_until(until)?;
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
        self.replays.is_going_on = self.log.job()?.is_some();
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
        step.refolds = self.log.stored_refolds(job.number)?.into();
        let had_refolds = !step.refolds.is_empty();
        self.log.fold_on(step)?;
        let mut through = job.next.saturating_sub(1);
        let mut looked_at = 0_u64;
        if step.is_free() {
            let last = self.step_end(job)?;
            for (seq, is_written) in self.log.wanted(job, last)? {
                if !step.is_free() {
                    break;
                }
                looked_at = looked_at.saturating_add(1);
                through = seq;
                match is_written {
                    true => step.budget.spend(0),
                    false => self.log.reread(step, seq)?,
                }
                self.log.fold_on(step)?;
            }
            if step.is_free() {
                through = last;
            }
        }
        let has_ended = through >= job.to && step.refolds.is_empty();
        if had_refolds || !step.refolds.is_empty() {
            self.log.store_refolds(job.number, &step.refolds)?;
        }
        let resends = self.store_touched(step, through)?;
        let has_written = !step.touched.is_empty() || !resends.is_empty();
        self.log
            .store_progress(step, through, looked_at, has_ended, has_written)?;
        Ok(resends)
    }

    /// The last event that the next step may look at.
    fn step_end(&self, job: &Job) -> Result<u64, SqlError> {
        let Pace {
            events_max,
            bytes_max,
        } = self.replays.pace;
        let sizes = self
            .log
            .scan("seq, length(body)", "", job.left(), events_max)?;
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
        for (segment, part) in self.log.segments.within(passed) {
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
            self.log.sql.execute(&statement, &params)?;
        }
        let written = format!("{FORWARDED} AND replay = {}", rewrite.0);
        let within = self
            .log
            .scan("seq", &written, passed, self.replays.pace.events_max)?;
        if let (Some(start), Some(end)) = (within.first(), within.last()) {
            let events = SeqRange::new(start.number(0)?, end.number(0)?);
            resends.push(resend(events));
        }
        self.store_resends(&resends)?;
        Ok(resends)
    }
}
