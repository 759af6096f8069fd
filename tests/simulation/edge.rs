//! Deliveries at the edge: in line, and to their ledger in groups.

use leasewire::delivery::Delivery;
use leasewire::ledger::Call;
use leasewire::time::Timestamp;

use crate::bugs::Bug;
use crate::calls::LEDGER_MS_MAX;
use crate::world::{Asked, Step, World};

/// Deliveries that went to a ledger together.
pub struct Group {
    pub ledger: usize,
    pub since: Timestamp,
    pub dispatches: Vec<usize>,
}

impl World {
    pub fn stand_in_line(&mut self, ledger: usize, delivery: Delivery, dispatch: usize) {
        let call = Call::Intake(delivery).encode();
        let ticket = self.groups.join(&line(ledger), call, dispatch);
        let gives_up = Step::GiveUp(ledger, ticket, dispatch);
        self.clock.after(LEDGER_MS_MAX, gives_up);
        self.set_out(ledger);
    }

    /// Somebody in line looks whether it is time to set out.
    pub fn set_out(&mut self, ledger: usize) {
        let since = self.clock.receiver();
        let Some(group) = self.groups.set_out(&line(ledger), since) else {
            return;
        };
        let decoded = |call: &Vec<u8>| Call::decode(call.clone()).unwrap();
        let calls = group.iter().map(|waiting| decoded(&waiting.call)).collect();
        let group = Group {
            ledger,
            since,
            dispatches: group.iter().map(|waiting| waiting.answer).collect(),
        };
        let count = group.dispatches.len();
        self.say(|| format!("ledger {ledger}: {count} set out together"));
        self.ask_all(ledger, calls, Asked::Taken(group));
    }

    /// A group has its answers, if there are any. The isolate may have died
    /// over it, and the line knows of nothing.
    pub fn back(&mut self, group: Group, replies: Option<Vec<String>>) {
        let dies = self.random.chance(self.faults.edge);
        let mut replies = replies.filter(|_| !dies).unwrap_or_default();
        if !dies {
            self.groups.end(&line(group.ledger), group.since);
        }
        match self.bug {
            Some(Bug::AnswersMixedUp) => replies.reverse(),
            Some(Bug::FailedIsAnswered) if !replies.is_empty() => {
                let last = replies[replies.len() - 1].clone();
                replies.resize(group.dispatches.len(), last);
            }
            _ => {}
        }
        let mut replies = replies.into_iter();
        for dispatch in group.dispatches {
            self.taken(dispatch, replies.next());
        }
        let after_ms = self.random.between(1, 16);
        self.clock.after(after_ms, Step::SetOut(group.ledger));
    }

    pub fn give_up(&mut self, ledger: usize, ticket: u64, dispatch: usize) {
        if self.groups.leave(&line(ledger), ticket) {
            self.taken(dispatch, None);
        }
    }
}

fn line(ledger: usize) -> String {
    ledger.to_string()
}
