//! The platform's calls, as `glue.js` has them.

use wasm_bindgen::prelude::*;
use worker::js_sys::{Array, Uint8Array};
use worker::web_sys::{Request, Response};

#[wasm_bindgen(module = "/src/shell/glue.js")]
extern "C" {
    #[wasm_bindgen(js_name = readBody, catch)]
    pub async fn read_body(request: &Request, max: u32) -> Result<JsValue, JsValue>;

    pub fn respond(
        status: u16,
        content_type: &str,
        body: &str,
        header: Option<&str>,
        value: Option<&str>,
    ) -> Response;

    #[wasm_bindgen(js_name = callLedger, catch)]
    pub async fn call_ledger(
        namespace: &JsValue,
        name: &str,
        bytes: Uint8Array,
        ms: u32,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = sendPacks, catch)]
    pub async fn send_packs(queue: &JsValue, texts: Array, ms: u32) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub fn transaction(storage: &JsValue, work: &mut dyn FnMut() -> bool) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub fn rows(sql: &JsValue, statement: &str, params: Array) -> Result<Array, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn run(sql: &JsValue, statement: &str, params: Array) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub fn arm(storage: &JsValue, ms: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = armedFor, catch)]
    pub async fn armed_for(storage: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub async fn batch(db: &JsValue, statements: Array) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub async fn select(db: &JsValue, statement: Array) -> Result<JsValue, JsValue>;

    pub async fn sleep(ms: u32);
}
