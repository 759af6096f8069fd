//! What a body holds, and what of it the ledger is to merge.

use super::Books;
use super::answer::Then;
use super::flight::{Flight, Merging, Pending, Task};
use super::models::Lists;
use super::walk::{Cursor, LIMIT, Step};
use super::walks::{Class, Walk, WalkKey};
use crate::ledger::{Fetched, Snapshots};
use crate::provider::{Order, Page, Query, Row, written};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// How much of its end a walk takes up once more, in seconds.
const LATE_S: u64 = 60;
const WRONG_SHAPE: &str = "the answer has another shape";
const FOREIGN: &str = "a record of another integration came";

impl Books {
    /// Reads what was found.
    pub(super) fn read(
        &mut self,
        sql: &impl Sql,
        flight: &mut Flight,
        text: &str,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        let read = match flight.task.clone() {
            Task::Item { model, id } => self.read_item(flight, &model, &id, text),
            Task::Page { key, query } => self.read_page(sql, flight, &key, &query, text, now)?,
            Task::Log => return Ok(Then::Done),
            Task::Probe { key } => {
                self.probed(sql, &key, now)?;
                return Ok(Then::Done);
            }
        };
        match read {
            Ok(then) => Ok(then),
            Err(why) => {
                self.fails(sql, flight, why, now)?;
                Ok(Then::Done)
            }
        }
    }

    fn read_item(
        &self,
        flight: &mut Flight,
        model: &str,
        id: &str,
        text: &str,
    ) -> Result<Then, &'static str> {
        let row = flight.api.kind.read_item(text).ok_or(WRONG_SHAPE)?;
        if row.id != id {
            return Err("another record came");
        }
        if self.is_foreign(flight, &row) {
            return Err(FOREIGN);
        }
        let debt = self.debts.get(&(flight.integration, model.to_owned()), id);
        let is_believed = debt.is_some_and(super::owed::Debt::is_believed);
        self.hand_over(flight, model, &[row], is_believed, None)
    }

    /// True if a record says that it is another integration's.
    fn is_foreign(&self, flight: &Flight, row: &Row) -> bool {
        let known = self.integrations.0.get(&flight.integration);
        let known = known.map(|known| known.of.integration.as_str());
        let stated = row.integration.as_deref();
        stated.is_some() && stated != known
    }

    fn read_page(
        &mut self,
        sql: &impl Sql,
        flight: &mut Flight,
        key: &WalkKey,
        query: &Query,
        text: &str,
        now: Timestamp,
    ) -> Result<Result<Then, &'static str>, SqlError> {
        let kind = flight.api.kind;
        let Some(page) = kind.read_page(text) else {
            return Ok(Err(WRONG_SHAPE));
        };
        let Some(walk) = self.walks.all.get(key).cloned() else {
            return Ok(Ok(Then::Done));
        };
        let foreign = |row: &Row| self.is_foreign(flight, row);
        if !kind.reach(&key.2).is_shared && page.rows.iter().any(foreign) {
            return Ok(Err(FOREIGN));
        }
        if key.0 == Class::Gone {
            let own = page.rows.iter().filter(|row| !self.is_foreign(flight, row));
            let own: Vec<&Row> = own.collect();
            let asked = (key, query);
            return self
                .read_unseen(sql, flight, asked, &page, &own, now)
                .map(Ok);
        }
        let step = walk.cursor.step(query, &page, walk.since);
        let (next, is_through) = match step {
            Step::Stuck => return Ok(Err("the list doesn't come forward")),
            Step::Unordered => {
                let lists = match query.order {
                    Order::Changed => Lists::Ordered,
                    _ => Lists::Plain,
                };
                self.learned(sql, flight, key, lists, now)?;
                return Ok(Ok(Then::Done));
            }
            Step::Next(cursor) => (Walk { cursor, ..walk }, false),
            // What is told later stays owed anyway.
            Step::End(_) if key.0 == Class::Hydrate => (walk, true),
            Step::End(last) => once_more(walk, last),
        };
        if query.order == Order::Changed {
            self.learn(sql, flight, &key.2, Lists::Since)?;
        }
        let own: Vec<Row> = page
            .rows
            .iter()
            .filter(|row| !self.is_foreign(flight, row))
            .cloned()
            .collect();
        let next = paged(next, &page);
        if own.is_empty() {
            self.page_done(sql, flight, key, next, is_through, now)?;
            return Ok(Ok(Then::Done));
        }
        Ok(self.hand_over(flight, &key.2, &own, false, Some((next, is_through))))
    }

    fn hand_over(
        &self,
        flight: &mut Flight,
        model: &str,
        rows: &[Row],
        is_believed: bool,
        walk: Option<(Walk, bool)>,
    ) -> Result<Then, &'static str> {
        let known = self
            .integrations
            .0
            .get(&flight.integration)
            .ok_or("not known")?;
        let fetched = |row: &Row| Fetched {
            id: row.id.to_string(),
            json: row.json.to_owned(),
        };
        let items: Vec<Fetched> = rows.iter().map(fetched).collect();
        let ids = items.iter().map(|item| item.id.clone()).collect();
        flight.pending = Some(Pending::Merge(Box::new(Merging { ids, walk })));
        Ok(Then::Merge(Snapshots {
            of: known.of.clone(),
            model: model.to_owned(),
            asked_seq: flight.asked_seq,
            epoch: flight.epoch,
            is_believed,
            items,
        }))
    }
}

/// A walk of several pages by time of change takes up its end once more: what
/// was stamped before may have come since. What comes later still, the next
/// walk meets, which begins before this one began. True if it is through.
fn once_more(walk: Walk, last: Option<Timestamp>) -> (Walk, bool) {
    let is_by_change = walk.order() == Order::Changed;
    let last = last.or_else(|| walk.cursor.from.as_deref().and_then(Timestamp::parse));
    match last {
        Some(last) if is_by_change && walk.requests > 0 && !walk.is_last => {
            let mut walk = walk;
            walk.cursor = Cursor {
                from: Some(written(last.minus_s(LATE_S))),
                ..Default::default()
            };
            walk.is_last = true;
            (walk, false)
        }
        _ => (walk, true),
    }
}

/// A walk after a page that was read.
fn paged(mut walk: Walk, page: &Page) -> Walk {
    let rows = u64::try_from(page.rows.len()).unwrap_or(0);
    walk.records = walk.records.saturating_add(rows);
    walk.requests = walk.requests.saturating_add(1);
    walk.limit = walk.limit.saturating_mul(2).clamp(1, LIMIT);
    walk.failures = 0;
    walk
}
