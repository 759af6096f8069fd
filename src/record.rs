//! The CloudEvents that are forwarded.
//!
//! CloudEvents 1.0, JSON format, with its extensions `sequence`,
//! `partitionkey` and `dataref`. They are put together from text: the data was
//! written at intake and travels as it is, so an event sent again is the same
//! to the last byte.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::event::Kind;
use crate::json::{self, Object};
use crate::occupancy::{self, Noticed, Turn};
use crate::time::Timestamp;

/// What may stand unencoded in one segment of a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// `id` as one segment of a path.
pub fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

/// The data of an event about a record.
pub struct RecordData<'a> {
    /// The provider's name of the event.
    pub event: Option<&'a str>,
    /// The record's model.
    pub model: &'a str,
    /// The record's id.
    pub record_id: &'a str,
    /// JSON: what changed, `{field: {old, new}}`.
    pub changes: &'a str,
    /// JSON: the whole known record, with this event folded in.
    pub record: &'a str,
    /// Number of the last event folded into the record.
    pub version: u64,
    /// Only some of the record's fields are known.
    pub partial: bool,
    /// The record disagreed with what the provider said it was before.
    pub drift: bool,
    /// Older than what the record already reflects; not folded in.
    pub late: bool,
    /// The same bytes as an earlier event, taken for a second, real one.
    pub ambiguous: bool,
    /// The last replay that made the record anew; 0 if none did. Of two states
    /// of a record the one with the greater generation is the newer, then the
    /// one with the greater version.
    pub generation: u64,
    /// Turns of a unit between vacant and occupied that this event reveals.
    pub turns: &'a [Turn],
    /// All of a unit's notices that still hold, where a replay made it anew.
    pub noticed: Option<&'a Noticed>,
}

impl RecordData<'_> {
    /// As the `data` of a CloudEvent.
    pub fn to_json(&self) -> String {
        format!(
            concat!(
                r#"{{"event":{},"model":{},"record_id":{},"changes":{},"record":{}{}{},"#,
                r#""version":{},"partial":{},"drift":{},"late":{},"ambiguous":{}{}}}"#
            ),
            json::to_json(&self.event),
            json::to_json(&self.model),
            json::to_json(&self.record_id),
            self.changes,
            self.record,
            occupancy::members(self.turns),
            self.noticed.map(Noticed::member).unwrap_or_default(),
            self.version,
            self.partial,
            self.drift,
            self.late,
            self.ambiguous,
            match self.generation {
                0 => String::new(),
                generation => format!(r#","generation":{generation}"#),
            },
        )
    }
}

/// The data of an event about no record: the provider's fields, and under
/// `event` its name, where they don't have it.
pub fn notice_data(event: Option<&str>, fields: &Object) -> String {
    let json = fields.to_json();
    match (event, json.strip_prefix('{')) {
        (Some(event), Some(rest)) if !fields.has("event") => {
            let comma = if fields.is_empty() { "" } else { "," };
            format!(r#"{{"event":{}{comma}{rest}"#, json::to_json(&event))
        }
        _ => json,
    }
}

/// What of `data` travels with an event too large for a message: of a record
/// all but its fields and changes, of anything else its name and whether a
/// synchronisation finished.
pub fn slim_data(data: &str) -> Option<String> {
    const VALUE_BYTES_MAX: usize = 8_000;
    let fields = Object::parse(data)?;
    let is_record = fields.has("record");
    let mut slim = Object::default();
    for (name, value) in fields.iter() {
        let travels = if is_record {
            !matches!(name, "changes" | "record")
        } else {
            matches!(name, "event" | "is_sync_finished")
        };
        if travels && value.get().len() <= VALUE_BYTES_MAX {
            slim.set(name, value);
        }
    }
    Some(slim.to_json())
}

/// One forwarded event.
pub struct CloudEvent<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// The integration.
    pub integration: &'a str,
    /// Its number.
    pub seq: u64,
    /// What kind of news it is.
    pub kind: Kind,
    /// Model and id of its record.
    pub subject: Option<(&'a str, &'a str)>,
    /// When it happened, or was received.
    pub time: Timestamp,
    /// The replay that wrote it, if one did.
    pub replay: Option<u64>,
    /// Set where `data` is incomplete: the API has it whole.
    pub by_reference: bool,
    /// Its data, JSON.
    pub data: &'a str,
}

impl CloudEvent<'_> {
    /// The event in CloudEvents' JSON format.
    pub fn to_json(&self) -> String {
        let (source, integration) = (segment(self.source), segment(self.integration));
        let mut json = format!(
            r#"{{"specversion":"1.0","id":"{}","source":"/{source}/{integration}","type":"leasewire.{}""#,
            self.seq,
            self.kind.name(),
        );
        let subject = self.subject.map(|(model, id)| {
            let subject = format!("{model}/{id}");
            json::to_json(&subject)
        });
        if let Some(subject) = &subject {
            json.push_str(r#","subject":"#);
            json.push_str(subject);
        }
        json.push_str(&format!(
            r#","time":"{}","datacontenttype":"application/json","sequence":"{:020}""#,
            self.time, self.seq,
        ));
        if let Some(subject) = &subject {
            json.push_str(r#","partitionkey":"#);
            json.push_str(subject);
        }
        if self.by_reference {
            let path = event_path(self.source, self.integration, self.seq);
            json.push_str(r#","dataref":"#);
            json.push_str(&json::to_json(&path));
        }
        if let Some(replay) = self.replay {
            json.push_str(&format!(r#","replay":true,"generation":{replay}"#));
        }
        json.push_str(r#","data":"#);
        json.push_str(self.data);
        json.push('}');
        json
    }
}

/// The path under which the API has an event.
pub fn event_path(source: &str, integration: &str, seq: u64) -> String {
    format!(
        "/v1/integrations/{}/{}/events/{seq}",
        segment(source),
        segment(integration)
    )
}
