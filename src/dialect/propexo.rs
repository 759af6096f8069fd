//! Propexo: webhooks for every data model, in more than one envelope.
//!
//! All of them are documented, and told apart by their keys:
//! - A, short: `{meta:{object,integration_id}, record_id, diff}`
//! - B, short and wrapped: `{data:{event,object,record_id,diff|payload}}`
//! - C, full and wrapped: `{trigger, data:{job_id,…,event,record_id,object,
//!   payload|diff,context}, meta:{object,integration_id}}`
//! - D, full and flat: C's `data` at the root, with `meta` and `context`
//! - E, control events, flat or as `{trigger,data}`: synchronisations, jobs
//!   and failed writes. The end of a synchronisation is also documented
//!   without a name, with counts that nothing else has.
//!
//! The raw body is signed, and no time. About 100 models exist and the set is
//! open, so an unknown one is handled like any other.

use std::borrow::Cow;

use super::{
    Dialect, Identity, Meaning, Reading, diff_or_payload, either, sample_change, undated,
};
use super::event::{Change, Content, Event, Kind, Subject, TEST_INTEGRATION, Unclear};
use crate::json::{self, Object, Stated, Unreadable};
use crate::problem::Problem;
use super::sample::Wanted;
use crate::signature::Scheme;

/// The dialect `propexo`.
pub struct Propexo;

const SCHEME: Scheme = Scheme {
    header: "propexo-signature",
    prefix: "",
    timestamp_header: None,
};

/// The event of a record that changed.
const DATA_UPDATE: &str = "DATA_UPDATE";

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
        let event = envelope.event().and_then(|event| {
            let identity = undated(&event, envelope.has_job(&event)?);
            Ok((identity, event))
        });
        let (identity, meaning) = match event {
            Ok((identity, event)) => (identity, Ok(Meaning::Event(event))),
            Err(unclear) => (Identity::Body, Err(unclear)),
        };
        Reading::new(envelope.integration(), identity, None, meaning)
    }

    fn job<'a>(&self, body: &Object<'a>) -> Option<Cow<'a, str>> {
        let job = Envelope::open(body).find(|object| object.stated_id("job_id"));
        job.ok()?.filter(|job| !job.is_empty())
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
        change = sample_change(wanted, name == DATA_UPDATE),
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
    meta: Stated<Object<'a>>,
    /// What is wrapped in `data`, if anything is.
    wrapped: Stated<Object<'a>>,
}

impl<'r, 'a> Envelope<'r, 'a> {
    fn open(root: &'r Object<'a>) -> Self {
        Self {
            root,
            meta: root.stated_object("meta"),
            wrapped: root.stated_object("data"),
        }
    }

    /// What is wrapped in `data`; the root itself where nothing is.
    fn data(&self) -> Result<&Object<'a>, Unreadable> {
        let wrapped = self.wrapped.as_ref().map_err(|why| *why)?;
        Ok(wrapped.as_ref().unwrap_or(self.root))
    }

    /// What `read` finds at the root, or else in what is wrapped.
    fn find<T>(&self, read: impl Fn(&Object<'a>) -> Stated<T>) -> Stated<T> {
        either(read(self.root), || read(self.data()?))
    }

    /// The same, or else in `meta`.
    fn find_in_all<T>(&self, read: impl Fn(&Object<'a>) -> Stated<T>) -> Stated<T> {
        either(self.find(&read), || {
            let meta = self.meta.as_ref().map_err(|why| *why)?;
            meta.as_ref().map_or(Ok(None), read)
        })
    }

    fn name(&self) -> Stated<Cow<'a, str>> {
        let name = either(self.root.stated_text("event"), || {
            either(self.root.stated_text("trigger"), || {
                self.data()?.stated_text("event")
            })
        });
        name.map(|name| name.filter(|name| !name.is_empty()))
    }

    fn integration(&self) -> Stated<Cow<'a, str>> {
        self.find_in_all(|object| object.stated_id("integration_id"))
    }

    fn property(&self) -> Stated<Cow<'a, str>> {
        self.find(|object| match object.stated_object("context")? {
            Some(context) => context.stated_id("property_id"),
            None => Ok(None),
        })
    }

    /// True if the body has the id of a job, and so is one event for ever. A
    /// root job may touch a record twice in the same way, but has one end.
    fn has_job(&self, event: &Event) -> Result<bool, Unclear> {
        let id = |name| {
            let id = self.find(|object| object.stated_id(name));
            id.map(|id| id.is_some_and(|id| !id.is_empty()))
                .map_err(|Unreadable| Unclear::BadEventId)
        };
        let is_notice = event.subject().is_none();
        Ok(id("job_id")? || is_notice && id("root_job_id")?)
    }

    fn event(&self) -> Result<Event<'a>, Unclear> {
        self.data()
            .map_err(|Unreadable| Unclear::UnknownEnvelope)?;
        let name = self
            .name()
            .map_err(|Unreadable| Unclear::UnknownEnvelope)?;
        if let Some(kind) = name.as_deref().and_then(control) {
            return self.notice(kind, name);
        }
        match self.change(name.as_deref())? {
            Some(change) => self.record(name, change),
            None if name.is_none() && self.is_end_of_sync() => {
                self.notice(Kind::SyncCompleted, name)
            }
            None if matches!(name.as_deref(), None | Some("DATA_NEW" | DATA_UPDATE)) => {
                Err(Unclear::UnknownEnvelope)
            }
            None => self.notice(Kind::Other, name),
        }
    }

    /// True for what only the end of a synchronisation has.
    fn is_end_of_sync(&self) -> bool {
        let counts = [
            "successful_job_count",
            "failed_job_count",
            "is_sync_finished",
        ];
        let has = |object: &Object| counts.iter().all(|name| object.has(name));
        self.data().is_ok_and(has)
    }

    fn change(&self, name: Option<&str>) -> Result<Option<Change<'a>>, Unclear> {
        let data = self.data().map_err(|Unreadable| Unclear::UnknownEnvelope)?;
        diff_or_payload([data, self.root], name == Some(DATA_UPDATE))
    }

    fn record(
        &self,
        name: Option<Cow<'a, str>>,
        change: Change<'a>,
    ) -> Result<Event<'a>, Unclear> {
        let record_id = self.find(|object| object.stated_id("record_id"));
        let record_id = record_id
            .map_err(|Unreadable| Unclear::NoRecordId)?
            .ok_or(Unclear::NoRecordId)?;
        let model = self.find_in_all(|object| object.stated_text("object"));
        let model = model
            .map_err(|Unreadable| Unclear::NoModel)?
            .ok_or(Unclear::NoModel)?;
        let property = self.property().map_err(|Unreadable| Unclear::BadField)?;
        Ok(Event {
            kind: match change {
                Change::Sparse(_) => Kind::RecordCreated,
                _ => Kind::RecordUpdated,
            },
            name,
            occurred_at: None,
            property,
            content: Content::Record(Subject::new(&model, record_id)?, change),
        })
    }

    fn notice(&self, kind: Kind, name: Option<Cow<'a, str>>) -> Result<Event<'a>, Unclear> {
        let data = self.data().map_err(|Unreadable| Unclear::UnknownEnvelope)?;
        if kind.is_sync() {
            let finished = data.stated("is_sync_finished", json::flag);
            finished.map_err(|Unreadable| Unclear::BadField)?;
        }
        Ok(Event {
            kind,
            name,
            occurred_at: None,
            property: None,
            content: Content::Control(data.clone()),
        })
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
