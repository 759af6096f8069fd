//! What is owed: asked for once it is quiet, one read at a time, until a read
//! that began after the last event is merged.

use leasewire::connector::{Next, Then};
use leasewire::ledger::{MergeOutcome, Owed};

use crate::world::{World, of};

const ALL: &str = r#"{"kind":"propexo","key":"KEY"}"#;

fn owed_state(world: &World, expected: &str) {
    let state = world.state(&world.open());
    assert!(state.contains(expected), "{state}");
}

#[test]
fn many_events_in_seconds_are_one_request() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    for _ in 0..50 {
        world.seq += 1;
        let owed = world.owed("int_1", &[("leases", "l1")]);
        world.tell(&mut connector, &owed);
        world.now = world.now.plus_ms(100);
    }
    assert_eq!(world.run(&mut connector, 120), 1);
    assert_eq!(world.requests[0].path_and_query, "/v1/leases/l1");
    assert_eq!(world.snapshots[0].asked_seq, 60);
    assert_eq!(
        world.snapshots[0].items[0].json.matches("750000.0").count(),
        1
    );
    owed_state(&world, r#""owed":{"records":0"#);
}

#[test]
fn a_record_that_never_rests_is_asked_for_after_a_minute() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    let mut asked_after = None;
    let since = world.now;
    for second in 0..70 {
        world.seq += 1;
        let mut owed = world.owed("int_1", &[("leases", "l1")]);
        owed.records[0].since = since.max(world.now);
        world.tell(&mut connector, &owed);
        if matches!(world.next(&mut connector), Next::Fetch(_)) {
            asked_after = Some(second);
            break;
        }
        world.now = world.now.plus_s(1);
    }
    assert_eq!(asked_after, Some(60));
}

#[test]
fn what_is_told_while_it_is_read_stays_owed() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(6);
    let Next::Fetch(request) = world.next(&mut connector) else {
        panic!("it is due");
    };
    // One at a time.
    assert!(!matches!(world.next(&mut connector), Next::Fetch(_)));
    world.seq += 1;
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.serve(&mut connector, request);
    assert_eq!(world.snapshots[0].asked_seq, 10);
    owed_state(&world, r#""owed":{"records":1"#);
    assert_eq!(world.run(&mut connector, 60), 1);
    assert_eq!(world.snapshots[1].asked_seq, 11);
    owed_state(&world, r#""owed":{"records":0"#);
}

#[test]
fn nothing_is_cleared_before_the_ledger_has_it() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(6);
    let Next::Fetch(request) = world.next(&mut connector) else {
        panic!("it is due");
    };
    let answer = world.answer(&request.path_and_query);
    let then = connector
        .answered(request.ticket, answer, world.now, 0)
        .unwrap();
    assert!(matches!(then, Then::Merge(_)));
    owed_state(&world, r#""owed":{"records":1"#);
    connector.merged(request.ticket, None, world.now).unwrap();
    owed_state(&world, r#""owed":{"records":1"#);
    assert_eq!(world.run(&mut connector, 60), 1);
    owed_state(&world, r#""owed":{"records":0"#);
}

#[test]
fn a_stale_read_is_made_again_and_the_fourth_is_believed() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.outcomes = vec![MergeOutcome::Stale; 3];
    assert_eq!(world.run(&mut connector, 30), 1);
    assert_eq!(world.run(&mut connector, 3_600), 3);
    let believed: Vec<bool> = world.snapshots.iter().map(|one| one.is_believed).collect();
    assert_eq!(believed, [false, false, false, true]);
}

#[test]
fn many_of_one_model_are_walked() {
    let mut world = World::new(ALL);
    let ids: Vec<String> = (0..20_000).map(|at| format!("l{at}")).collect();
    for id in &ids {
        world.add(id, world.now.ms());
    }
    // This one changes without its time.
    world.add("still", world.now.minus_s(86_400).ms());
    let mut connector = world.open();
    let mut records: Vec<(&str, &str)> = ids.iter().map(|id| ("leases", id.as_str())).collect();
    records.push(("leases", "still"));
    let owed = world.owed("int_1", &records);
    world.tell(&mut connector, &owed);
    let requests = world.run(&mut connector, 600);
    assert!(requests <= 100 + 5, "{requests}");
    owed_state(&world, r#""owed":{"records":0"#);
    assert_eq!(
        world.requests.last().unwrap().path_and_query,
        "/v1/leases/still"
    );
}

#[test]
fn what_is_not_found_is_asked_for_later_and_given_up_at_last() {
    let mut world = World::new(ALL);
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    let mut asked = Vec::new();
    let began = world.now;
    for _ in 0..1_000 {
        match world.next(&mut connector) {
            Next::Fetch(request) => {
                asked.push((world.now.ms() - began.ms()) / 1_000);
                world.serve(&mut connector, request);
            }
            Next::Wait(at) => world.now = at,
            Next::Nothing => break,
        }
    }
    assert_eq!(asked, [5, 15, 75, 675]);
    owed_state(&world, r#""after_sync":1"#);
    let synced = world.synced("int_1", false, &[]);
    world.tell(&mut connector, &synced);
    assert_eq!(world.run(&mut connector, 7_200), 1);
    owed_state(&world, r#""after_sync":0,"unfetchable":1"#);
    // Another event makes it owed again.
    world.seq += 1;
    world.add("l1", world.now.ms());
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    assert_eq!(world.run(&mut connector, 60), 1);
    owed_state(&world, r#""after_sync":0,"unfetchable":0"#);
}

#[test]
fn someone_who_asks_comes_first() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    world.add("l2", world.now.ms());
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(10);
    let api = world.api.clone();
    assert!(
        connector
            .hydrate(&of("int_1"), "leases", "l2", &api, world.now)
            .unwrap()
    );
    assert!(
        !connector
            .hydrate(&of("int_1"), "screenings", "s", &api, world.now)
            .unwrap()
    );
    world.run(&mut connector, 5);
    assert_eq!(world.requests[0].path_and_query, "/v1/leases/l2");
    assert_eq!(world.requests.len(), 2);
}

#[test]
fn what_was_under_way_is_asked_for_again() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(6);
    assert!(matches!(world.next(&mut connector), Next::Fetch(_)));
    let mut connector = world.open();
    assert_eq!(world.run(&mut connector, 60), 1);
    // An answer of an earlier life is nobody's.
    let late = connector.answered(1, crate::world::status(200, "{}"), world.now, 0);
    assert_eq!(late.unwrap(), Then::Done);
}

#[test]
fn numbers_that_begin_anew_clear_nothing_of_before() {
    let mut world = World::new(ALL);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(6);
    let Next::Fetch(request) = world.next(&mut connector) else {
        panic!("it is due");
    };
    let owed = Owed {
        epoch: 2,
        seq: 3,
        ..world.owed("int_1", &[("leases", "l1")])
    };
    world.tell(&mut connector, &owed);
    world.serve(&mut connector, request);
    owed_state(&world, r#""owed":{"records":1"#);
    assert_eq!(world.run(&mut connector, 60), 1);
    assert_eq!(
        (world.snapshots[1].asked_seq, world.snapshots[1].epoch),
        (3, Some(2))
    );
    owed_state(&world, r#""owed":{"records":0"#);
}

#[test]
fn what_is_owed_already_writes_no_row() {
    let mut world = World::new(ALL);
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1"), ("leases", "l2")]);
    world.tell(&mut connector, &owed);
    let before = world.database.connection.total_changes();
    world.seq += 5;
    let owed = world.owed(
        "int_1",
        &[("leases", "l1"), ("leases", "l2"), ("leases", "l3")],
    );
    world.tell(&mut connector, &owed);
    assert_eq!(world.database.connection.total_changes() - before, 1);
}
