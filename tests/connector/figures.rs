//! What a connector tells D1, and what the sweep finds.

use std::rc::Rc;

use leasewire::connector::{Answer, Call, Connector, Failure, Next};
use leasewire::sql::Statement;
use leasewire::time::Timestamp;

use super::world::{World, api, found, status};
use crate::common::Database;

const API: &str = r#"{"kind":"propexo","key":"KEY","backfill":false}"#;

/// A world with some records owed, due.
fn owing(ids: &[&str]) -> (World, Connector<&'static Database>) {
    let mut world = World::new(API);
    let mut connector = world.open();
    let records: Vec<_> = ids.iter().map(|id| ("leases", *id)).collect();
    let owed = world.owed("int_1", &records);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(6);
    (world, connector)
}

fn due(world: &World, connector: &mut Connector<&Database>) -> Option<Statement> {
    let api = world.api.clone();
    let setups = move |_: &str| Some(api.clone());
    connector.report(&setups, world.now).unwrap()
}

fn sweep(world: &World, connector: &mut Connector<&Database>) -> bool {
    let api = world.api.clone();
    let setups = move |_: &str| Some(api.clone());
    connector.sweep(&setups, world.now).unwrap()
}

/// Asks for one thing, and answers that.
fn ask(world: &mut World, connector: &mut Connector<&Database>, answer: Answer) {
    let Next::Fetch(request) = world.next(connector) else {
        panic!("nothing is due")
    };
    world.answers = vec![answer];
    world.serve(connector, request);
}

fn d1() -> Database {
    let d1 = Database::default();
    d1.migrate();
    d1
}

const ROW: &str = "SELECT source, answered, not_found, refused, limited, failed, repaired, owed,
                          given_up, walks, is_refused, owed_since, standing_since FROM connectors";

/// D1's row once this has been written, too.
fn row(d1: &Database, report: Option<Statement>) -> String {
    d1.run(&report.expect("there is a report"));
    d1.dump(ROW).join("\n")
}

#[test]
fn what_became_of_requests_is_told_once_a_minute() {
    let (mut world, mut connector) = owing(&["a", "b", "c", "d", "e"]);
    let began = world.now;
    assert_eq!(connector.alarm_at(None), Some(began.plus_s(54)));
    let wrong = r#"{"results":{"id":"other"}}"#;
    for answer in [
        status(404, ""),
        found(wrong),
        status(403, ""),
        Answer::Failed(Failure::TooLarge),
    ] {
        ask(&mut world, &mut connector, answer);
        // What is forbidden is not asked for again: by the next, another model is.
        let owed = world.owed("int_1", &[("units", "u1"), ("residents", "r1")]);
        world.tell(&mut connector, &owed);
        world.now = world.now.plus_s(5);
    }
    ask(&mut world, &mut connector, status(429, ""));
    assert_eq!(due(&world, &mut connector), None);
    world.now = began.plus_s(53);
    assert_eq!(due(&world, &mut connector), None);
    world.now = began.plus_s(54);
    let d1 = d1();
    let told = row(&d1, due(&world, &mut connector));
    assert_eq!(
        told.split('|').collect::<Vec<_>>()[..7],
        ["propexo", "1", "1", "1", "1", "1", "0"]
    );
    // Nothing is new since.
    assert_eq!(due(&world, &mut connector), None);
    assert_eq!(connector.alarm_at(None).unwrap(), began.plus_s(86_394));
    // What was counted is there after the memory has gone, too.
    let mut connector = world.open();
    world.wake(&mut connector);
    let again = row(&d1, due(&world, &mut connector));
    assert_eq!(
        told.split('|').take(7).collect::<Vec<_>>(),
        again.split('|').take(7).collect::<Vec<_>>()
    );
}

#[test]
fn a_report_that_failed_comes_again_and_a_late_one_changes_nothing() {
    let (mut world, mut connector) = owing(&["a"]);
    world.add("a", world.now.ms());
    let d1 = d1();
    let first = world.report(&mut connector);
    connector.unreported(world.now);
    assert_eq!(connector.alarm_at(None), Some(world.now.plus_s(600)));
    assert_eq!(due(&world, &mut connector), None);
    world.run(&mut connector, 600);
    let second = due(&world, &mut connector);
    let newer = row(&d1, second);
    assert!(newer.contains("|0|0|0|0|NULL|NULL"), "{newer}");
    assert_eq!(row(&d1, first), newer);
}

#[test]
fn repaired_records_are_counted_where_nobody_had_told_of_them() {
    let mut world = World::new(API);
    let mut connector = world.open();
    let ms = world.now.ms();
    for id in ["a", "b", "c"] {
        world.add(id, ms);
    }
    let owed = world.synced("int_1", false, &["leases"]);
    world.tell(&mut connector, &owed);
    let owed = world.owed("int_1", &[("leases", "a")]);
    world.tell(&mut connector, &owed);
    world.run(&mut connector, 30);
    let told = row(&d1(), world.report(&mut connector));
    assert_eq!(told.split('|').nth(6), Some("2"), "{told}");
}

fn text(at: Timestamp) -> String {
    at.to_string()
}

#[test]
fn work_that_stands_is_told_with_the_time_since_when() {
    let (mut world, mut connector) = owing(&["a", "b"]);
    world.add("a", world.now.ms());
    let d1 = d1();
    let due_at = world.now.minus_s(1);
    // Nothing was ever answered: since it is due.
    let told = row(&d1, world.report(&mut connector));
    let since = text(world.now.minus_s(6));
    assert!(
        told.ends_with(&format!("|2|0|0|0|{since}|{}", text(due_at))),
        "{told}"
    );
    // Refused: that is no answer.
    ask(&mut world, &mut connector, status(401, ""));
    world.now = world.now.plus_s(300);
    let told = row(&d1, world.report(&mut connector));
    assert!(
        told.ends_with(&format!("|2|0|0|1|{since}|{}", text(due_at))),
        "{told}"
    );
    // One is answered: since then.
    world.now = world.now.plus_s(900);
    let answered_at = world.now;
    let one = world.answer("/v1/leases/a");
    ask(&mut world, &mut connector, one);
    world.now = world.now.plus_s(60);
    let told = row(&d1, world.report(&mut connector));
    assert!(
        told.ends_with(&format!("|1|0|0|0|{since}|{}", text(answered_at))),
        "{told}"
    );
    // The other isn't found, and waits its time: nothing stands.
    for pause_s in [1, 10, 60] {
        world.now = world.now.plus_s(pause_s);
        ask(&mut world, &mut connector, status(404, ""));
    }
    let told = row(&d1, world.report(&mut connector));
    assert!(told.ends_with(&format!("|1|0|0|0|{since}|NULL")), "{told}");
}

#[test]
fn a_walk_that_stands_is_told_too() {
    let mut world = World::new(API);
    let mut connector = world.open();
    let owed = world.synced("int_1", false, &["leases"]);
    world.tell(&mut connector, &owed);
    let began_at = world.now;
    for _ in 0..3 {
        ask(&mut world, &mut connector, status(500, ""));
        world.now = world.now.plus_s(300);
    }
    let told = row(&d1(), world.report(&mut connector));
    assert!(
        told.ends_with(&format!("|0|0|1|0|NULL|{}", text(began_at))),
        "{told}"
    );
}

#[test]
fn a_source_without_an_api_is_not_told_of() {
    let (world, mut connector) = owing(&["a"]);
    let told = connector
        .report(&|_: &str| None, world.now.plus_s(60))
        .unwrap();
    assert_eq!(told, None);
}

#[test]
fn the_sweep_finds_what_nobody_has_touched_for_ten_minutes() {
    let (mut world, mut connector) = owing(&["a"]);
    world.add("a", world.now.ms());
    assert!(!sweep(&world, &mut connector));
    world.now = world.now.plus_s(598);
    assert!(!sweep(&world, &mut connector));
    world.now = world.now.plus_s(1);
    assert!(sweep(&world, &mut connector));
    // Then it goes on, and nothing is left.
    assert_eq!(world.run(&mut connector, 0), 1);
    world.now = world.now.plus_s(900);
    assert!(!sweep(&world, &mut connector));
    // What the clock should have brought.
    world.now = world.now.plus_s(86_400);
    assert!(sweep(&world, &mut connector));
    assert!(world.run(&mut connector, 60) > 0);
}

#[test]
fn the_sweep_leaves_alone_what_waits_or_works() {
    let (mut world, mut connector) = owing(&["a", "b"]);
    // Refused: it waits a quarter of an hour.
    ask(&mut world, &mut connector, status(401, ""));
    world.now = world.now.plus_s(899);
    assert!(!sweep(&world, &mut connector));
    world.now = world.now.plus_s(602);
    assert!(sweep(&world, &mut connector));
    // At work, and what has long been due is next.
    ask(&mut world, &mut connector, status(404, ""));
    assert!(!sweep(&world, &mut connector));
    // Under way.
    let Next::Fetch(_) = world.next(&mut connector) else {
        panic!("it is due")
    };
    world.now = world.now.plus_s(700);
    assert!(!sweep(&world, &mut connector));
    // One that was never told anything writes nothing.
    let (world, _) = (World::new(API), ());
    let mut connector = world.open();
    assert!(!sweep(&world, &mut connector));
    assert!(
        world
            .database
            .dump("SELECT name FROM sqlite_master")
            .is_empty()
    );
}

/// A source whose key has another name is another connector's: this one neither
/// asks nor tells anything of it any more.
#[test]
fn a_source_with_another_key_is_left_alone() {
    let mut world = World::new(API);
    let mut connector = world.open();
    let setups = |world: &World| {
        let api = world.api.clone();
        move |_: &str| Some(api.clone())
    };
    let owed = world.owed("int_1", &[("leases", "a")]);
    let told = connector.answer(Call::Told(owed), &setups(&world), world.now);
    assert_eq!(told, Ok(Some("{}".to_owned())));
    world.now = world.now.plus_s(100_000);
    let mut connector = world.open();
    world.api = Rc::new(api(&API.replace("KEY", "OTHER")).unwrap());
    world.wake(&mut connector);
    assert_eq!(world.next(&mut connector), Next::Nothing);
    assert_eq!(world.report(&mut connector), None);
    assert!(!sweep(&world, &mut connector));
    // By its own it is asked for.
    world.api = Rc::new(api(API).unwrap());
    assert!(matches!(world.next(&mut connector), Next::Fetch(_)));
}
