//! The consumer of the queue and of its dead-letter queue: what
//! `src/shell/consumer.rs` does, one await after the other.

use std::collections::VecDeque;

use leasewire::ledger::Call;
use leasewire::projection::{
    Apart, Budget, Fault, Message as Given, Pack, Step as Next, Together, Verdict,
};

use crate::bugs::Bug;
use crate::clock::SECOND;
use crate::d1::ODD;
use crate::queue::{Message, head};
use crate::world::{Asked, Step, World};

/// `max_batch_size` and `max_batch_timeout`, as wrangler.toml has them.
const BATCH_MESSAGES_MAX: usize = 40;
const BATCH_TIMEOUT_MS: u64 = SECOND;

/// Data that changes nothing.
const NOTHING_NEW: &str = concat!(
    r#"{"model":"units","record_id":"none","record":{},"version":1,"partial":true,"#,
    r#""drift":false,"late":true}"#
);

/// A batch in the consumer's hands.
#[derive(Default)]
pub struct Batch {
    budget: Budget,
    /// Those that are applied together, and what confirms each.
    shared: Vec<(Message, Call)>,
    /// Those that wait to be applied alone.
    alone: VecDeque<Message>,
    /// The one that is.
    at_hand: Option<(Message, Apart)>,
    /// Statements that D1 was asked to run.
    pub queries: usize,
}

impl Message {
    fn given(&self) -> Given {
        Given {
            text: self.text.clone(),
            sent_at: self.sent_at,
            attempt: self.attempts + 1,
        }
    }
}

impl World {
    /// A message is there: it waits for others, and goes with them.
    pub fn deliver(&mut self, message: Message) {
        if message.dead {
            return self.bury(message);
        }
        self.inbox.push_back(message);
        match self.inbox.len() {
            1 => self.clock.after(BATCH_TIMEOUT_MS, Step::Batch),
            BATCH_MESSAGES_MAX => self.batch(),
            _ => {}
        }
    }

    fn bury(&mut self, message: Message) {
        if self.random.chance(self.faults.consumer) {
            return self.retry_dead(message);
        }
        let pack = Pack::read(&message.text).unwrap();
        let (first, last) = pack.range(&pack.all()).unwrap();
        let replay = pack.replay(&pack.all());
        let reason = "the consumer failed on every attempt".to_owned();
        let call = if self.bug == Some(Bug::BuriedIsConfirmed) {
            Call::Confirm {
                first,
                last,
                replay,
                epoch: pack.epoch,
            }
        } else {
            Call::Bury {
                epoch: pack.epoch,
                first,
                last,
                replay,
                reason,
            }
        };
        self.ask_of(message, call, Asked::Buried);
    }

    /// The consumer begins with what is there.
    pub fn batch(&mut self) {
        let now = self.clock.receiver();
        let mut batch = Box::<Batch>::default();
        let mut together = Together::default();
        let most = self.inbox.len().min(BATCH_MESSAGES_MAX);
        for message in self.inbox.drain(..most).collect::<Vec<_>>() {
            match together.add(&message.given(), now) {
                Ok(read) => match read.confirm {
                    Some(call) => batch.shared.push((message, call)),
                    None => batch.alone.push_back(message),
                },
                Err(why) => self.complain(format!("a pack that can't be read: {why}")),
            }
        }
        if !self.inbox.is_empty() {
            self.clock.after(BATCH_TIMEOUT_MS, Step::Batch);
        }
        let Some(batch) = self.lives_on(batch) else {
            return;
        };
        let mut batch = batch;
        let statements = together.statements(&mut batch.budget);
        if statements.is_empty() {
            return self.proceed(batch);
        }
        if self.bug == Some(Bug::ConfirmBeforeApply) {
            for (message, call) in batch.shared.clone() {
                self.ask_of(message, call, |_| Asked::Operated);
            }
        }
        let (outcome, after_ms) = self.run_in_d1(statements, &mut batch.queries);
        self.clock.after(after_ms, Step::Shared(batch, outcome));
    }

    /// What became of the packs that were applied together.
    pub fn shared(&mut self, batch: Box<Batch>, outcome: Result<(), String>) {
        self.say(|| format!("consumer: {} together: {outcome:?}", batch.shared.len()));
        let Some(mut batch) = self.lives_on(batch) else {
            return;
        };
        let shared = std::mem::take(&mut batch.shared);
        match outcome {
            Ok(()) => {
                for (message, call) in shared {
                    self.ask_of(message, call, Asked::Confirmed);
                }
            }
            Err(why) => {
                if Fault::of(&why) == Fault::Nobodys {
                    batch.budget.note_away(&why);
                }
                let shared = shared.into_iter().map(|(message, _)| message);
                batch.alone = shared.chain(batch.alone).collect();
            }
        }
        self.proceed(batch);
    }

    /// The next step of taking packs apart.
    pub fn proceed(&mut self, batch: Box<Batch>) {
        let Some(mut batch) = self.lives_on(batch) else {
            return;
        };
        loop {
            if batch.at_hand.is_none() {
                let next = batch.alone.pop_front();
                batch.at_hand = next.map(|message| {
                    let apart = Apart::new(message.given());
                    (message, apart)
                });
            }
            let Some((message, apart)) = &mut batch.at_hand else {
                return;
            };
            match apart.step(&mut batch.budget, self.clock.receiver()) {
                Next::Run(statements) => {
                    let (outcome, after_ms) = self.run_in_d1(statements, &mut batch.queries);
                    return self.clock.after(after_ms, Step::Ran(batch, outcome));
                }
                Next::Ask(Call::Data { .. }) if self.bug == Some(Bug::LargeEventsSkipped) => {
                    apart.answered(Ok(Some(NOTHING_NEW.to_owned())));
                }
                Next::Ask(call) => {
                    let call = self.bent(call, message);
                    if let Call::Quarantine { seq, .. } = call {
                        let why = apart.why().to_owned();
                        self.blame(message, seq, why);
                    }
                    let message = message.clone();
                    return self.ask_of(message, call, |_| Asked::Apart(batch));
                }
                Next::Wait(ms) => {
                    let step = Step::Proceed(batch);
                    return self.clock.after(u64::from(ms), step);
                }
                Next::End(verdict) => {
                    let message = message.clone();
                    batch.at_hand = None;
                    self.settle(message, verdict);
                }
            }
        }
    }

    /// What D1 said of a pack that is applied alone, or of a probe.
    pub fn ran(&mut self, mut batch: Box<Batch>, outcome: Result<(), String>) {
        if let Some((message, apart)) = &mut batch.at_hand {
            let of = head(&message.text);
            apart.ran(outcome.clone());
            self.say(|| format!("consumer: {of}: {outcome:?}"));
        }
        self.proceed(batch);
    }

    /// What a ledger said to the consumer that takes its pack apart.
    pub fn told(&mut self, mut batch: Box<Batch>, reply: Option<String>) {
        if let Some((_, apart)) = &mut batch.at_hand {
            let answer = reply.map(|text| (!text.is_empty()).then_some(text));
            apart.answered(answer.ok_or_else(|| "no answer".to_owned()));
        }
        self.proceed(batch);
    }

    /// What a ledger said to a pack's confirmation.
    pub fn confirmed(&mut self, message: Message, reply: Option<String>) {
        let verdict = match reply {
            Some(_) => Verdict::Applied,
            None => Verdict::failed(message.attempts + 1, Fault::Nobodys),
        };
        self.settle(message, verdict);
    }

    fn settle(&mut self, message: Message, verdict: Verdict) {
        match verdict {
            Verdict::Retry(delay_s) => self.retry(message, u64::from(delay_s) * SECOND),
            Verdict::Leave if self.bug == Some(Bug::OutageBuries) => {
                self.retry(message, 5 * SECOND);
            }
            Verdict::Unreadable => self.complain("an unreadable pack".to_owned()),
            Verdict::Leave => {
                let of = head(&message.text);
                self.say(|| format!("consumer: left {of}"));
            }
            Verdict::Applied => {}
        }
    }

    /// The batch, unless the consumer dies here. The queue notices after a
    /// while, and delivers again what isn't settled.
    fn lives_on(&mut self, batch: Box<Batch>) -> Option<Box<Batch>> {
        if !self.random.chance(self.faults.consumer) {
            return Some(batch);
        }
        self.say(|| "consumer: died".to_owned());
        let shared = batch.shared.into_iter().map(|(message, _)| message);
        let at_hand = batch.at_hand.map(|(message, _)| message);
        for message in shared.chain(at_hand).chain(batch.alone) {
            self.died_over(message);
        }
        None
    }

    /// A call to a pack's ledger as a deliberate bug has it.
    fn bent(&self, call: Call, message: &Message) -> Call {
        match (call, self.bug) {
            (Call::Confirm { replay, .. }, Some(Bug::ConfirmTooWide)) => {
                let pack = Pack::read(&message.text).unwrap();
                let (first, last) = pack.range(&pack.all()).unwrap();
                Call::Confirm {
                    first,
                    last,
                    replay,
                    epoch: pack.epoch,
                }
            }
            (
                Call::Quarantine {
                    seq,
                    replay,
                    reason,
                    epoch,
                },
                Some(Bug::NeighbourQuarantined),
            ) => Call::Quarantine {
                seq: seq.saturating_sub(1).max(1),
                replay,
                reason,
                epoch,
            },
            (call, _) => call,
        }
    }

    /// An event is found guilty because of `why`.
    fn blame(&mut self, message: &Message, seq: u64, why: String) {
        let pack = Pack::read(&message.text).unwrap();
        let ledger = self.ledger((pack.of.source, pack.of.integration));
        if !self.poison.contains(&seq) && why != ODD {
            self.complain(format!("number {seq} is found guilty: {why}"));
        }
        self.blamed.insert((ledger, seq), why);
    }

    fn ask_of(&mut self, message: Message, call: Call, asked: impl FnOnce(Message) -> Asked) {
        let pack = Pack::read(&message.text).unwrap();
        let ledger = self.ledger((pack.of.source, pack.of.integration));
        self.ask(ledger, call, asked(message));
    }
}
