//! What isn't found, isn't understood or fails, and what follows for what was
//! asked for.

use super::Books;
use super::flight::{Flight, Task};
use super::models::Lists;
use super::unseen::UNLIMITED;
use super::walks::{Class, Walk, WalkKey};
use crate::provider::Order;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// Longest pause of a page that fails, in seconds.
const PAGE_S_MAX: u64 = 600;
/// After so many failures of a single record in a list it is passed over.
const SKIPPED_AFTER: u32 = 12;
/// After so many failures a page is as short as it can be: it is halved each
/// time.
const SHORTEST_AFTER: u32 = 8;
/// After so many a walk breaks off whose list isn't there, or is refused.
const BROKEN_AFTER: u32 = 3;

impl Books {
    /// A request that the API doesn't understand: perhaps one that an older
    /// generation of it doesn't know.
    pub(super) fn unknown(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        source: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        if let Some(key) = flight.task.walk().filter(|key| key.0 == Class::Gone) {
            return self.break_off(sql, key, UNLIMITED, now);
        }
        let lists = self.known.model(source, flight.task.model()).lists;
        let is_new = flight.api.kind.is_unknown_parameter(text) || lists != Lists::Since;
        match &flight.task {
            Task::Page { key, query } if query.order == Order::Changed && is_new => {
                self.learned(sql, flight, key, Lists::Ordered, now)
            }
            Task::Page { key, query } if query.order == Order::ChangedLast => {
                self.learned(sql, flight, key, Lists::Plain, now)
            }
            _ => self.fails(sql, flight, "status 400", now),
        }
    }

    /// What the list can do is known now.
    pub(super) fn learn(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        model: &str,
        lists: Lists,
    ) -> Result<(), SqlError> {
        let known = self.integrations.0.get(&flight.integration);
        let source = known
            .map(|known| known.of.source.clone())
            .unwrap_or_default();
        if self.known.model(&source, model).lists == lists {
            return Ok(());
        }
        self.known
            .change(sql, &source, model, |state| state.lists = lists)
    }

    /// The list can do less than was tried: the walk begins anew by what it can.
    pub(super) fn learned(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        key: &WalkKey,
        lists: Lists,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.learn(sql, flight, &key.2, lists)?;
        let Some(mut walk) = self.walks.all.get(key).cloned() else {
            return Ok(());
        };
        walk.begin(lists);
        walk.requests = walk.requests.saturating_add(1);
        walk.due_at = now;
        self.walks.put(sql, key.clone(), walk)
    }

    pub(super) fn missing(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        match &flight.task {
            Task::Item { model, id } => {
                let key = (flight.integration, model.clone());
                let Some(mut debt) = self.debts.get(&key, id).cloned() else {
                    return Ok(());
                };
                debt.was_missing(now);
                if !debt.is_open() {
                    self.note(sql, key.0, model, id, "not found", now)?;
                }
                self.debts.put(sql, &key, id, Some(debt))
            }
            Task::Page { key, .. } => {
                let failures = self.walks.all.get(key).map_or(0, |walk| walk.failures);
                if failures < BROKEN_AFTER {
                    return self.fails(sql, flight, "status 404", now);
                }
                self.break_off(sql, key, "its list is not found", now)
            }
            Task::Probe { .. } | Task::Log => Ok(()),
        }
    }

    /// A walk ends before its end.
    pub(super) fn break_off(
        &mut self,
        sql: &impl Sql,
        key: &WalkKey,
        why: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.note(sql, key.1, &key.2, "", why, now)?;
        self.let_go(key);
        if key.0 == Class::Hydrate {
            self.debts.passed_over(&(key.1, key.2.clone()), u64::MAX);
            return self.walks.forget(sql, key);
        }
        let Some(mut walk) = self.walks.all.get(key).cloned() else {
            return Ok(());
        };
        walk.end(why, now);
        self.walks.put(sql, key.clone(), walk)
    }

    /// A request has failed, through no fault of the key or the pace.
    pub(super) fn fails(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        why: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        match &flight.task {
            Task::Item { model, id } => {
                let key = (flight.integration, model.clone());
                let Some(mut debt) = self.debts.get(&key, id).cloned() else {
                    return Ok(());
                };
                if debt.has_failed(why, now) {
                    self.note(sql, key.0, model, id, why, now)?;
                }
                self.debts.put(sql, &key, id, Some(debt))
            }
            Task::Page { key, .. } if key.0 == Class::Gone => self.begins_anew(sql, key, why, now),
            Task::Page { key, .. } => {
                let Some(walk) = self.walks.all.get(key).cloned() else {
                    return Ok(());
                };
                let (walk, is_skipped) = page_failed(walk, now);
                if is_skipped {
                    let why = ["a record of its list is passed over: ", why].concat();
                    self.note(sql, key.1, &key.2, "", &why, now)?;
                }
                self.walks.put(sql, key.clone(), walk)
            }
            Task::Probe { .. } | Task::Log => Ok(()),
        }
    }

    /// True if it is to be seen first whether the source works: the shortest
    /// page of this walk fails, and nothing else has been asked since.
    pub(super) fn asks_for_probe(&self, key: &WalkKey) -> bool {
        let failures = self.walks.all.get(key).map_or(0, |walk| walk.failures);
        let source = self
            .integrations
            .0
            .get(&key.1)
            .map(|known| &known.of.source);
        let is_failing = source.is_some_and(|source| self.known.sources.has(source));
        failures >= SHORTEST_AFTER && is_failing
    }

    /// The source works: so the page that fails is at fault itself.
    pub(super) fn probed(
        &mut self,
        sql: &impl Sql,
        key: &WalkKey,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let Some(mut walk) = self.walks.all.get(key).cloned() else {
            return Ok(());
        };
        walk.due_at = now;
        walk.requests = walk.requests.saturating_add(1);
        self.walks.put(sql, key.clone(), walk)
    }
}

/// A walk after a page that could not be read: the page gets shorter, and in the
/// end the one record is passed over. True if it is.
fn page_failed(mut walk: Walk, now: Timestamp) -> (Walk, bool) {
    walk.failures = walk.failures.saturating_add(1);
    walk.requests = walk.requests.saturating_add(1);
    walk.limit = (walk.limit / 2).max(1);
    let pause_s = 1_u64.checked_shl(walk.failures).unwrap_or(PAGE_S_MAX);
    walk.due_at = now.plus_s(pause_s.min(PAGE_S_MAX));
    let is_skipped = walk.failures >= SKIPPED_AFTER;
    if is_skipped {
        walk.cursor = walk.cursor.skipped();
        walk.skipped = walk.skipped.saturating_add(1);
        walk.failures = SHORTEST_AFTER;
        walk.due_at = now;
    }
    (walk, is_skipped)
}
