//! Records into D1.
//!
//! A pack becomes one batch of statements, which is one transaction. Only a
//! newer version overwrites a row, so packs may come twice, late, in parts or
//! in any order. Of several events about one record only the newest is
//! written.

mod apart;
mod bisect;
mod budget;
mod consumer;
mod fault;
mod notices;
mod pack;
mod queues;
mod rebuild;
mod together;
mod verdict;

use std::borrow::Cow;
use std::fmt;

pub use apart::{Apart, Message, Step};
pub use bisect::{Bisect, GUILTY_ATTEMPT, ROUNDS, Task};
pub use budget::{Budget, QUERIES_MAX, TOGETHER_QUERIES_MAX};
pub use consumer::{Action, Consumer, Guilty, PackReport, Settled};
pub use fault::Fault;
use notices::Notices;
pub use pack::Pack;
pub use queues::is_dead_letter_queue;
pub use rebuild::{RebuildStep, rebuilt};
pub use together::{Read, Together};
pub use verdict::{ATTEMPTS_MAX, NOBODYS_ATTEMPTS, Verdict};

use crate::integration::IntegrationId;
use crate::json::{self, Map, Writer};
use crate::ledger::{Announcement, PackRef, Report};
use crate::sql::{Statement, Value};
use crate::time::Timestamp;

/// The epoch of what is written, where `$stated` doesn't tell it: packs of
/// 0.1.0 are of the epoch that the integration has.
macro_rules! epoch {
    ($stated:literal) => {
        concat!(
            "coalesce(",
            $stated,
            ", (SELECT epoch FROM integrations WHERE source = ?1 AND integration = ?2), 0)"
        )
    };
}

/// What becomes of a record that there is: only a newer state overwrites it.
macro_rules! if_newer {
    ($occurred_at:literal) => {
        concat!(
            " ON CONFLICT (source, integration, model, record_id) DO UPDATE SET
                version = excluded.version, fields = excluded.fields, partial = excluded.partial,
                drift = excluded.drift, gone_since = excluded.gone_since, occurred_at = ",
            $occurred_at,
            ", generation = excluded.generation, epoch = excluded.epoch,
                updated_at = excluded.updated_at
              WHERE (excluded.epoch, excluded.generation, excluded.version)
                    > (records.epoch, records.generation, records.version)"
        )
    };
}

/// All records of a pack at once: `?3` is a JSON object of their fields, by
/// names as [`Row::name`] makes them. SQLite takes an object apart once; what is
/// in an array within an array, it would read again for each of its columns.
/// It gives the fields back as they came, but for white space.
macro_rules! upsert_records {
    ($occurred_at:literal) => {
        concat!(
    "INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift,
                          occurred_at, generation, updated_at, gone_since, epoch)
     SELECT ?1, ?2, substr(key, 107, substr(key, 103, 4) + 0),
            substr(key, 107 + substr(key, 103, 4)),
            CAST(substr(key, 1, 20) AS INTEGER), value, substr(key, 41, 1) + 0,
            substr(key, 42, 1) + 0, substr(key, 43, 30),
            CAST(substr(key, 21, 20) AS INTEGER), ?4, nullif(trim(substr(key, 73, 30)), ''), ",
    epoch!("?5"),
    " FROM json_each(?3) WHERE true",
    if_newer!($occurred_at)
        )
    };
}
use {epoch, if_newer, upsert_records};

const UPSERT_RECORDS: &str = upsert_records!("excluded.occurred_at");

/// One record too large to travel within a JSON parameter.
const UPSERT_RECORD: &str = concat!(
    "INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift,
                          occurred_at, generation, updated_at, gone_since, epoch)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ",
    epoch!("?13"),
    ")",
    if_newer!("excluded.occurred_at")
);

/// Of a greater epoch, all of the row is new. Of 0 bytes nothing is known.
const UPSERT_INTEGRATION: &str = concat!(
    "INSERT INTO integrations (source, integration, last_seq, first_synced_at, last_synced_at,
                               last_event_at, epoch, bytes)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ",
    epoch!("?7"),
    ", ?8)
     ON CONFLICT (source, integration) DO UPDATE SET
       last_seq = iif(excluded.epoch > epoch, excluded.last_seq,
                      max(last_seq, excluded.last_seq)),
       first_synced_at = iif(excluded.epoch > epoch OR first_synced_at IS NULL
                             OR excluded.first_synced_at < first_synced_at,
                             excluded.first_synced_at, first_synced_at),
       last_synced_at = iif(excluded.epoch > epoch OR last_synced_at IS NULL
                            OR excluded.last_synced_at > last_synced_at,
                            excluded.last_synced_at, last_synced_at),
       last_event_at = iif(excluded.epoch > epoch OR last_event_at IS NULL
                           OR excluded.last_event_at > last_event_at,
                           excluded.last_event_at, last_event_at),
       reported_at = iif(excluded.epoch > epoch, NULL, reported_at),
       bytes = iif(excluded.bytes > 0, excluded.bytes, bytes),
       epoch = max(epoch, excluded.epoch)
     WHERE excluded.epoch > epoch OR excluded.epoch = epoch AND (
       excluded.last_seq > last_seq
         OR (first_synced_at IS NULL AND excluded.first_synced_at IS NOT NULL)
         OR excluded.first_synced_at < first_synced_at
         OR excluded.last_synced_at > last_synced_at
         OR excluded.bytes > 0 AND bytes = 0)"
);

/// What a probe has written goes again in the same batch. No model has an
/// empty name.
const DELETE_PROBE: &str = "
    DELETE FROM records
    WHERE source = ?1 AND integration = ?2 AND model = '' AND record_id = ''";

/// Bytes of a probe's row at the most: no row has more than 2,000,000.
const PROBE_BYTES_MAX: usize = 1_900_000;

/// A message that is not a pack, or an event in it that can't be read: why,
/// for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a pack does to D1.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection<'a> {
    /// Whose they are.
    pub of: IntegrationId,
    /// The pack, as its ledger knows it.
    pub pack: PackRef,
    /// The epoch of its events; `None` if they don't say it.
    epoch: Option<u64>,
    /// The newest version of each record in the pack.
    records: Map<Key<'a>, Row<'a>>,
    /// Events that travel without their record, with their time: the ledger
    /// has it.
    missing: Vec<(u64, Timestamp)>,
    synced_at: Option<(Timestamp, Timestamp)>,
    notices: Notices,
}

/// A record's model and id.
type Key<'a> = (Cow<'a, str>, Cow<'a, str>);

#[derive(Debug, Clone, PartialEq)]
struct Row<'a> {
    generation: u64,
    version: u64,
    fields: &'a str,
    partial: bool,
    drift: bool,
    occurred_at: Timestamp,
    gone_since: Option<Timestamp>,
    large: bool,
}

impl Row<'_> {
    /// All but its fields, each column as wide as it may get: version,
    /// generation, partial, drift, time, since when it is gone, letters of the
    /// model; then model and id.
    fn name(&self, model: &str, id: &str) -> String {
        format!(
            "{:020}{:020}{}{}{:30}{:30}{:04}{model}{id}",
            self.version,
            self.generation,
            u8::from(self.partial),
            u8::from(self.drift),
            self.occurred_at.to_string(),
            self.gone_since.map(|at| at.to_string()).unwrap_or_default(),
            model.chars().count(),
        )
    }
}

/// The data of an event about a record.
struct Data<'a> {
    model: Cow<'a, str>,
    record_id: Cow<'a, str>,
    record: &'a json::Value,
    version: u64,
    partial: bool,
    drift: bool,
    late: bool,
    generation: u64,
    gone_since: Option<Timestamp>,
    /// Kinds of the notices that it gives.
    notices: Option<&'a json::Value>,
    /// Their times.
    notices_at: Option<&'a json::Value>,
    /// All notices of the record that hold, from a replay.
    noticed: Option<&'a json::Value>,
}

impl<'a> Data<'a> {
    const FIELDS: [&'static str; 12] = [
        "model",
        "record_id",
        "record",
        "version",
        "partial",
        "drift",
        "late",
        "generation",
        "gone_since",
        "notices",
        "notices_at",
        "noticed",
    ];

    fn read(text: &'a str) -> Option<Self> {
        let [
            model,
            record_id,
            record,
            version,
            partial,
            drift,
            late,
            replay,
            gone_since,
            notices,
            notices_at,
            noticed,
        ] = json::pick(text, &Self::FIELDS)?;
        Some(Self {
            model: json::text(model?)?,
            record_id: json::text(record_id?)?,
            record: record.filter(|record| record.get().starts_with('{'))?,
            version: json::number(version?)?,
            partial: json::flag(partial?)?,
            drift: json::flag(drift?)?,
            late: json::flag(late?)?,
            generation: generation(replay)?,
            gone_since: match gone_since {
                Some(since) => Some(Timestamp::parse(&json::text(since)?)?),
                None => None,
            },
            notices,
            notices_at,
            noticed,
        })
    }
}

/// The replay that wrote an event, or a record anew; 0 if none did.
fn generation(stated: Option<&json::Value>) -> Option<u64> {
    stated.map_or(Some(0), json::number)
}

impl<'a> Projection<'a> {
    /// Reads a pack of which every event can be read.
    pub fn read(text: &'a str) -> Result<Self, Unreadable> {
        let pack = Pack::read(text)?;
        pack.part(text, &pack.all())
    }

    fn add_record(
        &mut self,
        seq: u64,
        data: &'a str,
        time: Timestamp,
        large: bool,
    ) -> Result<(), Unreadable> {
        let unreadable = || Unreadable("data that is no record's".to_owned());
        let data = Data::read(data).ok_or_else(unreadable)?;
        self.notices.add(seq, &data)?;
        // A late event changed nothing; what it carries is another event's.
        if data.late {
            return Ok(());
        }
        let key = (data.model, data.record_id);
        if self
            .records
            .get(&key)
            .is_some_and(|row| (row.generation, row.version) >= (data.generation, data.version))
        {
            return Ok(());
        }
        self.records.insert(
            key,
            Row {
                generation: data.generation,
                version: data.version,
                fields: data.record.get(),
                partial: data.partial,
                drift: data.drift,
                occurred_at: time,
                gone_since: data.gone_since,
                large,
            },
        );
        Ok(())
    }

    /// Numbers of the events whose data the ledger must be asked for.
    pub fn missing(&self) -> Vec<u64> {
        self.missing.iter().map(|(seq, _)| *seq).collect()
    }

    /// Adds the whole data of the event `seq`.
    pub fn supply(&mut self, seq: u64, data: &'a str) -> Result<(), Unreadable> {
        match self.missing.iter().position(|(of, _)| *of == seq) {
            Some(at) => {
                let (_, time) = self.missing.remove(at);
                self.add_record(seq, data, time, true)
            }
            None => Ok(()),
        }
    }

    /// The batch that applies the pack. `sent_at` is when it was handed to
    /// the queue, right after its last event was received.
    pub fn statements(&self, sent_at: Timestamp, now: Timestamp) -> Vec<Statement> {
        let mut statements = vec![self.integration_row(sent_at)];
        let small: Vec<_> = self.records.iter().filter(|(_, row)| !row.large).collect();
        if !small.is_empty() {
            statements.push(self.many(&small, now));
        }
        for (key, row) in self.records.iter().filter(|(_, row)| row.large) {
            statements.push(self.one(key, row, now));
        }
        statements.extend(self.notices.statements(self));
        statements
    }

    /// The integration's row, and a record's of so many bytes that comes and
    /// goes.
    fn probe(&self, bytes: usize, sent_at: Timestamp, now: Timestamp) -> Vec<Statement> {
        let name = Key::default();
        let bytes = bytes.min(PROBE_BYTES_MAX);
        let fields = Writer::default().text("", &"x".repeat(bytes)).end();
        let row = Row {
            generation: 0,
            version: 0,
            fields: &fields,
            partial: true,
            drift: false,
            occurred_at: now,
            gone_since: None,
            large: false,
        };
        let mut statements = vec![
            self.integration_row(sent_at),
            self.many(&[(&name, &row)], now),
            Statement {
                sql: DELETE_PROBE,
                params: vec![text(&self.of.source), text(&self.of.integration)],
            },
        ];
        statements.extend(notices::probe(self));
        statements
    }

    fn many(&self, rows: &[(&Key, &Row)], now: Timestamp) -> Statement {
        let field = |json: Writer, ((model, id), row): &(&Key, &Row)| {
            json.field(&row.name(model, id), &[row.fields])
        };
        let records = rows.iter().fold(Writer::default(), field).end();
        Statement {
            sql: UPSERT_RECORDS,
            params: vec![
                text(&self.of.source),
                text(&self.of.integration),
                Value::Text(records),
                text(now),
                maybe_integer(self.epoch),
            ],
        }
    }

    fn one(&self, (model, id): &Key, row: &Row, now: Timestamp) -> Statement {
        Statement {
            sql: UPSERT_RECORD,
            params: vec![
                text(&self.of.source),
                text(&self.of.integration),
                text(model),
                text(id),
                integer(row.version),
                text(row.fields),
                integer(u64::from(row.partial)),
                integer(u64::from(row.drift)),
                text(row.occurred_at),
                integer(row.generation),
                text(now),
                maybe_text(row.gone_since),
                maybe_integer(self.epoch),
            ],
        }
    }

    fn integration_row(&self, sent_at: Timestamp) -> Statement {
        let synced_at = self.synced_at.unzip();
        Statement {
            sql: UPSERT_INTEGRATION,
            params: vec![
                text(&self.of.source),
                text(&self.of.integration),
                integer(self.pack.events.last),
                maybe_text(synced_at.0),
                maybe_text(synced_at.1),
                text(sent_at),
                maybe_integer(self.epoch),
                integer(0),
            ],
        }
    }
}

/// A ledger's report. One that comes late doesn't overwrite a later one, nor
/// one of another epoch.
const UPDATE_REPORT: &str = "
    UPDATE integrations SET pending = ?3, unconfirmed = ?4, dead = ?5, quarantined = ?6,
                            oldest_unconfirmed_at = ?7, reported_at = ?8, bytes = ?10
    WHERE source = ?1 AND integration = ?2 AND epoch = ?9
      AND (reported_at IS NULL OR ?8 > reported_at)";

/// The batch by which a ledger makes itself known: its row in `integrations`,
/// exact also where the last events were quarantined, with its size, and its
/// report if it has one.
pub fn announcement(told: &Announcement) -> Vec<Statement> {
    let row = announced_row(told);
    let report = told.report.as_ref();
    let report = report.map(|report| report_row(told, report));
    std::iter::once(row).chain(report).collect()
}

fn report_row(told: &Announcement, report: &Report) -> Statement {
    let numbers = &report.numbers;
    Statement {
        sql: UPDATE_REPORT,
        params: vec![
            text(&told.state.of.source),
            text(&told.state.of.integration),
            integer(numbers.pending),
            integer(numbers.unconfirmed),
            integer(numbers.dead),
            integer(numbers.quarantined),
            maybe_text(numbers.oldest_unconfirmed_at),
            text(report.at),
            integer(told.state.epoch),
            integer(report.bytes),
        ],
    }
}

fn announced_row(told: &Announcement) -> Statement {
    let state = &told.state;
    Statement {
        sql: UPSERT_INTEGRATION,
        params: vec![
            text(&state.of.source),
            text(&state.of.integration),
            integer(state.last_seq),
            maybe_text(state.first_synced_at),
            maybe_text(state.last_synced_at),
            maybe_text(state.last_event_at),
            integer(state.epoch),
            integer(state.bytes),
        ],
    }
}

fn text(value: impl fmt::Display) -> Value {
    Value::Text(value.to_string())
}

fn maybe_text(value: Option<impl fmt::Display>) -> Value {
    value.map_or(Value::Null, text)
}

fn maybe_integer(value: Option<u64>) -> Value {
    value.map_or(Value::Null, integer)
}

fn integer(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
