//! Records that were asked for at the provider's API, beside webhooks.

mod convergence;
mod world;

use leasewire::dialect::filter::Filter;
use leasewire::integration::IntegrationId;
use leasewire::ledger::{Fetched, MergeOutcome, Snapshots};
use serde_json::{Value, json};

use self::world::World;
use crate::common::{Database, finish_replay, range, send};

fn dated(second: u32, status: &str) -> String {
    format!(r#"{{"id":"l","status":"{status}","updated_at":"2026-03-01T10:00:{second:02}.000Z"}}"#)
}

#[test]
fn a_new_record_is_an_event_like_any_other() {
    let database = Database::default();
    let mut world = World::new(&database);
    let json = r#"{"id":"l","rent":750000.0,"id_beyond":9007199254740993,"none":null}"#;
    assert_eq!(world.read(0, json), MergeOutcome::Merged);
    assert_eq!(world.record(), format!("{json}|0|0|"));
    let entry: Value = serde_json::from_str(&world.ledger.event(1).unwrap().unwrap()).unwrap();
    assert_eq!(entry["origin"], "api");
    assert_eq!(entry["kind"], "record.snapshot");
    assert_eq!(
        (&entry["event"], &entry["body"]),
        (&Value::Null, &json.into())
    );
    let packs = send(&mut world.ledger, world.now);
    assert!(packs[0].contains(r#""type":"leasewire.record.snapshot""#));
    let data = world.last_data();
    assert_eq!(
        (&data["partial"], &data["changes"]),
        (&json!(false), &json!({}))
    );
    // What a webhook has brought says nothing of where it is from.
    world.webhook("{}", r#"{"rent":1}"#);
    assert!(!world.ledger.event(2).unwrap().unwrap().contains("origin"));
    // The second one is in a ledger that is there: its event and its record.
    let before = world.written();
    let merged = world.merge(2, false, &[("m", r#"{"id":"m"}"#)]);
    assert_eq!(merged.outcomes, [MergeOutcome::Merged]);
    assert_eq!((merged.seq, world.written() - before), (3, 2));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let database = Database::default();
    let mut world = World::new(&database);
    world.webhook("{}", r#"{"status":"a"}"#);
    assert_eq!(world.record(), r#"{"status":"a"}|1|0|"#);
    // That it is whole now, is news.
    assert_eq!(world.read(1, r#"{"status":"a"}"#), MergeOutcome::Merged);
    let data = world.last_data();
    assert_eq!(
        (&data["partial"], &data["changes"]),
        (&json!(false), &json!({}))
    );
    let before = world.written();
    for json in [
        r#"{"status":"a"}"#,
        "{ \"status\" : \"\\u0061\" }",
        // It moves with each synchronisation.
        r#"{"status":"a","last_seen":"2026-03-01T10:00:00Z"}"#,
        "{}",
    ] {
        assert_eq!(world.read(2, json), MergeOutcome::Same, "{json}");
    }
    assert_eq!((world.written() - before, world.ledger.last_seq()), (0, 2));
}

#[test]
fn fields_that_only_webhooks_have_stay() {
    let database = Database::default();
    let mut world = World::new(&database);
    world.payload(r#"{"street_address_1":"1 Main St","status":"a"}"#);
    let read = r#"{"address_1":"1 Main St","status":"b"}"#;
    // It shows what nobody has told yet, and contradicts no event of the last minutes.
    assert_eq!(world.read(1, read), MergeOutcome::Merged);
    let fields = r#"{"street_address_1":"1 Main St","status":"b","address_1":"1 Main St"}"#;
    assert_eq!(world.record(), format!("{fields}|0|0|"));
    let changes = json!({
        "address_1": {"old": null, "new": "1 Main St"},
        "status": {"old": "a", "new": "b"},
    });
    assert_eq!(world.last_data()["changes"], changes);
}

#[test]
fn what_an_event_has_touched_behind_the_read_keeps_its_value() {
    let database = Database::default();
    let mut world = World::new(&database);
    let first = world.webhook("{}", r#"{"status":"a","rent":1}"#);
    world.now = world.now.plus_s(600);
    // The read has begun, and this comes before its answer.
    world.webhook(r#"{"status":"a"}"#, r#"{"status":"b"}"#);
    world.now = world.now.plus_s(600);
    let read = r#"{"status":"a","rent":2}"#;
    assert_eq!(world.read(first, read), MergeOutcome::Overtaken);
    assert_eq!(world.record(), r#"{"status":"b","rent":2}|0|0|"#);
    // A second time it says nothing new, and isn't the whole truth either.
    let before = world.written();
    assert_eq!(world.read(first, read), MergeOutcome::Overtaken);
    assert_eq!(world.written(), before);
    // One that shows the event as well is.
    assert_eq!(
        world.read(first, r#"{"status":"b","rent":2}"#),
        MergeOutcome::Same
    );
    // What is known of an earlier epoch counts as touched.
    let read = Snapshots {
        of: IntegrationId::new("propexo", "i"),
        model: "leases".to_owned(),
        asked_seq: 99,
        epoch: Some(1),
        is_believed: true,
        items: vec![Fetched {
            id: "l".to_owned(),
            json: r#"{"status":"c","rent":3}"#.to_owned(),
        }],
    };
    assert_eq!(world.call(&read).outcomes, [MergeOutcome::Overtaken]);
    assert_eq!(world.record(), r#"{"status":"b","rent":2}|0|0|"#);
}

#[test]
fn a_read_that_is_older_than_what_is_known_is_left_alone() {
    let database = Database::default();
    let mut world = World::new(&database);
    assert_eq!(world.read(0, &dated(10, "b")), MergeOutcome::Merged);
    let before = world.written();
    assert_eq!(world.read(1, &dated(9, "a")), MergeOutcome::Stale);
    assert_eq!(world.written(), before);
    // It was repeated often enough.
    let believed = world.merge(1, true, &[("l", &dated(9, "a"))]);
    assert_eq!(believed.outcomes, [MergeOutcome::Merged]);
    assert_eq!(world.read(2, &dated(10, "b")), MergeOutcome::Merged);
    // An event that doesn't say when: what doesn't show it is from before.
    let seq = world.webhook(r#"{"status":"b"}"#, r#"{"status":"c"}"#);
    world.now = world.now.plus_s(3_600);
    assert_eq!(world.read(seq, &dated(10, "b")), MergeOutcome::Stale);
    assert_eq!(world.read(seq, &dated(10, "c")), MergeOutcome::Same);
    // Part of a record changes, and the time doesn't.
    let read = dated(10, "c").replace("\"id\"", "\"part\":1,\"id\"");
    assert_eq!(world.read(seq, &read), MergeOutcome::Merged);
    // An event that says when it was.
    let new = r#"{"status":"d","updated_at":"2026-03-01T10:00:20.000Z"}"#;
    let seq = world.webhook(r#"{"status":"c"}"#, new);
    assert_eq!(world.read(seq, &dated(15, "c")), MergeOutcome::Stale);
    assert_eq!(world.read(seq, &dated(20, "d")), MergeOutcome::Same);
    assert_eq!(world.read(seq, &dated(21, "e")), MergeOutcome::Merged);
}

#[test]
fn a_read_may_show_one_event_and_not_yet_the_next() {
    let database = Database::default();
    let mut world = World::new(&database);
    assert_eq!(world.read(0, &dated(10, "a")), MergeOutcome::Merged);
    world.webhook(r#"{"rent":null}"#, r#"{"rent":1}"#);
    let seq = world.webhook(r#"{"status":"a"}"#, r#"{"status":"b"}"#);
    let with_rent = |json: String| json.replace("\"id\"", "\"rent\":1,\"id\"");
    let between = with_rent(dated(11, "a"));
    assert_eq!(world.read(seq, &between), MergeOutcome::Stale);
    // It has gone on since.
    assert_eq!(
        world.read(seq, &with_rent(dated(12, "c"))),
        MergeOutcome::Merged
    );
    // What an event with a time has changed, is in all that is later.
    let new = r#"{"status":"d","updated_at":"2026-03-01T10:00:20.000Z"}"#;
    let seq = world.webhook(r#"{"status":"c"}"#, new);
    assert_eq!(
        world.read(seq, &with_rent(dated(21, "c"))),
        MergeOutcome::Merged
    );
    // A replica lags for two minutes at the most.
    let seq = world.webhook(r#"{"status":"c"}"#, r#"{"status":"e"}"#);
    world.now = world.now.plus_s(121);
    assert_eq!(
        world.read(seq, &with_rent(dated(22, "c"))),
        MergeOutcome::Merged
    );
}

#[test]
fn where_no_time_is_known_a_replica_may_lag_for_two_minutes() {
    let database = Database::default();
    let mut world = World::new(&database);
    let seq = world.webhook(r#"{"status":"a"}"#, r#"{"status":"b"}"#);
    assert_eq!(world.read(seq, &dated(1, "a")), MergeOutcome::Stale);
    // Neither the one nor the other: it has gone on since.
    assert_eq!(world.read(seq, &dated(1, "c")), MergeOutcome::Merged);

    let database = Database::default();
    let mut world = World::new(&database);
    let seq = world.webhook(r#"{"status":"a"}"#, r#"{"status":"b"}"#);
    world.now = world.now.plus_s(121);
    assert_eq!(world.read(seq, &dated(1, "a")), MergeOutcome::Merged);
}

#[test]
fn the_same_read_may_be_news_again() {
    let database = Database::default();
    let mut world = World::new(&database);
    for (asked_seq, status) in [(0, "a"), (1, "b"), (2, "a"), (3, "b")] {
        let json = format!(r#"{{"status":"{status}"}}"#);
        assert_eq!(world.read(asked_seq, &json), MergeOutcome::Merged);
    }
    assert_eq!(world.record(), r#"{"status":"b"}|0|0|"#);
    let keys = database.events("DISTINCT hex(key)");
    assert_eq!(keys.len(), 4);
}

#[test]
fn drift_ends_with_a_read() {
    let database = Database::default();
    let mut world = World::new(&database);
    world.webhook("{}", r#"{"status":"a","rent":1}"#);
    let seq = world.webhook(r#"{"status":"x"}"#, r#"{"status":"b"}"#);
    assert_eq!(world.record(), r#"{"status":"b","rent":1}|1|1|["status"]"#);
    let same = r#"{"status":"b","rent":1}"#;
    // The read began before the contradiction: of that it knows nothing.
    world.now = world.now.plus_s(600);
    assert_eq!(
        world.read(1, r#"{"status":"q","rent":1}"#),
        MergeOutcome::Overtaken
    );
    assert_eq!(world.record(), r#"{"status":"b","rent":1}|0|1|["status"]"#);
    assert_eq!(world.read(seq, same), MergeOutcome::Merged);
    assert_eq!(world.record(), format!("{same}|0|0|"));
    assert_eq!(world.last_data()["changes"], json!({}));
}

#[test]
fn filters_hold_for_what_was_asked_for() {
    let database = Database::default();
    let mut world = World::new(&database);
    let only = |name: &str| Some(vec![name.to_owned()]);
    world.filter = Filter::new(only("units"), None, None);
    assert_eq!(world.read(0, "{}"), MergeOutcome::Ignored);
    world.filter = Filter::new(None, None, only("p1"));
    assert_eq!(
        world.read(0, r#"{"property_id":"p2"}"#),
        MergeOutcome::Ignored
    );
    assert_eq!(world.ledger.last_seq(), 0);
    assert!(database.dump("SELECT name FROM sqlite_master").is_empty());
    assert_eq!(
        world.read(0, r#"{"property_id":"p1"}"#),
        MergeOutcome::Merged
    );
    // Which events the provider is to be heard with says nothing of reads.
    world.filter = Filter::new(None, only("DATA_UPDATE"), None);
    assert_eq!(
        world.read(1, r#"{"property_id":"p3"}"#),
        MergeOutcome::Merged
    );
    assert_eq!(world.ledger.last_seq(), 2);
}

#[test]
fn what_can_not_be_kept_leaves_no_trace_or_one() {
    let database = Database::default();
    let mut world = World::new(&database);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for json in ["[]", "7", deep.as_str()] {
        assert_eq!(world.read(0, json), MergeOutcome::Unclear, "{json}");
    }
    let huge = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_900_001));
    assert_eq!(world.read(0, &huge), MergeOutcome::TooLarge);
    assert_eq!(world.ledger.last_seq(), 0);
    // With what is known of it, it is too large: that is kept, once.
    world.webhook("{}", &format!(r#"{{"old":"{}"}}"#, "x".repeat(1_000_000)));
    let large = format!(r#"{{"new":"{}"}}"#, "y".repeat(1_200_000));
    for _ in 0..3 {
        assert_eq!(world.read(1, &large), MergeOutcome::TooLarge);
    }
    assert_eq!(world.ledger.last_seq(), 2);
    let listed = world.ledger.quarantined(0, 9).unwrap();
    assert!(listed.contains(r#""reason":"too_large""#), "{listed}");
    assert!(listed.contains(r#""record_id":"l""#), "{listed}");
    // And stays what it is when it is read again.
    world
        .ledger
        .ask_for_replay(&range(1, 2), world.now)
        .unwrap();
    finish_replay(&mut world.ledger, "propexo", world.now);
    assert_eq!(
        world
            .ledger
            .quarantined(0, 9)
            .unwrap()
            .matches("too_large")
            .count(),
        1
    );
}
