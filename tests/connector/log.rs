//! The provider's log of changes, compared with what webhooks brought: what was
//! lost is counted once, and asked for.

use leasewire::connector::{Answer, Connector, Failure, Next};
use leasewire::ledger::Verdict;
use leasewire::provider::named;
use leasewire::time::Timestamp;

use crate::common::{Database, at};
use crate::world::{World, found, status};

const LEASES: &str = r#"{"kind":"propexo","key":"KEY","hydrate":["leases"]}"#;
const H: u64 = 3_600;

/// A world whose integration is known, with the walks of its beginning done.
fn known() -> (World, Connector<&'static Database>, Timestamp) {
    let mut world = World::new(LEASES);
    let mut connector = world.open();
    let began = world.now;
    let synced = world.synced("int_1", true, &["leases"]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 60);
    world.requests.clear();
    (world, connector, began)
}

/// A synchronisation ends at that time; gives the requests for the log.
fn sync(
    world: &mut World,
    connector: &mut Connector<&'static Database>,
    now: Timestamp,
) -> Vec<String> {
    world.now = now;
    world.requests.clear();
    let synced = world.synced("int_1", false, &["leases"]);
    world.tell(connector, &synced);
    world.run(connector, 60);
    paths(world)
}

fn paths(world: &World) -> Vec<String> {
    let paths = world.requests.iter().map(|it| it.path_and_query.clone());
    paths.filter(|path| path.contains("data-diffs")).collect()
}

fn lose(world: &mut World, at: Timestamp, count: usize) {
    for n in 0..count {
        let id = format!("l{n}");
        world.add(&id, at.ms());
        let at = at.plus_ms(u32::try_from(n).unwrap());
        world.log.push((at, id, Verdict::Lost));
    }
}

fn log_of(world: &World, connector: &Connector<&'static Database>) -> serde_json::Value {
    let state: serde_json::Value = serde_json::from_str(&world.state(connector)).unwrap();
    state["change_logs"][0].clone()
}

#[test]
fn it_is_read_when_no_webhook_is_on_its_way_any_more() {
    let (mut world, mut connector, began) = known();
    // Less than an hour of it is old enough.
    let asked = sync(&mut world, &mut connector, began.plus_s(4 * H - 1));
    assert_eq!(asked, [""; 0]);
    let asked = sync(&mut world, &mut connector, began.plus_s(5 * H));
    let log = "/v1/admin/data-diffs/?order-by=created_at:asc,id:asc&integration_id=int_1";
    let stretch = "&after=2026-03-02T07:50:00.000Z&before=2026-03-02T10:00:00.000Z";
    assert_eq!(asked, [format!("{log}{stretch}&offset=0&limit=250")]);
    // The next stretch begins where this one ended, and somewhat before.
    let asked = sync(&mut world, &mut connector, began.plus_s(12 * H));
    assert!(asked[0].contains("&after=2026-03-02T09:50:00.000Z&before=2026-03-02T17:00:00.000Z"));
    // Of what goes on nothing is known yet. After a day of silence it counts.
    world.requests.clear();
    world.now = began.plus_s(25 * H);
    world.wake(&mut connector);
    world.run(&mut connector, 60);
    assert!(paths(&world)[0].contains("&before=2026-03-02T20:00:00.000Z"));
    world.requests.clear();
    world.now = began.plus_s(50 * H);
    world.wake(&mut connector);
    world.run(&mut connector, 60);
    assert!(paths(&world)[0].contains("&before=2026-03-04T07:00:00.000Z"));
}

#[test]
fn what_was_lost_is_counted_once_and_asked_for() {
    let (mut world, mut connector, began) = known();
    lose(&mut world, began.plus_s(H), 3);
    // In what the next stretch takes up again.
    let late = began.plus_s(2 * H - 60);
    world.add("late", late.ms());
    world.log.push((late, "late".to_owned(), Verdict::Lost));
    world
        .log
        .push((began.plus_s(H), "kept".to_owned(), Verdict::Known));
    world
        .log
        .push((began.plus_s(H), "seen".to_owned(), Verdict::Ignored));
    world.add("unsure", began.ms());
    world
        .log
        .push((began.plus_s(H), "unsure".to_owned(), Verdict::Untold));
    sync(&mut world, &mut connector, began.plus_s(5 * H));
    world.run(&mut connector, 60);
    let log = log_of(&world, &connector);
    assert_eq!((&log["lost"], &log["last_lost"]), (&4.into(), &4.into()));
    assert_eq!(log["read_until"], began.plus_s(2 * H).to_string());
    let examples = log["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 4);
    assert_eq!(examples[3]["record_id"], "late");
    assert_eq!(examples[3]["job_id"], "j");
    assert!(world.state(&connector).contains(r#""lost":4,"#));
    // It is one of the numbers of its source.
    let d1 = Database::default();
    d1.migrate();
    d1.run(&world.report(&mut connector).unwrap());
    assert_eq!(
        d1.dump("SELECT source, lost FROM connectors"),
        ["propexo|4"]
    );
    for id in ["l0", "l1", "l2", "late", "unsure"] {
        assert!(world.mirror.contains_key(id), "{id} was asked for");
    }
    let asked = |id: &str| {
        let path = format!("/v1/leases/{id}");
        world.requests.iter().any(|it| it.path_and_query == path)
    };
    assert!(asked("unsure") && !asked("kept") && !asked("seen"));
    let asked = sync(&mut world, &mut connector, began.plus_s(8 * H));
    assert_eq!(asked.len(), 1);
    let log = log_of(&world, &connector);
    assert_eq!((&log["lost"], &log["last_lost"]), (&4.into(), &0.into()));
    assert!(world.state(&world.open()).contains(r#""lost":4,"#));
}

#[test]
fn a_stretch_counts_when_all_its_pages_are_through() {
    let (mut world, mut connector, began) = known();
    lose(&mut world, began.plus_s(H), 600);
    world.now = began.plus_s(5 * H);
    let synced = world.synced("int_1", false, &["leases"]);
    world.tell(&mut connector, &synced);
    let mut pages = 0;
    while pages < 2 {
        let Next::Fetch(request) = world.next(&mut connector) else {
            panic!("there is more to ask");
        };
        let is_page = request.path_and_query.contains("data-diffs");
        world.serve(&mut connector, request);
        pages += usize::from(is_page);
    }
    let log = log_of(&world, &connector);
    assert_eq!(
        (&log["lost"], &log["read_until"]),
        (&0.into(), &began.to_string().into())
    );
    assert_eq!(log["reading_until"], began.plus_s(2 * H).to_string());
    // It breaks off: what was through isn't read again.
    connector = world.open();
    world.requests.clear();
    world.run(&mut connector, 600);
    let asked = paths(&world);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("&offset=500&"), "{}", asked[0]);
    let log = log_of(&world, &connector);
    assert_eq!(
        (&log["lost"], &log["read_until"]),
        (&600.into(), &began.plus_s(2 * H).to_string().into())
    );
    assert_eq!(log["examples"].as_array().unwrap().len(), 5);
    // A walk brings them, and not a request each.
    assert_eq!(world.mirror.len(), 600);
    assert!(world.requests.len() < 10, "{}", world.requests.len());
}

#[test]
fn a_log_that_may_not_be_read_stops_alone() {
    for (code, why) in [
        (403, "the key may not read the log of changes"),
        (404, "there is no log of changes"),
        (400, "status 400"),
    ] {
        let (mut world, mut connector, began) = known();
        world.add("l1", began.ms());
        world.now = began.plus_s(5 * H);
        let synced = world.synced("int_1", false, &["leases"]);
        world.tell(&mut connector, &synced);
        while let Next::Fetch(request) = world.next(&mut connector) {
            if request.path_and_query.contains("data-diffs") {
                world.answers.push(status(code, "{}"));
            }
            world.serve(&mut connector, request);
        }
        let log = log_of(&world, &connector);
        assert_eq!(log["reason"], why);
        assert_eq!(log["stopped_until"], began.plus_s(29 * H).to_string());
        assert_eq!(log["read_until"], began.to_string());
        let state = world.state(&connector);
        assert!(state.contains(r#""stopped":[]"#) && state.contains(r#""sources":[]"#));
        assert!(state.contains(why), "among the failures, too");
        assert!(world.mirror.contains_key("l1"), "the rest goes on");
        let asked = sync(&mut world, &mut connector, began.plus_s(28 * H));
        assert_eq!(asked, [""; 0]);
        let asked = sync(&mut world, &mut connector, began.plus_s(30 * H));
        assert_eq!(asked.len(), 1);
        assert!(log_of(&world, &connector).get("reason").is_none());
    }
}

#[test]
fn what_fails_is_asked_for_again_and_at_last_the_next_time() {
    let (mut world, mut connector, began) = known();
    lose(&mut world, began.plus_s(H), 1);
    world.answers = vec![
        found("[]"),
        found(r#"{"results":[{"id":"d"}]}"#),
        Answer::Failed(Failure::TooLarge),
    ];
    world.now = began.plus_s(5 * H);
    let synced = world.synced("int_1", false, &[]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 120);
    let asked = paths(&world);
    let limits = asked.iter().map(|path| path.rsplit('=').next().unwrap());
    assert_eq!(limits.collect::<Vec<_>>(), ["250", "125", "62", "31"]);
    assert!(world.state(&connector).contains(r#""lost":1,"#));
    // The ledger doesn't answer.
    lose(&mut world, began.plus_s(4 * H), 1);
    world.is_dumb = true;
    let asked = sync(&mut world, &mut connector, began.plus_s(9 * H));
    assert!((3..10).contains(&asked.len()), "{}", asked.len());
    world.is_dumb = false;
    world.run(&mut connector, 60);
    assert_eq!(
        log_of(&world, &connector)["read_until"],
        began.plus_s(6 * H).to_string()
    );
    // Nothing but failures: it waits for the next time, with the same stretch.
    world.answers = (0..8).map(|_| status(410, "")).collect();
    world.now = began.plus_s(12 * H);
    let synced = world.synced("int_1", false, &[]);
    world.tell(&mut connector, &synced);
    world.run(&mut connector, 2 * H);
    assert!(world.answers.is_empty());
    assert_eq!(log_of(&world, &connector)["reason"], "status 410");
    let asked = sync(&mut world, &mut connector, began.plus_s(16 * H));
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].contains("&before=2026-03-02T17:00:00.000Z"),
        "{}",
        asked[0]
    );
}

#[test]
fn a_log_that_was_long_out_of_reach_is_read_as_far_as_it_is_kept() {
    let (mut world, mut connector, began) = known();
    let asked = sync(&mut world, &mut connector, began.plus_s(24 * H * 60));
    let after = began.plus_s(24 * H * 31).minus_s(600).to_string();
    assert!(asked[0].contains(&after[..19]), "{}", asked[0]);
}

#[test]
fn without_reconciling_it_is_not_read() {
    let mut world = World::new(r#"{"kind":"propexo","key":"KEY","reconcile":false}"#);
    let mut connector = world.open();
    let began = world.now;
    let synced = world.synced("int_1", false, &["leases"]);
    world.tell(&mut connector, &synced);
    assert_eq!(
        sync(&mut world, &mut connector, began.plus_s(9 * H)),
        [""; 0]
    );
}

#[test]
fn changes_are_read_whatever_their_shape() {
    let kind = named("propexo").unwrap();
    let values = |diff: &str| {
        let body = format!(
            r#"{{"meta":{{"hasMore":null}},"results":[{{"model":"service-requests","model_record_id":"r",
                "event_type":"NEW","created_at":"2026-03-02T08:00:00.000Z","job_id":null,
                "data_diff":{diff}}}]}}"#
        );
        let page = kind.read_log(&body).unwrap();
        assert_eq!((page.rows, page.has_more), (1, None));
        let [change] = page.changes.as_slice() else {
            panic!("one change");
        };
        assert_eq!(
            (change.model.as_str(), change.is_new),
            ("service_requests", true)
        );
        assert_eq!(
            (change.at, &change.job),
            (at("2026-03-02T08:00:00Z"), &None)
        );
        change.values.clone()
    };
    let table = [
        (r#"{"previous":{"a":1},"new":{"a":2}}"#, Some(r#"{"a":2}"#)),
        (r#"{"new":{"a":2}}"#, Some(r#"{"a":2}"#)),
        (
            r#"{"a":{"previous":1,"new":2},"b":{"old":1,"new":null}}"#,
            Some(r#"{"a":2,"b":null}"#),
        ),
        (r#"{"a":2.0,"b":"x"}"#, Some(r#"{"a":2.0,"b":"x"}"#)),
        // A field that is called so, among others.
        (r#"{"new":true,"a":1}"#, Some(r#"{"new":true,"a":1}"#)),
        (r#"{"new":7}"#, None),
        ("[]", None),
        ("null", None),
        (r#""text""#, None),
    ];
    for (diff, expected) in table {
        assert_eq!(values(diff).as_deref(), expected, "{diff}");
    }
    // One without a record is passed over; where none has one, it's no log.
    let good = r#"{"model":"leases","model_record_id":"r","event_type":"UPDATE","created_at":"2026-03-02T08:00:00Z"}"#;
    let page = kind.read_log(&format!(r#"{{"results":[{{"model":"leases"}},{good}]}}"#));
    let page = page.unwrap();
    assert_eq!((page.rows, page.changes.len()), (2, 1));
    assert!(!page.changes[0].is_new && page.changes[0].values.is_none());
    for body in [
        "",
        "{}",
        r#"{"results":{}}"#,
        r#"{"results":[{"model":"leases"}]}"#,
    ] {
        assert!(kind.read_log(body).is_none(), "{body}");
    }
    assert_eq!(kind.read_log(r#"{"results":[]}"#).unwrap().rows, 0);
}
