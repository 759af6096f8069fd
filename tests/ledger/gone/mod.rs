//! Records that no synchronisation has seen for long: when they are marked as
//! gone, and when the mark goes.

mod marks;
mod world;

use leasewire::dialect::filter::Filter;
use leasewire::ledger::Marked;

use self::world::{World, group, ids};
use crate::common::{Database, diff};

/// What is said of so many that were marked.
fn marked(count: u64, answer: &Marked) {
    let expected = Marked {
        marked: count,
        seq: answer.seq,
        epoch: answer.epoch,
        ..Marked::default()
    };
    assert_eq!(*answer, expected);
}

#[test]
fn a_fifth_may_go_at_once_and_no_more() {
    let database = Database::default();
    let mut world = World::new(&database, 20);
    let answer = world.mark(&[group(Some("p"), 15, 0, &ids(0..5))]);
    assert_eq!((answer.marked, answer.refused), (0, Some([5, 20])));
    assert!(world.gone().is_empty());
    marked(4, &world.mark(&[group(Some("p"), 16, 0, &ids(0..4))]));
    assert_eq!(world.gone(), ids(0..4));
    // Once more says nothing new.
    let seq = world.ledger.last_seq();
    marked(0, &world.mark(&[group(Some("p"), 16, 0, &ids(0..4))]));
    assert_eq!(world.ledger.last_seq(), seq);
    // Of the others it may be a fifth again: 3 of 16.
    let answer = world.mark(&[group(Some("p"), 12, 0, &ids(0..8))]);
    assert_eq!(answer.refused, Some([4, 16]));
    marked(3, &world.mark(&[group(Some("p"), 13, 0, &ids(0..7))]));
}

#[test]
fn the_share_is_of_all_properties_together() {
    let database = Database::default();
    let mut world = World::new(&database, 20);
    let groups = [
        group(Some("p"), 9, 0, &ids(0..3)),
        group(Some("q"), 9, 0, &ids(10..12)),
    ];
    assert_eq!(world.mark(&groups).refused, Some([5, 20]));
    assert!(world.gone().is_empty());
}

#[test]
fn of_few_records_one_may_go() {
    let database = Database::default();
    let mut world = World::new(&database, 3);
    assert_eq!(
        world.mark(&[group(None, 4, 0, &ids(0..2))]).refused,
        Some([2, 3])
    );
    marked(1, &world.mark(&[group(None, 2, 0, &ids(0..1))]));
}

#[test]
fn a_property_of_which_most_was_not_seen_is_passed_over() {
    let database = Database::default();
    let mut world = World::new(&database, 40);
    let failed = [
        // Nothing was seen: its job has failed, or it is switched off.
        group(Some("off"), 0, 0, &ids(0..2)),
        // Half of it.
        group(Some("half"), 6, 4, &ids(2..4)),
        group(Some("on"), 6, 3, &ids(4..6)),
    ];
    let answer = world.mark(&failed);
    assert_eq!((answer.marked, answer.passed_over), (2, 4));
    assert_eq!(answer.properties, ["off", "half"]);
    assert_eq!(world.gone(), ids(4..6));
    // What is gone for good doesn't keep others from it.
    marked(1, &world.mark(&[group(Some("on"), 2, 0, &ids(4..7))]));
}

#[test]
fn what_was_heard_of_since_is_there() {
    let database = Database::default();
    let mut world = World::new(&database, 20);
    let synced = world.ledger.last_seq();
    world.take(&diff("leases", "l1", "{}", r#"{"rent":2}"#));
    let epoch = world.epoch();
    marked(
        1,
        &world.mark_at(synced, epoch, &[group(None, 9, 0, &ids(0..2))]),
    );
    assert_eq!(world.gone(), ["l0"]);
    // A read has shown it later than the list.
    world.read("l2", "2026-02-20T06:00:00.000Z");
    world.merge(
        "l3",
        r#"{"id":"l3","rent":3,"last_seen":"2026-02-20T06:00:00.000Z"}"#,
    );
    marked(0, &world.mark(&[group(None, 9, 0, &ids(3..4))]));
    assert_eq!(world.gone(), ["l0"]);
}

#[test]
fn what_the_ledger_does_not_know_is_not_marked() {
    let database = Database::default();
    let mut world = World::new(&database, 20);
    let unknown = ["x".to_owned(), String::new(), "l0".to_owned()];
    marked(1, &world.mark(&[group(None, 9, 0, &unknown)]));
    assert_eq!(world.gone(), ["l0"]);
    // Nor by the numbers of another epoch, or of none.
    let seq = world.ledger.last_seq();
    let groups = [group(None, 9, 0, &ids(1..2))];
    for epoch in [None, world.epoch().map(|epoch| epoch + 1)] {
        marked(0, &world.mark_at(seq, epoch, &groups));
    }
    assert_eq!(world.ledger.last_seq(), seq);
    // A ledger of which there is nothing stays nothing.
    let empty = Database::default();
    let mut nobody = World::new(&empty, 0);
    marked(0, &nobody.mark(&groups));
}

#[test]
fn a_time_that_is_none_marks_nothing() {
    let database = Database::default();
    let mut world = World::new(&database, 20);
    let mut odd = group(None, 9, 0, &ids(0..1));
    odd.items[0].last_seen = "long ago".to_owned();
    marked(0, &world.mark(&[odd]));
    assert!(world.gone().is_empty());
}

#[test]
fn what_a_filter_leaves_out_is_left_out() {
    let database = Database::default();
    let mut world = World::new(&database, 20);
    let only = |name: &str| Some(vec![name.to_owned()]);
    world.filter = Filter::new(None, None, only("another"));
    marked(0, &world.mark(&[group(None, 9, 0, &ids(0..1))]));
    // Which events the provider is to be heard with says nothing of it.
    world.filter = Filter::new(None, only("DATA_UPDATE"), only("p"));
    marked(1, &world.mark(&[group(None, 9, 0, &ids(0..1))]));
}

#[test]
fn many_are_marked_in_parts() {
    let database = Database::default();
    let mut world = World::new(&database, 2_700);
    let groups = [group(None, 2_160, 0, &ids(0..540))];
    let first = world.mark(&groups);
    assert_eq!((first.marked, first.has_more), (500, true));
    let second = world.mark(&groups);
    assert_eq!((second.marked, second.has_more), (40, false));
    assert_eq!(world.gone().len(), 540);
}
