//! Deliveries at the edge: in line, and to their ledger in groups, as the core
//! says.

use leasewire::edge::delivery::Delivery;
use leasewire::edge::group::{self, LEDGER_MS_MAX, LOST_S, Look, Waiter, Waiting};
use leasewire::ledger::Call;
use leasewire::time::Timestamp;

use crate::bugs::Bug;
use crate::clock::DAY;
use crate::world::{Asked, Step, World};

/// How long senders wait, whatever the edge's clock shows.
const SENDER_MS_MAX: u64 = 5_000;

/// A delivery in line.
pub struct InLine {
    fact: usize,
    since: Timestamp,
}

/// A request that waits at the edge for its delivery's answer.
pub struct Awaited {
    ledger: usize,
    dispatch: usize,
    waiter: Waiter,
    /// What the ledger said, or that it said nothing.
    answer: Option<Option<String>>,
}

/// Deliveries that go to a ledger together.
pub struct Group {
    ledger: usize,
    since: Timestamp,
    /// Whose request takes them there.
    taker: u64,
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
        let waiter = self.groups.wait(&line(ledger), call, place, joined);
        let ticket = waiter.ticket();
        let awaited = Awaited {
            ledger,
            dispatch,
            waiter,
            answer: None,
        };
        self.awaited.insert(ticket, awaited);
        if self.random.chance(self.faults.sender_gone) {
            let after_ms = self.random.below(LEDGER_MS_MAX.into());
            self.clock.after(after_ms, Step::HangUp(ticket));
        }
        self.clock.after(SENDER_MS_MAX, Step::HangUp(ticket));
        self.look(ticket);
    }

    /// Who waits looks for the answer, and whether to set out.
    pub fn look(&mut self, ticket: u64) {
        let now = self.clock.receiver();
        let Some(awaited) = self.awaited.get_mut(&ticket) else {
            return;
        };
        let ledger = awaited.ledger;
        let is_answered = awaited.answer.is_some();
        match self.groups.look(&mut awaited.waiter, is_answered, now) {
            Look::Take(group) => self.set_out(ledger, ticket, group),
            Look::Wait(ms) => self.clock.after(ms.into(), Step::Look(ticket)),
            Look::End => {
                let awaited = self.awaited.remove(&ticket).unwrap();
                self.taken(awaited.dispatch, awaited.answer.flatten());
            }
        }
    }

    fn set_out(&mut self, ledger: usize, taker: u64, group: group::Group<InLine>) {
        let (group, since) = (group.waiting, group.since);
        let gone = since.minus_s(LOST_S);
        if group.iter().any(|waiting| waiting.answer.since < gone) {
            self.complain(format!("ledger {ledger}: who had gone was taken along"));
        }
        let decoded = |waiting: &Waiting<InLine>| Call::decode(waiting.call.clone()).unwrap();
        let calls = group.iter().map(decoded).collect();
        let group = Group {
            ledger,
            since,
            taker,
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
        if self.random.chance(self.faults.edge) {
            for ticket in group.tickets.iter().chain([&group.taker]) {
                if let Some(awaited) = self.awaited.remove(ticket) {
                    self.taken(awaited.dispatch, None);
                }
            }
            return;
        }
        let mut replies = replies.unwrap_or_default();
        self.groups.end(&line(group.ledger), group.since);
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
            if let Some(awaited) = self.awaited.get_mut(&ticket) {
                awaited.answer = Some(reply);
            }
        }
        self.look(group.taker);
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
