//! The storage trait: all that the core asks of a database.
//!
//! The Durable Object's SQLite implements it in the Worker and rusqlite in
//! tests, so the same SQL runs in both. It is synchronous: a decision is made
//! and committed without anything in between.

use std::fmt;

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// An integer within ±2^53, the range that survives every runtime.
    Integer(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A bound parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// An integer within ±2^53.
    Integer(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Param<'_> {
    fn from(value: u64) -> Self {
        // Sequence numbers: none will ever reach 2^53.
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The database refused, or gave something other than was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError(pub String);

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// Column `at` as an integer; an error for anything else.
    pub fn integer(&self, at: usize) -> Result<i64, SqlError> {
        self.maybe_integer(at)?.ok_or_else(|| unexpected(at))
    }

    /// Column `at` as an integer, or NULL.
    pub fn maybe_integer(&self, at: usize) -> Result<Option<i64>, SqlError> {
        match self.0.get(at) {
            Some(Value::Integer(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected(at)),
        }
    }

    /// Column `at` as a sequence number or a count.
    pub fn number(&self, at: usize) -> Result<u64, SqlError> {
        u64::try_from(self.integer(at)?).map_err(|_| unexpected(at))
    }

    /// Column `at` as a sequence number, or NULL.
    pub fn maybe_number(&self, at: usize) -> Result<Option<u64>, SqlError> {
        self.maybe_integer(at)?
            .map(|value| u64::try_from(value).map_err(|_| unexpected(at)))
            .transpose()
    }

    /// Column `at` as a flag.
    pub fn flag(&self, at: usize) -> Result<bool, SqlError> {
        Ok(self.integer(at)? != 0)
    }

    /// Column `at` as text.
    pub fn text(&self, at: usize) -> Result<&str, SqlError> {
        self.maybe_text(at)?.ok_or_else(|| unexpected(at))
    }

    /// Column `at` as text, or NULL.
    pub fn maybe_text(&self, at: usize) -> Result<Option<&str>, SqlError> {
        match self.0.get(at) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected(at)),
        }
    }

    /// The first column as text, or NULL.
    pub fn into_text(self) -> Result<Option<String>, SqlError> {
        match self.0.into_iter().next() {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected(0)),
        }
    }

    /// Column `at` as bytes.
    pub fn blob(&self, at: usize) -> Result<&[u8], SqlError> {
        self.maybe_blob(at)?.ok_or_else(|| unexpected(at))
    }

    /// Column `at` as bytes, or NULL.
    pub fn maybe_blob(&self, at: usize) -> Result<Option<&[u8]>, SqlError> {
        match self.0.get(at) {
            Some(Value::Blob(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected(at)),
        }
    }
}

fn unexpected(at: usize) -> SqlError {
    SqlError(format!("column {at} is missing or of another type"))
}

/// A database with one connection. A statement that fails leaves no trace.
pub trait Sql {
    /// Runs one or more statements that give no rows; only the last may have
    /// parameters.
    fn execute(&self, sql: &str, params: &[Param]) -> Result<(), SqlError>;

    /// Runs one statement and returns its rows.
    fn query(&self, sql: &str, params: &[Param]) -> Result<Vec<Row>, SqlError>;

    /// Bytes in use.
    fn size(&self) -> Result<u64, SqlError>;

    /// Runs `work` as one transaction: all of it is kept, or, if it returns
    /// an error, none.
    fn transaction<T>(&self, work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError>;
}

/// A statement for D1, with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// SQL.
    pub sql: &'static str,
    /// What `?1`, `?2`, … stand for.
    pub params: Vec<Value>,
}
