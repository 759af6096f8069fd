//! The consumer of the queue and of its dead-letter queue: carries out what the
//! core says, as `src/shell/consumer` does, one await after the other.

use leasewire::ledger::{Call, PackRef};
use leasewire::projection::{Action, Consumer, Message as Given, Pack, PackReport, Verdict};

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
pub struct Batch {
    consumer: Consumer,
    /// Those that are neither settled nor on their way to be.
    left: Vec<Option<Message>>,
    /// The ledger of each, as the consumer read it; `None` if it can't be read.
    ledgers: Vec<Option<usize>>,
    /// Statements that D1 was asked to run.
    pub queries: usize,
}

impl World {
    /// A message is there: it waits for others, and goes with them.
    pub fn deliver(&mut self, message: Message) {
        if message.dead {
            return self.consume(vec![message]);
        }
        self.inbox.push_back(message);
        match self.inbox.len() {
            1 => self.clock.after(BATCH_TIMEOUT_MS, Step::Batch),
            BATCH_MESSAGES_MAX => self.batch(),
            _ => {}
        }
    }

    /// The consumer begins with what is there.
    pub fn batch(&mut self) {
        let most = self.inbox.len().min(BATCH_MESSAGES_MAX);
        let messages = self.inbox.drain(..most).collect();
        if !self.inbox.is_empty() {
            self.clock.after(BATCH_TIMEOUT_MS, Step::Batch);
        }
        self.consume(messages);
    }

    fn consume(&mut self, messages: Vec<Message>) {
        let given = |message: &Message| Given {
            text: message.text.clone(),
            sent_at: message.sent_at,
            attempt: message.attempts + 1,
        };
        let given = messages.iter().map(given).collect();
        let are_dead = messages.iter().any(|message| message.dead);
        let now = self.clock.receiver();
        let mut ledgers = vec![None; messages.len()];
        let consumer = Consumer::new(given, are_dead, now, |at, read| {
            let of = read.of.clone();
            ledgers[at] = Some(self.ledger((of.source, of.integration)));
        });
        let batch = Box::new(Batch {
            consumer,
            left: messages.into_iter().map(Some).collect(),
            ledgers,
            queries: 0,
        });
        if self.bug == Some(Bug::ConfirmBeforeApply) {
            self.confirm_unapplied(&batch);
        }
        self.proceed(batch);
    }

    /// The consumer goes on, up to what takes time.
    pub fn proceed(&mut self, batch: Box<Batch>) {
        let Some(mut batch) = self.lives_on(batch) else {
            return;
        };
        loop {
            match batch.consumer.next(self.clock.receiver()) {
                Action::Run(statements) => {
                    let (outcome, after_ms) = self.run_in_d1(statements, &mut batch.queries);
                    return self.clock.after(after_ms, Step::Ran(batch, outcome));
                }
                Action::Ask(_, Call::Data { .. }) if self.bug == Some(Bug::LargeEventsSkipped) => {
                    batch.consumer.answered(Ok(Some(NOTHING_NEW.to_owned())));
                }
                Action::Ask(at, call) => {
                    let ledger = batch.ledgers[at].unwrap();
                    let call = self.bent(call, batch.left[at].as_ref().unwrap());
                    if let Call::Quarantine { seq, .. } = call {
                        let why = batch.consumer.why().to_owned();
                        self.blame(ledger, seq, why);
                    }
                    return self.ask(ledger, call, Asked::Apart(batch));
                }
                Action::Report(report) => {
                    let ledger = batch.ledgers[report.at].unwrap();
                    let message = batch.left[report.at].take().unwrap();
                    let call = self.bent(report.call.clone(), &message);
                    self.ask(ledger, call, Asked::Reported(message, report));
                }
                Action::Wait(ms) => {
                    let step = Step::Proceed(batch);
                    return self.clock.after(u64::from(ms), step);
                }
                Action::Settle(settled) => {
                    let message = batch.left[settled.at].take().unwrap();
                    self.settle(message, settled.verdict);
                }
                Action::End => return,
            }
        }
    }

    /// What D1 said.
    pub fn ran(&mut self, mut batch: Box<Batch>, outcome: Result<(), String>) {
        self.say(|| format!("consumer: {outcome:?}"));
        batch.consumer.ran(outcome);
        self.proceed(batch);
    }

    /// What a ledger said to the consumer that takes its pack apart.
    pub fn told(&mut self, mut batch: Box<Batch>, reply: Option<String>) {
        let answer = reply.map(|text| (!text.is_empty()).then_some(text));
        let answer = answer.ok_or_else(|| "no answer".to_owned());
        batch.consumer.answered(answer);
        self.proceed(batch);
    }

    /// What a ledger said to the report of a whole pack.
    pub fn reported(&mut self, message: Message, report: &PackReport, reply: Option<String>) {
        let answer = reply.map(drop).ok_or_else(|| "no answer".to_owned());
        self.settle(message, report.answered(answer).verdict);
    }

    fn settle(&mut self, message: Message, verdict: Verdict) {
        match verdict {
            Verdict::Retry(delay_s) => self.retry(message, u64::from(delay_s) * SECOND),
            Verdict::RetryLater => self.retry_dead(message),
            Verdict::Leave if self.bug == Some(Bug::OutageBuries) => {
                self.retry(message, 5 * SECOND);
            }
            Verdict::Unreadable => self.complain("an unreadable pack".to_owned()),
            Verdict::Leave => {
                let of = head(&message.text);
                self.say(|| format!("consumer: left {of}"));
            }
            Verdict::Applied | Verdict::Dead => {}
        }
    }

    /// The batch, unless the consumer dies here. The queue notices after a
    /// while, and delivers again what isn't settled.
    fn lives_on(&mut self, batch: Box<Batch>) -> Option<Box<Batch>> {
        if !self.random.chance(self.faults.consumer) {
            return Some(batch);
        }
        self.say(|| "consumer: died".to_owned());
        for message in batch.left.into_iter().flatten() {
            match message.dead {
                true => self.retry_dead(message),
                false => self.died_over(message),
            }
        }
        None
    }

    /// What is to be applied together is confirmed before it is, as a deliberate
    /// bug has it.
    fn confirm_unapplied(&mut self, batch: &Batch) {
        let mut consumer = batch.consumer.clone();
        loop {
            match consumer.next(self.clock.receiver()) {
                Action::Run(_) => consumer.ran(Ok(())),
                Action::Report(report) => {
                    let ledger = batch.ledgers[report.at].unwrap();
                    self.ask(ledger, report.call, Asked::Operated);
                }
                _ => return,
            }
        }
    }

    /// A call to a pack's ledger as a deliberate bug has it.
    fn bent(&self, call: Call, message: &Message) -> Call {
        match (call, self.bug) {
            (Call::Confirm { pack: named, .. }, Some(Bug::ConfirmTooWide)) => {
                let pack = Pack::read(&message.text).unwrap();
                let whole = pack.named(&pack.all()).unwrap();
                Call::Confirm {
                    pack: PackRef {
                        events: whole.events,
                        ..named
                    },
                    epoch: pack.epoch,
                }
            }
            (Call::DeadLetter { pack, epoch, .. }, Some(Bug::BuriedIsConfirmed)) => {
                Call::Confirm { pack, epoch }
            }
            (
                Call::Quarantine {
                    seq,
                    rewrite,
                    reason,
                    epoch,
                },
                Some(Bug::NeighbourQuarantined),
            ) => Call::Quarantine {
                seq: seq.saturating_sub(1).max(1),
                rewrite,
                reason,
                epoch,
            },
            (call, _) => call,
        }
    }

    /// An event is found guilty because of `why`.
    fn blame(&mut self, ledger: usize, seq: u64, why: String) {
        // The data of what is gone or discarded is none.
        let is_d1s = why.starts_with("D1_ERROR") && why != ODD;
        if is_d1s && !self.poison.contains(&seq) {
            self.complain(format!("number {seq} is found guilty: {why}"));
        }
        self.blamed.insert((ledger, seq), why);
    }
}
