//! What is known as a repetition, and for how long.

mod common;

use common::{Database, at, delivery, job};
use leasewire::ledger::{Ledger, Outcome, RECENT_MAX};

const WINDOW_S: u64 = 48 * 3_600;

/// A record with more events than its row has room for: the rest are in the
/// index, and repetitions of any of them are known.
#[test]
fn a_busy_record_knows_its_repetitions() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    let snapshot = |n: u32| {
        let body = format!(
            r#"{{"id":"evt_{n}","type":"lease.updated","created":"2026-01-01T00:00:00Z","data":{{"lease":{{"id":"r","f0":{n}}}}}}}"#
        );
        delivery("real-estate", "i", &body)
    };
    for n in 1..=600 {
        let taken = ledger.intake(&snapshot(n), now).unwrap();
        assert_eq!(
            (taken.outcome, taken.seq),
            (Outcome::Accepted, u64::from(n))
        );
    }
    let indexed = database.dump("SELECT count(*) FROM events_1 WHERE by_key");
    assert_eq!(indexed, [(600 - RECENT_MAX).to_string()]);
    let mut ledger = Ledger::open(&database).unwrap();
    for n in [1, 2, 255, 256, 257, 258, 599, 600] {
        let taken = ledger
            .intake(&snapshot(n), now.plus_s(WINDOW_S - 1))
            .unwrap();
        assert_eq!(
            (taken.outcome, taken.seq),
            (Outcome::Duplicate, u64::from(n))
        );
    }
    // Beyond the window it is an event like any other.
    for (n, seq) in [(1, 601), (600, 602)] {
        let taken = ledger.intake(&snapshot(n), now.plus_s(WINDOW_S)).unwrap();
        assert_eq!((taken.outcome, taken.seq), (Outcome::Accepted, seq));
    }
}

/// The second event is received when the clock shows an earlier time. It must
/// not hide the first one from a repetition that lies within the window still.
#[test]
fn a_clock_that_goes_back_hides_no_event() {
    let database = Database::default();
    let change = |field: u8| {
        let body = format!(
            r#"{{"meta":{{"object":"leases"}},"record_id":"r","diff":{{"previous":{{"f{field}":0}},"new":{{"f{field}":1}}}}}}"#
        );
        delivery("propexo", "i", &body)
    };
    let take = |delivery, time| {
        // What it goes by must outlast the memory.
        let mut ledger = Ledger::open(&database).unwrap();
        let taken = ledger.intake(&delivery, at(time)).unwrap();
        (taken.outcome.label(), taken.seq)
    };
    let first = change(0);
    assert_eq!(take(first.clone(), "2026-02-01T12:00:00Z"), ("accepted", 1));
    let second = change(1);
    assert_eq!(take(second, "2026-02-01T11:50:00Z"), ("accepted", 2));
    assert_eq!(
        take(first.clone(), "2026-02-03T11:59:59Z"),
        ("duplicate", 1)
    );
    let received = database.events("received_at");
    assert_eq!(received[0], received[1]);
    assert_eq!(take(first, "2026-02-03T12:00:00Z"), ("accepted", 3));
}

/// The clock runs ahead for a while. By the right time the edge accepts the
/// first event's replay again, so it must be within the window again too.
#[test]
fn a_clock_that_ran_ahead_lets_no_replay_in() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let first = delivery("propexo", "i", &job(0));
    let second = delivery("propexo", "i", &job(1));
    ledger.intake(&first, at("2026-02-01T12:00:00Z")).unwrap();
    ledger.intake(&second, at("2026-02-03T12:10:00Z")).unwrap();
    let replay = ledger.intake(&first, at("2026-02-03T11:59:00Z")).unwrap();
    assert_eq!((replay.outcome, replay.seq), (Outcome::Duplicate, 1));
}
