//! Updates that came before it was known to which property their record
//! belongs.

use leasewire::dialect::filter::Filter;
use leasewire::ledger::Ledger;

use super::world::World;
use super::{all, only_p0};
use crate::common::Database;

fn rent(record: &str, from: u32, to: u32, more: &str) -> String {
    format!(
        r#"{{"meta":{{"object":"leases","integration_id":"i"}},"record_id":"{record}","diff":{{"previous":{{"rent":{from}}},"new":{{"rent":{to}{more}}}}}}}"#
    )
}

fn created(record: &str, property: &str) -> String {
    format!(
        r#"{{"meta":{{"object":"leases","integration_id":"i"}},"record_id":"{record}","payload":{{"property_id":"{property}","rent":1,"status":"active"}}}}"#
    )
}

/// Replays that nobody asked for, to their end.
fn replay_on(world: &mut World, filter: &Filter) {
    while world.ledger.has_replay() {
        world.step(filter);
        world.ledger = Ledger::open(world.database).unwrap();
    }
    world.forward();
}

#[test]
fn what_was_ignored_of_a_record_comes_in_when_it_turns_out_to_be_linked() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let filter = only_p0();
    assert_eq!(world.take(&rent("l1", 1, 2, ""), &filter), ("ignored", 1));
    let linked = rent("l2", 1, 2, r#","property_id":"p0""#);
    assert_eq!(world.take(&linked, &filter), ("accepted", 2));
    assert_eq!(world.take(&rent("l1", 2, 3, ""), &filter), ("ignored", 3));
    assert_eq!(world.take(&rent("l3", 2, 3, ""), &filter), ("ignored", 4));
    world.forward();
    world.ledger = Ledger::open(&database).unwrap();
    assert_eq!(world.take(&created("l1", "p0"), &filter), ("accepted", 5));
    assert!(world.ledger.has_replay());
    replay_on(&mut world, &filter);
    let records = "SELECT record_id, fields, generation FROM records ORDER BY record_id";
    let expected = [
        r#"l1|{"rent":3,"property_id":"p0","status":"active"}|2"#,
        // Nothing else is read again.
        r#"l2|{"rent":2,"property_id":"p0"}|0"#,
    ];
    assert_eq!(d1.dump(records), expected);
    // What is known of is placed once; the others wait on.
    assert_eq!(database.dump("SELECT record_id FROM unplaced"), ["l3"]);
    world.take(&rent("l1", 3, 4, ""), &filter);
    assert!(!world.ledger.has_replay());
}

#[test]
fn a_record_of_another_property_stays_out() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let filter = only_p0();
    world.take(&rent("l1", 1, 2, ""), &filter);
    assert_eq!(world.take(&created("l1", "p1"), &filter), ("ignored", 2));
    assert!(!world.ledger.has_replay());
    world.forward();
    assert!(d1.dump("SELECT record_id FROM records").is_empty());
}

/// What a replay leaves out under a filter that is new, comes in the same way.
#[test]
fn what_a_replay_has_left_out_comes_in_too() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    for (from, to) in [(1, 2), (2, 3)] {
        world.take(&rent("l1", from, to, ""), &Filter::default());
    }
    world.forward();
    let filter = only_p0();
    for _ in 0..2 {
        world.replay(&all(2), &filter);
        let unplaced = "SELECT record_id, first_seq, last_seq, count FROM unplaced";
        assert_eq!(database.dump(unplaced), ["l1|1|2|2"]);
    }
    assert!(database.dump("SELECT record_id FROM records").is_empty());
    assert_eq!(world.take(&created("l1", "p0"), &filter), ("accepted", 3));
    replay_on(&mut world, &filter);
    let fields = r#"{"rent":3,"property_id":"p0","status":"active"}"#;
    let records = "SELECT version, fields FROM records";
    assert_eq!(database.dump(records), [format!("3|{fields}")]);
    assert_eq!(d1.dump(records), [format!("3|{fields}")]);
}
