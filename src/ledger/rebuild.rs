//! Rebuilding D1 from the ledger's records: for a D1 that was lost, replaced or
//! set back, and for a ledger that was.
//!
//! A rebuild begins a new epoch, so that what it writes wins over whatever D1
//! has, and what comes later over what it writes. The alarm works it off: each
//! step reads a stretch of records, in the order of their names, and hands them
//! to the host for D1; when D1 has them, the next one begins behind them. So
//! nothing is lost if a step fails, or its answer does, and a record may be
//! written twice.

use super::intake::dedupe::Recent;
use super::log::epoch::epoch_at;
use super::{Ledger, State, maybe_time};
use crate::json::Writer;
use crate::ledger::log::Log;
use crate::record::generation::Generation;
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// Records of one step, and bytes of their fields: D1 takes a parameter of
/// 2 MB, in which names stand beside the fields.
const STEP_RECORDS_MAX: u64 = 500;
const STEP_BYTES_MAX: usize = 1_000_000;
/// Time between two steps.
const STEP_S: u64 = 1;
/// How often a record is tried alone, while D1 takes other things, before it is
/// left out.
const ATTEMPTS_MAX: u32 = 5;

/// How the steps of a rebuild go. It is lost with the memory, and found anew.
#[derive(Debug, Clone, Copy)]
struct StepSize {
    /// Records of the next step.
    records_max: u64,
    /// How often a single one was refused.
    attempts: u32,
}

/// The rebuilds of a ledger.
#[derive(Debug, Clone, Default)]
pub(super) struct Rebuilds {
    /// One was asked for and has not ended.
    is_going_on: bool,
    /// How its steps go.
    step: StepSize,
}

impl Rebuilds {
    /// As the tables have it.
    pub fn load(is_going_on: bool) -> Self {
        Self {
            is_going_on,
            step: StepSize::default(),
        }
    }
}

impl Default for StepSize {
    fn default() -> Self {
        Self {
            records_max: STEP_RECORDS_MAX,
            attempts: 0,
        }
    }
}

/// How a rebuild goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// Its number, 1 for the first one.
    pub number: u64,
    /// Records when it was asked for.
    pub count: u64,
    /// Records that D1 has got.
    pub done: u64,
    /// Records that D1 refused, each alone and several times.
    pub refused: u64,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A step: what to write into D1, with
/// [`rebuilt`](crate::projection::rebuilt), and tell [`Ledger::rebuilt`] then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The rebuild's number.
    number: u64,
    /// The ledger's state, for the list of integrations.
    pub state: State,
    /// The records, in order.
    pub records: Vec<Rebuilt>,
    /// None comes behind them.
    is_last: bool,
}

/// A record as its ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Its model.
    pub model: String,
    /// Its id.
    pub record_id: String,
    /// The last event folded in.
    pub version: u64,
    /// The last replay that made it anew, or 0.
    pub generation: Generation,
    /// Its fields, JSON.
    pub fields: String,
    /// Only some of them are known.
    pub partial: bool,
    /// The provider contradicted what is known.
    pub drift: bool,
    /// When the provider last saw it, if it counts as gone.
    pub gone_since: Option<Timestamp>,
    /// When the event `version` happened or was received.
    pub occurred_at: Timestamp,
    /// That is only known to have been before, its event being gone.
    pub is_undated: bool,
}

impl Part {
    /// The same with nothing but the row in the list of integrations: whether
    /// D1 takes anything.
    pub fn without_records(&self) -> Self {
        Self {
            records: Vec::new(),
            ..self.clone()
        }
    }
}

impl Rebuild {
    /// As the API has it.
    pub fn to_json(&self) -> String {
        Writer::default()
            .number("rebuild", self.number)
            .number("count", self.count)
            .number("done", self.done)
            .number("refused", self.refused)
            .time("asked_at", self.asked_at)
            .time_or_null("ended_at", self.ended_at)
            .end()
    }
}

const PROGRESS: &str = "number, count, done, refused, asked_at, ended_at";
const RECORD: &str = "model, record_id, version, generation, fields, partial, drift, occurred_at,
                      occurred_ns, recent, gone_since";

impl<S: Sql> Ledger<S> {
    /// Takes in the request for a rebuild. The same one while it goes on.
    /// `None` if the ledger never took in an event.
    pub fn ask_for_rebuild(&mut self, now: Timestamp) -> Result<Option<Rebuild>, SqlError> {
        if self.name.is_none() {
            return Ok(None);
        }
        if !self.rebuilds.is_going_on {
            self.begin_epoch(0, now)?;
        }
        self.log.last_rebuild()
    }

    /// Begins a new epoch, greater than its own and than `beyond`, and a
    /// rebuild, which tells D1 of it. One that goes on begins anew.
    pub(super) fn begin_epoch(&mut self, beyond: u64, now: Timestamp) -> Result<(), SqlError> {
        let epoch = epoch_at(now).max(self.epoch.max(beyond).saturating_add(1));
        self.log.sql.transaction(|| {
            let statement = "UPDATE ledger SET epoch = ?1, owed_seq = NULL";
            self.log.sql.execute(statement, &[epoch.into()])?;
            let statement = "DELETE FROM rebuilds WHERE ended_at IS NULL";
            self.log.sql.execute(statement, &[])?;
            self.log.sql.execute(
                "INSERT INTO rebuilds (number, after_model, after_record_id, count, done, asked_at)
                 SELECT (SELECT coalesce(max(number), 0) + 1 FROM rebuilds), '', '', count(*), 0, ?1
                 FROM records",
                &[now.us().into()],
            )?;
            self.forget_report()
        })?;
        self.epoch = epoch;
        self.rebuilds.is_going_on = true;
        self.health.forget();
        // Of what it has lost, the provider knows.
        self.told.forget();
        Ok(())
    }

    /// True if a rebuild was asked for and has not ended.
    pub fn has_rebuild(&self) -> bool {
        self.rebuilds.is_going_on
    }

    /// The next step of the rebuild at hand, if there is one.
    pub fn next_part(&mut self) -> Result<Option<Part>, SqlError> {
        let going_on = "SELECT number, after_model, after_record_id FROM rebuilds
                        WHERE ended_at IS NULL ORDER BY number LIMIT 1";
        if !self.rebuilds.is_going_on {
            return Ok(None);
        }
        let rows = self.log.sql.query(going_on, &[])?;
        let (Some(at), Some(state)) = (rows.first(), self.state()?) else {
            // Whoever was to note its end here has failed.
            self.rebuilds.is_going_on = false;
            return Ok(None);
        };
        let mut part = Part {
            number: at.number(0)?,
            state,
            records: Vec::new(),
            is_last: true,
        };
        let statement = format!(
            "SELECT {RECORD} FROM records WHERE (model, record_id) > (?1, ?2)
             ORDER BY model, record_id LIMIT 1"
        );
        let (mut model, mut record_id) = (at.text(1)?.to_owned(), at.text(2)?.to_owned());
        let mut bytes = 0_usize;
        // One by one: a record may have 2 MB, and an object has little memory.
        while let Some(row) = self
            .log
            .sql
            .query(
                &statement,
                &[model.as_str().into(), record_id.as_str().into()],
            )?
            .first()
        {
            let record = self.to_rebuild(row)?;
            bytes = bytes.saturating_add(record.fields.len());
            let is_full = part.records.len() as u64 >= self.rebuilds.step.records_max
                || bytes > STEP_BYTES_MAX;
            if is_full && !part.records.is_empty() {
                part.is_last = false;
                break;
            }
            (model, record_id) = (record.model.clone(), record.record_id.clone());
            part.records.push(record);
        }
        Ok(Some(part))
    }

    /// Notes that D1 has `part`. Returns when to take the next step, if there is
    /// one: until then the alarm is to be set.
    pub fn rebuilt(&mut self, part: &Part, now: Timestamp) -> Result<Option<Timestamp>, SqlError> {
        // What D1 got in an epoch that is over, it has to get again.
        if part.state.epoch != self.epoch {
            return Ok(None);
        }
        let step = &mut self.rebuilds.step;
        step.attempts = 0;
        step.records_max = step.records_max.saturating_mul(2).min(STEP_RECORDS_MAX);
        self.go_on_behind(part, false, now)
    }

    /// Notes that D1 didn't take `part`, and whether it takes other things. The
    /// step is taken again: half of it, down to a single record, which is left
    /// out if it alone is refused again and again. Returns when; if nothing, with
    /// the next alarm.
    pub fn refused(
        &mut self,
        part: &Part,
        takes_others: bool,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        if !takes_others || part.state.epoch != self.epoch || !self.rebuilds.is_going_on {
            return Ok(None);
        }
        let records = part.records.len() as u64;
        let step = &mut self.rebuilds.step;
        step.records_max = (records / 2).max(1);
        if records <= 1 {
            step.attempts = step.attempts.saturating_add(1);
            if step.attempts >= ATTEMPTS_MAX {
                step.attempts = 0;
                return self.go_on_behind(part, true, now);
            }
        }
        Ok(Some(self.arm_at(now.plus_s(STEP_S))))
    }

    /// Goes on behind `part`.
    fn go_on_behind(
        &mut self,
        part: &Part,
        is_refused: bool,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        let last = part.records.last();
        let names = last.map(|last| (last.model.as_str(), last.record_id.as_str()));
        let (model, record_id) = names.unzip();
        self.log.sql.execute(
            "UPDATE rebuilds SET after_model = coalesce(?2, after_model),
                    after_record_id = coalesce(?3, after_record_id), 
                    done = done + iif(?6, 0, ?4), refused = refused + iif(?6, ?4, 0), ended_at = ?5
             WHERE number = ?1 AND ended_at IS NULL
               AND (?2 IS NULL OR (?2, ?3) > (after_model, after_record_id))",
            &[
                part.number.into(),
                model.into(),
                record_id.into(),
                (part.records.len() as u64).into(),
                part.is_last.then_some(now.us()).into(),
                is_refused.into(),
            ],
        )?;
        let left = "SELECT number FROM rebuilds WHERE ended_at IS NULL LIMIT 1";
        self.rebuilds.is_going_on = !self.log.sql.query(left, &[])?.is_empty();
        if !self.rebuilds.is_going_on {
            return Ok(None);
        }
        Ok(Some(self.arm_at(now.plus_s(STEP_S))))
    }

    fn to_rebuild(&self, row: &Row) -> Result<Rebuilt, SqlError> {
        let version = row.number(2)?;
        let stated = maybe_time(row, 7, 8)?;
        let known = match stated {
            Some(time) => Some(time),
            None => self.version_received_at(version, row)?,
        };
        Ok(Rebuilt {
            model: row.text(0)?.to_owned(),
            record_id: row.text(1)?.to_owned(),
            version,
            generation: Generation(row.number(3)?),
            fields: row.text(4)?.to_owned(),
            partial: row.flag(5)?,
            drift: row.flag(6)?,
            gone_since: row.maybe_integer(10)?.map(Timestamp::from_us),
            occurred_at: known.unwrap_or(self.history_began_at()),
            is_undated: known.is_none(),
        })
    }

    /// When the event `seq` about the record in `row` was received, if that is
    /// known.
    fn version_received_at(&self, seq: u64, row: &Row) -> Result<Option<Timestamp>, SqlError> {
        if let Some(event) = self.log.one("received_at", seq)? {
            return event.integer(0).map(Timestamp::from_us).map(Some);
        }
        Ok(Recent::parse(row.blob(9)?)?.received_at(seq))
    }

    /// What is gone from the history was received before.
    fn history_began_at(&self) -> Timestamp {
        let oldest = self.log.segments.iter().nth(1);
        oldest.map_or(self.sequence.last_received_at(), |segment| segment.began_at)
    }
}

impl<S: Sql> Log<S> {
    /// The rebuild that was asked for last.
    pub(super) fn last_rebuild(&self) -> Result<Option<Rebuild>, SqlError> {
        let last = format!("SELECT {PROGRESS} FROM rebuilds ORDER BY number DESC LIMIT 1");
        let rows = self.sql.query(&last, &[])?;
        rows.first().map(rebuild).transpose()
    }
}

fn rebuild(row: &Row) -> Result<Rebuild, SqlError> {
    Ok(Rebuild {
        number: row.number(0)?,
        count: row.number(1)?,
        done: row.number(2)?,
        refused: row.number(3)?,
        asked_at: Timestamp::from_us(row.integer(4)?),
        ended_at: row.maybe_integer(5)?.map(Timestamp::from_us),
    })
}
