//! What is asked for next: what is owed before what has changed before
//! everything, with a share for each, and the integrations in turns.

use std::rc::Rc;

use super::flight::Task;
use super::hand_out::first_of_all;
use super::walks::{CLASSES, Class};
use super::{Books, Connector, IN_FLIGHT_MAX, Setups};
use crate::provider::Api;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// Of ten requests each class that has work gets one, whatever the others have:
/// so often it may be passed over in a row.
const PASSED_OVER_MAX: u32 = 9;
/// An answer that has not come by then won't, in seconds. A request may take 15.
const LOST_S: u64 = 60;

/// Work that nobody has touched for so long has lost its alarm, in seconds.
const ABANDONED_S: u64 = 600;

/// What the host is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask this, tell [`Connector::answered`] what comes, and meanwhile ask for
    /// what is next once more.
    Fetch(Request),
    /// Nothing before this time, or before an answer comes.
    Wait(Timestamp),
    /// Nothing, until there is something new.
    Nothing,
}

/// A request to an API, `GET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What the answer belongs to.
    pub ticket: u64,
    /// The source: of its API, with its key.
    pub source: String,
    /// Behind the API's URL.
    pub path_and_query: String,
}

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// How often each class was passed over that had something to do.
    passed_over: [u32; CLASSES],
    /// The integration that each class had last.
    last: [u64; CLASSES],
}

impl Turns {
    /// The class to choose of those that have something to do.
    fn choose(&mut self, has_work: [bool; CLASSES]) -> Option<usize> {
        let all = || has_work.iter().zip(&self.passed_over).enumerate();
        let working = || all().filter(|(_, (has_work, _))| **has_work);
        let starved = working().filter(|(_, (_, passed))| **passed >= PASSED_OVER_MAX);
        let starved = starved.max_by_key(|(_, (_, passed))| **passed);
        let (chosen, _) = starved.or_else(|| working().next())?;
        for (at, passed) in self.passed_over.iter_mut().enumerate() {
            let waits = at != chosen && has_work.get(at) == Some(&true);
            *passed = if waits { passed.saturating_add(1) } else { 0 };
        }
        Some(chosen)
    }
}

/// A choice, or when there may be one.
type Found = Result<(u64, Rc<Api>, Task), Option<Timestamp>>;

impl<S: Sql> Connector<S> {
    /// What is to be asked next. `random` spreads what would come at once.
    pub fn next(&mut self, setups: Setups, now: Timestamp, random: u32) -> Result<Next, SqlError> {
        if !self.is_made {
            return Ok(Next::Nothing);
        }
        self.books.pace.roll_from(now, &mut self.books.is_fresh);
        self.give_up_lost(now, random)?;
        if self.books.flights.all.len() >= IN_FLIGHT_MAX {
            let first = self
                .books
                .flights
                .all
                .values()
                .map(|flight| flight.asked_at)
                .min();
            return Ok(Next::Wait(first.unwrap_or(now).plus_s(LOST_S)));
        }
        let (number, api, task) = match self.books.choose(setups, now) {
            Ok(found) => found,
            Err(at) => {
                self.store_pace(true)?;
                return Ok(at.map_or(Next::Nothing, Next::Wait));
            }
        };
        self.commit(now, |sql, books| {
            books.hand_out(sql, number, api, task, now)
        })?
        .map_or(Ok(Next::Nothing), |request| Ok(Next::Fetch(request)))
    }

    fn give_up_lost(&mut self, now: Timestamp, random: u32) -> Result<(), SqlError> {
        let all = self.books.flights.all.iter();
        let lost = all.filter(|(_, flight)| flight.asked_at.plus_s(LOST_S) <= now);
        let lost: Vec<u64> = lost.map(|(ticket, _)| *ticket).collect();
        for ticket in lost {
            let failed = super::Answer::Failed(super::Failure::Timeout);
            self.answered(ticket, failed, now, random)?;
        }
        Ok(())
    }

    fn store_pace(&mut self, is_over: bool) -> Result<(), SqlError> {
        let Self { sql, books, .. } = self;
        books.store_pace(sql, is_over)
    }

    /// When the alarm is to go off, where there is something to ask at `work_at`,
    /// as [`Next::Wait`] says: then, or before for what is due by the clock, for requests
    /// that are lost with the memory and for a report. `None` if nothing is to be done, ever.
    pub fn alarm_at(&self, work_at: Option<Timestamp>) -> Option<Timestamp> {
        let known = self.books.integrations.0.values();
        let by_clock = known.flat_map(|known| [known.daily_at, known.deep_at]);
        let flying = self.books.flights.all.values();
        let lost_at = flying.map(|flight| flight.asked_at.plus_s(LOST_S));
        let others = by_clock.flatten().chain(lost_at);
        let others = others.chain(self.books.figures.due_at());
        others.chain(work_at).min()
    }
}

impl<S: Sql> Connector<S> {
    /// The sweep looks at it: true if there is work that should have been done
    /// long ago. What is due by the clock is asked for then; [`next`](Self::next)
    /// is to follow.
    pub fn sweep(&mut self, setups: Setups, now: Timestamp) -> Result<bool, SqlError> {
        let then = now.minus_s(ABANDONED_S);
        let is_abandoned = self.books.is_abandoned(setups, then);
        if is_abandoned {
            self.wake(setups, now)?;
        }
        Ok(is_abandoned)
    }
}

impl Books {
    /// True if there was something to do `then`, as it is now, and nobody has
    /// been at work since.
    fn is_abandoned(&self, setups: Setups, then: Timestamp) -> bool {
        if !self.flights.all.is_empty() || self.pace.asked_since(then) {
            return false;
        }
        let known = self.integrations.0.values();
        let mut by_clock = known.flat_map(|known| [known.daily_at, known.deep_at]);
        let mut classes = Class::ALL.iter();
        by_clock.any(|at| at.is_some_and(|at| at <= then))
            || classes.any(|(class, _)| self.of_class(*class, setups, then).is_ok())
    }

    pub(super) fn store_pace(&mut self, sql: &impl Sql, is_over: bool) -> Result<(), SqlError> {
        let Some(row) = self.pace.unstored(is_over) else {
            return Ok(());
        };
        let set = "UPDATE connector SET window_at = ?1, used = ?2, paused_until = ?3";
        sql.execute(set, &row.map(Into::into))
    }

    fn choose(&mut self, setups: Setups, now: Timestamp) -> Found {
        let mut at: Option<Timestamp> = None;
        let mut found = Class::ALL.map(|(class, _)| match self.of_class(class, setups, now) {
            Ok(found) => Some(found),
            Err(later) => {
                at = sooner(at, later);
                None
            }
        });
        let has_work = found.each_ref().map(Option::is_some);
        let chosen = self.turns.choose(has_work).and_then(|class| {
            let found = found.get_mut(class)?.take()?;
            Some((class, found))
        });
        let Some((class, found)) = chosen else {
            return Err(at);
        };
        if let Some(last) = self.turns.last.get_mut(class) {
            *last = found.0;
        }
        Ok(found)
    }

    /// The next request of a class: of the integration behind the last one that
    /// has something to do.
    fn of_class(&self, class: Class, setups: Setups, now: Timestamp) -> Found {
        let last = self.turns.last.get(class.at()).copied().unwrap_or(0);
        let all = self.integrations.0.around(&last.saturating_add(1));
        let mut at = None;
        for (number, known) in all {
            let Some(api) = self.api(setups, &known.of.source) else {
                continue;
            };
            let task = match class {
                Class::Hydrate => self.owed(*number, &api, now),
                _ => Err(None),
            };
            let task = task.or_else(|at| match self.walk(class, *number, &api, now) {
                Ok(task) => Ok(task),
                Err(other) => Err(sooner(at, other)),
            });
            let task = match class {
                Class::Reconcile => task.or_else(|at| self.log_due(*number, at, now)),
                _ => task,
            };
            let later = match task {
                Err(later) => later,
                // Only for what has something to do.
                Ok(task) => match self.closed_until(&known.of.source, &api, now) {
                    None => return Ok((*number, api, task)),
                    closed => closed,
                },
            };
            at = sooner(at, later);
        }
        Err(at)
    }

    /// Until when a source may not be asked, if that is so.
    fn closed_until(&self, source: &str, api: &Api, now: Timestamp) -> Option<Timestamp> {
        if let Some(state) = self.known.sources.get(source) {
            if state.paused_until > now {
                return Some(state.paused_until);
            }
            let known = self.integrations.0.iter();
            let of_source = known.filter(|(_, known)| known.of.source == source);
            let numbers: Vec<u64> = of_source.map(|(number, _)| *number).collect();
            if state.is_in_doubt() && self.flights.has_source(&numbers) {
                return Some(now.plus_s(1));
            }
        }
        self.pace.opens_at(api.requests_per_minute, now)
    }

    /// What is owed of an integration: a record, or a walk for many.
    fn owed(&self, number: u64, api: &Api, now: Timestamp) -> Result<Task, Option<Timestamp>> {
        let from = (number, String::new());
        let groups = self.debts.groups.from(&from);
        let mut at = None;
        for (key, group) in groups.take_while(|(key, _)| key.0 == number) {
            let Some(due_at) = group.due_at() else {
                continue;
            };
            let stopped = self.stopped_until(number, &key.1);
            let later = due_at.max(stopped);
            if later > now {
                at = sooner(at, Some(later));
                continue;
            }
            let walk = (Class::Hydrate, number, key.1.clone());
            let walks = self.walks.is_active(&walk);
            if !walks && group.is_for_a_walk() && api.kind.reach(&key.1).has_list {
                let query = first_of_all();
                return Ok(Task::Page { key: walk, query });
            }
            let mut due = group.due(now);
            let id = due.find(|id| {
                let debt = group.debts.get(*id);
                // What a walk is on its way to is left to it.
                let is_single = debt.is_some_and(|debt| debt.is_single || debt.missing > 0);
                (!walks || is_single) && !self.flights.has_item(number, &key.1, id)
            });
            if let Some(id) = id {
                let (model, id) = (key.1.clone(), id.to_owned());
                return Ok(Task::Item { model, id });
            }
        }
        Err(at)
    }

    /// A page of a walk of that class, of the model that comes first of those that
    /// have one.
    fn walk(
        &self,
        class: Class,
        number: u64,
        api: &Api,
        now: Timestamp,
    ) -> Result<Task, Option<Timestamp>> {
        let from = (class, number, String::new());
        let active = self.walks.active.from(&from).map(|(key, ())| key);
        let mut at = None;
        let mut ready = Vec::new();
        for key in active.take_while(|key| key.0 == class && key.1 == number) {
            let Some(walk) = self.walks.all.get(key) else {
                continue;
            };
            if self.flights.has_walk(key) {
                continue;
            }
            let later = walk.due_at.max(self.stopped_until(number, &key.2));
            let later = match class {
                Class::Gone => later.max(self.waits_for_gathering(key)),
                _ => later,
            };
            if later > now {
                at = sooner(at, Some(later));
                continue;
            }
            ready.push((key, walk));
        }
        if ready.is_empty() {
            return Err(at);
        }
        let mut listed = api.kind.listed().into_iter();
        let first = listed.find_map(|model| ready.iter().find(|(key, _)| key.2 == model));
        let Some((key, walk)) = first else {
            return Err(at);
        };
        let key = (*key).clone();
        if self.asks_for_probe(&key) {
            return Ok(Task::Probe { key });
        }
        let query = walk.cursor.query(walk.order(), walk.limit);
        Ok(Task::Page { key, query })
    }

    /// A page of the log of changes, if one is due; else when anything is.
    fn log_due(
        &self,
        number: u64,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Task, Option<Timestamp>> {
        let due_at = self.change_logs.0.get(&number).and_then(|log| log.due_at);
        match due_at.filter(|_| !self.flights.has_log(number)) {
            Some(due_at) if due_at <= now => Ok(Task::Log),
            due_at => Err(sooner(at, due_at)),
        }
    }

    fn stopped_until(&self, number: u64, model: &str) -> Timestamp {
        let known = self.integrations.0.get(&number);
        known.map_or(Timestamp::default(), |known| {
            self.known.model(&known.of.source, model).stopped_until
        })
    }
}

/// The earlier of two times, where there are any.
pub(super) fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
