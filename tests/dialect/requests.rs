//! Golden requests: signed by Node.js and Python, shaped as the providers
//! document, from the verified signature to what is forwarded.

use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use leasewire::dialect::{self, DIALECTS, Identity};
use leasewire::edge::delivery::Admitted;
use leasewire::json::{Object, Value, same};
use leasewire::ledger::{Ledger, Outcome};
use leasewire::signature::{DedupeKey, Presented};

use crate::common::{Database, admit, at, source};

/// Runs one golden request; the error says what differs.
fn check(dialect: &str, text: &str) -> Result<(), String> {
    let case = Object::parse(text).ok_or("not an object")?;
    let expect = case.object("expect").ok_or("no `expect`")?;
    let string = |name| case.text(name).map(|text| text.into_owned());
    let body = match string("body_base64") {
        Some(base64) => BASE64
            .decode(base64.as_bytes())
            .map_err(|e| e.to_string())?,
        None => string("body").ok_or("no `body`")?.into_bytes(),
    };
    let now = at(&string("now").ok_or("no `now`")?);
    let source = source(dialect);
    let headers = case.object("headers").ok_or("no `headers`")?;
    let header = |name: &str| headers.text(name).map(|text| text.into_owned());
    let scheme = source.dialect.scheme();
    let (signature, timestamp) = (
        header(scheme.header),
        scheme.timestamp_header.and_then(header),
    );
    let presented = Presented {
        signature: signature.as_deref(),
        timestamp: timestamp.as_deref(),
    };
    let secret = string("secret").ok_or("no `secret`")?;
    let admitted = admit(&source, &secret, presented, body.clone(), now);
    let status = expect.text("status").unwrap_or_default();
    let delivery = match (&*status, admitted) {
        ("unauthorized", Err(_)) => return Ok(()),
        ("pong", Ok(Admitted::Ping(_))) => return Ok(()),
        ("accepted" | "quarantined", Ok(Admitted::Delivery(delivery, _))) => delivery,
        (_, admitted) => {
            let what = match admitted {
                Err(why) => why.label(),
                Ok(Admitted::Ping(_)) => "pong",
                Ok(Admitted::Delivery(..)) => "a delivery",
            };
            return Err(format!("expected {status}, was {what}"));
        }
    };
    let wanted = expect.text("integration");
    equal(
        "integration",
        delivery.of.integration.as_str(),
        wanted.as_deref().unwrap_or(&source.default_integration),
    )?;
    let reading = dialect::read(source.dialect, &body, now);
    let (tag, repeats) = match &reading.identity {
        Identity::Body | Identity::JobBody => ("body", false),
        Identity::RepeatableBody | Identity::ControlBody => ("body", true),
        Identity::EventId(_) => ("id", false),
        Identity::SyncId(_) => ("sync", false),
    };
    equal("dedupe", tag, &expect.text("dedupe").unwrap_or_default())?;
    if tag == "body" {
        equal("key", &delivery.key, &DedupeKey::of("body", &body))?;
    }
    let database = Database::default();
    let mut ledger = Ledger::open(&database).map_err(|e| e.0)?;
    let taken = ledger.intake(&delivery, now).map_err(|e| e.0)?;
    match (&*status, taken.outcome) {
        ("accepted", Outcome::Accepted) => {
            let may_repeat = expect.flag("may_repeat").unwrap_or_default();
            equal("may_repeat", &repeats, &may_repeat)?;
        }
        ("quarantined", Outcome::Quarantined(_)) => return Ok(()),
        (_, outcome) => return Err(format!("expected {status}, was {outcome:?}")),
    }
    let packs = ledger.next_batch().map_err(|e| e.0)?.packs;
    let pack = &packs.first().ok_or("nothing is forwarded")?.text;
    let events: Vec<&Value> = serde_json::from_str(pack).map_err(|e| e.to_string())?;
    let event = Object::parse(events[0].get()).ok_or("the event is not an object")?;
    forwarded(&event, &expect)
}

/// Compares the forwarded event with the expectation.
fn forwarded(event: &Object, expect: &Object) -> Result<(), String> {
    let data = event.object("data").ok_or("no data")?;
    equal("type", &event.text("type"), &expect.text("type"))?;
    if let Some(time) = expect.text("time") {
        let got = event.text("time").unwrap_or_default();
        equal("time", &at(&got), &at(&time))?;
    }
    equal("event", &data.text("event"), &expect.text("event"))?;
    if !expect.has("record_id") {
        return equal("subject", &event.text("subject"), &None);
    }
    for name in ["model", "record_id"] {
        equal(name, &data.text(name), &expect.text(name))?;
    }
    for name in ["changes", "record"] {
        let (got, want) = (data.object(name), expect.object(name));
        let (got, want) = (got.ok_or(name)?, want.ok_or(name)?);
        equal(name, &fields(&got), &fields(&want))?;
        let equal_values = got
            .iter()
            .all(|(field, value)| want.value(field).is_some_and(|want| same(value, want)));
        if !equal_values {
            return Err(format!(
                "{name}: {} is not {}",
                got.to_json(),
                want.to_json()
            ));
        }
    }
    // Numbers keep their text; strings, lists and objects are compared above.
    let (record, want) = (data.object("record"), expect.object("record"));
    for (field, value) in record.ok_or("record")?.iter() {
        let text = value.get();
        if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            let want = want.as_ref().and_then(|want| want.value(field));
            equal(field, text, want.map_or("", Value::get))?;
        }
    }
    Ok(())
}

fn fields<'a>(object: &'a Object) -> Vec<&'a str> {
    let mut names: Vec<_> = object.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}

fn equal<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    got: &T,
    want: &T,
) -> Result<(), String> {
    if got == want {
        Ok(())
    } else {
        Err(format!("{what}: {got:?}, expected {want:?}"))
    }
}

#[test]
fn golden_requests_are_understood() {
    let mut failures = Vec::new();
    for dialect in DIALECTS {
        let folder = Path::new("tests/fixtures").join(dialect.name());
        let mut cases = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            cases += 1;
            if let Err(why) = check(dialect.name(), &text) {
                failures.push(format!("{}: {why}", path.display()));
            }
        }
        assert!(
            cases >= 20,
            "{} has {cases} golden requests",
            dialect.name()
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_signature_of_one_dialect_opens_no_other() {
    // A Propexo request signed with the secret of a Propify source: the right
    // HMAC, but in a header that Propify doesn't read.
    let text = fs::read_to_string("tests/fixtures/propexo/envelope-a-diff.json").unwrap();
    let case = Object::parse(&text).unwrap();
    let headers = case.object("headers").unwrap();
    let signature = headers.text("propexo-signature").unwrap();
    let presented = Presented {
        signature: None,
        timestamp: Some(&signature),
    };
    let body = case.text("body").unwrap().into_owned().into_bytes();
    let secret = case.text("secret").unwrap();
    let refused = admit(
        &source("propify"),
        &secret,
        presented,
        body,
        at("2026-03-25T15:00:05Z"),
    );
    assert_eq!(
        refused.err().map(|why| why.label()),
        Some("signature_missing")
    );
}
