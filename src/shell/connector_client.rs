//! Calls to connectors from outside their objects.

use wasm_bindgen::JsValue;
use worker::js_sys::Array;

use super::{environment, error_text, glue, property};
use crate::connector::{Call, Direct, DirectAnswer, name};
use crate::ledger::Owed;

/// How long a connector may take to answer, in milliseconds: it writes some
/// hundreds of rows at the most.
const CONNECTOR_MS_MAX: u32 = 10_000;

/// How long one may take that asks the provider, which may take 15 s.
const DIRECT_MS_MAX: u32 = 20_000;

/// Makes a request through the connector of its source; `None` if the source has
/// no API.
pub async fn ask_directly(env: &JsValue, direct: &Direct) -> Result<Option<DirectAnswer>, String> {
    let Some(api) = environment::api(env, &direct.source) else {
        return Ok(None);
    };
    let calls = Array::of1(&direct.encode().into());
    let namespace = property(env, "CONNECTOR");
    let answers = glue::call_connector(&namespace, &name(&api), calls, DIRECT_MS_MAX).await;
    let answer = answers.map_err(|error| error_text(&error))?.get(0);
    let answer = answer
        .as_string()
        .and_then(|text| DirectAnswer::decode(&text));
    answer.map(Some).ok_or_else(|| "no answer".to_owned())
}

/// Tells the connector of a ledger's source what is owed.
pub async fn tell(env: &JsValue, owed: &Owed) -> Result<(), String> {
    let answer = ask(env, &owed.of.source, &Call::Told(owed.clone())).await?;
    answer
        .map(drop)
        .ok_or_else(|| "the source has no API".to_owned())
}

/// Asks the connector of a source; `None` if the source has no API.
pub async fn ask(env: &JsValue, source: &str, call: &Call) -> Result<Option<String>, String> {
    let Some(api) = environment::api(env, source) else {
        return Ok(None);
    };
    let calls = Array::of1(&call.encode().into());
    let namespace = property(env, "CONNECTOR");
    let answers = glue::call_connector(&namespace, &name(&api), calls, CONNECTOR_MS_MAX).await;
    let answers = answers.map_err(|error| error_text(&error))?;
    Ok(answers.get(0).as_string())
}
