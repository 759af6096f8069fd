//! Replays: the kept raw bodies read again, with today's code and filter.
//!
//! A replayed event keeps its number; what it means, and whether it is
//! forwarded, is decided anew. Every record that it touches is folded again,
//! in the order of the log, so that it comes out as if its events had been
//! read that way at first. The alarm works a replay off in steps.

mod event;
mod record;

use super::again::Stretch;
use super::segments::FORWARDED;
use super::{Ledger, Ranges, first};
use crate::dialect::Dialect;
use crate::filter::Filter;
use crate::json::{self, Writer, texts_or_null};
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// Events and bytes of one step: an object has little memory.
const STEP_EVENTS_MAX: u64 = 100;
const STEP_BYTES_MAX: u64 = 8_000_000;
/// Time between two steps.
const STEP_S: u64 = 1;

/// What to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The first event.
    pub from: u64,
    /// The last event.
    pub to: u64,
    /// Only events about records of these models, and what isn't understood.
    pub models: Option<Vec<String>>,
    /// Only events of these names or kinds, and what isn't understood.
    pub events: Option<Vec<String>>,
}

/// How a replay goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its number, 1 for the first one.
    pub replay: u64,
    /// The first event.
    pub from: u64,
    /// The last event.
    pub to: u64,
    /// Events to look at.
    pub count: u64,
    /// Events looked at.
    pub done: u64,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Progress {
    /// As the API has it.
    pub fn to_json(&self) -> String {
        Writer::default()
            .number("replay", self.replay)
            .number("from", self.from)
            .number("to", self.to)
            .number("count", self.count)
            .number("done", self.done)
            .time("asked_at", self.asked_at)
            .time_or_null("ended_at", self.ended_at)
            .end()
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
struct Job {
    number: u64,
    from: u64,
    to: u64,
    models: Option<Vec<String>>,
    events: Option<Vec<String>>,
    next: u64,
}

/// A replay's step on its way.
struct Step<'a> {
    job: &'a Job,
    reader: &'a Reader<'a>,
    /// What `job` asks for, as a filter.
    wanted: Filter,
    now: Timestamp,
    /// Events that were written anew.
    touched: Ranges,
}

/// Events that a replay asks for, by what is known of them: those that aren't
/// understood are looked at in any case. `?3` and `?4` are models and events.
const WANTED: &str = "
    (?3 = 'null' OR model IS NULL OR EXISTS (
       SELECT 1 FROM json_each(?3) WHERE value = model
         OR value LIKE '%*' AND substr(model, 1, length(value) - 1) = rtrim(value, '*')))
    AND (?4 = 'null' OR kind IS NULL OR EXISTS (
       SELECT 1 FROM json_each(?4) WHERE value IN (name, kind)
         OR value LIKE '%*' AND (substr(name, 1, length(value) - 1) = rtrim(value, '*')
           OR substr(kind, 1, length(value) - 1) = rtrim(value, '*'))))";

const PROGRESS: &str = "number, from_seq, to_seq, count, looked_at, asked_at, ended_at";

impl<S: Sql> Ledger<S> {
    /// Takes in the request for a replay. The same request again, while the
    /// replay goes on, is the same replay. `None` if there is no event `to`.
    pub fn ask_for_replay(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Option<Progress>, SqlError> {
        if self.name.is_none() || request.to > self.mark.last_seq {
            return Ok(None);
        }
        let (models, events) = (&request.models, &request.events);
        let filter = json::list([models, events].into_iter().map(texts_or_null));
        let going_on = format!(
            "SELECT {PROGRESS} FROM replays
             WHERE ended_at IS NULL AND from_seq = ?1 AND to_seq = ?2 AND filter = ?3"
        );
        let (from, to) = (request.from.into(), request.to.into());
        let found = self
            .sql
            .query(&going_on, &[from, to, filter.as_str().into()])?;
        if let Some(row) = found.first() {
            return progress(row).map(Some);
        }
        let count = self.count_wanted(request.from, request.to, models, events)?;
        self.sql.execute(
            "INSERT INTO replays (number, from_seq, to_seq, filter, count, next_seq, looked_at,
                                  asked_at)
             SELECT coalesce(max(number), 0) + 1, ?1, ?2, ?3, ?4, ?1, 0, ?5 FROM replays",
            &[
                from,
                to,
                filter.as_str().into(),
                count.into(),
                now.us().into(),
            ],
        )?;
        self.mark.has_replay = true;
        self.last_replay()
    }

    /// The replay that was asked for last.
    pub(super) fn last_replay(&self) -> Result<Option<Progress>, SqlError> {
        let last = format!("SELECT {PROGRESS} FROM replays ORDER BY number DESC LIMIT 1");
        let rows = self.sql.query(&last, &[])?;
        rows.first().map(progress).transpose()
    }

    /// True if a replay was asked for and has not ended.
    pub fn has_replay(&self) -> bool {
        self.mark.has_replay
    }

    /// Takes one step of the oldest replay that has not ended. Gives when to
    /// take the next one, if there is one: until then the alarm is to be set.
    /// What was written anew is to be forwarded.
    pub fn replay(
        &mut self,
        reader: &Reader,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        if !self.mark.has_replay {
            return Ok(None);
        }
        let Some(job) = self.job()? else {
            self.mark.has_replay = false;
            return Ok(None);
        };
        let last = self.step_end(&job)?;
        let mut step = Step {
            job: &job,
            reader,
            wanted: Filter::new(job.models.clone(), job.events.clone(), None),
            now,
            touched: Ranges::default(),
        };
        let stretches = self.sql.transaction(|| {
            let wanted = self.wanted(&job, last)?;
            let looked_at = wanted.len() as u64;
            for (seq, is_written) in wanted {
                if !is_written {
                    self.read_again(&mut step, seq)?;
                }
            }
            self.keep_progress(&job, last, looked_at, now)?;
            self.keep_touched(&step, last)
        })?;
        self.mark.uses_index = true;
        self.mark.reported.is_outdated = true;
        for stretch in stretches {
            self.again.add(stretch);
        }
        for seq in step.touched.numbers() {
            if self.mark.dead.end_of(seq).is_some() {
                self.redrive(seq, seq, now)?;
            }
        }
        self.mark.has_replay = self.job()?.is_some();
        if !self.mark.has_replay {
            return Ok(None);
        }
        Ok(Some(self.arm_at(now.plus_s(STEP_S))))
    }

    fn job(&self) -> Result<Option<Job>, SqlError> {
        let rows = self.sql.query(
            "SELECT number, from_seq, to_seq, filter, next_seq FROM replays
             WHERE ended_at IS NULL ORDER BY number LIMIT 1",
            &[],
        )?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let filter = json::items(row.text(3)?).unwrap_or_default();
        let [models, events] = filter.as_slice() else {
            return Err(SqlError("a replay's filter is broken".to_owned()));
        };
        Ok(Some(Job {
            number: row.number(0)?,
            from: row.number(1)?,
            to: row.number(2)?,
            models: json::texts(models),
            events: json::texts(events),
            next: row.number(4)?,
        }))
    }

    /// The last event of the next step.
    fn step_end(&self, job: &Job) -> Result<u64, SqlError> {
        let range = (job.next, job.to);
        let sizes = self.scan("seq, length(body)", "", range, STEP_EVENTS_MAX)?;
        if (sizes.len() as u64) < STEP_EVENTS_MAX {
            let bytes = sizes.iter().map(|row| row.number(1));
            if bytes.sum::<Result<u64, _>>()? <= STEP_BYTES_MAX {
                return Ok(job.to);
            }
        }
        let (mut bytes, mut last) = (0_u64, None);
        for row in &sizes {
            bytes = bytes.saturating_add(row.number(1)?);
            if last.is_some() && bytes > STEP_BYTES_MAX {
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
        for (segment, from, to) in self.segments.within(job.next, last) {
            let statement = format!(
                "SELECT seq, coalesce(replay, 0) = ?5 FROM {}
                 WHERE seq BETWEEN ?1 AND ?2 AND {WANTED} ORDER BY seq",
                segment.table()
            );
            let params = [
                from.into(),
                to.into(),
                models.as_str().into(),
                events.as_str().into(),
                job.number.into(),
            ];
            for row in self.sql.query(&statement, &params)? {
                wanted.push((row.number(0)?, row.flag(1)?));
            }
        }
        Ok(wanted)
    }

    fn count_wanted(
        &self,
        from: u64,
        to: u64,
        models: &Option<Vec<String>>,
        events: &Option<Vec<String>>,
    ) -> Result<u64, SqlError> {
        let (models, events) = (texts_or_null(models), texts_or_null(events));
        let mut count = 0_u64;
        for (segment, from, to) in self.segments.within(from, to) {
            let statement = format!(
                "SELECT count(*) FROM {} WHERE seq BETWEEN ?1 AND ?2 AND {WANTED}",
                segment.table()
            );
            let params = [
                from.into(),
                to.into(),
                models.as_str().into(),
                events.as_str().into(),
            ];
            let row = first(self.sql.query(&statement, &params)?)?;
            count = count.saturating_add(row.number(0)?);
        }
        Ok(count)
    }

    fn keep_progress(
        &self,
        job: &Job,
        last: u64,
        looked_at: u64,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.sql.execute("UPDATE ledger SET uses_index = 1", &[])?;
        self.sql.execute(
            "UPDATE replays SET next_seq = ?2, looked_at = looked_at + ?3, ended_at = ?4
             WHERE number = ?1",
            &[
                job.number.into(),
                last.saturating_add(1).into(),
                looked_at.into(),
                (last >= job.to).then_some(now.us()).into(),
            ],
        )
    }

    /// Notes what was written anew: all within the step is one stretch, anything
    /// else one of its own. Also what wasn't sent yet, for it may be on its way
    /// as it was before.
    fn keep_touched(&self, step: &Step, last: u64) -> Result<Vec<Stretch>, SqlError> {
        let (replay, since) = (step.job.number, step.now);
        let single = |seq: u64| Stretch {
            first: seq,
            last: seq,
            replay,
            since,
        };
        // What a later step will pass is that one's.
        let touched = step.touched.numbers();
        let outside = touched.filter(|seq| *seq < step.job.next || *seq > step.job.to);
        let mut stretches: Vec<_> = outside.map(single).collect();
        let written = format!("{FORWARDED} AND replay = {replay}");
        let within = self.scan("seq", &written, (step.job.next, last), STEP_EVENTS_MAX)?;
        if let (Some(start), Some(end)) = (within.first(), within.last()) {
            stretches.push(Stretch {
                first: start.number(0)?,
                last: end.number(0)?,
                replay,
                since,
            });
        }
        stretches
            .iter()
            .try_for_each(|stretch| self.keep_again(stretch))?;
        Ok(stretches)
    }
}

fn progress(row: &Row) -> Result<Progress, SqlError> {
    Ok(Progress {
        replay: row.number(0)?,
        from: row.number(1)?,
        to: row.number(2)?,
        count: row.number(3)?,
        done: row.number(4)?,
        asked_at: Timestamp::from_us(row.integer(5)?),
        ended_at: row.maybe_integer(6)?.map(Timestamp::from_us),
    })
}
