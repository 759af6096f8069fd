//! Rust's futures, driven by JavaScript's promises with nothing in between.
//!
//! The usual bridge makes a promise, two closures and a microtask for each
//! `await`, a fifth of all that a webhook costs. And its one queue for all
//! tasks continues a request's work within another's, where the platform
//! doesn't allow it to touch its own streams and calls. Here a promise that
//! settles continues the one task that waits for it, where it is.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{self, Future};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::prelude::*;
use worker::js_sys::Function;

use super::give;

#[wasm_bindgen(module = "/src/shell/tasks.js")]
extern "C" {
    #[wasm_bindgen(js_name = whenSettled, catch)]
    fn when_settled(promise: &JsValue) -> Result<u32, JsValue>;

    #[wasm_bindgen(js_name = keepUp, catch)]
    fn keep_up(ctx: &JsValue) -> Result<Function, JsValue>;
}

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
    /// The last promise that a task has waited for.
    last: u32,
    /// When lost tasks were looked for, in milliseconds, and the last promise
    /// by then; the oldest first.
    looks: VecDeque<(f64, u32)>,
}

/// A task is lost once it has waited this long for one promise, in
/// milliseconds: a body has 30 s, every other call less.
const WAIT_MS_MAX: f64 = 45_000.0;

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
}

impl Tasks {
    /// Takes out the tasks that have waited too long.
    fn take_lost(&mut self, now_ms: f64) -> Vec<(u32, Task)> {
        // A clock that was set back tells nothing of the looks before.
        self.looks.retain(|(at_ms, _)| *at_ms <= now_ms);
        let is_over = |at_ms: f64| now_ms - at_ms > WAIT_MS_MAX;
        let mut lost_through = None;
        while let Some((_, last)) = self.looks.pop_front_if(|(at_ms, _)| is_over(*at_ms)) {
            lost_through = Some(last);
        }
        self.looks.push_back((now_ms, self.last));
        let Some(through) = lost_through else {
            return Vec::new();
        };
        // Numbers begin again after the greatest.
        let is_lost = |number: u32| through.wrapping_sub(number) <= u32::MAX / 2;
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (lost, waiting) = waiting.partition(|(number, _)| is_lost(*number));
        self.waiting = waiting;
        lost
    }
}

/// Drops tasks of requests that the platform has ended: when a sender hangs up
/// in mid-body, what its request waits for never settles. To be called now and
/// then, with the clock's milliseconds.
#[wasm_bindgen(js_name = forgetLost)]
pub fn forget_lost(now_ms: f64) {
    let lost = TASKS.with_borrow_mut(|tasks| tasks.take_lost(now_ms));
    // Not before: what a task holds may have tasks of its own.
    drop(lost);
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
    let done = keep_up(ctx);
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
    let number = when_settled(promise)?;
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
                tasks.last = number;
            }
        });
    }
}
