//! Replays where events of a record are gone with old history.

use leasewire::dialect::filter::Filter;
use leasewire::ledger::{NOT_APPLIED, Retention, Rewrite};
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::World;
use super::{all, propexo, whole};
use crate::common::{Database, diff};

const RETENTION: Retention = Retention::new(3 * 86_400, 172_800);

/// A week later, with what is due to go gone.
fn expire(world: &mut World) {
    world.now = world.now.plus_s(7 * 86_400);
    world.ledger.wake(world.now, 0).unwrap();
    let mut expire = || world.ledger.expire(world.now, &RETENTION).unwrap();
    while expire().is_some() {}
}

/// The records, here and there, the notices, and what each kept event says of
/// its record, whatever the order of fields.
fn said(world: &World) -> [Vec<String>; 4] {
    let mut outcome = world.outcome();
    let mut of = |name| outcome.remove(name).unwrap();
    let events = world.database.events(
        "seq, data ->> 'record', data ->> 'version', data ->> 'late', data ->> 'notices',
         data ->> 'notices_at'",
    );
    [of("records"), of("d1"), of("notices"), events].map(sorted)
}

/// Rows with the fields of JSON objects in order.
fn sorted(rows: Vec<String>) -> Vec<String> {
    let part = |part: &str| match serde_json::from_str::<serde_json::Value>(part) {
        Ok(json) if json.is_object() => json.to_string(),
        _ => part.to_owned(),
    };
    let row = |row: String| row.split('|').map(part).collect::<Vec<_>>().join("|");
    rows.into_iter().map(row).collect()
}

/// Some events are gone with old history; a replay of the others changes
/// nothing.
fn nothing_changes(dialect: &'static str, gone: &[String], kept: &[String]) {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(dialect, &database, &d1);
    let filter = Filter::default();
    for body in gone {
        world.take(body, &filter);
    }
    world.forward();
    let gone = world.ledger.last_seq();
    expire(&mut world);
    for body in kept {
        world.take_at(body, &filter, world.now.plus_s(1));
    }
    world.forward();
    expire(&mut world);
    let last = world.ledger.last_seq();
    assert!(last == gone || world.ledger.kept_from() == gone + 1);
    let before = said(&world);
    for _ in 0..2 {
        world.replay(&all(last), &filter);
        assert_eq!(said(&world), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn partial_changes_stay(gone in vec(propexo(), 1..12), kept in vec(propexo(), 1..12)) {
        nothing_changes("propexo", &gone, &kept);
    }

    #[test]
    fn whole_objects_stay(gone in vec(any_of(0), 1..12), kept in vec(any_of(1), 1..12)) {
        nothing_changes("real-estate", &gone, &kept);
    }
}

/// Whole objects of even or odd minutes: in which order those of one time are,
/// what is gone can't tell any more.
fn any_of(odd: u8) -> impl Strategy<Value = String> {
    (0..9_u8, 0..4_u8, 0..9_u8)
        .prop_map(move |(event, record, minute)| whole(event, record, 2 * minute + odd))
}

fn change(previous: &str, new: &str) -> String {
    diff(
        "units",
        "u1",
        &format!("{{{previous}}}"),
        &format!("{{{new}}}"),
    )
}

/// What contradicted a value that is gone with its event did so, and what a unit
/// was before is known.
#[test]
fn drift_and_notices_outlive_their_history() {
    let gone = [change(
        r#""a":0,"status":"down""#,
        r#""a":1,"status":"occupied""#,
    )];
    let kept = [
        change(r#""is_vacant":true"#, r#""is_vacant":false"#),
        change(r#""a":2"#, r#""a":3"#),
        change(r#""status":"occupied""#, r#""status":"vacant""#),
    ];
    nothing_changes("propexo", &gone, &kept);
}

fn rent(from: u32, to: u32) -> String {
    let fields = |rent| format!(r#"{{"rent":{rent}}}"#);
    diff("leases", "l1", &fields(from), &fields(to))
}

/// What couldn't be applied outlives its history, and has been folded into its
/// record: read again, it doesn't bring old values back.
#[test]
fn what_is_older_than_what_is_gone_overrides_nothing() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let filter = Filter::default();
    world.take(&rent(1, 2), &filter);
    let batch = world.ledger.next_batch().unwrap();
    world.ledger.sent(batch.through, world.now);
    world
        .ledger
        .quarantine(1, Rewrite(0), NOT_APPLIED, world.now)
        .unwrap();
    world.take(&rent(2, 3), &filter);
    world.forward();
    for _ in 0..2 {
        expire(&mut world);
    }
    assert_eq!(database.events("seq"), ["1"], "the second one is gone");
    let record = "SELECT version, fields FROM records";
    assert_eq!(database.dump(record), [r#"2|{"rent":3}"#]);
    world.ask(&all(1));
    while world.ledger.has_replay() {
        world.step(&filter);
    }
    assert_eq!(database.dump(record), [r#"2|{"rent":3}"#]);
    assert_eq!(d1.dump(record), [r#"2|{"rent":3}"#]);
}
