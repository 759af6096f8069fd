//! Replays where events of a record are gone with old history.

use leasewire::dialect::filter::Filter;
use leasewire::ledger::{NOT_APPLIED, Retention};

use crate::all;
use crate::common::Database;
use crate::world::World;

fn rent(from: u32, to: u32) -> String {
    format!(
        r#"{{"meta":{{"object":"leases"}},"record_id":"l1","diff":{{"previous":{{"rent":{from}}},"new":{{"rent":{to}}}}}}}"#
    )
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
        .quarantine(1, 0, NOT_APPLIED, world.now)
        .unwrap();
    world.take(&rent(2, 3), &filter);
    world.forward();
    let retention = Retention::new(3 * 86_400, 172_800);
    for _ in 0..2 {
        world.now = world.now.plus_s(10 * 86_400);
        world.ledger.wake(world.now, 0).unwrap();
        while world
            .ledger
            .expire(world.now, &retention)
            .unwrap()
            .is_some()
        {}
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
