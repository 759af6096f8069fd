//! A replay's steps: small ones end as one large one does, whatever comes in
//! between, and none of them is long.

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::ledger::Ledger;
use leasewire::ledger::replay::{Pace, Reader};
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::World;
use super::{all, diff, only_p0, propexo, real_estate, whole};
use crate::common::Database;

const NO_END: Pace = Pace {
    events_max: 1_000_000,
    bytes_max: u64::MAX,
};

/// When the queue delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    AtTheEnd,
    AtOnce,
    /// What is sent between two steps arrives between the next two.
    Late,
}

/// What happens between two steps.
struct Between<'a> {
    pace: Pace,
    queue: Queue,
    /// The n-th statement of every other step fails.
    fails: Option<u32>,
    /// These arrive, one a step.
    arrive: &'a [String],
}

/// Replays the log of `bodies`, of which some were ignored, in such steps.
fn replayed<'a>(
    dialect: &'static str,
    bodies: &[String],
    between: &Between,
    (database, d1): (&'a Database, &'a Database),
) -> Option<World<'a>> {
    let mut world = World::new(dialect, database, d1);
    let open = Filter::default();
    for body in bodies {
        world.take(body, &only_p0());
    }
    world.forward();
    let last = world.ledger.last_seq();
    if last == 0 {
        return None;
    }
    world.ask(&all(last));
    let mut arrive = between.arrive.iter();
    let reader = Reader {
        dialect: dialect::named(dialect).unwrap(),
        filter: &open,
    };
    let mut on_the_way = Vec::new();
    for step in 0.. {
        if !world.ledger.has_replay() {
            break;
        }
        assert!(step < 10_000, "the replay goes on for ever");
        world.ledger.set_pace(between.pace);
        database
            .fails_in
            .set(between.fails.filter(|_| step % 2 == 0));
        let stepped = world.ledger.replay(&reader, world.now);
        database.fails_in.set(None);
        if stepped.is_err() || between.fails.is_some() {
            world.ledger = Ledger::open(database).unwrap();
        }
        if let Some(body) = arrive.next() {
            world.take(body, &open);
        }
        on_the_way
            .drain(..)
            .for_each(|pack: String| world.apply(&pack));
        while between.queue == Queue::Late && world.ledger.may_send() {
            on_the_way.extend(world.send());
        }
        if between.queue == Queue::AtOnce {
            world.forward();
        }
    }
    on_the_way.iter().for_each(|pack| world.apply(pack));
    for body in arrive {
        world.take(body, &open);
    }
    world.forward();
    Some(world)
}

/// The same in one step, and in small ones; `parts` of what comes out are
/// compared.
fn same(dialect: &'static str, bodies: &[String], between: &Between, parts: &[&str]) {
    let large = Between {
        pace: NO_END,
        queue: Queue::AtTheEnd,
        fails: None,
        ..*between
    };
    let (one, other) = (Database::default(), Database::default());
    let (d1_one, d1_other) = (Database::default(), Database::default());
    let large = replayed(dialect, bodies, &large, (&one, &d1_one));
    let small = replayed(dialect, bodies, between, (&other, &d1_other));
    let (Some(large), Some(small)) = (large, small) else {
        return;
    };
    for part in parts {
        assert_eq!(small.outcome()[part], large.outcome()[part], "{part}");
    }
}

fn pace() -> impl Strategy<Value = Pace> {
    let sizes = prop_oneof![Just(u64::MAX), 1..2_000_u64];
    (1..6_u64, sizes).prop_map(|(events_max, bytes_max)| Pace {
        events_max,
        bytes_max,
    })
}

fn queue() -> impl Strategy<Value = Queue> {
    prop_oneof![
        Just(Queue::AtTheEnd),
        Just(Queue::AtOnce),
        Just(Queue::Late)
    ]
}

/// Changes that can't be taken for repetitions.
fn arriving(count: u8) -> Vec<String> {
    (0..count).map(|n| diff(n % 4, 7, n, n + 1)).collect()
}

const ALL: [&str; 4] = ["records", "d1", "notices", "events"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small_steps_end_as_a_large_one(
        bodies in vec(propexo(), 1..40), pace in pace(), queue in queue(),
        fails in prop_oneof![Just(None), (0..40_u32).prop_map(Some)],
    ) {
        let between = Between { pace, queue, fails, arrive: &[] };
        same("propexo", &bodies, &between, &ALL);
    }

    #[test]
    fn small_steps_over_whole_objects_end_as_a_large_one(
        bodies in vec(real_estate(), 1..40), pace in pace(), queue in queue(),
    ) {
        let between = Between { pace, queue, fails: None, arrive: &[] };
        same("real-estate", &bodies, &between, &ALL);
    }

    /// What comes in while a record is half folded is folded in, too.
    #[test]
    fn what_arrives_between_steps_is_folded_in(
        bodies in vec(propexo(), 1..40), pace in pace(), queue in queue(), count in 1..8_u8,
    ) {
        let arrive = arriving(count);
        let between = Between { pace, queue, fails: None, arrive: &arrive };
        same("propexo", &bodies, &between, &["records", "d1"]);
    }

    #[test]
    fn whole_objects_that_arrive_between_steps_are_folded_in(
        bodies in vec(real_estate(), 1..40), pace in pace(),
        arrive in vec((20..30_u8, 0..4_u8, 0..12_u8), 1..8),
    ) {
        let arrive: Vec<_> = arrive
            .into_iter()
            .map(|(event, record, minute)| whole(event, record, minute))
            .collect();
        let between = Between { pace, queue: Queue::AtOnce, fails: None, arrive: &arrive };
        same("real-estate", &bodies, &between, &["records", "d1"]);
    }
}

/// A record with thousands of events: no step folds more of them than it may,
/// and webhooks are taken in between.
#[test]
fn no_step_folds_a_record_with_many_events_at_once() {
    const EVENTS: u64 = 3_000;
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new("propexo", &database, &d1);
    let open = Filter::default();
    let change = |n: u64| {
        format!(
            r#"{{"meta":{{"object":"units"}},"record_id":"u1","diff":{{"previous":{{"n":{n}}},"new":{{"n":{}}}}}}}"#,
            n + 1
        )
    };
    for n in 0..EVENTS {
        world.take(&change(n), &open);
    }
    world.forward();
    let before = d1.dump("SELECT version, fields FROM records");
    world.ask(&all(EVENTS));
    let mut steps = 0;
    while world.ledger.has_replay() {
        let written = database.connection.total_changes();
        world.step(&open);
        let written = database.connection.total_changes() - written;
        assert!(written <= 1_100, "{written} rows in one step");
        world.ledger = Ledger::open(&database).unwrap();
        assert_eq!(world.take(&change(EVENTS + steps), &open).0, "accepted");
        steps += 1;
    }
    assert!((6..16).contains(&steps), "{steps} steps");
    world.forward();
    let records = "SELECT version, fields, drift FROM records";
    let last = EVENTS + steps;
    let expected = [format!(r#"{last}|{{"n":{last}}}|0"#)];
    assert_eq!(d1.dump(records), expected);
    assert_ne!(before, expected);
    assert_eq!(database.dump(records), expected);
}

/// One replay brings in two events of a record, in two steps: what the second
/// makes of it wins, also where what the first had made is confirmed after it.
#[test]
fn a_record_that_is_folded_twice_ends_whole() {
    for queue in [Queue::AtOnce, Queue::Late] {
        folds_twice(queue);
    }
}

fn folds_twice(queue: Queue) {
    let (database, d1) = (Database::default(), Database::default());
    let mut bodies = vec![diff(2, 0, 0, 1)];
    bodies.extend((0..5).map(|n| diff(1, 0, n, n + 1)));
    // Of another property, and so ignored at first.
    bodies.push(diff(2, 1, 0, 1));
    bodies.push(diff(2, 2, 0, 1).replace("p0", "p1"));
    bodies.push(diff(2, 3, 0, 1).replace("p0", "p1"));
    let between = Between {
        pace: Pace {
            events_max: 1,
            bytes_max: u64::MAX,
        },
        queue,
        fails: None,
        arrive: &[],
    };
    let world = replayed("propexo", &bodies, &between, (&database, &d1)).unwrap();
    let fields = "SELECT version, fields FROM records WHERE record_id = 'r2'";
    assert_eq!(d1.dump(fields), database.dump(fields));
    assert!(d1.dump(fields)[0].contains(r#""f3":1"#));
    drop(world);
}
