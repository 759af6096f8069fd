//! A message in the consumer's hands.

use wasm_bindgen::JsValue;
use worker::js_sys::{Date, Object, Reflect};
use worker::worker_sys::Message;

use super::Hand;
use crate::integration::IntegrationId;
use crate::ledger::{Call, received_at};
use crate::projection::{Guilty, Message as Pack, Read, Settled, Verdict};
use crate::shell::log::{Level, Line};
use crate::shell::{error_text, ledger_client, metrics, now, property};
use crate::time::Timestamp;

/// One message.
pub struct Letter {
    message: Message,
    line: Line,
    /// Whose it is.
    of: IntegrationId,
}

impl Letter {
    /// Takes `message` out of a batch, as what the log calls `name`; returns what
    /// it holds as well.
    pub fn open(message: Message, name: &str) -> (Self, Pack) {
        let text = message.body().ok().and_then(|body| body.as_string());
        let mut line = Line::new(Level::Info, name);
        line.bytes = text.as_ref().map(String::len);
        let attempt = property(&message, "attempts").as_f64();
        let pack = Pack {
            text: text.unwrap_or_default(),
            sent_at: sent_at(&message),
            attempt: attempt.map_or(1, |attempt| attempt as u32),
        };
        let letter = Self {
            message,
            line,
            of: IntegrationId::default(),
        };
        (letter, pack)
    }

    /// Notes whose it is.
    pub fn note(&mut self, read: &Read) {
        self.line.of(&read.of);
        self.line.seq = Some(read.last);
        self.of = read.of.clone();
    }

    /// Asks its ledger.
    pub async fn ask(&self, call: &Call, hand: &Hand) -> ledger_client::Answer {
        let answer = ledger_client::ask(&hand.env, &self.of, call).await?;
        if let Call::Confirm { .. } = call
            && let Some(received_at) = answer.as_deref().and_then(received_at)
        {
            let ms = now().ms().saturating_sub(received_at.ms());
            metrics::confirmation(
                &hand.env,
                &hand.ctx,
                &self.of.source,
                u64::try_from(ms).unwrap_or(0),
            );
        }
        Ok(answer)
    }

    /// Logs that one of its events can't be applied.
    pub fn log_guilty(&self, guilty: Guilty) {
        let mut line = Line::new(Level::Error, "event can't be applied");
        line.source.clone_from(&self.line.source);
        line.integration.clone_from(&self.line.integration);
        line.seq = Some(guilty.seq);
        line.outcome = Some("quarantined");
        line.reason = Some(guilty.why);
        line.write();
    }

    /// Acknowledges it, or has it delivered again; `started` is when its batch
    /// came.
    pub fn settle(&mut self, settled: Settled, started: Timestamp) {
        let mut line = std::mem::take(&mut self.line);
        line.outcome = Some(settled.verdict.label());
        line.reason = settled.why;
        line.level = match settled.verdict {
            Verdict::Applied => Level::Info,
            Verdict::Unreadable | Verdict::Dead => Level::Error,
            Verdict::Retry(_) | Verdict::RetryLater | Verdict::Leave => Level::Warn,
        };
        let done = match settled.verdict {
            Verdict::Retry(delay_s) => self.message.retry(options(delay_s)),
            Verdict::RetryLater => self.message.retry(JsValue::UNDEFINED),
            _ => self.message.ack(),
        };
        if let Err(error) = done {
            line.reason = Some(error_text(&error));
        }
        line.write_since(started);
    }
}

/// The options of a retry.
fn options(delay_s: u32) -> JsValue {
    let options = Object::new();
    // Setting a property of a new object doesn't fail.
    let _ = Reflect::set(&options, &"delaySeconds".into(), &delay_s.into());
    options.into()
}

/// When the message was handed to the queue.
fn sent_at(message: &Message) -> Timestamp {
    message.timestamp().map_or_else(
        |_| now(),
        |time: Date| Timestamp::from_ms(time.get_time() as i64),
    )
}
