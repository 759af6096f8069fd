//! Old history goes, and what may not go stays.

use std::rc::Rc;

use leasewire::dialect::filter::Filter;
use leasewire::edge::delivery::Delivery;
use leasewire::ledger::{Ledger, Retention, State};
use leasewire::sql::Sql;
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery, finish_replay, job, named, range};

const RETENTION_S: u64 = 48 * 3_600;
const RETENTION: Retention = Retention::new(RETENTION_S, RETENTION_S);

/// A ledger whose whole history went goes on with the next number, and knows
/// what it knew.
#[test]
fn a_ledger_outlives_its_history() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let mut now = at("2026-02-01T00:00:00Z");
    for id in 0..3 {
        let delivery = delivery("propexo", "i", &job(id));
        ledger.intake(&delivery, now).unwrap();
    }
    let junk = delivery("propexo", "i", "junk");
    ledger.intake(&junk, now).unwrap();
    ledger.confirm(named(1, 3, 0), now).unwrap();
    let state = ledger.state().unwrap();
    for _ in 0..3 {
        now = now.plus_s(RETENTION_S);
        while ledger.expire(now, &RETENTION).unwrap().is_some() {}
    }
    assert_eq!(database.events("seq"), ["4"]);
    assert_eq!(
        database.dump("SELECT number, first_seq FROM segments"),
        ["2|5"]
    );
    let known = |ledger: &Ledger<&Database>| {
        let state = ledger.state().unwrap().unwrap();
        State { bytes: 0, ..state }
    };
    let state = State {
        bytes: 0,
        ..state.unwrap()
    };
    assert_eq!(known(&ledger), state);
    let mut ledger = Ledger::open(&database).unwrap();
    assert_eq!(known(&ledger), state);
    assert_eq!(ledger.event(1).unwrap(), None);
    assert!(ledger.event(4).unwrap().is_some());
    assert!(!ledger.has_unsettled());
    let next = delivery("propexo", "i", &job(9));
    assert_eq!(ledger.intake(&next, now).unwrap().seq, 5);
    let batch = ledger.next_batch().unwrap();
    assert_eq!((batch.packs[0].first, batch.packs[0].last), (5, 5));
}

/// What is dead or quarantined moves in steps of its own.
#[test]
fn much_that_stays_moves_step_by_step() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    for n in 0..1_300 {
        let body = match n % 3 {
            0 => format!("junk {n}"),
            _ => job(n),
        };
        ledger
            .intake(&delivery("propexo", "i", &body), now)
            .unwrap();
    }
    ledger.confirm(named(1, 400, 0), now).unwrap();
    ledger.dead_letter(named(401, 900, 0), "test", now).unwrap();
    ledger.confirm(named(901, 1_300, 0), now).unwrap();
    let later = now.plus_s(RETENTION_S);
    assert_eq!(ledger.expire(later, &RETENTION).unwrap(), None);
    let mut now = later.plus_s(RETENTION_S);
    let mut steps = 1;
    while let Some(at) = ledger.expire(now, &RETENTION).unwrap() {
        assert!(at > now);
        now = at;
        steps += 1;
    }
    let stays = (1..=1_300).filter(|seq| (401..=900).contains(seq) || seq % 3 == 1);
    let stays: Vec<_> = stays.map(|seq| seq.to_string()).collect();
    assert_eq!(steps, stays.len() / 500 + 1);
    assert_eq!(database.events("seq"), stays);
    let state = ledger.state().unwrap().unwrap();
    assert_eq!((state.quarantined, state.dead), (434, 334));
    // A dead event that is applied after all is history, and old.
    ledger.confirm(named(401, 900, 0), now).unwrap();
    assert_eq!(database.events("seq").len(), 434);
}

/// Small enough to be reached here.
const SMALL: Retention = Retention {
    ledger_bytes_max: 400_000,
    segment_bytes_max: 100_000,
    ..RETENTION
};

fn segments(database: &Database) -> usize {
    database.dump("SELECT number FROM segments").len()
}

/// Takes in `count` jobs of about `bytes` each, the first one with the id
/// `from`, and confirms them; the ledger is opened anew before each of them.
fn take_jobs(database: &Database, from: u32, count: u32, bytes: usize, now: Timestamp) {
    for id in from..from + count {
        let mut ledger = Ledger::open(database).unwrap();
        let filler = "x".repeat(bytes / 2);
        let body = format!(r#"{{"event":"JOB_SUCCESS","job_id":"j{id}","filler":"{filler}"}}"#);
        let taken = ledger.intake(&delivery("propexo", "i", &body), now);
        let seq = taken.unwrap().seq;
        ledger.confirm(named(seq, seq, 0), now).unwrap();
        ledger.wake(now, 0).unwrap();
    }
}

fn expire_all(database: &Database, retention: &Retention, mut now: Timestamp) -> u32 {
    for steps in 1.. {
        // What is in memory is lost between two steps, now and then.
        let mut ledger = Ledger::open(database).unwrap();
        match ledger.expire(now, retention).unwrap() {
            Some(at) => now = at,
            None => return steps,
        }
        if let Some(at) = ledger.expire(now, retention).unwrap() {
            now = at;
        }
        assert!(steps < 1_000, "no end");
    }
    0
}

/// A segment ends by the ledger's bytes, though the ledger sleeps between any
/// two events; also the first one.
#[test]
fn a_segment_ends_by_its_bytes_whoever_sleeps() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    for round in 0..12 {
        take_jobs(&database, round * 4, 4, 5_000, now);
        expire_all(&database, &SMALL, now);
    }
    let rows = database.dump("SELECT first_seq FROM segments ORDER BY number");
    let firsts: Vec<u64> = rows.iter().map(|row| row.parse().unwrap()).collect();
    assert!(firsts.len() >= 3, "{firsts:?}");
    for pair in firsts.windows(2) {
        let events = pair[1] - pair[0];
        assert!((8..32).contains(&events), "{firsts:?}");
    }
}

/// Whatever goes, a segment's bytes stay its own.
#[test]
fn a_dropped_segment_makes_no_other_one_longer() {
    let database = Database::default();
    let mut now = at("2026-02-01T00:00:00Z");
    let mut most = 0;
    for round in 0..60 {
        now = now.plus_s(RETENTION_S / 8);
        take_jobs(&database, round * 4, 4, 5_000, now);
        expire_all(&database, &SMALL, now);
        most = most.max((&database).size().unwrap());
    }
    assert!(segments(&database) >= 5);
    assert!(most < SMALL.ledger_bytes_max * 2, "{most}");
}

/// Above its bound a ledger lets history go from the first segment on, and
/// stays below.
#[test]
fn a_ledger_never_fills_up() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    for round in 0..60 {
        take_jobs(&database, round * 4, 4, 5_000, now);
        expire_all(&database, &SMALL, now);
        let bytes = (&database).size().unwrap();
        let most = SMALL.ledger_bytes_max + SMALL.segment_bytes_max;
        assert!(bytes < most, "{bytes} in round {round}");
    }
    assert!(database.events("seq").len() < 60);
}

/// History that goes early takes no keys along that tell a repetition.
#[test]
fn a_repetition_is_known_when_its_history_has_gone() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let ignoring = |body: &str| Delivery {
        filter: Rc::new(Filter::new(Some(vec!["leases".to_owned()]), None, None)),
        ..delivery("propexo", "i", body)
    };
    let unit =
        r#"{"meta":{"object":"units"},"record_id":"u1","diff":{"previous":{},"new":{"a":1}}}"#;
    let lease = unit.replace("units", "leases");
    let early = [
        ignoring(&job(1)),
        ignoring("junk"),
        ignoring(unit),
        ignoring(&lease),
    ];
    let again = |now: Timestamp| {
        let mut ledger = Ledger::open(&database).unwrap();
        let take = |delivery| ledger.intake(delivery, now).unwrap();
        let taken = early.iter().map(take);
        taken
            .map(|taken| (taken.outcome.label(), taken.seq))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        again(now).iter().map(|taken| taken.0).collect::<Vec<_>>(),
        ["accepted", "quarantined", "ignored", "accepted"]
    );
    let mut ledger = Ledger::open(&database).unwrap();
    ledger.confirm(named(1, 4, 0), now).unwrap();
    ledger.wake(now, 0).unwrap();
    take_jobs(&database, 100, 60, 10_000, now);
    let full = Retention {
        ledger_bytes_max: 1,
        ..SMALL
    };
    expire_all(&database, &full, now);
    take_jobs(&database, 200, 1, 10_000, now);
    expire_all(&database, &full, now);
    assert_eq!(database.events("seq")[0], "2", "what is quarantined stays");
    assert!(!database.events("seq").contains(&"1".to_owned()));
    let known: Vec<_> = (1..=4).map(|seq| ("duplicate", seq)).collect();
    assert_eq!(again(now.plus_s(RETENTION_S / 2)), known);
    // Beyond the window they are new, and in the end nothing is kept.
    let later = now.plus_s(RETENTION_S + 1);
    assert!(again(later).iter().all(|taken| taken.1 > 4));
    assert!(!database.dump("SELECT seq FROM kept_keys").is_empty());
    expire_all(&database, &RETENTION, later.plus_s(RETENTION_S));
    assert!(database.dump("SELECT seq FROM kept_keys").is_empty());
}

/// What is quarantined moves by bytes as well as by numbers.
#[test]
fn large_bodies_move_a_few_at_a_time() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    for n in 0..20 {
        let junk = format!("junk {n} {}", "x".repeat(1_000_000));
        ledger
            .intake(&delivery("propexo", "i", &junk), now)
            .unwrap();
    }
    let now = now.plus_s(RETENTION_S);
    ledger.expire(now, &RETENTION).unwrap();
    let mut now = now.plus_s(RETENTION_S);
    let mut moved = Vec::new();
    while let Some(at) = ledger.expire(now, &RETENTION).unwrap() {
        moved.push(database.dump("SELECT seq FROM events_0").len());
        now = at;
    }
    assert_eq!(moved, [7, 14]);
    assert_eq!(database.events("seq").len(), 20);
}

/// What a replay quarantines between two steps, below what was moved already,
/// is moved too; and what it makes understood isn't kept.
#[test]
fn what_changes_between_two_steps_is_moved_as_it_is() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    let odd = |n: u32| {
        format!(
            r#"{{"object":"","meta":{{"object":"leases"}},"record_id":"r{n}","diff":{{"previous":{{}},"new":{{"a":1}}}}}}"#
        )
    };
    for n in 0..700 {
        // Propify understands those, and no job.
        let body = if n < 100 { job(n) } else { odd(n) };
        ledger
            .intake(&delivery("propexo", "i", &body), now)
            .unwrap();
    }
    ledger.confirm(named(1, 100, 0), now).unwrap();
    let now = now.plus_s(RETENTION_S);
    ledger.expire(now, &RETENTION).unwrap();
    let now = now.plus_s(RETENTION_S);
    assert!(ledger.expire(now, &RETENTION).unwrap().is_some());
    assert_eq!(database.dump("SELECT seq FROM events_0").len(), 500);
    let replayed = [(1, 100), (101, 200)];
    for (from, to) in replayed {
        ledger
            .ask_for_replay(&range(from, to), now)
            .unwrap()
            .unwrap();
    }
    finish_replay(&mut ledger, "propify", now);
    let state = ledger.state().unwrap().unwrap();
    assert_eq!((state.quarantined, state.pending), (600, 100));
    while ledger.may_send() {
        let batch = ledger.next_batch().unwrap();
        ledger.sent(batch.through, now);
        for pack in batch.packs {
            ledger
                .confirm(named(pack.first, pack.last, 2), now)
                .unwrap();
        }
    }
    ledger.wake(now, 0).unwrap();
    expire_all(&database, &RETENTION, now);
    let stays: Vec<_> = (1..=700_u32)
        .filter(|seq| !(101..=200).contains(seq))
        .map(|seq| seq.to_string())
        .collect();
    assert!(database.events("seq") == stays);
    let state = Ledger::open(&database).unwrap().state().unwrap().unwrap();
    assert_eq!(state.quarantined, 600);
}

/// The index is looked into as long as an event that needs it is within the
/// window, and no longer.
#[test]
fn the_index_is_needed_for_a_window_only() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let ignoring = Delivery {
        filter: Rc::new(Filter::new(Some(vec!["leases".to_owned()]), None, None)),
        ..delivery(
            "propexo",
            "i",
            r#"{"meta":{"object":"units"},"record_id":"u1","diff":{"previous":{},"new":{"a":1}}}"#,
        )
    };
    let lease = |n: u32| {
        let body = format!(
            r#"{{"meta":{{"object":"leases"}},"record_id":"l{n}","diff":{{"previous":{{}},"new":{{"a":{n}}}}}}}"#
        );
        delivery("propexo", "i", &body)
    };
    let looks = |now: Timestamp, n: u32| {
        let mut ledger = Ledger::open(&database).unwrap();
        let before = database.statements.borrow().len();
        ledger.intake(&lease(n), now).unwrap();
        let statements = database.statements.borrow();
        statements[before..]
            .iter()
            .any(|sql| sql.contains("AND by_key"))
    };
    Ledger::open(&database)
        .unwrap()
        .intake(&lease(0), now)
        .unwrap();
    assert!(!looks(now, 1));
    Ledger::open(&database)
        .unwrap()
        .intake(&ignoring, now)
        .unwrap();
    assert!(looks(now, 2));
    let window_s = ignoring.dedupe_window_s;
    assert!(looks(now.plus_s(window_s), 3));
    // It is noted a day ahead, so that not every such event writes the row.
    assert!(!looks(now.plus_s(window_s + 2 * 86_400), 4));
}
