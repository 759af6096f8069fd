//! A pack by itself, taken apart where it fails as a whole.
//!
//! One at a time: the data of events that travel without theirs is held while
//! they are applied, and an isolate has little memory.

use std::ops::Range;

use super::{Bisect, Budget, Fault, Pack, Task, Unreadable, Verdict};
use crate::ledger::{Call, NOT_APPLIED};
use crate::sql::Statement;
use crate::time::Timestamp;

/// Why a message isn't done with that found nothing left in the budget.
const SPENT: &str = "the batch has had its share of D1";

/// A message of the queue.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// What it holds: a pack.
    pub text: String,
    /// When it was handed to the queue.
    pub sent_at: Timestamp,
    /// How often the queue has delivered it, this time included.
    pub attempt: u32,
}

/// What is to be done next for a message.
pub enum Step {
    /// Run this as one transaction of D1, then [`Apart::ran`].
    Run(Vec<Statement>),
    /// Ask the pack's ledger, then [`Apart::answered`].
    Ask(Call),
    /// Wait so many milliseconds.
    Wait(u32),
    /// That was all.
    End(Verdict),
}

/// A message that is applied by itself.
#[derive(Debug, Clone)]
pub struct Apart {
    message: Message,
    /// What its text says, read once.
    pack: Pack,
    bisect: Bisect,
    doing: Doing,
    /// Numbers of the events whose data the ledger must yet be asked for.
    missing: Vec<u64>,
    /// What it has given: numbers and data.
    data: Vec<(u64, String)>,
    /// Why events failed alone: where they are in the pack, and the error.
    reasons: Vec<(usize, String)>,
    /// Why the last thing failed.
    why: String,
    end: Option<Verdict>,
}

/// How far things are with the part at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// The ledger is asked for the data of an event in it.
    Asking(Range<usize>, u64),
    /// It has given it.
    Given(Range<usize>),
    Applying(Range<usize>),
    Applied(Range<usize>),
    Confirming,
}

impl Apart {
    /// Begins with `message`, which is a pack: one that isn't is as one without
    /// events.
    pub fn new(message: Message) -> Self {
        let pack = Pack::read(&message.text).unwrap_or_default();
        Self {
            bisect: Bisect::new(pack.all().len(), message.attempt),
            message,
            pack,
            doing: Doing::Nothing,
            missing: Vec::new(),
            data: Vec::new(),
            reasons: Vec::new(),
            why: String::new(),
            end: None,
        }
    }

    /// Why the last thing failed, or the event that is reported.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What to do now, out of what is left in `budget`.
    pub fn step(&mut self, budget: &mut Budget, now: Timestamp) -> Step {
        if let Some(end) = self.end.clone() {
            return Step::End(end);
        }
        if let Some(why) = budget.away() {
            self.why = why.to_owned();
            return self.give_up(Fault::Nobodys);
        }
        loop {
            // What gives nothing has failed, and is followed by the next task.
            if let Some(step) = self.next(budget, now) {
                return step;
            }
        }
    }

    fn next(&mut self, budget: &mut Budget, now: Timestamp) -> Option<Step> {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Given(part) => return self.apply(part, budget, now),
            Doing::Applied(part) => return self.confirm(&part),
            _ => {}
        }
        Some(match self.bisect.task() {
            Task::Apply(part) => return self.begin(part, budget, now),
            Task::Probe(part) => self.probe(&part, budget, now),
            Task::Wait(ms) => Step::Wait(ms),
            Task::Quarantine(at) => return self.report(at),
            Task::GiveUp(fault) => {
                if fault == Fault::Nobodys {
                    budget.note_away(&self.why);
                }
                self.give_up(fault)
            }
            Task::Done => Step::End(Verdict::Applied),
        })
    }

    /// What D1 said to the transaction.
    pub fn ran(&mut self, outcome: Result<(), String>) {
        let doing = std::mem::replace(&mut self.doing, Doing::Nothing);
        match (outcome, doing) {
            (Ok(()), Doing::Applying(part)) => self.doing = Doing::Applied(part),
            (Ok(()), _) => self.bisect.worked(),
            (Err(why), Doing::Applying(part)) => self.failed(&part, Fault::of(&why), why),
            (Err(why), _) => {
                self.why = why;
                self.bisect.failed(Fault::Nobodys);
            }
        }
    }

    /// What the ledger said, if it did; an answer may be that there is nothing.
    pub fn answered(&mut self, answer: Result<Option<String>, String>) {
        match (answer, std::mem::replace(&mut self.doing, Doing::Nothing)) {
            (Ok(data), Doing::Asking(part, seq)) => {
                self.data.push((seq, data.unwrap_or_default()));
                self.doing = Doing::Given(part);
            }
            (Ok(_), Doing::Confirming) => self.bisect.worked(),
            (Ok(_), _) => {}
            // A ledger that is away is no reason to leave other packs alone.
            (Err(why), _) => {
                self.why = why;
                self.give_up(Fault::Nobodys);
            }
        }
    }

    /// Begins to apply a part.
    fn begin(&mut self, part: Range<usize>, budget: &mut Budget, now: Timestamp) -> Option<Step> {
        self.data.clear();
        let projection = match self.pack.part(&self.message.text, &part) {
            Ok(projection) => projection,
            Err(why) => return self.unreadable(&part, &why),
        };
        self.missing = projection.missing();
        if !self.missing.is_empty() {
            return self.apply(part, budget, now);
        }
        let statements = projection.statements(self.message.sent_at, now);
        Some(self.run(statements, Doing::Applying(part), budget))
    }

    /// Asks for what is missing, or applies what is complete.
    fn apply(&mut self, part: Range<usize>, budget: &mut Budget, now: Timestamp) -> Option<Step> {
        if let Some(seq) = self.missing.pop() {
            self.doing = Doing::Asking(part, seq);
            let epoch = self.pack.epoch;
            return Some(Step::Ask(Call::Data { seq, epoch }));
        }
        let statements = match self.statements(&part, now) {
            Ok(statements) => statements,
            Err(why) => return self.unreadable(&part, &why),
        };
        Some(self.run(statements, Doing::Applying(part), budget))
    }

    fn statements(
        &self,
        part: &Range<usize>,
        now: Timestamp,
    ) -> Result<Vec<Statement>, Unreadable> {
        let mut projection = self.pack.part(&self.message.text, part)?;
        for (seq, data) in &self.data {
            projection.supply(*seq, data)?;
        }
        Ok(projection.statements(self.message.sent_at, now))
    }

    fn probe(&mut self, part: &Range<usize>, budget: &mut Budget, now: Timestamp) -> Step {
        let given = self.data.iter().map(|(_, data)| data.len());
        let bytes = given.fold(self.pack.bytes(part), usize::saturating_add);
        let probe = self.pack.probe(bytes, self.message.sent_at, now);
        self.run(probe.unwrap_or_default(), Doing::Nothing, budget)
    }

    fn run(&mut self, statements: Vec<Statement>, doing: Doing, budget: &mut Budget) -> Step {
        if !budget.take(statements.len()) {
            SPENT.clone_into(&mut self.why);
            return self.give_up(Fault::Unknown);
        }
        self.doing = doing;
        Step::Run(statements)
    }

    fn confirm(&mut self, part: &Range<usize>) -> Option<Step> {
        let named = self.pack.named(part)?;
        self.doing = Doing::Confirming;
        Some(Step::Ask(Call::Confirm {
            pack: named,
            epoch: self.pack.epoch,
        }))
    }

    fn report(&mut self, at: usize) -> Option<Step> {
        let part = at..at.saturating_add(1);
        let reason = self.reasons.iter().find(|(of, _)| *of == at);
        self.why = reason.map(|(_, why)| why.clone()).unwrap_or_default();
        let named = self.pack.named(&part)?;
        Some(Step::Ask(Call::Quarantine {
            seq: named.events.first,
            rewrite: named.rewrite,
            reason: NOT_APPLIED.to_owned(),
            epoch: self.pack.epoch,
        }))
    }

    fn unreadable(&mut self, part: &Range<usize>, why: &Unreadable) -> Option<Step> {
        self.failed(part, Fault::Unknown, why.to_string());
        None
    }

    fn give_up(&mut self, fault: Fault) -> Step {
        let end = Verdict::failed(self.message.attempt, fault);
        self.end = Some(end.clone());
        Step::End(end)
    }

    fn failed(&mut self, part: &Range<usize>, fault: Fault, why: String) {
        if part.len() == 1 {
            self.reasons.retain(|(at, _)| *at != part.start);
            self.reasons.push((part.start, why.clone()));
        }
        self.why = why;
        self.bisect.failed(fault);
    }
}
