//! Deliveries at the edge: in line, and to their ledger in groups.

use leasewire::edge::delivery::Delivery;
use leasewire::edge::group::{LOST_S, Waiting};
use leasewire::ledger::Call;
use leasewire::time::Timestamp;

use crate::bugs::Bug;
use crate::calls::LEDGER_MS_MAX;
use crate::clock::DAY;
use crate::world::{Asked, Step, World};

/// A delivery in line.
pub struct InLine {
    fact: usize,
    since: Timestamp,
}

/// A request that waits at the edge for its delivery's answer.
pub struct Awaited {
    ledger: usize,
    dispatch: usize,
}

/// Deliveries that went to a ledger together.
pub struct Group {
    pub ledger: usize,
    since: Timestamp,
    tickets: Vec<u64>,
    pub facts: Vec<usize>,
}

impl World {
    pub fn stand_in_line(&mut self, ledger: usize, delivery: Delivery, dispatch: usize) {
        let call = Call::Intake(delivery).encode();
        let since = self.clock.receiver();
        let fact = self.dispatches[dispatch].fact;
        let joined = match self.bug {
            Some(Bug::NobodyLeavesTheLine) => since.plus_s(100 * DAY),
            _ => since,
        };
        let place = InLine { fact, since };
        let ticket = self.groups.join(&line(ledger), call, place, joined);
        self.awaited.insert(ticket, Awaited { ledger, dispatch });
        if self.random.chance(self.faults.sender_gone) {
            let after_ms = self.random.below(LEDGER_MS_MAX);
            self.clock.after(after_ms, Step::HangUp(ticket));
        }
        self.clock.after(LEDGER_MS_MAX, Step::GiveUp(ticket));
        self.set_out(ledger);
    }

    /// Somebody who waits looks whether it is time to set out, if anybody does.
    pub fn set_out(&mut self, ledger: usize) {
        if self.awaited.values().all(|one| one.ledger != ledger) {
            return;
        }
        let since = self.clock.receiver();
        let Some(group) = self.groups.set_out(&line(ledger), since) else {
            return;
        };
        let gone = since.minus_s(LOST_S);
        if group.iter().any(|waiting| waiting.answer.since < gone) {
            self.complain(format!("ledger {ledger}: who had gone was taken along"));
        }
        let decoded = |waiting: &Waiting<InLine>| Call::decode(waiting.call.clone()).unwrap();
        let calls = group.iter().map(decoded).collect();
        let group = Group {
            ledger,
            since,
            tickets: group.iter().map(|waiting| waiting.ticket).collect(),
            facts: group.iter().map(|waiting| waiting.answer.fact).collect(),
        };
        let count = group.facts.len();
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
                replies.resize(group.tickets.len(), last);
            }
            _ => {}
        }
        let mut replies = replies.into_iter();
        for ticket in group.tickets {
            let reply = replies.next();
            if let Some(Awaited { dispatch, .. }) = self.awaited.remove(&ticket) {
                self.taken(dispatch, reply);
            }
        }
        let after_ms = self.random.between(1, 16);
        self.clock.after(after_ms, Step::SetOut(group.ledger));
    }

    /// The request has waited long enough, if it still does.
    pub fn give_up(&mut self, ticket: u64) {
        if let Some(Awaited { ledger, dispatch }) = self.awaited.remove(&ticket) {
            self.groups.leave(&line(ledger), ticket);
            self.taken(dispatch, None);
        }
    }

    /// The sender hangs up, and the platform ends its request. Where the
    /// delivery stands in line, it stays.
    pub fn hang_up(&mut self, ticket: u64) {
        if let Some(Awaited { dispatch, .. }) = self.awaited.remove(&ticket) {
            self.refused(dispatch, "the sender hung up");
        }
    }
}

fn line(ledger: usize) -> String {
    ledger.to_string()
}
