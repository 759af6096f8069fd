//! The consumer of both queues. What is to be done with a batch is the core's to
//! say; what is to be done side by side becomes a task of its own.

mod letter;

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::js_sys::Function;
use worker::worker_sys::Message;

use self::letter::Letter;
use super::{database, environment, give, glue, now, tasks};
use crate::projection::{Action, Consumer, PackReport, Settled, is_dead_letter_queue};
use crate::time::Timestamp;

/// What the consumer works with.
struct Hand {
    env: JsValue,
    ctx: JsValue,
    started: Timestamp,
    /// Messages that aren't settled.
    left: RefCell<usize>,
    /// What is called when all are.
    done: Function,
}

impl Hand {
    fn settle(&self, letter: &mut Letter, settled: Settled) {
        letter.settle(settled, self.started);
        let mut left = self.left.borrow_mut();
        *left = left.saturating_sub(1);
        if *left == 0 {
            give(&self.done, &JsValue::UNDEFINED);
        }
    }
}

/// Handles a batch of either queue; `done` is called when each of its messages
/// is acknowledged or to be retried.
pub fn batch(messages: Vec<Message>, queue: &str, env: &JsValue, ctx: &JsValue, done: &Function) {
    if messages.is_empty() {
        return give(done, &JsValue::UNDEFINED);
    }
    let configured = environment::dead_letter_queue(env);
    let are_dead = is_dead_letter_queue(queue, configured.as_deref());
    let hand = Rc::new(Hand {
        env: env.clone(),
        ctx: ctx.clone(),
        started: now(),
        left: RefCell::new(messages.len()),
        done: done.clone(),
    });
    tasks::start(consume(messages, are_dead, hand));
}

async fn consume(messages: Vec<Message>, are_dead: bool, hand: Rc<Hand>) {
    let name = if are_dead { "dead pack" } else { "pack" };
    let opened = messages.into_iter().map(|one| Letter::open(one, name));
    let (mut letters, packs): (Vec<_>, Vec<_>) = opened.unzip();
    let mut consumer = Consumer::new(packs, are_dead, hand.started, |at, read| {
        if let Some(letter) = letters.get_mut(at) {
            letter.note(read);
        }
    });
    let mut letters: Vec<_> = letters.into_iter().map(Some).collect();
    loop {
        match consumer.next(now()) {
            Action::Run(statements) => {
                consumer.ran(database::run(&hand.env, &statements).await);
            }
            Action::Ask(at, call) => {
                if let Some(letter) = letters.get(at).and_then(Option::as_ref) {
                    let answer = letter.ask(&call, &hand).await;
                    if let Some(guilty) = consumer.answered(answer) {
                        letter.log_guilty(guilty);
                    }
                }
            }
            Action::Report(report) => {
                if let Some(letter) = letters.get_mut(report.at).and_then(Option::take) {
                    tasks::start(tell(letter, report, hand.clone()));
                }
            }
            Action::Wait(ms) => glue::sleep(ms).await,
            Action::Settle(settled) => {
                if let Some(letter) = letters.get_mut(settled.at).and_then(Option::as_mut) {
                    hand.settle(letter, settled);
                }
            }
            Action::End => return,
        }
    }
}

async fn tell(mut letter: Letter, report: PackReport, hand: Rc<Hand>) {
    let answer = letter.ask(&report.call, &hand).await;
    let settled = report.answered(answer.map(drop));
    hand.settle(&mut letter, settled);
}
