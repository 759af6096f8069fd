//! The consumers of both queues.
//!
//! Each message is read, applied, confirmed and acknowledged by itself, so
//! that none can hurt its neighbours. A pack that fails is taken apart, so
//! that an event can't hurt its neighbours either. What fails is retried by
//! the queue, and ends in the dead-letter queue, whose consumer reports it to
//! the ledger.

use std::ops::Range;

use wasm_bindgen::JsValue;
use worker::js_sys::Date;
use worker::worker_sys::Message;

use super::log::{Level, Line};
use super::{database, error_text, glue, ledgers, now, numbers, property};
use crate::ledger::{Call, NOT_APPLIED, received_at};
use crate::projection::{Halves, Pack, Task, Unreadable};
use crate::time::Timestamp;

/// The dead-letter queue's name, as `wrangler.toml` has it.
const DEAD_QUEUE: &str = "leasewire-dead";

/// What a pack's death is put down to. The queue doesn't pass on the cause;
/// the log has it.
const DEAD_REASON: &str = "the consumer failed on every attempt";

/// Why a message is not done with.
enum Failure {
    /// It will never be readable. The ledger still has the events, and sends
    /// them again.
    Unreadable(String),
    /// Another attempt may help.
    Again(String),
}

/// Handles a message of either queue.
pub async fn message(message: Message, queue: &str, env: &JsValue, ctx: &JsValue) {
    let started = now();
    let dead = queue == DEAD_QUEUE;
    let mut line = Line::new(Level::Info, if dead { "dead pack" } else { "pack" });
    let outcome = if dead {
        line.level = Level::Error;
        bury(&message, env, &mut line).await
    } else {
        apply(&message, env, ctx, &mut line).await
    };
    let settled = match outcome {
        Ok(outcome) => {
            line.outcome = Some(outcome);
            message.ack()
        }
        Err(Failure::Unreadable(why)) => {
            line.level = Level::Error;
            line.outcome = Some("unreadable");
            line.reason = Some(why);
            message.ack()
        }
        Err(Failure::Again(why)) => {
            line.level = Level::Warn;
            line.outcome = Some("retry");
            line.reason = Some(why);
            message.retry(JsValue::UNDEFINED)
        }
    };
    if let Err(error) = settled {
        line.reason = Some(error_text(&error));
    }
    line.write_since(started);
}

async fn apply(
    message: &Message,
    env: &JsValue,
    ctx: &JsValue,
    line: &mut Line,
) -> Result<&'static str, Failure> {
    let text = text(message, line)?;
    let pack = read(&text, line)?;
    let hand = Hand {
        env,
        ctx,
        ledger: ledgers::name(&pack.source, &pack.integration),
        sent_at: sent_at(message),
        pack,
    };
    let mut halves = Halves::new(hand.pack.all().len(), attempt(message));
    // Why each event failed, and why the last thing did.
    let (mut reasons, mut last) = (Vec::new(), String::new());
    loop {
        let outcome = match halves.task() {
            Task::Apply(part) => {
                let outcome = hand.apply(&part).await;
                match &outcome {
                    Ok(()) => hand.confirm(&part).await.map_err(Failure::Again)?,
                    Err(why) => reasons.push((part.start, why.clone())),
                }
                outcome
            }
            Task::Probe => hand.probe().await,
            Task::Wait(ms) => {
                glue::sleep(ms).await;
                continue;
            }
            Task::Quarantine(at) => {
                let last = reasons.iter().rev().find(|(of, _)| *of == at);
                let why = last.map(|(_, why)| why.clone()).unwrap_or_default();
                hand.quarantine(at, why).await.map_err(Failure::Again)?;
                continue;
            }
            Task::GiveUp => return Err(Failure::Again(last)),
            Task::Done => return Ok("applied"),
        };
        match outcome {
            Ok(()) => halves.worked(),
            Err(why) => {
                last = why;
                halves.failed();
            }
        }
    }
}

/// A pack in the consumer's hands.
struct Hand<'a> {
    env: &'a JsValue,
    ctx: &'a JsValue,
    ledger: String,
    sent_at: Timestamp,
    pack: Pack<'a>,
}

impl Hand<'_> {
    /// Applies a part of it; or why that isn't possible.
    async fn apply(&self, part: &Range<usize>) -> Result<(), String> {
        let unreadable = |why: Unreadable| why.to_string();
        let mut projection = self.pack.part(part).map_err(unreadable)?;
        let mut asked = Vec::new();
        for seq in projection.missing() {
            let data = self.ask(&Call::Data { seq }).await?;
            asked.push((seq, data.unwrap_or_default()));
        }
        for (seq, data) in &asked {
            projection.supply(*seq, data).map_err(unreadable)?;
        }
        database::run(self.env, &projection.statements(self.sent_at, now())).await
    }

    /// Whether the database and the ledger do anything at all.
    async fn probe(&self) -> Result<(), String> {
        let statements = self.pack.probe(self.sent_at, now());
        database::run(self.env, &statements.map_err(|why| why.to_string())?).await?;
        self.ask(&Call::Data { seq: 0 }).await.map(drop)
    }

    async fn confirm(&self, part: &Range<usize>) -> Result<(), String> {
        let Some((first, last)) = self.pack.range(part) else {
            return Ok(());
        };
        let call = Call::Confirm {
            first,
            last,
            replay: self.pack.replay(part),
        };
        let answer = self.ask(&call).await?;
        if let Some(received_at) = answer.as_deref().and_then(received_at) {
            let ms = now().ms().saturating_sub(received_at.ms());
            let ms = u64::try_from(ms).unwrap_or(0);
            numbers::confirmation(self.env, self.ctx, &self.pack.source, ms);
        }
        Ok(())
    }

    async fn quarantine(&self, at: usize, why: String) -> Result<(), String> {
        let part = at..at.saturating_add(1);
        let Some((seq, _)) = self.pack.range(&part) else {
            return Ok(());
        };
        let call = Call::Quarantine {
            seq,
            replay: self.pack.replay(&part),
            reason: NOT_APPLIED.to_owned(),
        };
        self.ask(&call).await?;
        let mut line = Line::new(Level::Error, "event can't be applied");
        line.source = Some(self.pack.source.clone());
        line.integration = Some(self.pack.integration.clone());
        line.seq = Some(seq);
        line.outcome = Some("quarantined");
        line.reason = Some(why);
        line.write();
        Ok(())
    }

    async fn ask(&self, call: &Call) -> Result<Option<String>, String> {
        ledgers::ask(self.env, &self.ledger, call).await
    }
}

async fn bury(message: &Message, env: &JsValue, line: &mut Line) -> Result<&'static str, Failure> {
    let text = text(message, line)?;
    let pack = read(&text, line)?;
    let all = pack.all();
    let (first, last) = pack.range(&all).unwrap_or_default();
    let call = Call::Bury {
        first,
        last,
        replay: pack.replay(&all),
        reason: DEAD_REASON.to_owned(),
    };
    let ledger = ledgers::name(&pack.source, &pack.integration);
    ledgers::ask(env, &ledger, &call)
        .await
        .map_err(Failure::Again)?;
    Ok("dead")
}

fn text(message: &Message, line: &mut Line) -> Result<String, Failure> {
    let unreadable = |why: &str| Failure::Unreadable(why.to_owned());
    let body = message.body().map_err(|_| unreadable("no body"))?;
    let text = body.as_string().ok_or_else(|| unreadable("not text"))?;
    line.bytes = Some(text.len());
    Ok(text)
}

fn read<'a>(text: &'a str, line: &mut Line) -> Result<Pack<'a>, Failure> {
    let pack = Pack::read(text).map_err(|why| Failure::Unreadable(why.to_string()))?;
    line.source = Some(pack.source.clone());
    line.integration = Some(pack.integration.clone());
    line.seq = pack.range(&pack.all()).map(|(_, last)| last);
    Ok(pack)
}

/// How often the queue has tried the message, this time included.
fn attempt(message: &Message) -> u32 {
    let attempts = property(message, "attempts").as_f64();
    attempts.map_or(1, |attempts| attempts as u32)
}

fn sent_at(message: &Message) -> Timestamp {
    message.timestamp().map_or_else(
        |_| now(),
        |time: Date| Timestamp::from_ms(time.get_time() as i64),
    )
}
