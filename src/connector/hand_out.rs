//! Handing a request out: its path, and what must be known of it when its answer
//! comes.

use std::rc::Rc;

use super::Books;
use super::flight::{Flight, Task};
use super::owed::Group;
use super::schedule::Request;
use super::walks::{Class, WalkKey};
use crate::provider::{Api, Order, Query};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

impl Books {
    /// Hands a request out; `None` if there is no path for it.
    pub(super) fn hand_out(
        &mut self,
        sql: &impl Sql,
        number: u64,
        api: Rc<Api>,
        task: Task,
        now: Timestamp,
    ) -> Result<Option<Request>, SqlError> {
        let Some(known) = self.integrations.0.get(&number).cloned() else {
            return Ok(None);
        };
        let task = match task {
            Task::Page { key, .. } => {
                let query = match key.0 {
                    Class::Gone => self
                        .set_out_for_gone(&key, now)
                        .unwrap_or_else(first_of_all),
                    _ => self.set_out(sql, &key, &known.of.source, now)?,
                };
                Task::Page { key, query }
            }
            task => task,
        };
        let path = match &task {
            Task::Item { model, id } => api.kind.item(model, id),
            Task::Page { key, query } => api.kind.page(&key.2, &known.of.integration, query),
            Task::Probe { key } => {
                let query = first_of_all();
                api.kind.page(&key.2, &known.of.integration, &query)
            }
            Task::Log => {
                let log = self.change_logs.0.get(&number);
                log.and_then(|log| api.kind.log(&known.of.integration, &log.page()))
            }
        };
        let Some(path_and_query) = path else {
            return Ok(None);
        };
        self.pace.ask(now);
        self.store_pace(sql, false)?;
        let ticket = self.flights.add(Flight {
            task,
            integration: number,
            api,
            asked_seq: known.seq,
            epoch: known.epoch,
            asked_at: now,
            pending: None,
        });
        Ok(Some(Request {
            ticket,
            source: known.of.source,
            path_and_query,
        }))
    }

    /// The page to ask for of a walk, which begins with it if it hasn't.
    fn set_out(
        &mut self,
        sql: &impl Sql,
        key: &WalkKey,
        source: &str,
        now: Timestamp,
    ) -> Result<Query, SqlError> {
        if key.0 == Class::Hydrate && !self.walks.is_active(key) {
            let group = self.debts.groups.get(&(key.1, key.2.clone()));
            let since = group.and_then(Group::oldest).unwrap_or(now);
            // A walk through what has changed since goes back further by itself.
            self.walks.want(sql, key.clone(), Some(since), now)?;
        }
        let lists = self.known.model(source, &key.2).lists;
        let known = self.integrations.0.get(&key.1).cloned();
        let Some(walk) = self.walks.all.get_mut(key) else {
            return Ok(first_of_all());
        };
        if walk.began_at.is_none() {
            // Stored with the first page; until then it may begin anew.
            walk.began_at = Some(now);
            walk.began_seq = known.as_ref().map_or(0, |known| known.seq);
            walk.began_epoch = known.and_then(|known| known.epoch);
            walk.begin(lists);
        }
        Ok(walk.cursor.query(walk.order(), walk.limit))
    }
}

/// The first record of a list, whatever it is.
pub(super) fn first_of_all() -> Query {
    Query {
        order: Order::Created,
        changed_from: None,
        seen: None,
        offset: 0,
        limit: 1,
    }
}
