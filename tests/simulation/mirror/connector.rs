//! The object around a connector: what `src/shell/connector_object.rs` does, cut
//! into the stretches between two awaits. What a stretch writes, its alarm
//! included, is durable together or not at all; and nothing leaves before.

use std::collections::BTreeMap;
use std::rc::Rc;

use leasewire::connector::{Answer, Connector, Next, Request, Setups, Then};
use leasewire::ledger::{self, Marked, MergeOutcome, Merged, Snapshots, Unseen};
use leasewire::provider::{Api, Backfill};
use leasewire::sql::{SqlError, Statement};
use leasewire::time::Timestamp;

use super::{Asked, Step};
use crate::bugs::Bug;
use crate::clock::SECOND;
use crate::host::Fate;
use crate::storage::{Database, Storage};
use crate::world::{self, World};

type Core = Connector<Storage>;

/// When to try again where the connector itself can't be used, in seconds.
const UNUSABLE_S: u64 = 60;

pub struct Desk {
    pub database: Rc<Database>,
    core: Option<Core>,
    /// Counts the object's lives: what belongs to an earlier one is dropped.
    pub life: u32,
    /// What the alarm is known to be set for.
    armed: Option<Timestamp>,
    alarm: Option<Timestamp>,
    /// How often it was set.
    set: u64,
    /// Counts how often the core was opened anew.
    opened: u32,
    /// What is under way, by ticket, as far as the core knows of it.
    asking: BTreeMap<u64, String>,
    /// Tickets that wait for their ledger, and for which one its answer is taken.
    merging: BTreeMap<u64, u64>,
}

/// What follows a stretch.
#[derive(Default)]
struct Onward {
    /// Each with how often the core had been opened anew.
    requests: Vec<(u32, Request)>,
    report: Option<Statement>,
    wake_at: Option<Timestamp>,
}

impl Desk {
    pub fn new(bug: Option<Bug>) -> Self {
        Self {
            database: Rc::new(Database::new(bug)),
            core: None,
            life: 0,
            armed: None,
            alarm: None,
            set: 0,
            opened: 0,
            asking: BTreeMap::new(),
            merging: BTreeMap::new(),
        }
    }

    /// Forgets what isn't durable.
    pub fn die(&mut self) {
        self.core = None;
        self.life += 1;
        self.armed = None;
        self.asking.clear();
        self.merging.clear();
    }

    /// True if nothing is under way.
    pub fn rests(&self) -> bool {
        self.asking.is_empty()
    }

    /// Runs `work` on the core, opened if it isn't. After an error it is opened
    /// anew, and knows nothing of what is under way.
    fn with_core<T>(
        &mut self,
        work: impl FnOnce(&mut Core) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let mut core = match self.core.take() {
            Some(core) => core,
            None => Core::open(Storage(self.database.clone()))?,
        };
        let outcome = work(&mut core);
        match outcome {
            Ok(_) => self.core = Some(core),
            Err(_) => {
                self.opened += 1;
                self.asking.clear();
            }
        }
        outcome
    }

    /// All requests that may be under way, what D1 is to be told, and when to be
    /// woken.
    fn go_on(&mut self, setups: Setups, now: Timestamp, random: u32) -> Onward {
        let mut requests = Vec::new();
        let work_at = loop {
            match self.with_core(|core| core.next(setups, now, random)) {
                Ok(Next::Fetch(request)) => requests.push((self.opened, request)),
                Ok(Next::Wait(at)) => break Some(at),
                Ok(Next::Nothing) => break None,
                Err(_) => break Some(now.plus_s(UNUSABLE_S)),
            }
        };
        let report = self.with_core(|core| core.report(setups, now));
        let wake_at = self.with_core(|core| Ok(core.alarm_at(work_at)));
        Onward {
            requests,
            report: report.ok().flatten(),
            wake_at: wake_at.unwrap_or(work_at),
        }
    }
}

impl World {
    /// One stretch of the connector `at`: `work`, and what is next unless it
    /// `waits` for a ledger. `None` if it failed or isn't heard of.
    pub fn at_desk<T>(
        &mut self,
        at: usize,
        work: impl FnOnce(&mut Core, Setups, Timestamp) -> Result<T, SqlError>,
        waits: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        let Fate {
            dies,
            durable,
            heard,
        } = self.fate();
        let (now, random) = (self.clock.receiver(), self.random.next() as u32);
        let database = self.mirror.as_ref().unwrap().desks[at].database.clone();
        self.break_a_statement_of(&database);
        let sources = &self.sources;
        let setups = |source: &str| sources.get(source).and_then(|source| source.api.clone());
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        database.now.set(now);
        database.mark("BEGIN");
        let outcome = desk.with_core(|core| work(core, &setups, now));
        let mut onward = Onward::default();
        if !outcome.as_ref().is_ok_and(waits) {
            onward = desk.go_on(&setups, now, random);
        }
        database.fails.set(None);
        database.mark(if durable { "COMMIT" } else { "ROLLBACK" });
        if let Err(why) = &outcome {
            self.say(|| format!("connector {at}: {why}"));
        }
        if durable {
            self.hand_over(at, onward.requests);
            self.report(at, onward.report);
            let is_watched = self.bug != Some(Bug::NoAlarmUnderWay)
                || self.mirror.as_ref().unwrap().desks[at].rests();
            if let Some(wake_at) = onward.wake_at.filter(|_| is_watched) {
                self.arm_desk(at, wake_at);
            }
        }
        if dies {
            self.kill_desk(at);
        }
        outcome.ok().filter(|_| heard)
    }

    pub fn kill_desk(&mut self, at: usize) {
        self.say(|| format!("connector {at}: dies"));
        let now_ms = self.clock.now_ms;
        let mirror = self.mirror.as_mut().unwrap();
        mirror.desks[at].die();
        mirror.limit.forgotten(now_ms);
    }

    fn hand_over(&mut self, at: usize, requests: Vec<(u32, Request)>) {
        for (opened, request) in requests {
            let desk = &mut self.mirror.as_mut().unwrap().desks[at];
            let path = &request.path_and_query;
            let is_item = !path.contains('?');
            if is_item && desk.asking.values().any(|asked| asked == path) {
                let why = format!("{path} is asked for twice at once");
                self.complain(why);
                return;
            }
            if opened == desk.opened {
                desk.asking.insert(request.ticket, path.clone());
            }
            let life = desk.life;
            let after_ms = self.random.between(5, 100);
            self.after(after_ms, Step::Fetch(at, life, Box::new(request)));
        }
    }

    /// Tells D1 how it stands.
    fn report(&mut self, at: usize, report: Option<Statement>) {
        let Some(report) = report else {
            return;
        };
        let (done, after_ms) = self.run_in_d1(vec![report], &mut 0);
        if done.is_err() {
            let life = self.mirror.as_ref().unwrap().desks[at].life;
            self.after(after_ms, Step::Unreported(at, life));
        }
    }

    /// D1 could not be told.
    pub fn unreported(&mut self, at: usize, life: u32) {
        let now = self.clock.receiver();
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        if desk.life != life {
            return;
        }
        let noted = desk.with_core(|core| {
            core.unreported(now);
            Ok(core.alarm_at(None))
        });
        if let Ok(Some(wake_at)) = noted {
            self.arm_desk(at, wake_at);
        }
    }

    /// Sets the alarm, unless it goes off before: then what is due is seen again.
    fn arm_desk(&mut self, at: usize, wake_at: Timestamp) {
        let now = self.clock.receiver();
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        if desk
            .armed
            .is_some_and(|armed| armed > now && armed <= wake_at)
        {
            return;
        }
        desk.armed = Some(wake_at);
        self.set_alarm(at, wake_at);
    }

    fn set_alarm(&mut self, at: usize, wake_at: Timestamp) {
        let after_ms = self.clock.ms_until(wake_at);
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        desk.alarm = Some(wake_at);
        desk.set += 1;
        let set = desk.set;
        self.after(after_ms, Step::Alarm(at, set));
    }

    /// The alarm goes off, unless it was set anew. If the object dies over it, it
    /// goes off again.
    pub fn desk_alarm(&mut self, at: usize, set: u64) {
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        if desk.set != set || desk.alarm.take().is_none() {
            return;
        }
        desk.armed = None;
        let wants_nothing = self.forgets_the_clock(at);
        let set_before = self.mirror.as_ref().unwrap().desks[at].set;
        let woken = self.at_desk(
            at,
            |core, setups, now| {
                let none = |source: &str| setups(source).map(without_models);
                match wants_nothing {
                    true => core.wake(&none, now),
                    false => core.wake(setups, now),
                }
            },
            |()| false,
        );
        let desk = &self.mirror.as_ref().unwrap().desks[at];
        if woken.is_none() && desk.set == set_before {
            self.set_alarm(at, self.clock.receiver().plus_s(2));
        }
    }

    /// An answer has come.
    pub fn desk_answered(&mut self, at: usize, life: u32, ticket: u64, answer: Answer) {
        if self.mirror.as_ref().unwrap().desks[at].life != life {
            return;
        }
        let random = self.random.next() as u32;
        let is_first = self.bug == Some(Bug::CursorFirst);
        let then = self.at_desk(
            at,
            |core, _, now| {
                let then = core.answered(ticket, answer, now, random)?;
                if let (Then::Merge(read), true) = (&then, is_first) {
                    core.merged(ticket, Some(&as_if_merged(read)), now)?;
                }
                Ok(then)
            },
            |then| *then != Then::Done && !is_first,
        );
        match then {
            Some(Then::Merge(read)) => self.merge(at, ticket, read),
            Some(Then::Mark(unseen)) => self.mark(at, ticket, unseen),
            _ => drop(
                self.mirror.as_mut().unwrap().desks[at]
                    .asking
                    .remove(&ticket),
            ),
        }
    }

    fn merge(&mut self, at: usize, ticket: u64, read: Snapshots) {
        let read = self.bent_read(read);
        let of = (read.of.source.clone(), read.of.integration.clone());
        let ledger = self.ledger(of);
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        let life = desk.life;
        desk.merging.insert(ticket, ticket);
        let lost = as_if_merged(&read);
        let asked = Asked::Merge(at, life, ticket, Box::new(lost));
        let call = ledger::Call::Merge { read, setup: None };
        self.ask(ledger, call, world::Asked::Mirror(asked));
    }

    fn mark(&mut self, at: usize, ticket: u64, mut unseen: Unseen) {
        if self.bug == Some(Bug::JobsBelieved) {
            unseen
                .groups
                .iter_mut()
                .for_each(|group| group.seen = u64::MAX / 2);
        }
        let of = (unseen.of.source.clone(), unseen.of.integration.clone());
        let ledger = self.ledger(of);
        let life = self.mirror.as_ref().unwrap().desks[at].life;
        let call = ledger::Call::Gone {
            unseen,
            setup: None,
        };
        let asked = Asked::Mark(at, life, ticket);
        self.ask(ledger, call, world::Asked::Mirror(asked));
    }

    /// The ledger has marked what is gone, or not.
    pub fn desk_marked(&mut self, at: usize, life: u32, ticket: u64, reply: Option<String>) {
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        if desk.life != life {
            return;
        }
        desk.asking.remove(&ticket);
        let marked = reply.and_then(|text| Marked::parse(&text));
        self.at_desk(
            at,
            |core, _, now| core.marked(ticket, marked.as_ref(), now),
            |_| false,
        );
    }

    /// The ledger has answered, or not.
    pub fn desk_merged(
        &mut self,
        at: usize,
        life: u32,
        ticket: u64,
        (reply, lost): (Option<String>, Merged),
    ) {
        let desk = &mut self.mirror.as_mut().unwrap().desks[at];
        if desk.life != life {
            return;
        }
        let ticket = match self.bug {
            Some(Bug::OutcomesMixedUp) => desk.mixed_up(ticket),
            _ => desk.merging.remove(&ticket).unwrap_or(ticket),
        };
        desk.asking.remove(&ticket);
        let merged = reply.and_then(|text| Merged::parse(&text));
        let merged = match self.bug {
            Some(Bug::LostIsMerged) => merged.or(Some(lost)),
            Some(Bug::CursorFirst) => return,
            _ => merged,
        };
        self.say(|| format!("connector {at}: {ticket} is merged: {merged:?}"));
        self.at_desk(
            at,
            |core, _, now| core.merged(ticket, merged.as_ref(), now),
            |()| false,
        );
    }
}

impl Desk {
    /// Which ticket gets the answer for `ticket`: another one that waits, if there is one.
    fn mixed_up(&mut self, ticket: u64) -> u64 {
        let to = self.merging.remove(&ticket).unwrap_or(ticket);
        let mut others = self.merging.iter_mut();
        match others.find(|(of, to)| of == to) {
            Some((other, to_other)) if to == ticket => {
                *to_other = ticket;
                *other
            }
            _ => to,
        }
    }
}

/// An API of which nothing is wanted.
fn without_models(api: Rc<Api>) -> Rc<Api> {
    let mut api = (*api).clone();
    api.hydrate = Vec::new();
    api.backfill = Backfill::Off;
    Rc::new(api)
}

/// What a ledger would say to which nothing is new.
fn as_if_merged(read: &Snapshots) -> Merged {
    Merged {
        seq: read.asked_seq,
        epoch: read.epoch.unwrap_or(0),
        outcomes: vec![MergeOutcome::Same; read.items.len()],
    }
}

/// How long a caller waits for a connector.
pub const CONNECTOR_MS_MAX: u64 = 10 * SECOND;
