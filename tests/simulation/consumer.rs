//! The consumer of the queue and of its dead-letter queue: what
//! `src/shell/consumer.rs` does, one await after the other.

use leasewire::ledger::Call;
use leasewire::projection::Projection;

use crate::bugs::Bug;
use crate::queue::{Message, head};
use crate::world::{Asked, Step, World};

/// A message in the consumer's hands.
pub struct Consumption {
    message: Message,
    pack: Projection,
    confirmed: bool,
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
        let pack = match Projection::read(&message.text) {
            Ok(pack) => pack,
            Err(why) => return self.complain(format!("a pack that can't be read: {why}")),
        };
        let consumption = Box::new(Consumption {
            message,
            pack,
            confirmed: false,
        });
        if consumption.message.dead {
            let Projection {
                first,
                last,
                replay,
                ..
            } = consumption.pack;
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
            self.consume(consumption);
        }
    }

    /// Asks for what is missing, or applies what is complete.
    fn consume(&mut self, consumption: Box<Consumption>) {
        if self.consumer_dies(&consumption.message) {
            return;
        }
        let missing = consumption.pack.missing().first().copied();
        match missing.filter(|_| self.bug != Some(Bug::LargeEventsSkipped)) {
            Some(seq) => self.ask_for(consumption, Call::Data { seq }, Asked::Data),
            None => {
                let now = self.clock.receiver();
                let statements = consumption
                    .pack
                    .statements(consumption.message.sent_at, now);
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
        let pack = &consumption.pack;
        let ledger = self.ledger((pack.source.clone(), pack.integration.clone()));
        self.ask(ledger, call, asked(consumption));
    }

    fn confirm(&mut self, consumption: Box<Consumption>) {
        let call = Call::Confirm {
            first: consumption.pack.first,
            last: consumption.pack.last,
            replay: consumption.pack.replay,
        };
        self.ask_for(consumption, call, Asked::Settled);
    }

    /// The data of the first event that travels without, as the ledger has it.
    pub fn supplied(&mut self, mut consumption: Box<Consumption>, reply: Option<String>) {
        let Some(data) = reply else {
            return self.retry(consumption.message);
        };
        let seq = consumption.pack.missing()[0];
        match consumption.pack.supply(seq, &data) {
            Ok(()) => self.consume(consumption),
            Err(why) => self.complain(format!("data that can't be read: {why}")),
        }
    }

    pub fn applied(&mut self, consumption: Box<Consumption>, applied: bool) {
        let text = &consumption.message.text;
        self.say(|| format!("consumer: applied {applied} {}", head(text)));
        if !applied {
            self.retry(consumption.message);
        } else if !consumption.confirmed && !self.consumer_dies(&consumption.message) {
            self.confirm(consumption);
        }
    }

    /// The ledger knows what became of the pack, or couldn't be told.
    pub fn settled(&mut self, mut consumption: Box<Consumption>, reply: Option<String>) {
        if reply.is_none() {
            self.retry(consumption.message);
        } else if self.bug == Some(Bug::ConfirmBeforeApply) && !consumption.message.dead {
            consumption.confirmed = true;
            self.consume(consumption);
        }
    }
}
