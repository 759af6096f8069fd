//! A real-estate platform's webhooks, from its developer guide:
//! `{id, type, created, data:{<thing>:{id,…}}}`, whole objects with an event
//! id and a time.
//!
//! The header `x-webhook-timestamp` is signed in front of the raw body. The
//! guide's own sample signs the body parsed and written again, which changes
//! bytes; only the raw body is signed here.

use super::{Dialect, Identity, Meaning, Reading};
use crate::event::{Change, Content, Event, Kind, Subject, Unclear};
use crate::json::Object;
use crate::signature::Scheme;
use crate::time::Timestamp;

/// The dialect `real-estate`.
pub struct RealEstate;

const SCHEME: Scheme = Scheme {
    header: "x-webhook-signature",
    prefix: "",
    timestamp_header: Some("x-webhook-timestamp"),
};

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
        Reading {
            integration: None,
            identity: match body.id("id").filter(|id| !id.is_empty()) {
                Some(id) => Identity::EventId(id),
                None => Identity::Body,
            },
            signed_at: None,
            meaning: Meaning::from(event(body)),
        }
    }
}

fn event<'a>(body: &Object<'a>) -> Result<Event<'a>, Unclear> {
    let name = body
        .text("type")
        .filter(|name| !name.is_empty())
        .ok_or(Unclear::UnknownEnvelope)?;
    let created = body.text("created").ok_or(Unclear::BadTime)?;
    let occurred_at = Some(Timestamp::parse(&created).ok_or(Unclear::BadTime)?);
    let data = body.object("data").ok_or(Unclear::UnknownEnvelope)?;
    // `data` has one key, named for the thing.
    let (thing, value) = data.single().ok_or(Unclear::UnknownEnvelope)?;
    let fields = Object::parse(value.get()).ok_or(Unclear::UnknownEnvelope)?;
    let record_id = fields.id("id").ok_or(Unclear::NoRecordId)?;
    let (model, verb) = name.split_once('.').unwrap_or((thing, ""));
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
