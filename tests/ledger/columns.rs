//! What a ledger keeps of an event in columns of its own, and must give back
//! as it was, whoever has written it.

use leasewire::ledger::Ledger;

use crate::common::{Database, at, delivery, finish_replay, range};

fn replay_all(ledger: &mut Ledger<&Database>, dialect: &str) {
    let now = at("2026-03-02T00:00:00Z");
    ledger
        .ask_for_replay(&range(1, ledger.last_seq()), now)
        .unwrap()
        .unwrap();
    finish_replay(ledger, dialect, now);
}

/// Two events within a microsecond stay apart, and times come out as they came
/// in: in what is sent, in the history, and from the record after a replay.
#[test]
fn nanoseconds_are_kept() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-03-01T00:00:00Z");
    let take = |ledger: &mut Ledger<_>, id: u8, ns: u16, price: u8| {
        let body = format!(
            r#"{{"id":"evt_{id}","type":"property.updated","created":"2026-02-01T00:00:00.123456{ns:03}Z","data":{{"property":{{"id":"p","price":{price}}}}}}}"#
        );
        let delivery = delivery("real-estate", "default", &body);
        ledger.intake(&delivery, now).unwrap();
    };
    take(&mut ledger, 1, 789, 1);
    let mut ledger = Ledger::open(&database).unwrap();
    take(&mut ledger, 2, 788, 2);
    take(&mut ledger, 3, 790, 3);
    for _ in 0..2 {
        let fields = database.dump("SELECT fields, occurred_at, occurred_ns FROM records");
        assert_eq!(fields, [r#"{"id":"p","price":3}|1769904000123456|790"#]);
        let packs = Ledger::open(&database).unwrap().next_batch().unwrap().packs;
        let events = ledger.events(0, 9).unwrap();
        for ns in [788, 789, 790] {
            let time = format!("2026-02-01T00:00:00.123456{ns}Z");
            let sent = packs
                .iter()
                .any(|pack| pack.text.contains(&format!(r#""time":"{time}""#)));
            assert!(sent, "{packs:?}");
            assert!(
                events.contains(&format!(r#""occurred_at":"{time}""#)),
                "{events}"
            );
        }
        let late = ledger.event(2).unwrap().unwrap();
        assert!(late.contains(r#""late":true"#), "{late}");
        replay_all(&mut ledger, "real-estate");
    }
}

/// Whether an event may be a repetition, and its record's generation, outlive
/// replays; what stands in a record doesn't pass for it.
#[test]
fn what_an_event_says_of_itself_is_kept() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-03-01T00:00:00Z");
    let change = |from: &str, to: &str| {
        format!(
            r#"{{"meta":{{"object":"leases"}},"record_id":"r","diff":{{"previous":{{"x":"{from}"}},"new":{{"x":"{to}","z":{{"ambiguous":true,"generation":77}}}}}}}}"#
        )
    };
    for (from, to) in [("a", "b"), ("b", "a"), ("a", "b")] {
        ledger
            .intake(&delivery("propexo", "i", &change(from, to)), now)
            .unwrap();
    }
    let said = || {
        let data = database.events("json_extract(data, '$.ambiguous', '$.generation')");
        data.join(" ")
    };
    assert_eq!(said(), "[false,null] [false,null] [true,null]");
    replay_all(&mut ledger, "propexo");
    // The last one makes the record anew; those before it stay what they were.
    assert_eq!(said(), "[false,null] [false,null] [true,1]");
    // As 0.1.0 would leave what comes next: only the data tells.
    ledger
        .intake(&delivery("propexo", "i", &change("b", "c")), now)
        .unwrap();
    let unknown = "UPDATE events_1 SET ambiguous = NULL, generation = NULL";
    database.connection.execute_batch(unknown).unwrap();
    ledger.ask_for_replay(&range(1, 2), now).unwrap().unwrap();
    finish_replay(&mut ledger, "propexo", now);
    assert_eq!(said(), "[false,null] [false,null] [true,1] [false,2]");
}
