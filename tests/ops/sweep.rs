//! The sweep: which ledgers are looked at when, and what it does to them.

use std::collections::BTreeMap;

use leasewire::ledger::{Call, Effects, Ledger, Retention, was_woken};
use leasewire::ops::sweep::{LEDGERS_MAX, Listed, Round, listed, select_round};
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery, named, range};

const NOW: &str = "2026-02-01T00:00:00Z";
const DAY_S: u64 = 86_400;
const RETENTION_S: u64 = 30 * DAY_S;
const RETENTION: Retention = Retention::new(RETENTION_S, 1);

/// A ledger that took in these bodies, and forgot everything else.
fn ledger_with<'a>(database: &'a Database, bodies: &[&str]) -> Ledger<&'a Database> {
    let mut ledger = Ledger::open(database).unwrap();
    for body in bodies {
        let delivery = delivery("propexo", "i", body);
        ledger.intake(&delivery, at(NOW)).unwrap();
    }
    Ledger::open(database).unwrap()
}

/// The alarm goes off, and the list is told what there is to tell.
fn rest(ledger: &mut Ledger<&Database>) {
    if let Some(told) = ledger.wake(at(NOW), 0).unwrap().announce {
        ledger.announced(&told).unwrap();
    }
}

/// What the object does with a sweep: whether the ledger was woken, and what
/// is to be done.
fn sweep(
    ledger: &mut Ledger<&Database>,
    listed_seq: u64,
    has_alarm: bool,
    now: Timestamp,
) -> (bool, Effects) {
    ledger.forget_alarm();
    ledger.found_alarm(has_alarm);
    let call = Call::Sweep {
        listed_seq,
        listed_epoch: None,
    };
    let call = Call::decode(call.encode()).unwrap();
    let answer = ledger.answer(call, now).unwrap().into_text().unwrap();
    (was_woken(&answer), ledger.follow_up(now, 0))
}

const JOB: &str = r#"{"event":"JOB_SUCCESS","job_id":"j1"}"#;

#[test]
fn a_ledger_that_lost_its_alarm_is_armed_and_sends_again() {
    let database = Database::default();
    let mut ledger = ledger_with(&database, &[JOB]);
    let now = at("2026-02-02T00:00:00Z");
    let (woken, effects) = sweep(&mut ledger, 1, false, now);
    assert!(woken);
    assert_eq!(effects.wake_at, Some(now.plus_s(60)));
    assert!(effects.forward);
    let batch = ledger.next_batch().unwrap();
    assert_eq!((batch.packs[0].first, batch.packs[0].last), (1, 1));
    // Also where the object stayed awake, and believes in its alarm.
    ledger.sent(batch.through, now);
    let (woken, effects) = sweep(&mut ledger, 1, false, now);
    assert!(woken);
    assert_eq!(effects.wake_at, Some(now.plus_s(60)));
    assert!(!effects.forward, "it is on its way");
}

#[test]
fn a_ledger_that_has_its_alarm_is_left_to_it() {
    let database = Database::default();
    let mut ledger = ledger_with(&database, &[JOB]);
    let (woken, effects) = sweep(&mut ledger, 1, true, at(NOW));
    assert!(!woken);
    assert_eq!(effects.wake_at, None);
    // Opened anew, it doesn't know what was sent.
    assert!(effects.forward);
}

#[test]
fn a_settled_ledger_is_left_alone() {
    // The last event forwarded, not understood, or dead.
    for (bodies, dead) in [
        (vec!["junk", JOB], false),
        (vec![JOB, "junk"], false),
        (vec![JOB], true),
    ] {
        let database = Database::default();
        let mut ledger = ledger_with(&database, &bodies);
        let last = ledger.last_seq();
        if dead {
            ledger
                .dead_letter(named(last, last, 0), "test", at(NOW))
                .unwrap();
        } else {
            ledger.confirm(named(1, last, 0), at(NOW)).unwrap();
        }
        rest(&mut ledger);
        let mut ledger = Ledger::open(&database).unwrap();
        let before = database.connection.total_changes();
        for day in 1..4 {
            let now = at(NOW).plus_s(day * DAY_S);
            let swept = sweep(&mut ledger, last, false, now);
            assert_eq!(swept, (false, Effects::default()), "{bodies:?}");
            assert_eq!(ledger.expire(now, &RETENTION).unwrap(), None);
        }
        assert_eq!(database.connection.total_changes(), before, "{bodies:?}");
    }
}

/// The list has fewer events than there are: an announcement got lost.
#[test]
fn a_ledger_that_the_list_does_not_know_is_woken() {
    let database = Database::default();
    let mut ledger = ledger_with(&database, &[JOB, "junk"]);
    ledger.confirm(named(1, 1, 0), at(NOW)).unwrap();
    rest(&mut ledger);
    let mut ledger = Ledger::open(&database).unwrap();
    let (woken, effects) = sweep(&mut ledger, 1, false, at(NOW));
    assert!(woken);
    let at = effects.wake_at.unwrap();
    let effects = ledger.wake(at, 0).unwrap();
    assert_eq!(effects.announce.unwrap().state.last_seq, 2);
}

#[test]
fn a_replay_that_stands_still_goes_on() {
    let database = Database::default();
    let mut ledger = ledger_with(&database, &[JOB]);
    ledger.confirm(named(1, 1, 0), at(NOW)).unwrap();
    rest(&mut ledger);
    ledger
        .ask_for_replay(&range(1, 1), at(NOW))
        .unwrap()
        .unwrap();
    let mut ledger = Ledger::open(&database).unwrap();
    let (woken, effects) = sweep(&mut ledger, 1, false, at(NOW));
    assert!(woken);
    assert!(effects.wake_at.is_some());
}

/// An integration that has fallen silent sets no alarm, which would let its
/// history go.
#[test]
fn old_history_of_a_silent_ledger_goes() {
    let database = Database::default();
    let mut ledger = ledger_with(&database, &[JOB, "junk"]);
    ledger.confirm(named(1, 1, 0), at(NOW)).unwrap();
    rest(&mut ledger);
    let mut changed_on = Vec::new();
    for day in 1..100 {
        let now = at(NOW).plus_s(day * DAY_S);
        let mut ledger = Ledger::open(&database).unwrap();
        let before = database.connection.total_changes();
        assert_eq!(
            sweep(&mut ledger, 2, false, now),
            (false, Effects::default())
        );
        assert_eq!(ledger.expire(now, &RETENTION).unwrap(), None);
        if database.connection.total_changes() > before {
            changed_on.push(day);
        }
    }
    // A segment ends after an eighth of its time, and goes a retention later.
    assert_eq!(changed_on, [4, 34]);
    assert_eq!(database.events("seq"), ["2"]);
}

#[test]
fn a_ledger_that_does_not_exist_is_not_made() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let swept = sweep(&mut ledger, 5, false, at(NOW));
    assert_eq!(swept, (false, Effects::default()));
    assert_eq!(ledger.expire(at(NOW), &Retention::new(0, 0)).unwrap(), None);
    assert!(database.dump("SELECT name FROM sqlite_master").is_empty());
}

/// D1 with this many integrations.
fn d1_with(count: usize) -> Database {
    let d1 = Database::default();
    d1.migrate();
    for n in 0..count {
        add(&d1, &format!("int_{n:04}"));
    }
    d1
}

fn add(d1: &Database, integration: &str) {
    let insert = "INSERT INTO integrations (source, integration, last_seq) VALUES (?1, ?2, 7)";
    d1.connection
        .execute(insert, ["propexo", integration])
        .unwrap();
}

/// One run: the integrations that it asks, and the rows that it writes.
fn run(d1: &Database, now: Timestamp) -> (Vec<Listed>, u64) {
    let Some(round) = Round::due(&d1.select(&select_round()), now) else {
        return (Vec::new(), 0);
    };
    let piece = listed(&d1.select(&round.select())).unwrap();
    let written = d1.written_by(&round.note(&piece));
    (piece, written)
}

#[test]
fn a_round_asks_everyone_once_and_then_nobody_for_a_day() {
    // Also where the last piece is a full one, or there is nobody.
    for count in [0, 1, 99, 100, 101, 250] {
        let d1 = d1_with(count);
        let mut asked = BTreeMap::new();
        let (mut runs, mut written) = (0, 0);
        for quarter in 0..96 {
            let (piece, rows) = run(&d1, at(NOW).plus_s(quarter * 900));
            assert!(piece.len() <= LEDGERS_MAX);
            runs += u64::from(!piece.is_empty());
            written += rows;
            for one in piece {
                assert_eq!((one.of.source.as_str(), one.last_seq), ("propexo", 7));
                *asked.entry(one.of.integration).or_insert(0) += 1;
            }
        }
        assert_eq!(asked.len(), count);
        assert!(asked.values().all(|times| *times == 1), "{asked:?}");
        // One for each run, and one to find that there is nobody left.
        assert!(
            written <= runs + 1,
            "{count}: {written} rows in {runs} runs"
        );
        let (next, _) = run(&d1, at(NOW).plus_s(DAY_S));
        assert_eq!(next.len(), count.min(LEDGERS_MAX));
    }
}

/// More than a day's runs can look at: the next round begins when the one
/// before is over.
#[test]
fn a_long_round_ends_before_the_next_begins() {
    let count = 97 * LEDGERS_MAX + 1;
    let d1 = d1_with(count);
    let mut asked = 0;
    for quarter in 0..97 {
        asked += run(&d1, at(NOW).plus_s(quarter * 900)).0.len();
    }
    assert_eq!(asked, 97 * LEDGERS_MAX);
    let (last, _) = run(&d1, at(NOW).plus_s(97 * 900));
    assert_eq!(last.len(), 1);
    let (first, _) = run(&d1, at(NOW).plus_s(98 * 900));
    assert_eq!(first[0].of.integration, "int_0000");
}

#[test]
fn who_comes_behind_the_last_one_is_asked_in_the_same_round() {
    let d1 = d1_with(LEDGERS_MAX);
    assert_eq!(run(&d1, at(NOW)).0.len(), LEDGERS_MAX);
    add(&d1, "zzz");
    let (piece, _) = run(&d1, at(NOW).plus_s(900));
    assert_eq!(piece.len(), 1);
    assert_eq!(piece[0].of.integration, "zzz");
}

#[test]
fn a_clock_that_was_ahead_stops_no_round() {
    let d1 = d1_with(1);
    assert_eq!(run(&d1, at(NOW).plus_s(365 * DAY_S)).0.len(), 1);
    assert_eq!(run(&d1, at(NOW)).0.len(), 1);
    assert_eq!(run(&d1, at(NOW).plus_s(900)).0.len(), 0);
}

#[test]
fn what_can_not_be_read_begins_a_new_round() {
    let first = Round::due("[]", at(NOW));
    assert!(first.is_some());
    for broken in [
        "",
        "null",
        r#"[["soon","a","b",0]]"#,
        r#"[["2026-01-01T00:00:00Z",1]]"#,
    ] {
        assert_eq!(Round::due(broken, at(NOW)), first, "{broken}");
    }
    assert_eq!(listed("null"), None);
}

/// The list may have millions of rows.
#[test]
fn a_piece_is_found_by_the_key() {
    let d1 = d1_with(1);
    let round = Round::due("[]", at(NOW)).unwrap();
    let plan = format!("EXPLAIN QUERY PLAN {}", round.select().sql);
    let mut plan = d1.connection.prepare(&plan).unwrap();
    let step: String = plan.query_row(["", "", "1"], |row| row.get(3)).unwrap();
    assert!(
        step.starts_with("SEARCH integrations USING PRIMARY KEY"),
        "{step}"
    );
}
