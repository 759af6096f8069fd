//! Discards: bodies and data of quarantined or dead events go for good, at an
//! operator's word.
//!
//! What is quarantined or dead stays however old it is, because it may be
//! replayed or redriven; only a discard ends that. The event keeps its number
//! and its place in the history, as discarded, with the reason for which it was
//! held; its key stays, so that a repetition is known. No other event is
//! touched. The record that such an event was about keeps what it knows: a
//! replay folds what came behind onto it.
//!
//! The alarm works a discard off in steps, of which none takes long.

use super::segments::{FORWARDED, QUARANTINED, Segment};
use crate::json::Writer;
use crate::ledger::log::Log;
use crate::ledger::{Ledger, SeqRange};
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// What stands before the reason in the column `ignored` of a discarded event:
/// nobody forwards it, and no filter has left it out.
pub(in crate::ledger) const DISCARDED: &str = "discarded:";

/// Events and bytes of one step, at least one event: 8 MB are freed in some
/// 20 ms.
const STEP_EVENTS_MAX: u64 = 500;
const STEP_BYTES_MAX: u64 = 8_000_000;
/// Time between two steps.
const STEP_S: u64 = 1;

/// Which events' bodies may be discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Those that aren't understood or can't be applied.
    Quarantined,
    /// Those in packs that could not be applied.
    Dead,
}

impl Held {
    /// The status in the history.
    pub fn label(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Dead => "dead",
        }
    }

    /// The one with this status; `None` if there is none.
    pub fn named(status: &str) -> Option<Self> {
        let mut all = [Self::Quarantined, Self::Dead].into_iter();
        all.find(|one| one.label() == status)
    }
}

/// What to discard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Events of this status.
    pub status: Held,
    /// The first event.
    pub from: u64,
    /// The last event; beyond the last there is, that one.
    pub to: u64,
}

impl Request {
    /// The range of events.
    fn events(&self) -> SeqRange {
        SeqRange::new(self.from, self.to)
    }
}

/// How a discard goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its number, 1 for the first one.
    pub discard: u64,
    /// What is discarded.
    pub request: Request,
    /// Events of that status when it was asked for.
    pub count: u64,
    /// Events that were discarded.
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
            .number("discard", self.discard)
            .text("status", self.request.status.label())
            .number("from", self.request.from)
            .number("to", self.request.to)
            .number("count", self.count)
            .number("done", self.done)
            .time("asked_at", self.asked_at)
            .time_or_null("ended_at", self.ended_at)
            .end()
    }
}

/// The discards of a ledger.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::ledger) struct Discards {
    /// One was asked for and has not ended.
    are_going_on: bool,
}

impl Discards {
    /// As the tables have it.
    pub fn load(are_going_on: bool) -> Self {
        Self { are_going_on }
    }
}

/// A step's own part of the log.
struct Portion {
    range: SeqRange,
    /// Events in it that are discarded.
    events: u64,
}

const PROGRESS: &str = "number, status, from_seq, to_seq, count, done, asked_at, ended_at";

impl<S: Sql> Ledger<S> {
    /// Takes in the request for a discard. The same request again, while it
    /// goes on, is the same discard. `None` if the ledger never took in an
    /// event.
    pub fn ask_for_discard(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Option<Progress>, SqlError> {
        if self.name.is_none() {
            return Ok(None);
        }
        let request = Request {
            to: request.to.min(self.sequence.last()),
            ..request.clone()
        };
        let (from, to) = (request.from.into(), request.to.into());
        let status = Param::Text(request.status.label());
        let going_on = format!(
            "SELECT {PROGRESS} FROM discards
             WHERE ended_at IS NULL AND status = ?1 AND from_seq = ?2 AND to_seq = ?3"
        );
        let found = self.log.sql.query(&going_on, &[status, from, to])?;
        if let Some(row) = found.first() {
            return progress(row).map(Some);
        }
        let count = self.count_held(&request)?;
        self.log.sql.execute(
            "INSERT INTO discards (number, status, from_seq, to_seq, count, done, next_seq,
                                   asked_at)
             SELECT coalesce(max(number), 0) + 1, ?1, ?2, ?3, ?4, 0, ?2, ?5 FROM discards",
            &[status, from, to, count.into(), now.us().into()],
        )?;
        self.discards.are_going_on = true;
        self.log.last_discard()
    }

    /// True if a discard was asked for and has not ended.
    pub fn has_discard(&self) -> bool {
        self.discards.are_going_on
    }

    fn count_held(&self, request: &Request) -> Result<u64, SqlError> {
        match request.status {
            Held::Quarantined => self.log.count(QUARANTINED, request.events()),
            Held::Dead => self
                .outbox
                .dead()
                .within(request.events())
                .try_fold(0_u64, |sum, range| {
                    Ok(sum.saturating_add(self.log.count(FORWARDED, range)?))
                }),
        }
    }

    /// Takes one step of the oldest discard that has not ended. Returns the
    /// discard as it is then, and when to take the next step, if there is one:
    /// until then the alarm is to be set. `None` if there was nothing to do.
    pub fn discard(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<(Progress, Option<Timestamp>)>, SqlError> {
        if !self.discards.are_going_on {
            return Ok(None);
        }
        let Some((mut progress, next)) = self.log.discard_at_hand()? else {
            self.discards.are_going_on = false;
            return Ok(None);
        };
        let request = &progress.request;
        let portion = self.next_portion(request, next)?;
        let bytes = self.log.sql.size()?;
        let ended_at = (portion.range.last >= request.to).then_some(now);
        self.log.sql.transaction(|| {
            match request.status {
                Held::Quarantined => self.log.discard_quarantined(&portion)?,
                Held::Dead => {
                    for range in self.outbox.dead().within(portion.range) {
                        self.log.discard_dead(range)?;
                    }
                    self.log.end_dead(portion.range)?;
                }
            }
            // What a replay has done of a record was folded onto what goes.
            let begin_anew = "UPDATE refolds SET through = NULL";
            self.log.sql.execute(begin_anew, &[])?;
            self.log.sql.execute(
                "UPDATE discards SET next_seq = ?2, done = done + ?3, ended_at = ?4
                 WHERE number = ?1",
                &[
                    progress.discard.into(),
                    portion.range.last.saturating_add(1).into(),
                    portion.events.into(),
                    ended_at.map(Timestamp::us).into(),
                ],
            )
        })?;
        if request.status == Held::Dead {
            self.outbox.restore(portion.range);
        }
        self.health.outdate();
        progress.done = progress.done.saturating_add(portion.events);
        progress.ended_at = ended_at;
        self.shrunk(bytes)?;
        self.discards.are_going_on = ended_at.is_none() || self.log.discard_at_hand()?.is_some();
        let goes_on = self.discards.are_going_on;
        let next_at = goes_on.then(|| self.arm_at(now.plus_s(STEP_S)));
        Ok(Some((progress, next_at)))
    }

    /// How far the next step goes, from the event `next` on.
    fn next_portion(&self, request: &Request, next: u64) -> Result<Portion, SqlError> {
        const SIZE: &str = "seq, octet_length(body) + coalesce(octet_length(data), 0)";
        let mut portion = Portion {
            range: SeqRange::new(next, request.to),
            events: 0,
        };
        let mut rows = Vec::new();
        match request.status {
            Held::Quarantined => {
                rows = self
                    .log
                    .scan(SIZE, QUARANTINED, portion.range, STEP_EVENTS_MAX)?;
            }
            Held::Dead => {
                for range in self.outbox.dead().within(portion.range) {
                    let left = STEP_EVENTS_MAX.saturating_sub(rows.len() as u64);
                    rows.extend(self.log.scan(SIZE, FORWARDED, range, left)?);
                }
            }
        }
        let mut bytes = 0_u64;
        for row in &rows {
            bytes = bytes.saturating_add(row.number(1)?);
            if portion.events > 0 && bytes > STEP_BYTES_MAX {
                portion.range.last = row.number(0)?.saturating_sub(1);
                return Ok(portion);
            }
            portion.events = portion.events.saturating_add(1);
        }
        if portion.events >= STEP_EVENTS_MAX
            && let Some(last) = rows.last()
        {
            portion.range.last = last.number(0)?;
        }
        Ok(portion)
    }
}

impl<S: Sql> Log<S> {
    fn discard_quarantined(&self, portion: &Portion) -> Result<(), SqlError> {
        for (segment, range) in self.segments.within(portion.range) {
            self.empty(segment, range, QUARANTINED, "quarantine")?;
        }
        Ok(())
    }

    fn discard_dead(&self, range: SeqRange) -> Result<(), SqlError> {
        let reason = "coalesce((SELECT reason FROM dead WHERE first_seq <= seq
                                ORDER BY first_seq DESC LIMIT 1), 'dead')";
        for (segment, range) in self.segments.within(range) {
            self.empty(segment, range, FORWARDED, reason)?;
        }
        Ok(())
    }

    /// Takes body and data from those events of a segment that meet
    /// `condition`, and notes why they were held.
    fn empty(
        &self,
        segment: Segment,
        range: SeqRange,
        condition: &str,
        reason: &str,
    ) -> Result<(), SqlError> {
        let table = segment.table();
        let params = [range.first.into(), range.last.into()];
        if segment != Segment::KEPT {
            // Copies for when the segment goes.
            let statement = format!("DELETE FROM events_0 WHERE seq BETWEEN ?1 AND ?2 {condition}");
            self.sql.execute(&statement, &params)?;
        }
        let large = format!(
            "DELETE FROM large WHERE seq BETWEEN ?1 AND ?2 AND seq IN (
               SELECT seq FROM {table} WHERE seq BETWEEN ?1 AND ?2 {condition})"
        );
        self.sql.execute(&large, &params)?;
        let empty = format!(
            "UPDATE {table} SET ignored = '{DISCARDED}' || {reason}, quarantine = NULL,
                                body = x'', data = NULL
             WHERE seq BETWEEN ?1 AND ?2 {condition}"
        );
        self.sql.execute(&empty, &params)
    }

    /// The discard that was asked for last.
    pub(in crate::ledger) fn last_discard(&self) -> Result<Option<Progress>, SqlError> {
        let last = format!("SELECT {PROGRESS} FROM discards ORDER BY number DESC LIMIT 1");
        let rows = self.sql.query(&last, &[])?;
        rows.first().map(progress).transpose()
    }

    /// The oldest discard that has not ended, and where it goes on.
    fn discard_at_hand(&self) -> Result<Option<(Progress, u64)>, SqlError> {
        let oldest = format!(
            "SELECT {PROGRESS}, next_seq FROM discards WHERE ended_at IS NULL
             ORDER BY number LIMIT 1"
        );
        let rows = self.sql.query(&oldest, &[])?;
        let at_hand = |row: &Row| Ok((progress(row)?, row.number(8)?));
        rows.first().map(at_hand).transpose()
    }
}

/// What is to be said of a discarded event's column `ignored`: for which reason
/// it was held. `None` if it wasn't discarded.
pub(in crate::ledger) fn reason(ignored: &str) -> Option<&str> {
    ignored.strip_prefix(DISCARDED)
}

fn progress(row: &Row) -> Result<Progress, SqlError> {
    let status = Held::named(row.text(1)?);
    Ok(Progress {
        discard: row.number(0)?,
        request: Request {
            status: status.ok_or_else(|| SqlError("a discard's status is broken".to_owned()))?,
            from: row.number(2)?,
            to: row.number(3)?,
        },
        count: row.number(4)?,
        done: row.number(5)?,
        asked_at: Timestamp::from_us(row.integer(6)?),
        ended_at: row.maybe_integer(7)?.map(Timestamp::from_us),
    })
}
