//! What several tests need: rusqlite behind the storage trait, sources, and
//! a ledger's deliveries made by hand.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::edge::delivery::{Admitted, Delivery};
use leasewire::edge::source::{Source, Sources};
use leasewire::integration::IntegrationId;
use leasewire::ledger::replay::{Reader, Request};
use leasewire::ledger::{Call, Ledger, PackRef, Reply, Retention, Rewrite, SeqRange, Setup, Taken};
use leasewire::signature::Presented;
use leasewire::sql::Statement;
use leasewire::sql::{Param, Row, Sql, SqlError, Value};
use leasewire::time::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

const DAY_S: u64 = 86_400;

/// What makes D1's tables, in order.
pub const MIGRATIONS: [&str; 2] = [
    include_str!("../../migrations/0001_leasewire.sql"),
    include_str!("../../migrations/0002_asking.sql"),
];

/// A pack's name: its events, and the oldest rewrite among them.
pub fn named(first: u64, last: u64, rewrite: u64) -> PackRef {
    PackRef {
        events: SeqRange::new(first, last),
        rewrite: Rewrite(rewrite),
    }
}

/// SQLite in memory, with what a Durable Object's storage does: a transaction
/// that fails leaves nothing.
pub struct Database {
    pub connection: Connection,
    /// Makes the n-th statement from now fail.
    pub fails_in: Cell<Option<u32>>,
    /// Bytes that it has besides, as it says.
    pub padding: Cell<u64>,
    /// Refuses statements that would read a table whole that grows.
    pub explained: Cell<bool>,
    /// Bytes of text in the longest answer.
    pub most_read: Cell<usize>,
    /// Questions, in order.
    pub statements: RefCell<Vec<String>>,
    /// How many statements there were, questions included.
    pub count: Cell<u64>,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            connection: Connection::open_in_memory().unwrap(),
            fails_in: Cell::new(None),
            padding: Cell::new(0),
            explained: Cell::new(false),
            most_read: Cell::new(0),
            statements: RefCell::default(),
            count: Cell::new(0),
        }
    }
}

impl Database {
    fn fail_if_due(&self) -> Result<(), SqlError> {
        self.count.set(self.count.get() + 1);
        match self.fails_in.get() {
            Some(0) => {
                self.fails_in.set(None);
                Err(SqlError("the disk is on fire".to_owned()))
            }
            Some(n) => {
                self.fails_in.set(Some(n - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn explain(&self, sql: &str) {
        // The last row alone is no scan, though it is called one.
        let is_last_row = !sql.contains("WHERE") && sql.ends_with("DESC LIMIT 1");
        if !self.explained.get() || is_last_row {
            return;
        }
        let mut plan = self
            .connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let bound = vec![rusqlite::types::Null; plan.parameter_count()];
        let steps = plan
            .query_map(params_from_iter(bound), |row| row.get(3))
            .unwrap();
        for step in steps {
            let step: String = step.unwrap();
            let grows = ["events_", "records", "large", "e "];
            let scans = grows
                .iter()
                .any(|name| step.starts_with(&format!("SCAN {name}")));
            assert!(!scans, "{step}: {sql}");
            // Among the many in the log, few are quarantined.
            let looks = sql.starts_with("SELECT") && sql.contains("AND quarantine IS NOT NULL");
            let uses_index = step.contains("_quarantined ");
            assert!(!looks || uses_index, "{step}: {sql}");
        }
    }

    /// Makes D1's tables.
    pub fn migrate(&self) {
        for step in MIGRATIONS {
            self.connection.execute_batch(step).unwrap();
        }
    }

    /// Runs a statement that is meant for D1.
    pub fn run(&self, statement: &Statement) {
        self.execute(statement.sql, &params(statement)).unwrap();
    }

    /// The same; gives the rows that it wrote.
    pub fn written_by(&self, statement: &Statement) -> u64 {
        let before = self.connection.total_changes();
        self.run(statement);
        self.connection.total_changes() - before
    }

    /// The rows of a statement that is meant for D1, as the shell gives them.
    pub fn select(&self, statement: &Statement) -> String {
        let rows = self.query(statement.sql, &params(statement)).unwrap();
        let rows: Vec<Vec<serde_json::Value>> = rows
            .iter()
            .map(|row| row.0.iter().map(json_of).collect())
            .collect();
        serde_json::to_string(&rows).unwrap()
    }

    /// All rows of a statement, each as its columns joined by `|`.
    pub fn dump(&self, sql: &str) -> Vec<String> {
        let rows = (&self).query(sql, &[]).unwrap();
        rows.iter()
            .map(|row| {
                let columns: Vec<_> = row.0.iter().map(show).collect();
                columns.join("|")
            })
            .collect()
    }
}

impl Database {
    /// `columns` of all events, in order.
    pub fn events(&self, columns: &str) -> Vec<String> {
        let names = "SELECT name FROM sqlite_master
                     WHERE type = 'table' AND name LIKE 'events!_%' ESCAPE '!'
                     ORDER BY CAST(substr(name, 8) AS INTEGER)";
        let segments = self.dump(names).into_iter();
        let rows = segments
            .flat_map(|name| self.dump(&format!("SELECT {columns} FROM {name} ORDER BY seq")));
        rows.collect()
    }
}

pub fn params(statement: &Statement) -> Vec<Param<'_>> {
    let params = statement.params.iter().map(|value| match value {
        Value::Null => Param::Null,
        Value::Integer(number) => Param::Integer(*number),
        Value::Text(text) => Param::Text(text),
        Value::Blob(bytes) => Param::Blob(bytes),
    });
    params.collect()
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Blob(_) => panic!("D1 has no blobs here"),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
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

fn sql_error(error: rusqlite::Error) -> SqlError {
    SqlError(error.to_string())
}

impl Sql for &Database {
    fn execute(&self, sql: &str, params: &[Param]) -> Result<(), SqlError> {
        self.fail_if_due()?;
        if params.is_empty() {
            return self.connection.execute_batch(sql).map_err(sql_error);
        }
        self.explain(sql);
        self.connection
            .execute(sql, params_from_iter(params.iter().map(Bound)))
            .map(|_| ())
            .map_err(sql_error)
    }

    fn query(&self, sql: &str, params: &[Param]) -> Result<Vec<Row>, SqlError> {
        self.fail_if_due()?;
        self.explain(sql);
        self.statements.borrow_mut().push(sql.to_owned());
        let mut statement = self.connection.prepare_cached(sql).map_err(sql_error)?;
        let width = statement.column_count();
        let mut rows = statement
            .query(params_from_iter(params.iter().map(Bound)))
            .map_err(sql_error)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(sql_error)? {
            let columns = (0..width).map(|at| match row.get_ref(at).unwrap() {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Text(text) => Value::Text(String::from_utf8(text.to_vec()).unwrap()),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                ValueRef::Real(_) => panic!("nothing here is a fraction"),
            });
            found.push(Row(columns.collect()));
        }
        let length = |value: &Value| match value {
            Value::Text(text) => text.len(),
            _ => 0,
        };
        let read = found.iter().flat_map(|row: &Row| &row.0).map(length).sum();
        self.most_read.set(self.most_read.get().max(read));
        Ok(found)
    }

    fn size(&self) -> Result<u64, SqlError> {
        // As the platform counts: what is free is not in use.
        let pages = "SELECT (page_count - freelist_count) * page_size
                     FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let bytes: i64 = self
            .connection
            .query_row(pages, [], |row| row.get(0))
            .unwrap();
        Ok(bytes as u64 + self.padding.get())
    }

    fn transaction<T>(&self, work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        self.connection.execute_batch("BEGIN").map_err(sql_error)?;
        let outcome = work();
        let end = if outcome.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        self.connection.execute_batch(end).map_err(sql_error)?;
        outcome
    }
}

/// A source of `dialect` with defaults, named like it.
pub fn source(dialect: &str) -> Source {
    let json = format!(r#"{{"{dialect}":{{"dialect":"{dialect}","secret":"SECRET"}}}}"#);
    let sources = Sources::parse(&json).unwrap();
    sources.named(dialect).unwrap().clone().unwrap()
}

/// What a ledger with such a `filter` answers to what an API has said, as it
/// crosses both ways.
pub fn ask(ledger: &mut Ledger<&Database>, call: &Call, filter: &Filter, now: Timestamp) -> String {
    let mut call = Call::decode(call.encode()).unwrap();
    call.set_up(|source| {
        assert_eq!(source, "propexo");
        Setup {
            dialect: dialect::named("propexo"),
            filter: Rc::new(filter.clone()),
            retention: Retention::new(30 * DAY_S, 2 * DAY_S),
            api: None,
        }
    });
    match ledger.answer(call, now).unwrap() {
        Reply::Json(answer) => answer,
        other => panic!("no answer, but {other:?}"),
    }
}

/// A delivery as the edge hands it over, without the signature, which other
/// tests are about.
pub fn delivery(dialect: &str, integration: &str, body: &str) -> Delivery {
    let reader = dialect::named(dialect).unwrap();
    let reading = dialect::read(reader, body.as_bytes(), at("2100-01-01T00:00:00Z"));
    Delivery {
        of: IntegrationId::new(dialect, integration),
        dialect: reader,
        key: reading.identity.key(body.as_bytes()),
        dedupe_window_s: source(dialect).dedupe_window_s,
        filter: std::rc::Rc::default(),
        body: body.as_bytes().to_vec(),
    }
}

/// Verifies and addresses a request.
pub fn admit(
    source: &Source,
    secret: &str,
    presented: Presented,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<Admitted, leasewire::signature::Unauthorized> {
    leasewire::edge::delivery::admit(source, &[secret], presented, body, now)
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A body of Propexo about a job: an event about no record.
pub fn job(id: u32) -> String {
    format!(r#"{{"event":"JOB_SUCCESS","job_id":"j{id}"}}"#)
}

/// A body of Propexo: a record whose fields go from one JSON object to another.
pub fn diff(model: &str, record: &str, previous: &str, new: &str) -> String {
    format!(
        r#"{{"meta":{{"object":"{model}"}},"record_id":"{record}","diff":{{"previous":{previous},"new":{new}}}}}"#
    )
}

/// Takes in what Propexo sends.
pub fn take(ledger: &mut Ledger<&Database>, body: &str, now: Timestamp) -> Taken {
    let delivery = delivery("propexo", "i", body);
    ledger.intake(&delivery, now).unwrap()
}

/// What is unsent, as messages, taken for sent.
pub fn send(ledger: &mut Ledger<&Database>, now: Timestamp) -> Vec<String> {
    let mut packs = Vec::new();
    while ledger.has_unsent() {
        let batch = ledger.next_batch().unwrap();
        packs.extend(batch.packs.into_iter().map(|pack| pack.text));
        ledger.sent(batch.through, now);
    }
    packs
}

/// A replay of all events from one number to another.
pub fn range(from: u64, to: u64) -> Request {
    Request {
        from,
        to,
        models: None,
        events: None,
    }
}

/// Works off the replays that were asked for, with a filter that lets everything in.
pub fn finish_replay(ledger: &mut Ledger<&Database>, dialect: &str, now: Timestamp) {
    let reader = Reader {
        dialect: dialect::named(dialect).unwrap(),
        filter: &Filter::default(),
    };
    while ledger.has_replay() {
        ledger.replay(&reader, now).unwrap();
    }
}

/// The numbers called `name` in an answer.
pub fn numbers(json: &str, name: &str) -> Vec<u64> {
    let name = format!(r#""{name}":"#);
    let parts = json.split(&name).skip(1);
    let digits = parts.map(|rest| rest.split([',', '}']).next().unwrap_or_default());
    digits.map(|digits| digits.parse().unwrap()).collect()
}
