//! Propexo: webhooks for every data model, in more than one envelope.
//!
//! All of them are documented, and told apart by their keys:
//! - A, short: `{meta:{object,integration_id}, record_id, diff}`
//! - B, short and wrapped: `{data:{event,object,record_id,diff|payload}}`
//! - C, full and wrapped: `{trigger, data:{job_id,…,event,record_id,object,
//!   payload|diff,context}, meta:{object,integration_id}}`
//! - D, full and flat: C's `data` at the root, with `meta` and `context`
//! - E, control events, flat or as `{trigger,data}`: synchronisations, jobs
//!   and failed writes
//!
//! The raw body is signed, and no time. About 100 models exist and the set is
//! open, so an unknown one is handled like any other.

use std::borrow::Cow;

use super::{Dialect, Identity, Meaning, Reading, diff_or_payload, sample_change};
use crate::event::{Change, Content, Event, Kind, Subject, TEST_INTEGRATION, Unclear};
use crate::json::{self, Object};
use crate::problem::Problem;
use crate::sample::Wanted;
use crate::signature::Scheme;

/// The dialect `propexo`.
pub struct Propexo;

const SCHEME: Scheme = Scheme {
    header: "propexo-signature",
    prefix: "",
    timestamp_header: None,
};

impl Dialect for Propexo {
    fn name(&self) -> &'static str {
        "propexo"
    }

    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn accepted_age_s(&self) -> Option<u64> {
        None
    }

    fn understand<'a>(&self, body: &Object<'a>) -> Reading<'a> {
        let envelope = Envelope::open(body);
        Reading {
            integration: envelope.integration(),
            identity: envelope.identity(),
            signed_at: None,
            meaning: Meaning::from(envelope.event()),
        }
    }

    fn sample(&self, wanted: &Wanted) -> Result<String, Problem> {
        let name = wanted.event_or("DATA_NEW");
        Ok(match control(name) {
            Some(kind) => sample_notice(wanted, name, kind),
            None => sample_record(wanted, name),
        })
    }
}

/// Envelope C, whose job makes it one event for ever.
fn sample_record(wanted: &Wanted, name: &str) -> String {
    format!(
        concat!(
            r#"{{"trigger":{name},"data":{{"job_id":"job_{unique}","root_job_id":"job_{unique}","#,
            r#""integration_id":"{test}","job_type":"READ_LEASES","vendor":"LEASEWIRE","#,
            r#""event":{name},"record_id":{id},"object":"leases",{change}}},"#,
            r#""meta":{{"object":"leases","integration_id":"{test}"}}}}"#
        ),
        name = json::quoted(name),
        unique = wanted.unique,
        test = TEST_INTEGRATION,
        id = json::quoted(&wanted.record_id()),
        change = sample_change(wanted, name == "DATA_UPDATE"),
    )
}

/// Envelope E, flat. Its own fields come last, where no payload hides them.
fn sample_notice(wanted: &Wanted, name: &str, kind: Kind) -> String {
    let (unique, usual) = match kind {
        Kind::FirstSyncCompleted | Kind::SyncCompleted => (
            "job_schedule_id",
            r#"{"successful_job_count":1,"failed_job_count":0,"is_sync_finished":true}"#,
        ),
        Kind::WriteFailed => (
            "root_job_id",
            r#"{"write_status":"FAILURE","errors":["This is a test"]}"#,
        ),
        _ => ("job_id", r#"{"job_type":"READ_LEASES"}"#),
    };
    let fields = wanted.fields_or(usual);
    let own = format!(
        r#"{{"event":{},"integration_id":"{TEST_INTEGRATION}","vendor":"LEASEWIRE","{unique}":"test_{}"}}"#,
        json::quoted(name),
        wanted.unique,
    );
    let mut body = Object::parse(&fields).unwrap_or_default();
    for (name, value) in Object::parse(&own).unwrap_or_default().iter() {
        body.set(name, value);
    }
    body.to_json()
}

/// Any of the envelopes, opened.
struct Envelope<'r, 'a> {
    root: &'r Object<'a>,
    meta: Object<'a>,
    /// What is wrapped in `data`, if anything is.
    wrapped: Option<Object<'a>>,
}

impl<'r, 'a> Envelope<'r, 'a> {
    fn open(root: &'r Object<'a>) -> Self {
        Self {
            root,
            meta: root.object("meta").unwrap_or_default(),
            wrapped: root.object("data"),
        }
    }

    /// What is wrapped in `data`; the root itself where nothing is.
    fn data(&self) -> &Object<'a> {
        self.wrapped.as_ref().unwrap_or(self.root)
    }

    fn name(&self) -> Option<Cow<'a, str>> {
        let name = self.root.text("event");
        let name = name.or_else(|| self.root.text("trigger"));
        name.or_else(|| self.data().text("event"))
            .filter(|name| !name.is_empty())
    }

    fn integration(&self) -> Option<Cow<'a, str>> {
        let id = self.root.id("integration_id");
        let id = id.or_else(|| self.data().id("integration_id"));
        id.or_else(|| self.meta.id("integration_id"))
    }

    fn property(&self) -> Option<Cow<'a, str>> {
        let context = self.root.object("context");
        context
            .or_else(|| self.data().object("context"))?
            .id("property_id")
    }

    /// A body with a job id is one event for ever. Synchronisations and the
    /// like are about no record, so a repetition can't be told from news.
    fn identity(&self) -> Identity<'a> {
        let has_job = self.root.has("job_id") || self.data().has("job_id");
        let has_record = self.root.has("record_id") || self.data().has("record_id");
        if has_record && !has_job {
            Identity::RepeatableBody
        } else {
            Identity::Body
        }
    }

    fn event(&self) -> Result<Event<'a>, Unclear> {
        let name = self.name();
        if let Some(kind) = name.as_deref().and_then(control) {
            return Ok(self.notice(kind, name));
        }
        match self.change()? {
            Some(change) => self.record(name, change),
            None if matches!(name.as_deref(), None | Some("DATA_NEW" | "DATA_UPDATE")) => {
                Err(Unclear::UnknownEnvelope)
            }
            None => Ok(self.notice(Kind::Other, name)),
        }
    }

    fn change(&self) -> Result<Option<Change<'a>>, Unclear> {
        match diff_or_payload(self.data())? {
            Some(change) => Ok(Some(change)),
            None => diff_or_payload(self.root),
        }
    }

    fn record(
        &self,
        name: Option<Cow<'a, str>>,
        change: Change<'a>,
    ) -> Result<Event<'a>, Unclear> {
        let record_id = self.root.id("record_id");
        let record_id = record_id
            .or_else(|| self.data().id("record_id"))
            .ok_or(Unclear::NoRecordId)?;
        let model = self.root.text("object");
        let model = model
            .or_else(|| self.data().text("object"))
            .or_else(|| self.meta.text("object"))
            .ok_or(Unclear::NoModel)?;
        Ok(Event {
            kind: match change {
                Change::Sparse(_) => Kind::RecordCreated,
                _ => Kind::RecordUpdated,
            },
            name,
            occurred_at: None,
            property: self.property(),
            content: Content::Record(Subject::new(&model, record_id)?, change),
        })
    }

    fn notice(&self, kind: Kind, name: Option<Cow<'a, str>>) -> Event<'a> {
        Event {
            kind,
            name,
            occurred_at: None,
            property: None,
            content: Content::Notice(self.data().clone()),
        }
    }
}

fn control(name: &str) -> Option<Kind> {
    Some(match name {
        "FIRST_SYNC_COMPLETE" => Kind::FirstSyncCompleted,
        "SYNC_COMPLETE" => Kind::SyncCompleted,
        "JOB_FAILURE" => Kind::JobFailed,
        "JOB_SUCCESS" => Kind::JobSucceeded,
        "WRITE_OPERATION_FAILURE" => Kind::WriteFailed,
        _ => return None,
    })
}
