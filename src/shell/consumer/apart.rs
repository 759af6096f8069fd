//! A pack by itself, taken apart where it fails as a whole.

use std::ops::Range;

use wasm_bindgen::JsValue;
use worker::worker_sys::Message;

use super::{APPLIED, Applied, Failure, read, sent_at, text};
use crate::ledger::{Call, NOT_APPLIED};
use crate::projection::{Halves, Pack, Task, Unreadable};
use crate::shell::log::{Level, Line};
use crate::shell::{database, glue, ledgers, now, property};
use crate::time::Timestamp;

/// Applies and confirms what can be, and reports what can't.
pub async fn apply(
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
            Task::Done => return Ok(APPLIED),
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

/// How often the queue has tried the message, this time included.
fn attempt(message: &Message) -> u32 {
    let attempts = property(message, "attempts").as_f64();
    attempts.map_or(1, |attempts| attempts as u32)
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
        match Applied::of(&self.pack, part) {
            Some(applied) => applied.confirm(self.env, self.ctx).await,
            None => Ok(()),
        }
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
