//! Events of the same time about one record: what they say tells which came
//! first, and where they don't, the order in which they came.

use leasewire::ledger::{Ledger, Retention};
use leasewire::time::Timestamp;
use proptest::prelude::*;

use crate::common::{Database, at, delivery, finish_replay, named, range};

const NOW: &str = "2026-03-01T12:00:00Z";

fn meterbase(event: &str, second: u8, data: &str, changes: &str) -> String {
    let changes = match changes {
        "" => String::new(),
        changes => format!(r#","changes":{{{changes}}}"#),
    };
    format!(
        r#"{{"event":"data.{event}","timestamp":"2026-03-01T10:00:{second:02}Z","connection_id":"i","resource_type":"unit","data":{{"id":"u1",{data}}}{changes}}}"#
    )
}

fn property(id: u8, verb: &str, price: u8) -> String {
    format!(
        r#"{{"id":"evt_{id}","type":"property.{verb}","created":"2026-03-01T10:00:00Z","data":{{"property":{{"id":"u1","price":{price}}}}}}}"#
    )
}

/// The record's fields, its timeline's notices in order, and which events are
/// late, after `bodies` in this order.
fn outcome(dialect: &str, bodies: &[String]) -> (String, Vec<String>, Vec<u64>) {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let (mut notices, mut late) = (Vec::new(), Vec::new());
    for body in bodies {
        let taken = ledger
            .intake(&delivery(dialect, "i", body), at(NOW))
            .unwrap();
        let data = ledger.data(taken.seq).unwrap().unwrap();
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        for notice in data["notices"].as_array().unwrap_or(&Vec::new()) {
            notices.push(notice.as_str().unwrap().to_owned());
        }
        if data["late"] == true {
            late.push(taken.seq);
        }
        // A repetition is one.
        let again = ledger
            .intake(&delivery(dialect, "i", body), at(NOW))
            .unwrap();
        assert_eq!((again.outcome.label(), again.seq), ("duplicate", taken.seq));
    }
    let fields = record(&database);
    replay(&mut ledger, dialect, bodies.len() as u64);
    assert_eq!(record(&database), fields, "after a replay");
    (fields, notices, late)
}

fn record(database: &Database) -> String {
    let rows = database.dump("SELECT fields FROM records");
    let fields: serde_json::Value = serde_json::from_str(&rows[0]).unwrap();
    fields.to_string()
}

fn replay(ledger: &mut Ledger<&Database>, dialect: &str, to: u64) {
    ledger.ask_for_replay(&range(1, to), at(NOW)).unwrap();
    finish_replay(ledger, dialect, at(NOW));
}

/// Both orders of arrival: the last one wins, for this reason.
#[test]
fn two_events_of_one_second() {
    let vacant = r#""status":"vacant""#;
    let occupied = r#""status":"occupied""#;
    let turned = r#""status":{"old":"vacant","new":"occupied"}"#;
    let leased = r#""current_lease":{"id":"l1","rent":5}"#;
    let moved = r#""current_lease":{"id":"l2","rent":6}"#;
    let by_id = r#""current_lease":{"old":"l1","new":"l2"}"#;
    let cases = [
        // What was before is what the other says is.
        (
            meterbase("update", 1, vacant, ""),
            meterbase("update", 1, occupied, turned),
        ),
        (
            meterbase("new", 1, vacant, ""),
            meterbase("update", 1, occupied, turned),
        ),
        // An id, and the object that has it, in either place.
        (
            meterbase("update", 1, leased, ""),
            meterbase("update", 1, moved, by_id),
        ),
        (
            meterbase("update", 1, r#""current_lease":"l1""#, ""),
            meterbase(
                "update",
                1,
                r#""current_lease":"l2""#,
                r#""current_lease":{"old":{"id":"l1"},"new":{"id":"l2"}}"#,
            ),
        ),
        // What did not change, and what is no field, says nothing.
        (
            meterbase("update", 1, vacant, ""),
            meterbase(
                "update",
                1,
                occupied,
                &format!(r#"{turned},"rent":{{"old":1,"new":1}},"a.b":{{"old":1,"new":2}}"#),
            ),
        ),
        // A record is new before it changes.
        (
            meterbase("new", 1, vacant, ""),
            meterbase("update", 1, occupied, ""),
        ),
    ];
    for (first, last) in cases {
        for bodies in [[&first, &last], [&last, &first]] {
            let bodies = bodies.map(Clone::clone);
            let (fields, _, late) = outcome("meterbase", &bodies);
            let should: serde_json::Value = serde_json::from_str(&last).unwrap();
            assert_eq!(fields, should["data"].to_string(), "{bodies:?}");
            let is_late = if bodies[0] == first { vec![] } else { vec![2] };
            assert_eq!(late, is_late, "{bodies:?}");
        }
    }
    for bodies in [
        [property(1, "created", 1), property(2, "sold", 2)],
        [property(2, "sold", 2), property(1, "created", 1)],
    ] {
        let (fields, ..) = outcome("real-estate", &bodies);
        assert_eq!(fields, r#"{"id":"u1","price":2}"#, "{bodies:?}");
    }
}

/// Nothing tells them apart: what came last is the record, whatever the key.
#[test]
fn else_arrival_decides() {
    for n in 0..20 {
        let bodies = [property(n, "updated", 1), property(n + 1, "sold", 2)];
        let (fields, _, late) = outcome("real-estate", &bodies);
        assert_eq!(fields, r#"{"id":"u1","price":2}"#);
        assert_eq!(late, Vec::<u64>::new());
        // Each says that it came from what the other is.
        let turn = |old: &str, new: &str| {
            let change = format!(r#""status":{{"old":"{old}","new":"{new}"}}"#);
            meterbase(
                "update",
                1,
                &format!(r#""status":"{new}","n":{n}"#),
                &change,
            )
        };
        let bodies = [turn("a", "b"), turn("b", "a")];
        let (fields, ..) = outcome("meterbase", &bodies);
        assert!(fields.contains(r#""status":"a""#), "{fields}");
    }
}

/// The third one shows that the first one was newer than the second.
#[test]
fn a_third_event_can_tell() {
    let step = |old: u8, new: u8| {
        meterbase(
            "update",
            1,
            &format!(r#""n":{new}"#),
            &format!(r#""n":{{"old":{old},"new":{new}}}"#),
        )
    };
    let bodies = [step(2, 3), step(0, 1), step(1, 2)];
    let (fields, _, late) = outcome("meterbase", &bodies);
    assert_eq!(fields, r#"{"id":"u1","n":3}"#);
    assert_eq!(late, Vec::<u64>::new());
}

/// A unit that is made and let within one second was never vacated.
#[test]
fn no_notice_is_false() {
    let made = meterbase("new", 1, r#""status":"vacant""#, "");
    let turned = r#""status":{"old":"vacant","new":"occupied"}"#;
    let occupied = meterbase("update", 1, r#""status":"occupied""#, turned);
    let next = meterbase("update", 2, r#""status":"occupied","rent":2"#, "");
    for bodies in [
        [&made, &occupied, &next],
        [&occupied, &made, &next],
        [&next, &occupied, &made],
        [&next, &made, &occupied],
    ] {
        let bodies = bodies.map(Clone::clone);
        let (_, notices, _) = outcome("meterbase", &bodies);
        assert_eq!(notices, ["unit.occupied"], "{bodies:?}");
    }
}

/// An event that comes again beyond its window doesn't become newer by that.
#[test]
fn a_repetition_is_no_arrival() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let bodies = [property(1, "updated", 1), property(2, "updated", 2)];
    let mut take = |body: &String, now: Timestamp| {
        let delivery = delivery("real-estate", "i", body);
        ledger.intake(&delivery, now).unwrap().outcome.label()
    };
    for body in &bodies {
        assert_eq!(take(body, at(NOW)), "accepted");
    }
    for days in [20, 40] {
        for body in &bodies {
            take(body, at(NOW).plus_s(days * 86_400));
            assert_eq!(record(&database), r#"{"id":"u1","price":2}"#);
        }
    }
}

/// Where the other event is gone, its record is known still.
#[test]
fn what_is_gone_can_be_followed() {
    let vacant = meterbase("update", 1, r#""status":"vacant""#, "");
    let turned = r#""status":{"old":"vacant","new":"occupied"}"#;
    let occupied = meterbase("update", 1, r#""status":"occupied""#, turned);
    for bodies in [[&vacant, &occupied], [&occupied, &vacant]] {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        let mut now = at(NOW);
        ledger
            .intake(&delivery("meterbase", "i", bodies[0]), now)
            .unwrap();
        ledger.confirm(named(1, 1, 0), now).unwrap();
        for _ in 0..3 {
            now = now.plus_s(86_400);
            while ledger
                .expire(now, &Retention::new(3_600, 3_600))
                .unwrap()
                .is_some()
            {}
        }
        assert_eq!(database.events("seq").len(), 0);
        ledger
            .intake(&delivery("meterbase", "i", bodies[1]), now)
            .unwrap();
        let should: serde_json::Value = serde_json::from_str(bodies[1]).unwrap();
        assert_eq!(record(&database), should["data"].to_string());
    }
}

/// Values of three fields, one of which changes at each step, no two states
/// alike; and an order of arrival.
fn history() -> impl Strategy<Value = (Vec<[u8; 3]>, Vec<usize>)> {
    let steps = prop::collection::vec((0..3_usize, 0..3_u8), 1..9);
    let states = steps.prop_map(|steps| {
        let mut states = vec![[0; 3]];
        for (field, value) in steps {
            let mut next = *states.last().unwrap();
            next[field] = value;
            if !states.contains(&next) {
                states.push(next);
            }
        }
        states.remove(0);
        states
    });
    states.prop_flat_map(|states| {
        let order: Vec<usize> = (0..states.len()).collect();
        (Just(states), Just(order).prop_shuffle())
    })
}

const STATUS: [&str; 3] = ["vacant", "occupied", "down"];

fn unit(second: u8, [status, a, b]: [u8; 3], changes: &str) -> String {
    let status = STATUS[status as usize];
    let data = format!(r#""status":"{status}","a":{a},"b":{b}"#);
    meterbase("update", second, &data, changes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Changes that say what was before end in the last of them, in whatever
    /// order they come, and so does the unit's timeline: the same state a
    /// second later is no news.
    #[test]
    fn any_order_ends_in_the_last_change((states, order) in history()) {
        let body = |at: usize| {
            let was = at.checked_sub(1).map_or([0; 3], |before| states[before]);
            let is = states[at];
            let changed = (0..3).find(|field| was[*field] != is[*field]).unwrap();
            let change = match changed {
                0 => {
                    let [old, new] = [was, is].map(|state| STATUS[state[0] as usize]);
                    format!(r#""status":{{"old":"{old}","new":"{new}"}}"#)
                }
                n => {
                    let name = ["a", "b"][n - 1];
                    format!(r#""{name}":{{"old":{},"new":{}}}"#, was[n], is[n])
                }
            };
            unit(1, is, &change)
        };
        let Some(last) = states.last() else { return Ok(()) };
        let bodies: Vec<String> = order.iter().map(|at| body(*at)).collect();
        let (fields, notices, _) = outcome("meterbase", &bodies);
        let newest: serde_json::Value = serde_json::from_str(&unit(1, *last, "")).unwrap();
        prop_assert_eq!(fields, newest["data"].to_string());
        let bodies = [bodies, vec![unit(2, *last, "")]].concat();
        let (_, with_next, _) = outcome("meterbase", &bodies);
        prop_assert_eq!(with_next, notices);
    }
}
