//! A payload beside a diff: the record as the update leaves it.

use leasewire::ledger::Ledger;
use serde_json::{Value, json};

use crate::common::{Database, at, delivery};

/// A ledger that takes updates of one lease.
struct World {
    database: Database,
    taken: u64,
}

impl World {
    fn new() -> Self {
        Self {
            database: Database::default(),
            taken: 0,
        }
    }

    /// Takes an update in, and gives what is forwarded of it.
    fn take(&mut self, mut update: Value) -> Value {
        self.taken += 1;
        update["job_id"] = json!(format!("j{}", self.taken));
        update["record_id"] = json!("r");
        update["object"] = json!("leases");
        let now = at("2026-02-01T00:00:00Z").plus_s(self.taken);
        let mut ledger = Ledger::open(&self.database).unwrap();
        let taken = ledger
            .intake(&delivery("propexo", "i", &update.to_string()), now)
            .unwrap();
        assert_eq!((taken.outcome.label(), taken.seq), ("accepted", self.taken));
        let data = ledger.data(self.taken).unwrap().unwrap();
        serde_json::from_str(&data).unwrap()
    }
}

fn change(field: &str, old: &Value, new: &Value) -> Value {
    json!({ field: { "old": old, "new": new } })
}

#[test]
fn what_is_as_it_was_known_is_no_change() {
    let mut world = World::new();
    world.take(json!({
        "event": "DATA_NEW", "payload": {"status": "a", "rent": 1, "unit": "u", "note": null},
    }));
    let data = world.take(json!({
        "event": "DATA_UPDATE",
        "diff": {"previous": {"status": "a"}, "new": {"status": "b"}},
        "payload": {"status": "b", "rent": 1.0, "unit": "u", "note": null},
    }));
    assert_eq!(data["changes"], change("status", &json!("a"), &json!("b")));
    assert_eq!(data["record"]["status"], "b");
    assert_eq!(
        (&data["drift"], &data["partial"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn what_was_known_otherwise_is_a_change_and_what_was_not_known_is_none() {
    let mut world = World::new();
    world.take(json!({"event": "DATA_NEW", "payload": {"status": "a", "rent": 1}}));
    let data = world.take(json!({
        "event": "DATA_UPDATE",
        "diff": {"previous": {"status": "a"}, "new": {"status": "b"}},
        "payload": {"status": "b", "rent": 2, "unit": "u"},
    }));
    let expected = json!({"status": {"old": "a", "new": "b"}, "rent": {"old": 1, "new": 2}});
    assert_eq!(data["changes"], expected);
    assert_eq!(
        data["record"],
        json!({"status": "b", "rent": 2, "unit": "u"})
    );
    assert_eq!(data["drift"], false, "what wasn't heard of is made good");
}

#[test]
fn the_diff_wins() {
    let mut world = World::new();
    world.take(json!({"event": "DATA_NEW", "payload": {"status": "a", "moved_out": "x"}}));
    let data = world.take(json!({
        "event": "DATA_UPDATE",
        "diff": {"previous": {"status": "a", "moved_out": "x"}, "new": {"status": "b"}},
        "payload": {"status": "a"},
    }));
    assert_eq!(data["record"], json!({"status": "b", "moved_out": null}));
    // Left out of the diff and in the payload, a field has what is in there.
    let data = world.take(json!({
        "event": "DATA_UPDATE",
        "diff": {"previous": {"status": "b", "moved_out": null}, "new": {"status": "c"}},
        "payload": {"moved_out": "y"},
    }));
    assert_eq!(data["record"], json!({"status": "c", "moved_out": "y"}));
    let expected =
        json!({"status": {"old": "b", "new": "c"}, "moved_out": {"old": null, "new": "y"}});
    assert_eq!(data["changes"], expected);
}

#[test]
fn the_payload_of_an_update_without_a_diff() {
    let mut world = World::new();
    world.take(json!({"event": "DATA_NEW", "payload": {"status": "a", "rent": 1}}));
    let data = world.take(json!({"event": "DATA_UPDATE", "payload": {"status": "b", "rent": 1}}));
    assert_eq!(data["record"], json!({"status": "b", "rent": 1}));
    assert_eq!(data["changes"], change("status", &json!("a"), &json!("b")));
    let kinds = world.database.events("kind");
    assert_eq!(kinds, ["record.created", "record.updated"]);
}
