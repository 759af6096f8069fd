//! What this isolate counts, on its way into D1, and the page of all numbers.

use std::cell::RefCell;

use wasm_bindgen::JsValue;

use super::log::{Level, Line};
use super::{database, environment, glue, now, tasks};
use crate::ops::metrics::{Meter, page, select};
use crate::problem::Problem;
use crate::time::Timestamp;

thread_local! {
    static METER: RefCell<Meter> = RefCell::default();
}

/// Counts a delivery to a configured source.
pub fn delivery(env: &JsValue, ctx: &JsValue, source: &str, outcome: &str, now: Timestamp) {
    count(env, ctx, now, |meter| meter.delivery(source, outcome));
}

/// Counts a confirmation that came `ms` milliseconds after the receipt.
pub fn confirmation(env: &JsValue, ctx: &JsValue, source: &str, ms: u64) {
    count(env, ctx, now(), |meter| meter.confirmation(source, ms));
}

/// Counts, and writes what is counted behind the answer to the event of `ctx`
/// if its turn has come. Nobody waits for that.
fn count(env: &JsValue, ctx: &JsValue, now: Timestamp, work: impl FnOnce(&mut Meter)) {
    let planned = METER.with_borrow_mut(|meter| {
        work(meter);
        meter.plan(now)
    });
    if let Some(ms) = planned {
        let env = env.clone();
        tasks::start_behind(ctx, async move {
            glue::sleep(ms).await;
            flush(&env).await;
        });
    }
}

/// Writes what is counted. If that fails, it is written with what comes next.
async fn flush(env: &JsValue) {
    let Some(counts) = METER.with_borrow_mut(|meter| meter.take(now())) else {
        return;
    };
    if let Err(why) = database::run(env, &[counts.statement()]).await {
        METER.with_borrow_mut(|meter| meter.put_back(counts));
        let mut line = Line::new(Level::Warn, "counts not written");
        line.reason = Some(why);
        line.write();
    }
}

/// Answers `GET /metrics`.
pub async fn metrics(env: &JsValue, line: &mut Line) -> Result<String, Problem> {
    line.outcome = Some("read");
    flush(env).await;
    let rows = database::select_sized(env, &select())
        .await
        .map_err(|why| {
            line.reason = Some(why);
            Problem::DatabaseUnavailable
        })?;
    let connected = environment::connected(env);
    let connected: Vec<_> = connected.iter().map(|(source, _)| &**source).collect();
    environment::with_names(env, |names| page(&names, &connected, &rows, now()))
        .ok_or(Problem::DatabaseUnavailable)
}
