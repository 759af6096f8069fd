//! A redrive brings back what died and what could not be applied, all of it and
//! nothing else, in bounded steps.

use leasewire::api::Page;
use leasewire::api::redrive::{Asked, select};
use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::ledger::replay::{self, Reader};
use leasewire::ledger::{Ledger, NOT_APPLIED, Pack, Redriven, Retention, Rewrite, SeqRange};
use leasewire::problem::Problem;
use leasewire::projection;
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery, diff, job, named, range};

const RETENTION_S: u64 = 48 * 3_600;
const RETENTION: Retention = Retention::new(RETENTION_S, RETENTION_S);
const ALL: u64 = 1 << 53;

fn now() -> Timestamp {
    at("2026-02-01T00:00:00Z")
}

fn change(record: u64, to: u64) -> String {
    diff(
        "units",
        &format!("u{record}"),
        "{}",
        &format!(r#"{{"a":{to}}}"#),
    )
}

fn take(ledger: &mut Ledger<&Database>, body: &str) -> u64 {
    let delivery = delivery("propexo", "i", body);
    ledger.intake(&delivery, now()).unwrap().seq
}

/// A ledger with `count` changes of a record each, all handed to the queue.
fn with_changes(database: &Database, count: u64) -> Ledger<&Database> {
    let mut ledger = Ledger::open(database).unwrap();
    for n in 1..=count {
        assert_eq!(take(&mut ledger, &change(n, n)), n);
    }
    ledger.sent(count, now());
    ledger
}

/// The same, of which `held` could not be applied and all others were.
fn with_held<'a>(database: &'a Database, count: u64, held: &[u64]) -> Ledger<&'a Database> {
    let mut ledger = with_changes(database, count);
    for seq in held {
        ledger
            .quarantine(*seq, Rewrite(0), NOT_APPLIED, now())
            .unwrap();
    }
    ledger.confirm(named(1, count, 0), now()).unwrap();
    ledger
}

fn step(ledger: &mut Ledger<&Database>) -> Option<Timestamp> {
    let reader = Reader {
        dialect: dialect::named("propexo").unwrap(),
        filter: &Filter::default(),
    };
    ledger.replay(&reader, now()).unwrap()
}

/// Steps to the end, in a ledger that is opened anew before each.
fn work_off(database: &Database) -> usize {
    let mut steps = 0;
    loop {
        let mut ledger = Ledger::open(database).unwrap();
        if !ledger.has_replay() {
            return steps;
        }
        step(&mut ledger);
        steps += 1;
    }
}

/// Hands over all that is to go, and gives the packs.
fn send(ledger: &mut Ledger<&Database>) -> Vec<Pack> {
    let mut sent = Vec::new();
    while ledger.may_send() {
        let batch = ledger.next_batch().unwrap();
        ledger.sent(&batch, now());
        sent.extend(batch.packs);
    }
    sent
}

/// Numbers of the events in `packs`, in order.
fn numbers_of(packs: &[Pack]) -> Vec<u64> {
    let mut numbers: Vec<u64> = Vec::new();
    for pack in packs {
        let events: Vec<serde_json::Value> = serde_json::from_str(&pack.text).unwrap();
        let sequences = events
            .iter()
            .map(|event| event["sequence"].as_str().unwrap());
        numbers.extend(sequences.map(|digits| digits.parse::<u64>().unwrap()));
    }
    numbers.sort_unstable();
    numbers
}

fn confirm(ledger: &mut Ledger<&Database>, pack: &Pack) {
    let read = projection::Pack::read(&pack.text).unwrap();
    let named = read.named(&read.all()).unwrap();
    ledger.confirm(named, now()).unwrap();
}

fn counts(ledger: &Ledger<&Database>) -> (u64, u64, u64) {
    let state = ledger.state().unwrap().unwrap();
    (
        state.quarantined,
        state.dead,
        state.pending + state.unconfirmed,
    )
}

fn not_applied(count: u64) -> Redriven {
    Redriven {
        not_applied: count,
        ..Redriven::default()
    }
}

#[test]
fn what_was_not_applied_comes_back() {
    let database = Database::default();
    let mut ledger = with_held(&database, 9, &[3, 5, 6]);
    take(&mut ledger, "junk");
    assert_eq!(counts(&ledger), (4, 0, 0));
    let records = database.dump("SELECT * FROM records");
    let data = database.events("data, body, prev_seq");
    database.explained.set(true);
    assert_eq!(
        ledger.redrive(SeqRange::new(1, ALL), now()).unwrap(),
        not_applied(3)
    );
    // Nothing is waited for twice.
    assert_eq!(
        ledger.redrive(SeqRange::new(1, ALL), now()).unwrap(),
        not_applied(3)
    );
    assert_eq!(step(&mut ledger), None);
    assert!(!ledger.has_replay());
    assert_eq!(counts(&ledger), (1, 0, 3));
    // The state tells of replays that were asked for.
    assert_eq!(ledger.state().unwrap().unwrap().replay, None);

    let mut ledger = Ledger::open(&database).unwrap();
    let packs = send(&mut ledger);
    assert_eq!(numbers_of(&packs), [3, 5, 6]);
    // All in one message: what lies between is settled.
    assert_eq!(packs.len(), 1);
    assert_eq!(counts(&ledger), (1, 0, 3));
    confirm(&mut ledger, &packs[0]);
    assert_eq!(counts(&ledger), (1, 0, 0));
    assert!(!ledger.has_unsettled());
    database.explained.set(false);
    // No record and no event says anything else than before.
    assert_eq!(database.dump("SELECT * FROM records"), records);
    assert_eq!(database.events("data, body, prev_seq"), data);
    assert_eq!(
        ledger.redrive(SeqRange::new(1, ALL), now()).unwrap(),
        not_applied(0)
    );
    assert!(!ledger.has_replay());
}

#[test]
fn what_fails_again_is_quarantined_again() {
    let database = Database::default();
    let mut ledger = with_held(&database, 9, &[3, 5]);
    for number in 1..=2 {
        assert_eq!(
            ledger.redrive(SeqRange::new(1, 4), now()).unwrap(),
            not_applied(1)
        );
        step(&mut ledger);
        assert_eq!(numbers_of(&send(&mut ledger)), [3]);
        // What was said of it before it was redriven is of old.
        ledger
            .quarantine(3, Rewrite(number - 1), NOT_APPLIED, now())
            .unwrap();
        assert_eq!(counts(&ledger), (1, 0, 1));
        ledger
            .quarantine(3, Rewrite(number), NOT_APPLIED, now())
            .unwrap();
        assert_eq!(counts(&ledger), (2, 0, 0));
        assert!(!ledger.has_unsettled());
        assert_eq!(database.dump("SELECT * FROM again"), [""; 0]);
    }
    // Or it dies, and is redriven as that.
    ledger.redrive(SeqRange::new(5, 5), now()).unwrap();
    step(&mut ledger);
    ledger.dead_letter(named(5, 5, 3), "test", now()).unwrap();
    assert_eq!(counts(&ledger), (1, 1, 0));
    let both = ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
    assert_eq!((both.packs, both.events, both.not_applied), (1, 1, 1));
    step(&mut ledger);
    assert_eq!(numbers_of(&send(&mut ledger)), [3, 5]);
}

/// A pack that spans the event without having it was on its way while it was
/// in quarantine, and arrives when it isn't any more.
#[test]
fn a_pack_that_lacks_it_confirms_nothing_of_it() {
    for is_confirmed_before in [false, true] {
        let database = Database::default();
        let mut ledger = with_changes(&database, 9);
        ledger
            .quarantine(5, Rewrite(0), NOT_APPLIED, now())
            .unwrap();
        let mut ledger = Ledger::open(&database).unwrap();
        let packs = send(&mut ledger);
        assert_eq!((packs.len(), packs[0].first, packs[0].last), (1, 1, 9));
        if is_confirmed_before {
            confirm(&mut ledger, &packs[0]);
        }
        ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
        step(&mut ledger);
        confirm(&mut ledger, &packs[0]);
        assert!(ledger.has_unsettled());
        let again = send(&mut ledger);
        assert_eq!(numbers_of(&again), [5]);
        confirm(&mut ledger, &again[0]);
        assert!(!ledger.has_unsettled());
    }
}

#[test]
fn a_range_brings_back_what_is_in_it() {
    let database = Database::default();
    let mut ledger = with_changes(&database, 20);
    for seq in [2, 8, 9, 15] {
        ledger
            .quarantine(seq, Rewrite(0), NOT_APPLIED, now())
            .unwrap();
    }
    ledger.dead_letter(named(4, 6, 0), "test", now()).unwrap();
    ledger.dead_letter(named(11, 12, 0), "test", now()).unwrap();
    ledger.confirm(named(1, 3, 0), now()).unwrap();
    ledger.confirm(named(7, 10, 0), now()).unwrap();
    ledger.confirm(named(13, 20, 0), now()).unwrap();
    let redriven = ledger.redrive(SeqRange::new(5, 8), now()).unwrap();
    // A pack goes as it died.
    assert_eq!(
        redriven.to_json(),
        r#"{"packs":1,"events":3,"not_applied":1}"#
    );
    step(&mut ledger);
    let packs = send(&mut ledger);
    assert_eq!(numbers_of(&packs), [4, 5, 6, 8]);
    assert_eq!(counts(&ledger), (3, 2, 4));
    packs.iter().for_each(|pack| confirm(&mut ledger, pack));
    assert_eq!(counts(&ledger), (3, 2, 0));
    // Behind the last event there is none.
    assert_eq!(
        ledger.redrive(SeqRange::new(21, 30), now()).unwrap(),
        not_applied(0)
    );
}

/// 500 events or 8 MB a step, at least one.
#[test]
fn many_take_several_steps() {
    let database = Database::default();
    let held: Vec<u64> = (1..=1_200).collect();
    let mut ledger = with_held(&database, 1_200, &held);
    assert_eq!(
        ledger.redrive(SeqRange::new(1, ALL), now()).unwrap(),
        not_applied(1_200)
    );
    assert_eq!(step(&mut ledger), Some(now().plus_s(1)));
    assert_eq!(counts(&ledger).0, 700);
    assert_eq!(
        database.dump("SELECT first_seq, last_seq FROM again"),
        ["1|500"]
    );
    assert_eq!(work_off(&database), 2);
    // What meets is one stretch, whose rows are gone but for one each.
    let stretches = database.dump("SELECT first_seq, last_seq FROM again");
    assert_eq!(stretches, ["1|1200"]);

    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for n in 1..=20 {
        take(
            &mut ledger,
            &change(n, n).replace("\"a\"", &format!("\"{}\"", "x".repeat(600_000))),
        );
        ledger
            .quarantine(n, Rewrite(0), NOT_APPLIED, now())
            .unwrap();
    }
    ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
    // Each has 0.6 MB of body and 1.2 MB of data.
    assert_eq!(work_off(&database), 5);
    assert_eq!(counts(&Ledger::open(&database).unwrap()).0, 0);
}

/// A ledger with `count` jobs, of which each `apart`-th died alone, and all
/// others were applied.
fn with_dead(database: &Database, count: u64, apart: u64) -> Ledger<&Database> {
    let mut ledger = Ledger::open(database).unwrap();
    for n in 1..=count {
        take(&mut ledger, &job(u32::try_from(n).unwrap()));
    }
    ledger.sent(count, now());
    for n in 1..=count {
        match n % apart {
            0 => ledger.dead_letter(named(n, n, 0), "test", now()).unwrap(),
            _ => drop(ledger.confirm(named(n, n, 0), now()).unwrap()),
        }
    }
    ledger
}

/// Dead neighbours become one stretch of the log.
#[test]
fn neighbours_are_one_stretch() {
    let database = Database::default();
    let mut ledger = with_dead(&database, 10_000, 1);
    let before = database.count.get();
    let redriven = ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
    assert_eq!((redriven.packs, redriven.events), (10_000, 10_000));
    let statements = database.count.get() - before;
    assert!(statements < 30, "{statements} statements");
    let stretches = database.dump("SELECT first_seq, last_seq FROM again");
    assert_eq!(stretches, ["1|10000"]);
    let before = database.count.get();
    for pack in send(&mut ledger) {
        confirm(&mut ledger, &pack);
    }
    assert!(!ledger.has_unsettled());
    let statements = database.count.get() - before;
    assert!(statements < 1_000, "{statements} statements");
}

/// Others cost what they must: statements grow with their number, no faster.
#[test]
fn scattered_ones_take_their_time_and_no_more() {
    let statements = |count: u64| {
        let database = Database::default();
        let mut ledger = with_dead(&database, count, 2);
        let before = database.count.get();
        ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
        let packs = send(&mut ledger);
        assert_eq!(numbers_of(&packs).len() as u64, count / 2);
        // They share their messages.
        assert!((packs.len() as u64) < count / 50, "{} packs", packs.len());
        assert_eq!(counts(&ledger), (0, 0, count / 2));
        packs.iter().for_each(|pack| confirm(&mut ledger, pack));
        ledger.wake(now().plus_s(3_600), 0).unwrap();
        assert!(!ledger.has_unsettled());
        database.count.get() - before
    };
    let (few, many) = (statements(1_000), statements(4_000));
    assert!(many < 5 * few, "{few} and {many} statements");
    assert!(many < 5 * 2_000, "{many} statements");
}

/// What a replay has written meanwhile is what goes out, and what it was
/// before is not taken for it.
#[test]
fn a_replay_between_wins() {
    let database = Database::default();
    let mut ledger = with_held(&database, 4, &[2, 3]);
    ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
    let request = range(2, 2);
    step(&mut ledger);
    let before = send(&mut ledger);
    let asked = ledger.ask_for_replay(&request, now()).unwrap().unwrap();
    assert_eq!(asked.replay, 2);
    step(&mut ledger);
    for pack in &before {
        confirm(&mut ledger, pack);
    }
    let again = send(&mut ledger);
    assert_eq!(numbers_of(&again), [2]);
    assert!(again[0].text.contains(r#""id":"2-2""#), "{}", again[0].text);
    assert!(
        again[0].text.contains(r#""generation":2}"#),
        "{}",
        again[0].text
    );
    // It can't be applied either. An older redrive's word doesn't count.
    ledger
        .quarantine(2, Rewrite(1), NOT_APPLIED, now())
        .unwrap();
    assert_eq!(counts(&ledger).0, 0);
    ledger
        .quarantine(2, Rewrite(2), NOT_APPLIED, now())
        .unwrap();
    assert_eq!(counts(&ledger).0, 1);
    ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
    step(&mut ledger);
    let again = send(&mut ledger);
    assert!(again[0].text.contains(r#""id":"2-3""#), "{}", again[0].text);
    assert!(
        again[0].text.contains(r#""generation":2}"#),
        "{}",
        again[0].text
    );
    confirm(&mut ledger, &again[0]);
    assert!(!ledger.has_unsettled());
}

/// A redrive that is asked for while a replay goes on waits for its turn.
#[test]
fn a_replay_before_goes_first() {
    let database = Database::default();
    let mut ledger = with_held(&database, 4, &[2, 3]);
    ledger.set_pace(replay::Pace {
        events_max: 1,
        ..replay::Pace::default()
    });
    ledger.ask_for_replay(&range(1, 2), now()).unwrap().unwrap();
    step(&mut ledger);
    assert_eq!(
        ledger.redrive(SeqRange::new(1, ALL), now()).unwrap(),
        not_applied(2)
    );
    while step(&mut ledger).is_some() {}
    assert_eq!(counts(&ledger).0, 0);
    let replays = database.dump("SELECT seq, replay FROM events_1 ORDER BY seq");
    assert_eq!(replays, ["1|1", "2|2", "3|3", "4|NULL"]);
    let state = ledger.state().unwrap().unwrap();
    assert_eq!(state.replay.unwrap().replay, 1);
}

/// Events of two replays, one of which waits between the other's: a message of
/// the one confirms nothing of the other.
#[test]
fn a_pack_spans_nothing_that_waits() {
    let database = Database::default();
    let mut ledger = with_changes(&database, 9);
    ledger.dead_letter(named(5, 5, 0), "test", now()).unwrap();
    for seq in [4, 6] {
        ledger
            .quarantine(seq, Rewrite(0), NOT_APPLIED, now())
            .unwrap();
    }
    ledger.confirm(named(1, 3, 0), now()).unwrap();
    ledger.confirm(named(7, 9, 0), now()).unwrap();
    ledger.redrive(SeqRange::new(1, ALL), now()).unwrap();
    step(&mut ledger);
    let mut packs = send(&mut ledger);
    packs.sort_by_key(|pack| pack.first);
    let ranges: Vec<_> = packs.iter().map(|pack| (pack.first, pack.last)).collect();
    assert_eq!(ranges, [(4, 4), (5, 5), (6, 6)]);
    confirm(&mut ledger, &packs[0]);
    confirm(&mut ledger, &packs[2]);
    assert_eq!(counts(&ledger), (0, 0, 1));
    confirm(&mut ledger, &packs[1]);
    assert!(!ledger.has_unsettled());
}

#[test]
fn what_outlived_its_segment_comes_back_and_goes() {
    // Before its segment goes, between two steps of that, and after.
    for steps in [0, 1, 9] {
        let database = Database::default();
        let held: Vec<u64> = (1..=600).collect();
        let mut ledger = with_held(&database, 700, &held);
        let mut later = now().plus_s(RETENTION_S);
        ledger.expire(later, &RETENTION).unwrap();
        later = later.plus_s(RETENTION_S);
        for _ in 0..steps {
            ledger.expire(later, &RETENTION).unwrap();
        }
        ledger.redrive(SeqRange::new(7, 8), now()).unwrap();
        step(&mut ledger);
        while ledger.expire(later, &RETENTION).unwrap().is_some() {}
        let packs = send(&mut ledger);
        assert_eq!(numbers_of(&packs), [7, 8], "after {steps} steps");
        assert_eq!(counts(&ledger), (598, 0, 2));
        packs.iter().for_each(|pack| confirm(&mut ledger, pack));
        for _ in 0..3 {
            later = later.plus_s(RETENTION_S);
            while ledger.expire(later, &RETENTION).unwrap().is_some() {}
        }
        assert_eq!(counts(&ledger), (598, 0, 0));
        assert_eq!(database.events("seq").len(), 598, "after {steps} steps");
    }
}

/// Which of a source's integrations are asked, and in which order.
#[test]
fn those_in_trouble_are_asked() {
    let d1 = Database::default();
    d1.migrate();
    let insert = |source: &str, integration: &str, dead: u64, quarantined: u64| {
        let insert = format!(
            "INSERT INTO integrations (source, integration, last_seq, dead, quarantined)
             VALUES ('{source}', '{integration}', 9, {dead}, {quarantined})"
        );
        d1.connection.execute_batch(&insert).unwrap();
    };
    insert("other", "a", 1, 1);
    insert("propexo", "well", 0, 0);
    insert("propexo", "c/1", 0, 2);
    insert("propexo", "a", 1, 0);
    insert("propexo", "b", 1, 1);
    let read = |after: Option<&str>, limit: u64| {
        let page = Page {
            after: after.map(str::to_owned),
            limit,
        };
        let rows = d1.select(&select("propexo", &page));
        Asked::read(&rows, &page).unwrap()
    };
    let mut asked = read(None, 2);
    assert_eq!(asked.next(), Some("a"));
    asked.answered(&Ok(not_applied(3).to_json()));
    assert_eq!(asked.next(), Some("b"));
    asked.answered(&Err(Problem::LedgerUnavailable));
    assert_eq!(asked.next(), None);
    let problem = Problem::LedgerUnavailable.to_json();
    assert_eq!(
        asked.to_json(),
        format!(
            r#"{{"integrations":[{{"integration":"a","redriven":{{"packs":0,"events":0,"not_applied":3}}}},{{"integration":"b","problem":{problem}}}],"next":"b"}}"#
        )
    );
    let mut asked = read(Some("b"), 2);
    assert_eq!(asked.next(), Some("c/1"));
    // There was no time to ask.
    assert_eq!(asked.count(), 0);
    asked.answered(&Ok("{}".to_owned()));
    assert_eq!(asked.next(), None);
    assert!(asked.to_json().ends_with(r#""next":null}"#));
    assert_eq!(
        read(Some("c/1"), 2).to_json(),
        r#"{"integrations":[],"next":null}"#
    );
    // However many are asked for.
    for n in 0..120 {
        insert("propexo", &format!("d{n:03}"), 1, 0);
    }
    let mut asked = read(None, 500);
    while asked.next().is_some() {
        asked.answered(&Ok("{}".to_owned()));
    }
    assert_eq!(asked.count(), 100);
    assert!(
        asked.to_json().ends_with(r#""next":"d096"}"#),
        "{}",
        asked.to_json()
    );
}
