//! The walks for what is gone: when they go, what they ask, what they hand to the
//! ledger, and that nothing follows from a part.

mod parts;

use leasewire::connector::{Connector, Next};
use leasewire::ledger::{Marked, Owed, Unseen};

use crate::common::{Database, at};
use crate::world::{World, status};

const DAY_MS: i64 = 86_400_000;
const SETTINGS: &str = r#"{"kind":"propexo","key":"KEY","hydrate":["leases"]}"#;

/// Of two properties, each with three that were seen today and those that
/// weren't for so many days.
fn world(days: &[(&str, i64)]) -> World {
    let mut world = World::new(SETTINGS);
    let now = world.now.ms();
    for property in ["p", "q"] {
        for n in 0..3 {
            add(&mut world, &format!("{property}{n}"), property, 0);
        }
    }
    for (id, days) in days {
        add(&mut world, id, &id[..1], *days);
    }
    assert_eq!(world.now.ms(), now);
    world
}

fn add(world: &mut World, id: &str, property: &str, days: i64) {
    let now = world.now.ms();
    world.add(id, now - 300 * DAY_MS);
    let record = world.records.get_mut(id).unwrap();
    record.seen_ms = now - days * DAY_MS;
    record.property = Some(property.to_owned());
}

fn finished(world: &mut World) -> Owed {
    let mut owed = world.synced("int_1", false, &["leases"]);
    owed.syncs[0].is_finished = true;
    owed
}

/// A synchronisation ends, and what follows is done.
fn sync(world: &mut World, connector: &mut Connector<&Database>) {
    let owed = finished(world);
    world.tell(connector, &owed);
    world.run(connector, 3_600);
}

/// What was asked of what was seen.
fn asked(world: &World) -> Vec<String> {
    let paths = world.requests.iter().map(|request| &request.path_and_query);
    let about = paths.filter(|path| path.contains("last_seen"));
    about
        .map(|path| {
            path.split_once("&integration_id=int_1&")
                .unwrap()
                .1
                .to_owned()
        })
        .collect()
}

/// By property: how many were seen, how many missed, and which are candidates.
fn said(unseen: &Unseen) -> Vec<String> {
    let group = |group: &leasewire::ledger::UnseenGroup| {
        let ids: Vec<_> = group.items.iter().map(|item| item.id.as_str()).collect();
        let property = group.property.as_deref().unwrap_or("none");
        format!(
            "{property} {} {} {}",
            group.seen,
            group.missed,
            ids.join("+")
        )
    };
    unseen.groups.iter().map(group).collect()
}

fn state(world: &World, connector: &Connector<&Database>) -> String {
    let state = world.state(connector);
    let walks: serde_json::Value = serde_json::from_str(&state).unwrap();
    let walks = walks["walks"].as_array().unwrap();
    let gone = walks.iter().find(|walk| walk["class"] == "gone");
    gone.map_or_else(String::new, |gone| {
        format!(
            "ended {}, marked {}, stay {}: {}",
            gone["ended_at"].is_string(),
            gone["repaired"],
            gone["skipped"],
            gone["reason"].as_str().unwrap_or("-")
        )
    })
}

#[test]
fn one_list_and_a_page_for_each_property_that_has_candidates() {
    let days = [("p8", 33), ("p9", 20), ("q9", 25), ("r9", 40)];
    let mut world = world(&days);
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    let since = "2026-03-01T08:00:00.000Z";
    assert_eq!(
        asked(&world),
        [
            format!("last_seen_lte={since}&offset=0&limit=250"),
            format!("last_seen_gte={since}&property_id=p&offset=0&limit=250"),
            format!("last_seen_gte={since}&property_id=r&offset=0&limit=250"),
        ]
    );
    let unseen = &world.unseen[0];
    assert_eq!(said(unseen), ["p 3 1 p8", "r 0 0 r9"]);
    assert_eq!(unseen.asked_seq, world.seq);
    assert_eq!((unseen.epoch, unseen.model.as_str()), (Some(1), "leases"));
    assert_eq!(
        unseen.groups[0].items[0].last_seen,
        "2026-01-28T08:00:00.000Z"
    );
    assert_eq!(state(&world, &connector), "ended true, marked 0, stay 0: -");
}

#[test]
fn where_all_were_seen_the_ledger_is_not_asked() {
    let mut world = world(&[("p9", 29)]);
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    assert_eq!(asked(&world).len(), 1);
    assert!(world.unseen.is_empty());
    assert_eq!(state(&world, &connector), "ended true, marked 0, stay 0: -");
}

#[test]
fn gone_after_days_is_a_setting() {
    let mut world = World {
        api: std::rc::Rc::new(
            crate::world::api(&SETTINGS.replace("}", r#","gone_after_days":28}"#)).unwrap(),
        ),
        ..world(&[("p9", 29)])
    };
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    assert_eq!(said(&world.unseen[0]), ["p 3 0 p9"]);
}

#[test]
fn records_of_no_property_are_judged_together() {
    let mut world = world(&[("p9", 40)]);
    for record in world.records.values_mut() {
        record.property = None;
    }
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    assert_eq!(said(&world.unseen[0]), ["none 6 0 p9"]);
    assert!(!asked(&world)[1].contains("property_id"));
}

#[test]
fn a_list_of_all_properties_is_asked_once() {
    for model in ["properties", "fees"] {
        let settings = SETTINGS.replace("leases", model);
        let mut world = World {
            api: std::rc::Rc::new(crate::world::api(&settings).unwrap()),
            ..world(&[("p8", 40), ("q9", 40), ("r9", 40)])
        };
        let mut connector = world.open();
        let mut owed = finished(&mut world);
        owed.syncs[0].models = None;
        world.tell(&mut connector, &owed);
        world.run(&mut connector, 60);
        let paths = world.requests.iter().map(|it| it.path_and_query.as_str());
        let asked: Vec<_> = paths
            .filter(|path| path.contains("last_seen_gte"))
            .collect();
        assert_eq!(asked.len(), 1);
        assert!(!asked[0].contains("property_id"));
        assert_eq!(said(&world.unseen[0]), ["p 3 0 p8", "q 3 0 q9", "r 0 0 r9"]);
    }
}

#[test]
fn only_a_synchronisation_that_has_come_to_its_end_is_asked_about() {
    for (is_finished, is_whole, models) in [
        (false, false, Some(vec!["leases".to_owned()])),
        (true, true, Some(vec!["leases".to_owned()])),
        (true, false, Some(vec!["units".to_owned()])),
    ] {
        let mut world = world(&[("p9", 40)]);
        let mut connector = world.open();
        let mut owed = finished(&mut world);
        owed.syncs[0].is_finished = is_finished;
        owed.syncs[0].is_whole = is_whole;
        owed.syncs[0].models = models;
        world.tell(&mut connector, &owed);
        world.run(&mut connector, 60);
        assert_eq!(asked(&world), [""; 0], "{is_finished} {is_whole}");
    }
    // One that doesn't say which models it was about was about all.
    let mut world = world(&[("p9", 40)]);
    let mut connector = world.open();
    let mut owed = finished(&mut world);
    owed.syncs[0].models = None;
    world.tell(&mut connector, &owed);
    world.run(&mut connector, 60);
    assert_eq!(asked(&world).len(), 2);
}

#[test]
fn without_reconciliation_nothing_is_asked() {
    let settings = SETTINGS.replace("}", r#","reconcile":false}"#);
    let mut world = World {
        api: std::rc::Rc::new(crate::world::api(&settings).unwrap()),
        ..world(&[("p9", 40)])
    };
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    assert!(world.requests.is_empty());
}

#[test]
fn once_a_day_is_enough() {
    let mut world = world(&[("p9", 40)]);
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    for _ in 0..18 {
        sync(&mut world, &mut connector);
    }
    assert_eq!(world.unseen.len(), 1);
    // Also after a crash.
    connector = world.open();
    sync(&mut world, &mut connector);
    assert_eq!(world.unseen.len(), 1);
    world.now = world.now.plus_s(3_600);
    for record in world
        .records
        .values_mut()
        .filter(|it| !it.id.ends_with('9'))
    {
        record.seen_ms = world.now.ms();
    }
    sync(&mut world, &mut connector);
    assert_eq!(world.unseen.len(), 2);
}

#[test]
fn what_the_ledger_says_is_told() {
    let marks = Marked {
        marked: 250,
        has_more: true,
        seq: 300,
        epoch: 1,
        ..Marked::default()
    };
    let last = Marked {
        marked: 7,
        has_more: false,
        passed_over: 3,
        properties: vec!["q".to_owned(), "r".to_owned()],
        ..marks.clone()
    };
    let mut world = world(&[("p9", 40)]);
    world.marks = vec![Some(marks), Some(last)];
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    assert_eq!(world.unseen.len(), 2);
    assert_eq!(world.unseen[0], world.unseen[1]);
    let why = "3 records stay, for most of their property weren't seen either: q, r";
    assert_eq!(
        state(&world, &connector),
        format!("ended true, marked 257, stay 3: {why}")
    );
}

/// Walks of several models don't gather at once, and none waits for ever.
#[test]
fn one_walk_gathers_at_a_time() {
    let settings = SETTINGS.replace(r#"["leases"]"#, r#"["leases","units"]"#);
    let mut world = World {
        api: std::rc::Rc::new(crate::world::api(&settings).unwrap()),
        ..world(&[("p9", 40)])
    };
    let mut connector = world.open();
    let mut owed = finished(&mut world);
    owed.syncs[0].models = None;
    world.tell(&mut connector, &owed);
    let first = loop {
        let Next::Fetch(request) = world.next(&mut connector) else {
            panic!("nothing is asked")
        };
        if request.path_and_query.contains("last_seen") {
            break request;
        }
        world.serve(&mut connector, request);
    };
    assert!(matches!(world.next(&mut connector), Next::Wait(_)));
    world.serve(&mut connector, first);
    world.run(&mut connector, 60);
    let models: Vec<_> = world.unseen.iter().map(|it| it.model.as_str()).collect();
    assert_eq!(models, ["units", "leases"]);
    let order: Vec<_> = world.requests.iter().map(|it| &it.path_and_query).collect();
    let order = order.into_iter().filter(|path| path.contains("last_seen"));
    let order: Vec<_> = order.map(|path| path.contains("units")).collect();
    assert_eq!(order, [true, true, false, false]);
    // The first one's model is stopped in the middle of it.
    world.now = world.now.plus_s(21 * 3_600);
    for record in world
        .records
        .values_mut()
        .filter(|it| !it.id.ends_with('9'))
    {
        record.seen_ms = world.now.ms();
    }
    let mut owed = finished(&mut world);
    owed.syncs[0].models = None;
    world.tell(&mut connector, &owed);
    let before = asked(&world).len();
    while asked(&world).len() == before {
        let Next::Fetch(request) = world.next(&mut connector) else {
            panic!("nothing is asked")
        };
        world.serve(&mut connector, request);
    }
    world.answers = vec![status(403, "")];
    world.run(&mut connector, 900);
    let models: Vec<_> = world.unseen.iter().map(|it| it.model.as_str()).collect();
    assert_eq!(models, ["units", "leases", "leases"]);
}

#[test]
fn a_refusal_is_told_where_failures_are() {
    let refused = Marked {
        refused: Some([9, 20]),
        epoch: 1,
        ..Marked::default()
    };
    let mut world = world(&[("p9", 40)]);
    world.marks = vec![Some(refused)];
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    let why = "9 of 20 records would go at once: none is marked";
    assert_eq!(
        state(&world, &connector),
        format!("ended true, marked 0, stay 0: {why}")
    );
    let state = world.state(&connector);
    let failures = state.split_once(r#""failures":["#).unwrap().1;
    assert!(failures.contains(why), "{failures}");
}

#[test]
fn a_ledger_that_does_not_answer_marks_nothing() {
    let mut world = world(&[("p9", 40)]);
    world.marks = vec![None];
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    let why = "the ledger doesn't answer";
    assert_eq!(
        state(&world, &connector),
        format!("ended true, marked 0, stay 0: {why}")
    );
    assert_eq!(world.unseen.len(), 1);
}

#[test]
fn what_is_gone_covers_no_change() {
    let mut world = world(&[]);
    let mut connector = world.open();
    let owed = finished(&mut world);
    world.tell(&mut connector, &owed);
    // What has changed is read first, and an hour later what is gone.
    let Next::Fetch(request) = world.next(&mut connector) else {
        panic!("nothing is asked")
    };
    assert!(request.path_and_query.contains("updated_at_gte"));
    world.serve(&mut connector, request);
    world.now = world.now.plus_s(3_600);
    world.run(&mut connector, 60);
    assert_eq!(asked(&world).len(), 1);
    world.now = at("2026-03-02T10:00:00Z");
    sync(&mut world, &mut connector);
    let mut paths = world.requests.iter().map(|it| it.path_and_query.as_str());
    let last = paths.rfind(|path| path.contains("updated_at_gte"));
    assert!(
        last.unwrap().contains("updated_at_gte=2026-03-02T07:50:00"),
        "{last:?}"
    );
}
