//! Nothing follows from a part of a list, nor from a list of something else.

use leasewire::connector::{Answer, Connector, Failure, Next};
use leasewire::ledger::Unseen;

use super::{add, asked, finished, said, state, sync, world};
use crate::common::Database;
use crate::world::{Generation, World, found, status};

/// 600 of `p` that weren't seen, the last of them for long.
fn many() -> World {
    let mut world = world(&[]);
    for n in 0..600 {
        add(&mut world, &format!("p-{n}"), "p", 29 + n % 2 * 2);
        world.records.get_mut(&format!("p-{n}")).unwrap().created_ms += n;
    }
    world
}

/// The ids of candidates: in order, each once.
fn candidates(unseen: &Unseen) -> Vec<String> {
    let items = unseen.groups.iter().flat_map(|group| &group.items);
    items.map(|item| item.id.clone()).collect()
}

#[test]
fn pages_are_put_together() {
    let mut world = many();
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    let odd: Vec<String> = (0..600)
        .step_by(2)
        .map(|n| format!("p-{}", n + 1))
        .collect();
    assert_eq!(candidates(&world.unseen[0]), odd);
    assert_eq!(world.unseen[0].groups[0].missed, 300);
    assert_eq!(
        asked(&world)[1],
        "last_seen_lte=2026-03-01T08:00:00.000Z&offset=249&limit=250"
    );
}

/// Up to the second page of the list.
fn at_the_second_page(world: &mut World, connector: &mut Connector<&Database>) {
    let owed = finished(world);
    world.tell(connector, &owed);
    while asked(world).is_empty() {
        let Next::Fetch(request) = world.next(connector) else {
            panic!("nothing is asked")
        };
        world.serve(connector, request);
    }
}

#[test]
fn a_lost_memory_begins_anew() {
    let mut world = many();
    let mut connector = world.open();
    at_the_second_page(&mut world, &mut connector);
    connector = world.open();
    world.run(&mut connector, 60);
    assert!(asked(&world)[1].contains("offset=0&"));
    assert_eq!(candidates(&world.unseen[0]).len(), 300);
    assert_eq!(world.unseen.len(), 1);
}

#[test]
fn a_page_that_fails_begins_anew_and_breaks_off_in_the_end() {
    let mut world = many();
    let mut connector = world.open();
    at_the_second_page(&mut world, &mut connector);
    world.answers = vec![found("{}")];
    world.run(&mut connector, 600);
    assert!(
        asked(&world)[2].contains("offset=0&"),
        "{:?}",
        asked(&world)
    );
    assert_eq!(candidates(&world.unseen[0]).len(), 300);

    let mut world = many();
    let mut connector = world.open();
    at_the_second_page(&mut world, &mut connector);
    world.answers = vec![found("{}"); 3];
    world.run(&mut connector, 3_600);
    assert!(world.unseen.is_empty());
    let state = state(&world, &connector);
    assert_eq!(
        state,
        "ended true, marked 0, stay 0: the answer has another shape"
    );
    // The source is down: the same.
    let mut world = many();
    let mut connector = world.open();
    at_the_second_page(&mut world, &mut connector);
    world.answers = vec![
        status(500, ""),
        Answer::Failed(Failure::Timeout),
        status(503, ""),
    ];
    world.run(&mut connector, 3_600);
    assert!(world.unseen.is_empty());
}

#[test]
fn a_list_that_moves_begins_anew() {
    let mut world = many();
    let mut connector = world.open();
    at_the_second_page(&mut world, &mut connector);
    // One that stood before is seen: another would be passed over.
    let now = world.now.ms();
    world.records.get_mut("p-7").unwrap().seen_ms = now;
    world.run(&mut connector, 600);
    let odd: Vec<String> = (0..600)
        .step_by(2)
        .map(|n| format!("p-{}", n + 1))
        .collect();
    let odd: Vec<_> = odd.into_iter().filter(|id| id != "p-7").collect();
    assert_eq!(candidates(&world.unseen[0]), odd);
}

#[test]
fn what_was_read_long_ago_does_not_count() {
    let mut world = many();
    let mut connector = world.open();
    at_the_second_page(&mut world, &mut connector);
    world.now = world.now.plus_s(7 * 3_600);
    world.run(&mut connector, 600);
    assert!(
        asked(&world)[2].contains("offset=0&"),
        "{:?}",
        asked(&world)
    );
}

#[test]
fn an_api_that_does_not_know_it_is_left_alone_for_a_day() {
    let mut world = world(&[("p9", 40)]);
    world.generation = Generation::Old;
    let mut connector = world.open();
    sync(&mut world, &mut connector);
    sync(&mut world, &mut connector);
    assert_eq!(asked(&world).len(), 1);
    let why = "its list can't be limited by when records were last seen";
    assert_eq!(
        state(&world, &connector),
        format!("ended true, marked 0, stay 0: {why}")
    );
    assert!(
        world
            .state(&connector)
            .contains(&format!(r#""reason":"{why}""#))
    );
}

#[test]
fn an_api_that_pays_no_heed_to_it_is_not_believed() {
    let row = |seen: &str| {
        found(&format!(
            r#"{{"meta":{{"hasMore":false}},"results":[{{"id":"p1","last_seen":{seen},"property_id":"p"}}]}}"#
        ))
    };
    for seen in [r#""2026-03-01T12:00:00.000Z""#, "null", r#""never""#] {
        let mut world = world(&[("p9", 40)]);
        let mut connector = world.open();
        let owed = finished(&mut world);
        world.tell(&mut connector, &owed);
        world.answers = vec![
            found(r#"{"meta":{"hasMore":false},"results":[]}"#),
            row(seen),
        ];
        world.run(&mut connector, 60);
        assert!(world.unseen.is_empty(), "{seen}");
        assert!(
            state(&world, &connector).contains("can't be limited"),
            "{seen}"
        );
    }
    // Of a page for a property only its own records count that were seen.
    let mut world = world(&[("p9", 40)]);
    let mut connector = world.open();
    let owed = finished(&mut world);
    world.tell(&mut connector, &owed);
    while asked(&world).is_empty() {
        let Next::Fetch(request) = world.next(&mut connector) else {
            panic!("nothing is asked")
        };
        world.serve(&mut connector, request);
    }
    world.answers = vec![found(
        r#"{"results":[{"id":"a","property_id":"p","last_seen":"2026-03-02T00:00:00Z"},
                       {"id":"b","property_id":"q","last_seen":"2026-03-02T00:00:00Z"},
                       {"id":"c","property_id":"p","last_seen":"2026-02-02T00:00:00Z"},
                       {"id":"d","property_id":"p","last_seen":null}]}"#,
    )];
    world.run(&mut connector, 60);
    assert_eq!(said(&world.unseen[0]), ["p 1 0 p9"]);
}
