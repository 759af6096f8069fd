//! The consumers of both queues.
//!
//! The packs of a batch are applied together. If that fails, each message is
//! applied by itself, so that none can hurt its neighbours; it is confirmed
//! and acknowledged by itself in any case. A pack that fails is taken apart,
//! so that an event can't hurt its neighbours either. What fails is retried
//! by the queue, and ends in the dead-letter queue, whose consumer reports it
//! to the ledger.

mod apart;
mod together;

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::js_sys::{Date, Function};
use worker::worker_sys::Message;

use self::together::Together;
use super::log::{Level, Line};
use super::{error_text, give, ledgers, now, numbers, tasks};
use crate::ledger::{Call, received_at};
use crate::projection::Pack;
use crate::time::Timestamp;

/// The dead-letter queue's name, as `wrangler.toml` has it.
const DEAD_QUEUE: &str = "leasewire-dead";

/// What a pack's death is put down to. The queue doesn't pass on the cause;
/// the log has it.
const DEAD_REASON: &str = "the consumer failed on every attempt";

/// What the log says of a pack that is in D1 as a whole.
const APPLIED: &str = "applied";

/// Why a message is not done with.
enum Failure {
    /// It will never be readable. The ledger still has the events, and sends
    /// them again.
    Unreadable(String),
    /// Another attempt may help.
    Again(String),
}

/// Events of one integration that are in D1, of which its ledger must hear.
struct Applied {
    source: String,
    integration: String,
    first: u64,
    last: u64,
    /// The oldest replay among them; 0 if one was never replayed.
    replay: u64,
}

/// Handles a batch of either queue; `done` is called when each of its messages
/// is acknowledged or to be retried.
pub fn batch(messages: Vec<Message>, queue: &str, env: &JsValue, ctx: &JsValue, done: &Function) {
    let started = now();
    let dead = queue == DEAD_QUEUE;
    let mut together = Together::new(started);
    let add = |message: Message| {
        let mut line = Line::new(Level::Info, if dead { "dead pack" } else { "pack" });
        let applied = if dead {
            line.level = Level::Error;
            None
        } else {
            together.add(&message, &mut line)
        };
        (message, line, applied)
    };
    let messages: Vec<_> = messages.into_iter().map(add).collect();
    let together = together.begin(env);
    let left = Rc::new(Cell::new(messages.len()));
    if messages.is_empty() {
        give(done, &JsValue::UNDEFINED);
    }
    for (message, mut line, applied) in messages {
        let (env, ctx, done) = (env.clone(), ctx.clone(), done.clone());
        let (together, left) = (together.clone(), left.clone());
        tasks::start(async move {
            let outcome = match (together, applied) {
                (Some(end), Some(applied)) if tasks::wait(&end).await.is_ok() => {
                    let confirmed = applied.confirm(&env, &ctx).await;
                    confirmed.map(|()| APPLIED).map_err(Failure::Again)
                }
                _ if dead => bury(&message, &env, &mut line).await,
                _ => apart::apply(&message, &env, &ctx, &mut line).await,
            };
            settle(&message, outcome, &mut line);
            line.write_since(started);
            left.set(left.get().saturating_sub(1));
            if left.get() == 0 {
                give(&done, &JsValue::UNDEFINED);
            }
        });
    }
}

/// Acknowledges the message, or has it retried.
fn settle(message: &Message, outcome: Result<&'static str, Failure>, line: &mut Line) {
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
}

impl Applied {
    /// The events of `pack` at `part`; none if there are none.
    fn of(pack: &Pack, part: &Range<usize>) -> Option<Self> {
        let (first, last) = pack.range(part)?;
        Some(Self {
            source: pack.source.clone(),
            integration: pack.integration.clone(),
            first,
            last,
            replay: pack.replay(part),
        })
    }

    /// Tells the ledger.
    async fn confirm(&self, env: &JsValue, ctx: &JsValue) -> Result<(), String> {
        let call = Call::Confirm {
            first: self.first,
            last: self.last,
            replay: self.replay,
        };
        let ledger = ledgers::name(&self.source, &self.integration);
        let answer = ledgers::ask(env, &ledger, &call).await?;
        if let Some(received_at) = answer.as_deref().and_then(received_at) {
            let ms = now().ms().saturating_sub(received_at.ms());
            numbers::confirmation(env, ctx, &self.source, u64::try_from(ms).unwrap_or(0));
        }
        Ok(())
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

fn sent_at(message: &Message) -> Timestamp {
    message.timestamp().map_or_else(
        |_| now(),
        |time: Date| Timestamp::from_ms(time.get_time() as i64),
    )
}
