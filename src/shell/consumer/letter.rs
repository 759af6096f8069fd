//! A message with a pack, in the consumer's hands.

use wasm_bindgen::JsValue;
use worker::js_sys::{Date, Object, Reflect};
use worker::worker_sys::Message;

use crate::integration::IntegrationId;
use crate::ledger::{Call, received_at};
use crate::projection::{Apart, Budget, Fault, Message as Pack, Step, Together, Verdict};
use crate::shell::log::{Level, Line};
use crate::shell::{database, error_text, glue, ledger_client, metrics, now, property};
use crate::time::Timestamp;

/// What the consumer works with.
pub struct Hand {
    pub env: JsValue,
    pub ctx: JsValue,
}

/// One message.
pub struct Letter {
    message: Message,
    pack: Pack,
    started: Timestamp,
    line: Line,
    /// Whose it is.
    of: IntegrationId,
    confirm: Option<Call>,
}

impl Letter {
    /// Takes `message` out of a batch that came at `started`.
    pub fn new(message: Message, started: Timestamp) -> Self {
        let text = message.body().ok().and_then(|body| body.as_string());
        let mut line = Line::new(Level::Info, "pack");
        line.bytes = text.as_ref().map(String::len);
        let attempt = property(&message, "attempts").as_f64();
        let pack = Pack {
            text: text.unwrap_or_default(),
            sent_at: sent_at(&message),
            attempt: attempt.map_or(1, |attempt| attempt as u32),
        };
        Self {
            message,
            pack,
            started,
            line,
            of: IntegrationId::default(),
            confirm: None,
        }
    }

    /// Adds its pack to those that are applied together. False if it is to go
    /// by itself; `None` if it isn't one.
    pub fn read(&mut self, together: &mut Together) -> Option<bool> {
        match together.add(&self.pack, self.started) {
            Ok(read) => {
                self.line.of(&read.of);
                self.line.seq = Some(read.last);
                self.of = read.of;
                self.confirm = read.confirm;
                Some(self.confirm.is_some())
            }
            Err(why) => {
                self.line.reason = Some(why.to_string());
                None
            }
        }
    }

    /// Acknowledges what is no pack and never will be. The ledger still has
    /// the events, and sends them again.
    pub fn settle_unreadable(self) {
        self.settle(&Verdict::Unreadable);
    }

    /// Tells the ledger that all of it is applied.
    pub async fn confirm(mut self, hand: &Hand) {
        let asked = match self.confirm.take() {
            Some(call) => self.ask(&call, hand).await,
            None => Ok(None),
        };
        let verdict = match asked {
            Ok(_) => Verdict::Applied,
            Err(why) => {
                self.line.reason = Some(why);
                Verdict::failed(self.pack.attempt, Fault::Nobodys)
            }
        };
        self.settle(&verdict);
    }

    /// Applies and confirms what can be, and reports what can't.
    pub async fn apply_alone(mut self, budget: &mut Budget, hand: &Hand) {
        let mut apart = Apart::new(std::mem::take(&mut self.pack));
        let verdict = loop {
            match apart.step(budget, now()) {
                Step::Run(statements) => {
                    apart.ran(database::run(&hand.env, &statements).await);
                }
                Step::Ask(call) => {
                    let answer = self.ask(&call, hand).await;
                    if let (Call::Quarantine { seq, .. }, Ok(_)) = (&call, &answer) {
                        self.log_quarantined(*seq, apart.why());
                    }
                    apart.answered(answer);
                }
                Step::Wait(ms) => glue::sleep(ms).await,
                Step::End(verdict) => break verdict,
            }
        };
        if verdict != Verdict::Applied {
            self.line.reason = Some(apart.why().to_owned());
        }
        self.settle(&verdict);
    }

    async fn ask(&self, call: &Call, hand: &Hand) -> ledger_client::Answer {
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

    fn log_quarantined(&self, seq: u64, why: &str) {
        let mut line = Line::new(Level::Error, "event can't be applied");
        line.source.clone_from(&self.line.source);
        line.integration.clone_from(&self.line.integration);
        line.seq = Some(seq);
        line.outcome = Some("quarantined");
        line.reason = Some(why.to_owned());
        line.write();
    }

    fn settle(mut self, verdict: &Verdict) {
        self.line.outcome = Some(verdict.label());
        self.line.level = match verdict {
            Verdict::Applied => Level::Info,
            Verdict::Unreadable => Level::Error,
            Verdict::Retry(_) | Verdict::Leave => Level::Warn,
        };
        let settled = match verdict {
            Verdict::Retry(delay_s) => self.message.retry(options(*delay_s)),
            _ => self.message.ack(),
        };
        if let Err(error) = settled {
            self.line.reason = Some(error_text(&error));
        }
        self.line.write_since(self.started);
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
pub fn sent_at(message: &Message) -> Timestamp {
    message.timestamp().map_or_else(
        |_| now(),
        |time: Date| Timestamp::from_ms(time.get_time() as i64),
    )
}
