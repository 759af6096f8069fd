//! D1 from the ledger's records, whatever D1 has.

use std::collections::BTreeSet;

use leasewire::ledger::{Call, Ledger, Rebuild, Reply, Retention};
use leasewire::projection::{Projection, RebuildStep, rebuilt};
use leasewire::time::Timestamp;

use crate::common::{Database, at, diff, job, numbers, send, take};

const FIRST: &str = "2026-02-01T00:00:00Z";
const RETENTION_S: u64 = 48 * 3_600;

fn change(record: u32, from: u32, to: u32) -> String {
    let new = format!(r#"{{"n":{to},"text":"é\"1.50"}}"#);
    diff(
        "leases",
        &format!("r{record}"),
        &format!(r#"{{"n":{from}}}"#),
        &new,
    )
}

fn apply(ledger: &mut Ledger<&Database>, d1: &Database, packs: &[String], now: Timestamp) {
    for pack in packs {
        let read = Projection::read(pack).unwrap();
        for statement in read.statements(now, now) {
            d1.run(&statement);
        }
        ledger.confirm(read.pack, now).unwrap();
    }
}

/// A ledger with `count` records and a D1 that has them all.
fn filled<'a>(database: &'a Database, d1: &Database, count: u32) -> Ledger<&'a Database> {
    d1.migrate();
    let mut ledger = Ledger::open(database).unwrap();
    let now = at(FIRST);
    for record in 0..count {
        take(
            &mut ledger,
            &change(record, 0, record),
            now.plus_s(record.into()),
        );
    }
    let packs = send(&mut ledger, now);
    apply(&mut ledger, d1, &packs, now);
    ledger
}

fn ask(ledger: &mut Ledger<&Database>, now: Timestamp) -> Option<String> {
    let call = Call::decode(Call::Rebuild.encode()).unwrap();
    ledger.answer(call, now).unwrap().into_text()
}

/// One step, and when the next one is due.
fn step(ledger: &mut Ledger<&Database>, d1: &Database, now: Timestamp) -> Option<Timestamp> {
    let part = ledger.next_part().unwrap()?;
    for statement in rebuilt(&part, now) {
        d1.run(&statement);
    }
    ledger.rebuilt(&part, now).unwrap()
}

fn records(d1: &Database) -> Vec<String> {
    d1.dump(
        "SELECT source, integration, model, record_id, version, generation, fields, partial, drift,
                occurred_at FROM records ORDER BY model, record_id",
    )
}

fn progress(ledger: &Ledger<&Database>) -> Rebuild {
    ledger.state().unwrap().unwrap().rebuild.unwrap()
}

/// In steps, with the ledger opened anew and a step done twice, a lost D1 comes
/// back as it was, and the list of integrations with it.
#[test]
fn a_lost_d1_comes_back() {
    let (database, d1) = (Database::default(), Database::default());
    let mut ledger = filled(&database, &d1, 1_200);
    let before = records(&d1);
    let listed = "SELECT source, integration, last_seq FROM integrations";
    let list = d1.dump(listed);
    let lost = "DELETE FROM records; DELETE FROM integrations";
    d1.connection.execute_batch(lost).unwrap();
    let now = at("2026-02-02T00:00:00Z");
    let answer = ask(&mut ledger, now).unwrap();
    assert_eq!(numbers(&answer, "rebuild"), [1]);
    assert_eq!(numbers(&answer, "count"), [1_200]);
    // It is the same while it goes on.
    assert_eq!(ask(&mut ledger, now).unwrap(), answer);
    assert!(ledger.follow_up(now, 0).wake_at.is_some());
    let mut steps = 0;
    while ledger.has_rebuild() {
        let part = ledger.next_part().unwrap().unwrap();
        // D1 may have it, and the ledger not know.
        rebuilt(&part, now)
            .iter()
            .for_each(|statement| d1.run(statement));
        ledger = Ledger::open(&database).unwrap();
        let next = step(&mut ledger, &d1, now);
        assert_eq!(next.is_some(), ledger.has_rebuild());
        // An answer that came twice counts once.
        ledger.rebuilt(&part, now).unwrap();
        steps += 1;
    }
    assert_eq!(steps, 3);
    assert_eq!(records(&d1), before);
    assert_eq!(d1.dump(listed), list);
    assert_eq!(progress(&ledger).done, 1_200);
    assert_eq!(progress(&ledger).ended_at, Some(now));
    assert_eq!(ledger.next_part().unwrap(), None);
    let answer = ask(&mut ledger, now).unwrap();
    assert_eq!(numbers(&answer, "rebuild"), [2]);
}

/// What is older loses against the rebuild, and what is newer wins, in whatever
/// order they come.
#[test]
fn the_newest_state_wins() {
    for order in 0..4 {
        let (database, d1) = (Database::default(), Database::default());
        let mut ledger = filled(&database, &d1, 2);
        let now = at("2026-02-02T00:00:00Z");
        // D1 remembers what the ledger never had.
        let ahead = "UPDATE records SET version = 900, fields = '{\"n\":\"lost\"}'";
        d1.connection.execute_batch(ahead).unwrap();
        take(&mut ledger, &change(0, 0, 7), now);
        let old = send(&mut ledger, now);
        ask(&mut ledger, now).unwrap();
        let part = ledger.next_part().unwrap().unwrap();
        take(&mut ledger, &change(0, 7, 8), now);
        let new = send(&mut ledger, now);
        let write = |ledger: &mut Ledger<_>| {
            rebuilt(&part, now)
                .iter()
                .for_each(|statement| d1.run(statement));
            ledger.rebuilt(&part, now).unwrap();
        };
        match order {
            0 => {
                write(&mut ledger);
                apply(&mut ledger, &d1, &old, now);
                apply(&mut ledger, &d1, &new, now);
            }
            1 => {
                apply(&mut ledger, &d1, &new, now);
                write(&mut ledger);
                apply(&mut ledger, &d1, &old, now);
            }
            2 => {
                apply(&mut ledger, &d1, &old, now);
                apply(&mut ledger, &d1, &new, now);
                write(&mut ledger);
            }
            _ => {
                apply(&mut ledger, &d1, &new, now);
                apply(&mut ledger, &d1, &old, now);
                write(&mut ledger);
            }
        }
        assert!(!ledger.has_rebuild());
        let there = d1.dump("SELECT record_id, version, fields ->> 'n' FROM records ORDER BY 1");
        assert_eq!(there, ["r0|4|8", "r1|2|1"], "{order}");
        assert_eq!(d1.dump("SELECT last_seq FROM integrations"), ["4"]);
    }
}

/// The event that a record's time is of may be gone: then D1 knows it better,
/// if it has the same state.
#[test]
fn times_that_are_gone_stay_in_d1() {
    let (database, d1) = (Database::default(), Database::default());
    let mut ledger = filled(&database, &d1, 300);
    let before = records(&d1);
    let mut now = at(FIRST).plus_s(86_400);
    for n in 1..300 {
        take(&mut ledger, &change(0, n - 1, n), now);
    }
    let packs = send(&mut ledger, now);
    apply(&mut ledger, &d1, &packs, now);
    for _ in 0..3 {
        now = now.plus_s(RETENTION_S);
        while ledger
            .expire(now, &Retention::new(RETENTION_S, RETENTION_S))
            .unwrap()
            .is_some()
        {}
        take(
            &mut ledger,
            &job(u32::try_from(now.ms() % 1_000_000).unwrap()),
            now,
        );
        let packs = send(&mut ledger, now);
        apply(&mut ledger, &d1, &packs, now);
    }
    let forget = "UPDATE records SET recent = zeroblob(8)";
    database.connection.execute_batch(forget).unwrap();
    d1.connection
        .execute_batch("DELETE FROM records WHERE record_id = 'r5'")
        .unwrap();
    ask(&mut ledger, now).unwrap();
    while ledger.has_rebuild() {
        step(&mut ledger, &d1, now);
    }
    let after = records(&d1);
    let changed: BTreeSet<_> = after.iter().filter(|row| !before.contains(row)).collect();
    // The one that has changed since, and the one that was gone here and there.
    assert_eq!(changed.len(), 2, "{changed:?}");
    let r5 = changed.iter().find(|row| row.contains("|r5|")).unwrap();
    let bound = at(r5.rsplit('|').next().unwrap());
    assert!(bound > at(FIRST) && bound <= now, "{bound}");
}

/// A ledger that was set back tells D1 what it has left.
#[test]
fn a_ledger_that_was_set_back_rebuilds() {
    let (database, d1) = (Database::default(), Database::default());
    let mut ledger = filled(&database, &d1, 3);
    let ahead = "UPDATE records SET version = version + 70, fields = '{}';
                 UPDATE integrations SET last_seq = 80";
    d1.connection.execute_batch(ahead).unwrap();
    let now = at("2026-02-02T00:00:00Z");
    let epoch = ledger.state().unwrap().unwrap().epoch;
    let sweep = Call::Sweep {
        listed_seq: 80,
        listed_epoch: Some(epoch),
    };
    ledger.forget_alarm();
    ledger.found_alarm(false);
    assert_eq!(ledger.answer(sweep, now), Ok(Reply::Swept(true)));
    assert!(ledger.has_rebuild());
    while ledger.has_rebuild() {
        step(&mut ledger, &d1, now);
    }
    let there = d1.dump("SELECT record_id, version, fields ->> 'n' FROM records ORDER BY 1");
    assert_eq!(there, ["r0|1|0", "r1|2|1", "r2|3|2"]);
    assert_eq!(d1.dump("SELECT last_seq FROM integrations"), ["3"]);
}

/// Large records go in steps of their own.
#[test]
fn steps_are_bounded_by_bytes() {
    let (database, d1) = (Database::default(), Database::default());
    let mut ledger = filled(&database, &d1, 1);
    let now = at("2026-02-02T00:00:00Z");
    for record in 1..4 {
        let body = format!(
            r#"{{"meta":{{"object":"leases"}},"record_id":"r{record}","diff":{{"previous":{{}},"new":{{"n":{record},"text":"{}"}}}}}}"#,
            "x".repeat(600_000)
        );
        take(&mut ledger, &body, now);
    }
    ask(&mut ledger, now).unwrap();
    let mut sizes = Vec::new();
    while let Some(part) = ledger.next_part().unwrap() {
        sizes.push(part.records.len());
        rebuilt(&part, now)
            .iter()
            .for_each(|statement| d1.run(statement));
        ledger.rebuilt(&part, now).unwrap();
    }
    assert_eq!(sizes, [2, 1, 1]);
    assert_eq!(
        d1.dump("SELECT count(*), sum(fields ->> 'n') FROM records"),
        ["4|6"]
    );
}

/// The end is in the tables, and nobody has noted it: the alarm has nothing left
/// to do all the same.
#[test]
fn one_that_has_ended_is_not_gone_on_with() {
    let (database, d1) = (Database::default(), Database::default());
    let mut ledger = filled(&database, &d1, 3);
    let now = at("2026-02-02T00:00:00Z");
    ask(&mut ledger, now).unwrap();
    let part = ledger.next_part().unwrap().unwrap();
    database.fails_in.set(Some(1));
    ledger.rebuilt(&part, now).unwrap_err();
    assert_eq!(database.fails_in.get(), None);
    assert!(progress(&ledger).ended_at.is_some());
    assert!(ledger.has_rebuild());
    assert_eq!(ledger.next_part().unwrap(), None);
    assert!(!ledger.has_rebuild());
}

/// A record is left out that D1 refuses while it takes others; not one that it
/// can't take because the way to it is cut now and then.
#[test]
fn nobodys_fault_leaves_no_record_out() {
    for (why, refused) in [("Network connection lost.", 0), ("SQLITE_TOOBIG", 1)] {
        let (database, d1) = (Database::default(), Database::default());
        let mut ledger = filled(&database, &d1, 1);
        let now = at("2026-02-02T00:00:00Z");
        ask(&mut ledger, now).unwrap();
        for _ in 0..10 {
            let Some(part) = ledger.next_part().unwrap() else {
                break;
            };
            let mut step = RebuildStep::new(part);
            while let Some(statements) = step.statements(now) {
                let is_probe = statements.len() == 1;
                step.ran(if is_probe {
                    Ok(())
                } else {
                    Err(why.to_owned())
                });
            }
            step.end(&mut ledger, now).unwrap();
            assert_eq!(step.refused().as_deref(), Some(why));
        }
        assert_eq!(progress(&ledger).refused, refused, "{why}");
        assert_eq!(ledger.has_rebuild(), refused == 0, "{why}");
    }
}

#[test]
fn a_ledger_without_events_has_none() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let nobodys = r#"{"integration":null}"#;
    assert_eq!(ask(&mut ledger, at(FIRST)).as_deref(), Some(nobodys));
    assert!(database.dump("SELECT name FROM sqlite_master").is_empty());
}
