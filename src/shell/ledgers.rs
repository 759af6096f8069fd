//! Calls to ledgers from outside their objects.

use wasm_bindgen::JsValue;
use worker::js_sys::Uint8Array;

use super::{error_text, glue, property};
use crate::ledger::Call;

/// How long a ledger may take, in milliseconds: senders give up after 5 s.
const LEDGER_MS_MAX: u32 = 4_000;

/// The name of an integration's ledger. A source has no slash in its name, so
/// no two integrations share one.
pub fn name(source: &str, integration: &str) -> String {
    format!("{source}/{integration}")
}

/// Asks the ledger called `name`: its answer, `None` if there is no such
/// thing, or why it can't be asked.
pub async fn ask(env: &JsValue, name: &str, call: &Call) -> Result<Option<String>, String> {
    let namespace = property(env, "LEDGER");
    let bytes = Uint8Array::from(call.encode().as_slice());
    let answer = glue::call_ledger(&namespace, name, bytes, LEDGER_MS_MAX).await;
    answer
        .map(|answer| answer.as_string())
        .map_err(|error| error_text(&error))
}
