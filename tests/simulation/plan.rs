//! How a world is drawn: who says how much and when, what is wanted of it, and
//! what goes wrong until when.

use leasewire::edge::source::{Source, Sources};

use crate::bugs::Bug;
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::faults::Faults;
use crate::provider::Provider;
use crate::world::{Step, World};

pub const DIALECTS: [&str; 4] = ["propexo", "propify", "meterbase", "real-estate"];

/// What a filter lets through.
const MODELS: &[&[&str]] = &[
    &["units", "properties"],
    &["leases", "service_requests", "appointments"],
    &["residents_to_leases"],
];

/// The property that is linked, where only some are.
pub const LINKED: &str = "p1";

/// A sweep a day, of which the last finds what was lost with the last faults.
const SWEEPS: u64 = 17;

/// From here on the oldest history is gone.
const GOES_MS: u64 = 3 * DAY + 12 * HOUR;

/// What sources want.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Models, if not all.
    pub models: Option<&'static [&'static str]>,
    /// Only records of the property [`LINKED`].
    pub linked: bool,
}

/// How much happens, and when.
struct Extent {
    /// One integration says much at once.
    is_busy: bool,
    events: u64,
    span_ms: u64,
    /// When everything works again.
    heal_ms: u64,
}

impl World {
    /// Draws a world.
    pub fn plan(&mut self) {
        // An empty ledger has some 100 KB.
        let sizes = [200_000, 300_000, 500_000];
        let mut is_small = self.random.chance(60);
        is_small |= self.bug == Some(Bug::KeysGoEarly);
        is_small &= !self.needs_operator() && self.bug != Some(Bug::UnplacedStaysOut);
        self.ledger_bytes_max = is_small.then(|| self.random.pick(&sizes));
        // Now and then one integration says much at once.
        let is_busy = is_small || self.random.chance(30) && !self.needs_operator();
        let is_busy = is_busy && self.bug != Some(Bug::UnplacedStaysOut);
        let mut linked = !is_busy && self.random.chance(120);
        linked |= self.bug == Some(Bug::UnplacedStaysOut);
        let extent = self.extent(is_busy, linked);
        self.faults = Faults::draw(&mut self.random, extent.span_ms, extent.heal_ms);
        self.lean();
        if is_busy {
            // Each life sends all again that has no answer: where many packs wait and
            // every seventh call ends a life, more comes than goes.
            self.faults.crash = self.faults.crash.min(30);
        }
        if linked {
            // What brings in what was ignored may fail, until the next event.
            self.faults.statement = 0;
        }
        self.plan_sources(linked);
        self.plan_operator(&extent);
        self.is_steady = self.faults.is_steady();
        let (wanted, bytes_max) = (self.wanted, self.ledger_bytes_max);
        self.say(|| format!("wanted: {wanted:?}, in {bytes_max:?} bytes"));
        let (faults, heal_ms) = (self.faults.clone(), extent.heal_ms);
        self.say(|| format!("{faults:?}, until {heal_ms} ms"));
        let count = self.plan_providers(&extent);
        self.plan_events(&extent, count);
        self.plan_poison(&extent);
    }

    /// What a deliberate bug needs in order to show may be rare; where it is put
    /// in, it is frequent.
    fn lean(&mut self) {
        let faults = &mut self.faults;
        match self.bug {
            Some(Bug::NoRollback | Bug::FailedIsAnswered) => faults.statement = 400,
            Some(Bug::ProbesGoOn) => {
                (faults.alarm_lost, faults.statement, faults.crash) = (0, 0, 0);
                (faults.jumps, faults.sudden_deaths) = (0, 0);
            }
            Some(Bug::RebuildNeverEnds) => {
                (faults.statement, faults.crash, faults.sudden_deaths) = (400, 0, 0);
            }
            Some(Bug::NobodyLeavesTheLine) => (faults.sender_gone, faults.call_late) = (500, 150),
            Some(Bug::DiscardIsUndone) => {
                (faults.queue_repeats, faults.queue_delays) = (500, 500);
            }
            _ => {}
        }
    }

    /// True where a bug shows in a replay behind history that is gone.
    pub fn needs_old_history(&self) -> bool {
        let replays = [
            Bug::NoticesGoWithHistory,
            Bug::DriftGoesWithHistory,
            Bug::LateGoesWithHistory,
        ];
        self.bug.is_some_and(|bug| replays.contains(&bug))
    }

    /// True where a bug shows in what the operator asks for.
    pub fn needs_operator(&self) -> bool {
        self.needs_old_history() || self.needs_rebuild() || self.needs_discard()
    }

    /// True where that is a rebuild: of a D1 that takes every event.
    fn needs_rebuild(&self) -> bool {
        let rebuilds = [
            Bug::RebuildNeverEnds,
            Bug::RebuildPassesRefused,
            Bug::RebuildInTheOldEpoch,
        ];
        self.bug.is_some_and(|bug| rebuilds.contains(&bug))
    }

    /// True where that is a discard.
    fn needs_discard(&self) -> bool {
        let discards = [
            Bug::DiscardIsUndone,
            Bug::DiscardedComesBack,
            Bug::DiscardTakesNeighbours,
        ];
        self.bug.is_some_and(|bug| discards.contains(&bug))
    }

    fn extent(&mut self, is_busy: bool, linked: bool) -> Extent {
        let spans_ms: &[u64] = match (is_busy, linked) {
            (true, _) => &[5 * SECOND, 2 * MINUTE, 20 * MINUTE],
            // What goes before it is known to be wanted doesn't come in.
            (_, true) => &[MINUTE, 20 * MINUTE, 3 * HOUR, DAY],
            _ => &[
                SECOND,
                MINUTE,
                20 * MINUTE,
                3 * HOUR,
                DAY,
                4 * DAY,
                12 * DAY,
            ],
        };
        let mut span_ms = self.random.pick(spans_ms);
        if self.needs_old_history() {
            span_ms = 12 * DAY;
        }
        let events = match is_busy {
            true => 400,
            // So that something is kept and something is gone.
            false if span_ms > GOES_MS => self.random.between(30, 60),
            false => self.random.between(3, 60),
        };
        let healing_ms = self.random.pick(&[0, MINUTE, HOUR, 2 * DAY]);
        Extent {
            is_busy,
            events,
            span_ms,
            heal_ms: span_ms + healing_ms,
        }
    }

    fn plan_sources(&mut self, linked: bool) {
        let is_picky = !linked && self.random.chance(150);
        let models = is_picky.then(|| self.random.pick(MODELS));
        self.wanted = Wanted { models, linked };
        let wanted = self.wanted;
        self.sources = DIALECTS
            .map(|dialect| (dialect, source(dialect, wanted)))
            .into();
    }

    fn plan_operator(&mut self, extent: &Extent) {
        let outlives = extent.heal_ms > GOES_MS;
        if !self.random.chance(if outlives { 800 } else { 400 }) && !self.needs_operator() {
            return;
        }
        // An event that is ahead of the clock isn't any more when replayed.
        self.faults.jumps = 0;
        let times = if outlives { 8 } else { 6 };
        for _ in 0..self.random.between(1, times) {
            // Most of them when something is gone already.
            let at_ms = match outlives && self.random.chance(700) {
                true => self.random.between(GOES_MS, extent.heal_ms),
                false => self.random.below(extent.heal_ms),
            };
            self.clock.after(at_ms, Step::Operate);
        }
    }

    /// Draws who says something; gives how many they are.
    fn plan_providers(&mut self, extent: &Extent) -> u64 {
        let count = match extent.is_busy {
            true => 1,
            false => self.random.between(1, 4),
        };
        for _ in 0..count {
            // Of events of one time those are compared that are kept.
            let dialect = match (self.ledger_bytes_max, self.bug) {
                (Some(_), _) | (_, Some(Bug::DriftGoesWithHistory)) => {
                    self.random.pick(&["propexo", "propify"])
                }
                (_, Some(Bug::LateGoesWithHistory)) => {
                    self.random.pick(&["meterbase", "real-estate"])
                }
                _ => self.random.pick(&DIALECTS),
            };
            let integration = match dialect {
                "real-estate" => "default",
                _ => self.random.pick(&["int_1", "int/2 é"]),
            };
            let linked = self.wanted.linked;
            let provider = Provider::new(dialect, integration, linked, &mut self.random);
            self.providers.push(provider);
        }
        count
    }

    fn plan_events(&mut self, extent: &Extent, providers: u64) {
        let heal_ms = extent.heal_ms;
        // Changes come by themselves, or several at once.
        let at_once = self.random.pick(&[1, 1, 1, 4, 12]);
        let (mut at_ms, mut provider) = (0, 0);
        for event in 0..extent.events {
            if event % at_once == 0 {
                at_ms = self.random.below(extent.span_ms);
                provider = self.random.below(providers) as usize;
            }
            self.clock.after(at_ms, Step::Create(provider));
        }
        for _ in 0..self.faults.jumps {
            let at_ms = self.random.below(heal_ms);
            self.clock.after(at_ms, Step::Jump);
        }
        for _ in 0..self.faults.sudden_deaths {
            let at_ms = self.random.below(heal_ms);
            self.clock.after(at_ms, Step::Die);
        }
        self.clock.after(heal_ms, Step::Heal);
        for day in 1..=SWEEPS {
            self.clock.after(day * DAY, Step::Sweep);
        }
    }

    fn plan_poison(&mut self, extent: &Extent) {
        // Of one that says much, it may be nearly everything.
        let poisoned = match extent.is_busy {
            _ if self.needs_rebuild() => [0; 4],
            _ if self.needs_discard() => [12; 4],
            true => [0, 60, 4_000, 4_000],
            false => [0, 1, 3, 12],
        };
        let telling = match self.bug {
            Some(Bug::DiscardIsUndone | Bug::DiscardedComesBack) => 1_000,
            _ => self.random.pick(&[0, 500, 1_000]),
        };
        for _ in 0..self.random.pick(&poisoned) {
            let seq = self.random.between(1, extent.events);
            let tells = u8::from(self.random.chance(telling));
            self.poison.insert(seq);
            let poison = format!("INSERT OR IGNORE INTO poison VALUES ({seq}, {tells})");
            self.d1.run(&poison);
        }
        self.say(|| format!("poisoned: {:?}", self.poison));
    }
}

/// The source of `dialect`, which lets through what is wanted.
pub fn source(dialect: &str, wanted: Wanted) -> Source {
    let models = wanted.models;
    let mut filter = models.map_or(String::new(), |models| format!(r#","models":{models:?}"#));
    if wanted.linked {
        filter += &format!(r#","properties":["{LINKED}","r0"]"#);
    }
    let json = format!(r#"{{"{dialect}":{{"dialect":"{dialect}","secret":"SECRET"{filter}}}}}"#);
    let sources = Sources::parse(&json).unwrap();
    sources.named(dialect).unwrap().clone().unwrap()
}
