//! Every dialect on arbitrary bytes: the input is a body.

use leasewire::dialect::event::{Change, Content, ID_BYTES_MAX, Subject, Unclear, model_name};
use leasewire::dialect::{self, DIALECTS, Dialect, Meaning, Reading};
use leasewire::edge::delivery::{Admitted, admit};
use leasewire::json::{self, Object};
use leasewire::signature::{FUTURE_S, Presented};
use leasewire::time::Timestamp;

use super::signatures::hmac;
use crate::common::{at, source};

const NOW: &str = "2026-06-01T00:00:00Z";
const SECRET: &str = "secret";

pub fn check(body: &[u8]) {
    for dialect in DIALECTS {
        let now = at(NOW);
        let reading = dialect::read(*dialect, body, now);
        let again = dialect::read(*dialect, body, now);
        assert_eq!(
            format!("{reading:?}"),
            format!("{again:?}"),
            "two readings differ"
        );
        check_reading(&reading, body, now);
        check_refusal(&reading, body);
        check_admission(*dialect, &reading, body, now);
    }
}

/// What a reading says can be kept, named and forwarded.
fn check_reading(reading: &Reading, body: &[u8], now: Timestamp) {
    if let Some(integration) = &reading.integration {
        assert!(is_name(integration), "integration {integration:?}");
    }
    let Meaning::Event(event) = &reading.meaning else {
        return;
    };
    if let Some(time) = event.occurred_at {
        assert!(time <= now.plus_s(FUTURE_S), "{time} is in the future");
        let text = time.to_string();
        assert_eq!(Timestamp::parse(&text), Some(time), "a time changes");
    }
    match &event.content {
        Content::Control(fields) => check_values(fields, body),
        Content::Record(Subject { model, record_id }, change) => {
            assert!(is_name(record_id), "record {record_id:?}");
            // A normal form may be longer than a name may be.
            let start: String = model.chars().take(ID_BYTES_MAX / 4).collect();
            assert!(is_name(&start), "model {model:?}");
            assert_eq!(&model_name(model), model, "not a normal form");
            match change {
                Change::Diff {
                    previous,
                    new,
                    rest,
                } => {
                    check_values(rest, body);
                    check_values(previous, body);
                    check_values(new, body);
                }
                Change::Sparse(fields) | Change::Whole { fields, .. } => check_values(fields, body),
                Change::Read(_) | Change::Gone(_) => panic!("no webhook was asked for"),
            }
        }
    }
}

/// True for what can stand in a path, a key and a line of the log.
fn is_name(id: &str) -> bool {
    let is_control = |c| matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}');
    (1..=ID_BYTES_MAX).contains(&id.len()) && id != "." && id != ".." && !id.contains(is_control)
}

/// Values keep their text: each is a stretch of the body.
fn check_values(fields: &Object, body: &[u8]) {
    let body = body.as_ptr_range();
    for (name, value) in fields.iter() {
        let text = value.get().as_bytes().as_ptr_range();
        assert!(
            body.start <= text.start && text.end <= body.end,
            "{name:?} is not as it came"
        );
    }
    let written = fields.to_json();
    let read = Object::parse(&written).expect("fields that were written are not read");
    assert_eq!(read.to_json(), written, "fields change when they are read");
}

/// Another parser agrees on what is an object.
fn check_refusal(reading: &Reading, body: &[u8]) {
    let Meaning::Unclear(why) = reading.meaning else {
        return;
    };
    let value = serde_json::from_slice::<serde_json::Value>(body).ok();
    match why {
        Unclear::NotUtf8 => assert!(std::str::from_utf8(body).is_err()),
        Unclear::NotJson => assert!(value.is_none(), "refused JSON"),
        Unclear::NotAnObject => assert!(value.is_none_or(|value| !value.is_object())),
        Unclear::TooDeep => assert!(value.is_none() || depth(body) > json::DEPTH_MAX),
        _ => assert!(std::str::from_utf8(body).is_ok()),
    }
}

/// How deep brackets nest outside strings. Not asked of another parser, which
/// forgets the first of two values under one name.
fn depth(body: &[u8]) -> usize {
    let text = String::from_utf8_lossy(body);
    let text = text.replace("\\\\", "").replace("\\\"", "");
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.split('"').step_by(2).flat_map(str::bytes) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What is signed is admitted as it was read, or too old by its own word.
fn check_admission(dialect: &dyn Dialect, reading: &Reading, body: &[u8], now: Timestamp) {
    let source = source(dialect.name());
    let scheme = dialect.scheme();
    let timestamp = scheme.timestamp_header.map_or("", |_| NOW);
    let signed = [timestamp.as_bytes(), body].concat();
    let signature = format!("{}{}", scheme.prefix, hmac(SECRET.as_bytes(), &signed));
    let presented = Presented {
        signature: Some(&signature),
        timestamp: Some(timestamp),
    };
    match admit(&source, &[SECRET], presented, body.to_vec(), now) {
        Ok(Admitted::Ping(_)) => assert!(matches!(reading.meaning, Meaning::Ping)),
        Ok(Admitted::Delivery(delivery, _)) => {
            assert!(!matches!(reading.meaning, Meaning::Ping));
            assert_eq!(delivery.body, body, "the body changes");
            assert_eq!(delivery.key, reading.identity.key(body));
            let integration = reading.integration.as_deref();
            assert_eq!(delivery.of.integration, integration.unwrap_or("default"));
        }
        Err(why) => assert!(reading.signed_at.is_some(), "refused: {}", why.label()),
    }
}
