//! The consumers of both queues.
//!
//! The packs of a batch are applied together, and confirmed side by side. If
//! that fails, or a pack must go by itself, messages are taken one after the
//! other, out of one budget. What is to be done with which, is the core's to
//! say; the dead-letter queue's consumer only notes what is in there.

mod dead;
mod letter;

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::js_sys::Function;
use worker::worker_sys::Message;

use self::letter::{Hand, Letter};
use super::{database, environment, give, now, tasks};
use crate::projection::{Budget, Fault, Together, is_dead_letter_queue};

/// What is called when all messages of a batch are settled.
struct End {
    left: RefCell<usize>,
    done: Function,
}

impl End {
    /// Notes that one message is settled.
    fn settled(&self) {
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
    let end = Rc::new(End {
        left: RefCell::new(messages.len()),
        done: done.clone(),
    });
    let configured = environment::dead_letter_queue(env);
    if is_dead_letter_queue(queue, configured.as_deref()) {
        return dead::bury_all(messages, env, &end);
    }
    let hand = Rc::new(Hand {
        env: env.clone(),
        ctx: ctx.clone(),
    });
    tasks::start(packs(messages, hand, end));
}

async fn packs(messages: Vec<Message>, hand: Rc<Hand>, end: Rc<End>) {
    let started = now();
    let mut budget = Budget::default();
    let mut together = Together::default();
    let (mut shared, mut alone) = (Vec::new(), Vec::new());
    for message in messages {
        let mut letter = Letter::new(message, started);
        match letter.read(&mut together) {
            Some(true) => shared.push(letter),
            Some(false) => alone.push(letter),
            None => {
                letter.settle_unreadable();
                end.settled();
            }
        }
    }
    let statements = together.statements(&mut budget);
    let outcome = match statements.is_empty() {
        true => Ok(()),
        false => database::run(&hand.env, &statements).await,
    };
    drop(statements);
    match outcome {
        Ok(()) => {
            for letter in shared {
                let (hand, end) = (hand.clone(), end.clone());
                tasks::start(async move {
                    letter.confirm(&hand).await;
                    end.settled();
                });
            }
        }
        Err(why) if Fault::of(&why) == Fault::Nobodys => {
            budget.note_away(&why);
            alone.splice(0..0, shared);
        }
        Err(_) => drop(alone.splice(0..0, shared)),
    }
    for letter in alone {
        letter.apply_alone(&mut budget, &hand).await;
        end.settled();
    }
}
