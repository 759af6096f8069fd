//! Replays: whatever was ignored or not understood at first, after a replay
//! everything is as if it had been handled that way from the beginning.

mod gone;
mod steps;
mod unplaced;
mod world;

use crate::common::{Database, job, named, range};
use leasewire::dialect::filter::Filter;
use leasewire::ledger::replay::Request;
use leasewire::ledger::{Ledger, NOT_APPLIED, Rewrite};
use leasewire::projection::Projection;
use proptest::collection::vec;
use proptest::prelude::*;
use world::World;

fn all(to: u64) -> Request {
    range(1, to)
}

fn diff(record: u8, field: u8, from: u8, to: u8) -> String {
    let vacant = |value: u8| value.is_multiple_of(2);
    format!(
        r#"{{"meta":{{"object":"units"}},"record_id":"r{record}","diff":{{"previous":{{"f{field}":{from},"is_vacant":{}}},"new":{{"f{field}":{to},"is_vacant":{},"property_id":"p{}"}}}}}}"#,
        vacant(from),
        vacant(to),
        record % 2
    )
}

fn whole(event: u8, record: u8, minute: u8) -> String {
    format!(
        r#"{{"id":"evt_{record}_{event}","type":"unit.updated","created":"2026-01-01T00:{minute:02}:00Z","data":{{"unit":{{"id":"r{record}","f0":{event},"is_vacant":{},"property_id":"p{}"}}}}}}"#,
        event.is_multiple_of(2),
        record % 2
    )
}

fn only_p0() -> Filter {
    Filter::new(None, None, Some(vec!["p0".to_owned()]))
}

fn propexo() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..4_u8, 0..2_u8, 0..3_u8, 0..3_u8)
            .prop_map(|(record, field, from, to)| diff(record, field, from, to)),
        1 => (0..9_u32).prop_map(job),
        1 => (0..9_u8).prop_map(|id| format!("junk {id}")),
    ]
}

fn real_estate() -> impl Strategy<Value = String> {
    (0..9_u8, 0..4_u8, 0..9_u8).prop_map(|(event, record, minute)| whole(event, record, minute))
}

/// Ignored at first and brought in by a replay, against never ignored.
fn as_if_never_ignored(dialect: &'static str, bodies: &[String], later: &[String]) {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(dialect, &database, &d1);
    let accepted: Vec<&String> = bodies
        .iter()
        .filter(|body| world.take(body, &only_p0()).0 != "duplicate")
        .collect();
    world.forward();
    let last = world.ledger.last_seq();
    if last == 0 {
        return;
    }
    world.replay(&all(last), &Filter::default());
    for body in later {
        world.take(body, &Filter::default());
    }
    world.forward();

    let (database, d1) = (Database::default(), Database::default());
    let mut expected = World::new(dialect, &database, &d1);
    // The index knows every repetition, as after a replay.
    for body in accepted {
        expected.take(body, &Filter::default());
    }
    prop_assert_same(&mut world, &mut expected, last, later);
}

fn prop_assert_same(world: &mut World, expected: &mut World, last: u64, later: &[String]) {
    if expected.ledger.last_seq() != last {
        // An identical change that was real: only a record that is known
        // can tell it from a repetition.
        return;
    }
    for body in later {
        expected.take(body, &Filter::default());
    }
    expected.forward();
    assert_eq!(world.outcome()["records"], expected.outcome()["records"]);
    assert_eq!(world.outcome()["d1"], expected.outcome()["d1"]);
    assert_eq!(world.outcome()["notices"], expected.outcome()["notices"]);
    assert_eq!(world.outcome()["events"], expected.outcome()["events"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn partial_changes_come_in(bodies in vec(propexo(), 1..40), later in vec(propexo(), 0..6)) {
        as_if_never_ignored("propexo", &bodies, &later);
    }

    #[test]
    fn whole_objects_come_in(bodies in vec(real_estate(), 1..40), later in vec(real_estate(), 0..6)) {
        as_if_never_ignored("real-estate", &bodies, &later);
    }

    /// Replaying everything changes nothing, however often.
    #[test]
    fn a_replay_under_the_same_filter_changes_nothing(bodies in vec(propexo(), 1..40)) {
        let (database, d1) = (Database::default(), Database::default());
        let mut world = World::new("propexo", &database, &d1);
        for body in &bodies {
            world.take(body, &only_p0());
        }
        world.forward();
        let before = world.outcome();
        let last = world.ledger.last_seq();
        for _ in 0..2 {
            world.replay(&all(last), &only_p0());
            prop_assert_eq!(&world.outcome(), &before);
        }
    }
}

/// Propexo's documents have the model under `object` first; Propify's know
/// `meta.object` alone.
#[test]
fn what_was_not_understood_comes_in() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let odd = |record: &str, previous: &str, new: &str| {
        format!(
            r#"{{"object":"","meta":{{"object":"leases"}},"record_id":"{record}","diff":{{"previous":{previous},"new":{new}}}}}"#
        )
    };
    let open = Filter::default();
    for (body, status) in [
        (
            odd("r1", "{}", r#"{"a":1}"#).replace(r#""object":"","#, ""),
            "accepted",
        ),
        (odd("r1", r#"{"a":1}"#, r#"{"a":2,"b":1}"#), "quarantined"),
        (odd("r2", "{}", r#"{"c":1}"#), "quarantined"),
        (
            odd("r1", r#"{"b":1}"#, r#"{"b":3}"#).replace(r#""object":"","#, ""),
            "accepted",
        ),
    ] {
        assert_eq!(world.take(&body, &open).0, status);
    }
    // What is on its way while it is replayed arrives as it was before.
    let batch = world.ledger.next_batch().unwrap();
    world.dialect = "propify";
    world.ask(&all(4));
    world.step(&open);
    world.ledger.sent(batch.through, world.now);
    for pack in batch.packs {
        let read = Projection::read(&pack.text).unwrap();
        for statement in read.statements(world.now, world.now) {
            d1.run(&statement);
        }
        world.ledger.confirm(read.pack, world.now).unwrap();
    }
    world.forward();
    let progress = world.ledger.state().unwrap().unwrap().replay.unwrap();
    assert_eq!((progress.count, progress.done), (4, 4));
    let fields = d1.dump("SELECT record_id, fields FROM records ORDER BY 1");
    assert_eq!(fields, [r#"r1|{"a":2,"b":3}"#, r#"r2|{"c":1}"#]);
}

/// Of a unit's notices those hold that its last replay gives, whatever arrives
/// late from the time before.
#[test]
fn notices_are_those_of_the_last_replay() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let (open, notices) = (
        Filter::default(),
        "SELECT seq, kind FROM notices ORDER BY seq",
    );
    let body = |model: &str, status: &str, more: u8| {
        format!(
            r#"{{{model}"meta":{{"object":"units"}},"record_id":"u1","diff":{{"previous":{{}},"new":{{"status":"{status}","n":{more}}}}}}}"#
        )
    };
    for (body, status) in [
        (body("", "vacant", 1), "accepted"),
        (body(r#""object":"","#, "occupied", 2), "quarantined"),
        (body("", "occupied", 3), "accepted"),
        (body("", "occupied", 4), "accepted"),
    ] {
        assert_eq!(world.take(&body, &open).0, status);
    }
    let batch = world.ledger.next_batch().unwrap();
    world.forward();
    assert_eq!(d1.dump(notices), ["3|unit.occupied"]);

    // Propify has the model in one place only, so now it's understood.
    world.dialect = "propify";
    let request = Request {
        from: 2,
        to: 2,
        ..all(2)
    };
    world.replay(&request, &open);
    assert_eq!(d1.dump(notices), ["2|unit.occupied"]);
    for pack in batch.packs {
        let read = Projection::read(&pack.text).unwrap();
        for statement in read.statements(world.now, world.now) {
            d1.run(&statement);
        }
    }
    assert_eq!(d1.dump(notices), ["2|unit.occupied"]);
    world.replay(&all(4), &open);
    assert_eq!(d1.dump(notices), ["2|unit.occupied"]);
    assert_eq!(world.take(&body("", "vacant", 5), &open), ("accepted", 5));
    world.forward();
    assert_eq!(d1.dump(notices), ["2|unit.occupied", "5|unit.vacated"]);
}

/// Two replays that begin with the same event, the second one shorter.
#[test]
fn a_replay_does_not_cut_another_short() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let open = Filter::default();
    for to in 1..=5 {
        world.take(&diff(to, 0, 0, to), &open);
    }
    world.forward();
    // Writes the watermark, or a ledger opened anew would send all of it.
    world.ledger.wake(world.now, 0).unwrap();
    for to in [5, 1] {
        world.ask(&all(to));
        world.step(&open);
        assert!(!world.ledger.has_replay());
    }
    world.ledger = Ledger::open(&database).unwrap();
    let sent = world.forward().join("\n");
    for seq in 1..=5 {
        let id = format!(r#""id":"{seq}-"#);
        assert!(sent.contains(&id), "{seq} in {sent}");
    }
}

/// A message from before a replay says nothing of what the replay wrote.
#[test]
fn an_old_confirmation_revives_nothing() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let open = Filter::default();
    world.take(&diff(1, 0, 0, 1), &open);
    world.forward();
    world.ask(&all(1));
    world.step(&open);
    let batch = world.ledger.next_batch().unwrap();
    world.ledger.sent(batch.through, world.now);
    let dead = |world: &World| world.ledger.state().unwrap().unwrap().dead;
    world
        .ledger
        .dead_letter(named(1, 1, 1), "no", world.now)
        .unwrap();
    assert_eq!(dead(&world), 1);
    world.ledger.confirm(named(1, 1, 0), world.now).unwrap();
    assert_eq!(dead(&world), 1);
    world.ledger.confirm(named(1, 1, 1), world.now).unwrap();
    assert_eq!(dead(&world), 0);
}

/// A quarantine that was written, and then failed: nothing is left to be sent
/// again, and nobody waits for it for ever.
#[test]
fn a_stretch_with_nothing_in_it_ends() {
    for statement in 0..12 {
        let (database, d1) = (Database::default(), Database::default());
        let mut world = World::new("propexo", &database, &d1);
        world.take(&diff(1, 0, 0, 1), &Filter::default());
        world.forward();
        world.ask(&all(1));
        world.step(&Filter::default());
        while world.ledger.may_send() {
            let batch = world.ledger.next_batch().unwrap();
            world.ledger.sent(batch.through, world.now);
        }
        database.fails_in.set(Some(statement));
        let failed = world
            .ledger
            .quarantine(1, Rewrite(1), NOT_APPLIED, world.now)
            .is_err();
        database.fails_in.set(None);
        let state = world.ledger.state().unwrap().unwrap();
        if !failed || state.quarantined == 0 {
            continue;
        }
        let mut wakes = 0;
        while world.ledger.has_unsettled() {
            world.now = world.now.plus_s(3_600);
            world.ledger.wake(world.now, 0).unwrap();
            wakes += 1;
            assert!(wakes < 5, "after statement {statement}");
        }
        assert_eq!(database.dump("SELECT count(*) FROM again"), ["0"]);
        return;
    }
    panic!("no statement fails behind the quarantine");
}
