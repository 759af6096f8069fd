//! Rust's futures, driven by JavaScript's promises with nothing in between.
//!
//! The usual bridge makes a promise, two closures and a microtask for each
//! `await`, a fifth of all that a webhook costs. And its one queue for all
//! tasks continues a request's work within another's, where the platform
//! doesn't allow it to touch its own streams and calls. Here a promise that
//! settles continues the one task that waits for it, where it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::prelude::*;

use super::{give, glue};

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
struct Tasks {
    /// Those that wait, by number.
    waiting: BTreeMap<u32, Task>,
    last: u32,
    /// The one that runs.
    current: u32,
    /// By promise: the task that waits for it, and what it settled to.
    promises: BTreeMap<u32, (u32, Option<Settled>)>,
}

type Settled = Result<JsValue, JsValue>;

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
}

/// Runs `task` as far as it goes, and the rest when what it waits for is
/// there.
pub fn start(task: impl Future<Output = ()> + 'static) {
    let number = TASKS.with_borrow_mut(|tasks| {
        tasks.last = tasks.last.wrapping_add(1);
        tasks.last
    });
    proceed(number, Box::pin(task));
}

/// The same, with the Worker kept up until the task ends. `ctx` is that of the
/// request; without it, what waits when the answer is given may be dropped.
pub fn start_behind(ctx: &JsValue, task: impl Future<Output = ()> + 'static) {
    let done = glue::keep_up(ctx);
    start(async move {
        task.await;
        if let Ok(done) = done {
            give(&done, &JsValue::UNDEFINED);
        }
    });
}

/// Waits until `promise` settles.
pub async fn wait(promise: &JsValue) -> Settled {
    // Numbered by the JavaScript, which outlives this instance of the wasm: a
    // promise that an earlier one waited for is not mistaken for another.
    let number = glue::when_settled(promise)?;
    TASKS.with_borrow_mut(|tasks| {
        let current = tasks.current;
        tasks.promises.insert(number, (current, None))
    });
    Waiting(number).await
}

/// Called when the promise `number` has settled.
#[wasm_bindgen]
pub fn settled(number: u32, fulfilled: bool, value: JsValue) {
    let task = TASKS.with_borrow_mut(|tasks| {
        let (task, settled) = tasks.promises.get_mut(&number)?;
        *settled = Some(if fulfilled { Ok(value) } else { Err(value) });
        let task = *task;
        Some((task, tasks.waiting.remove(&task)?))
    });
    if let Some((number, task)) = task {
        proceed(number, task);
    }
}

fn proceed(number: u32, mut task: Task) {
    let before = TASKS.with_borrow_mut(|tasks| std::mem::replace(&mut tasks.current, number));
    let outcome = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    TASKS.with_borrow_mut(|tasks| {
        tasks.current = before;
        if outcome.is_pending() {
            tasks.waiting.insert(number, task);
        }
    });
}

struct Waiting(u32);

impl Future for Waiting {
    type Output = Settled;

    fn poll(self: Pin<&mut Self>, _: &mut Context) -> Poll<Settled> {
        let settled = TASKS.with_borrow_mut(|tasks| {
            let (_, settled) = tasks.promises.get_mut(&self.0)?;
            settled.take()
        });
        settled.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        TASKS.with_borrow_mut(|tasks| tasks.promises.remove(&self.0));
    }
}
