//! What is asked of a replay, how it gets in line, and how it goes.

use super::lift::REDRIVE;
use crate::dialect::event::Unclear;
use crate::json::{self, Writer, texts_or_null};
use crate::ledger::log::Log;
use crate::ledger::{Ledger, SeqRange};
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

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

impl Request {
    /// The range of events.
    fn range(&self) -> SeqRange {
        SeqRange::new(self.from, self.to)
    }
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

/// The columns that [`progress`] reads.
const PROGRESS: &str = "number, from_seq, to_seq, count, looked_at, asked_at, ended_at";

impl<S: Sql> Ledger<S> {
    /// Takes in the request for a replay. The same request again, while the
    /// replay goes on, is the same replay. `None` if there is no event `to`.
    pub fn ask_for_replay(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Option<Progress>, SqlError> {
        if self.name.is_none() || request.to > self.sequence.last() {
            return Ok(None);
        }
        let (models, events) = (&request.models, &request.events);
        let count = || self.log.count_wanted(request.range(), models, events);
        let asked = self.log.store_request(request, None, count, now)?;
        self.replays.is_going_on = true;
        Ok(asked)
    }

    /// The same for `count` events about the records with the id `record_id`
    /// alone.
    pub(in crate::ledger) fn ask_for_replay_of(
        &mut self,
        request: &Request,
        record_id: &str,
        count: u64,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.log
            .store_request(request, Some(record_id), || Ok(count), now)?;
        self.replays.is_going_on = true;
        Ok(())
    }

    /// The event `seq` came again, and is understood. If it wasn't because it
    /// was ahead of our clock, it is read again by a replay of its own.
    pub(in crate::ledger) fn catch_up(&mut self, seq: u64, now: Timestamp) -> Result<(), SqlError> {
        let ahead = Unclear::FutureTime.label();
        let row = self.log.one(&format!("quarantine IS '{ahead}'"), seq)?;
        if row.is_some_and(|row| row.flag(0) == Ok(true)) {
            let request = Request {
                from: seq,
                to: seq,
                models: None,
                events: None,
            };
            self.ask_for_replay(&request, now)?;
        }
        Ok(())
    }
}

impl<S: Sql> Log<S> {
    /// Puts a job into the queue of replays, under the next number.
    pub(in crate::ledger) fn begin_job(
        &self,
        range: SeqRange,
        filter: &str,
        record_id: Option<&str>,
        count: u64,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.sql.execute(
            "INSERT INTO replays (number, from_seq, to_seq, filter, record_id, count, next_seq,
                                  looked_at, asked_at)
             SELECT coalesce(max(number), 0) + 1, ?1, ?2, ?3, ?4, ?5, ?1, 0, ?6 FROM replays",
            &[
                range.first.into(),
                range.last.into(),
                filter.into(),
                record_id.into(),
                count.into(),
                now.us().into(),
            ],
        )
    }

    /// The replay that was asked for last.
    pub(in crate::ledger) fn last_replay(&self) -> Result<Option<Progress>, SqlError> {
        let last = format!(
            "SELECT {PROGRESS} FROM replays WHERE filter <> ?1 ORDER BY number DESC LIMIT 1"
        );
        let rows = self.sql.query(&last, &[REDRIVE.into()])?;
        rows.first().map(progress).transpose()
    }

    fn store_request(
        &self,
        request: &Request,
        record_id: Option<&str>,
        count: impl FnOnce() -> Result<u64, SqlError>,
        now: Timestamp,
    ) -> Result<Option<Progress>, SqlError> {
        let filters = [&request.models, &request.events];
        let filter = json::list(filters.into_iter().map(texts_or_null));
        let (from, to) = (request.from.into(), request.to.into());
        let asked = [from, to, filter.as_str().into(), record_id.into()];
        let going_on = format!(
            "SELECT {PROGRESS} FROM replays
             WHERE ended_at IS NULL AND from_seq = ?1 AND to_seq = ?2 AND filter = ?3
               AND record_id IS ?4"
        );
        if let Some(row) = self.sql.query(&going_on, &asked)?.first() {
            return progress(row).map(Some);
        }
        self.begin_job(request.range(), &filter, record_id, count()?, now)?;
        self.last_replay()
    }
}

/// How a replay goes, from its row.
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
