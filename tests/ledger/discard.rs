//! A discard takes bodies of quarantined or dead events, and nothing else.

use leasewire::ledger::discard::{Held, Progress, Request};
use leasewire::ledger::{Ledger, NOT_APPLIED, Retention, Rewrite, SeqRange};
use leasewire::sql::Sql;
use leasewire::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::{Database, at, delivery, diff, finish_replay, job, named, range};

const RETENTION_S: u64 = 48 * 3_600;
const RETENTION: Retention = Retention::new(RETENTION_S, RETENTION_S);

fn now() -> Timestamp {
    at("2026-02-01T00:00:00Z")
}

fn change(record: u64, from: u64, to: u64) -> String {
    let fields = |a| format!(r#"{{"a":{a}}}"#);
    diff("units", &format!("u{record}"), &fields(from), &fields(to))
}

fn request(status: Held, from: u64, to: u64) -> Request {
    Request { status, from, to }
}

/// Discards to the end, in a ledger that is opened anew before each step.
fn discard(database: &Database, request: &Request) -> (Progress, u32) {
    let mut ledger = Ledger::open(database).unwrap();
    let asked = ledger.ask_for_discard(request, now()).unwrap().unwrap();
    assert_eq!(asked.done, 0);
    // The same request is the same discard.
    let again = ledger.ask_for_discard(request, now()).unwrap().unwrap();
    assert_eq!(again, asked);
    let mut steps = 0;
    loop {
        let mut ledger = Ledger::open(database).unwrap();
        assert!(ledger.has_discard());
        let (progress, next) = ledger.discard(now()).unwrap().unwrap();
        steps += 1;
        if next.is_none() {
            assert!(progress.ended_at.is_some());
            let state = ledger.state().unwrap().unwrap();
            assert_eq!(state.discard, Some(progress.clone()));
            assert!(!ledger.has_discard());
            return (progress, steps);
        }
    }
}

fn take(ledger: &mut Ledger<&Database>, body: &str) -> u64 {
    let delivery = delivery("propexo", "i", body);
    ledger.intake(&delivery, now()).unwrap().seq
}

fn entry(ledger: &Ledger<&Database>, seq: u64) -> serde_json::Value {
    serde_json::from_str(&ledger.event(seq).unwrap().unwrap()).unwrap()
}

#[test]
fn a_discarded_event_keeps_its_number_and_its_reason() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    take(&mut ledger, &change(1, 0, 1));
    let junk = format!("junk {}", "x".repeat(100_000));
    for n in 0..3 {
        take(&mut ledger, &format!("{junk} {n}"));
    }
    let before = (&database).size().unwrap();
    let (progress, _) = discard(&database, &request(Held::Quarantined, 1, 3));
    assert_eq!((progress.count, progress.done), (2, 2));
    assert!((&database).size().unwrap() < before - 150_000);

    let mut ledger = Ledger::open(&database).unwrap();
    let discarded = entry(&ledger, 2);
    assert_eq!(discarded["status"], "discarded");
    assert_eq!(discarded["reason"], "not_json");
    assert_eq!(
        (&discarded["body"], &discarded["bytes"]),
        (&"".into(), &0.into())
    );
    assert_eq!(discarded["cloudevent"], serde_json::Value::Null);
    assert_eq!(entry(&ledger, 1)["status"], "pending");
    assert_eq!(entry(&ledger, 4)["status"], "quarantined");
    let state = ledger.state().unwrap().unwrap();
    assert_eq!(
        (state.quarantined, state.last_seq, state.pending),
        (1, 4, 1)
    );
    // A repetition is known all the same, and nothing brings it back.
    assert_eq!(take(&mut ledger, &format!("{junk} 0")), 2);
    replay(&mut ledger, 4);
    assert_eq!(entry(&ledger, 2)["status"], "discarded");
    assert_eq!(ledger.state().unwrap().unwrap().replay.unwrap().count, 2);
}

fn replay(ledger: &mut Ledger<&Database>, to: u64) {
    ledger
        .ask_for_replay(&range(1, to), now())
        .unwrap()
        .unwrap();
    finish_replay(ledger, "propexo", now());
}

#[test]
fn many_are_discarded_step_by_step() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for n in 0..1_200 {
        take(&mut ledger, &format!("junk {n}"));
    }
    for n in 0..20 {
        take(&mut ledger, &format!("junk {n} {}", "x".repeat(1_000_000)));
    }
    let (progress, steps) = discard(&database, &request(Held::Quarantined, 1, u64::MAX >> 12));
    assert_eq!((progress.count, progress.done), (1_220, 1_220));
    assert_eq!(progress.request.to, 1_220);
    // 500, 500, 200 and 8 MB, 8 MB, and the rest.
    assert_eq!(steps, 5);
    let state = Ledger::open(&database).unwrap().state().unwrap().unwrap();
    assert_eq!(state.quarantined, 0);
}

/// A message about it that comes late finds it discarded, and leaves it so.
#[test]
fn what_is_discarded_is_not_quarantined_again() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for n in 0..2 {
        take(&mut ledger, &job(n));
    }
    ledger
        .quarantine(2, Rewrite(0), NOT_APPLIED, now())
        .unwrap();
    discard(&database, &request(Held::Quarantined, 1, 2));
    let mut ledger = Ledger::open(&database).unwrap();
    ledger
        .quarantine(2, Rewrite(0), NOT_APPLIED, now())
        .unwrap();
    assert_eq!(entry(&ledger, 2)["status"], "discarded");
    assert_eq!(ledger.state().unwrap().unwrap().quarantined, 0);
}

/// Of a dead pack a part goes; the rest is redriven, and arrives.
#[test]
fn a_part_of_a_dead_pack_is_discarded() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for n in 0..6 {
        take(&mut ledger, &job(n));
    }
    ledger.confirm(named(1, 1, 0), now()).unwrap();
    ledger
        .dead_letter(named(2, 5, 0), "no_luck", now())
        .unwrap();
    ledger.wake(now(), 0).unwrap();
    let (progress, _) = discard(&database, &request(Held::Dead, 3, 4));
    assert_eq!((progress.count, progress.done), (2, 2));
    let mut ledger = Ledger::open(&database).unwrap();
    let state = ledger.state().unwrap().unwrap();
    assert_eq!((state.dead, state.pending), (2, 1));
    let discarded = entry(&ledger, 3);
    assert_eq!(
        (&discarded["status"], &discarded["reason"]),
        (&"discarded".into(), &"no_luck".into())
    );
    let redriven = ledger.redrive(SeqRange::new(1, 6), now()).unwrap();
    assert_eq!((redriven.packs, redriven.events), (2, 2));
    let mut sent = Vec::new();
    while ledger.may_send() {
        let batch = ledger.next_batch().unwrap();
        ledger.sent(batch.through, now());
        for pack in batch.packs {
            sent.push((pack.first, pack.last));
            ledger
                .confirm(named(pack.first, pack.last, 0), now())
                .unwrap();
        }
    }
    sent.sort_unstable();
    // What is discarded between them waits for nothing.
    assert_eq!(sent, [(2, 5), (6, 6)]);
    assert!(!ledger.has_unsettled());
}

/// What a record knows by an event that was discarded, it goes on knowing: a
/// replay folds what came behind onto it, and leaves what came before alone.
#[test]
fn a_replay_takes_nothing_back_that_was_discarded() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let set = |field: &str, value: u64| {
        change(1, 0, value)
            .replace(r#""a":0"#, "")
            .replace(r#""a":"#, &format!(r#""{field}":"#))
    };
    for body in [set("a", 1), set("b", 1), set("a", 2), set("c", 1)] {
        take(&mut ledger, &body);
    }
    ledger.dead_letter(named(3, 3, 0), "test", now()).unwrap();
    ledger.confirm(named(1, 2, 0), now()).unwrap();
    ledger.confirm(named(4, 4, 0), now()).unwrap();
    ledger.wake(now(), 0).unwrap();
    discard(&database, &request(Held::Dead, 1, 4));
    for _ in 0..2 {
        let mut ledger = Ledger::open(&database).unwrap();
        replay(&mut ledger, 4);
        let fields = database.dump("SELECT fields FROM records");
        let mut fields: serde_json::Value = serde_json::from_str(&fields[0]).unwrap();
        fields.sort_all_objects();
        assert_eq!(fields.to_string(), r#"{"a":2,"b":1,"c":1}"#);
        assert_eq!(database.dump("SELECT last_seq FROM records"), ["4"]);
    }
}

/// What outlived its segment, or was copied for that, is discarded too.
#[test]
fn what_outlived_its_segment_is_discarded() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for n in 0..700 {
        take(&mut ledger, &format!("junk {n}"));
    }
    let later = now().plus_s(RETENTION_S);
    ledger.expire(later, &RETENTION).unwrap();
    let later = later.plus_s(RETENTION_S);
    assert!(ledger.expire(later, &RETENTION).unwrap().is_some());
    assert_eq!(database.dump("SELECT count(*) FROM events_0"), ["500"]);
    discard(&database, &request(Held::Quarantined, 1, 10));
    let mut ledger = Ledger::open(&database).unwrap();
    while ledger.expire(later, &RETENTION).unwrap().is_some() {}
    assert_eq!(database.events("seq").len(), 690);
    discard(&database, &request(Held::Quarantined, 11, 20));
    let ledger = Ledger::open(&database).unwrap();
    assert_eq!(ledger.state().unwrap().unwrap().quarantined, 680);
    assert_eq!(entry(&ledger, 11)["status"], "discarded");
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Pending,
    Confirmed,
    Dead,
    Junk,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked for, rows that aren't of that status stay as they are.
    #[test]
    fn nothing_else_is_touched(
        fates in vec((0..4_u8).prop_map(|n| match n {
            0 => Fate::Pending,
            1 => Fate::Confirmed,
            2 => Fate::Dead,
            _ => Fate::Junk,
        }), 1..30),
        from in 1..30_u64, length in 0..30_u64, is_dead: bool,
    ) {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        for (n, fate) in fates.iter().enumerate() {
            let seq = match fate {
                Fate::Junk => take(&mut ledger, &format!("junk {n}")),
                _ => take(&mut ledger, &change(n as u64 % 3, n as u64, n as u64 + 1)),
            };
            match fate {
                Fate::Confirmed => drop(ledger.confirm(named(seq, seq, 0), now()).unwrap()),
                Fate::Dead => ledger.dead_letter(named(seq, seq, 0), "test", now()).unwrap(),
                Fate::Pending | Fate::Junk => {}
            }
        }
        ledger.wake(now(), 0).unwrap();
        let rows = || database.events("seq, key, prev_seq, quarantine, ignored, data, body");
        let before = rows();
        let records = database.dump("SELECT * FROM records");
        let status = if is_dead { Held::Dead } else { Held::Quarantined };
        let (progress, _) = discard(&database, &request(status, from, from + length));
        let mut count = 0;
        for (seq, ((was, is), fate)) in (1..).zip(before.iter().zip(&rows()).zip(&fates)) {
            let is_asked_for = (from..=from + length).contains(&seq) && match fate {
                Fate::Dead => is_dead,
                Fate::Junk => !is_dead,
                Fate::Pending | Fate::Confirmed => false,
            };
            count += u64::from(is_asked_for);
            prop_assert_eq!(was != is, is_asked_for, "{} {:?}", seq, fate);
        }
        prop_assert_eq!((progress.count, progress.done), (count, count));
        prop_assert_eq!(database.dump("SELECT * FROM records"), records);
        let state = Ledger::open(&database).unwrap().state().unwrap().unwrap();
        let of = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count() as u64;
        let dead = of(|fate| matches!(fate, Fate::Dead));
        let junk = of(|fate| matches!(fate, Fate::Junk));
        let left = |all: u64, goes: bool| if goes { all - count } else { all };
        prop_assert_eq!((state.dead, state.quarantined), (left(dead, is_dead), left(junk, !is_dead)));
    }
}
