//! What a mark is: an event like any other, and what takes it away.

use leasewire::ledger::{Ledger, MergeOutcome};
use leasewire::projection::rebuilt;
use serde_json::{Value, json};

use super::world::{SEEN, SINCE, World, group, ids, shown};
use crate::common::{Database, diff, finish_replay, range};

const LATER: &str = "2026-03-02T06:00:00.000Z";

/// `l0` of 9 is gone; its event is the last one.
fn with_a_mark(database: &Database) -> World<'_> {
    let mut world = World::new(database, 9);
    world.forward();
    let answer = world.mark(&[group(None, 9, 0, &ids(0..1))]);
    assert_eq!(answer.marked, 1);
    world
}

#[test]
fn a_mark_is_an_event_like_any_other() {
    let database = Database::default();
    let mut world = with_a_mark(&database);
    let seq = world.ledger.last_seq();
    let entry: Value = serde_json::from_str(&world.ledger.event(seq).unwrap().unwrap()).unwrap();
    assert_eq!(entry["origin"], "api");
    assert_eq!(entry["kind"], "record.gone");
    let body = format!(r#"{{"gone":"l0","last_seen":"{SEEN}"}}"#);
    assert_eq!(
        (&entry["event"], &entry["body"]),
        (&Value::Null, &body.into())
    );
    let packs = world.forward();
    assert!(
        packs[0].contains(r#""type":"leasewire.record.gone""#),
        "{packs:?}"
    );
    let data = world.data(seq);
    assert_eq!(data["gone_since"], SINCE);
    // The record is what it was.
    assert_eq!(
        (&data["changes"], &data["partial"]),
        (&json!({}), &json!(false))
    );
    assert_eq!(
        world.in_d1("l0"),
        format!("{SINCE}|{seq}|{}", shown("l0", SEEN))
    );
    assert_eq!(world.in_d1("l1").split('|').next(), Some("NULL"));
    assert!(world.data(2).get("gone_since").is_none());
    // It owes nothing, and is there after a crash.
    assert_eq!(
        Ledger::open(&database).unwrap().data(seq),
        world.ledger.data(seq)
    );
    assert_eq!(world.gone(), ["l0"]);
}

#[test]
fn an_event_takes_the_mark_away() {
    let database = Database::default();
    let mut world = with_a_mark(&database);
    world.forward();
    let seq = world.take(&diff(
        "leases",
        "l0",
        r#"{"rent":750000.0}"#,
        r#"{"rent":1}"#,
    ));
    assert!(world.gone().is_empty());
    assert!(world.data(seq).get("gone_since").is_none());
    world.forward();
    assert!(world.in_d1("l0").starts_with("NULL|"));
}

#[test]
fn a_read_takes_the_mark_away_if_it_was_seen_since() {
    let database = Database::default();
    let mut world = with_a_mark(&database);
    world.forward();
    // The same as ever: by a deep walk.
    assert_eq!(world.read("l0", SEEN), MergeOutcome::Same);
    assert_eq!(world.gone(), ["l0"]);
    // It has changed, and isn't seen all the same; or doesn't say when it was.
    let changed = shown("l0", SEEN).replace("750000.0", "1");
    assert_eq!(world.merge("l0", &changed), MergeOutcome::Merged);
    assert_eq!(
        world.merge("l0", r#"{"id":"l0","rent":2}"#),
        MergeOutcome::Merged
    );
    assert_eq!(world.gone(), ["l0"]);
    assert_eq!(world.data(world.ledger.last_seq())["gone_since"], SINCE);
    world.forward();
    assert!(world.in_d1("l0").starts_with(SINCE));
    // Nothing else of it is news.
    let back = shown("l0", LATER).replace("750000.0", "2");
    assert_eq!(world.merge("l0", &back), MergeOutcome::Merged);
    let data = world.data(world.ledger.last_seq());
    assert!(data.get("gone_since").is_none());
    assert_eq!(data["changes"], json!({}));
    world.forward();
    assert!(world.in_d1("l0").starts_with("NULL|"));
    // And that is not news once more.
    let again = back.replace("2026-03-02", "2026-03-03");
    assert_eq!(world.merge("l0", &again), MergeOutcome::Same);
}

#[test]
fn a_replay_comes_to_the_same() {
    let database = Database::default();
    let mut world = with_a_mark(&database);
    world.mark(&[group(None, 9, 0, &ids(1..2))]);
    world.take(&diff("leases", "l1", "{}", r#"{"rent":1}"#));
    world.forward();
    let here = "SELECT record_id, gone_since, fields, partial, drift FROM records ORDER BY 1";
    let there = "SELECT record_id, gone_since, fields FROM records ORDER BY 1";
    let (before, in_d1) = (database.dump(here), world.d1.dump(there));
    let last = world.ledger.last_seq();
    world
        .ledger
        .ask_for_replay(&range(1, last), world.now)
        .unwrap();
    finish_replay(&mut world.ledger, "propexo", world.now);
    world.forward();
    assert_eq!(database.dump(here), before);
    assert_eq!(world.d1.dump(there), in_d1);
    assert_eq!(world.gone(), ["l0"]);
}

#[test]
fn a_rebuild_writes_marks_too() {
    let database = Database::default();
    let mut world = with_a_mark(&database);
    world.ledger.ask_for_rebuild(world.now).unwrap();
    let part = world.ledger.next_part().unwrap().unwrap();
    for statement in rebuilt(&part, world.now) {
        world.d1.run(&statement);
    }
    assert!(world.in_d1("l0").starts_with(SINCE));
    assert!(world.in_d1("l1").starts_with("NULL|"));
    // And a mark that D1 alone has goes.
    let wrong = "UPDATE records SET gone_since = 'x'";
    world.d1.connection.execute_batch(wrong).unwrap();
    world.now = world.now.plus_s(60);
    world.ledger.rebuilt(&part, world.now).unwrap();
    world.ledger.ask_for_rebuild(world.now).unwrap();
    let part = world.ledger.next_part().unwrap().unwrap();
    for statement in rebuilt(&part, world.now) {
        world.d1.run(&statement);
    }
    assert!(world.in_d1("l1").starts_with("NULL|"));
}

#[test]
fn history_that_is_gone_leaves_the_mark() {
    let database = Database::default();
    let mut world = with_a_mark(&database);
    world.forward();
    // What is kept of it is a read that doesn't take the mark away.
    database
        .connection
        .execute_batch("DELETE FROM events_1 WHERE record_id = 'l0'")
        .unwrap();
    let changed = shown("l0", SEEN).replace("750000.0", "1");
    assert_eq!(world.merge("l0", &changed), MergeOutcome::Merged);
    let last = world.ledger.last_seq();
    world
        .ledger
        .ask_for_replay(&range(last, last), world.now)
        .unwrap();
    finish_replay(&mut world.ledger, "propexo", world.now);
    assert_eq!(world.gone(), ["l0"]);
    assert_eq!(world.data(last)["gone_since"], SINCE);
    assert_eq!(world.data(last)["record"]["rent"], 1);
}
