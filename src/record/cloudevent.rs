//! The CloudEvents that are forwarded.
//!
//! CloudEvents 1.0, JSON format, with its extensions `sequence`,
//! `partitionkey` and `dataref`. They are put together from text: the data was
//! written at intake and travels as it is, so an event sent again is the same
//! to the last byte.

use super::generation::Generation;
use super::occupancy::{self, Noticed, Turn};
use crate::dialect::event::{Kind, RecordKey};
use crate::json::{Object, push_all, quoted};
use crate::time::Timestamp;

/// The data of an event about a record.
pub struct RecordData<'a> {
    /// The provider's name of the event.
    pub event: Option<&'a str>,
    /// The record's model.
    pub model: &'a str,
    /// The record's id.
    pub record_id: &'a str,
    /// JSON: what changed, `{field: {old, new}}`; `null` where that doesn't
    /// fit beside the record.
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
    /// How often the record was made anew.
    pub generation: Generation,
    /// When the provider last saw the record, if it counts as gone.
    pub gone_since: Option<Timestamp>,
    /// Turns of a unit between vacant and occupied that this event reveals.
    pub turns: &'a [Turn],
    /// All of a unit's notices that still hold, where a replay made it anew.
    pub noticed: Option<&'a Noticed>,
}

impl RecordData<'_> {
    /// As [`RecordData::to_json`] in at most `bytes_max` bytes: rather without
    /// its changes, old and new values, than not at all. `None` if the record
    /// alone is larger.
    pub fn within(mut self, bytes_max: usize) -> Option<String> {
        let fits = |json: &String| json.len() <= bytes_max;
        Some(self.to_json()).filter(fits).or_else(|| {
            self.changes = "null";
            Some(self.to_json()).filter(fits)
        })
    }

    /// As the `data` of a CloudEvent.
    pub fn to_json(&self) -> String {
        let word = |flag| if flag { "true" } else { "false" };
        [
            r#"{"event":"#,
            &self.event.map_or_else(|| "null".to_owned(), quoted),
            r#","model":"#,
            &quoted(self.model),
            r#","record_id":"#,
            &quoted(self.record_id),
            r#","changes":"#,
            self.changes,
            r#","record":"#,
            self.record,
            &occupancy::members(self.turns),
            &self.noticed.map(Noticed::member).unwrap_or_default(),
            r#","version":"#,
            &self.version.to_string(),
            r#","partial":"#,
            word(self.partial),
            r#","drift":"#,
            word(self.drift),
            r#","late":"#,
            word(self.late),
            r#","ambiguous":"#,
            word(self.ambiguous),
            &match self.generation.0 {
                0 => String::new(),
                generation => format!(r#","generation":{generation}"#),
            },
            &match self.gone_since {
                None => String::new(),
                Some(since) => format!(r#","gone_since":"{since}""#),
            },
            "}",
        ]
        .concat()
    }
}

/// The data of an event about no record: the provider's fields, and under
/// `event` its name, where they don't have it.
pub fn control_data(event: Option<&str>, fields: &Object) -> String {
    let json = fields.to_json();
    match (event, json.strip_prefix('{')) {
        (Some(event), Some(rest)) if !fields.has("event") => {
            let comma = if fields.is_empty() { "" } else { "," };
            format!(r#"{{"event":{}{comma}{rest}"#, quoted(event))
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
    /// The path of its integration, as [`IntegrationId::path`](crate::integration::IntegrationId::path) returns it.
    pub path: &'a str,
    /// Its number.
    pub seq: u64,
    /// What kind of news it is.
    pub kind: Kind,
    /// The record that it is about.
    pub record: Option<RecordKey<'a>>,
    /// When it happened, or was received.
    pub time: Timestamp,
    /// The epoch of its number: of two states of a record the one of the greater
    /// epoch is the newer.
    pub epoch: u64,
    /// The replay that wrote it, if one did.
    pub replay: Option<u64>,
    /// It is about no record, and may be a repetition of an earlier event.
    pub ambiguous: bool,
    /// Set where `data` is incomplete: the API has it whole.
    pub by_reference: bool,
    /// Its data, JSON.
    pub data: &'a str,
}

impl CloudEvent<'_> {
    /// The event in CloudEvents' JSON format.
    pub fn to_json(&self) -> String {
        const ZEROS: &str = "00000000000000000000";
        let seq = self.seq.to_string();
        let time = self.time.to_string();
        let subject = self
            .record
            .map(|key| quoted(&[key.model, "/", key.id].concat()));
        let mut json = String::with_capacity(self.data.len().saturating_add(USUAL_BYTES));
        let mut push = |parts: &[&str]| push_all(&mut json, parts);
        push(&[r#"{"specversion":"1.0","id":""#, &seq]);
        // What a replay wrote says something else, so it is another event.
        if let Some(replay) = self.replay {
            push(&["-", &replay.to_string()]);
        }
        push(&[r#"","source":""#, self.path]);
        push(&[r#"","type":"leasewire."#, self.kind.name(), "\""]);
        if let Some(subject) = &subject {
            push(&[r#","subject":"#, subject]);
        }
        push(&[r#","time":""#, &time]);
        push(&[r#"","datacontenttype":"application/json","dataschema":""#]);
        push(&[DATA_SCHEMA, "\""]);
        // Text, because a number in an attribute has 32 bits.
        if self.epoch > 0 {
            push(&[r#","epoch":""#, &self.epoch.to_string(), "\""]);
        }
        let zeros = ZEROS.get(seq.len()..).unwrap_or_default();
        push(&[r#","sequence":""#, zeros, &seq, "\""]);
        if let Some(subject) = &subject {
            push(&[r#","partitionkey":"#, subject]);
        }
        if self.by_reference {
            let path = event_path(self.path, self.seq);
            push(&[r#","dataref":""#, &path, "\""]);
        }
        if let Some(replay) = self.replay {
            push(&[r#","replay":true,"generation":"#, &replay.to_string()]);
        }
        // Of a record, `data` says it. Here `data` is the provider's.
        if self.ambiguous && self.record.is_none() {
            push(&[r#","ambiguous":true"#]);
        }
        push(&[r#","data":"#, self.data, "}"]);
        json
    }
}

/// What the data is like. Events of 0.1.0 don't say it.
pub const DATA_SCHEMA: &str = "urn:leasewire:event:2";

/// Bytes of an event without its data, mostly.
const USUAL_BYTES: usize = 470;

/// The path under which the API has an event of the integration `path`.
fn event_path(path: &str, seq: u64) -> String {
    format!("/v1/integrations{path}/events/{seq}")
}
