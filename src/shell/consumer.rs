//! The consumers of both queues.
//!
//! Each message is read, applied, confirmed and acknowledged by itself, so
//! that none can hurt its neighbours. What fails is retried by the queue, and
//! ends in the dead-letter queue, whose consumer reports it to the ledger.

use wasm_bindgen::JsValue;
use worker::js_sys::Date;
use worker::worker_sys::Message;

use super::log::{Level, Line};
use super::{database, error_text, ledgers, now};
use crate::ledger::Call;
use crate::projection::Projection;
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
pub async fn message(message: Message, queue: &str, env: &JsValue) {
    let started = now();
    let dead = queue == DEAD_QUEUE;
    let mut line = Line::new(Level::Info, if dead { "dead pack" } else { "pack" });
    let outcome = if dead {
        line.level = Level::Error;
        bury(&message, env, &mut line).await
    } else {
        apply(&message, env, &mut line).await
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

async fn apply(message: &Message, env: &JsValue, line: &mut Line) -> Result<&'static str, Failure> {
    let mut pack = read(message, line)?;
    let ledger = ledgers::name(&pack.source, &pack.integration);
    for seq in pack.missing() {
        let call = Call::Data { seq };
        let data = ledgers::ask(env, &ledger, &call)
            .await
            .map_err(Failure::Again)?;
        pack.supply(seq, &data.unwrap_or_default())
            .map_err(|why| Failure::Unreadable(why.to_string()))?;
    }
    database::run(env, &pack.statements(sent_at(message), now()))
        .await
        .map_err(Failure::Again)?;
    let call = Call::Confirm {
        first: pack.first,
        last: pack.last,
        replay: pack.replay,
    };
    ledgers::ask(env, &ledger, &call)
        .await
        .map_err(Failure::Again)?;
    Ok("applied")
}

async fn bury(message: &Message, env: &JsValue, line: &mut Line) -> Result<&'static str, Failure> {
    let pack = read(message, line)?;
    let call = Call::Bury {
        first: pack.first,
        last: pack.last,
        replay: pack.replay,
        reason: DEAD_REASON.to_owned(),
    };
    let ledger = ledgers::name(&pack.source, &pack.integration);
    ledgers::ask(env, &ledger, &call)
        .await
        .map_err(Failure::Again)?;
    Ok("dead")
}

fn read(message: &Message, line: &mut Line) -> Result<Projection, Failure> {
    let unreadable = |why: &str| Failure::Unreadable(why.to_owned());
    let body = message.body().map_err(|_| unreadable("no body"))?;
    let text = body.as_string().ok_or_else(|| unreadable("not text"))?;
    line.bytes = Some(text.len());
    let pack = Projection::read(&text).map_err(|why| unreadable(&why.to_string()))?;
    line.source = Some(pack.source.clone());
    line.integration = Some(pack.integration.clone());
    line.seq = Some(pack.last);
    Ok(pack)
}

fn sent_at(message: &Message) -> Timestamp {
    message.timestamp().map_or_else(
        |_| now(),
        |time: Date| Timestamp::from_ms(time.get_time() as i64),
    )
}
