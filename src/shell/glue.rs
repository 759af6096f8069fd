//! The platform's calls, as `glue.js` has them.

use wasm_bindgen::prelude::*;
use worker::js_sys::Array;
use worker::web_sys::{Request, Response};

use super::tasks::wait;

#[wasm_bindgen(module = "/src/shell/glue.js")]
extern "C" {
    #[wasm_bindgen(js_name = readBody, catch)]
    fn body_promise(request: &Request, max: u32) -> Result<JsValue, JsValue>;

    pub fn header(request: &Request, name: &str) -> Option<String>;

    pub fn respond(
        status: u16,
        content_type: &str,
        body: &str,
        header: Option<&str>,
        value: Option<&str>,
    ) -> Response;

    #[wasm_bindgen(js_name = respondTagged)]
    pub fn respond_tagged(
        status: u16,
        content_type: &str,
        body: &str,
        etag: &str,
        caching: &str,
    ) -> Response;

    pub fn description() -> String;

    #[wasm_bindgen(js_name = newRequest)]
    fn new_post(path: &str, headers: Array, body: &str) -> Request;

    #[wasm_bindgen(js_name = callLedger, catch)]
    fn ledger_promise(
        namespace: &JsValue,
        name: &str,
        calls: Array,
        format: u32,
        ms: u32,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = callConnector, catch)]
    fn connector_promise(
        namespace: &JsValue,
        name: &str,
        calls: Array,
        ms: u32,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = askProvider, catch)]
    fn provider_promise(
        url: &str,
        name: &str,
        value: &str,
        max: u32,
        method: &str,
        body: &str,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = sendPacks, catch)]
    fn packs_promise(queue: &JsValue, texts: Array, ms: u32) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn transaction(storage: &JsValue, work: &mut dyn FnMut() -> bool) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub fn rows(sql: &JsValue, statement: &JsValue, params: Array) -> Result<Array, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn run(sql: &JsValue, statement: &JsValue, params: Array) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub fn arm(storage: &JsValue, ms: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub fn disarm(storage: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = armedFor, catch)]
    fn alarm_promise(storage: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn batch(db: &JsValue, statements: Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = select, catch)]
    fn rows_promise(db: &JsValue, statement: Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = selectSized, catch)]
    fn sized_promise(db: &JsValue, statement: Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = sleep, catch)]
    fn sleep_promise(ms: u32) -> Result<JsValue, JsValue>;
}

/// A POST of our own.
pub fn new_request(path: &str, headers: &[(&str, String)], body: &str) -> Request {
    let pair = |(name, value): &(&str, String)| Array::of2(&(*name).into(), &value.into());
    new_post(path, headers.iter().map(pair).collect(), body)
}

/// The body as a buffer; null if it has more than `max` bytes, undefined if it
/// takes too long.
pub async fn read_body(request: &Request, max: u32) -> Result<JsValue, JsValue> {
    wait(&body_promise(request, max)?).await
}

pub async fn call_ledger(
    namespace: &JsValue,
    name: &str,
    calls: Array,
    format: u32,
    ms: u32,
) -> Result<Array, JsValue> {
    let answers = wait(&ledger_promise(namespace, name, calls, format, ms)?).await?;
    Ok(answers.unchecked_into())
}

pub async fn call_connector(
    namespace: &JsValue,
    name: &str,
    calls: Array,
    ms: u32,
) -> Result<Array, JsValue> {
    let answers = wait(&connector_promise(namespace, name, calls, ms)?).await?;
    Ok(answers.unchecked_into())
}

/// Status, the two headers about the limit of requests, and the body; or a word
/// for why there is none.
pub async fn ask_provider(
    url: &str,
    name: &str,
    value: &str,
    max: u32,
    [method, body]: [&str; 2],
) -> Result<JsValue, JsValue> {
    wait(&provider_promise(url, name, value, max, method, body)?).await
}

pub async fn send_packs(queue: &JsValue, texts: Array, ms: u32) -> Result<(), JsValue> {
    wait(&packs_promise(queue, texts, ms)?).await.map(drop)
}

pub async fn armed_for(storage: &JsValue) -> Result<JsValue, JsValue> {
    wait(&alarm_promise(storage)?).await
}

pub async fn select(db: &JsValue, statement: Array) -> Result<JsValue, JsValue> {
    wait(&rows_promise(db, statement)?).await
}

pub async fn select_sized(db: &JsValue, statement: Array) -> Result<JsValue, JsValue> {
    wait(&sized_promise(db, statement)?).await
}

pub async fn sleep(ms: u32) {
    // A timer doesn't fail.
    if let Ok(promise) = sleep_promise(ms) {
        let _ = wait(&promise).await;
    }
}
