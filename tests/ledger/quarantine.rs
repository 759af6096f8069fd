//! What can't be applied, and what died: each alone, listed, and never lost.

use leasewire::ledger::{Ledger, NOT_APPLIED, Retention, Rewrite};
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery, job, named, numbers};

const RETENTION_S: u64 = 48 * 3_600;

/// A ledger with `count` jobs, all handed to the queue.
fn with_jobs(database: &Database, count: u32, now: Timestamp) -> Ledger<&Database> {
    let mut ledger = Ledger::open(database).unwrap();
    for id in 0..count {
        let delivery = delivery("propexo", "i", &job(id));
        ledger.intake(&delivery, now).unwrap();
    }
    ledger.sent(u64::from(count), now);
    ledger
}

/// The event that makes its pack fail is settled by being quarantined: it is
/// listed, never sent again, and stays when its segment goes.
#[test]
fn an_event_that_can_not_be_applied_is_quarantined_alone() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = with_jobs(&database, 9, now);
    ledger.confirm(named(1, 4, 0), now).unwrap();
    ledger.confirm(named(6, 8, 0), now).unwrap();
    ledger.quarantine(5, Rewrite(0), NOT_APPLIED, now).unwrap();
    let check = |ledger: &Ledger<&Database>| {
        let state = ledger.state().unwrap().unwrap();
        assert_eq!(
            (state.confirmed_seq, state.quarantined, state.dead),
            (8, 1, 0)
        );
        let page = ledger.quarantined(0, 10).unwrap();
        assert_eq!(numbers(&page, "seq"), [5]);
        assert!(page.contains(r#""status":"quarantined","event":"JOB_SUCCESS""#));
        assert!(page.contains(r#""reason":"not_applied""#), "{page}");
        let event = ledger.event(5).unwrap().unwrap();
        assert!(
            event.contains(r#""body":"{\"event\":\"JOB_SUCCESS\""#),
            "{event}"
        );
    };
    check(&ledger);
    // What was applied stays so, whoever says otherwise.
    for seq in [5, 4, 7] {
        ledger
            .quarantine(seq, Rewrite(0), NOT_APPLIED, now)
            .unwrap();
    }
    check(&ledger);
    ledger.wake(now.plus_s(3_600), 0).unwrap();
    let packs = ledger.next_batch().unwrap().packs;
    let ranges: Vec<_> = packs.iter().map(|pack| (pack.first, pack.last)).collect();
    assert_eq!(ranges, [(9, 9)]);
    let mut ledger = Ledger::open(&database).unwrap();
    check(&ledger);
    ledger.confirm(named(9, 9, 0), now).unwrap();
    let mut now = now;
    for _ in 0..3 {
        now = now.plus_s(RETENTION_S);
        while ledger
            .expire(now, &Retention::new(RETENTION_S, RETENTION_S))
            .unwrap()
            .is_some()
        {}
    }
    assert_eq!(database.events("seq"), ["5"]);
    assert_eq!(numbers(&ledger.quarantined(0, 10).unwrap(), "seq"), [5]);
}

/// Its pack died in another copy of the message, and has outlived its segment
/// or is about to.
#[test]
fn a_dead_event_can_be_quarantined_whenever() {
    let now = at("2026-02-01T00:00:00Z");
    // Before its segment goes, between two steps of that, and after.
    for steps in [0, 1, 9] {
        let database = Database::default();
        let mut ledger = with_jobs(&database, 1_100, now);
        ledger.dead_letter(named(1, 1_100, 0), "test", now).unwrap();
        let mut later = now;
        let mut step = 0;
        while step < steps {
            later = later.plus_s(RETENTION_S);
            while step < steps
                && ledger
                    .expire(later, &Retention::new(RETENTION_S, RETENTION_S))
                    .unwrap()
                    .is_some()
            {
                step += 1;
            }
            step += 1;
        }
        ledger
            .quarantine(7, Rewrite(0), NOT_APPLIED, later)
            .unwrap();
        for _ in 0..3 {
            later = later.plus_s(RETENTION_S);
            while ledger
                .expire(later, &Retention::new(RETENTION_S, RETENTION_S))
                .unwrap()
                .is_some()
            {}
        }
        let listed = ledger.quarantined(0, 10).unwrap();
        assert_eq!(numbers(&listed, "seq"), [7], "after {steps} steps");
        let listed = ledger.dead(0, 10).unwrap();
        assert_eq!(numbers(&listed, "first_seq"), [1, 8]);
        assert_eq!(numbers(&listed, "events"), [6, 1_093]);
        assert_eq!(database.events("seq").len(), 1_100);
    }
}

/// A pack of which parts were applied dies: only what wasn't is dead.
#[test]
fn what_was_applied_does_not_die_with_the_rest() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = with_jobs(&database, 9, now);
    ledger.confirm(named(3, 4, 0), now).unwrap();
    ledger.confirm(named(6, 6, 0), now).unwrap();
    ledger.quarantine(5, Rewrite(0), NOT_APPLIED, now).unwrap();
    ledger.dead_letter(named(2, 8, 0), "test", now).unwrap();
    let page = ledger.dead(0, 10).unwrap();
    assert_eq!(
        page,
        r#"{"packs":[{"first_seq":2,"last_seq":2,"events":1,"reason":"test","died_at":"2026-02-01T00:00:00.000000000Z"},{"first_seq":7,"last_seq":8,"events":2,"reason":"test","died_at":"2026-02-01T00:00:00.000000000Z"}],"next":null}"#
    );
    assert_eq!(ledger.state().unwrap().unwrap().dead, 3);
    let first = ledger.dead(0, 1).unwrap();
    assert!(first.ends_with(r#""next":2}"#), "{first}");
    assert_eq!(numbers(&ledger.dead(2, 1).unwrap(), "first_seq"), [7]);
    assert!(ledger.dead(2, 1).unwrap().ends_with(r#""next":null}"#));
    // All of it was in flight twice, and the other copy comes through.
    ledger.confirm(named(2, 8, 0), now).unwrap();
    assert_eq!(ledger.dead(0, 10).unwrap(), r#"{"packs":[],"next":null}"#);
    assert_eq!(numbers(&ledger.quarantined(0, 10).unwrap(), "seq"), [5]);
}

#[test]
fn pages_of_the_quarantine() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = with_jobs(&database, 6, now);
    for seq in [2, 4, 5] {
        ledger
            .quarantine(seq, Rewrite(0), NOT_APPLIED, now)
            .unwrap();
    }
    let page = |after, limit| {
        let page = ledger.quarantined(after, limit).unwrap();
        let (_, next) = page.rsplit_once(r#""next":"#).unwrap();
        (numbers(&page, "seq"), next.trim_end_matches('}').to_owned())
    };
    assert_eq!(page(0, 2), (vec![2, 4], "4".to_owned()));
    assert_eq!(page(4, 2), (vec![5], "null".to_owned()));
    assert_eq!(page(0, 3), (vec![2, 4, 5], "null".to_owned()));
    assert_eq!(page(5, 3), (vec![], "null".to_owned()));
}
