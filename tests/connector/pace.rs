//! How fast, and in which order.

use leasewire::connector::{Answer, Next};

use crate::world::{World, of, status};

const ALL: &str = r#"{"kind":"propexo","key":"KEY","requests_per_minute":100}"#;

/// So many debts of models of their own, which no walk is for.
fn busy(world: &mut World, integration: &str, count: usize) {
    let models = [
        "leases",
        "units",
        "residents",
        "leads",
        "events",
        "owners",
        "listings",
    ];
    let ids: Vec<String> = (0..count).map(|at| format!("{integration}-{at}")).collect();
    for id in &ids {
        world.add(id, world.now.minus_s(100_000_000).ms());
    }
    let mut connector = world.open();
    for chunk in ids.chunks(20 * models.len()) {
        let with_model = chunk.iter().zip(models.iter().cycle());
        let records: Vec<_> = with_model
            .map(|(id, model)| (*model, id.as_str()))
            .collect();
        let owed = world.owed(integration, &records);
        world.tell(&mut connector, &owed);
    }
    world.now = world.now.plus_s(60);
}

/// How many requests are made in this minute, each answered at once.
fn in_one_go(
    world: &mut World,
    connector: &mut leasewire::connector::Connector<&crate::common::Database>,
) -> usize {
    let before = world.requests.len();
    while let Next::Fetch(request) = world.next(connector) {
        world.serve(connector, request);
    }
    world.requests.len() - before
}

#[test]
fn a_minute_has_so_many() {
    let mut world = World::new(ALL);
    busy(&mut world, "int_1", 140);
    let mut connector = world.open();
    assert_eq!(in_one_go(&mut world, &mut connector), 100);
    let Next::Wait(at) = world.next(&mut connector) else {
        panic!("there is more");
    };
    assert_eq!(at.ms() % 60_000, 0);
    // Whoever forgets has used it up all the same.
    let mut connector = world.open();
    assert_eq!(in_one_go(&mut world, &mut connector), 0);
    world.now = at;
    assert_eq!(in_one_go(&mut world, &mut connector), 40);
}

#[test]
fn after_a_crash_a_minute_has_half() {
    let mut world = World::new(ALL);
    busy(&mut world, "int_1", 140);
    let mut connector = world.open();
    let Next::Fetch(request) = world.next(&mut connector) else {
        panic!("it is due");
    };
    world.serve(&mut connector, request);
    let mut connector = world.open();
    assert_eq!(in_one_go(&mut world, &mut connector), 41);
}

#[test]
fn what_others_have_used_counts() {
    let mut world = World::new(ALL);
    busy(&mut world, "int_1", 140);
    let mut connector = world.open();
    world.answers = vec![Answer::Response {
        status: 404,
        limit: Some(150),
        remaining: Some(60),
        body: Vec::new(),
    }];
    // 90 of all are used then, and 10 are left up to 100.
    assert_eq!(in_one_go(&mut world, &mut connector), 11);
}

#[test]
fn an_answer_that_others_have_overtaken_begins_no_minute() {
    let mut world = World::new(ALL);
    busy(&mut world, "int_1", 140);
    let mut connector = world.open();
    let Next::Fetch(slow) = world.next(&mut connector) else {
        panic!("it is due");
    };
    let not_found = |remaining| Answer::Response {
        status: 404,
        limit: Some(150),
        remaining: Some(remaining),
        body: Vec::new(),
    };
    world.now = world.now.plus_ms(100);
    world.answers = vec![not_found(60)];
    assert_eq!(in_one_go(&mut world, &mut connector), 11);
    world.answers = vec![not_found(149)];
    world.serve(&mut connector, slow);
    assert_eq!(in_one_go(&mut world, &mut connector), 0);
}

#[test]
fn four_are_under_way_at_the_most() {
    let mut world = World::new(ALL);
    busy(&mut world, "int_1", 30);
    let mut connector = world.open();
    for _ in 0..4 {
        assert!(matches!(world.next(&mut connector), Next::Fetch(_)));
    }
    // Whoever never hears of them asks for others, after a minute.
    assert_eq!(world.next(&mut connector), Next::Wait(world.now.plus_s(60)));
    world.now = world.now.plus_s(64);
    // None has come of four: the source itself may be down.
    assert_eq!(world.next(&mut connector), Next::Wait(world.now.plus_s(16)));
    world.now = world.now.plus_s(16);
    assert!(matches!(world.next(&mut connector), Next::Fetch(_)));
}

#[test]
fn at_429_all_stops_to_the_next_minute() {
    let mut world = World::new(ALL);
    busy(&mut world, "int_1", 30);
    world.now = world.now.plus_s(10);
    let mut connector = world.open();
    world.answers = vec![status(429, "")];
    assert_eq!(in_one_go(&mut world, &mut connector), 1);
    let Next::Wait(at) = world.next(&mut connector) else {
        panic!("there is more");
    };
    let into = at.ms() - world.now.ms();
    assert!((50_000..53_000).contains(&into), "{into}");
    // And whoever forgets knows it still.
    let mut connector = world.open();
    assert_eq!(world.next(&mut connector), Next::Wait(at));
    world.now = at;
    assert_eq!(in_one_go(&mut world, &mut connector), 30);
}

#[test]
fn each_class_gets_its_share_and_what_is_owed_most() {
    let mut world = World::new(ALL);
    world.cap = 2;
    for at in 0..200 {
        world.add(&format!("x{at}"), world.now.ms());
    }
    busy(&mut world, "int_1", 140);
    let mut connector = world.open();
    let api = world.api.clone();
    let models = ["leases".to_owned()];
    connector
        .backfill(&of("int_1"), Some(&models), &api, world.now)
        .unwrap();
    let synced = world.synced("int_1", false, &["units"]);
    world.tell(&mut connector, &synced);
    assert_eq!(in_one_go(&mut world, &mut connector), 100);
    let count = |part: &str| {
        let requests = world.requests.iter();
        requests
            .filter(|request| request.path_and_query.starts_with(part))
            .count()
    };
    let (backfill, reconcile) = (count("/v1/leases/?"), count("/v1/units/?"));
    assert!((9..=11).contains(&backfill), "{backfill}");
    assert!((9..=11).contains(&reconcile), "{reconcile}");
}

#[test]
fn integrations_take_turns() {
    let mut world = World::new(ALL);
    busy(&mut world, "int_1", 140);
    busy(&mut world, "int_2", 40);
    world.now = world.now.plus_s(60);
    let mut connector = world.open();
    in_one_go(&mut world, &mut connector);
    let of_second = world.requests.iter().take(80);
    let of_second = of_second.filter(|request| request.path_and_query.contains("int_2"));
    assert_eq!(of_second.count(), 40);
}

/// A provider whose minute begins half a minute later than ours.
#[test]
fn another_minute_than_ours_is_found_out() {
    let mut world = World::new(ALL);
    for integration in 0..12 {
        busy(&mut world, &format!("int_{integration}"), 140);
    }
    let mut connector = world.open();
    world.now = world.now.plus_s(40);
    let began = world.now;
    let (mut minute, mut used, mut asked, mut most) = (0, 0_u32, 0_u32, 0);
    while world.now < began.plus_s(120) {
        match world.next(&mut connector) {
            Next::Fetch(request) => {
                world.now = world.now.plus_ms(100);
                let theirs = (world.now.ms() + 30_000) / 60_000;
                if theirs != minute {
                    (minute, used) = (theirs, 0);
                }
                (used, asked) = (used + 1, asked + 1);
                most = most.max(used);
                let id = request.path_and_query.rsplit('/').next().unwrap();
                let body = format!(r#"{{"results":{{"id":"{id}","version":1}}}}"#);
                world.answers = vec![Answer::Response {
                    status: 200,
                    limit: Some(150),
                    remaining: Some(150_u32.saturating_sub(used)),
                    body: body.into_bytes(),
                }];
                world.serve(&mut connector, request);
            }
            Next::Wait(at) => world.now = at,
            Next::Nothing => panic!("there is more"),
        }
    }
    // At 8:40, at 9:30 and at 10:30, and in between some to see whether it is time.
    assert!((300..320).contains(&asked), "{asked}");
    assert!(most <= 118, "{most} in one minute");
}
