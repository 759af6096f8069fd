//! Walks: nothing that is there all the while is missed, whatever changes and
//! breaks off meanwhile.

use leasewire::connector::Next;
use proptest::prelude::*;

use crate::world::{Generation, World, of, status};

const LEASES: &str = r#"{"kind":"propexo","key":"KEY","hydrate":["leases"]}"#;
/// 2026-03-01T00:00:00Z.
const START_MS: i64 = 1_772_323_200_000;

#[derive(Debug, Clone)]
struct Story {
    generation: Generation,
    /// When each record was last changed, coarsely: many at once.
    times: Vec<i64>,
    cap: Option<usize>,
    says_more: bool,
    /// Between two steps: which record changes, whether one is added, whether
    /// everything breaks off, and how time goes on.
    steps: Vec<(usize, bool, u8, u8)>,
}

fn stories() -> impl Strategy<Value = Story> {
    let generation = prop_oneof![
        Just(Generation::New),
        Just(Generation::Old),
        Just(Generation::Plain)
    ];
    (
        generation,
        prop::collection::vec(0..4_i64, 1..700),
        prop::option::weighted(0.7, 10..40_usize),
        any::<bool>(),
        prop::collection::vec((0..900_usize, any::<bool>(), 0..12_u8, 0..3_u8), 0..60),
        0..2_u8,
    )
        .prop_map(|(generation, times, cap, says_more, steps, ms_min)| Story {
            generation,
            times,
            cap,
            // Without a word, only a page that isn't full is the last.
            says_more: says_more || cap.is_some(),
            steps: steps
                .into_iter()
                .map(|(which, adds, breaks, ms)| (which, adds, breaks, ms.max(ms_min)))
                .collect(),
        })
}

fn live(story: &Story) -> World {
    let mut world = World::new(LEASES);
    world.generation = story.generation;
    world.cap = story.cap.unwrap_or(usize::MAX);
    world.says_more = story.says_more;
    for (at, time) in story.times.iter().enumerate() {
        world.add(&format!("l{at}"), START_MS + time * 1_000);
    }
    let mut connector = world.open();
    let api = world.api.clone();
    connector
        .backfill(&of("int_1"), None, &api, world.now)
        .unwrap();
    let mut steps = story.steps.iter();
    let mut added = 0;
    for _ in 0..3_000 {
        match world.next(&mut connector) {
            Next::Fetch(request) => {
                if let Some((which, adds, breaks, ms)) = steps.next() {
                    world.now = world.now.plus_ms(u32::from(*ms));
                    for more in 0..=*breaks % 7 {
                        world.change(&format!("l{}", which + 3 * usize::from(more)));
                    }
                    if *adds {
                        added += 1;
                        world.add(&format!("a{added}"), world.now.ms());
                    }
                    // What is under way is lost: before the answer, or behind it.
                    if *breaks == 1 {
                        let answer = world.answer(&request.path_and_query);
                        connector
                            .answered(request.ticket, answer, world.now, 0)
                            .unwrap();
                    }
                    if *breaks <= 1 {
                        connector = world.open();
                        continue;
                    }
                }
                world.serve(&mut connector, request);
            }
            Next::Wait(at) => world.now = at,
            Next::Nothing => return world,
        }
        if world.state(&connector).contains(r#""ended_at":"2"#)
            && !matches!(world.next(&mut world.open()), Next::Fetch(_))
        {
            return world;
        }
    }
    panic!("it never ends: {:?}", world.requests.last());
}

fn missing(world: &World) -> Vec<String> {
    let records = world.records.values();
    let missed = records.filter(|record| world.mirror.get(&record.id) != Some(&record.version));
    missed.map(|record| record.id.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_is_missed(story in stories()) {
        let mut world = live(&story);
        let unseen = world.records.keys().filter(|id| id.starts_with('l'));
        let unseen: Vec<_> = unseen.filter(|id| !world.mirror.contains_key(*id)).collect();
        prop_assert!(unseen.is_empty(), "never seen: {unseen:?}");
        // What changes in the same millisecond as others that were read may stand
        // before them.
        let is_apart = story.steps.iter().all(|(_, _, _, ms)| *ms > 0);
        if story.generation == Generation::New && is_apart {
            let missed = missing(&world);
            prop_assert!(missed.is_empty(), "not met again: {missed:?}");
        }
        // What came behind a walk, the next one finds.
        let mut connector = world.open();
        let synced = world.synced("int_1", false, &["leases"]);
        world.tell(&mut connector, &synced);
        world.run(&mut connector, 3_600);
        let missed = missing(&world);
        prop_assert!(missed.is_empty(), "not reconciled: {missed:?}");
    }
}

#[test]
fn thousands_of_the_same_time_are_walked_by_offset() {
    let mut world = World::new(LEASES);
    for at in 0..1_000 {
        world.add(&format!("l{at}"), START_MS);
    }
    let mut connector = world.open();
    let synced = world.synced("int_1", true, &["leases"]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 60);
    assert!(missing(&world).is_empty());
    // Once more from the overlap, since nobody knows what came meanwhile.
    assert!(world.requests.len() <= 12, "{}", world.requests.len());
}

#[test]
fn an_old_api_is_asked_its_own_way() {
    let mut world = World::new(LEASES);
    world.generation = Generation::Old;
    for at in 0..600 {
        world.add(&format!("l{at}"), START_MS + i64::from(at));
    }
    let mut connector = world.open();
    let synced = world.synced("int_1", true, &["leases"]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 60);
    assert!(missing(&world).is_empty());
    let path = |at: usize| world.requests[at].path_and_query.clone();
    assert!(path(0).contains("updated_at_gte="));
    let created = "/v1/leases/?order-by=created_at:asc,id:asc&integration_id=int_1";
    assert_eq!(path(1), format!("{created}&offset=0&limit=250"));
    assert_eq!(path(2), format!("{created}&offset=249&limit=250"));
    // What has changed meanwhile, too, and since: newest first, and never probed
    // again.
    let before = world.requests.len();
    assert!(path(before - 1).contains("updated_at:desc"));
    world.now = world.now.plus_s(7_200);
    world.change("l7");
    let synced = world.synced("int_1", false, &["leases"]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 60);
    assert_eq!(world.requests.len(), before + 1);
    assert!(
        world.requests[before]
            .path_and_query
            .contains("updated_at:desc")
    );
    assert!(missing(&world).is_empty());
}

#[test]
fn a_walk_writes_one_row_for_each_page() {
    let mut world = World::new(LEASES);
    for at in 0..2_000 {
        world.add(&format!("l{at}"), START_MS + i64::from(at));
    }
    let mut connector = world.open();
    let synced = world.synced("int_1", true, &["leases"]);
    world.tell(&mut connector, &synced);
    let before = world.database.connection.total_changes();
    let requests = world.run(&mut connector, 50);
    let rows = world.database.connection.total_changes() - before;
    // One for each page, one for the minute, two for what is known of the model.
    assert!(requests >= 8, "{requests}");
    assert!(
        rows <= requests as u64 + 3,
        "{rows} rows for {requests} requests"
    );
}

#[test]
fn what_reconciling_repairs_is_counted() {
    let mut world = World::new(LEASES);
    world.add("l1", START_MS);
    let mut connector = world.open();
    let synced = world.synced("int_1", true, &["leases"]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 60);
    world.change("l1");
    let synced = world.synced("int_1", false, &["leases"]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 60);
    let state = world.state(&connector);
    assert!(state.contains(r#""class":"reconcile""#), "{state}");
    assert!(state.contains(r#""repaired":1"#), "{state}");
    // Told twice, it is asked for once.
    world.tell(&mut connector, &synced);
    assert_eq!(world.run(&mut connector, 60), 0);
}

#[test]
fn what_was_stamped_before_a_walk_and_came_behind_it_is_met() {
    for generation in [Generation::New, Generation::Old] {
        let mut world = World::new(LEASES);
        world.generation = generation;
        world.add("l1", START_MS);
        let mut connector = world.open();
        let synced = world.synced("int_1", true, &["leases"]);
        world.tell(&mut connector, &synced);
        world.run(&mut connector, 3_600);
        world.add("late", synced.syncs[0].at.minus_s(500).ms());
        let synced = world.synced("int_1", false, &["leases"]);
        world.tell(&mut connector, &synced);
        world.run(&mut connector, 60);
        assert!(missing(&world).is_empty());
    }
}

#[test]
fn the_clock_brings_what_no_webhook_does() {
    let mut world = World::new(LEASES);
    world.add("l1", START_MS);
    let mut connector = world.open();
    assert_eq!(world.alarm_at(&mut connector), None);
    let synced = world.synced("int_1", true, &["leases"]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 60);
    let at = world.alarm_at(&mut connector).unwrap();
    assert_eq!(at, synced.syncs[0].at.plus_s(86_400));
    world.now = at;
    world.change("l1");
    world.wake(&mut connector);
    assert_eq!(world.run(&mut connector, 60), 1);
    assert!(missing(&world).is_empty());
    world.now = synced.syncs[0].at.plus_s(8 * 86_400);
    world.wake(&mut connector);
    world.run(&mut connector, 60);
    assert!(world.state(&connector).contains(r#""class":"deep""#));
}

/// Pages get shorter while they fail, and records leave their places meanwhile.
#[test]
fn short_pages_miss_nothing_either() {
    let mut world = World::new(LEASES);
    for at in 0..30 {
        world.add(&format!("l{at:02}"), START_MS);
    }
    world.cap = 5;
    let mut connector = world.open();
    let api = world.api.clone();
    connector
        .backfill(&of("int_1"), None, &api, world.now)
        .unwrap();
    let mut limits = Vec::new();
    for step in 0..9 {
        let request = loop {
            match world.next(&mut connector) {
                Next::Fetch(request) => break request,
                Next::Wait(at) => world.now = at,
                Next::Nothing => panic!("it has ended"),
            }
        };
        let (_, limit) = request.path_and_query.rsplit_once("limit=").unwrap();
        limits.push(limit.to_owned());
        if step > 0 {
            world.answers = vec![status(500, "")];
        }
        world.serve(&mut connector, request);
    }
    let shortest: u32 = limits.last().unwrap().parse().unwrap();
    assert!(shortest <= 2, "{limits:?}");
    // All that were read are at the end now.
    for id in ["l00", "l01", "l02", "l03"] {
        world.change(id);
    }
    world.run(&mut connector, 3_600);
    assert_eq!(world.mirror.len(), 30, "{:?}", world.mirror);
}
