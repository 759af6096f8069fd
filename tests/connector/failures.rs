//! What goes wrong at the API, and what follows from it.

use leasewire::connector::{Answer, Connector, Failure, Next, Request, Then};

use crate::common::Database;
use crate::world::{World, found, of, status};

const LEASES: &str = r#"{"kind":"propexo","key":"KEY","hydrate":["leases"]}"#;

fn with_debt() -> World {
    let mut world = World::new(LEASES);
    world.add("l1", world.now.ms());
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(6);
    world
}

fn ask(world: &mut World, connector: &mut Connector<&Database>, answer: Answer) {
    let Next::Fetch(request) = world.next(connector) else {
        panic!("nothing to ask: {}", world.state(connector));
    };
    world.answers = vec![answer];
    world.serve(connector, request);
}

#[test]
fn a_refused_key_stops_its_source_and_is_tried_again() {
    let mut world = with_debt();
    let mut connector = world.open();
    ask(&mut world, &mut connector, status(401, ""));
    assert_eq!(
        world.next(&mut connector),
        Next::Wait(world.now.plus_s(900))
    );
    let state = world.state(&connector);
    assert!(state.contains(r#""refused":true"#), "{state}");
    assert!(
        state.contains(r#""reason":"the key is refused""#),
        "{state}"
    );
    let mut connector = world.open();
    world.now = world.now.plus_s(900);
    ask(&mut world, &mut connector, status(401, ""));
    world.now = world.now.plus_s(900);
    assert_eq!(world.run(&mut connector, 10), 1);
    assert!(!world.state(&connector).contains(r#""refused""#));
    assert_eq!(world.mirror["l1"], 1);
}

#[test]
fn without_a_key_nothing_is_held_against_a_record() {
    let mut world = with_debt();
    let mut connector = world.open();
    for _ in 0..20 {
        ask(&mut world, &mut connector, Answer::Failed(Failure::NoKey));
        world.now = world.now.plus_s(900);
    }
    assert!(
        world
            .state(&connector)
            .contains(r#""reason":"the key is missing""#)
    );
    assert_eq!(world.run(&mut connector, 10), 1);
    assert_eq!(world.mirror["l1"], 1);
}

#[test]
fn a_record_that_fails_for_ever_is_listed_and_asked_for_daily() {
    let mut world = with_debt();
    let mut connector = world.open();
    let until = world.now.plus_s(86_400);
    while world.now < until {
        match world.next(&mut connector) {
            Next::Fetch(request) => {
                world.answers = vec![found(r#"{"results":7}"#)];
                world.serve(&mut connector, request);
            }
            Next::Wait(at) => world.now = at,
            Next::Nothing => break,
        }
    }
    let state = world.state(&connector);
    assert!(state.contains(r#""failed":1"#), "{state}");
    assert!(
        state.contains(r#""record_id":"l1","reason":"the answer has another shape""#),
        "{state}"
    );
    assert_eq!(world.run(&mut connector, 86_400), 1);
    assert!(world.state(&connector).contains(r#""failed":0"#));
}

/// What is due in a day keeps neither the clock waiting nor what is under way.
#[test]
fn the_alarm_is_for_whatever_comes_first() {
    let world = with_debt();
    let mut connector = world.open();
    world.report(&mut connector);
    let daily_at = connector.alarm_at(None).unwrap();
    let asked_at = world.now;
    let Next::Fetch(request) = world.next(&mut connector) else {
        panic!("it is due")
    };
    assert_eq!(world.alarm_at(&mut connector), Some(asked_at.plus_s(60)));
    connector
        .answered(request.ticket, status(403, ""), world.now, 7)
        .unwrap();
    // The model is tried again in a day, which is later than the clock.
    let later = asked_at.plus_s(86_400);
    assert!(daily_at < later);
    assert_eq!(world.next(&mut connector), Next::Wait(later));
    assert_eq!(world.alarm_at(&mut connector), Some(daily_at));
}

#[test]
fn what_is_forbidden_stops_alone() {
    let mut world = with_debt();
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("units", "u1")]);
    world.add("u1", world.now.ms());
    world.tell(&mut connector, &owed);
    ask(&mut world, &mut connector, status(403, ""));
    world.run(&mut connector, 60);
    assert!(world.mirror.contains_key("u1") && !world.mirror.contains_key("l1"));
    let state = world.state(&connector);
    assert!(
        state.contains(r#""model":"leases","reason":"the key may not ask for it""#),
        "{state}"
    );
    assert_eq!(world.run(&mut connector, 86_400), 1);
    assert_eq!(world.mirror["l1"], 1);
}

#[test]
fn nothing_wrong_is_ever_merged() {
    let large = format!(
        r#"{{"results":{{"id":"l1","a":"{}"}}}}"#,
        "x".repeat(8_000_000)
    );
    let answers = [
        status(500, r#"{"results":{"id":"l1"}}"#),
        status(302, ""),
        status(418, ""),
        status(204, ""),
        Answer::Failed(Failure::Timeout),
        Answer::Failed(Failure::Network),
        Answer::Failed(Failure::TooLarge),
        Answer::Failed(Failure::Redirected),
        found("no JSON"),
        found(r#"{"results":[]}"#),
        found(r#"{"results":{"id":"l2"}}"#),
        found(r#"{"results":{"id":"l1","integration_id":"int_2"}}"#),
        found(&large),
    ];
    for answer in answers {
        let mut world = with_debt();
        let mut connector = world.open();
        let said = format!("{answer:?}").chars().take(60).collect::<String>();
        ask(&mut world, &mut connector, answer);
        assert!(world.mirror.is_empty(), "{said}");
        assert!(
            matches!(world.next(&mut connector), Next::Wait(_)),
            "{said}"
        );
        // It is asked for again.
        let requests = world.run(&mut connector, 60);
        assert_eq!((requests, world.mirror["l1"]), (1, 1), "{said}");
    }
}

#[test]
fn a_source_that_is_down_is_asked_ever_less_and_nothing_is_lost() {
    let mut world = with_debt();
    let mut connector = world.open();
    let until = world.now.plus_s(86_400);
    let mut asked = 0;
    while world.now < until {
        match world.next(&mut connector) {
            Next::Fetch(request) => {
                asked += 1;
                world.answers = vec![status(503, "")];
                world.serve(&mut connector, request);
            }
            Next::Wait(at) => world.now = at,
            Next::Nothing => panic!("it gives up"),
        }
    }
    assert!(asked < 400, "{asked}");
    let state = world.state(&connector);
    assert!(state.contains(r#""owed":{"records":1"#), "{state}");
    assert!(state.contains(r#""reason":"status 503""#), "{state}");
    // It isn't the record's fault: a few minutes later all is well.
    world.run(&mut connector, 600);
    assert_eq!(world.mirror["l1"], 1);
}

#[test]
fn a_model_of_which_nothing_is_found_stops() {
    let mut world = World::new(LEASES);
    let mut connector = world.open();
    for at in 0..30 {
        let id = format!("l{at}");
        let owed = world.owed("int_1", &[("leases", &id)]);
        world.tell(&mut connector, &owed);
        world.run(&mut connector, 30);
    }
    assert_eq!(world.requests.len(), 20);
    let state = world.state(&connector);
    assert!(
        state.contains("many were asked for, and none was found"),
        "{state}"
    );
}

#[test]
fn a_record_that_breaks_its_page_is_passed_over() {
    let mut world = World::new(LEASES);
    for at in 0..400 {
        world.add(&format!("l{at}"), world.now.ms() - 400 + at);
    }
    let mut connector = world.open();
    let api = world.api.clone();
    connector
        .backfill(&of("int_1"), None, &api, world.now)
        .unwrap();
    let until = world.now.plus_s(86_400);
    while world.now < until {
        match world.next(&mut connector) {
            Next::Fetch(request) => {
                let page = world.answer(&request.path_and_query);
                let is_bad = format!("{page:?}");
                let Answer::Response { body, .. } = &page else {
                    panic!("{is_bad}");
                };
                let holds_it = String::from_utf8_lossy(body).contains(r#""id":"l123""#);
                if holds_it {
                    world.answers = vec![status(500, "")];
                }
                world.serve(&mut connector, request);
            }
            Next::Wait(at) => world.now = at,
            Next::Nothing => break,
        }
        if world.mirror.len() == 399 {
            break;
        }
    }
    assert_eq!(world.mirror.len(), 399, "{}", world.state(&connector));
    let state = world.state(&connector);
    assert!(state.contains(r#""skipped":1"#), "{state}");
    assert!(
        state.contains("a record of its list is passed over: status 500"),
        "{state}"
    );
}

#[test]
fn a_page_of_someone_else_is_not_merged() {
    let mut world = World::new(LEASES);
    let mut connector = world.open();
    let api = world.api.clone();
    connector
        .backfill(&of("int_2"), None, &api, world.now)
        .unwrap();
    world.add("l1", world.now.ms());
    // The stand-in's records are of int_1.
    world.run(&mut connector, 5);
    assert!(world.mirror.is_empty());
}

#[test]
fn fees_are_told_apart_by_what_they_say() {
    let mut world = World::new(r#"{"kind":"propexo","key":"KEY","hydrate":["fees"]}"#);
    let mut connector = world.open();
    let api = world.api.clone();
    connector
        .backfill(&of("int_2"), None, &api, world.now)
        .unwrap();
    let body = r#"{"meta":{"hasMore":false},"results":[
        {"id":"f1","updated_at":"2026-01-01T00:00:00Z","integration_id":"int_1","version":1},
        {"id":"f2","updated_at":"2026-01-02T00:00:00Z","integration_id":"int_2","version":1}]}"#;
    ask(&mut world, &mut connector, found(body));
    assert_eq!(world.mirror.keys().collect::<Vec<_>>(), ["f2"]);
}

#[test]
fn tables_of_a_newer_version_are_refused() {
    let world = with_debt();
    let newer = "UPDATE connector SET schema_version = 9, min_version = 9";
    world.database.connection.execute_batch(newer).unwrap();
    let why = Connector::open(world.database).err().unwrap().to_string();
    assert_eq!(
        why,
        "the connector's tables have version 9, this code knows 1"
    );
}

/// The next request, as soon as there is one.
fn wait_for(world: &mut World, connector: &mut Connector<&Database>) -> Request {
    loop {
        match world.next(connector) {
            Next::Fetch(request) => return request,
            Next::Wait(at) => world.now = at,
            Next::Nothing => panic!("nothing to ask: {}", world.state(connector)),
        }
    }
}

/// Answers a request rightly, and then no ledger takes it.
fn read_in_vain(world: &World, connector: &mut Connector<&Database>, request: &Request) {
    let answer = world.answer(&request.path_and_query);
    let then = connector.answered(request.ticket, answer, world.now, 0);
    assert!(matches!(then, Ok(Then::Merge(_))));
    connector.merged(request.ticket, None, world.now).unwrap();
}

#[test]
fn while_a_ledger_takes_nothing_it_is_offered_less_and_less() {
    let mut world = with_debt();
    let mut connector = world.open();
    let mut asked_s = Vec::new();
    for _ in 0..9 {
        let before = world.now;
        let request = wait_for(&mut world, &mut connector);
        asked_s.push((world.now.ms() - before.ms()) / 1_000);
        read_in_vain(&world, &mut connector, &request);
    }
    assert_eq!(asked_s, [0, 10, 20, 40, 80, 160, 320, 600, 600]);
    let request = wait_for(&mut world, &mut connector);
    world.serve(&mut connector, request);
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    let request = wait_for(&mut world, &mut connector);
    read_in_vain(&world, &mut connector, &request);
    assert_eq!(world.next(&mut connector), Next::Wait(world.now.plus_s(10)));
}

#[test]
fn a_page_that_could_be_read_has_not_failed_though_no_ledger_takes_it() {
    let mut world = with_debt();
    let mut connector = world.open();
    let api = world.api.clone();
    let models = ["leases".to_owned()];
    let (of, now) = (of("int_1"), world.now);
    let request = wait_for(&mut world, &mut connector);
    world.serve(&mut connector, request);
    connector.backfill(&of, Some(&models), &api, now).unwrap();
    for attempt in 0..30 {
        let request = wait_for(&mut world, &mut connector);
        assert!(request.path_and_query.contains("updated_at:asc"));
        if attempt % 3 == 2 {
            read_in_vain(&world, &mut connector, &request);
            continue;
        }
        world.answers = vec![status(410, "")];
        world.serve(&mut connector, request);
    }
    let state = world.state(&connector);
    assert!(state.contains(r#""skipped":0"#), "{state}");
}
