//! A batch of either queue in the consumer's hands: what is asked of D1 and of
//! the ledgers, in which order, and what becomes of each message.
//!
//! The packs of a batch are applied together, and confirmed side by side. If
//! that fails, or a pack must go by itself, messages are taken one after the
//! other, out of one budget. Over what is in the dead-letter queue the consumer
//! has died: it is only noted in its ledger. The Worker runs this, and so does
//! the simulation; to them is left to carry out the actions.

use std::collections::VecDeque;

use super::apart::{Apart, Message, Step};
use super::together::{Read, Together};
use super::{Budget, Fault, Pack, Unreadable, Verdict};
use crate::ledger::Call;
use crate::sql::Statement;
use crate::time::Timestamp;

/// What a pack's death is put down to. The queue doesn't pass on the cause;
/// the log has it.
const DEATH: &str = "the consumer failed on every attempt";

/// What is to be done next.
#[derive(Clone)]
pub enum Action {
    /// Run this as one transaction of D1, then [`Consumer::ran`].
    Run(Vec<Statement>),
    /// Ask the ledger of the message at this place, then
    /// [`Consumer::answered`].
    Ask(usize, Call),
    /// Ask a ledger, side by side with whatever comes next; then
    /// [`PackReport::answered`].
    Report(PackReport),
    /// Wait so many milliseconds.
    Wait(u32),
    /// A message is done with.
    Settle(Settled),
    /// The batch is, but for reports on their way.
    End,
}

/// What the ledger of a message is to be told of all of it: the last that is
/// done with it.
#[derive(Clone)]
pub struct PackReport {
    /// The message's place in its batch.
    pub at: usize,
    /// That it is applied, or dead.
    pub call: Call,
    attempt: u32,
}

/// What becomes of a message.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Its place in its batch.
    pub at: usize,
    /// What is to be done with it.
    pub verdict: Verdict,
    /// Why it isn't applied, for the log.
    pub why: Option<String>,
}

/// An event that was found guilty, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guilty {
    /// Its number.
    pub seq: u64,
    /// What D1 said.
    pub why: String,
}

/// One batch.
#[derive(Clone)]
pub struct Consumer {
    messages: Vec<Message>,
    budget: Budget,
    /// What needs no answer before it is done.
    ready: VecDeque<Action>,
    /// Those that are applied together, and what confirms each.
    shared: Vec<PackReport>,
    /// Those that wait to be applied alone.
    alone: VecDeque<usize>,
    /// The one that is.
    at_hand: Option<(usize, Apart)>,
    /// The event that is being reported as guilty.
    reported: Option<u64>,
}

impl Consumer {
    /// Begins with `messages`, of the dead-letter queue if `are_dead`. `read`
    /// gets the place of each that can be read, and what it is.
    pub fn new(
        messages: Vec<Message>,
        are_dead: bool,
        now: Timestamp,
        mut read: impl FnMut(usize, &Read),
    ) -> Self {
        let mut consumer = Self {
            messages: Vec::new(),
            budget: Budget::default(),
            ready: VecDeque::new(),
            shared: Vec::new(),
            alone: VecDeque::new(),
            at_hand: None,
            reported: None,
        };
        let mut together = Together::default();
        for (at, message) in messages.iter().enumerate() {
            let pack = match are_dead {
                true => read_dead(&message.text),
                false => together.add(message, now),
            };
            consumer.add(at, message.attempt, &mut read, pack);
        }
        consumer.messages = messages;
        let statements = together.statements(&mut consumer.budget);
        match statements.is_empty() {
            true => consumer.report_all(),
            false => consumer.ready.push_back(Action::Run(statements)),
        }
        consumer
    }

    fn add(
        &mut self,
        at: usize,
        attempt: u32,
        read: &mut impl FnMut(usize, &Read),
        pack: Result<Read, Unreadable>,
    ) {
        match pack {
            Ok(pack) => {
                read(at, &pack);
                match pack.confirm {
                    Some(call) => self.shared.push(PackReport { at, call, attempt }),
                    None => self.alone.push_back(at),
                }
            }
            // It never will be one; the ledger still has the events.
            Err(why) => self.ready.push_back(Action::Settle(Settled {
                at,
                verdict: Verdict::Unreadable,
                why: Some(why.to_string()),
            })),
        }
    }

    fn report_all(&mut self) {
        let shared = std::mem::take(&mut self.shared);
        self.ready.extend(shared.into_iter().map(Action::Report));
    }

    /// What to do now. What isn't a report is to be done before this is called
    /// again.
    pub fn next(&mut self, now: Timestamp) -> Action {
        if let Some(action) = self.ready.pop_front() {
            return action;
        }
        if self.at_hand.is_none()
            && let Some(at) = self.alone.pop_front()
        {
            let message = self.messages.get_mut(at).map(std::mem::take);
            self.at_hand = Some((at, Apart::new(message.unwrap_or_default())));
        }
        let Some((at, apart)) = &mut self.at_hand else {
            return Action::End;
        };
        let at = *at;
        match apart.step(&mut self.budget, now) {
            Step::Run(statements) => Action::Run(statements),
            Step::Ask(call) => {
                self.reported = match call {
                    Call::Quarantine { seq, .. } => Some(seq),
                    _ => None,
                };
                Action::Ask(at, call)
            }
            Step::Wait(ms) => Action::Wait(ms),
            Step::End(verdict) => {
                let why = (verdict != Verdict::Applied).then(|| apart.why().to_owned());
                self.at_hand = None;
                Action::Settle(Settled { at, verdict, why })
            }
        }
    }

    /// What D1 said to the transaction.
    pub fn ran(&mut self, outcome: Result<(), String>) {
        if let Some((_, apart)) = &mut self.at_hand {
            return apart.ran(outcome);
        }
        let Err(why) = outcome else {
            return self.report_all();
        };
        if Fault::of(&why) == Fault::Nobodys {
            self.budget.note_away(&why);
        }
        for report in self.shared.drain(..).rev() {
            self.alone.push_front(report.at);
        }
    }

    /// Why the last thing failed, or the event that is reported.
    pub fn why(&self) -> &str {
        self.at_hand.as_ref().map_or("", |(_, apart)| apart.why())
    }

    /// What the ledger said, if it did; an answer may be that there is nothing.
    /// Returns the event that it has quarantined, if that was asked of it.
    pub fn answered(&mut self, answer: Result<Option<String>, String>) -> Option<Guilty> {
        let seq = self.reported.take().filter(|_| answer.is_ok());
        let why = self.why().to_owned();
        let (_, apart) = self.at_hand.as_mut()?;
        apart.answered(answer);
        seq.map(|seq| Guilty { seq, why })
    }
}

impl PackReport {
    /// What becomes of the message, where the ledger said `answer`, or nothing:
    /// then why.
    pub fn answered(&self, answer: Result<(), String>) -> Settled {
        let is_dead = matches!(self.call, Call::DeadLetter { .. });
        let verdict = match (&answer, is_dead) {
            (Ok(()), true) => Verdict::Dead,
            (Ok(()), false) => Verdict::Applied,
            (Err(_), true) => Verdict::RetryLater,
            (Err(_), false) => Verdict::failed(self.attempt, Fault::Nobodys),
        };
        Settled {
            at: self.at,
            verdict,
            why: answer.err(),
        }
    }
}

/// What the ledger of a dead pack is to be told.
fn read_dead(text: &str) -> Result<Read, Unreadable> {
    let pack = Pack::read(text)?;
    let nothing = || Unreadable("an empty pack".to_owned());
    let named = pack.named(&pack.all()).ok_or_else(nothing)?;
    let call = Call::DeadLetter {
        pack: named,
        reason: DEATH.to_owned(),
        epoch: pack.epoch,
    };
    Ok(Read {
        of: pack.of,
        last: named.events.last,
        confirm: Some(call),
    })
}
