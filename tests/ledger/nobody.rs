//! Questions about an integration that nobody has sent anything of: its ledger
//! says so, and nothing is written by asking.

use std::rc::Rc;

use leasewire::ledger::{Call, Ledger, Reply, SeqRange, is_nobodys};

use crate::common::{Database, at, delivery, range};

const NOW: &str = "2026-03-25T15:00:00Z";

/// All that the API asks a ledger, or tells it to do.
fn calls() -> Vec<Call> {
    let page = (0, 5);
    let (after, limit) = page;
    vec![
        Call::State,
        Call::Events { after, limit },
        Call::Quarantined { after, limit },
        Call::Dead { after, limit },
        Call::Event { seq: 1 },
        Call::Unlinked {
            source: "propexo".to_owned(),
            after: String::new(),
            limit,
            filter: Rc::default(),
        },
        Call::Replay(range(1, 1)),
        Call::Redrive(SeqRange::new(1, 9)),
    ]
}

#[test]
fn a_ledger_of_nobody_says_so_and_stays_empty() {
    let database = Database::default();
    for call in calls() {
        let mut ledger = Ledger::open(&database).unwrap();
        let encoded = call.encode();
        let reply = ledger.answer(Call::decode(encoded).unwrap(), at(NOW));
        let answer = reply.unwrap().into_text().unwrap();
        assert!(is_nobodys(&answer), "{answer}");
        // Nothing is to be done for it either.
        ledger.found_alarm(false);
        let effects = ledger.follow_up(at(NOW), 0);
        assert_eq!(effects.wake_at, None);
        assert!(effects.announce.is_none() && !effects.forward);
    }
    assert_eq!(database.dump("SELECT name FROM sqlite_master"), [""; 0]);
    assert_eq!(database.connection.total_changes(), 0);
}

#[test]
fn a_ledger_of_somebody_answers() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    ledger
        .intake(&delivery("propexo", "int_1", r#"{"a":1}"#), at(NOW))
        .unwrap();
    for call in calls() {
        let reply = ledger.answer(call, at(NOW)).unwrap();
        assert_ne!(reply, Reply::Nobodys);
    }
}
