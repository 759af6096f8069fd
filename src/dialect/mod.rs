//! A dialect is one provider's way of signing and shaping a webhook.
//!
//! Each has a file of its own and a line in `dialects!`. A source's
//! configuration chooses one; a request is never tried against a second.
//!
//! # Decisions
//! Where the providers' documents contradict each other, or say nothing, these
//! hold for every dialect. The code refers to them by number.
//!
//! 1. **Models** are in snake_case and plural: `unit` is `units`,
//!    `residents-to-leases` is `residents_to_leases`.
//! 2. **Signatures** are hexadecimal in either case, white space around them
//!    ignored. Anything but exactly one is refused, always with the same body.
//! 3. **Secrets**: several may be valid at once, for rotation. All are tried,
//!    in constant time. Without a usable one a source answers 503, never 200.
//! 4. **Signed times** may be as old as the provider's last retry, because
//!    nothing says that a retry is signed again: 24 h for real estate, 48 h for
//!    MeterBase; and 5 minutes ahead of our clock.
//! 5. **The dedupe window** outlasts the accepted age, so a replayed request
//!    is either too old or a duplicate. 48 h at the least.
//! 6. **The same delivery** is the one with the same event id (within one
//!    record), the same id of a synchronisation that has ended, or else the same
//!    raw body. An id counts only for what it identifies: a `sync_id` for the
//!    end of a sync and not for the updates in it, a root job for the end of the
//!    job and not for the records that it changes. A body with a time of its own
//!    is the same for the dedupe window; one with a job and no time for longer:
//!    about a record, as long as it is among the record's latest events, and
//!    about none, as long as the history is kept.
//!    Bodies about a record with no time, job or id of their own may repeat for
//!    real: status A→B, B→A, A→B. Such a body is a new event, marked
//!    `ambiguous`, if another event about the record came in between and left it
//!    as this one says it was, or without a field that it sets.
//!    a. Bodies about no record with nothing of their own, like the end of a
//!    sync as Propexo publishes it, are the same delivery for 10 minutes, unless
//!    anything else came in between. Otherwise they are news, `ambiguous` while
//!    the window lasts: a sync that is taken
//!    for a repetition is one that nobody reconciles with, and an answer that is
//!    lost, which would make it one, is rare. Schedules and lists of models are
//!    the same from sync to sync, and identify none.
//! 7. **Late events**: where events carry their own time, an older one changes
//!    nothing, and whole objects replace the record. So any order and any
//!    repetition ends in the same fields. Of the same time, the older one is
//!    the one that the other says was before (`changes`), else a creation, else
//!    what arrived first.
//!    Times are read in any usual form of ISO 8601 (see [`crate::time`]) and
//!    kept to the nanosecond; decision 4's are read in RFC 3339 alone. One that
//!    is ahead of our clock waits in quarantine. Sent again when it isn't ahead
//!    any more, the event keeps its number and is read again by itself.
//! 8. **Drift**: where they carry none, arrival order is all there is. A change
//!    that contradicts the known record is applied, and those fields are marked,
//!    until a change agrees with what is known of them, or a whole object comes.
//!    What is already as a change says contradicts nothing. A creation is older
//!    than all that is known: it fills in the rest, and overrides nothing.
//! 9. **Not understood** but authentic is kept, in quarantine, and answered
//!    with 200: an error would only bring it again. An unknown event name in a
//!    known envelope is understood.
//!    What is there but can't be read, because it is of another type or no text,
//!    is never taken for missing: neither the next place where it may stand nor
//!    a default takes its place, and the delivery isn't understood. If it is the
//!    integration, the delivery goes to one of its own,
//!    [`UNADDRESSED_INTEGRATION`], lest two customers' records mix. A body that
//!    can't be read at all names no integration, and goes to the default one.
//! 10. **Values keep their text**: `750000.0` stays `750000.0`, and the raw body
//!     is stored as received. So do names, and a byte order mark is passed over.
//! 11. **A payload beside a diff** is the record as the update leaves it, and so
//!     is the payload of a `DATA_UPDATE` without a diff. Its fields are taken
//!     over, where the diff doesn't say something else. One that is as it was
//!     known is no change, nor is one that wasn't known; one that was known
//!     otherwise is, and no contradiction: it makes good what wasn't heard of.

pub mod event;
pub mod filter;
pub mod sample;

use std::borrow::Cow;

use crate::dialect::event::{
    Change, Content, Event, Subject, UNADDRESSED_INTEGRATION, Unclear, is_usable_id,
};
use crate::dialect::sample::Wanted;
use crate::json::{self, Object, Stated, Unreadable};
use crate::problem::Problem;
use crate::signature::{DedupeKey, FUTURE_S, Scheme};
use crate::time::Timestamp;

macro_rules! dialects {
    ($($file:ident :: $name:ident),+ $(,)?) => {
        $(mod $file;)+
        /// Every dialect there is.
        pub static DIALECTS: &[&dyn Dialect] = &[$(&$file::$name),+];
    };
}

dialects! {
    propexo::Propexo,
    propify::Propify,
    meterbase::MeterBase,
    real_estate::RealEstate,
}

/// One provider's way of signing and shaping webhooks.
pub trait Dialect: Sync {
    /// The name in a source's configuration.
    fn name(&self) -> &'static str;

    /// How requests are signed.
    fn scheme(&self) -> &'static Scheme;

    /// How old a signed time may be, in seconds, unless the source says
    /// otherwise. `None` where no time is signed.
    fn accepted_age_s(&self) -> Option<u64>;

    /// What the body, a JSON object, says.
    fn understand<'a>(&self, body: &Object<'a>) -> Reading<'a>;

    /// The provider's id of the job that noticed what `body` tells; `None` if it
    /// states none.
    fn job<'a>(&self, _body: &Object<'a>) -> Option<Cow<'a, str>> {
        None
    }

    /// What events about a new record are called, and about one that changed.
    fn names(&self) -> [&'static str; 2] {
        ["DATA_NEW", "DATA_UPDATE"]
    }

    /// The body of a test event. It names the integration of test events, and
    /// no two of them are the same delivery.
    fn sample(&self, wanted: &Wanted) -> Result<String, Problem>;
}

/// The dialect called `name`.
pub fn named(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS
        .iter()
        .copied()
        .find(|dialect| dialect.name() == name)
}

/// What a body says.
#[derive(Debug, Clone)]
pub struct Reading<'a> {
    /// The integration it names; `None` is the source's default.
    pub integration: Option<Cow<'a, str>>,
    /// What makes two deliveries the same delivery.
    pub identity: Identity<'a>,
    /// The body's own time, where it stands in for a signed header.
    pub signed_at: Option<Timestamp>,
    /// What it means.
    pub meaning: Meaning<'a>,
    /// The record that an event is about which claims to have happened ahead of
    /// our clock, and so isn't understood yet.
    pub ahead: Option<Subject<'a>>,
}

/// What makes two deliveries the same delivery (decision 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity<'a> {
    /// The raw body, which carries a time of its own, or isn't understood.
    Body,
    /// The raw body, which carries the id of a job and no time: it is the same
    /// event however long ago it came.
    JobBody,
    /// The raw body of an event about a record, which carries nothing of the
    /// kind: the same bytes may be a second, real event.
    RepeatableBody,
    /// The same of an event about no record: the same bytes are a second, real
    /// event unless they come soon.
    ControlBody,
    /// The provider's id of the event.
    EventId(Cow<'a, str>),
    /// The provider's id of a synchronisation.
    SyncId(Cow<'a, str>),
}

impl Identity<'_> {
    /// The dedupe key of a delivery with the raw `body`.
    pub fn key(&self, body: &[u8]) -> DedupeKey {
        match self {
            Self::Body | Self::JobBody | Self::RepeatableBody | Self::ControlBody => {
                DedupeKey::of("body", body)
            }
            Self::EventId(id) => DedupeKey::of("event", id.as_bytes()),
            Self::SyncId(id) => DedupeKey::of("sync", id.as_bytes()),
        }
    }
}

/// What a body means.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "most bodies are events, and a box would be one allocation more for each"
)]
pub enum Meaning<'a> {
    /// A connectivity test, about nothing.
    Ping,
    /// An event.
    Event(Event<'a>),
    /// Authentic, but not understood (decision 9).
    Unclear(Unclear),
}

impl<'a> Reading<'a> {
    /// What a dialect made of a body. Where the integration can't be read or
    /// used, nothing else counts.
    fn new(
        integration: Stated<Cow<'a, str>>,
        identity: Identity<'a>,
        signed_at: Option<Timestamp>,
        meaning: Result<Meaning<'a>, Unclear>,
    ) -> Self {
        let is_usable = |id: &Option<Cow<str>>| id.as_ref().is_none_or(|id| is_usable_id(id));
        match integration.ok().filter(is_usable) {
            Some(integration) => Self {
                integration,
                identity,
                signed_at,
                meaning: meaning.unwrap_or_else(Meaning::Unclear),
                ahead: None,
            },
            None => Self {
                integration: Some(Cow::Borrowed(UNADDRESSED_INTEGRATION)),
                signed_at,
                ..Self::unclear(Unclear::BadIntegration)
            },
        }
    }

    /// Of a record that was asked for. Nobody sends it a second time.
    pub(crate) fn of_read(event: Result<Event<'a>, Unclear>) -> Self {
        Self {
            meaning: event.map_or_else(Meaning::Unclear, Meaning::Event),
            ..Self::unclear(Unclear::NotAnObject)
        }
    }

    fn unclear(unclear: Unclear) -> Self {
        Self {
            integration: None,
            identity: Identity::Body,
            signed_at: None,
            meaning: Meaning::Unclear(unclear),
            ahead: None,
        }
    }
}

/// What is stated in the first place where it is stated at all. What can't be
/// read there isn't looked for elsewhere.
fn either<T>(first: Stated<T>, second: impl FnOnce() -> Stated<T>) -> Stated<T> {
    match first {
        Ok(None) => second(),
        stated => stated,
    }
}

/// How a repetition of an event without a time of its own is known.
fn undated<'a>(event: &Event, has_job: bool) -> Identity<'a> {
    match event.content {
        _ if has_job => Identity::JobBody,
        Content::Record(..) => Identity::RepeatableBody,
        Content::Control(_) => Identity::ControlBody,
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a raw `body` in `dialect`. Never fails: what isn't understood is a
/// reading too.
///
/// An event time ahead of `now` is not taken for true: see
/// [`Unclear::FutureTime`].
pub fn read<'a>(dialect: &dyn Dialect, body: &'a [u8], now: Timestamp) -> Reading<'a> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Reading::unclear(Unclear::NotUtf8);
    };
    // A byte order mark says nothing of the JSON behind it (RFC 8259, 8.1).
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if json::too_deep(text) {
        return Reading::unclear(Unclear::TooDeep);
    }
    let Some(object) = Object::parse(text) else {
        return Reading::unclear(if json::value(text).is_some() {
            Unclear::NotAnObject
        } else {
            Unclear::NotJson
        });
    };
    let mut reading = dialect.understand(&object);
    if let Meaning::Event(event) = &reading.meaning
        && event
            .occurred_at
            .is_some_and(|time| time > now.plus_s(FUTURE_S))
    {
        reading.ahead = event.subject().cloned();
        reading.meaning = Meaning::Unclear(Unclear::FutureTime);
    }
    reading
}

/// The change in a Propexo or Propify body, which stands in the first of
/// `places` that has it: `diff` for an update, `payload` for a new record. Of
/// an update a payload is the record as it leaves it (decision 11).
fn diff_or_payload<'a>(
    places: [&Object<'a>; 2],
    is_update: bool,
) -> Result<Option<Change<'a>>, Unclear> {
    let [first, second] = places;
    let object = |name| {
        let object = either(first.stated_object(name), || second.stated_object(name));
        object.map_err(|Unreadable| Unclear::UnknownEnvelope)
    };
    let (diff, payload) = match (object("diff")?, object("payload")?) {
        (None, None) => return Ok(None),
        (None, Some(payload)) if !is_update => return Ok(Some(Change::Sparse(payload))),
        both => both,
    };
    let (previous, new) = match diff {
        Some(diff) => {
            let side = |name| {
                let side = diff.stated_object(name);
                side.map_err(|Unreadable| Unclear::UnknownEnvelope)
            };
            let new = side("new")?.ok_or(Unclear::UnknownEnvelope)?;
            (side("previous")?.unwrap_or_default(), new)
        }
        None => Default::default(),
    };
    let mut rest = payload.unwrap_or_default();
    new.iter().for_each(|(name, _)| rest.remove(name));
    Ok(Some(Change::Diff {
        previous,
        new,
        rest,
    }))
}

/// The change in a sample of Propexo's or Propify's, as [`diff_or_payload`]
/// reads it: an update states what is new, anything else is a new record.
fn sample_change(wanted: &Wanted, is_update: bool) -> String {
    if !is_update {
        let fields = r#"{"status":"pending","rent_in_cents":210000}"#;
        return format!(r#""payload":{}"#, wanted.fields_or(fields));
    }
    let new = wanted.fields_or(r#"{"status":"approved"}"#);
    format!(r#""diff":{{"previous":{{}},"new":{new}}}"#)
}
