//! This version and 0.1.0 taking turns on one ledger, as in a deployment that
//! is gradual or taken back. What 0.1.0 does is done by its own statements.

use leasewire::ledger::Ledger;

use super::ledgers::forward;
use super::stores::stored;
use crate::common::{Database, at, delivery, diff, job};

/// 0.1.0 begins the segment `number` behind `last`.
fn begin(database: &Database, number: u64, last: u64) {
    for statements in ["segment.sql", "intake.sql"] {
        let statements =
            stored("0.1.0", statements).replace("{events}", &format!("events_{number}"));
        database.connection.execute_batch(&statements).unwrap();
    }
    let noted = format!(
        "INSERT INTO segments (number, first_seq, began_at) VALUES ({number}, {}, 1)",
        last + 1
    );
    database.connection.execute_batch(&noted).unwrap();
}

/// 0.1.0 takes in a change of the lease `r`.
fn take(database: &Database, seq: i64, prev_seq: Option<i64>, status: &str) {
    let data = format!(
        r#"{{"event":null,"model":"leases","record_id":"r","changes":{{}},"record":{{"status":"{status}"}},"version":{seq},"partial":true,"drift":false,"late":false,"ambiguous":false}}"#
    );
    let body = change("x", status);
    let statement =
        "INSERT INTO intake (seq, key, by_key, prev_seq, received_at, confirmed_seq, model,
                             record_id, name, kind, occurred_at, quarantine, ignored, data,
                             body, version, fields, partial, drift, version_at, version_key,
                             generation, recent, occupancy, unlinked)
         VALUES (?1, zeroblob(16), 0, ?2, 1, 0, 'leases', 'r', NULL, 'record.updated', NULL, NULL,
                 NULL, ?3, CAST(?4 AS BLOB), ?1, json_object('status', ?5), 1, 0, NULL,
                 zeroblob(16), 0, zeroblob(8), NULL, NULL)";
    database
        .connection
        .execute(statement, (seq, prev_seq, data, body, status))
        .unwrap();
}

fn change(from: &str, to: &str) -> String {
    let fields = |status| format!(r#"{{"status":"{status}"}}"#);
    diff("leases", "r", &fields(from), &fields(to))
}

#[test]
fn both_versions_take_turns() {
    let (database, d1) = (Database::default(), Database::default());
    d1.migrate();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = Ledger::open(&database).unwrap();
    ledger
        .intake(&delivery("propexo", "i", &change("x", "a")), now)
        .unwrap();
    // Into this version's segment.
    take(&database, 2, Some(1), "b");
    let mut ledger = Ledger::open(&database).unwrap();
    assert_eq!(ledger.last_seq(), 2);
    ledger
        .intake(&delivery("propexo", "i", &change("b", "c")), now)
        .unwrap();
    // What only this version knows of the record is void where 0.1.0 has written it.
    let unknown = "UPDATE records SET drift = 1, drifted = '[\"status\"]', occurred_ns = 7,
                   gone_since = 7";
    database.connection.execute_batch(unknown).unwrap();
    begin(&database, 2, 3);
    take(&database, 4, Some(3), "d");
    let mut ledger = Ledger::open(&database).unwrap();
    let drifted = database.dump("SELECT drift, drifted, occurred_ns, gone_since FROM records");
    assert_eq!(drifted, ["0|NULL|NULL|NULL"]);
    assert_eq!(
        database.dump("SELECT number, format FROM segments"),
        ["1|3", "2|3"]
    );
    for id in 1..=3 {
        let taken = ledger
            .intake(&delivery("propexo", "i", &job(id)), now)
            .unwrap();
        assert_eq!(taken.seq, 4 + u64::from(id));
    }
    assert_eq!(
        database.dump("SELECT max(seq), max(occurred_ns) FROM events_2"),
        ["7|NULL"]
    );
    forward(&mut ledger, &d1);
    assert!(!ledger.has_unsettled());
    assert_eq!(
        d1.dump("SELECT version, fields FROM records"),
        [r#"4|{"status":"d"}"#]
    );
}

/// 0.2.0 begins a segment as it knows them, and writes all that it knows.
#[test]
fn a_segment_of_0_2_0_is_brought_up() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = Ledger::open(&database).unwrap();
    for (from, to) in [("x", "a"), ("q", "b")] {
        ledger
            .intake(&delivery("propexo", "i", &change(from, to)), now)
            .unwrap();
    }
    let drifted = "SELECT drift, drifted FROM records";
    assert_eq!(database.dump(drifted), [r#"1|["status"]"#]);
    let as_before = "DROP VIEW intake;
         ALTER TABLE events_1 DROP COLUMN asked_seq;
         UPDATE records SET gone_since = 7;
         UPDATE segments SET format = 2";
    database.connection.execute_batch(as_before).unwrap();
    let mut ledger = Ledger::open(&database).unwrap();
    assert_eq!(database.dump(drifted), [r#"1|["status"]"#]);
    // Of a mark it knows nothing, so what it has written took none away.
    assert_eq!(database.dump("SELECT gone_since FROM records"), ["NULL"]);
    let taken = ledger.intake(&delivery("propexo", "i", &job(1)), now);
    assert_eq!(taken.unwrap().seq, 3);
    let made = database.dump("SELECT number, format FROM segments");
    assert_eq!((made, ledger.last_seq()), (vec!["1|3".to_owned()], 3));
}
