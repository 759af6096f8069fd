//! Finding the event that makes its pack fail.
//!
//! A pack that fails is cut in halves, and each is tried by itself, down to
//! single events; what works is applied and confirmed on the way. How an event
//! that fails alone is found guilty depends on the error. Where that tells that
//! the event can't be written, a probe that works right after it is enough.
//! Where it doesn't, the event must have failed again after pauses, each time
//! with a probe that worked, and the queue must have tried its message several
//! times before. Where the error or the probe says that D1 does nothing,
//! nobody is guilty, and what isn't applied is left for later.

use std::ops::Range;

use super::Fault;

/// The attempt at a message from which on an event can be found guilty whose
/// errors don't tell. Its number counts from 1, and `max_retries` in
/// `wrangler.toml` must allow for one more, in case that the consumer dies over
/// this one. Before it lie four failures, some seconds apart: what has passed
/// by then was no event's fault.
pub const GUILTY_ATTEMPT: u32 = 5;
/// How often such an event is tried again alone before it is guilty.
pub const ROUNDS: u32 = 2;
/// Suspects that are tried again together. Where nearly every event fails, the
/// first of them are found guilty before the batch has had its share of D1: they
/// cost about 40 failures on the way down, and 20 in each round.
const SUSPECTS_MAX: usize = 20;
/// Pause before each time, in milliseconds.
const PAUSE_MS: u32 = 1_000;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Apply these events, and confirm them if that works: then
    /// [`Bisect::worked`] is to be called, else [`Bisect::failed`].
    Apply(Range<usize>),
    /// Try what must work, and is as large as these events, which have just
    /// failed: [`Bisect::worked`] or [`Bisect::failed`].
    Probe(Range<usize>),
    /// Wait so many milliseconds.
    Wait(u32),
    /// Report this event as guilty.
    Quarantine(usize),
    /// Leave what isn't confirmed for later; whose fault it is.
    GiveUp(Fault),
    /// All is confirmed or reported.
    Done,
}

/// What has failed, and must be followed by a probe.
#[derive(Debug, Clone)]
struct Doubt {
    part: Range<usize>,
    /// If the probe works, the event is guilty.
    convicts: bool,
}

/// One attempt at a message.
#[derive(Debug, Clone)]
pub struct Bisect {
    /// Parts to be tried, the next one last.
    todo: Vec<Range<usize>>,
    /// Parts that are put off until the suspects at hand are judged.
    later: Vec<Range<usize>>,
    /// Events that failed alone in this round, in order.
    suspects: Vec<usize>,
    /// Those whose own fault it is, the next one last.
    guilty: Vec<usize>,
    /// Rounds that are left; none if no suspect can be found guilty yet.
    rounds: Option<u32>,
    doubt: Option<Doubt>,
    given_up: Option<Fault>,
}

impl Bisect {
    /// The attempt numbered `attempt`, from 1, at a pack of so many events.
    pub fn new(events: usize, attempt: u32) -> Self {
        Self {
            todo: Vec::from([Range {
                start: 0,
                end: events,
            }]),
            later: Vec::new(),
            suspects: Vec::new(),
            guilty: Vec::new(),
            rounds: (attempt >= GUILTY_ATTEMPT).then_some(ROUNDS),
            doubt: None,
            given_up: None,
        }
    }

    /// What to do now.
    pub fn task(&mut self) -> Task {
        if let Some(fault) = self.given_up {
            return Task::GiveUp(fault);
        }
        if let Some(doubt) = &self.doubt {
            return Task::Probe(doubt.part.clone());
        }
        if let Some(at) = self.guilty.pop() {
            return Task::Quarantine(at);
        }
        if self.todo.is_empty() && self.suspects.is_empty() && !self.later.is_empty() {
            self.todo = std::mem::take(&mut self.later);
            self.rounds = Some(ROUNDS);
        }
        let are_many = self.rounds == Some(ROUNDS) && self.suspects.len() >= SUSPECTS_MAX;
        if let Some(part) = self.todo.last().filter(|_| !are_many) {
            return Task::Apply(part.clone());
        }
        if self.suspects.is_empty() {
            return Task::Done;
        }
        match self.rounds {
            None => Task::GiveUp(Fault::Unknown),
            Some(0) => Task::Quarantine(self.suspects.remove(0)),
            Some(rounds) => {
                self.rounds = rounds.checked_sub(1);
                self.later.append(&mut self.todo);
                let again = self.suspects.drain(..).rev();
                self.todo.extend(again.map(|at| at..at.saturating_add(1)));
                Task::Wait(PAUSE_MS)
            }
        }
    }

    /// What was to be applied, or the probe, has worked.
    pub fn worked(&mut self) {
        match self.doubt.take() {
            Some(doubt) if doubt.convicts => self.guilty.push(doubt.part.start),
            Some(_) => {}
            None => drop(self.todo.pop()),
        }
    }

    /// What was to be applied, or the probe, has failed, and whose fault the
    /// error says it is.
    pub fn failed(&mut self, fault: Fault) {
        // What the probe writes is no event's.
        if self.doubt.is_some() || fault == Fault::Nobodys {
            self.given_up = Some(Fault::Nobodys);
            return;
        }
        let Some(part) = self.todo.pop() else { return };
        let is_alone = part.len() <= 1;
        let is_clear = fault == Fault::Event;
        if !is_alone {
            let middle = part.start.saturating_add(part.len() / 2);
            self.todo.push(middle..part.end);
            self.todo.push(part.start..middle);
        } else if !is_clear {
            self.suspects.push(part.start);
        }
        // Of a pack that is cut where it is clear that an event is to blame,
        // the probe has nothing to say.
        if is_alone || !is_clear {
            self.doubt = Some(Doubt {
                part,
                convicts: is_alone && is_clear,
            });
        }
    }
}
