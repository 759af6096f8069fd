//! From a webhook to D1: the input has lines, a dialect and then a body each.

use std::rc::Rc;

use std::collections::BTreeMap;

use leasewire::dialect::{self, Dialect};
use leasewire::edge::delivery::Delivery;
use leasewire::integration::IntegrationId;
use leasewire::json::{Object, Value};
use leasewire::ledger::{Ledger, Outcome, Pack};
use leasewire::projection::Projection;
use leasewire::time::Timestamp;

use super::lines;
use crate::common::{Database, at};

const NOW: &str = "2026-06-01T00:00:00Z";

pub fn check(input: &[u8]) {
    let ([name], bodies) = lines(input);
    let Some(dialect) = dialect::named(&name) else {
        return;
    };
    let now = at(NOW);
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let mut accepted = Vec::new();
    for body in bodies.split(|byte| *byte == b'\n') {
        accepted.extend(take(&mut ledger, dialect, body, now));
    }
    check_history(&ledger);
    let packs = drain(&mut ledger, now);
    check_packs(&ledger, &packs, &accepted);
    let mut reopened = Ledger::open(&database).unwrap();
    assert_eq!(reopened.last_seq(), ledger.last_seq());
    let again = drain(&mut reopened, now);
    let texts = |packs: &[Pack]| {
        packs
            .iter()
            .map(|pack| pack.text.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts(&again),
        texts(&packs),
        "sent again, a pack is another"
    );
}

/// Takes a body in, twice in a row; its number if it's to be forwarded.
fn take(
    ledger: &mut Ledger<&Database>,
    dialect: &'static dyn Dialect,
    body: &[u8],
    now: Timestamp,
) -> Option<u64> {
    let reading = dialect::read(dialect, body, now);
    let delivery = Delivery {
        of: IntegrationId::new("s/é", "i 1"),
        dialect,
        key: reading.identity.key(body),
        dedupe_window_s: 172_800,
        filter: Rc::default(),
        body: body.to_vec(),
    };
    let last_seq = ledger.last_seq();
    let taken = ledger.intake(&delivery, now).unwrap();
    match taken.outcome {
        Outcome::Duplicate => assert!(taken.seq <= last_seq),
        _ => assert_eq!(taken.seq, last_seq + 1, "a gap"),
    }
    let again = ledger.intake(&delivery, now).unwrap();
    assert_eq!(again.outcome, Outcome::Duplicate, "taken twice");
    (taken.outcome == Outcome::Accepted).then_some(taken.seq)
}

/// Every event can be looked at.
fn check_history(ledger: &Ledger<&Database>) {
    let page = ledger.events(0, 500).unwrap();
    let events = parse(&page).value("events").unwrap();
    let events: Vec<&Value> = serde_json::from_str(events.get()).unwrap();
    assert_eq!(events.len() as u64, ledger.last_seq());
    for (seq, listed) in (1..).zip(events) {
        let event = ledger.event(seq).unwrap().unwrap();
        let (event, listed) = (parse(&event), parse(listed.get()));
        for (name, value) in listed.iter() {
            assert_eq!(event.value(name).unwrap().get(), value.get(), "{name}");
        }
        assert_eq!(event.value("seq").unwrap().get(), seq.to_string());
        let is_quarantined = event.text("status").unwrap() == "quarantined";
        assert_eq!(is_quarantined, !event.has("cloudevent"));
    }
}

/// Every pack there is to send.
fn drain(ledger: &mut Ledger<&Database>, now: Timestamp) -> Vec<Pack> {
    let mut packs = Vec::new();
    while ledger.has_unsent() {
        let batch = ledger.next_batch().unwrap();
        packs.extend(batch.packs);
        ledger.sent(batch.through, now);
    }
    packs
}

/// A pack that was written is read back, and D1 ends with the newest state of
/// each record that was forwarded, value by value as it was.
fn check_packs(ledger: &Ledger<&Database>, packs: &[Pack], accepted: &[u64]) {
    let d1 = Database::default();
    d1.migrate();
    let mut forwarded = Vec::new();
    let mut newest = BTreeMap::new();
    for pack in packs {
        let mut read = Projection::read(&pack.text).unwrap();
        assert_eq!(read.pack.events, pack.events());
        assert_eq!((&*read.of.source, &*read.of.integration), ("s/é", "i 1"));
        let data = |seq| (seq, ledger.data(seq).unwrap().unwrap());
        let missing: Vec<_> = read.missing().into_iter().map(data).collect();
        for (seq, data) in &missing {
            read.supply(*seq, data).unwrap();
        }
        for statement in read.statements(at(NOW), at(NOW)) {
            d1.run(&statement);
        }
        for event in serde_json::from_str::<Vec<&Value>>(&pack.text).unwrap() {
            let event = parse(event.get());
            let seq: u64 = event.text("id").unwrap().parse().unwrap();
            forwarded.push(seq);
            if event.text("type").unwrap().starts_with("leasewire.record.") {
                note(&mut newest, &ledger.data(seq).unwrap().unwrap());
            }
        }
    }
    assert_eq!(forwarded, accepted, "not each event once");
    let rows =
        d1.dump("SELECT hex(model), hex(record_id), version, fields FROM records ORDER BY 1, 2");
    let rows: Vec<String> = rows.iter().map(|row| without_space(row)).collect();
    let expected: Vec<String> = newest
        .into_iter()
        .map(|((model, id), (version, fields))| format!("{model}|{id}|{version}|{fields}"))
        .map(|row| without_space(&row))
        .collect();
    assert_eq!(rows, expected, "D1 has something else");
}

/// JSON without the white space between its parts, which D1 doesn't keep.
fn without_space(json: &str) -> String {
    let (mut in_text, mut is_escaped) = (false, false);
    let mut kept = String::new();
    for letter in json.chars() {
        if letter == '"' && !is_escaped {
            in_text = !in_text;
        }
        is_escaped = in_text && letter == '\\' && !is_escaped;
        if in_text || !letter.is_ascii_whitespace() {
            kept.push(letter);
        }
    }
    kept
}

/// Notes what a forwarded event says of its record.
fn note(newest: &mut BTreeMap<(String, String), (u64, String)>, data: &str) {
    let data = parse(data);
    if data.flag("late") == Some(true) {
        return;
    }
    let name = |field| {
        let text = data.text(field).unwrap();
        text.bytes()
            .map(|byte| format!("{byte:02X}"))
            .collect::<String>()
    };
    let version = data.value("version").unwrap().get().parse().unwrap();
    let fields = data.value("record").unwrap().get().to_owned();
    let state = newest
        .entry((name("model"), name("record_id")))
        .or_default();
    if version > state.0 {
        *state = (version, fields);
    }
}

fn parse(json: &str) -> Object<'_> {
    Object::parse(json).unwrap_or_else(|| panic!("no object: {json}"))
}
