//! The pack reader: the input is a message of the queue.

use leasewire::projection::Projection;

use crate::common::{Database, at};

const NOW: &str = "2026-06-01T00:00:00Z";

/// A message is read or refused, always the same; what is read can be applied,
/// and once more without effect.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let read = Projection::read(&text);
    assert_eq!(read, Projection::read(&text), "two readings differ");
    let Ok(mut pack) = read else {
        return;
    };
    for seq in pack.missing() {
        // What a ledger without the event answers is refused.
        assert!(pack.clone().supply(seq, "").is_err());
        let data = r#"{"event":null,"model":"m","record_id":"r","changes":{},"record":{"a":0.10},"version":9,"partial":false,"drift":false,"late":false}"#;
        pack.supply(seq, data).unwrap();
    }
    assert!(pack.missing().is_empty());
    let d1 = Database::default();
    d1.migrate();
    let apply = || {
        let statements = pack.statements(at(NOW), at(NOW));
        statements.iter().for_each(|statement| d1.run(statement));
        d1.dump("SELECT quote(model), quote(record_id), quote(version), quote(fields) FROM records")
    };
    assert_eq!(apply(), apply(), "a second time has an effect");
}
