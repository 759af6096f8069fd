//! Calls to D1.

use wasm_bindgen::JsValue;
use worker::js_sys::{Array, Uint8Array};

use super::log::{Level, Line};
use super::{error_text, glue, property, tasks};
use crate::sql::Statement;
use crate::sql::Value;

/// Runs `statements` as one transaction.
pub async fn run(env: &JsValue, statements: &[Statement]) -> Result<(), String> {
    let ended = match start(env, statements) {
        Ok(end) => tasks::wait(&end).await,
        Err(error) => Err(error),
    };
    ended.map(drop).map_err(|error| error_text(&error))
}

/// Begins the transaction, and returns the promise of its end.
pub fn start(env: &JsValue, statements: &[Statement]) -> Result<JsValue, JsValue> {
    let statements: Array = statements.iter().map(to_js).collect();
    glue::batch(&property(env, "DB"), statements)
}

/// Runs `statement` behind the answer to a request, whose `ctx` keeps the
/// Worker up for it. A failure is only logged, as `message`.
pub fn run_behind(env: &JsValue, ctx: &JsValue, statement: Statement, message: &'static str) {
    let env = env.clone();
    tasks::start_behind(ctx, async move {
        if let Err(why) = run(&env, &[statement]).await {
            let mut line = Line::new(Level::Warn, message);
            line.reason = Some(why);
            line.write();
        }
    });
}

/// The rows of `query` as JSON, each as an array of its columns.
pub async fn select(env: &JsValue, query: &Statement) -> Result<String, String> {
    let rows = glue::select(&property(env, "DB"), to_js(query)).await;
    read(rows)
}

/// The same, and behind them a row of the kind `database` with D1's bytes. Each
/// column must have a name of its own.
pub async fn select_sized(env: &JsValue, query: &Statement) -> Result<String, String> {
    let rows = glue::select_sized(&property(env, "DB"), to_js(query)).await;
    read(rows)
}

fn read(rows: Result<JsValue, JsValue>) -> Result<String, String> {
    rows.map(|rows| rows.as_string().unwrap_or_default())
        .map_err(|error| error_text(&error))
}

/// A statement as the glue takes it: the SQL, then its parameters.
fn to_js(statement: &Statement) -> Array {
    let sql = JsValue::from_str(statement.sql);
    let params = statement.params.iter().map(|param| match param {
        Value::Null => JsValue::NULL,
        Value::Integer(value) => JsValue::from_f64(*value as f64),
        Value::Text(value) => JsValue::from_str(value),
        Value::Blob(value) => Uint8Array::from(value.as_slice()).into(),
    });
    std::iter::once(sql).chain(params).collect()
}
