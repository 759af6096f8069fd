//! The shell moves bytes: what Cloudflare calls, and what it is called with.
//!
//! The exports are written by hand, because the SDK's queue handler turns an
//! error into a panic, and its request and response wrappers cross between
//! wasm and JavaScript many times.

mod consumer;
mod database;
mod edge;
mod environment;
mod glue;
mod ledgers;
mod log;
mod object;
mod read;
mod storage;

use wasm_bindgen::prelude::*;
use worker::js_sys::{Date, Reflect};
use worker::web_sys::{Request, Response};
use worker::worker_sys::MessageBatch;

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

/// Every HTTP request.
#[wasm_bindgen]
pub async fn fetch(request: Request, env: JsValue, _ctx: JsValue) -> Response {
    edge::fetch(request, env).await
}

/// Every batch of queue messages, packs and dead ones.
#[wasm_bindgen]
pub async fn queue(batch: MessageBatch, env: JsValue, _ctx: JsValue) {
    consumer::queue(batch, env).await;
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
