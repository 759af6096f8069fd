//! What is known as a repetition, and for how long.

use leasewire::ledger::{Ledger, Outcome, RECENT_MAX};
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery, finish_replay, job};

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

/// One ledger that is opened anew for each delivery.
struct World {
    database: Database,
    dialect: &'static str,
    start: Timestamp,
}

impl World {
    fn new(dialect: &'static str) -> Self {
        Self {
            database: Database::default(),
            dialect,
            start: at("2026-02-01T00:00:00Z"),
        }
    }

    /// What becomes of `body`, so many seconds after the start.
    fn take(&self, body: &str, after_s: u64) -> (&'static str, u64) {
        let mut ledger = Ledger::open(&self.database).unwrap();
        let delivery = delivery(self.dialect, "i", body);
        let taken = ledger.intake(&delivery, self.start.plus_s(after_s));
        let taken = taken.unwrap();
        (taken.outcome.label(), taken.seq)
    }
}

/// What carries nothing of its own and is about no record: a sync may end like
/// the one before, and only a retry comes within minutes.
#[test]
fn notices_with_nothing_of_their_own() {
    const MINUTES_10: u64 = 600;
    let notices = [
        r#"{"event":"SYNC_COMPLETE","integration_id":"i","successful_job_count":3,"is_sync_finished":true,"job_schedule_id":"s1"}"#,
        r#"{"trigger":"FIRST_SYNC_COMPLETE","data":{"models_synced":["leases"],"ambiguous":false}}"#,
        r#"{"integration_id":"i","successful_job_count":9,"failed_job_count":0,"is_sync_finished":true,"vendor":"BUILDIUM"}"#,
        r#"{"event":"WRITE_OPERATION_FAILURE","errors":["Timed out"]}"#,
        r#"{"event":"JOB_FAILURE","job_type":"READ_LEASES","job_id":null}"#,
        r#"{"event":"INTEGRATION_PAUSED","vendor":"ENTRATA"}"#,
    ];
    for body in notices {
        let world = World::new("propexo");
        assert_eq!(world.take(body, 0), ("accepted", 1), "{body}");
        assert_eq!(world.take(body, 1), ("duplicate", 1), "{body}");
        assert_eq!(world.take(body, MINUTES_10 - 1), ("duplicate", 1), "{body}");
        assert_eq!(world.take(body, MINUTES_10), ("accepted", 2), "{body}");
        // Counted from the last one that was taken for news.
        assert_eq!(world.take(body, 2 * MINUTES_10 - 1), ("duplicate", 2));
        assert_eq!(world.take(body, 15 * 3_600), ("accepted", 3), "{body}");
        // Nothing is known of what came before the window.
        assert_eq!(world.take(body, 15 * 3_600 + WINDOW_S), ("accepted", 4));

        let ledger = Ledger::open(&world.database).unwrap();
        let packs = ledger.next_batch().unwrap().packs;
        let text: String = packs.iter().map(|pack| pack.text.as_str()).collect();
        let events: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let marks: Vec<bool> = events.iter().map(|it| it["ambiguous"] == true).collect();
        assert_eq!(marks, [false, true, true, false], "{body}");
        // What the provider says is left as it is.
        let said = events.iter().all(|it| it["data"] == events[0]["data"]);
        assert!(
            said && events[0]["data"]
                .get("ambiguous")
                .is_none_or(|it| it == false)
        );
        for (seq, is_marked) in (1..).zip(marks) {
            let shown: serde_json::Value =
                serde_json::from_str(&ledger.event(seq).unwrap().unwrap()).unwrap();
            assert_eq!(shown["cloudevent"]["ambiguous"] == true, is_marked);
        }
    }
}

/// Behind anything else that came in, the same bytes may be the end of that.
#[test]
fn a_notice_behind_another_event_is_news() {
    let world = World::new("propexo");
    let sync = r#"{"event":"SYNC_COMPLETE","integration_id":"i","is_sync_finished":true}"#;
    let other = r#"{"event":"JOB_SUCCESS","integration_id":"i","job_id":"j1"}"#;
    assert_eq!(world.take(sync, 0), ("accepted", 1));
    assert_eq!(world.take(sync, 1), ("duplicate", 1));
    assert_eq!(world.take(other, 2), ("accepted", 2));
    assert_eq!(world.take(sync, 3), ("accepted", 3));
    assert_eq!(world.take(sync, 4), ("duplicate", 3));
    // A repetition is nothing that came in.
    assert_eq!(world.take(other, 5), ("duplicate", 2));
    assert_eq!(world.take(sync, 6), ("duplicate", 3));
}

/// The id of a job makes a body one event, however late it comes again.
#[test]
fn notices_with_a_job() {
    let notices = [
        r#"{"event":"JOB_FAILURE","job_id":"j1"}"#,
        r#"{"trigger":"SYNC_COMPLETE","data":{"job_id":"j1","is_sync_finished":true}}"#,
        r#"{"event":"WRITE_OPERATION_FAILURE","root_job_id":"j1","errors":[]}"#,
    ];
    for body in notices {
        let world = World::new("propexo");
        assert_eq!(world.take(body, 0), ("accepted", 1), "{body}");
        for after_s in [1, 3_600, WINDOW_S - 1, WINDOW_S + 3_600, 20 * 86_400] {
            assert_eq!(world.take(body, after_s), ("duplicate", 1), "{body}");
        }
    }
}

/// A dated notice keeps the window, and a sync its id.
#[test]
fn notices_with_a_time() {
    let world = World::new("meterbase");
    let notice = r#"{"event":"connection.paused","timestamp":"2026-01-31T23:00:00Z"}"#;
    let sync = |time: &str| {
        format!(r#"{{"event":"sync.complete","timestamp":"{time}","sync_id":"sync_1"}}"#)
    };
    assert_eq!(world.take(notice, 0), ("accepted", 1));
    assert_eq!(
        world.take(&sync("2026-01-31T23:00:00Z"), 0),
        ("accepted", 2)
    );
    assert_eq!(world.take(notice, 2 * 3_600), ("duplicate", 1));
    assert_eq!(
        world.take(&sync("2026-01-31T23:00:05Z"), 3_600),
        ("duplicate", 2)
    );
}

/// Updates that name the sync they come from are events of their own.
#[test]
fn a_sync_identifies_its_end_alone() {
    let world = World::new("meterbase");
    for n in 1..=3 {
        let body = format!(
            r#"{{"event":"data.update","timestamp":"2026-01-31T23:00:0{n}Z","sync_id":"sync_7","resource_type":"unit","data":{{"id":"u","n":{n}}}}}"#
        );
        assert_eq!(world.take(&body, n), ("accepted", n));
        assert_eq!(world.take(&body, n), ("duplicate", n));
    }
    assert_eq!(
        world.database.dump("SELECT fields FROM records"),
        [r#"{"id":"u","n":3}"#]
    );
}

fn rent(job: u64, previous: u64, new: u64) -> String {
    format!(
        r#"{{"job_id":"j{job}","event":"DATA_UPDATE","object":"leases","record_id":"r","diff":{{"previous":{{"rent":{previous}}},"new":{{"rent":{new}}}}}}}"#
    )
}

/// A resend days later turns no record back.
#[test]
fn changes_with_a_job_are_known_beyond_the_window() {
    let world = World::new("propexo");
    let (up, down) = (rent(1, 1, 2), rent(2, 2, 3));
    assert_eq!(world.take(&up, 0), ("accepted", 1));
    assert_eq!(world.take(&down, 60), ("accepted", 2));
    for after_s in [WINDOW_S + 3_600, WINDOW_S + 86_400 + 120, 20 * 86_400] {
        assert_eq!(world.take(&up, after_s), ("duplicate", 1));
        assert_eq!(world.take(&down, after_s), ("duplicate", 2));
    }
    // Nor does one that comes after the record's next event.
    assert_eq!(world.take(&rent(3, 3, 4), 20 * 86_400), ("accepted", 3));
    assert_eq!(world.take(&up, 20 * 86_400 + 1), ("duplicate", 1));
    assert_eq!(
        world.database.dump("SELECT fields, drift FROM records"),
        [r#"{"rent":4}|0"#]
    );
    assert_eq!(world.database.events("by_key"), ["0", "0", "0"]);
}

/// As long as there is room: the latest are kept, and what is within the
/// window goes before what is beyond it.
#[test]
fn a_full_list_forgets_the_oldest_change() {
    let world = World::new("propexo");
    let count = RECENT_MAX as u64 + 10;
    for n in 1..=count {
        let hours = n * 6;
        assert_eq!(
            world.take(&rent(n, n, n + 1), hours * 3_600),
            ("accepted", n)
        );
    }
    let end = count * 6 * 3_600;
    assert_eq!(world.take(&rent(11, 11, 12), end), ("duplicate", 11));
    assert_eq!(world.take(&rent(10, 10, 11), end), ("accepted", count + 1));
    let indexed = world
        .database
        .dump("SELECT count(*) FROM events_1 WHERE by_key");
    assert_eq!(indexed, ["0"]);
}

/// An event that is ahead of the clock is quarantined. When it comes again and
/// isn't any more, it has its number already, and is read again.
#[test]
fn ahead_of_the_clock_and_then_not() {
    let world = World::new("real-estate");
    let listed = |id: &str, time: &str, price: u32| {
        format!(
            r#"{{"id":"{id}","type":"property.updated","created":"2026-02-01T{time}Z","data":{{"property":{{"id":"p","price":{price}}}}}}}"#
        )
    };
    let ahead = listed("evt_1", "00:06:00", 1);
    assert_eq!(world.take(&ahead, 0), ("quarantined", 1));
    assert_eq!(world.take(&ahead, 1), ("duplicate", 1));
    assert_eq!(world.database.events("quarantine"), ["future_time"]);
    assert_eq!(
        world.take(&listed("evt_2", "00:00:30", 2), 30),
        ("accepted", 2)
    );
    assert!(!Ledger::open(&world.database).unwrap().has_replay());

    assert_eq!(world.take(&ahead, 300), ("duplicate", 1));
    assert_eq!(world.take(&ahead, 301), ("duplicate", 1));
    let mut ledger = Ledger::open(&world.database).unwrap();
    assert!(ledger.has_replay());
    ledger.found_alarm(false);
    let now = world.start.plus_s(302);
    assert!(ledger.follow_up(now, 0).wake_at.is_some());
    finish_replay(&mut ledger, "real-estate", now);
    assert_eq!(world.database.events("quarantine"), ["NULL", "NULL"]);
    let records = "SELECT last_seq, version, fields FROM records";
    assert_eq!(
        world.database.dump(records),
        [r#"2|1|{"id":"p","price":1}"#]
    );
    // From here on it is an event like any other.
    assert_eq!(world.take(&ahead, 400), ("duplicate", 1));
    assert!(!Ledger::open(&world.database).unwrap().has_replay());
    let replays = world.database.dump("SELECT count(*) FROM replays");
    assert_eq!(replays, ["1"]);
}

/// The clock goes back: what was understood is ahead of it, and has its number.
#[test]
fn not_ahead_of_the_clock_and_then_ahead() {
    let world = World::new("real-estate");
    let body = r#"{"id":"evt_1","type":"property.updated","created":"2026-02-01T00:10:00Z","data":{"property":{"id":"p"}}}"#;
    assert_eq!(world.take(body, 600), ("accepted", 1));
    assert_eq!(world.take(body, 0), ("duplicate", 1));
    assert_eq!(world.database.events("quarantine"), ["NULL"]);
}
