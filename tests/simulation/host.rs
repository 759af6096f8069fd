//! The object around a ledger: what `src/shell/ledger_object.rs` does, cut into the
//! stretches between two awaits. What a stretch writes, its alarm included,
//! is durable together or not at all.

use std::collections::BTreeSet;
use std::rc::Rc;

use leasewire::ledger::{Announcement, Call, Effects, Ledger, Retention, Setup};
use leasewire::projection::announcement;
use leasewire::sql::SqlError;
use leasewire::time::Timestamp;

use crate::bugs::Bug;
use crate::storage::{Database, Failure, Storage};
use crate::world::{Asked, Step, World};

type Core = Ledger<Storage>;

/// How long the history is kept: as little as a source may have.
pub const RETENTION_S: u64 = 3 * 86_400;

pub struct Host {
    pub name: (String, String),
    pub database: Rc<Database>,
    core: Option<Core>,
    /// Counts the object's lives: what belongs to an earlier one is dropped.
    pub life: u32,
    pub sending: bool,
    /// A step of a rebuild is on its way to D1.
    pub rebuilding: bool,
    /// The connector is being told, or the wait before it isn't over.
    pub telling: bool,
    /// When packs were sent of late though nobody answers, and in which of its
    /// lives.
    pub sent_ms: Vec<(u64, u32)>,
    /// When it sent something first, since it last heard that something is
    /// applied or can't be.
    pub unheard_since_ms: Option<u64>,
    /// By the receiver's clock.
    pub alarm: Option<Timestamp>,
    /// How often it was set.
    armed: u64,
    /// Numbers that were handed to the queue at any time.
    pub handed: BTreeSet<u64>,
    /// What became of packs, as the ledger was told, in order.
    pub settled: Vec<Settled>,
    /// Deliveries that were taken in and are durable, in order.
    pub taken: Vec<Intake>,
}

/// What became of a pack.
pub struct Settled {
    pub first: u64,
    pub last: u64,
    /// The oldest replay among its events.
    pub replay: u64,
    pub applied: bool,
    /// The ledger failed over it: it may know, or not.
    pub uncertain: bool,
}

/// A delivery that a ledger took in.
pub struct Intake {
    pub fact: usize,
    pub at: Timestamp,
    pub window_s: u64,
    /// History was whole from this number on.
    pub kept_from: u64,
    /// Of so many records what was ignored had been brought in before.
    pub brought_in: usize,
    pub status: &'static str,
    pub seq: u64,
}

/// How a stretch ends for its object.
pub struct Fate {
    pub dies: bool,
    /// What it has written stays.
    pub durable: bool,
    /// Its answer leaves.
    pub heard: bool,
}

/// What became of a stretch.
pub struct Ended<T> {
    /// What it gives; nothing if the storage failed.
    pub value: Option<T>,
    pub durable: bool,
    /// Its answer left.
    pub heard: bool,
}

impl Settled {
    pub fn holds(&self, seq: u64) -> bool {
        (self.first..=self.last).contains(&seq)
    }
}

impl Host {
    pub fn new(name: (String, String), bug: Option<Bug>) -> Self {
        Self {
            name,
            database: Rc::new(Database::new(bug)),
            core: None,
            life: 0,
            sending: false,
            rebuilding: false,
            telling: false,
            sent_ms: Vec::new(),
            unheard_since_ms: None,
            alarm: None,
            armed: 0,
            handed: BTreeSet::new(),
            settled: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Forgets what isn't durable.
    pub fn die(&mut self) {
        self.core = None;
        self.life += 1;
        self.sending = false;
        self.rebuilding = false;
        self.telling = false;
    }

    /// The first number of which the history is whole, as the tables have it.
    pub fn kept_from(&self) -> u64 {
        let first = "SELECT first_seq FROM segments ORDER BY number LIMIT 1";
        let rows = self.database.rows(first);
        rows.first().map_or(1, |row| row.number(0).unwrap())
    }

    pub fn core(&mut self) -> Result<&mut Core, SqlError> {
        if self.core.is_none() {
            self.core = Some(Ledger::open(Storage(self.database.clone()))?);
        }
        Ok(self.core.as_mut().unwrap())
    }
}

impl World {
    /// The object may die before its writes are durable, right after, or when its
    /// answer has left.
    pub fn fate(&mut self) -> Fate {
        let dies = self.random.chance(self.faults.crash);
        let durable = !dies || self.random.chance(667);
        let heard = !dies || (durable && self.random.chance(500));
        Fate {
            dies,
            durable,
            heard,
        }
    }

    /// One stretch without an await, up to its effects.
    pub fn stretch<T>(
        &mut self,
        ledger: usize,
        work: impl FnOnce(&mut Core, Timestamp, u32) -> Result<(T, Effects), SqlError>,
    ) -> Ended<T> {
        let Fate {
            dies,
            durable,
            heard,
        } = self.fate();
        let (now, number) = (self.clock.receiver(), self.random.next() as u32);
        self.break_a_statement(ledger);
        let host = &mut self.hosts[ledger];
        let life = host.life;
        host.database.now.set(now);
        host.database.mark("BEGIN");
        let outcome = host.core().and_then(|core| work(core, now, number));
        host.database.fails.set(None);
        host.database
            .mark(if durable { "COMMIT" } else { "ROLLBACK" });
        if dies {
            host.die();
            self.say(|| format!("ledger {ledger}: dies, durable: {durable}"));
        }
        let (value, effects) = match outcome {
            Ok((value, effects)) => (Some(value), effects),
            Err(why) => {
                self.say(|| format!("ledger {ledger}: {why}"));
                (None, Effects::default())
            }
        };
        match effects.wake_at {
            Some(at) if self.bug == Some(Bug::AlarmSetLater) => {
                self.clock.after(20, Step::Arm(ledger, life, at));
            }
            Some(at) if durable => self.arm(ledger, at),
            _ => {}
        }
        if !dies {
            self.perform(ledger, effects);
        }
        Ended {
            value,
            durable,
            heard: heard || self.bug == Some(Bug::AnswerBeforeCommit),
        }
    }

    /// Of how many records a ledger has read again what was ignored of them.
    pub fn brought_in(&mut self, ledger: usize) -> usize {
        let exists = self.hosts[ledger]
            .core()
            .is_ok_and(|core| core.last_seq() > 0);
        if !self.wanted.linked || !exists {
            return 0;
        }
        let ended = "SELECT number FROM replays
                     WHERE record_id IS NOT NULL AND ended_at IS NOT NULL";
        self.hosts[ledger].database.rows(ended).len()
    }

    pub fn break_a_statement(&mut self, ledger: usize) {
        let database = self.hosts[ledger].database.clone();
        self.break_a_statement_of(&database);
    }

    pub fn break_a_statement_of(&mut self, database: &Database) {
        if self.random.chance(self.faults.statement) {
            let failure = self.random.pick(&[Failure::Before, Failure::After]);
            let fails = (self.random.below(8), failure);
            database.fails.set(Some(fails));
        }
    }

    fn perform(&mut self, ledger: usize, effects: Effects) {
        let life = self.hosts[ledger].life;
        if let Some(told) = effects.announce {
            let after_ms = self.random.below(20);
            let step = Step::Announce(ledger, life, Box::new(told));
            self.clock.after(after_ms, step);
        }
        if effects.rebuild {
            self.begin_rebuild(ledger);
        }
        if effects.tell {
            self.begin_to_tell(ledger);
        }
        if effects.forward && !self.hosts[ledger].sending {
            self.hosts[ledger].sending = true;
            let after_ms = self.random.below(20);
            self.clock.after(after_ms, Step::Forward(ledger, life));
        }
    }

    pub fn is_alive(&self, ledger: usize, life: u32) -> bool {
        self.hosts[ledger].life == life
    }

    pub fn arm(&mut self, ledger: usize, at: Timestamp) {
        let after_ms = self.clock.ms_until(at);
        // What the list doesn't know, no sweep can find.
        let is_lost = self.random.chance(self.faults.alarm_lost) && self.is_listed(ledger);
        if is_lost {
            self.say(|| format!("ledger {ledger}: its alarm is lost"));
        }
        let host = &mut self.hosts[ledger];
        host.alarm = (!is_lost).then_some(at);
        host.armed += 1;
        self.clock.after(after_ms, Step::Alarm(ledger, host.armed));
    }

    /// The alarm goes off, unless it was set anew or the clock went back. If
    /// the object dies over it, it goes off again.
    pub fn alarm(&mut self, ledger: usize, armed: u64) {
        let host = &mut self.hosts[ledger];
        let Some(at) = host.alarm.filter(|_| host.armed == armed) else {
            return;
        };
        if at > self.clock.receiver() {
            return self.arm(ledger, at);
        }
        host.alarm = None;
        let not_again = self.bug == Some(Bug::AlarmNotRepeated);
        self.say(|| format!("ledger {ledger}: alarm"));
        let setup = self.setup(ledger);
        let ended = self.stretch(ledger, |core, now, random| {
            let mut effects = core.go_off(&|_: &str| setup.clone(), now, random);
            effects.wake_at = effects.wake_at.filter(|_| !not_again);
            Ok(((), effects))
        });
        if !ended.durable {
            self.arm(ledger, self.clock.receiver().plus_s(2));
        } else if ended.value.is_none() {
            let number = self.random.next() as u32;
            let why = SqlError("the ledger is unusable".to_owned());
            let at = Core::wake_after_failure(&why, self.clock.receiver(), number);
            self.arm(ledger, at);
        }
    }

    /// How the source of a ledger is set up.
    pub fn setup(&self, ledger: usize) -> Setup {
        let source = &self.sources[self.hosts[ledger].name.0.as_str()];
        let filter = match self.bug {
            Some(Bug::FilterForgotten) => Rc::default(),
            _ => source.filter.clone(),
        };
        Setup {
            dialect: Some(source.dialect),
            filter,
            retention: self.retention(ledger),
            api: source.api.clone(),
        }
    }

    /// How long the history of a ledger is kept.
    fn retention(&self, ledger: usize) -> Retention {
        let source = &self.sources[self.hosts[ledger].name.0.as_str()];
        let history_s = match self.bug {
            Some(Bug::HistoryTooShort) => 3_600,
            _ => RETENTION_S,
        };
        let window_s = match self.bug {
            Some(Bug::KeysGoEarly) => 0,
            _ => source.dedupe_window_s,
        };
        let usual = Retention::new(history_s, window_s);
        match self.ledger_bytes_max {
            None => usual,
            Some(ledger_bytes_max) => Retention {
                ledger_bytes_max,
                segment_bytes_max: ledger_bytes_max / 10,
                ..usual
            },
        }
    }

    pub fn announce(&mut self, ledger: usize, told: Box<Announcement>) {
        let life = self.hosts[ledger].life;
        if let Some(report) = &told.report {
            self.say(|| format!("ledger {ledger}: reports {report:?}"));
        }
        let (done, after_ms) = self.run_in_d1(announcement(&told), &mut 0);
        if done.is_ok() {
            let step = Step::Announced(ledger, life, told);
            self.clock.after(after_ms, step);
        }
    }

    pub fn announced(&mut self, ledger: usize, told: &Announcement) {
        self.break_a_statement(ledger);
        let host = &mut self.hosts[ledger];
        let announced = host.core().and_then(|core| core.announced(told));
        host.database.fails.set(None);
        if announced == Ok(true) {
            host.alarm = None;
            host.armed += 1;
        }
    }

    fn is_listed(&self, ledger: usize) -> bool {
        let (source, integration) = &self.hosts[ledger].name;
        let rows = self.d1.rows("SELECT source, integration FROM integrations");
        let mut rows = rows.iter();
        rows.any(|row| row.text(0) == Ok(source) && row.text(1) == Ok(integration))
    }

    /// Every ledger in D1's list is asked whether it has lost its alarm. What
    /// isn't in there is not known to exist.
    pub fn sweep(&mut self) {
        if self.bug == Some(Bug::NoSweep) {
            return;
        }
        let listed = "SELECT source, integration, last_seq, epoch FROM integrations";
        for row in self.d1.rows(listed) {
            let text = |at| row.text(at).unwrap().to_owned();
            let ledger = self.ledger((text(0), text(1)));
            let listed_seq = row.number(2).unwrap();
            let call = Call::Sweep {
                listed_seq,
                listed_epoch: Some(row.number(3).unwrap()),
            };
            self.ask(ledger, call, Asked::Operated);
        }
    }
}
