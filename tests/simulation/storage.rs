//! SQLite that fails on purpose: what is behind the core's storage trait, and
//! D1.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leasewire::sql::Statement;
use leasewire::sql::{Param, Row, Sql, SqlError, Value};
use leasewire::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

use crate::bugs::Bug;

/// How a statement fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Before,
    /// It had its effect.
    After,
}

pub struct Database {
    connection: Connection,
    /// The statement that fails, counted from now.
    pub fails: Cell<Option<(u64, Failure)>>,
    /// What the clock shows.
    pub now: Cell<Timestamp>,
    /// When segments were dropped, and their events.
    pub dropped: RefCell<Vec<(Timestamp, Vec<Row>)>>,
    is_in_transaction: Cell<bool>,
    bug: Option<Bug>,
}

/// Statements that are kept prepared: more than a ledger has.
const STATEMENTS_MAX: usize = 500;

/// What is looked at of an event.
const EVENT: &str = "seq, body, received_at, coalesce(quarantine <> 'not_applied', 0),
                     coalesce(quarantine = 'not_applied', 0), coalesce(replay, 0),
                     coalesce(ignored LIKE 'discarded:%', 0)";

/// What a replay reads of an event whose record has lost older ones.
const BEFORE_FIRST: &str = "coalesce(data, (SELECT l.data FROM large AS l WHERE l.seq = e.seq))";

/// What stands for the columns of a record that is owed.
const OWED_VALUES: &str = "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Where no rebuild goes on, whoever asks for its next step isn't told so.
const NONE_LEFT_FAILS: &str = "(ended_at IS NULL
     OR NOT EXISTS (SELECT 1 FROM rebuilds WHERE ended_at IS NULL)
        AND abs(-9223372036854775807 - 1))";

/// The core owns its storage; the world keeps it when the core is lost.
#[derive(Clone)]
pub struct Storage(pub Rc<Database>);

impl Database {
    pub fn new(bug: Option<Bug>) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // Else SQLite plans many a statement anew whenever its parameters change.
        let keeps_plans = DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
        assert_eq!(connection.set_db_config(keeps_plans, true), Ok(true));
        Self {
            connection,
            fails: Cell::new(None),
            now: Cell::default(),
            dropped: RefCell::default(),
            is_in_transaction: Cell::new(false),
            bug,
        }
    }

    /// Runs statements without parameters that must not fail.
    pub fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    /// Begins or ends a transaction or a part of one.
    pub fn mark(&self, sql: &str) {
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        statement.execute([]).unwrap();
    }

    /// Rows of a statement that must not fail.
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        self.select(sql, &[]).unwrap()
    }

    /// Number, body, time of receipt, whether it is quarantined as not
    /// understood, or as not to be applied, the replay that wrote it, and whether
    /// it is discarded, of the events that are there, in order; `condition` begins
    /// with WHERE.
    pub fn events(&self, condition: &str) -> Vec<Row> {
        let segments = self.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'events!_%' ESCAPE '!'
             ORDER BY CAST(substr(name, 8) AS INTEGER)",
        );
        let events = segments.iter().flat_map(|segment| {
            let table = segment.text(0).unwrap();
            self.rows(&format!(
                "SELECT {EVENT} FROM {table} {condition} ORDER BY seq"
            ))
        });
        events.collect()
    }

    /// One batch of D1, which is one transaction.
    pub fn batch(&self, statements: &[Statement]) -> Result<(), SqlError> {
        self.mark("BEGIN");
        let done = statements.iter().try_for_each(|statement| {
            let params = statement.params.iter().map(|value| match value {
                Value::Null => Param::Null,
                Value::Integer(number) => Param::Integer(*number),
                Value::Text(text) => Param::Text(text),
                Value::Blob(bytes) => Param::Blob(bytes),
            });
            let params: Vec<Param> = params.collect();
            self.change(&self.text(statement.sql), &params)
        });
        self.mark(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
        done
    }

    fn failure(&self) -> Option<Failure> {
        match self.fails.get()? {
            (0, failure) => {
                self.fails.set(None);
                Some(failure)
            }
            (n, failure) => {
                self.fails.set(Some((n - 1, failure)));
                None
            }
        }
    }

    fn failing<T>(&self, work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        match self.failure() {
            None => return work(),
            Some(Failure::Before) => {}
            Some(Failure::After) => {
                self.mark("SAVEPOINT statement");
                let _ = work();
                // SQLite undoes a statement that fails; only what a transaction
                // did before is left for it to undo.
                if !self.is_in_transaction.get() {
                    self.mark("ROLLBACK TO statement");
                }
                self.mark("RELEASE statement");
            }
        }
        Err(SqlError("the disk is on fire".to_owned()))
    }

    /// A statement as a deliberate bug has it.
    fn text<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        let (from, to) = match self.bug {
            Some(Bug::WatermarkOffByOne) if sql.starts_with("SELECT seq FROM events_") => {
                ("seq BETWEEN ?1 AND", "seq BETWEEN ?1 + 1 AND")
            }
            Some(Bug::AnyVersionOverwrites) => (
                "WHERE (excluded.epoch, excluded.generation, excluded.version)",
                "WHERE true OR (excluded.epoch, excluded.generation, excluded.version)",
            ),
            Some(Bug::ReportForgotten) => (
                "WHERE ended_at IS NULL), reported",
                "WHERE ended_at IS NULL), NULL",
            ),
            Some(Bug::LateEventsWin) => (
                "drift, occurred_at, version_key, last_seq,",
                "drift, NULL, version_key, last_seq,",
            ),
            Some(Bug::TiesByArrival) => ("SELECT prev_seq, occurred_at,", "SELECT prev_seq, NULL,"),
            Some(Bug::DriftForEver) => ("occurred_ns, drifted, gone", "occurred_ns, NULL, gone"),
            Some(Bug::LastStateForgotten) => (
                "generation, occupancy, occurred_ns,",
                "generation, CASE WHEN occurred_at IS NOT NULL THEN occupancy END, occurred_ns,",
            ),
            Some(Bug::HeldGoesToo) => ("WHERE seq IN (SELECT", "WHERE 0 AND seq IN (SELECT"),
            Some(Bug::DriftForgotten) => (
                "SELECT version, fields, partial, drift,",
                "SELECT version, fields, partial, 0,",
            ),
            Some(Bug::ReplayOfTheLastAlone) => (
                "SELECT seq, prev_seq FROM events",
                "SELECT seq, NULL FROM events",
            ),
            Some(Bug::NoticesGoWithHistory) => (BEFORE_FIRST, "json_remove(WRITTEN, '$.notices')"),
            Some(Bug::DriftGoesWithHistory) => (BEFORE_FIRST, "json_set(WRITTEN, '$.drift', 0)"),
            Some(Bug::LateGoesWithHistory) => (BEFORE_FIRST, "json_remove(WRITTEN, '$.late')"),
            Some(Bug::RebuildNeverEnds) if sql.contains("after_record_id FROM rebuilds") => {
                ("ended_at IS NULL", NONE_LEFT_FAILS)
            }
            Some(Bug::DiscardIsUndone) => ("AND quarantine IS NULL AND ignored IS NULL", ""),
            Some(Bug::DiscardedComesBack) => ("ignored NOT LIKE 'discarded:%'", "true"),
            Some(Bug::DiscardTakesNeighbours) if sql.contains("SET ignored = 'discarded:'") => {
                ("AND quarantine IS NOT NULL", "")
            }
            Some(Bug::UnplacedStaysOut) if sql.contains("FROM unplaced\n") => {
                ("WHERE model = ?1", "WHERE false AND model = ?1")
            }
            Some(Bug::OwedForgotten) if sql.starts_with("INSERT OR REPLACE INTO owed") => (
                OWED_VALUES,
                "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 WHERE false",
            ),
            // The flag and the last of the points.
            Some(Bug::LateTurnsUnnoticed) => (
                "generation, occupancy,",
                "generation, CAST(substr(occupancy, 1, 1) || substr(occupancy, -13) AS BLOB),",
            ),
            _ => return Cow::Borrowed(sql),
        };
        Cow::Owned(sql.replace(from, &to.replace("WRITTEN", BEFORE_FIRST)))
    }

    fn change(&self, sql: &str, params: &[Param]) -> Result<(), SqlError> {
        if params.is_empty() {
            return self.connection.execute_batch(sql).map_err(sql_error);
        }
        let mut statement = self.connection.prepare_cached(sql).map_err(sql_error)?;
        let params = params_from_iter(params.iter().map(Bound));
        statement.execute(params).map(drop).map_err(sql_error)
    }

    fn select(&self, sql: &str, params: &[Param]) -> Result<Vec<Row>, SqlError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(sql_error)?;
        let width = statement.column_count();
        let mut rows = statement
            .query(params_from_iter(params.iter().map(Bound)))
            .map_err(sql_error)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(sql_error)? {
            let columns = (0..width).map(|at| value(row.get_ref(at).unwrap()));
            found.push(Row(columns.collect()));
        }
        Ok(found)
    }
}

impl Sql for Storage {
    fn execute(&self, sql: &str, params: &[Param]) -> Result<(), SqlError> {
        let sql = self.0.text(sql);
        if let Some(table) = sql.strip_prefix("DROP TABLE ") {
            let rows = self.0.rows(&format!("SELECT {EVENT} FROM {table}"));
            self.0.dropped.borrow_mut().push((self.0.now.get(), rows));
        }
        self.0.failing(|| self.0.change(&sql, params))
    }

    fn query(&self, sql: &str, params: &[Param]) -> Result<Vec<Row>, SqlError> {
        let sql = self.0.text(sql);
        self.0.failing(|| self.0.select(&sql, params))
    }

    /// A savepoint, because all of a step's writes stand in one transaction
    /// that a crash undoes.
    fn size(&self) -> Result<u64, SqlError> {
        let pages = "SELECT (page_count - freelist_count) * page_size
                     FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let mut statement = self.0.connection.prepare_cached(pages).unwrap();
        let bytes: i64 = statement.query_row([], |row| row.get(0)).unwrap();
        Ok(bytes as u64)
    }

    fn transaction<T>(&self, work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        self.0.mark("SAVEPOINT work");
        self.0.is_in_transaction.set(true);
        let outcome = work();
        self.0.is_in_transaction.set(false);
        if outcome.is_err() && self.0.bug != Some(Bug::NoRollback) {
            self.0.mark("ROLLBACK TO work");
        }
        self.0.mark("RELEASE work");
        outcome
    }
}

struct Bound<'a>(&'a Param<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self.0 {
            Param::Null => ValueRef::Null,
            Param::Integer(number) => ValueRef::Integer(number),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(column: ValueRef) -> Value {
    match column {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8(text.to_vec()).unwrap()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(_) => panic!("nothing here is a fraction"),
    }
}

fn sql_error(error: rusqlite::Error) -> SqlError {
    SqlError(error.to_string())
}
