//! One world: its parts, and the steps in which time goes on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use leasewire::edge::group::Groups;
use leasewire::edge::source::Source;
use leasewire::ledger::{Announcement, Batch as Packs};
use leasewire::projection::{PackReport, RebuildStep};
use leasewire::sql::Statement;
use leasewire::time::Timestamp;

use crate::bugs::Bug;
use crate::calls::Request;
use crate::clock::{Clock, DAY, HOUR, MINUTE, SECOND};
use crate::consumer::Batch;
use crate::d1::POISON;
use crate::edge::{Awaited, Group, InLine};
use crate::fact::Fact;
use crate::faults::Faults;
use crate::host::Host;
use crate::mirror::{self, Mirror};
use crate::operator::Discard;
use crate::plan::{DIALECTS, Wanted, source};
use crate::provider::Provider;
use crate::queue::Message;
use crate::random::Random;
use crate::sender::{Answer, Dispatch};
use crate::storage::Database;

/// When everything must be at rest: faults end within 14 days, a provider's
/// last attempt comes 27 hours after its first, a repetition up to 4 days after
/// what it repeats, several of them in a row, and alarms are at most 75 minutes
/// apart.
const END_MS: u64 = 40 * DAY;

/// How far the receiver's clock may be behind: an event is of the future by more
/// than 5 minutes.
const BEHIND_MS_MAX: i64 = 4 * MINUTE as i64;

/// Many times what the busiest world takes: who waits looks every 16 ms.
const STEPS_MAX: u64 = 2_000_000;

/// What makes D1's tables, in order.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../migrations/0001_leasewire.sql"),
    include_str!("../../migrations/0002_asking.sql"),
];

/// How long after everything works all that waited has arrived: the longest
/// pause before a probe, a quarter of an hour and a quarter of that, and as much
/// again for what follows it.
const HEALED_MS: u64 = 30 * MINUTE;

pub enum Step {
    /// A provider has something to say.
    Create(usize),
    Send(usize),
    Arrive(Box<Request>),
    /// The answers to questions, or that there are none.
    Answer(Asked, Option<Vec<String>>),
    /// The request with this ticket looks for its answer.
    Look(u64),
    /// Its sender has waited long enough.
    HangUp(u64),
    Arm(usize, u32, Timestamp),
    Alarm(usize, u64),
    Announce(usize, u32, Box<Announcement>),
    Announced(usize, u32, Box<Announcement>),
    Forward(usize, u32),
    /// A step of a rebuild goes to D1.
    Rebuild(usize, u32),
    /// What D1 said to it.
    Rebuilt(usize, u32, Box<(RebuildStep, Result<(), String>)>),
    Sent(usize, u32, Option<Packs>),
    Deliver(Box<Message>),
    /// The queue has waited long enough for a full batch.
    Batch,
    /// What D1 said to the consumer.
    Ran(Box<Batch>, Result<(), String>),
    /// The consumer goes on after a pause.
    Proceed(Box<Batch>),
    /// The cron trigger goes off.
    Sweep,
    /// A batch of D1 that its sender has given up on.
    Write(Vec<Statement>),
    Die,
    Jump,
    /// The operator has something done again.
    Operate,
    /// From here on everything works.
    Heal,
    /// By now all has arrived that waited when everything began to work, at
    /// this time.
    Deadline(Timestamp),
    /// Of the mirror.
    Mirror(mirror::Step),
}

/// What was asked of a ledger, and for whom.
pub enum Asked {
    Taken(Group),
    /// The consumer says that a pack is applied, or dead.
    Reported(Message, PackReport),
    /// The consumer takes a pack apart.
    Apart(Box<Batch>),
    /// Nobody waits for it.
    Operated,
    Mirror(mirror::Asked),
}

pub struct World {
    pub clock: Clock<Step>,
    pub random: Random,
    pub faults: Faults,
    pub bug: Option<Bug>,
    pub sources: BTreeMap<&'static str, Source>,
    /// Bytes of a ledger from which on its history goes early, where that is
    /// little.
    pub ledger_bytes_max: Option<u64>,
    /// What the sources want.
    pub wanted: Wanted,
    pub providers: Vec<Provider>,
    pub facts: Vec<Fact>,
    pub dispatches: Vec<Dispatch>,
    /// Every 200 that left the edge.
    pub answers: Vec<Answer>,
    pub hosts: Vec<Host>,
    /// The lines at the edge.
    pub groups: Groups<InLine>,
    /// Requests at the edge, by their tickets.
    pub awaited: BTreeMap<u64, Awaited>,
    pub d1: Database,
    /// Numbers of events, in any ledger, that make D1 fail for ever.
    pub poison: BTreeSet<u64>,
    /// Ledgers of which D1 has lost records.
    pub lost: BTreeSet<usize>,
    pub discards: Vec<Discard>,
    /// Events that were found guilty, and by which error.
    pub blamed: BTreeMap<(usize, u64), String>,
    /// Messages that wait for their batch.
    pub inbox: VecDeque<Message>,
    pub is_healed: bool,
    /// No ledger ever loses its memory, its alarm or its writes.
    pub is_steady: bool,
    /// The provider that is asked, and who asks it; `None` where none is.
    pub mirror: Option<Box<Mirror>>,
    /// Nothing more is to be seen.
    pub is_over: bool,
    /// What must not be, as soon as it is seen.
    pub complaints: Vec<String>,
    is_told: bool,
}

impl World {
    /// Lives through the world of `seed`; tells what happens if `is_told`. `None`
    /// if nobody `is_curious` any more.
    pub fn live(
        seed: u64,
        bug: Option<Bug>,
        is_mirror: bool,
        is_told: bool,
        is_curious: &AtomicBool,
    ) -> Option<Self> {
        let mut world = Self::new(seed, bug, is_told);
        match is_mirror {
            true => world.plan_mirror(),
            false => world.plan(),
        }
        let mut steps = 0;
        while let Some(step) = world.clock.next() {
            steps += 1;
            if world.clock.now_ms > END_MS || steps > STEPS_MAX {
                world.complain("something goes on for ever".to_owned());
            }
            // What comes after the first thing that is wrong, tells nothing.
            if !world.complaints.is_empty() || world.is_over {
                break;
            }
            if !is_curious.load(Ordering::Relaxed) {
                return None;
            }
            world.step(step);
        }
        Some(world)
    }

    /// A world in which nothing happens yet.
    pub fn new(seed: u64, bug: Option<Bug>, is_told: bool) -> Self {
        let world = Self {
            clock: Clock::new(),
            random: Random::new(seed),
            faults: Faults::default(),
            bug,
            sources: DIALECTS
                .map(|dialect| (dialect, source(dialect, Wanted::default())))
                .into(),
            ledger_bytes_max: None,
            wanted: Wanted::default(),
            providers: Vec::new(),
            facts: Vec::new(),
            dispatches: Vec::new(),
            answers: Vec::new(),
            hosts: Vec::new(),
            groups: Groups::default(),
            awaited: BTreeMap::new(),
            d1: Database::new(bug),
            poison: BTreeSet::new(),
            lost: BTreeSet::new(),
            discards: Vec::new(),
            blamed: BTreeMap::new(),
            inbox: VecDeque::new(),
            is_healed: false,
            is_steady: false,
            mirror: None,
            is_over: false,
            complaints: Vec::new(),
            is_told,
        };
        for tables in MIGRATIONS {
            world.d1.run(tables);
        }
        world.d1.run(POISON);
        world
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Create(provider) => self.create(provider),
            Step::Send(dispatch) => self.send(dispatch),
            Step::Arrive(request) => self.arrive(*request),
            Step::Answer(Asked::Taken(group), replies) => self.back(group, replies),
            Step::Answer(asked, replies) => {
                let reply = replies.and_then(|replies| replies.into_iter().next());
                self.answered(asked, reply);
            }
            Step::Look(ticket) => self.look(ticket),
            Step::HangUp(ticket) => self.hang_up(ticket),
            Step::Sweep => self.sweep(),
            Step::Alarm(ledger, armed) => self.alarm(ledger, armed),
            Step::Arm(ledger, life, at) if self.is_alive(ledger, life) => self.arm(ledger, at),
            Step::Announce(ledger, life, told) if self.is_alive(ledger, life) => {
                self.announce(ledger, told);
            }
            Step::Announced(ledger, life, told) if self.is_alive(ledger, life) => {
                self.announced(ledger, &told);
            }
            Step::Forward(ledger, life) if self.is_alive(ledger, life) => self.forward(ledger),
            Step::Sent(ledger, life, sent) if self.is_alive(ledger, life) => {
                self.sent(ledger, sent);
            }
            Step::Rebuild(ledger, life) if self.is_alive(ledger, life) => self.rebuild(ledger),
            Step::Rebuilt(ledger, life, said) if self.is_alive(ledger, life) => {
                let (step, done) = *said;
                self.rebuilt(ledger, step, done);
            }
            // Of an object that died since.
            Step::Arm(..)
            | Step::Announce(..)
            | Step::Announced(..)
            | Step::Forward(..)
            | Step::Rebuild(..)
            | Step::Rebuilt(..)
            | Step::Sent(..) => {}
            Step::Deliver(message) => self.deliver(*message),
            Step::Batch if !self.inbox.is_empty() => self.batch(),
            Step::Batch => {}
            Step::Ran(batch, outcome) => self.ran(batch, outcome),
            Step::Proceed(batch) => self.proceed(batch),
            // Nobody hears how that ends.
            Step::Write(statements) => drop(self.d1.batch(&statements)),
            Step::Die => self.die(),
            Step::Jump => self.jump(),
            Step::Operate => self.operate(),
            Step::Mirror(step) => self.step_mirror(step),
            Step::Deadline(healed_at) => self.check_healed(healed_at),
            Step::Heal => {
                self.say(|| "everything works".to_owned());
                // Where nearly nothing can be applied, it takes longer to find that out.
                let is_prompt = self.faults.alarm_lost == 0 && self.faults.jumps == 0;
                if is_prompt && self.poison.len() <= 60 {
                    let healed_at = self.clock.receiver();
                    self.clock.after(HEALED_MS, Step::Deadline(healed_at));
                }
                self.faults = Faults::default();
                self.is_healed = true;
                self.rebuild_lost();
            }
        }
    }

    fn answered(&mut self, asked: Asked, reply: Option<String>) {
        match asked {
            Asked::Reported(message, report) => self.reported(message, &report, reply),
            Asked::Apart(batch) => self.told(batch, reply),
            Asked::Mirror(asked) => self.mirror_answered(asked, reply),
            Asked::Taken(_) | Asked::Operated => {}
        }
    }

    fn die(&mut self) {
        if !self.hosts.is_empty() {
            let ledger = self.random.below(self.hosts.len() as u64) as usize;
            self.say(|| format!("ledger {ledger}: dies"));
            self.hosts[ledger].die();
        }
    }

    /// What waited when everything began to work has arrived, without hands.
    fn check_healed(&mut self, healed_at: Timestamp) {
        for ledger in 0..self.hosts.len() {
            let state = self.hosts[ledger].core().and_then(|core| core.state());
            let oldest = state.unwrap().and_then(|state| state.oldest_unconfirmed_at);
            if let Some(at) = oldest.filter(|at| *at < healed_at) {
                self.complain(format!(
                    "ledger {ledger}: waits since {at}, all works since {healed_at}"
                ));
            }
        }
    }

    /// The receiver's clock jumps: forwards by hours, backwards by minutes, but
    /// never so far behind that it takes events for ones of the future.
    fn jump(&mut self) {
        let by_ms = match self.random.below(4) {
            0 => self.random.below(6 * HOUR) as i64,
            1 => self.random.below(MINUTE) as i64,
            2 => -(self.random.below(MINUTE) as i64),
            _ => -(self.random.below(10 * MINUTE) as i64),
        };
        let by_ms = by_ms.max(-BEHIND_MS_MAX - self.clock.ahead_ms);
        self.say(|| format!("the receiver's clock jumps by {by_ms} ms"));
        self.clock.ahead_ms += by_ms;
        for ledger in 0..self.hosts.len() {
            if let Some(at) = self.hosts[ledger].alarm {
                self.arm(ledger, at);
            }
        }
    }

    /// The ledger called `name`.
    pub fn ledger(&mut self, name: (String, String)) -> usize {
        match self.hosts.iter().position(|host| host.name == name) {
            Some(ledger) => ledger,
            None => {
                self.hosts.push(Host::new(name, self.bug));
                self.hosts.len() - 1
            }
        }
    }

    pub fn complain(&mut self, what: String) {
        self.say(|| format!("WRONG: {what}"));
        self.complaints.push(what);
    }

    /// A line of the trace.
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            let (ms, s) = (self.clock.now_ms % SECOND, self.clock.now_ms / SECOND);
            let (d, h, m, s) = (s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60);
            println!("{d}d {h:02}:{m:02}:{s:02}.{ms:03} {}", what());
        }
    }
}
