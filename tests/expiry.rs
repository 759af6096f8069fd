//! Old history goes, and what may not go stays.

mod common;

use common::{Database, at, delivery, job};
use leasewire::ledger::Ledger;

const RETENTION_S: u64 = 48 * 3_600;

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
    ledger.confirm(1, 3, 0, now).unwrap();
    let state = ledger.state().unwrap();
    for _ in 0..3 {
        now = now.plus_s(RETENTION_S);
        while ledger.expire(now, RETENTION_S).unwrap().is_some() {}
    }
    assert_eq!(database.events("seq"), ["4"]);
    assert_eq!(
        database.dump("SELECT number, first_seq FROM segments"),
        ["2|5"]
    );
    assert_eq!(ledger.state().unwrap(), state);
    let mut ledger = Ledger::open(&database).unwrap();
    assert_eq!(ledger.state().unwrap(), state);
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
    ledger.confirm(1, 400, 0, now).unwrap();
    ledger.bury(401, 900, 0, "test", now).unwrap();
    ledger.confirm(901, 1_300, 0, now).unwrap();
    let later = now.plus_s(RETENTION_S);
    assert_eq!(ledger.expire(later, RETENTION_S).unwrap(), None);
    let mut now = later.plus_s(RETENTION_S);
    let mut steps = 1;
    while let Some(at) = ledger.expire(now, RETENTION_S).unwrap() {
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
    ledger.confirm(401, 900, 0, now).unwrap();
    assert_eq!(database.events("seq").len(), 434);
}
