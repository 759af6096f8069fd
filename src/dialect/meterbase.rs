//! MeterBase, a product built on Propexo: whole objects with a description of
//! what changed, from its webhook guide.
//!
//! `{event, timestamp, connection_id, resource_type, data, changes}`. The raw
//! body is signed, `timestamp` within it, so a body can't be replayed for
//! ever. `changes` only describes: `data` is the state (a lease may be an id
//! in one and an object in the other). So where `changes` is no object, it is
//! left out, and what changed is told by comparison.

use std::borrow::Cow;

use super::{Dialect, Identity, Meaning, Reading};
use super::event::{Change, Content, Event, Kind, Subject, TEST_INTEGRATION, Unclear};
use crate::json::{self, Object, Unreadable};
use crate::problem::Problem;
use super::sample::Wanted;
use crate::signature::Scheme;
use crate::time::Timestamp;

/// The dialect `meterbase`.
pub struct MeterBase;

const SCHEME: Scheme = Scheme {
    header: "x-propexo-signature",
    prefix: "sha256=",
    timestamp_header: None,
};

/// The event that ends a synchronisation, which its `sync_id` identifies.
const SYNC_COMPLETE: &str = "sync.complete";

/// 48 h: the provider retries for 26.6 h (decision 4).
const ACCEPTED_AGE_S: u64 = 48 * 3_600;

impl Dialect for MeterBase {
    fn name(&self) -> &'static str {
        "meterbase"
    }

    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn accepted_age_s(&self) -> Option<u64> {
        Some(ACCEPTED_AGE_S)
    }

    fn understand<'a>(&self, body: &Object<'a>) -> Reading<'a> {
        let time = body
            .text("timestamp")
            .and_then(|text| Timestamp::parse(&text));
        let (identity, meaning) = match meaning(body, time) {
            Ok((identity, meaning)) => (identity, Ok(meaning)),
            Err(unclear) => (Identity::Body, Err(unclear)),
        };
        Reading::new(body.stated_id("connection_id"), identity, time, meaning)
    }

    fn names(&self) -> [&'static str; 2] {
        ["data.new", "data.update"]
    }

    fn sample(&self, wanted: &Wanted) -> Result<String, Problem> {
        let name = wanted.event_or("data.new");
        let (unique, test) = (wanted.unique, TEST_INTEGRATION);
        let rest = match name {
            "test.ping" => format!(r#""data":{}"#, wanted.fields_or("{}")),
            SYNC_COMPLETE => format!(
                r#""connection_id":"{test}","sync_id":"sync_{unique}","stats":{}"#,
                wanted.fields_or(r#"{"units_synced":1,"errors":0}"#)
            ),
            // A time alone could be another one's.
            _ => format!(
                r#""connection_id":"{test}","test":"{unique}","resource_type":"unit","data":{}"#,
                wanted.record_or(r#"{"unit_number":"305","status":"vacant"}"#)
            ),
        };
        Ok(format!(
            r#"{{"event":{},"timestamp":"{}",{rest}}}"#,
            json::quoted(name),
            wanted.now,
        ))
    }
}

fn meaning<'a>(
    body: &Object<'a>,
    time: Option<Timestamp>,
) -> Result<(Identity<'a>, Meaning<'a>), Unclear> {
    let name = body.stated_text("event");
    let name = name
        .map_err(|Unreadable| Unclear::UnknownEnvelope)?
        .filter(|name| !name.is_empty())
        .ok_or(Unclear::UnknownEnvelope)?;
    if name == "test.ping" {
        return Ok((Identity::Body, Meaning::Ping));
    }
    let event = event(body, name, time)?;
    // Whatever else names a synchronisation is one of many events of it.
    let sync_id = match event.kind {
        Kind::SyncCompleted => body
            .stated_id("sync_id")
            .map_err(|Unreadable| Unclear::BadEventId)?,
        _ => None,
    };
    let identity = match sync_id.filter(|id| !id.is_empty()) {
        Some(id) => Identity::SyncId(id),
        None => Identity::Body,
    };
    Ok((identity, Meaning::Event(event)))
}

fn event<'a>(
    body: &Object<'a>,
    name: Cow<'a, str>,
    time: Option<Timestamp>,
) -> Result<Event<'a>, Unclear> {
    let occurred_at = Some(time.ok_or(Unclear::BadTime)?);
    let is_sync = name == SYNC_COMPLETE;
    let about_a_record = !is_sync
        && (body.has("resource_type") || matches!(&*name, "data.new" | "data.update"));
    let (kind, content) = if about_a_record {
        let (subject, change) = record(body)?;
        let kind = match &*name {
            "data.new" => Kind::RecordCreated,
            "data.update" => Kind::RecordUpdated,
            _ => Kind::RecordSnapshot,
        };
        (kind, Content::Record(subject, change))
    } else {
        let kind = match is_sync {
            true => Kind::SyncCompleted,
            false => Kind::Other,
        };
        (kind, Content::Control(body.clone()))
    };
    Ok(Event {
        kind,
        name: Some(name),
        occurred_at,
        property: None,
        content,
    })
}

fn record<'a>(body: &Object<'a>) -> Result<(Subject<'a>, Change<'a>), Unclear> {
    let fields = body.object("data").ok_or(Unclear::UnknownEnvelope)?;
    let record_id = fields.stated_id("id");
    let record_id = record_id
        .map_err(|Unreadable| Unclear::NoRecordId)?
        .ok_or(Unclear::NoRecordId)?;
    let model = body.stated_text("resource_type");
    let model = model
        .map_err(|Unreadable| Unclear::NoModel)?
        .ok_or(Unclear::NoModel)?;
    let changes = body.object("changes").and(body.value("changes"));
    let subject = Subject::new(&model, record_id)?;
    Ok((subject, Change::Whole { fields, changes }))
}
