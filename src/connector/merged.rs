//! What the ledger says of records that it was given: what is cleared, and what
//! moves on.

use super::flight::{Flight, Pending, Task};
use super::owed::{Debt, GroupKey};
use super::walks::{Class, Walk, WalkKey};
use super::{Books, Connector, Then};
use crate::ledger::{MergeOutcome, Merged};
use crate::provider::Order;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

impl<S: Sql> Connector<S> {
    /// The ledger has merged what [`Then::Merge`] gave; `None` if it could not.
    pub fn merged(
        &mut self,
        ticket: u64,
        merged: Option<&Merged>,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let Some(flight) = self.books.flights.all.remove(&ticket) else {
            return Ok(());
        };
        self.commit(now, |sql, books| {
            books.merged(sql, &flight, merged, now)?;
            Ok(())
        })
    }
}

impl Books {
    fn merged(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        merged: Option<&Merged>,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        let Some(Pending::Merge(merging)) = &flight.pending else {
            return Ok(Then::Done);
        };
        let merged = merged.filter(|merged| merged.outcomes.len() == merging.ids.len());
        let Some(merged) = merged else {
            return self.not_merged(sql, flight, now);
        };
        let key = (flight.integration, flight.task.model().to_owned());
        let mut repaired = 0_u64;
        for (id, outcome) in merging.ids.iter().zip(&merged.outcomes) {
            let is_news = self.settle(sql, flight, &key, id, *outcome, now)?;
            repaired = repaired.saturating_add(u64::from(is_news));
        }
        let known = self.integrations.0.get(&flight.integration);
        if let Some(source) = known.map(|known| known.of.source.clone()) {
            self.figures.repaired(&source, repaired);
        }
        self.integrations
            .heard(flight.integration, merged.epoch, merged.seq);
        if let (Some((walk, is_through)), Task::Page { key, .. }) = (&merging.walk, &flight.task) {
            let mut walk = walk.clone();
            walk.repaired = walk.repaired.saturating_add(repaired);
            self.page_done(sql, flight, key, walk, *is_through, now)?;
        }
        Ok(Then::Done)
    }

    /// The ledger could not take it: it is asked for again.
    pub(super) fn not_merged(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        let due_at = now.plus_s(self.integrations.unheard(flight.integration));
        match &flight.task {
            Task::Item { model, id } => {
                let key = (flight.integration, model.clone());
                if let Some(mut debt) = self.debts.get(&key, id).cloned() {
                    debt.due_at = due_at;
                    self.debts.put(sql, &key, id, Some(debt))?;
                }
            }
            Task::Page { key, .. } if key.0 == Class::Gone => {
                self.break_off(sql, key, "the ledger doesn't answer", now)?;
            }
            Task::Page { key, .. } => {
                if let Some(mut walk) = self.walks.all.get(key).cloned() {
                    walk.due_at = due_at;
                    // The page itself could be read.
                    walk.failures = 0;
                    self.walks.put(sql, key.clone(), walk)?;
                }
            }
            Task::Log => return self.not_compared(sql, flight, now),
            Task::Probe { .. } => {}
        }
        Ok(Then::Done)
    }

    /// What a record's outcome means for what is owed of it. True if the record
    /// was changed and nobody had told of that.
    fn settle(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        key: &GroupKey,
        id: &str,
        outcome: MergeOutcome,
        now: Timestamp,
    ) -> Result<bool, SqlError> {
        let changes = matches!(outcome, MergeOutcome::Merged | MergeOutcome::Overtaken);
        let known = self.debts.get(key, id).cloned();
        let is_news = changes && known.is_none();
        let mut debt = match known {
            Some(debt) => debt,
            None if outcome.is_owed() => Debt::new(now, now, flight.asked_seq),
            None => return Ok(is_news),
        };
        let known = self.integrations.0.get(&flight.integration);
        let is_same_epoch = known.is_some_and(|known| known.epoch == flight.epoch);
        let is_behind = is_same_epoch && debt.told_seq <= flight.asked_seq;
        if !is_behind {
            // Told while it was read: owed as it is.
            return Ok(is_news);
        }
        match outcome {
            MergeOutcome::Stale => debt.was_stale(now),
            MergeOutcome::Overtaken => debt.was_overtaken(now),
            MergeOutcome::Unclear => {
                let is_item = matches!(flight.task, Task::Item { .. });
                if is_item && debt.has_failed("the record can't be read", now) {
                    self.note(sql, key.0, &key.1, id, "the record can't be read", now)?;
                }
            }
            _ => {
                self.debts.put(sql, key, id, None)?;
                return Ok(is_news);
            }
        }
        self.debts.put(sql, key, id, Some(debt))?;
        Ok(is_news)
    }

    /// A page is through, and so may be its walk.
    pub(super) fn page_done(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        key: &WalkKey,
        mut walk: Walk,
        is_through: bool,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        walk.due_at = now;
        // It may have been wanted again meanwhile.
        walk.again = self.walks.all.get(key).and_then(|known| known.again);
        if !is_through {
            return self.walks.put(sql, key.clone(), walk);
        }
        if key.0 == Class::Hydrate {
            let known = self.integrations.0.get(&flight.integration);
            let is_same_epoch = known.is_some_and(|known| known.epoch == walk.began_epoch);
            if is_same_epoch {
                self.debts
                    .passed_over(&(key.1, key.2.clone()), walk.began_seq);
            }
            return self.walks.forget(sql, key);
        }
        // By creation, what has changed meanwhile wasn't met again.
        let is_blind = walk.order() == Order::Created && walk.requests > 1;
        let began_at = walk.began_at;
        walk.end("", now);
        self.walks.put(sql, key.clone(), walk)?;
        if is_blind && key.0 != Class::Reconcile {
            let key = (Class::Reconcile, key.1, key.2.clone());
            self.walks.want(sql, key, began_at, now)?;
        }
        Ok(())
    }
}
