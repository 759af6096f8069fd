//! What a delivery means, once it is understood: the same for every dialect.

use std::borrow::Cow;

use crate::json::{Object, Value};
use crate::time::Timestamp;

/// Longest identifier of a record or an integration, in bytes. Identifiers
/// stand in paths, in keys and in the names of ledgers; 1,024 bytes is what
/// a name of a Durable Object may safely have, and far beyond any real one.
pub const ID_BYTES_MAX: usize = 1_024;

/// The integration of test events, in every source. All that it has is a
/// test: no provider's integration is called so, and none may be by default.
pub const TEST_INTEGRATION: &str = "leasewire-test";

/// The integration of what names one that can't be read: kept there, and not
/// in another one's. No provider's integration is called so, and none may be
/// by default.
pub const UNADDRESSED_INTEGRATION: &str = "leasewire-unaddressed";

/// True for an integration that is none of the provider's, but our own.
pub fn is_aside(integration: &str) -> bool {
    [TEST_INTEGRATION, UNADDRESSED_INTEGRATION].contains(&integration)
}

/// What kind of news an event is. Forwarded as the CloudEvent's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record that the provider calls new.
    RecordCreated,
    /// A record that changed.
    RecordUpdated,
    /// A whole record, without a word on whether it is new or changed.
    RecordSnapshot,
    /// A record that no synchronisation has seen for long: see [`Change::Gone`].
    RecordGone,
    /// The first full synchronisation of an integration ended.
    FirstSyncCompleted,
    /// A synchronisation ended.
    SyncCompleted,
    /// A job at the provider failed.
    JobFailed,
    /// A job at the provider succeeded.
    JobSucceeded,
    /// A write to the property-management system failed, wholly or partly.
    WriteFailed,
    /// Anything else that was understood.
    Other,
}

impl Kind {
    const ALL: [(Self, &'static str); 10] = [
        (Self::RecordCreated, "record.created"),
        (Self::RecordUpdated, "record.updated"),
        (Self::RecordSnapshot, "record.snapshot"),
        (Self::RecordGone, "record.gone"),
        (Self::FirstSyncCompleted, "sync.first_completed"),
        (Self::SyncCompleted, "sync.completed"),
        (Self::JobFailed, "job.failed"),
        (Self::JobSucceeded, "job.succeeded"),
        (Self::WriteFailed, "write.failed"),
        (Self::Other, "event"),
    ];

    /// The name in the history; the CloudEvent's type is this behind
    /// `leasewire.`.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("event", |(_, name)| name)
    }

    /// The kind called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(kind, _)| *kind)
    }

    /// True for the end of a synchronisation, first or later.
    pub fn is_sync(self) -> bool {
        matches!(self, Self::FirstSyncCompleted | Self::SyncCompleted)
    }
}

/// A delivery that was understood.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// What kind of news it is.
    pub kind: Kind,
    /// The provider's own name for it, where it has one.
    pub name: Option<Cow<'a, str>>,
    /// When it happened, where the provider states it.
    pub occurred_at: Option<Timestamp>,
    /// The property that it concerns, where the envelope states one.
    pub property: Option<Cow<'a, str>>,
    /// What it is about.
    pub content: Content<'a>,
}

impl<'a> Event<'a> {
    /// The record that it is about, if it is about one.
    pub fn subject(&self) -> Option<&Subject<'a>> {
        match &self.content {
            Content::Record(subject, _) => Some(subject),
            Content::Control(_) => None,
        }
    }
}

/// What an event is about.
#[derive(Debug, Clone)]
pub enum Content<'a> {
    /// A record, and how it changed.
    Record(Subject<'a>, Change<'a>),
    /// No record: the provider's own fields.
    Control(Object<'a>),
}

/// A record's name within its integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Normalised model, as [`model_name`] returns it: `leases`.
    pub model: String,
    /// The provider's id of the record, not empty.
    pub record_id: Cow<'a, str>,
}

/// Which record of an integration: its model and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey<'a> {
    /// Normalised model: `leases`.
    pub model: &'a str,
    /// The provider's id of the record.
    pub id: &'a str,
}

impl<'a> Subject<'a> {
    /// Which record it is.
    pub fn key(&self) -> RecordKey<'_> {
        RecordKey {
            model: &self.model,
            id: &self.record_id,
        }
    }

    /// Makes a subject of a model as the provider writes it and a record id.
    pub fn new(model: &str, record_id: Cow<'a, str>) -> Result<Self, Unclear> {
        if !is_usable_id(model.trim()) {
            return Err(Unclear::NoModel);
        }
        if !is_usable_id(&record_id) {
            return Err(Unclear::BadRecordId);
        }
        Ok(Self {
            model: model_name(model),
            record_id,
        })
    }
}

/// True if `id` can name something: not empty, at most [`ID_BYTES_MAX`]
/// bytes, no control characters, and neither `.` nor `..`, which no path of a
/// URL can hold.
pub fn is_usable_id(id: &str) -> bool {
    !matches!(id, "" | "." | "..") && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control)
}

/// How an event changes its record.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// Only the fields that changed, before and after.
    Diff {
        /// Values before, as far as the provider states them.
        previous: Object<'a>,
        /// Values after.
        new: Object<'a>,
        /// What else the record is after it, changed or not: of a payload, what
        /// `new` doesn't have.
        rest: Object<'a>,
    },
    /// Some fields of a new record.
    Sparse(Object<'a>),
    /// The record as the provider's API returned it, which we have asked for.
    Read(Object<'a>),
    /// Lists of the provider's API say that no synchronisation has seen the record
    /// since then, and others of its kind have been seen.
    Gone(Timestamp),
    /// The record as a whole.
    Whole {
        /// Its fields.
        fields: Object<'a>,
        /// The provider's own description of what changed.
        changes: Option<&'a Value>,
    },
}

impl<'a> Change<'a> {
    /// The provider's own description of what changed, beside a whole object.
    pub fn stated(&self) -> Option<&'a Value> {
        match self {
            Self::Whole { changes, .. } => *changes,
            _ => None,
        }
    }

    /// True if it came from the provider's API, and is no event of its own.
    pub fn is_asked_for(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Gone(_))
    }
}

/// Why an authentic delivery wasn't understood. It is kept, in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// The body isn't UTF-8.
    NotUtf8,
    /// The body isn't JSON.
    NotJson,
    /// The body is JSON, but not an object.
    NotAnObject,
    /// The body nests deeper than [`crate::json::DEPTH_MAX`].
    TooDeep,
    /// No envelope that the provider documents; an event's name that is no text.
    UnknownEnvelope,
    /// An event about a record that names no record, or not in an id.
    NoRecordId,
    /// A record id that can't be used: see [`is_usable_id`].
    BadRecordId,
    /// An event about a record that names no model, or not in a usable text.
    NoModel,
    /// An integration id that is no id, or can't be used.
    BadIntegration,
    /// The id of an event, a synchronisation or a job that is no id.
    BadEventId,
    /// Another field that decides something and isn't what it has to be.
    BadField,
    /// An event that must state its time states none, or not in ISO 8601.
    BadTime,
    /// An event that claims to have happened ahead of our clock. Folded, it
    /// would make every later event look late.
    FutureTime,
    /// The record with this event folded in is larger than can be kept.
    TooLarge,
}

impl Unclear {
    const ALL: [Self; 14] = [
        Self::NotUtf8,
        Self::NotJson,
        Self::NotAnObject,
        Self::TooDeep,
        Self::UnknownEnvelope,
        Self::NoRecordId,
        Self::BadRecordId,
        Self::NoModel,
        Self::BadIntegration,
        Self::BadEventId,
        Self::BadField,
        Self::BadTime,
        Self::FutureTime,
        Self::TooLarge,
    ];

    /// The word for it in the ledger, the history and the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep => "too_deep",
            Self::UnknownEnvelope => "unknown_envelope",
            Self::NoRecordId => "no_record_id",
            Self::BadRecordId => "bad_record_id",
            Self::NoModel => "no_model",
            Self::BadIntegration => "bad_integration",
            Self::BadEventId => "bad_event_id",
            Self::BadField => "bad_field",
            Self::BadTime => "bad_time",
            Self::FutureTime => "future_time",
            Self::TooLarge => "too_large",
        }
    }

    /// All labels, for documentation and tests.
    pub fn labels() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::label)
    }
}

/// A model's name in snake_case and plural (decision 1): `unit` and `units`
/// are `units`, `residents-to-leases` is `residents_to_leases`. Names that
/// have no plural stay as they are.
pub fn model_name(name: &str) -> String {
    let name = name.trim().replace(['-', ' '], "_").to_ascii_lowercase();
    let uncountable = ["feedback", "history", "metadata", "data", "status"];
    let last = name.rsplit('_').next().unwrap_or_default();
    if uncountable.contains(&last) || name.ends_with('s') && !name.ends_with("ss") {
        return name;
    }
    let ends_in_consonant_y = name.len() >= 2
        && name.ends_with('y')
        && !name
            .trim_end_matches('y')
            .ends_with(['a', 'e', 'i', 'o', 'u']);
    if ends_in_consonant_y {
        return format!("{}ies", name.strip_suffix('y').unwrap_or(&name));
    }
    if ["ss", "x", "z", "ch", "sh"]
        .iter()
        .any(|ending| name.ends_with(ending))
    {
        return format!("{name}es");
    }
    format!("{name}s")
}
