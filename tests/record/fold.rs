//! What becomes of a record: what counts as drift, what a late creation adds,
//! what may come again, and how large it may be.

use leasewire::ledger::{Ledger, Outcome, Retention};
use leasewire::projection::Projection;
use leasewire::time::Timestamp;
use serde_json::Value;

use crate::common::{self, Database, at, delivery, finish_replay, named, range};

const NOW: &str = "2026-03-01T12:00:00Z";

/// A ledger that is opened anew for each event.
struct World<'a> {
    dialect: &'static str,
    database: &'a Database,
    now: Timestamp,
}

impl World<'_> {
    fn take(&mut self, body: &str) -> (&'static str, u64) {
        self.now = self.now.plus_s(1);
        let mut ledger = Ledger::open(self.database).unwrap();
        let delivery = delivery(self.dialect, "i", body);
        let taken = ledger.intake(&delivery, self.now).unwrap();
        (taken.outcome.label(), taken.seq)
    }

    /// What is forwarded of the event.
    fn data(&self, seq: u64) -> Value {
        let ledger = Ledger::open(self.database).unwrap();
        serde_json::from_str(&ledger.data(seq).unwrap().unwrap()).unwrap()
    }

    fn replay(&self, to: u64) {
        let mut ledger = Ledger::open(self.database).unwrap();
        let first = self.database.events("seq");
        ledger
            .ask_for_replay(&range(first[0].parse().unwrap(), to), self.now)
            .unwrap()
            .unwrap();
        finish_replay(&mut ledger, self.dialect, self.now);
    }

    fn record(&self) -> String {
        let sql = "SELECT version, fields, partial, drift, drifted FROM records";
        self.database.dump(sql).join("\n")
    }
}

fn world<'a>(dialect: &'static str, database: &'a Database) -> World<'a> {
    World {
        dialect,
        database,
        now: at(NOW),
    }
}

fn diff(previous: &str, new: &str) -> String {
    let (previous, new) = (format!("{{{previous}}}"), format!("{{{new}}}"));
    common::diff("leases", "l1", &previous, &new)
}

fn job(id: u8, previous: &str, new: &str) -> String {
    format!(
        r#"{{"event":"DATA_UPDATE","job_id":"j{id}","object":"leases","record_id":"l1","diff":{{"previous":{{{previous}}},"new":{{{new}}}}}}}"#
    )
}

fn payload(fields: &str) -> String {
    format!(r#"{{"meta":{{"object":"leases"}},"record_id":"l1","payload":{{{fields}}}}}"#)
}

fn lease(second: u8, fields: &str) -> String {
    format!(
        r#"{{"event":"data.update","timestamp":"2026-03-01T10:00:{second:02}Z","connection_id":"i","resource_type":"lease","data":{{"id":"l1",{fields}}}}}"#
    )
}

/// Each event, and the fields that are drifted behind it.
#[test]
fn drift_is_of_fields_and_ends_with_them() {
    let cases: &[(&str, &[(String, &str)])] = &[
        (
            "what is already as an event says contradicts nothing",
            &[
                (diff(r#""a":1"#, r#""a":2"#), "NULL"),
                (diff(r#""a":0"#, r#""a":2"#), "NULL"),
                (job(1, r#""a":0"#, r#""a":2.0"#), "NULL"),
                // Cleared, and cleared again.
                (diff(r#""a":2"#, ""), "NULL"),
                (diff(r#""a":1"#, ""), "NULL"),
                (diff(r#""a":1"#, r#""a":null"#), "NULL"),
            ],
        ),
        (
            "a field that one agrees with is right again",
            &[
                (diff("", r#""a":1,"b":1,"c":1"#), "NULL"),
                (diff(r#""a":0,"b":0"#, r#""a":2,"b":2"#), r#"["a","b"]"#),
                // Says nothing of what they were.
                (diff("", r#""a":3"#), r#"["a","b"]"#),
                (diff(r#""c":1"#, r#""c":2"#), r#"["a","b"]"#),
                (diff(r#""b":2"#, r#""b":3"#), r#"["a"]"#),
                (diff(r#""a":9,"b":3"#, r#""a":4,"b":4"#), r#"["a"]"#),
                (diff(r#""a":4.0"#, r#""a":5"#), "NULL"),
                (diff(r#""a":5"#, r#""a":6"#), "NULL"),
            ],
        ),
        (
            "one field is as the event says, the other is not as it was",
            &[
                (diff("", r#""a":1,"b":1"#), "NULL"),
                (diff(r#""a":0,"b":0"#, r#""a":1,"b":2"#), r#"["b"]"#),
            ],
        ),
    ];
    for (what, events) in cases {
        let database = Database::default();
        let mut world = world("propexo", &database);
        for (body, drifted) in *events {
            let (outcome, seq) = world.take(body);
            assert_eq!(outcome, "accepted", "{what}: {body}");
            let is = database.dump("SELECT drift, drifted FROM records");
            let flag = u8::from(*drifted != "NULL");
            assert_eq!(is, [format!("{flag}|{drifted}")], "{what}: {body}");
            assert_eq!(world.data(seq)["drift"], flag == 1);
        }
        let before = world.record();
        world.replay(events.len() as u64);
        assert_eq!(world.record(), before, "{what}");
    }
}

/// Version 0.1.0 didn't note the fields: only a whole object ends such drift.
#[test]
fn drift_without_fields_stays_to_the_next_whole_object() {
    let database = Database::default();
    let mut propexo = world("propexo", &database);
    propexo.take(&diff(r#""a":1"#, r#""a":2"#));
    database
        .connection
        .execute("UPDATE records SET drift = 1", [])
        .unwrap();
    let drifted = "SELECT drift, drifted FROM records";
    for (body, is) in [
        (diff(r#""a":2"#, r#""a":3"#), "1|[null]"),
        (diff(r#""a":0"#, r#""a":4"#), r#"1|[null,"a"]"#),
        (diff(r#""a":4"#, r#""a":5"#), "1|[null]"),
    ] {
        propexo.take(&body);
        assert_eq!(database.dump(drifted), [is]);
    }
    let mut meterbase = world("meterbase", &database);
    meterbase.take(&lease(1, r#""a":1"#));
    assert_eq!(database.dump(drifted), ["0|NULL"]);
}

/// It fills in what isn't known, and overrides nothing.
#[test]
fn a_creation_that_comes_late_is_the_oldest_event() {
    for dialect in ["propexo", "propify"] {
        let database = Database::default();
        let mut world = world(dialect, &database);
        world.take(&diff(r#""status":"PENDING""#, r#""status":"ACTIVE""#));
        world.take(&diff(r#""note":"x""#, ""));
        let created = payload(r#""id":"l1","status":"PENDING","note":"x","rent":210000"#);
        assert_eq!(world.take(&created), ("accepted", 3));
        let is = r#"3|{"status":"ACTIVE","note":null,"id":"l1","rent":210000}|1|0|NULL"#;
        assert_eq!(world.record(), is);
        let data = world.data(3);
        let filled = r#"{"id":{"new":"l1","old":null},"rent":{"new":210000,"old":null}}"#;
        assert_eq!(data["changes"].to_string(), filled);
        assert_eq!(
            (&data["late"], &data["drift"]),
            (&false.into(), &false.into())
        );
        world.replay(3);
        assert_eq!(world.record(), is);
    }
}

/// A field that isn't mentioned was not there: bodies of senders that leave
/// out `undefined` can be real again.
#[test]
fn set_and_cleared_and_set_again() {
    let (set, clear) = (
        diff("", r#""move_out":"2026-03-01""#),
        diff(r#""move_out":"2026-03-01""#, ""),
    );
    for dialect in ["propexo", "propify"] {
        let database = Database::default();
        let mut world = world(dialect, &database);
        assert_eq!(world.take(&set), ("accepted", 1));
        assert_eq!(world.take(&set), ("duplicate", 1));
        assert_eq!(world.take(&clear), ("accepted", 2));
        assert_eq!(world.take(&clear), ("duplicate", 2));
        assert_eq!(world.take(&set), ("accepted", 3));
        assert_eq!(world.data(3)["ambiguous"], true);
        assert_eq!(world.data(3)["record"]["move_out"], "2026-03-01");
        assert_eq!(world.take(&set), ("duplicate", 3));
        assert_eq!(world.take(&clear), ("accepted", 4));
        // Another event in between leaves the record as it must not be.
        assert_eq!(world.take(&diff("", r#""a":1"#)), ("accepted", 5));
        assert_eq!(world.take(&clear), ("duplicate", 4));
    }
}

/// A record's second version needs room for both; then what changed goes, and
/// the record is still forwarded.
#[test]
fn a_large_record_changes_too() {
    let (database, d1) = (Database::default(), Database::default());
    d1.migrate();
    let mut world = world("meterbase", &database);
    let text = |n: u8| n.to_string().repeat(1_000_000);
    for n in 1..=3 {
        let body = lease(n, &format!(r#""n":{n},"text":"{}""#, text(n)));
        assert_eq!(world.take(&body), ("accepted", n.into()));
    }
    let changes = |seq| world.data(seq)["changes"].clone();
    assert_eq!(changes(1), Value::Object(serde_json::Map::new()));
    assert_eq!((changes(2), changes(3)), (Value::Null, Value::Null));
    world.replay(3);
    assert_eq!((changes(2), changes(3)), (Value::Null, Value::Null));
    // All the way into D1, where its record is asked for.
    let mut ledger = Ledger::open(&database).unwrap();
    while ledger.has_unsent() {
        let batch = ledger.next_batch().unwrap();
        ledger.sent(batch.through, world.now);
        for pack in &batch.packs {
            let mut read = Projection::read(&pack.text).unwrap();
            let data = |seq| (seq, ledger.data(seq).unwrap().unwrap());
            let missing: Vec<_> = read.missing().into_iter().map(data).collect();
            for (seq, data) in &missing {
                read.supply(*seq, data).unwrap();
            }
            for statement in read.statements(world.now, world.now) {
                d1.run(&statement);
            }
        }
    }
    let fields = format!(r#"{{"id":"l1","n":3,"text":"{}"}}"#, text(3));
    assert!(d1.dump("SELECT version, fields FROM records") == [format!("3|{fields}")]);
}

/// What doesn't fit into a row even alone is quarantined, and the next change
/// that fits is applied.
#[test]
fn a_record_has_an_end() {
    let database = Database::default();
    let mut world = world("propexo", &database);
    let text = |name: &str| format!(r#""{name}":"{}""#, "x".repeat(1_000_000));
    assert_eq!(world.take(&diff("", &text("a"))), ("accepted", 1));
    let body = diff("", &text("b"));
    let taken = Ledger::open(&database)
        .unwrap()
        .intake(&delivery("propexo", "i", &body), world.now)
        .unwrap();
    assert!(matches!(taken.outcome, Outcome::Quarantined(why) if why.label() == "too_large"));
    assert_eq!(world.take(&diff("", r#""b":1"#)), ("accepted", 3));
    assert_eq!(world.data(3)["record"]["b"], 1);
}

/// The newest event goes with its segment, and one that came late is kept: a
/// replay leaves the record at its newest state.
#[test]
fn a_replay_turns_no_record_back() {
    let database = Database::default();
    let mut world = world("meterbase", &database);
    let steps = |world: &mut World, days: u64| {
        world.now = world.now.plus_s(days * 86_400);
        let mut ledger = Ledger::open(&database).unwrap();
        ledger
            .confirm(named(1, ledger.last_seq(), 0), world.now)
            .unwrap();
        while ledger
            .expire(world.now, &Retention::new(2 * 86_400, 2 * 86_400))
            .unwrap()
            .is_some()
        {}
    };
    world.take(&lease(10, r#""status":"listed""#));
    world.take(&lease(30, r#""status":"sold""#));
    steps(&mut world, 1);
    world.take(&lease(20, r#""status":"reserved""#));
    steps(&mut world, 1);
    steps(&mut world, 1);
    assert_eq!(database.events("seq"), ["3"]);
    let before = world.record();
    world.replay(3);
    assert_eq!(world.record(), before);
    // Older ones are still older, and newer ones newer.
    world.take(&lease(25, r#""status":"late""#));
    assert_eq!(world.record(), before);
    world.take(&lease(31, r#""status":"listed""#));
    assert_eq!(world.data(5)["record"]["status"], "listed");
}

/// Of partial changes too: a late creation overrides nothing that is gone.
#[test]
fn a_replayed_creation_overrides_nothing() {
    let database = Database::default();
    let mut world = world("propexo", &database);
    let steps = |world: &mut World, days: u64| {
        world.now = world.now.plus_s(days * 86_400);
        let mut ledger = Ledger::open(&database).unwrap();
        ledger
            .confirm(named(1, ledger.last_seq(), 0), world.now)
            .unwrap();
        while ledger
            .expire(world.now, &Retention::new(2 * 86_400, 2 * 86_400))
            .unwrap()
            .is_some()
        {}
    };
    world.take(&diff(r#""status":"a""#, r#""status":"b""#));
    world.take(&diff(r#""rent":1"#, r#""rent":2"#));
    world.take(&diff(r#""rent":3"#, r#""rent":4"#));
    steps(&mut world, 1);
    world.take(&payload(r#""status":"a","note":"x""#));
    steps(&mut world, 1);
    steps(&mut world, 1);
    assert_eq!(database.events("seq"), ["4"]);
    let before = world.record();
    let is = r#"4|{"status":"b","rent":4,"note":"x"}|1|1|["rent"]"#;
    assert_eq!(before, is);
    world.replay(4);
    assert_eq!(world.record(), before);
}
