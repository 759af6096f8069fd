//! How a world of the mirror is drawn, and what comes when: a time in which
//! everything may fail, and rounds after it that each show one promise.

use std::rc::Rc;

use leasewire::json;
use leasewire::provider::Api;

use super::api::Trouble;
use super::life::{Happening, Heard};
use super::limit::Limit;
use super::truth::{Found, Integration, PART, Truth};
use super::{Generation, Mirror, Step};
use crate::bugs::Bug;
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::faults::{self, Faults};
use crate::random::Random;
use crate::world::{self, World};

/// Of which there are records.
const MODELS: &[&str] = &["leases", "residents", "units", "fees", PART];

/// By then the clock has had all read that has changed: twice a day, since a
/// model that stops does so for one.
const DAILY_MS: u64 = 50 * HOUR;
/// How long things go wrong in a round.
const ROUND_MS: u64 = 5 * MINUTE;
/// By then pauses are over, and what was owed is asked for.
const PROMPT_MS: u64 = 2 * HOUR;
/// The deep walk comes once a week.
const WEEK_MS: u64 = 7 * DAY + 6 * HOUR;

#[derive(Debug, Clone)]
pub struct Plan {
    /// Of which records are made.
    pub models: &'static [&'static str],
    /// Records of an integration before anything is told.
    pub records: u64,
    /// In a thousand.
    pub webhooks_lost: u64,
    pub webhooks_repeated: u64,
    /// Webhooks have the short envelope.
    pub are_short: bool,
    /// They tell when the record was changed.
    pub are_dated: bool,
    /// What changes a part moves the times of its parents.
    pub parts_touch: bool,
    pub generation: Generation,
    /// Records of a page at the most, whatever is asked.
    pub cap: usize,
    pub says_more: bool,
    pub rounds: Vec<Round>,
}

/// A promise, and when it is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// After everything worked for two days: what changed is there.
    Healed,
    /// What webhooks tell of, and what an end of a synchronisation brings to
    /// light, is there soon.
    Prompt,
    /// After a backsync everything is.
    Back,
    /// What nothing told of is there after a day.
    Unheard,
    /// And what doesn't even show by its time, after a week.
    Silent,
}

impl Round {
    const AFTER: [Self; 4] = [Self::Prompt, Self::Back, Self::Unheard, Self::Silent];

    /// What is found by its end, unless it was given up.
    pub fn finds(self) -> Found {
        match self {
            Self::Prompt => Found::Soon,
            Self::Healed | Self::Unheard => Found::Daily,
            Self::Back | Self::Silent => Found::Weekly,
        }
    }

    fn lasts_ms(self) -> u64 {
        match self {
            Self::Healed => DAILY_MS,
            Self::Prompt | Self::Back => PROMPT_MS,
            Self::Unheard => 26 * HOUR,
            Self::Silent => WEEK_MS,
        }
    }
}

impl World {
    /// Draws a world with a provider that is asked.
    pub fn plan_mirror(&mut self) {
        let random = &mut self.random;
        let span_ms = random.pick(&[2 * MINUTE, 20 * MINUTE, 3 * HOUR, DAY, 3 * DAY]);
        let heal_ms = span_ms + random.pick(&[0, MINUTE, HOUR, DAY]);
        self.faults = draw(random, span_ms, heal_ms);
        let trouble = draw_trouble(random, span_ms, heal_ms);
        let limit = random.pick(&[10, 10, 30, 150]);
        let (phase_ms, others) = (random.below(MINUTE), random.pick(&[0, 0, 2, 8]));
        let limit = Limit::new(limit, phase_ms, others);
        // Clocks differ.
        self.clock.ahead_ms = match random.below(3) {
            0 => random.below(3 * MINUTE) as i64,
            1 => -(random.below(3 * MINUTE) as i64),
            _ => 0,
        };
        let mut plan = draw_plan(random);
        if self.bug == Some(Bug::AskedWhenAnswered) {
            // It shows where a part changes between a request and its answer.
            plan.rounds = vec![Round::Prompt; 8];
        }
        let mut truth = Truth {
            failing: random.chance(300).then(|| random.pick(plan.models)),
            ..Truth::default()
        };
        let all = [
            ("propexo", "int_1"),
            ("propify", "int_2"),
            ("propexo", "int/3 é"),
        ];
        for (source, id) in all.into_iter().take(random.pick(&[1, 1, 2, 2, 3])) {
            let seen_ms = Vec::new();
            truth.integrations.push(Integration {
                source,
                id,
                seen_ms,
            });
        }
        self.say(|| format!("{plan:?} {trouble:?}"));
        let stop_at = limit.stop_at;
        let integrations = truth.integrations.len() as u64;
        self.mirror = Some(Box::new(Mirror {
            plan,
            truth,
            trouble,
            limit,
            desks: Vec::new(),
            names: Vec::new(),
            taken: 0,
            before: (0, 0),
            aside: 0,
            aside_before: 0,
        }));
        self.set_up_apis(stop_at);
        let faults = self.faults.clone();
        self.say(|| format!("{faults:?}, until {heal_ms} ms"));
        self.plan_life(integrations, span_ms, heal_ms);
    }

    fn set_up_apis(&mut self, per_minute: u32) {
        let settings = format!(
            r#"{{"kind":"propexo","key":"KEY","requests_per_minute":{per_minute},"hydrate":["leases","residents","units","fees"],"gone_after_days":1}}"#
        );
        let api = Api::parse(json::value(&settings).unwrap()).unwrap();
        let api = Rc::new(api);
        for source in self.sources.values_mut() {
            source.api = Some(api.clone());
        }
    }

    fn plan_life(&mut self, integrations: u64, span_ms: u64, heal_ms: u64) {
        let is_busy = self.mirror.as_ref().unwrap().plan.models.len() == 1;
        for of in 0..integrations as usize {
            let at_ms = self.random.below(span_ms / 2);
            self.after(at_ms, Step::Happen(Happening::First(of)));
        }
        for _ in 0..self.random.between(1, 10) {
            let of = self.random.below(integrations) as usize;
            let changes = match is_busy {
                true => self.random.between(20, 60),
                false => self.random.between(0, 6),
            };
            let happening = match self.random.below(10) {
                0 => Happening::Back(of, changes, Heard::Perhaps),
                1 => Happening::Unheard(of),
                2 => Happening::Silent(of),
                3 => Happening::Part(of),
                _ => Happening::Sync(of, changes, Heard::Perhaps),
            };
            let at_ms = self.random.below(span_ms);
            self.after(at_ms, Step::Happen(happening));
        }
        for _ in 0..self.faults.sudden_deaths {
            let at_ms = self.random.below(heal_ms);
            self.after(at_ms, Step::Die);
        }
        self.after(heal_ms, Step::Heal);
        for day in 1..=heal_ms / DAY + 3 {
            self.clock.after(day * DAY, world::Step::Sweep);
        }
        self.after(heal_ms + DAILY_MS, Step::Check(Round::Healed));
    }

    pub fn heal(&mut self) {
        self.say(|| "everything works".to_owned());
        self.faults = Faults::default();
        self.is_healed = true;
        let mirror = self.mirror.as_mut().unwrap();
        if let Some(at) = mirror.trouble.broken_record {
            // It may have been passed over, as pages with it always failed.
            mirror
                .truth
                .records
                .get_mut(at)
                .into_iter()
                .for_each(|record| record.found = Found::Weekly);
        }
        // That a replica lags is no fault.
        mirror.trouble = Trouble {
            lags: mirror.trouble.lags,
            lag_ms: mirror.trouble.lag_ms.min(MINUTE),
            ..Trouble::default()
        };
    }

    /// The next round begins, if there is one.
    pub fn next_round(&mut self) {
        let rounds = &mut self.mirror.as_mut().unwrap().plan.rounds;
        match rounds.is_empty() {
            true => self.is_over = true,
            false => {
                let round = rounds.remove(0);
                self.after(MINUTE, Step::Round(round));
            }
        }
    }

    pub fn begin_round(&mut self, round: Round) {
        self.say(|| format!("round: {round:?}"));
        if round != Round::Silent {
            let random = &mut self.random;
            self.faults = draw(random, ROUND_MS, ROUND_MS);
            let lag = random.pick(&[0, 300, 800]);
            let mirror = self.mirror.as_mut().unwrap();
            mirror.trouble = Trouble {
                lags: lag,
                forbidden: 0,
                refused: None,
                broken_record: None,
                lag_ms: 50 * SECOND,
                ..draw_trouble(random, ROUND_MS, ROUND_MS)
            };
            if self.bug == Some(Bug::AskedWhenAnswered) {
                (mirror.trouble.slow, mirror.trouble.lags) = (900, 0);
            }
            for _ in 0..self.faults.sudden_deaths.max(2) {
                let at_ms = self.random.below(ROUND_MS);
                self.after(at_ms, Step::Die);
            }
        }
        let mirror = self.mirror.as_mut().unwrap();
        if round == Round::Silent {
            mirror.trouble = Trouble::default();
        }
        mirror.before = (mirror.limit.answered(), mirror.taken);
        mirror.aside_before = mirror.aside;
        for of in 0..mirror.truth.integrations.len() {
            self.plan_round(round, of);
        }
        self.after(ROUND_MS, Step::Heal);
        self.after(round.lasts_ms(), Step::Check(round));
    }

    fn plan_round(&mut self, round: Round, of: usize) {
        let count = self.random.between(1, 4);
        let happen = |world: &mut Self, within_ms: u64, happening| {
            let at_ms = world.random.below(within_ms);
            world.after(at_ms, Step::Happen(happening));
        };
        match round {
            Round::Healed => {}
            Round::Prompt => {
                if self.tells_ends(of) {
                    happen(self, SECOND, Happening::Unheard(of));
                }
                for _ in 0..if self.bug == Some(Bug::AskedWhenAnswered) {
                    8
                } else {
                    1
                } {
                    happen(self, MINUTE, Happening::Part(of));
                }
                for _ in 0..self.random.between(1, 2) {
                    let sync = Happening::Sync(of, count, Heard::Surely);
                    happen(self, 90 * SECOND, sync);
                }
                // Not before all that is to be found.
                self.after(
                    100 * SECOND,
                    Step::Happen(Happening::Sync(of, 1, Heard::Surely)),
                );
            }
            Round::Back if !self.tells_ends(of) => {}
            Round::Back => self.after(0, Step::Happen(Happening::Back(of, count, Heard::Surely))),
            Round::Unheard => {
                for _ in 0..count {
                    happen(self, MINUTE, Happening::Unheard(of));
                }
            }
            Round::Silent => {
                for _ in 0..count {
                    happen(self, MINUTE, Happening::Silent(of));
                }
                self.after(0, Step::Happen(Happening::Sync(of, 2, Heard::Surely)));
            }
        }
    }
}

fn draw_plan(random: &mut Random) -> Plan {
    // Of one model so many may be owed that they are walked.
    let is_busy = random.chance(50);
    let generation = random.pick(&[
        Generation::New,
        Generation::New,
        Generation::Old,
        Generation::Plain,
    ]);
    let says_more = random.chance(700);
    // Who doesn't say whether there is more must fill pages.
    let cap = match says_more {
        true => random.pick(&[3, 5, 250]),
        false => 250,
    };
    Plan {
        models: if is_busy { &MODELS[..1] } else { MODELS },
        records: if is_busy {
            40
        } else {
            random.pick(&[0, 3, 6, 12])
        },
        webhooks_lost: random.pick(&[0, 50, 150, 300]),
        webhooks_repeated: random.pick(&[0, 50, 200]),
        are_short: random.chance(300),
        are_dated: random.chance(300),
        parts_touch: random.chance(300),
        generation,
        cap,
        says_more,
        rounds: Round::AFTER
            .into_iter()
            .filter(|_| random.chance(500))
            .collect(),
    }
}

/// Faults of ledgers, connector, queue and D1. None of them kills a pack: what
/// is dead stays where it is until someone asks for it.
fn draw(random: &mut Random, span_ms: u64, heal_ms: u64) -> Faults {
    let drawn = Faults::draw(random, span_ms, heal_ms);
    Faults {
        alarm_lost: 0,
        jumps: 0,
        d1_odd: false,
        consumer: drawn.consumer.min(10),
        statement: drawn.statement.min(100),
        d1_trouble: random.pick(&[
            faults::Trouble::Away,
            faults::Trouble::Busy,
            faults::Trouble::Slow,
        ]),
        ..drawn
    }
}

fn draw_trouble(random: &mut Random, span_ms: u64, heal_ms: u64) -> Trouble {
    // A page that fails twelve times, which takes half an hour, counts as one that always does.
    let chances: &[u64] = match heal_ms < HOUR / 2 {
        true => &[0, 0, 0, 10, 50, 200],
        false => &[0, 0, 0, 10, 30],
    };
    let from = random.below(span_ms);
    let refused = (from, from + random.pick(&[MINUTE, HOUR]));
    Trouble {
        lost: random.pick(chances),
        broken: random.pick(chances),
        nonsense: random.pick(chances),
        missing: random.pick(chances),
        forbidden: random.pick(&[0, 0, 0, 2]),
        slow: random.pick(&[0, 0, 100, 500]),
        lags: random.pick(&[0, 0, 300, 800]),
        lag_ms: random.pick(&[10 * SECOND, 50 * SECOND, 4 * MINUTE]),
        refused: random.chance(100).then_some(refused),
        broken_record: random.chance(100).then(|| random.below(8) as usize),
    }
}
