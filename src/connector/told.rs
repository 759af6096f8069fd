//! What there is to do: by ledgers, by the API, by the clock.

use super::integrations::{DAILY_S, DEEP_S, Integration};
use super::owed::{Debt, State};
use super::walks::Class;
use super::{Books, Connector, Setups};
use crate::dialect::filter::lists;
use crate::integration::IntegrationId;
use crate::ledger::{Owed, SyncEnd};
use crate::provider::Api;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// Before the first walk what has changed is looked for this far back, in
/// seconds: a synchronisation may have taken as long.
const FIRST_S: u64 = 86_400;

impl<S: Sql> Connector<S> {
    /// A ledger tells what it owes. To be answered only when this has returned;
    /// it may be told more than once.
    pub fn told(&mut self, owed: &Owed, api: &Api, now: Timestamp) -> Result<(), SqlError> {
        if !api.knows(&owed.of.integration) {
            return Ok(());
        }
        self.commit(now, |sql, books| books.told(sql, owed, api, now))
    }

    /// Someone wants all records of an integration: of `models`, `*` at the end for
    /// all that begin so, or of all that are wanted. Returns the models of which that is possible.
    pub fn backfill(
        &mut self,
        of: &IntegrationId,
        models: Option<&[String]>,
        api: &Api,
        now: Timestamp,
    ) -> Result<Vec<String>, SqlError> {
        let models: Vec<&str> = match models {
            Some(names) => {
                let listed = api.kind.listed().into_iter();
                listed.filter(|model| lists(names, model)).collect()
            }
            None => api.wanted().collect(),
        };
        let is_there = |model: &&str| api.kind.reach(model).has_list && can_ask(api, of, model);
        let models: Vec<String> = (models.into_iter())
            .filter(is_there)
            .map(str::to_owned)
            .collect();
        if models.is_empty() {
            return Ok(models);
        }
        self.commit(now, |sql, books| {
            let number = books.know(sql, of, now)?;
            for model in &models {
                let key = (Class::Backfill, number, model.clone());
                books.known.lift(sql, &of.source, model)?;
                books.walks.want(sql, key, None, now)?;
            }
            Ok(())
        })?;
        Ok(models)
    }

    /// Someone wants one record at once. False if it can't be asked for by its
    /// id.
    pub fn hydrate(
        &mut self,
        of: &IntegrationId,
        model: &str,
        id: &str,
        api: &Api,
        now: Timestamp,
    ) -> Result<bool, SqlError> {
        if !api.kind.reach(model).has_item || !can_ask(api, of, model) {
            return Ok(false);
        }
        self.commit(now, |sql, books| {
            let number = books.know(sql, of, now)?;
            let seq = books
                .integrations
                .0
                .get(&number)
                .map_or(0, |known| known.seq);
            books.known.lift(sql, &of.source, model)?;
            let key = (number, model.to_owned());
            let mut debt = match books.debts.get(&key, id) {
                Some(debt) => debt.told(now, now, seq),
                None => Debt::new(now, now, seq),
            };
            // Before all others, and by itself.
            debt.due_at = Timestamp::default();
            debt.is_single = true;
            books.debts.put(sql, &key, id, Some(debt))
        })?;
        Ok(true)
    }

    /// What is due by the clock: to be called when the alarm goes off, before
    /// [`next`](Self::next).
    pub fn wake(&mut self, setups: Setups, now: Timestamp) -> Result<(), SqlError> {
        if self.is_made && self.books.is_fresh {
            // What was new to the memory that has gone is told now.
            self.books.figures.overdue(now);
        }
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let known = self.books.integrations.0.iter();
        let due: Vec<u64> = known
            .filter(|(_, known)| is_due(known.daily_at) || is_due(known.deep_at))
            .map(|(number, _)| *number)
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        self.commit(now, |sql, books| {
            let mut due = due.into_iter();
            due.try_for_each(|number| books.by_clock(sql, number, setups, now))
        })
    }
}

impl Books {
    /// The number of an integration, which becomes known.
    fn know(
        &mut self,
        sql: &impl Sql,
        of: &IntegrationId,
        now: Timestamp,
    ) -> Result<u64, SqlError> {
        let (number, known) = self.integrations.known(of, now);
        self.integrations.put(sql, number, known)?;
        Ok(number)
    }

    fn told(
        &mut self,
        sql: &impl Sql,
        owed: &Owed,
        api: &Api,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let (number, mut known) = self.integrations.known(&owed.of, now);
        if known.epoch == Some(owed.epoch) {
            known.seq = known.seq.max(owed.seq);
        } else {
            self.begin_epoch(sql, number, &mut known, owed)?;
        }
        known.schedule(api, now);
        let syncs: Vec<_> = owed
            .syncs
            .iter()
            .filter(|sync| sync.seq > known.synced_seq)
            .collect();
        known.synced_seq = syncs
            .iter()
            .map(|sync| sync.seq)
            .fold(known.synced_seq, u64::max);
        self.integrations.put(sql, number, known)?;
        for record in &owed.records {
            let key = (number, record.model.clone());
            if !api.kind.reach(&record.model).has_item || !api.takes(&record.model) {
                continue;
            }
            let times = [record.since, now];
            self.debts.told(sql, &key, &record.id, times, owed.seq)?;
        }
        for sync in syncs {
            self.synced(sql, number, sync, api, now)?;
        }
        Ok(())
    }

    /// The numbers of the ledger have begun anew: those that were told before say
    /// nothing any more.
    fn begin_epoch(
        &mut self,
        sql: &impl Sql,
        number: u64,
        known: &mut Integration,
        owed: &Owed,
    ) -> Result<(), SqlError> {
        let is_first = known.epoch.is_none();
        known.epoch = Some(owed.epoch);
        known.seq = owed.seq;
        known.synced_seq = 0;
        if is_first {
            return Ok(());
        }
        let of = |(key, _): &(&(u64, String), &super::owed::Group)| key.0 == number;
        let groups = self.debts.groups.iter().filter(of);
        let all: Vec<_> = groups
            .flat_map(|(key, group)| {
                let debts = group.debts.iter();
                debts.map(|(id, debt)| (key.clone(), id.clone(), debt.clone()))
            })
            .collect();
        for (key, id, mut debt) in all {
            debt.told_seq = owed.seq;
            self.debts.put(sql, &key, &id, Some(debt))?;
        }
        Ok(())
    }

    /// A synchronisation has ended at the provider.
    fn synced(
        &mut self,
        sql: &impl Sql,
        number: u64,
        sync: &SyncEnd,
        api: &Api,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.ask_for_missing(sql, number, now)?;
        if api.reconcile {
            self.compare(sql, number, Some(sync.at), now)?;
        }
        let models: Vec<&str> = api.wanted().collect();
        for model in models {
            let mut synced = sync.models.iter().flatten();
            if sync.models.is_some() && !synced.any(|name| name == model) {
                continue;
            }
            // What reads everything anew has not seen all of it before.
            if sync.is_finished && !sync.is_whole && api.reconcile {
                let key = (Class::Gone, number, model.to_owned());
                self.look_for_gone(sql, key, sync, now)?;
            }
            if sync.is_whole && api.backfills(model) {
                let key = (Class::Backfill, number, model.to_owned());
                self.walks.want(sql, key, None, now)?;
            } else if api.reconcile {
                self.reconcile(sql, number, model, now)?;
            }
        }
        Ok(())
    }

    /// What wasn't found before may be there now.
    fn ask_for_missing(
        &mut self,
        sql: &impl Sql,
        number: u64,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let groups = self.debts.groups.iter().filter(|(key, _)| key.0 == number);
        let waiting: Vec<_> = groups
            .flat_map(|(key, group)| {
                let debts = group.debts.iter();
                let waits = debts.filter(|(_, debt)| debt.state == State::Synced);
                waits.map(|(id, debt)| (key.clone(), id.clone(), debt.clone()))
            })
            .collect();
        for (key, id, mut debt) in waiting {
            debt.state = State::Waiting;
            debt.due_at = now;
            self.debts.put(sql, &key, &id, Some(debt))?;
        }
        Ok(())
    }

    /// Asks for what has changed since that was last known.
    pub(super) fn reconcile(
        &mut self,
        sql: &impl Sql,
        number: u64,
        model: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let since = self.walks.covered_at(number, model).unwrap_or_else(|| {
            let known = self.integrations.0.get(&number);
            known.map_or(now, |known| known.known_at).minus_s(FIRST_S)
        });
        let key = (Class::Reconcile, number, model.to_owned());
        self.walks.want(sql, key, Some(since), now)
    }

    /// Asks for what has come to the log of changes.
    fn compare(
        &mut self,
        sql: &impl Sql,
        number: u64,
        synced_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let known = self.integrations.0.get(&number);
        let known_at = known.map_or(now, |known| known.known_at);
        let logs = &mut self.change_logs;
        logs.want(sql, number, known_at, synced_at, now)
    }

    fn by_clock(
        &mut self,
        sql: &impl Sql,
        number: u64,
        setups: Setups,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let Some(mut known) = self.integrations.0.get(&number).cloned() else {
            return Ok(());
        };
        let api = self.api(setups, &known.of.source);
        let api = api.filter(|api| api.reconcile);
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let (is_daily, is_deep) = (is_due(known.daily_at), is_due(known.deep_at));
        if is_daily {
            known.daily_at = Some(now.plus_s(DAILY_S));
        }
        if is_deep {
            known.deep_at = Some(now.plus_s(DEEP_S));
        }
        if api.is_none() {
            (known.daily_at, known.deep_at) = (None, None);
        }
        self.integrations.put(sql, number, known)?;
        if is_daily && api.is_some() {
            self.compare(sql, number, None, now)?;
        }
        let models: Vec<&str> = api.iter().flat_map(|api| api.wanted()).collect();
        for model in models {
            if is_daily {
                self.reconcile(sql, number, model, now)?;
            }
            if is_deep {
                let key = (Class::Deep, number, model.to_owned());
                self.walks.want(sql, key, None, now)?;
            }
        }
        Ok(())
    }
}

/// True if the provider knows the integration, and the source takes the model.
fn can_ask(api: &Api, of: &IntegrationId, model: &str) -> bool {
    api.knows(&of.integration) && api.takes(model)
}

impl Integration {
    /// Sets when the clock is to look after it.
    fn schedule(&mut self, api: &Api, now: Timestamp) {
        if !api.reconcile {
            (self.daily_at, self.deep_at) = (None, None);
            return;
        }
        self.daily_at = self.daily_at.or(Some(now.plus_s(DAILY_S)));
        self.deep_at = self.deep_at.or(Some(now.plus_s(DEEP_S)));
    }
}
