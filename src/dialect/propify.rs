//! Propify, Propexo's earlier name: one envelope without an event name,
//! `{meta:{object,integration_id}, record_id, diff:{previous,new}}`, from the
//! sample in its webhook guide. It signs the raw body and no time.

use super::{Dialect, Identity, Meaning, Reading, diff_or_payload};
use crate::event::{Change, Content, Event, Kind, Subject, Unclear};
use crate::json::Object;
use crate::signature::Scheme;

/// The dialect `propify`.
pub struct Propify;

const SCHEME: Scheme = Scheme {
    header: "propify-signature",
    prefix: "",
    timestamp_header: None,
};

impl Dialect for Propify {
    fn name(&self) -> &'static str {
        "propify"
    }

    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn accepted_age_s(&self) -> Option<u64> {
        None
    }

    fn understand<'a>(&self, body: &Object<'a>) -> Reading<'a> {
        let meta = body.object("meta").unwrap_or_default();
        Reading {
            integration: meta.id("integration_id"),
            identity: Identity::RepeatableBody,
            signed_at: None,
            meaning: Meaning::from(event(body, &meta)),
        }
    }
}

fn event<'a>(body: &Object<'a>, meta: &Object<'a>) -> Result<Event<'a>, Unclear> {
    let change = diff_or_payload(body)?.ok_or(Unclear::UnknownEnvelope)?;
    let record_id = body.id("record_id").ok_or(Unclear::NoRecordId)?;
    let model = meta.text("object").ok_or(Unclear::NoModel)?;
    Ok(Event {
        kind: match change {
            Change::Sparse(_) => Kind::RecordCreated,
            _ => Kind::RecordUpdated,
        },
        name: None,
        occurred_at: None,
        property: None,
        content: Content::Record(Subject::new(&model, record_id)?, change),
    })
}
