//! What the log says of an event: decided in one way, whether it has just come
//! in or is read again by a replay.

use std::borrow::Cow;

use super::ROW_BYTES_MAX;
use crate::dialect::event::{Content, Event, Kind, RecordKey, Subject, Unclear};
use crate::dialect::filter::{self, Filter, Ignored};
use crate::json::Object;
use crate::ledger::Outcome;
use crate::record::cloudevent::{RecordData, control_data};
use crate::record::fold::Known;
use crate::record::generation::Generation;
use crate::record::occupancy::{Noticed, Turn};
use crate::time::Timestamp;

/// A row of the log, but for its number and what was delivered.
#[derive(Default)]
pub(in crate::ledger) struct Entry<'a> {
    /// The record that it is about.
    pub record: Option<RecordKey<'a>>,
    /// The provider's own name for the event.
    pub name: Option<&'a str>,
    pub kind: Option<Kind>,
    pub occurred_at: Option<Timestamp>,
    pub quarantine: Option<Unclear>,
    pub ignored: Option<Ignored>,
    /// What is forwarded, JSON.
    pub data: Option<String>,
    /// The event before about the same record.
    pub prev_seq: Option<u64>,
    /// The record's generation with this event.
    pub generation: Generation,
    /// A property that isn't linked.
    pub unlinked: Option<Cow<'a, str>>,
    /// It reports the end of a synchronisation.
    pub ends_sync: bool,
}

/// What is said of an event about a record, beside the record.
pub(in crate::ledger) struct Facts<'a> {
    /// JSON.
    pub changes: &'a str,
    pub late: bool,
    pub ambiguous: bool,
    pub generation: Generation,
    pub turns: &'a [Turn],
    pub noticed: Option<&'a Noticed>,
}

impl<'a> Entry<'a> {
    /// Of an event about a record, or about none, without what is forwarded.
    pub fn of(event: &'a Event) -> Self {
        Self {
            record: event.subject().map(Subject::key),
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            ..Self::default()
        }
    }

    /// Of one that isn't understood, though it may be known what it is about.
    pub fn unclear(unclear: Unclear, about: Option<&'a Subject>) -> Self {
        Self {
            record: about.map(Subject::key),
            quarantine: Some(unclear),
            ..Self::default()
        }
    }

    /// Of one that a filter leaves out.
    pub fn ignored(event: &'a Event, ignored: Ignored) -> Self {
        Self {
            ignored: Some(ignored),
            unlinked: match ignored {
                Ignored::Property => filter::property(event),
                _ => None,
            },
            ..Self::of(event)
        }
    }

    /// Of one about no record, with the provider's `fields`.
    pub fn control(event: &'a Event, fields: &Object, filter: &Filter) -> Self {
        if let Some(ignored) = filter.ignores(event, || None) {
            return Self::ignored(event, ignored);
        }
        Self {
            data: Some(control_data(event.name.as_deref(), fields)),
            // `is_sync_finished: false` reports a stuck one.
            ends_sync: event.kind.is_sync() && fields.flag("is_sync_finished") != Some(false),
            ..Self::of(event)
        }
    }

    /// Of one that has made of its record what is `known` now; in quarantine
    /// where that is too large.
    pub fn record(
        event: &'a Event,
        key: RecordKey,
        known: &Known,
        prev_seq: Option<u64>,
        facts: &Facts,
    ) -> Self {
        match record_data(event, key, known, facts) {
            // Of what was asked for, the row alone says what it is about.
            None => Self::unclear(Unclear::TooLarge, asked_about(event)),
            data => Self {
                data,
                prev_seq,
                generation: facts.generation,
                ..Self::of(event)
            },
        }
    }

    /// What becomes of the event.
    pub fn outcome(&self) -> Outcome {
        match (self.quarantine, self.ignored) {
            (Some(unclear), _) => Outcome::Quarantined(unclear),
            (_, Some(ignored)) => Outcome::Ignored(ignored),
            _ => Outcome::Accepted,
        }
    }

    /// When a synchronisation ended, if the event, received at `received_at`,
    /// reports that.
    pub fn synced_at(&self, received_at: Timestamp) -> Option<Timestamp> {
        let at = self.occurred_at.unwrap_or(received_at);
        self.ends_sync.then_some(at)
    }

    /// What is forwarded: as it stands in the row, beside a body of so many
    /// bytes, and as it stands by itself where it doesn't fit there.
    pub fn split_data(&self, body_bytes: usize) -> (Option<&str>, Option<&str>) {
        let data = self.data.as_deref();
        let bytes = body_bytes.saturating_add(data.map_or(0, str::len));
        if bytes > ROW_BYTES_MAX {
            (None, data)
        } else {
            (data, None)
        }
    }
}

/// The record that was asked for, if the event is that it was.
fn asked_about<'a>(event: &'a Event) -> Option<&'a Subject<'a>> {
    match &event.content {
        Content::Record(subject, change) if change.is_asked_for() => Some(subject),
        _ => None,
    }
}

/// What is forwarded of an event about the record `key`; `None` if it is too
/// large for a row.
pub(in crate::ledger) fn record_data(
    event: &Event,
    key: RecordKey,
    known: &Known,
    facts: &Facts,
) -> Option<String> {
    RecordData {
        event: event.name.as_deref(),
        model: key.model,
        record_id: key.id,
        changes: facts.changes,
        record: &known.fields,
        version: known.version,
        partial: known.partial,
        drift: known.drift.is_some(),
        late: facts.late,
        ambiguous: facts.ambiguous,
        generation: facts.generation,
        gone_since: known.gone_since,
        turns: facts.turns,
        noticed: facts.noticed,
    }
    .within(ROW_BYTES_MAX)
}
