//! The Durable Object's SQLite as the core's storage trait.

use std::cell::RefCell;

use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::{Array, ArrayBuffer, Uint8Array};

use super::{error_text, glue, property};
use crate::json::Map;
use crate::sql::{Param, Row, Sql, SqlError, Value};

/// Statements whose texts are kept in JavaScript. There are some dozens; more
/// come with the tables of each ledger.
const TEXTS_MAX: usize = 256;

thread_local! {
    static TEXTS: RefCell<Map<String, JsValue>> = RefCell::default();
}

/// The storage of one Durable Object.
pub struct ObjectStorage {
    storage: JsValue,
    sql: JsValue,
}

impl ObjectStorage {
    /// From the object's `ctx.storage`.
    pub fn new(storage: JsValue) -> Self {
        let sql = property(&storage, "sql");
        Self { storage, sql }
    }
}

impl Sql for ObjectStorage {
    fn execute(&self, sql: &str, params: &[Param]) -> Result<(), SqlError> {
        glue::run(&self.sql, &text(sql), array(params)).map_err(sql_error)
    }

    fn query(&self, sql: &str, params: &[Param]) -> Result<Vec<Row>, SqlError> {
        let rows = glue::rows(&self.sql, &text(sql), array(params)).map_err(sql_error)?;
        rows.iter().map(|row| read(&row)).collect()
    }

    fn size(&self) -> Result<u64, SqlError> {
        let size = property(&self.sql, "databaseSize").as_f64();
        size.map(|bytes| bytes as u64)
            .ok_or_else(|| SqlError("the storage doesn't tell its size".to_owned()))
    }

    fn transaction<T>(&self, work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        let mut work = Some(work);
        let mut outcome = None;
        let committed = glue::transaction(&self.storage, &mut || {
            outcome = work.take().map(|work| work());
            matches!(outcome, Some(Ok(_)))
        });
        match (committed, outcome) {
            (Ok(()), Some(Ok(value))) => Ok(value),
            (_, Some(Err(error))) => Err(error),
            (Err(error), _) => Err(sql_error(error)),
            (Ok(()), None) => Err(SqlError("the transaction did not run".to_owned())),
        }
    }
}

/// The text of a statement as JavaScript has it. One that was used before
/// isn't translated again.
fn text(sql: &str) -> JsValue {
    TEXTS.with_borrow_mut(|texts| {
        if let Some(text) = texts.get(sql) {
            return text.clone();
        }
        if texts.len() >= TEXTS_MAX {
            texts.clear();
        }
        let text = JsValue::from_str(sql);
        texts.insert(sql.to_owned(), text.clone());
        text
    })
}

fn array(params: &[Param]) -> Array {
    params.iter().map(to_js).collect()
}

fn to_js(param: &Param) -> JsValue {
    match *param {
        Param::Null => JsValue::NULL,
        Param::Integer(value) => JsValue::from_f64(value as f64),
        Param::Text(value) => JsValue::from_str(value),
        Param::Blob(value) => Uint8Array::from(value).into(),
    }
}

fn read(row: &JsValue) -> Result<Row, SqlError> {
    let columns = row.unchecked_ref::<Array>();
    let values = columns.iter().map(from_js).collect::<Result<_, _>>()?;
    Ok(Row(values))
}

fn from_js(value: JsValue) -> Result<Value, SqlError> {
    if let Some(number) = value.as_f64() {
        Ok(Value::Integer(number as i64))
    } else if let Some(text) = value.as_string() {
        Ok(Value::Text(text))
    } else if value.is_null() {
        Ok(Value::Null)
    } else if let Some(buffer) = value.dyn_ref::<ArrayBuffer>() {
        Ok(Value::Blob(Uint8Array::new(buffer).to_vec()))
    } else {
        Err(SqlError("a value of an unknown type".to_owned()))
    }
}

fn sql_error(error: JsValue) -> SqlError {
    SqlError(error_text(&error))
}
