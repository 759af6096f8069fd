//! A real-estate platform's webhooks, from its developer guide:
//! `{id, type, created, data:{<thing>:{id,…}}}`, whole objects with an event
//! id and a time.
//!
//! The header `x-webhook-timestamp` is signed in front of the raw body. The
//! guide's own sample signs the body parsed and written again, which changes
//! bytes; only the raw body is signed here.

use std::borrow::Cow;

use super::{Dialect, Identity, Meaning, Reading};
use super::event::{Change, Content, Event, Kind, Subject, TEST_INTEGRATION, Unclear};
use crate::json::{self, Object, Unreadable};
use crate::problem::Problem;
use super::sample::Wanted;
use crate::signature::Scheme;
use crate::time::Timestamp;

/// The dialect `real-estate`.
pub struct RealEstate;

const SCHEME: Scheme = Scheme {
    header: "x-webhook-signature",
    prefix: "",
    timestamp_header: Some("x-webhook-timestamp"),
};

/// What the ids of test events begin with. No body names an integration, so
/// this is how one that is sent again finds back to the first.
const TEST_ID: &str = "evt_leasewire-test_";

/// 24 h: the provider retries for 17.6 h, and nothing says that it signs a
/// retry again (decision 4).
const ACCEPTED_AGE_S: u64 = 24 * 3_600;

impl Dialect for RealEstate {
    fn name(&self) -> &'static str {
        "real-estate"
    }

    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn accepted_age_s(&self) -> Option<u64> {
        Some(ACCEPTED_AGE_S)
    }

    fn understand<'a>(&self, body: &Object<'a>) -> Reading<'a> {
        let id = body.stated_id("id");
        let id = id.map(|id| id.filter(|id| !id.is_empty()));
        let is_test = |id: &Cow<str>| id.starts_with(TEST_ID);
        let is_test = id.as_ref().is_ok_and(|id| id.as_ref().is_some_and(is_test));
        let integration = is_test.then_some(Cow::Borrowed(TEST_INTEGRATION));
        let (identity, meaning) = match id {
            Ok(Some(id)) => (Identity::EventId(id), event(body)),
            Ok(None) => (Identity::Body, event(body)),
            Err(Unreadable) => (Identity::Body, Err(Unclear::BadEventId)),
        };
        Reading::new(Ok(integration), identity, None, meaning.map(Meaning::Event))
    }

    fn sample(&self, wanted: &Wanted) -> Result<String, Problem> {
        let name = wanted.event_or("property.created");
        let thing = name.split_once('.').map_or(name, |(thing, _)| thing);
        let usual = match thing {
            "property" => r#"{"address":"1 Test Street","price":750000.0,"status":"listed"}"#,
            "appointment" => r#"{"propertyId":"prop_test","status":"scheduled"}"#,
            "user" => r#"{"name":"Test User","role":"buyer"}"#,
            "feedback" => r#"{"propertyId":"prop_test","rating":5}"#,
            _ => "{}",
        };
        Ok(format!(
            r#"{{"id":"{TEST_ID}{}","type":{},"created":"{}","data":{{{}:{}}}}}"#,
            wanted.unique,
            json::quoted(name),
            wanted.now,
            json::quoted(thing),
            wanted.record_or(usual),
        ))
    }
}

fn event<'a>(body: &Object<'a>) -> Result<Event<'a>, Unclear> {
    let name = body.stated_text("type");
    let name = name
        .map_err(|Unreadable| Unclear::UnknownEnvelope)?
        .filter(|name| !name.is_empty())
        .ok_or(Unclear::UnknownEnvelope)?;
    let created = body.text("created").ok_or(Unclear::BadTime)?;
    let occurred_at = Some(Timestamp::parse(&created).ok_or(Unclear::BadTime)?);
    let data = body.object("data").ok_or(Unclear::UnknownEnvelope)?;
    // `data` has one key, named for the thing.
    let (thing, value) = data.single().ok_or(Unclear::UnknownEnvelope)?;
    let fields = Object::parse(value.get()).ok_or(Unclear::UnknownEnvelope)?;
    let record_id = fields.stated_id("id");
    let record_id = record_id
        .map_err(|Unreadable| Unclear::NoRecordId)?
        .ok_or(Unclear::NoRecordId)?;
    let (model, verb) = match name.split_once('.') {
        Some(parts) => parts,
        // So does JSON where it is no text.
        None if thing.starts_with('"') => return Err(Unclear::NoModel),
        None => (thing, ""),
    };
    let subject = Subject::new(model, record_id)?;
    let kind = match verb {
        "created" | "scheduled" | "registered" | "submitted" => Kind::RecordCreated,
        "updated" | "sold" | "cancelled" => Kind::RecordUpdated,
        _ => Kind::RecordSnapshot,
    };
    let changes = None;
    Ok(Event {
        kind,
        name: Some(name),
        occurred_at,
        property: None,
        content: Content::Record(subject, Change::Whole { fields, changes }),
    })
}
