//! Reading the log of changes, and what follows from what the ledger says of it.

use super::answer::Verdict;
use super::change_log::ChangeLog;
use super::flight::{Comparing, Flight, Pending};
use super::{Books, Connector, Then};
use crate::ledger::{Changes, Compared, OwedRecord};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// When to ask again for what the ledger could not compare, in seconds.
const NOT_COMPARED_S: u64 = 10;
const FORBIDDEN: &str = "the key may not read the log of changes";
const NOT_THERE: &str = "there is no log of changes";

impl<S: Sql> Connector<S> {
    /// The ledger has compared what [`Then::Compare`] gave; `None` if it could
    /// not. Returns how many webhooks were lost, where that is known now.
    pub fn compared(
        &mut self,
        ticket: u64,
        compared: Option<&Compared>,
        now: Timestamp,
    ) -> Result<u64, SqlError> {
        let Some(flight) = self.books.flights.all.remove(&ticket) else {
            return Ok(0);
        };
        self.commit(now, |sql, books| {
            books.compared(sql, &flight, compared, now)
        })
    }
}

impl Books {
    /// The log has been asked for, and `verdict` is what came.
    pub(super) fn log_answered(
        &mut self,
        sql: &impl Sql,
        flight: &mut Flight,
        verdict: Verdict,
        source: &str,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        if let Verdict::Broken(why) = &verdict {
            self.known.fails(sql, source, why, now)?;
        } else {
            self.known.works(sql, source)?;
        }
        let text = match verdict {
            Verdict::Text(text) => text,
            Verdict::Forbidden => return self.log_stops(sql, flight, FORBIDDEN, now),
            Verdict::NotFound => return self.log_stops(sql, flight, NOT_THERE, now),
            Verdict::Unknown(_) => return self.log_stops(sql, flight, "status 400", now),
            Verdict::Refused(why) | Verdict::Broken(why) => {
                return self.change_log(sql, flight, &mut |log| log.fails(&why, now));
            }
            Verdict::NoKey(_) | Verdict::Limited => return Ok(Then::Done),
        };
        let known = self.integrations.0.get(&flight.integration);
        let page = flight.api.kind.read_log(&text);
        let (Some(known), Some(page)) = (known, page) else {
            let why = "the answer has another shape";
            return self.change_log(sql, flight, &mut |log| log.fails(why, now));
        };
        let limit = match self.change_logs.0.get(&flight.integration) {
            Some(log) => log.page().limit,
            None => return Ok(Then::Done),
        };
        let is_full = page.rows >= usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = page.rows == 0 || !page.has_more.unwrap_or(is_full);
        let of = known.of.clone();
        let changes = page.changes.clone();
        flight.pending = Some(Pending::Compare(Comparing {
            changes: page.changes,
            rows: page.rows as u64,
            is_last,
        }));
        if changes.is_empty() {
            self.compared(sql, flight, Some(&Compared::default()), now)?;
            flight.pending = None;
            return Ok(Then::Done);
        }
        Ok(Then::Compare(Changes { of, changes }))
    }

    fn log_stops(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        why: &str,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        self.note(sql, flight.integration, "", "", why, now)?;
        self.change_log(sql, flight, &mut |log| log.stops(why, now))
    }

    /// Changes how far the log is.
    fn change_log(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        change: &mut dyn FnMut(&mut ChangeLog),
    ) -> Result<Then, SqlError> {
        if let Some(mut log) = self.change_logs.0.get(&flight.integration).cloned() {
            change(&mut log);
            self.change_logs.put(sql, flight.integration, log)?;
        }
        Ok(Then::Done)
    }

    /// The ledger could not compare it: it is asked for again.
    pub(super) fn not_compared(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        let at = now.plus_s(NOT_COMPARED_S);
        self.change_log(sql, flight, &mut |log| log.again_at(at))
    }

    fn compared(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        compared: Option<&Compared>,
        now: Timestamp,
    ) -> Result<u64, SqlError> {
        let Some(Pending::Compare(page)) = &flight.pending else {
            return Ok(0);
        };
        let compared = compared.filter(|it| it.verdicts.len() == page.changes.len());
        let Some(compared) = compared else {
            self.not_compared(sql, flight, now)?;
            return Ok(0);
        };
        self.integrations
            .heard(flight.integration, compared.epoch, compared.seq);
        for record in &compared.owed {
            self.owes(sql, flight, record, now)?;
        }
        let mut lost = None;
        self.change_log(sql, flight, &mut |log| {
            let page = (page.changes.as_slice(), page.rows, page.is_last);
            lost = log.compared(page, compared, now);
        })?;
        Ok(lost.unwrap_or(0))
    }

    /// A record is owed of which a webhook was lost. It is asked for by a read
    /// that begins from now on.
    fn owes(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        record: &OwedRecord,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let known = self.integrations.0.get(&flight.integration);
        let seq = known.map_or(0, |known| known.seq);
        let key = (flight.integration, record.model.clone());
        // What is owed already is asked for anyway.
        let debt = self.debts.get(&key, &record.id);
        if debt.is_some_and(|debt| debt.is_open()) {
            return Ok(());
        }
        self.debts
            .told(sql, &key, &record.id, [record.since, now], seq)
    }
}
