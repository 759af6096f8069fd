//! How bad a world is. Each seed switches some faults on and leaves the
//! others off, so that a rare fault isn't always drowned by frequent ones.

use crate::clock::{DAY, HOUR, MINUTE};
use crate::random::Random;

/// Chances in a thousand; all zero is a world where everything works.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// A call to a ledger never reaches it.
    pub call_lost: u64,
    /// The ledger's answer never arrives.
    pub answer_lost: u64,
    /// A call reaches its ledger when the caller has given up.
    pub call_late: u64,
    /// A call reaches its ledger twice.
    pub call_twice: u64,
    /// The ledger's object dies, before or after its writes are durable.
    pub crash: u64,
    /// One statement of a ledger fails, before or after it had its effect.
    pub statement: u64,
    /// The queue refuses a batch, or takes it and reports an error.
    pub queue_refuses: u64,
    /// The queue loses a message.
    pub queue_loses: u64,
    /// The queue delivers a message twice.
    pub queue_repeats: u64,
    /// The queue delivers a message minutes or hours late.
    pub queue_delays: u64,
    /// The consumer dies while it handles a message.
    pub consumer: u64,
    /// D1 fails before or after a batch, or doesn't answer.
    pub d1: u64,
    /// Some of these failures say nothing of whose fault they are.
    pub d1_odd: bool,
    /// The edge's isolate dies with what it has under way.
    pub edge: u64,
    /// A sender hangs up before it has its answer.
    pub sender_gone: u64,
    /// Nobody hears the edge's answer.
    pub sender_deaf: u64,
    /// What D1 is like while it is down.
    pub d1_trouble: Trouble,
    /// When nothing reaches a part of the world, in milliseconds.
    pub d1_down: Option<(u64, u64)>,
    pub queue_down: Option<(u64, u64)>,
    pub ledgers_down: Option<(u64, u64)>,
    /// An alarm that was set never goes off.
    pub alarm_lost: u64,
    /// How often the receiver's clock jumps.
    pub jumps: u64,
    /// How often an object dies between two steps.
    pub sudden_deaths: u64,
}

/// How D1 can be down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing reaches it, or it answers nothing but errors.
    #[default]
    Away,
    /// It takes small rows only.
    Full,
    /// It refuses most of what it is asked.
    Busy,
    /// A migration is missing.
    Unmigrated,
    /// It works, and takes its time.
    Slow,
}

impl Trouble {
    const ALL: [Self; 5] = [
        Self::Away,
        Self::Full,
        Self::Busy,
        Self::Unmigrated,
        Self::Slow,
    ];
}

impl Faults {
    /// True if no ledger loses its memory, its alarm or its writes, and no
    /// clock jumps.
    pub fn is_steady(&self) -> bool {
        let chances = [self.alarm_lost, self.statement, self.crash, self.jumps];
        chances.iter().all(|chance| *chance == 0) && self.sudden_deaths == 0
    }

    /// Draws the faults of a world in which something happens for `span_ms`,
    /// and that works again after `heal_ms`.
    pub fn draw(random: &mut Random, span_ms: u64, heal_ms: u64) -> Self {
        let chances = [0, 0, 0, 5, 30, 150];
        Self {
            call_lost: random.pick(&chances),
            answer_lost: random.pick(&chances),
            call_late: random.pick(&chances),
            call_twice: random.pick(&chances),
            crash: random.pick(&chances),
            statement: random.pick(&[0, 0, 0, 30, 150, 400]),
            queue_refuses: random.pick(&[0, 0, 0, 30, 200, 500]),
            queue_loses: random.pick(&[0, 0, 0, 30, 200, 500]),
            queue_repeats: random.pick(&chances),
            queue_delays: random.pick(&[0, 0, 0, 30, 200, 500]),
            // At the most it dies over nearly every batch, six times in a row.
            consumer: random.pick(&[0, 0, 0, 5, 30, 150, 700]),
            d1: random.pick(&[0, 0, 0, 30, 200, 500]),
            d1_odd: random.chance(300),
            edge: random.pick(&chances),
            sender_gone: random.pick(&chances),
            sender_deaf: random.pick(&chances),
            d1_trouble: random.pick(&Trouble::ALL),
            // While something happens: what nobody asks for is not missed.
            d1_down: outage(random, span_ms),
            queue_down: outage(random, span_ms),
            ledgers_down: outage(random, heal_ms),
            jumps: random.pick(&[0, 0, 1, 4, 12]),
            sudden_deaths: random.pick(&[0, 0, 1, 4, 12]),
            alarm_lost: random.pick(&chances),
        }
    }
}

fn outage(random: &mut Random, heal_ms: u64) -> Option<(u64, u64)> {
    if random.chance(600) {
        return None;
    }
    let from = random.below(heal_ms);
    let length = random.pick(&[MINUTE / 2, 3 * MINUTE, 30 * MINUTE, 5 * HOUR, DAY]);
    Some((from, from + length))
}

/// True if `now_ms` lies in `outage`.
pub fn is_down(outage: Option<(u64, u64)>, now_ms: u64) -> bool {
    outage.is_some_and(|(from, to)| (from..to).contains(&now_ms))
}
