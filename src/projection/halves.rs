//! Finding the event that makes its pack fail.
//!
//! A pack that fails is cut in halves, and each is tried by itself, down to
//! single events; what works is applied and confirmed on the way. An event
//! that fails alone is guilty only if nothing else can be: each time a probe
//! worked right after it, it failed again after pauses, and the queue has
//! tried its message several times before. Where the probe fails too, D1 or
//! the ledger is down and nobody is guilty: the message is left to the queue,
//! which tries it again or declares it dead.

use std::ops::Range;

/// The attempt at a message from which on an event can be found guilty. Its
/// number counts from 1, and `max_retries` in `wrangler.toml` must allow for
/// one more, in case that the consumer dies over this one. Before it lie four
/// failures, `retry_delay` apart: what has passed by then was no event's fault.
pub const GUILTY_ATTEMPT: u32 = 5;
/// How often an event is tried again alone before it is guilty.
pub const ROUNDS: u32 = 2;
/// Pause before each time, in milliseconds.
const PAUSE_MS: u32 = 1_000;
/// Failures after which the rest is left to the queue. Each costs two calls of
/// D1, and the platform allows 1,000 calls to an invocation.
const FAILURES_MAX: u32 = 400;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Apply these events, and confirm them if that works: then
    /// [`Halves::worked`] is to be called, else [`Halves::failed`].
    Apply(Range<usize>),
    /// Try what must work: [`Halves::worked`] or [`Halves::failed`].
    Probe,
    /// Wait so many milliseconds.
    Wait(u32),
    /// Report this event as guilty.
    Quarantine(usize),
    /// Leave what isn't confirmed to the queue's next attempt.
    GiveUp,
    /// All is confirmed or reported.
    Done,
}

/// One attempt at a message.
#[derive(Debug, Clone)]
pub struct Halves {
    /// Parts to be tried, the next one last.
    todo: Vec<Range<usize>>,
    /// Events that failed alone in this round, in order.
    suspects: Vec<usize>,
    /// Rounds that are left; none if nobody can be found guilty yet.
    rounds: Option<u32>,
    failures: u32,
    /// Something failed, and the probe wasn't tried since.
    doubts: bool,
    given_up: bool,
}

impl Halves {
    /// The attempt numbered `attempt`, from 1, at a pack of so many events.
    pub fn new(events: usize, attempt: u32) -> Self {
        Self {
            todo: Vec::from([Range {
                start: 0,
                end: events,
            }]),
            suspects: Vec::new(),
            rounds: (attempt >= GUILTY_ATTEMPT).then_some(ROUNDS),
            failures: 0,
            doubts: false,
            given_up: false,
        }
    }

    /// What to do now.
    pub fn task(&mut self) -> Task {
        if self.given_up {
            return Task::GiveUp;
        }
        if self.doubts {
            return Task::Probe;
        }
        if let Some(part) = self.todo.last() {
            return Task::Apply(part.clone());
        }
        if self.suspects.is_empty() {
            return Task::Done;
        }
        match self.rounds {
            None => Task::GiveUp,
            Some(0) => Task::Quarantine(self.suspects.remove(0)),
            Some(rounds) => {
                self.rounds = rounds.checked_sub(1);
                let again = self.suspects.drain(..).rev();
                self.todo.extend(again.map(|at| at..at.saturating_add(1)));
                Task::Wait(PAUSE_MS)
            }
        }
    }

    /// What was to be applied, or the probe, has worked.
    pub fn worked(&mut self) {
        if self.doubts {
            self.doubts = false;
        } else {
            self.todo.pop();
        }
    }

    /// What was to be applied, or the probe, has failed.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
        if self.doubts || self.failures > FAILURES_MAX {
            self.given_up = true;
            return;
        }
        self.doubts = true;
        let Some(part) = self.todo.pop() else { return };
        if part.len() <= 1 {
            self.suspects.push(part.start);
            return;
        }
        let middle = part.start.saturating_add(part.len() / 2);
        self.todo.push(middle..part.end);
        self.todo.push(part.start..middle);
    }
}
