//! Propify, Propexo's earlier name: one envelope without an event name,
//! `{meta:{object,integration_id}, record_id, diff:{previous,new}}`, from the
//! sample in its webhook guide. It signs the raw body and no time.

use super::{Dialect, Identity, Meaning, Reading, diff_or_payload, sample_change};
use super::event::{Change, Content, Event, Kind, Subject, TEST_INTEGRATION, Unclear};
use crate::json::{self, Object, Stated, Unreadable};
use crate::problem::Problem;
use super::sample::Wanted;
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
        let meta = body.stated_object("meta");
        let integration = match &meta {
            Ok(Some(meta)) => meta.stated_id("integration_id"),
            Ok(None) => Ok(None),
            Err(why) => Err(*why),
        };
        let meaning = event(body, meta).map(Meaning::Event);
        Reading::new(integration, Identity::RepeatableBody, None, meaning)
    }

    /// No body names its event: there are a new record and a change. Nor has
    /// one an id, so it gets something of its own in `meta`.
    fn sample(&self, wanted: &Wanted) -> Result<String, Problem> {
        let is_update = match wanted.event_or("DATA_NEW") {
            "DATA_NEW" => false,
            "DATA_UPDATE" => true,
            _ => {
                let these = "`DATA_NEW` or `DATA_UPDATE` for this source";
                return Err(Problem::BadParameter("event", these));
            }
        };
        Ok(format!(
            r#"{{"meta":{{"object":"leases","integration_id":"{TEST_INTEGRATION}","test":"{}"}},"record_id":{},{}}}"#,
            wanted.unique,
            json::quoted(&wanted.record_id()),
            sample_change(wanted, is_update),
        ))
    }
}

fn event<'a>(body: &Object<'a>, meta: Stated<Object<'a>>) -> Result<Event<'a>, Unclear> {
    let change = diff_or_payload([body, body], false)?.ok_or(Unclear::UnknownEnvelope)?;
    let record_id = body.stated_id("record_id");
    let record_id = record_id
        .map_err(|Unreadable| Unclear::NoRecordId)?
        .ok_or(Unclear::NoRecordId)?;
    let meta = meta.map_err(|Unreadable| Unclear::UnknownEnvelope)?;
    let model = meta.unwrap_or_default().stated_text("object");
    let model = model
        .map_err(|Unreadable| Unclear::NoModel)?
        .ok_or(Unclear::NoModel)?;
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
