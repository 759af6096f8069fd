//! The shell moves bytes: what Cloudflare calls, and what it is called with.
//!
//! The exports are written by hand, because the SDK's queue handler turns an
//! error into a panic, and its request and response wrappers cross between
//! wasm and JavaScript many times.

mod commands;
mod connector_client;
mod connector_object;
mod consumer;
mod database;
mod environment;
mod glue;
mod health;
mod http;
mod ledger_client;
mod ledger_object;
mod log;
mod metrics;
mod queries;
mod router;
mod sources;
mod storage;
mod subscriptions;
mod sweep;
mod tasks;
mod webhook;

use wasm_bindgen::prelude::*;
use worker::js_sys::{Date, Function, Reflect};
use worker::web_sys::Request;
use worker::worker_sys::Message;

use self::webhook::{Inbound, Trigger};
use crate::time::Timestamp;

/// Adds the JavaScript stack to the news of a panic; the SDK's own hook, which
/// starts a new instance, stays in place.
#[wasm_bindgen(start)]
fn start() {
    let restart = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        restart(info);
    }));
}

/// Every HTTP request, with its method, its URL and the platform's context of
/// it; its response goes to `done`.
#[wasm_bindgen]
pub fn fetch(
    request: Request,
    method: String,
    url: String,
    env: JsValue,
    ctx: JsValue,
    done: Function,
) {
    tasks::start(async move {
        let call = Inbound {
            request,
            method,
            url,
            trigger: Trigger::Outside,
            at: now(),
        };
        let response = router::fetch(call, env, ctx).await;
        give(&done, &response);
    });
}

/// Every batch of a queue, of packs or dead ones; `done` is called when each
/// message is acknowledged or to be retried.
#[wasm_bindgen]
pub fn queue(messages: Vec<Message>, queue: &str, env: &JsValue, ctx: &JsValue, done: &Function) {
    consumer::batch(messages, queue, env, ctx, done);
}

/// A run of the sweep; `done` is called when it is over, however it went.
#[wasm_bindgen]
pub fn sweep(env: JsValue, done: Function) {
    tasks::start(async move {
        sweep::run(&env).await;
        give(&done, &JsValue::UNDEFINED);
    });
}

/// Ends a call from JavaScript. Its functions for that don't fail.
fn give(done: &Function, value: &JsValue) {
    let _ = done.call1(&JsValue::UNDEFINED, value);
}

/// The platform's clock.
fn now() -> Timestamp {
    Timestamp::from_ms(Date::now() as i64)
}

/// A random number for jitter; 0 if there is none to be had.
fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

/// A property of a JavaScript object; undefined if it has none.
fn property(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// What a JavaScript error says.
fn error_text(error: &JsValue) -> String {
    property(error, "message")
        .as_string()
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "unknown error".to_owned())
}
