//! The consumer of the queue and of its dead-letter queue: what
//! `src/shell/consumer.rs` does, one await after the other.

use std::ops::Range;

use leasewire::ledger::{Call, NOT_APPLIED};
use leasewire::projection::{Halves, Pack, Projection, Task, Unreadable};

use crate::bugs::Bug;
use crate::faults::is_down;
use crate::queue::{Message, head};
use crate::world::{Asked, Step, World};

/// A message in the consumer's hands.
pub struct Consumption {
    message: Message,
    halves: Halves,
    /// What is being applied: all of it at first.
    part: Range<usize>,
    /// What the ledger was asked for of it.
    supplied: Vec<(u64, String)>,
    confirmed: bool,
}

impl Consumption {
    fn read(&self) -> Result<Projection<'_>, Unreadable> {
        let mut read = Pack::read(&self.message.text)?.part(&self.part)?;
        for (seq, data) in &self.supplied {
            read.supply(*seq, data)?;
        }
        Ok(read)
    }
}

impl World {
    /// True if the consumer dies here. The queue notices after a while.
    fn consumer_dies(&mut self, message: &Message) -> bool {
        let dies = self.random.chance(self.faults.consumer);
        if dies {
            self.say(|| format!("consumer: died over {}", head(&message.text)));
            self.retry(message.clone());
        }
        dies
    }

    pub fn deliver(&mut self, message: Message) {
        if self.consumer_dies(&message) {
            return;
        }
        let part = match Pack::read(&message.text) {
            Ok(pack) => pack.all(),
            Err(why) => return self.complain(format!("a pack that can't be read: {why}")),
        };
        let consumption = Box::new(Consumption {
            halves: Halves::new(part.len(), message.attempts + 1),
            message,
            part,
            supplied: Vec::new(),
            confirmed: false,
        });
        let (first, last, replay) = match consumption.read() {
            Ok(read) => (read.first, read.last, read.replay),
            Err(why) => return self.complain(format!("events that can't be read: {why}")),
        };
        if consumption.message.dead {
            let reason = "the consumer failed on every attempt".to_owned();
            let call = if self.bug == Some(Bug::BuriedIsConfirmed) {
                Call::Confirm {
                    first,
                    last,
                    replay,
                }
            } else {
                Call::Bury {
                    first,
                    last,
                    replay,
                    reason,
                }
            };
            self.ask_for(consumption, call, Asked::Settled);
        } else if self.bug == Some(Bug::ConfirmBeforeApply) {
            self.confirm(consumption);
        } else {
            self.proceed(consumption);
        }
    }

    /// The next task of taking a pack apart.
    pub fn proceed(&mut self, mut consumption: Box<Consumption>) {
        match consumption.halves.task() {
            Task::Apply(part) => {
                consumption.part = part;
                consumption.supplied.clear();
                self.consume(consumption);
            }
            Task::Probe => {
                let pack = Pack::read(&consumption.message.text).unwrap();
                let now = self.clock.receiver();
                let probe = pack.probe(consumption.message.sent_at, now).unwrap();
                let (worked, after_ms) = self.run_in_d1(probe);
                let worked = worked || self.bug == Some(Bug::OutageQuarantines);
                let step = Step::Probed(consumption, worked);
                self.clock.after(after_ms, step);
            }
            Task::Wait(ms) => self.clock.after(u64::from(ms), Step::Proceed(consumption)),
            Task::Quarantine(at) => self.quarantine(consumption, at),
            Task::GiveUp => self.retry(consumption.message),
            Task::Done => {}
        }
    }

    /// Asks for what is missing, or applies what is complete.
    fn consume(&mut self, consumption: Box<Consumption>) {
        if self.consumer_dies(&consumption.message) {
            return;
        }
        let pack = match consumption.read() {
            Ok(pack) => pack,
            Err(why) => return self.complain(format!("data that can't be read: {why}")),
        };
        let missing = pack.missing().first().copied();
        match missing.filter(|_| self.bug != Some(Bug::LargeEventsSkipped)) {
            Some(seq) => self.ask_for(consumption, Call::Data { seq }, Asked::Data),
            None => {
                let now = self.clock.receiver();
                let statements = pack.statements(consumption.message.sent_at, now);
                let (applied, after_ms) = self.run_in_d1(statements);
                let step = Step::Applied(consumption, applied);
                self.clock.after(after_ms, step);
            }
        }
    }

    fn ask_for(
        &mut self,
        consumption: Box<Consumption>,
        call: Call,
        asked: impl FnOnce(Box<Consumption>) -> Asked,
    ) {
        let pack = Pack::read(&consumption.message.text).unwrap();
        let ledger = self.ledger((pack.source, pack.integration));
        self.ask(ledger, call, asked(consumption));
    }

    fn confirm(&mut self, consumption: Box<Consumption>) {
        let pack = Pack::read(&consumption.message.text).unwrap();
        let part = match self.bug {
            Some(Bug::ConfirmTooWide) => pack.all(),
            _ => consumption.part.clone(),
        };
        let (first, last) = pack.range(&part).unwrap();
        let call = Call::Confirm {
            first,
            last,
            replay: pack.replay(&part),
        };
        self.ask_for(consumption, call, Asked::Settled);
    }

    fn quarantine(&mut self, consumption: Box<Consumption>, at: usize) {
        let pack = Pack::read(&consumption.message.text).unwrap();
        let (mut seq, _) = pack.range(&(at..at + 1)).unwrap();
        if self.bug == Some(Bug::NeighbourQuarantined) {
            seq = seq.saturating_sub(1).max(1);
        }
        let call = Call::Quarantine {
            seq,
            replay: pack.replay(&(at..at + 1)),
            reason: NOT_APPLIED.to_owned(),
        };
        self.ask_for(consumption, call, Asked::Reported);
    }

    /// The data of the first event that travels without, as the ledger has it.
    pub fn supplied(&mut self, mut consumption: Box<Consumption>, reply: Option<String>) {
        let Some(data) = reply else {
            return self.part_failed(consumption);
        };
        let seq = consumption.read().unwrap().missing()[0];
        consumption.supplied.push((seq, data));
        self.consume(consumption);
    }

    pub fn applied(&mut self, mut consumption: Box<Consumption>, applied: bool) {
        let (text, part) = (&consumption.message.text, &consumption.part);
        self.say(|| format!("consumer: applied {applied} {part:?} of {}", head(text)));
        if !applied {
            self.part_failed(consumption);
        } else if consumption.confirmed {
            consumption.halves.worked();
            self.proceed(consumption);
        } else if !self.consumer_dies(&consumption.message) {
            self.confirm(consumption);
        }
    }

    /// A part couldn't be applied. How often an event failed alone while
    /// nothing was down is noted: what fails often enough looks guilty.
    fn part_failed(&mut self, mut consumption: Box<Consumption>) {
        let now_ms = self.clock.now_ms;
        let outages = [self.faults.d1_down, self.faults.ledgers_down];
        let is_down = outages.iter().any(|outage| is_down(*outage, now_ms));
        if consumption.part.len() == 1 && !is_down {
            let pack = Pack::read(&consumption.message.text).unwrap();
            let (seq, _) = pack.range(&consumption.part).unwrap();
            let ledger = self.ledger((pack.source, pack.integration));
            *self.refused.entry((ledger, seq)).or_default() += 1;
        }
        consumption.halves.failed();
        self.proceed(consumption);
    }

    /// D1 has answered the probe; now the ledger.
    pub fn probed(&mut self, mut consumption: Box<Consumption>, worked: bool) {
        if worked {
            self.ask_for(consumption, Call::Data { seq: 0 }, Asked::Probed);
        } else {
            consumption.halves.failed();
            self.proceed(consumption);
        }
    }

    pub fn probed_ledger(&mut self, mut consumption: Box<Consumption>, reply: Option<String>) {
        if reply.is_some() {
            consumption.halves.worked();
        } else {
            consumption.halves.failed();
        }
        self.proceed(consumption);
    }

    /// The ledger knows of a guilty event, or couldn't be told.
    pub fn reported(&mut self, consumption: Box<Consumption>, reply: Option<String>) {
        match reply {
            Some(_) => self.proceed(consumption),
            None => self.retry(consumption.message),
        }
    }

    /// The ledger knows what became of the pack, or couldn't be told.
    pub fn settled(&mut self, mut consumption: Box<Consumption>, reply: Option<String>) {
        if reply.is_none() {
            return self.retry(consumption.message);
        }
        if consumption.message.dead {
            return;
        }
        if self.bug == Some(Bug::ConfirmBeforeApply) {
            consumption.confirmed = true;
        } else {
            consumption.halves.worked();
        }
        self.proceed(consumption);
    }
}
