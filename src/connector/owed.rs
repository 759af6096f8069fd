//! Records that are owed: each stands here from its last event until a read
//! that began after that event has been merged.
//!
//! A row is written when a record begins to be owed, when that changes, and
//! when it ends. All rows are in memory too.

use super::models::small;
use super::sorted::Sorted;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// For how long it must have been quiet about a record, in seconds: what is new
/// at the provider is told in several events.
const QUIET_S: u64 = 5;
/// At the latest so long after the first event it is asked for.
const LATEST_S: u64 = 60;
/// When a read that was older than what is known is made again.
const STALE_S: u64 = 30;
/// The fourth read is believed.
const STALE_MAX: u32 = 3;
/// When a record that wasn't found is asked for again; then it waits for the end
/// of a synchronisation.
const MISSING_S: [u64; 3] = [10, 60, 600];
/// After so many failures a record counts as failed, and is asked for once a day.
const FAILURES_MAX: u32 = 8;
const FAILED_S: u64 = 86_400;
/// Longest pause between two failures before.
const FAILURE_S_MAX: u64 = 3_600;
/// So many of one integration and model are worth a walk.
pub(super) const SINGLE_MAX: usize = 20;

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is asked for when it is due.
    Waiting,
    /// It is asked for after the next end of a synchronisation.
    Synced,
    /// It wasn't found, and isn't asked for before its next event.
    Unfetchable,
    /// It failed too often, and is asked for once a day.
    Failed,
}

impl State {
    const ALL: [Self; 4] = [Self::Waiting, Self::Synced, Self::Unfetchable, Self::Failed];

    fn number(self) -> i64 {
        let at = Self::ALL.iter().position(|state| *state == self);
        at.and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
    }

    fn numbered(number: i64) -> Self {
        let state = usize::try_from(number)
            .ok()
            .and_then(|at| Self::ALL.get(at));
        state.copied().unwrap_or(Self::Waiting)
    }
}

/// A record to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Debt {
    pub(super) since: Timestamp,
    pub(super) told_at: Timestamp,
    pub(super) told_seq: u64,
    pub(super) due_at: Timestamp,
    pub(super) missing: u32,
    pub(super) failures: u32,
    pub(super) stale: u32,
    pub(super) state: State,
    pub(super) why: String,
    /// A walk has not met it.
    pub(super) is_single: bool,
}

impl Debt {
    pub(super) fn new(since: Timestamp, told_at: Timestamp, told_seq: u64) -> Self {
        Self {
            since,
            told_at,
            told_seq,
            due_at: told_at.plus_s(QUIET_S).min(since.plus_s(LATEST_S)),
            missing: 0,
            failures: 0,
            stale: 0,
            state: State::Waiting,
            why: String::new(),
            is_single: false,
        }
    }

    /// There was another event.
    pub(super) fn told(&self, since: Timestamp, told_at: Timestamp, told_seq: u64) -> Self {
        Self::new(self.since.min(since), told_at, told_seq.max(self.told_seq))
    }

    /// True if the next read is to be taken as it is.
    pub(super) fn is_believed(&self) -> bool {
        self.stale >= STALE_MAX
    }

    pub(super) fn was_stale(&mut self, now: Timestamp) {
        self.stale = self.stale.saturating_add(1);
        self.due_at = now.plus_s(STALE_S);
        self.state = State::Waiting;
    }

    pub(super) fn was_overtaken(&mut self, now: Timestamp) {
        self.due_at = now.plus_s(QUIET_S);
        self.state = State::Waiting;
    }

    pub(super) fn was_missing(&mut self, now: Timestamp) {
        let at = usize::try_from(self.missing).unwrap_or(usize::MAX);
        self.missing = self.missing.saturating_add(1);
        match MISSING_S.get(at) {
            Some(pause_s) => self.due_at = now.plus_s(*pause_s),
            None if at == MISSING_S.len() => self.state = State::Synced,
            None => {
                self.state = State::Unfetchable;
                "not found".clone_into(&mut self.why);
            }
        }
    }

    /// True if it counts as failed from now on.
    pub(super) fn has_failed(&mut self, why: &str, now: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        why.clone_into(&mut self.why);
        if self.failures < FAILURES_MAX {
            let pause_s = 5_u64.checked_shl(self.failures).unwrap_or(FAILURE_S_MAX);
            self.due_at = now.plus_s(pause_s.min(FAILURE_S_MAX));
            return false;
        }
        let is_news = self.state != State::Failed;
        self.state = State::Failed;
        self.due_at = now.plus_s(FAILED_S);
        is_news
    }

    /// True if nobody has given it up.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Synced)
    }

    /// True if nothing is lost when it isn't stored that there was another event:
    /// what was under way is lost with it, so the next read begins behind both.
    fn is_untouched(&self) -> bool {
        let is_new = self.missing == 0 && self.failures == 0 && self.stale == 0;
        is_new && self.state == State::Waiting
    }

    fn is_due_ever(&self) -> bool {
        matches!(self.state, State::Waiting | State::Failed)
    }

    fn is_for_a_walk(&self) -> bool {
        self.state == State::Waiting && !self.is_single && self.missing == 0
    }
}

/// What is owed of one integration and model.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) debts: Sorted<String, Debt>,
    due: Sorted<(Timestamp, String), ()>,
    for_a_walk: usize,
}

impl Group {
    fn put(&mut self, id: &str, debt: Option<Debt>) {
        if let Some(before) = self.debts.remove(id) {
            self.due.remove(&(before.due_at, id.to_owned()));
            let one = usize::from(before.is_for_a_walk());
            self.for_a_walk = self.for_a_walk.saturating_sub(one);
        }
        if let Some(debt) = debt {
            if debt.is_due_ever() {
                self.due.insert((debt.due_at, id.to_owned()), ());
            }
            let one = usize::from(debt.is_for_a_walk());
            self.for_a_walk = self.for_a_walk.saturating_add(one);
            self.debts.insert(id.to_owned(), debt);
        }
    }

    /// True if a walk is cheaper than to ask for each.
    pub(super) fn is_for_a_walk(&self) -> bool {
        self.for_a_walk > SINGLE_MAX
    }

    /// Since when the oldest of them is owed that a walk would meet.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let open = self.debts.values().filter(|debt| debt.is_for_a_walk());
        open.map(|debt| debt.since).min()
    }

    /// When the first is due.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Ids of what is due, the oldest first.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let due = self.due.keys().take_while(move |(at, _)| *at <= now);
        due.map(|(_, id)| id.as_str())
    }
}

/// Of which integration, by its number, and which model.
pub(super) type GroupKey = (u64, String);

/// All that is owed.
#[derive(Debug, Default)]
pub(super) struct Debts {
    pub(super) groups: Sorted<GroupKey, Group>,
}

impl Debts {
    pub(super) fn load(sql: &impl Sql) -> Result<Self, SqlError> {
        let mut debts = Self::default();
        let all = "SELECT integration, model, record_id, since, told_at, told_seq, due_at, missing,
                          failures, stale, state, why FROM owed";
        for row in sql.query(all, &[])? {
            let debt = Debt {
                since: Timestamp::from_us(row.integer(3)?),
                told_at: Timestamp::from_us(row.integer(4)?),
                told_seq: row.number(5)?,
                due_at: Timestamp::from_us(row.integer(6)?),
                missing: small(&row, 7)?,
                failures: small(&row, 8)?,
                stale: small(&row, 9)?,
                state: State::numbered(row.integer(10)?),
                why: row.text(11)?.to_owned(),
                is_single: false,
            };
            let key = (row.number(0)?, row.text(1)?.to_owned());
            debts.keep(key, row.text(2)?, Some(debt));
        }
        Ok(debts)
    }

    pub(super) fn get(&self, key: &GroupKey, id: &str) -> Option<&Debt> {
        self.groups.get(key)?.debts.get(id)
    }

    /// There was an event about a record.
    pub(super) fn told(
        &mut self,
        sql: &impl Sql,
        key: &GroupKey,
        id: &str,
        [since, now]: [Timestamp; 2],
        seq: u64,
    ) -> Result<(), SqlError> {
        let Some(known) = self.get(key, id) else {
            return self.put(sql, key, id, Some(Debt::new(since, now, seq)));
        };
        let debt = known.told(since, now, seq);
        if !known.is_untouched() || since < known.since {
            return self.put(sql, key, id, Some(debt));
        }
        if let Some(group) = self.groups.get_mut(key) {
            group.put(id, Some(debt));
        }
        Ok(())
    }

    /// The last number that a ledger is known to have told of an integration.
    pub(super) fn told_seq(&self, integration: u64) -> u64 {
        let from = (integration, String::new());
        let groups = self.groups.from(&from);
        let groups = groups.take_while(|(key, _)| key.0 == integration);
        let debts = groups.flat_map(|(_, group)| group.debts.values());
        debts.map(|debt| debt.told_seq).max().unwrap_or(0)
    }

    /// Sets what is owed of a record, or that nothing is.
    pub(super) fn put(
        &mut self,
        sql: &impl Sql,
        key: &GroupKey,
        id: &str,
        debt: Option<Debt>,
    ) -> Result<(), SqlError> {
        match &debt {
            Some(debt) => sql.execute(
                "INSERT OR REPLACE INTO owed
                   (integration, model, record_id, since, told_at, told_seq, due_at, missing,
                    failures, stale, state, why)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                &[
                    key.0.into(),
                    key.1.as_str().into(),
                    id.into(),
                    debt.since.us().into(),
                    debt.told_at.us().into(),
                    debt.told_seq.into(),
                    debt.due_at.us().into(),
                    u64::from(debt.missing).into(),
                    u64::from(debt.failures).into(),
                    u64::from(debt.stale).into(),
                    debt.state.number().into(),
                    debt.why.as_str().into(),
                ],
            )?,
            None => sql.execute(
                "DELETE FROM owed WHERE integration = ?1 AND model = ?2 AND record_id = ?3",
                &[key.0.into(), key.1.as_str().into(), id.into()],
            )?,
        }
        self.keep(key.clone(), id, debt);
        Ok(())
    }

    fn keep(&mut self, key: GroupKey, id: &str, debt: Option<Debt>) {
        let mut group = self.groups.remove(&key).unwrap_or_default();
        group.put(id, debt);
        if !group.debts.is_empty() {
            self.groups.insert(key, group);
        }
    }

    /// A walk that began at `began_seq` has come to its end: what it should have
    /// met and hasn't is asked for by itself.
    pub(super) fn passed_over(&mut self, key: &GroupKey, began_seq: u64) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let open = |(_, debt): &(&String, &Debt)| {
            // What was stale the next walk meets, too.
            let is_stale = debt.stale > 0 && !debt.is_believed();
            debt.is_for_a_walk() && debt.told_seq <= began_seq && !is_stale
        };
        let ids: Vec<String> = group
            .debts
            .iter()
            .filter(open)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            if let Some(mut debt) = group.debts.get(&id).cloned() {
                debt.is_single = true;
                group.put(&id, Some(debt));
            }
        }
    }
}
