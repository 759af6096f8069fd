//! The dead-letter queue's consumer: over each of these messages the consumer
//! has died. It only notes them in their ledgers.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::worker_sys::Message;

use super::End;
use crate::ledger::Call;
use crate::projection::Pack;
use crate::shell::log::{Level, Line};
use crate::shell::{error_text, ledger_client, now, tasks};

/// What a pack's death is put down to. The queue doesn't pass on the cause;
/// the log has it.
const REASON: &str = "the consumer failed on every attempt";

/// Notes all of `messages`, side by side.
pub fn bury_all(messages: Vec<Message>, env: &JsValue, end: &Rc<End>) {
    let started = now();
    for message in messages {
        let (env, end) = (env.clone(), end.clone());
        tasks::start(async move {
            let mut line = Line::new(Level::Error, "dead pack");
            let settled = match bury(&message, &env, &mut line).await {
                Ok(()) => message.ack(),
                // Each time is tried for more than an hour.
                Err(why) => {
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
            end.settled();
        });
    }
}

async fn bury(message: &Message, env: &JsValue, line: &mut Line) -> Result<(), String> {
    let text = message.body().ok().and_then(|body| body.as_string());
    let text = text.unwrap_or_default();
    line.bytes = Some(text.len());
    let pack = match Pack::read(&text) {
        Ok(pack) => pack,
        // It never will be one; the ledger still has the events.
        Err(why) => {
            line.outcome = Some("unreadable");
            line.reason = Some(why.to_string());
            return Ok(());
        }
    };
    let all = pack.all();
    line.of(&pack.of);
    let Some(named) = pack.named(&all) else {
        return Ok(());
    };
    line.seq = Some(named.events.last);
    let call = Call::DeadLetter {
        pack: named,
        reason: REASON.to_owned(),
        epoch: pack.epoch,
    };
    ledger_client::ask(env, &pack.of, &call).await?;
    line.outcome = Some("dead");
    Ok(())
}
