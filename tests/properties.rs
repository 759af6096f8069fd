//! What must hold for bytes that nobody foresaw: real bodies, bent and broken.

mod common;

use common::{Database, at};
use leasewire::delivery::Delivery;
use leasewire::dialect::{self, DIALECTS};
use leasewire::ledger::{Call, Ledger, Outcome};
use leasewire::projection::Projection;
use leasewire::signature::DedupeKey;
use proptest::prelude::*;

const NOW: &str = "2026-06-01T00:00:00Z";

/// Bodies as providers send them.
fn real_bodies() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"meta":{"object":"leases","integration_id":"i"},"record_id":"r","diff":{"previous":{"status":"a"},"new":{"status":"b"}}}"#,
        r#"{"trigger":"DATA_NEW","data":{"job_id":"j","event":"DATA_NEW","record_id":"r","object":"units","payload":{"rent":750000.0}},"meta":{"object":"units"}}"#,
        r#"{"event":"SYNC_COMPLETE","integration_id":"i","is_sync_finished":true,"models":["leases"]}"#,
        r#"{"event":"data.update","timestamp":"2026-01-01T00:00:00Z","connection_id":"c","resource_type":"unit","data":{"id":"u","is_vacant":true}}"#,
        r#"{"id":"evt_1","type":"property.updated","created":"2026-03-01T04:42:18Z","data":{"property":{"id":"p","city":"é\ud83c\udfe0"}}}"#,
    ];
    bodies.map(|body| body.as_bytes().to_vec()).into()
}

/// A real body with some stretches replaced: by nothing, by other bytes, by
/// what means something in JSON.
fn bent() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..6),
        prop::sample::select(vec![
            "{", "}", "[", "]", "\"", "null", "1e999", ":", ",", "\\u0000", "-0", "\"\"", "{}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let bends = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, piece), 0..6);
    (prop::sample::select(real_bodies()), bends).prop_map(|(mut body, bends)| {
        for (at, length, piece) in bends {
            let from = at.index(body.len() + 1);
            let to = (from + length).min(body.len());
            body.splice(from..to, piece);
        }
        body
    })
}

fn deliver(dialect: usize, body: Vec<u8>) -> Delivery {
    Delivery {
        source: "s".to_owned(),
        integration: "i".to_owned(),
        dialect: DIALECTS[dialect],
        key: DedupeKey::of("body", &body),
        dedupe_window_s: 172_800,
        filter: std::rc::Rc::default(),
        body,
    }
}

/// Takes `bodies` in, and reads back every pack that comes of it.
fn through_a_ledger(dialect: usize, bodies: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let mut forwarded = 0;
    for body in bodies {
        let taken = ledger.intake(&deliver(dialect, body.clone()), at(NOW));
        let taken = taken.map_err(|why| TestCaseError::fail(why.to_string()))?;
        forwarded += u64::from(taken.outcome == Outcome::Accepted);
    }
    let mut written = 0;
    while ledger.has_unsent() {
        let batch = ledger.next_batch().unwrap();
        for pack in &batch.packs {
            let read = Projection::read(&pack.text);
            let read = read.map_err(|why| TestCaseError::fail(why.to_string()))?;
            prop_assert_eq!((read.first, read.last), (pack.first, pack.last));
            let events: Vec<serde_json::Value> = serde_json::from_str(&pack.text).unwrap();
            written += events.len() as u64;
        }
        ledger.sent(batch.through, at(NOW));
    }
    prop_assert_eq!(written, forwarded);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn reading_never_fails_and_is_deterministic(body in bent()) {
        for dialect in DIALECTS {
            let read = || format!("{:?}", dialect::read(*dialect, &body, at(NOW)));
            prop_assert_eq!(read(), read());
        }
    }

    #[test]
    fn reading_takes_any_bytes(body in prop::collection::vec(any::<u8>(), 0..300)) {
        for dialect in DIALECTS {
            dialect::read(*dialect, &body, at(NOW));
        }
    }

    #[test]
    fn a_call_reads_back(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let delivery = deliver(0, body.clone());
        match Call::decode(Call::Intake(delivery.clone()).encode()) {
            Some(Call::Intake(read)) => {
                prop_assert_eq!((read.body, read.key), (body, delivery.key));
            }
            _ => prop_assert!(false, "another call came back"),
        }
    }

    #[test]
    fn no_message_makes_the_pack_reader_panic(text in bent()) {
        let text = String::from_utf8_lossy(&text);
        let _ = Projection::read(&text);
        let _ = Projection::read(&format!("[{text}]"));
        let _ = Call::decode(text.into_owned().into_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_taken_in_is_forwarded_or_quarantined(
        dialect in 0..DIALECTS.len(),
        bodies in prop::collection::vec(bent(), 1..6),
    ) {
        through_a_ledger(dialect, &bodies)?;
    }
}
