//! Taking a delivery in: dedupe, number, fold, keep.
//!
//! What is written is one statement, or one transaction. It either happened,
//! and the sender gets a 200, or it left no trace.

mod append;
pub(super) mod dedupe;
mod lookup;
pub(super) mod tied;
pub(super) mod unplaced;

use append::Entry;
pub(super) use lookup::Memory;

use super::Ledger;
use super::alarm::WAKE_S;
use super::log::ROW_BYTES_MAX;
use super::log::epoch::epoch_at;
use super::log::segments::Segments;
use crate::dialect::event::{Change, Content, Event, Kind, Subject, Unclear};
use crate::dialect::filter::{self, Ignored};
use crate::dialect::{self, Identity, Meaning};
use crate::edge::delivery::Delivery;
use crate::json::Object;
use crate::record::cloudevent::{RecordData, control_data};
use crate::record::fold::{Incoming, can_repeat, fold};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;
use tied::Like;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new event, to be forwarded.
    Accepted,
    /// A repetition of an event that has this number already.
    Duplicate,
    /// New and authentic, but not understood: kept for later.
    Quarantined(Unclear),
    /// New, and left out by a filter.
    Ignored(Ignored),
}

impl Outcome {
    /// The word for it in the answer and the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Quarantined(_) => "quarantined",
            Self::Ignored(_) => "ignored",
        }
    }
}

/// The answer to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// What became of it.
    pub outcome: Outcome,
    /// Its number; a duplicate's is the first one's.
    pub seq: u64,
}

impl<S: Sql> Ledger<S> {
    /// Takes `delivery` in. An error means that nothing was kept.
    pub fn intake(&mut self, delivery: &Delivery, now: Timestamp) -> Result<Taken, SqlError> {
        let reading = dialect::read(delivery.dialect, &delivery.body, now);
        let identity = &reading.identity;
        let about = reading.ahead.as_ref();
        let taken = match &reading.meaning {
            Meaning::Event(event) => match &event.content {
                Content::Record(subject, change) => {
                    self.take_record(delivery, event, subject, change, identity, now)
                }
                Content::Control(fields) => {
                    self.take_control(delivery, event, fields, identity, now)
                }
            },
            Meaning::Unclear(unclear) => self.take_unclear(delivery, *unclear, about, now),
            Meaning::Ping => self.take_unclear(delivery, Unclear::UnknownEnvelope, None, now),
        }?;
        if taken.outcome != Outcome::Duplicate {
            self.remember(delivery, taken, now);
            if taken.outcome == Outcome::Accepted
                && let Meaning::Event(event) = &reading.meaning
                && let Some(subject) = event.subject()
            {
                // The event is kept, whatever becomes of this.
                let _ = self.place(subject, now);
            }
        } else if let Meaning::Event(event) = &reading.meaning
            && event.occurred_at.is_some()
        {
            self.catch_up(taken.seq, now)?;
        }
        Ok(taken)
    }

    /// Brings the memory up to what was committed.
    fn remember(&mut self, delivery: &Delivery, taken: Taken, now: Timestamp) {
        if self.name.is_none() {
            self.name = Some(delivery.of.clone());
            self.epoch = epoch_at(now);
            self.segments = Segments::new(now);
        }
        let received_at = self.received_at(now);
        let needs_index = Entry::needs_index(taken.outcome);
        let index_until = self.index_until(needs_index, received_at);
        let awake_since = received_at.minus_s(WAKE_S);
        self.mark.is_sparse = self.mark.last_received_at < awake_since;
        self.mark.last_received_at = received_at;
        let mark = &mut self.mark;
        mark.has_unplaced |= taken.outcome == Outcome::Ignored(Ignored::NoProperty);
        mark.index_until = index_until.unwrap_or(mark.index_until);
        mark.kept_seq = mark.confirmed_seq;
        let settled = mark.confirmed_seq == mark.last_seq;
        mark.last_seq = taken.seq;
        if settled && taken.outcome != Outcome::Accepted {
            mark.confirmed_seq = taken.seq;
            mark.sent_seq = mark.sent_seq.max(taken.seq);
        }
    }

    fn take_record(
        &self,
        delivery: &Delivery,
        event: &Event,
        subject: &Subject,
        change: &Change,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        let since = window_start(delivery, now);
        let memory = self.recall(subject)?;
        let mut ambiguous = false;
        if let Some(seq) = self.repeated(memory.as_ref(), delivery, subject, identity, since)? {
            ambiguous = *identity == Identity::RepeatableBody
                && memory.as_ref().is_some_and(|memory| {
                    memory.last_seq != seq && can_repeat(&memory.known, change)
                });
            if !ambiguous {
                return Ok(duplicate(seq));
            }
        }
        let fields = || Object::parse(&memory.as_ref()?.known.fields);
        if let Some(ignored) = delivery.filter.ignores(event, fields) {
            return self.take_ignored(delivery, event, ignored, now);
        }
        let incoming = Incoming {
            seq: self.next_seq(),
            key: delivery.key,
            occurred_at: event.occurred_at,
            received_at: self.received_at(now),
            model: &subject.model,
            is_creation: event.kind == Kind::RecordCreated,
            change,
        };
        let known = memory.as_ref().map(|memory| &memory.known);
        let tied = match incoming.tied_at(known) {
            Some(time) => {
                let last_seq = memory.as_ref().map(|memory| memory.last_seq);
                self.tied(&Like::new(delivery.dialect, subject, time), last_seq, now)?
            }
            None => Vec::new(),
        };
        let folded = fold(known, &incoming, tied);
        let generation = memory.as_ref().map_or(0, |memory| memory.generation);
        let data = RecordData {
            event: event.name.as_deref(),
            model: &subject.model,
            record_id: &subject.record_id,
            changes: &folded.changes,
            record: &folded.record.fields,
            version: folded.record.version,
            partial: folded.record.partial,
            drift: folded.record.drift.is_some(),
            late: folded.late,
            ambiguous,
            generation,
            turns: &folded.turns,
            noticed: None,
        }
        .within(ROW_BYTES_MAX);
        let Some(data) = data else {
            return self.take_unclear(delivery, Unclear::TooLarge, None, now);
        };
        let prev_seq = memory.as_ref().map(|memory| memory.last_seq);
        let mut recent = memory.map(|memory| memory.recent).unwrap_or_default();
        // Which of the others have a job, the list doesn't say.
        let kept_from = match identity {
            Identity::JobBody | Identity::RepeatableBody => Some(self.segments.kept_from()),
            _ => None,
        };
        let received_at = self.received_at(now);
        let fits = recent.add(delivery.key, incoming.seq, received_at, since, kept_from);
        let entry = Entry {
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            data: Some(data),
            subject: Some(subject),
            prev_seq,
            record: Some((&folded.record, recent)),
            generation,
            ambiguous,
            by_key: !fits,
            ..Entry::default()
        };
        self.keep(delivery, &entry, now)
    }

    fn take_control(
        &self,
        delivery: &Delivery,
        event: &Event,
        fields: &Object,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        let ambiguous = match self.repeated_control(delivery, identity, now)? {
            Some((seq, false)) => return Ok(duplicate(seq)),
            earlier => earlier.is_some(),
        };
        if let Some(ignored) = delivery.filter.ignores(event, || None) {
            return self.take_ignored(delivery, event, ignored, now);
        }
        let synced = is_end_of_sync(event, fields);
        let entry = Entry {
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            data: Some(control_data(event.name.as_deref(), fields)),
            ambiguous,
            by_key: true,
            synced_at: synced.then(|| event.occurred_at.unwrap_or(self.received_at(now))),
            ..Entry::default()
        };
        self.keep(delivery, &entry, now)
    }

    fn take_ignored(
        &self,
        delivery: &Delivery,
        event: &Event,
        ignored: Ignored,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        let entry = Entry {
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            ignored: Some(ignored),
            subject: event.subject(),
            unlinked: match ignored {
                Ignored::Property => filter::property(event),
                _ => None,
            },
            by_key: true,
            ..Entry::default()
        };
        self.keep(delivery, &entry, now)
    }

    fn take_unclear(
        &self,
        delivery: &Delivery,
        unclear: Unclear,
        about: Option<&Subject>,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        let since = window_start(delivery, now);
        let repeated = match about {
            // It may have been understood before: the clock has gone back.
            Some(subject) => {
                let memory = self.recall(subject)?;
                self.repeated(memory.as_ref(), delivery, subject, &Identity::Body, since)?
            }
            None => self.indexed(&delivery.key.0, None, since)?,
        };
        if let Some(seq) = repeated {
            return Ok(duplicate(seq));
        }
        let entry = Entry {
            quarantine: Some(unclear),
            subject: about,
            by_key: true,
            ..Entry::default()
        };
        self.keep(delivery, &entry, now)
    }

    /// When an event that arrives `now` was received. Never before the event
    /// before it, so that the log is in the order of time even where the clock
    /// went back. The dedupe window is counted back from the clock, by which
    /// the edge takes a signed time for too old: so it can become longer, and
    /// no replay falls between the two.
    fn received_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.mark.last_received_at)
    }

    fn next_seq(&self) -> u64 {
        self.mark.last_seq.saturating_add(1)
    }
}

/// True if an event reports the end of a synchronisation:
/// `is_sync_finished: false` reports a stuck one.
pub(super) fn is_end_of_sync(event: &Event, fields: &Object) -> bool {
    event.kind.is_sync() && fields.flag("is_sync_finished") != Some(false)
}

fn duplicate(seq: u64) -> Taken {
    Taken {
        outcome: Outcome::Duplicate,
        seq,
    }
}

fn window_start(delivery: &Delivery, now: Timestamp) -> Timestamp {
    now.minus_s(delivery.dedupe_window_s)
}
