//! Ledgers that an older version has made, opened by this one.

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::ledger::replay::Reader;
use leasewire::ledger::{Call, Ledger, Retention, SCHEMA_VERSION, SeqRange};
use leasewire::projection::Projection;
use leasewire::sql::SqlError;
use leasewire::time::Timestamp;

use super::dump::dump;
use super::stores::{DIALECTS, OLDER, bytes, opened, stored};
use crate::common::{Database, at, delivery, job};

const RETENTION_S: u64 = 30 * 86_400;

fn now() -> Timestamp {
    at("2026-04-22T12:00:00Z")
}

/// The columns that 0.1.0 has, of all events.
const EVENTS_1: &str = "seq, hex(key), by_key, prev_seq, received_at, confirmed_seq, model,
                        record_id, name, kind, occurred_at, quarantine, ignored, replay, data,
                        hex(body)";

/// Tables by their columns, in order; views, triggers and indexes as they are,
/// but for the number of the segment that new events go into.
fn shape(database: &Database) -> Vec<String> {
    let tables = "SELECT m.name, p.name, p.type, p.pk, p.\"notnull\"
                  FROM sqlite_master AS m, pragma_table_info(m.name) AS p
                  WHERE m.type = 'table' AND (m.name NOT LIKE 'events%' OR m.name = 'events_0')
                  ORDER BY m.name, p.name";
    let mut shape = database.dump(tables);
    let others =
        database.dump("SELECT sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY 1");
    shape.extend(others.iter().map(|made| {
        made.replace("events_2", "events_1")
            .replace("events_4", "events_1")
    }));
    shape
}

#[test]
fn older_ledgers_become_like_new_ones() {
    let new = Database::default();
    let mut ledger = Ledger::open(&new).unwrap();
    ledger
        .intake(&delivery("propexo", "i", &job(1)), now())
        .unwrap();
    for made_by in OLDER {
        for dialect in DIALECTS {
            let database = opened(made_by, &format!("ledger-{dialect}.sql"));
            let before = database.events(EVENTS_1);
            Ledger::open(&database).unwrap();
            assert_eq!(shape(&database), shape(&new), "{made_by} {dialect}");
            // No event is written anew.
            assert_eq!(database.events(EVENTS_1), before);
            let version = database.dump("SELECT schema_version, min_version, epoch FROM ledger");
            let epoch = if made_by == "0.1.0" {
                0
            } else {
                1_772_366_401_000_u64
            };
            assert_eq!(version, [format!("{SCHEMA_VERSION}|1|{epoch}")]);
            // And all of it once.
            let changes = database.connection.total_changes();
            let after = dump(&database.connection);
            Ledger::open(&database).unwrap();
            assert_eq!(database.connection.total_changes(), changes);
            assert_eq!(dump(&database.connection), after);
        }
    }
}

/// Whatever fails on the way leaves the ledger as it was, for the next opening.
#[test]
fn a_step_that_fails_leaves_no_trace() {
    let mut failures = 0;
    for statement in 0.. {
        let database = opened("0.1.0", "ledger-meterbase.sql");
        let before = dump(&database.connection);
        database.fails_in.set(Some(statement));
        let failed = Ledger::open(&database).err();
        let is_over = database.fails_in.take().is_some();
        if is_over {
            break;
        }
        assert!(failed.is_some());
        if database.dump("SELECT sql FROM sqlite_master WHERE name = 'ledger'")[0]
            .contains("schema_version")
        {
            // It was done already.
            continue;
        }
        failures += 1;
        assert_eq!(dump(&database.connection), before);
        Ledger::open(&database).unwrap();
    }
    assert!(failures > 10, "{failures}");
}

/// An older ledger goes on as if nothing had been: what waited arrives, the
/// replay ends, dead packs are sent again, and new events follow.
#[test]
fn older_ledgers_go_on() {
    for version in OLDER {
        for dialect in DIALECTS {
            let database = opened(version, &format!("ledger-{dialect}.sql"));
            let d1 = Database::default();
            d1.migrate();
            let mut ledger = Ledger::open(&database).unwrap();
            let last = ledger.last_seq();
            let taken = ledger
                .intake(&delivery(dialect, "i", body(dialect)), now())
                .unwrap();
            assert_eq!(taken.seq, last + 1);
            let again = ledger
                .intake(&delivery(dialect, "i", body(dialect)), now())
                .unwrap();
            assert_eq!((again.outcome.label(), again.seq), ("duplicate", last + 1));
            let dead = ledger.redrive(SeqRange::new(1, last), now()).unwrap();
            let expected = if dialect == "propexo" { (1, 1) } else { (0, 0) };
            assert_eq!((dead.packs, dead.events), expected);
            let reader = Reader {
                dialect: dialect::named(dialect).unwrap(),
                filter: &Filter::default(),
            };
            while ledger.has_replay() {
                ledger.replay(&reader, now()).unwrap();
                forward(&mut ledger, &d1);
                ledger = Ledger::open(&database).unwrap();
            }
            forward(&mut ledger, &d1);
            let state = ledger.state().unwrap().unwrap();
            assert_eq!((state.pending, state.unconfirmed, state.dead), (0, 0, 0));
            assert!(state.replay.unwrap().ended_at.is_some());
            // The one about the unit that was vacant and is occupied now.
            let there = "SELECT version, fields, generation FROM records WHERE record_id = 'u1'";
            assert_eq!(database.dump(there), d1.dump(there));
            let mut later = now();
            for _ in 0..3 {
                later = later.plus_s(RETENTION_S);
                while ledger
                    .expire(later, &Retention::new(RETENTION_S, RETENTION_S))
                    .unwrap()
                    .is_some()
                {}
            }
            let kept = database.events("coalesce(quarantine, 'none')");
            assert!(
                !kept.is_empty() && !kept.contains(&"none".to_owned()),
                "{kept:?}"
            );
            assert_eq!(Ledger::open(&database).unwrap().state(), ledger.state());
        }
    }
}

fn body(dialect: &str) -> &'static str {
    match dialect {
        "propexo" => {
            r#"{"meta":{"object":"units"},"record_id":"u1","diff":{"previous":{"is_vacant":false},"new":{"is_vacant":true}}}"#
        }
        _ => {
            r#"{"event":"data.update","timestamp":"2026-04-22T11:00:00Z","connection_id":"i","resource_type":"unit","data":{"id":"u1","status":"occupied"}}"#
        }
    }
}

pub fn forward(ledger: &mut Ledger<&Database>, d1: &Database) {
    while ledger.has_unsent() {
        let batch = ledger.next_batch().unwrap();
        ledger.sent(batch.through, now());
        for pack in batch.packs {
            let mut read = Projection::read(&pack.text).unwrap();
            let data: Vec<_> = read
                .missing()
                .iter()
                .map(|seq| (*seq, ledger.data(*seq).unwrap().unwrap()))
                .collect();
            for (seq, data) in &data {
                read.supply(*seq, data).unwrap();
            }
            for statement in read.statements(now(), now()) {
                d1.run(&statement);
            }
            ledger.confirm(read.pack, now()).unwrap();
        }
    }
}

/// Ledgers that no release has made are left as they are, and say why.
#[test]
fn ledgers_of_no_known_version_are_refused() {
    for (name, table) in [("no-replays.sql", "ledger"), ("older-again.sql", "again")] {
        let database = opened("unknown", name);
        let before = dump(&database.connection);
        for _ in 0..2 {
            let why = Ledger::open(&database).err().unwrap();
            let says = format!(
                "the ledger's tables are not this version's: they have none, and `{table}` is not \
                 as 0.1.0 made it"
            );
            assert_eq!(why, SqlError(says));
        }
        assert_eq!(dump(&database.connection), before);
    }
}

/// A ledger that newer code has been at is refused if that code says that this
/// one can't go on with it.
#[test]
fn newer_ledgers_are_refused_unless_they_say_otherwise() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    ledger
        .intake(&delivery("propexo", "i", &job(1)), now())
        .unwrap();
    let newer = SCHEMA_VERSION + 1;
    let state = |version, min_version| {
        database
            .connection
            .execute_batch(&format!(
                "UPDATE ledger SET schema_version = {version}, min_version = {min_version}"
            ))
            .unwrap();
    };
    state(newer, newer);
    let before = dump(&database.connection);
    let why = Ledger::open(&database).err().unwrap();
    let says = format!(
        "the ledger's tables are not this version's: they have version {newer}, this code knows \
         {SCHEMA_VERSION}"
    );
    assert_eq!(why, SqlError(says));
    assert_eq!(dump(&database.connection), before);
    // Its alarm doesn't go off every minute for that.
    let patient = Ledger::<&Database>::wake_after_failure(&why, now(), 0);
    assert!(patient >= now().plus_s(900), "{patient}");
    let usual = Ledger::<&Database>::wake_after_failure(&SqlError("full".to_owned()), now(), 0);
    assert_eq!(usual, now().plus_s(60));
    state(newer, SCHEMA_VERSION);
    let ledger = Ledger::open(&database).unwrap();
    assert_eq!(ledger.last_seq(), 1);
    // And stays what it is.
    assert_eq!(
        database.dump("SELECT schema_version FROM ledger"),
        [newer.to_string()]
    );
}

/// While a deployment is gradual, calls come from either version.
#[test]
fn older_calls_are_understood() {
    for version in OLDER {
        let calls = stored(version, "calls.txt");
        let mut kinds = std::collections::BTreeSet::new();
        for line in calls.lines() {
            let call = bytes(line);
            let kind = String::from_utf8_lossy(&call[..20.min(call.len())]).into_owned();
            assert!(Call::decode(call).is_some(), "{kind}");
            kinds.insert(kind[..10].to_owned());
        }
        assert!(kinds.len() >= 6, "{kinds:?}");
    }
}

/// Packs may lie in the queue while this version is deployed.
#[test]
fn older_packs_are_applied() {
    for version in OLDER {
        for pack in stored(version, "packs.jsonl").lines() {
            let read = Projection::read(pack).unwrap();
            let d1 = Database::default();
            d1.migrate();
            for statement in read.statements(now(), now()) {
                d1.run(&statement);
            }
            assert_eq!(
                d1.dump("SELECT last_seq FROM integrations"),
                [read.pack.events.last.to_string()]
            );
        }
    }
}

/// However long the log is, bringing a ledger up writes a handful of rows, and
/// reads none of its events. `LEASEWIRE_EVENTS` tries it with more.
#[test]
#[allow(clippy::disallowed_methods, reason = "how long it takes is told")]
fn bringing_up_a_long_log_costs_next_to_nothing() {
    let events = std::env::var("LEASEWIRE_EVENTS").map_or(50_000, |n| n.parse().unwrap());
    let database = opened("0.1.0", "ledger-propexo.sql");
    let longer = format!(
        "INSERT INTO events_4 (seq, key, by_key, received_at, confirmed_seq, name, kind, data, body)
         WITH RECURSIVE more (seq) AS (SELECT 1000 UNION ALL SELECT seq + 1 FROM more
                                       WHERE seq < 1000 + {events})
         SELECT seq, randomblob(16), 0, 1776773150000000, 0, 'JOB_SUCCESS', 'job.succeeded',
                printf('{{\"event\":\"JOB_SUCCESS\",\"n\":\"%0400d\"}}', seq), zeroblob(400) FROM more"
    );
    database.connection.execute_batch(&longer).unwrap();
    let before = database.connection.total_changes();
    let since = std::time::Instant::now();
    Ledger::open(&database).unwrap();
    let written = database.connection.total_changes() - before;
    println!("{events} events: {:?}, {written} rows", since.elapsed());
    assert!(written < 10, "{written}");
}
