//! The mirror: a provider with a state of its own, its API, and the connector
//! that asks it. Whatever webhooks, calls, answers and memories were lost: once
//! the API can be asked, each record in D1 is the provider's.
//!
//! Ledgers, queue, consumer and D1 are those of the other worlds, and fail as
//! they do there.

mod api;
mod bugs;
mod check;
mod connector;
mod life;
mod limit;
mod plan;
mod tell;
mod truth;
mod webhooks;

use leasewire::connector::{Answer, Call, Request};
use leasewire::ledger::Merged;

use crate::bugs::Bug;
use crate::world::{self, World};
use api::Trouble;
use connector::Desk;
use life::Happening;
use limit::Limit;
use plan::{Plan, Round};
use tell::Told;
use truth::Truth;
use webhooks::Webhook;

/// What the API's lists can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Limit themselves to what has changed since.
    New,
    /// Be ordered by any field.
    Old,
    /// Be ordered by creation alone, whatever is asked.
    Plain,
}

pub enum Step {
    /// Something happens at the provider.
    Happen(Happening),
    Webhook(Box<Webhook>),
    /// A ledger tells the connector what it owes.
    Tell(usize, u32),
    /// It was told, or not.
    Told(Told, bool),
    /// A call reaches a connector, and who waits for its answer.
    Call(usize, Box<Call>, Option<Told>),
    /// A request reaches the provider.
    Fetch(usize, u32, Box<Request>),
    Answered(usize, u32, u64, Box<Answer>),
    Alarm(usize, u64),
    /// D1 could not be told how a connector stands.
    Unreported(usize, u32),
    /// An object dies between two steps.
    Die,
    /// From here on everything works.
    Heal,
    /// Something happens again, with other faults.
    Round(Round),
    /// What should be by now.
    Check(Round),
}

/// What a ledger is asked.
pub enum Asked {
    /// It is to take in a webhook.
    Webhook(Box<Webhook>),
    /// It is to merge what a connector has read, in its life, under its ticket; and
    /// what a deliberate bug makes of no answer.
    Merge(usize, u32, u64, Box<Merged>),
    /// It is to mark what is gone.
    Mark(usize, u32, u64),
}

pub struct Mirror {
    pub plan: Plan,
    pub truth: Truth,
    pub trouble: Trouble,
    pub limit: Limit,
    pub desks: Vec<Desk>,
    pub names: Vec<String>,
    /// Webhooks that ledgers have taken in.
    pub taken: u64,
    /// Requests and webhooks before the time in which they are counted.
    pub before: (u64, u64),
    /// Requests, of all, for what is gone and for the log of changes.
    pub aside: u64,
    pub aside_before: u64,
}

/// The first thing that is wrong, if anything is.
pub fn check(world: &World) -> Result<(), String> {
    match world.complaints.first() {
        Some(complaint) => Err(complaint.clone()),
        None if world.is_over => Ok(()),
        None => Err("nothing comes any more".to_owned()),
    }
}

impl Mirror {
    fn new_desk(&mut self, name: String, bug: Option<Bug>) -> usize {
        self.names.push(name);
        self.desks.push(Desk::new(bug));
        self.desks.len() - 1
    }
}

impl World {
    fn after(&mut self, ms: u64, step: Step) {
        self.clock.after(ms, world::Step::Mirror(step));
    }

    pub fn step_mirror(&mut self, step: Step) {
        match step {
            Step::Happen(happening) => self.happen(happening),
            Step::Webhook(webhook) => self.attempt(*webhook),
            Step::Tell(ledger, life) if self.is_alive(ledger, life) => self.tell(ledger),
            Step::Tell(..) => {}
            Step::Told(told, is_heard) => self.told_connector(&told, is_heard),
            Step::Call(connector, call, told) => self.connector_called(connector, *call, told),
            Step::Fetch(connector, life, request) => self.fetch(connector, life, *request),
            Step::Answered(connector, life, ticket, answer) => {
                self.desk_answered(connector, life, ticket, *answer);
            }
            Step::Alarm(connector, set) => self.desk_alarm(connector, set),
            Step::Unreported(connector, life) => self.unreported(connector, life),
            Step::Die => self.die_somewhere(),
            Step::Heal => self.heal(),
            Step::Round(round) => self.begin_round(round),
            Step::Check(round) => self.end_round(round),
        }
    }

    pub fn mirror_answered(&mut self, asked: Asked, reply: Option<String>) {
        match asked {
            Asked::Webhook(webhook) => self.attempted(*webhook, reply.is_some()),
            Asked::Merge(connector, life, ticket, lost) => {
                self.desk_merged(connector, life, ticket, (reply, *lost));
            }
            Asked::Mark(connector, life, ticket) => {
                self.desk_marked(connector, life, ticket, reply);
            }
        }
    }

    fn die_somewhere(&mut self) {
        let desks = self.mirror.as_ref().unwrap().desks.len() as u64;
        let ledgers = self.hosts.len() as u64;
        if desks + ledgers == 0 {
            return;
        }
        // The connector as often as all ledgers together.
        let at = self.random.below(ledgers + desks.max(ledgers));
        match at.checked_sub(ledgers) {
            Some(at) if desks > 0 => self.kill_desk((at % desks) as usize),
            Some(_) => {}
            None => {
                self.say(|| format!("ledger {at}: dies"));
                self.hosts[at as usize].die();
            }
        }
    }
}
