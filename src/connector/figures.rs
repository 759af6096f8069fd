//! The numbers of each source, for D1: what has become of its requests, and how
//! it stands.
//!
//! What is counted is stored when it is reported, once a minute at the most, so
//! that a request costs no row. What a connector has counted since may be lost
//! with its memory: these numbers are for graphs and alerts.

use super::owed::State;
use super::sorted::Sorted;
use super::walks::Class;
use super::{Books, Connector, Setups};
use crate::json::{self, list, quoted};
use crate::sql::{Sql, SqlError, Statement, Value};
use crate::time::Timestamp;

/// What can become of a request. In the order of D1's columns.
pub const OUTCOMES: [&str; 5] = ["answered", "not_found", "refused", "limited", "failed"];

/// From the first thing that is new to its report, in seconds: what follows is
/// told along.
const REPORT_S: u64 = 60;
/// When a report that could not be written is made again, in seconds, while there
/// is nothing newer: D1 may lack its tables until somebody makes them.
const AGAIN_S: u64 = 600;

/// The D1 statement of a report: `?1` is a JSON array with the values of each
/// source. A report that has been overtaken by a later one changes nothing.
const REPORT: &str = "
    INSERT INTO connectors (source, reported_at, answered, not_found, refused, limited, failed,
                            repaired, lost, owed, given_up, walks, is_refused, owed_since,
                            standing_since)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
           value ->> 12, value ->> 13, value ->> 14
    FROM json_each(?1) WHERE true
    ON CONFLICT (source) DO UPDATE SET
      reported_at = excluded.reported_at, answered = excluded.answered,
      not_found = excluded.not_found, refused = excluded.refused, limited = excluded.limited,
      failed = excluded.failed, repaired = excluded.repaired, lost = excluded.lost,
      owed = excluded.owed, given_up = excluded.given_up, walks = excluded.walks, is_refused = excluded.is_refused,
      owed_since = excluded.owed_since, standing_since = excluded.standing_since
    WHERE excluded.reported_at > connectors.reported_at";

/// What a request has come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Answered,
    NotFound,
    Refused,
    Limited,
    Failed,
}

/// What was counted of a source, since the beginning.
#[derive(Debug, Clone, Default)]
struct Counts {
    requests: [u64; OUTCOMES.len()],
    repaired: u64,
    /// When it last answered as it should.
    answered_at: Timestamp,
}

/// What was counted, and what of it nobody has been told.
#[derive(Debug, Default)]
pub(super) struct Figures {
    counts: Sorted<String, Counts>,
    /// Since when there is something new; `None` if there is nothing.
    news_since: Option<Timestamp>,
}

impl Figures {
    pub(super) fn load(sql: &impl Sql) -> Result<Self, SqlError> {
        let mut figures = Self::default();
        let all = "SELECT source, requests, repaired, answered_at FROM counts";
        for row in sql.query(all, &[])? {
            let stored = json::value(row.text(1)?).and_then(|value| json::items(value.get()));
            let stored = stored.into_iter().flatten();
            let mut requests = [0; OUTCOMES.len()];
            for (count, stored) in requests.iter_mut().zip(stored) {
                *count = stored.get().parse().unwrap_or(0);
            }
            let counts = Counts {
                requests,
                repaired: row.number(2)?,
                answered_at: Timestamp::from_us(row.integer(3)?),
            };
            figures.counts.insert(row.text(0)?.to_owned(), counts);
        }
        Ok(figures)
    }

    fn of(&mut self, source: &str) -> Option<&mut Counts> {
        if !self.counts.has(source) {
            self.counts.insert(source.to_owned(), Counts::default());
        }
        self.counts.get_mut(source)
    }

    /// Counts a request. Any answer but one about the key, the limit or a server
    /// that doesn't work shows that the source can be asked.
    pub(super) fn request(&mut self, source: &str, outcome: Outcome, now: Timestamp) {
        let Some(counts) = self.of(source) else {
            return;
        };
        if let Some(count) = counts.requests.get_mut(outcome as usize) {
            *count = count.saturating_add(1);
        }
        if matches!(outcome, Outcome::Answered | Outcome::NotFound) {
            counts.answered_at = now;
        }
    }

    /// Counts records that a read has changed, and no webhook had told of.
    pub(super) fn repaired(&mut self, source: &str, records: u64) {
        if let Some(counts) = self.of(source) {
            counts.repaired = counts.repaired.saturating_add(records);
        }
    }

    /// There is something new.
    pub(super) fn outdate(&mut self, now: Timestamp) {
        self.news_since.get_or_insert(now);
    }

    /// A report is due.
    pub(super) fn overdue(&mut self, now: Timestamp) {
        self.news_since = Some(now.minus_s(REPORT_S));
    }

    /// When the next report is due.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.news_since.map(|since| since.plus_s(REPORT_S))
    }

    fn store(&self, sql: &impl Sql) -> Result<(), SqlError> {
        for (source, counts) in self.counts.iter() {
            let requests = list(counts.requests.iter().map(u64::to_string));
            sql.execute(
                "INSERT INTO counts (source, requests, repaired, answered_at)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (source) DO UPDATE SET
                   requests = ?2, repaired = ?3, answered_at = ?4
                 WHERE requests <> ?2 OR repaired <> ?3",
                &[
                    source.as_str().into(),
                    requests.as_str().into(),
                    counts.repaired.into(),
                    counts.answered_at.us().into(),
                ],
            )?;
        }
        Ok(())
    }
}

/// How a source stands.
#[derive(Default)]
struct Standing {
    /// Webhooks that are known to be lost.
    lost: u64,
    owed: u64,
    given_up: u64,
    walks: u64,
    /// Since when the oldest record is owed.
    owed_since: Option<Timestamp>,
    /// Since when the oldest work is due.
    due_since: Option<Timestamp>,
}

impl<S: Sql> Connector<S> {
    /// The report that is due, for D1; `None` if none is. What is counted is
    /// stored with it. If it can't be written, [`unreported`](Self::unreported) is to be called.
    pub fn report(
        &mut self,
        setups: Setups,
        now: Timestamp,
    ) -> Result<Option<Statement>, SqlError> {
        if self.books.figures.due_at().is_none_or(|at| at > now) {
            return Ok(None);
        }
        self.commit(now, |sql, books| books.figures.store(sql))?;
        self.books.figures.news_since = None;
        let mut sources: Vec<&str> = Vec::new();
        for known in self.books.integrations.0.values() {
            let source = known.of.source.as_str();
            if !sources.contains(&source) && self.books.api(setups, source).is_some() {
                sources.push(source);
            }
        }
        if sources.is_empty() {
            return Ok(None);
        }
        let rows = sources.iter().map(|source| self.books.row(source, now));
        Ok(Some(Statement {
            sql: REPORT,
            params: vec![Value::Text(list(rows))],
        }))
    }

    /// The report could not be written: it is made again.
    pub fn unreported(&mut self, now: Timestamp) {
        self.books
            .figures
            .outdate(now.plus_s(AGAIN_S).minus_s(REPORT_S));
    }
}

impl Books {
    /// The values of D1's row of a source.
    fn row(&self, source: &str, now: Timestamp) -> String {
        let counts = self.figures.counts.get(source).cloned().unwrap_or_default();
        let standing = self.standing(source, now);
        let state = self.known.sources.get(source);
        let is_refused = state.is_some_and(|state| state.is_refused);
        let own = [
            counts.repaired,
            standing.lost,
            standing.owed,
            standing.given_up,
            standing.walks,
            u64::from(is_refused),
        ];
        let numbers = counts.requests.iter().chain(&own).map(u64::to_string);
        let time = |time: Option<Timestamp>| {
            time.map_or_else(|| "null".to_owned(), |time| quoted(&time.to_string()))
        };
        let standing_since = standing.due_since.map(|due| due.max(counts.answered_at));
        let names = [quoted(source), quoted(&now.to_string())].into_iter();
        let times = [time(standing.owed_since), time(standing_since)];
        list(names.chain(numbers).chain(times))
    }

    fn standing(&self, source: &str, now: Timestamp) -> Standing {
        let is_meant = |number: &u64| {
            let known = self.integrations.0.get(number);
            known.is_some_and(|known| known.of.source == source)
        };
        let earlier = super::schedule::sooner;
        let logs = self.change_logs.0.iter();
        let logs = logs.filter(|(number, _)| is_meant(number));
        let mut standing = Standing {
            lost: logs.map(|(_, log)| log.lost).fold(0, u64::saturating_add),
            ..Standing::default()
        };
        let groups = self.debts.groups.iter().filter(|(key, _)| is_meant(&key.0));
        for debt in groups.flat_map(|(_, group)| group.debts.values()) {
            if !debt.is_open() {
                standing.given_up = standing.given_up.saturating_add(1);
                continue;
            }
            standing.owed = standing.owed.saturating_add(1);
            standing.owed_since = earlier(standing.owed_since, Some(debt.since));
            if debt.state == State::Waiting && debt.due_at <= now {
                // What someone wants at once is due since ever.
                let due_at = debt.due_at.max(debt.told_at);
                standing.due_since = earlier(standing.due_since, Some(due_at));
            }
        }
        let active = self.walks.active.keys().filter(|key| is_meant(&key.1));
        for key in active {
            standing.walks = standing.walks.saturating_add(1);
            let Some(walk) = self.walks.all.get(key) else {
                continue;
            };
            // A walk for what is owed begins when it is due.
            let since = walk.began_at.unwrap_or(walk.due_at);
            if key.0 != Class::Hydrate && since <= now {
                standing.due_since = earlier(standing.due_since, Some(since));
            }
        }
        standing
    }
}
