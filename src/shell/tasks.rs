//! Rust's futures, driven by JavaScript's promises with nothing in between.
//!
//! The usual bridge makes a promise, two closures and a microtask for each
//! `await`, a fifth of all that a webhook costs. And its one queue for all
//! tasks continues a request's work within another's, where the platform
//! doesn't allow it to touch its own streams and calls. Here a promise that
//! settles continues the one task that waits for it, where it is.

use std::cell::RefCell;
use std::future::{self, Future};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::prelude::*;

use super::{give, glue};

type Task = Pin<Box<dyn Future<Output = ()>>>;

type Settled = Result<JsValue, JsValue>;

#[derive(Default)]
struct Tasks {
    /// Those that wait, each for one promise, by its number. They are looked
    /// through: an isolate has some hundreds of them at most.
    waiting: Vec<(u32, Task)>,
    /// The promise that the task just polled waits for.
    awaited: Option<u32>,
    /// What the promise settled to that the task to be polled waited for.
    settled: Option<(u32, Settled)>,
}

/// If more tasks than this wait, lost ones are looked for.
const WAITING_MAX: usize = 1_000;
/// A task is lost once this many promises were waited for after its own. With
/// limits of seconds for every call, only a sender that takes minutes over its
/// body can be as late, in an isolate at its busiest.
const LATER_MAX: u32 = 1 << 20;

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
}

impl Tasks {
    /// Drops tasks of requests that the platform has ended: when a sender hangs
    /// up, what its request waits for never settles. `number` is the last one.
    fn forget_lost(&mut self, number: u32) {
        if self.waiting.len() > WAITING_MAX {
            self.waiting
                .retain(|(of, _)| number.wrapping_sub(*of) <= LATER_MAX);
        }
    }
}

/// Runs `task` as far as it goes, and the rest when what it waits for is
/// there.
pub fn start(task: impl Future<Output = ()> + 'static) {
    proceed(Box::pin(task));
}

/// The same, with the Worker kept up until the task ends.
pub fn start_behind(ctx: &JsValue, task: impl Future<Output = ()> + 'static) {
    start(kept_up(ctx, task));
}

/// `work`, with the Worker kept up until it ends. `ctx` is that of the request;
/// without it, what waits when the answer is given or the sender hangs up may
/// be dropped.
pub fn kept_up<T, W>(ctx: &JsValue, work: W) -> impl Future<Output = T> + use<T, W>
where
    W: Future<Output = T>,
{
    let done = glue::keep_up(ctx);
    async move {
        let outcome = work.await;
        if let Ok(done) = done {
            give(&done, &JsValue::UNDEFINED);
        }
        outcome
    }
}

/// Waits until `promise` settles. A task waits for one promise at a time.
pub async fn wait(promise: &JsValue) -> Settled {
    // Numbered by the JavaScript, which outlives this instance of the wasm: a
    // promise that an earlier one waited for is not mistaken for another.
    let number = glue::when_settled(promise)?;
    future::poll_fn(|_| {
        TASKS.with_borrow_mut(|tasks| {
            if let Some((_, settled)) = tasks.settled.take_if(|(of, _)| *of == number) {
                return Poll::Ready(settled);
            }
            tasks.awaited = Some(number);
            Poll::Pending
        })
    })
    .await
}

/// Called when the promise `number` has settled.
#[wasm_bindgen]
pub fn settled(number: u32, fulfilled: bool, value: JsValue) {
    let task = TASKS.with_borrow_mut(|tasks| {
        let at = tasks.waiting.iter().position(|(of, _)| *of == number)?;
        let settled = if fulfilled { Ok(value) } else { Err(value) };
        tasks.settled = Some((number, settled));
        Some(tasks.waiting.swap_remove(at).1)
    });
    if let Some(task) = task {
        proceed(task);
    }
}

fn proceed(mut task: Task) {
    let outcome = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    if outcome.is_pending() {
        TASKS.with_borrow_mut(|tasks| {
            if let Some(number) = tasks.awaited.take() {
                tasks.waiting.push((number, task));
                tasks.forget_lost(number);
            }
        });
    }
}
