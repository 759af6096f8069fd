//! Taking a delivery in: dedupe, number, fold, keep.
//!
//! What is written is one statement, or one transaction. It either happened,
//! and the sender gets a 200, or it left no trace.

mod append;
pub(super) mod dedupe;
mod gone;
mod lookup;
mod merge;
pub(super) mod tied;
pub(super) mod unplaced;

use append::Intake;
pub(super) use lookup::StoredRecord;

use super::Ledger;
use super::log::entry::{Entry, Facts};
use super::log::epoch::epoch_at;
use super::log::segments::Segments;
use crate::dialect::event::{Change, Content, Event, Kind, Subject, Unclear};
use crate::dialect::filter::Ignored;
use crate::dialect::{self, Identity, Meaning};
use crate::edge::delivery::Delivery;
use crate::integration::IntegrationId;
use crate::json::Object;
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
            self.remember(&delivery.of, taken, now);
            if taken.outcome == Outcome::Accepted
                && let Meaning::Event(event) = &reading.meaning
                && let Some(subject) = event.subject()
            {
                // The event is kept, whatever becomes of this.
                let _ = self.place(subject.key(), now);
            }
        } else if let Meaning::Event(event) = &reading.meaning
            && event.occurred_at.is_some()
        {
            self.catch_up(taken.seq, now)?;
        }
        Ok(taken)
    }

    /// Brings the memory up to what was committed.
    fn remember(&mut self, of: &IntegrationId, taken: Taken, now: Timestamp) {
        if self.name.is_none() {
            self.name = Some(of.clone());
            self.epoch = epoch_at(now);
            self.log.segments = Segments::new(now);
        }
        let needs_index = Intake::needs_index(taken.outcome);
        let received_at = self.sequence.received_at(now);
        self.index
            .noted(self.index.next_until(needs_index, received_at));
        let is_unplaced = taken.outcome == Outcome::Ignored(Ignored::NoProperty);
        self.unplaced.add(is_unplaced);
        let is_forwarded = taken.outcome == Outcome::Accepted;
        self.outbox
            .taken_in(self.sequence.last(), taken.seq, is_forwarded);
        self.sequence.advance(now);
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
        let stored = self.log.stored_record(subject.key())?;
        let mut ambiguous = false;
        if let Some(seq) = self.repeated(stored.as_ref(), delivery, subject, identity, since)? {
            ambiguous = *identity == Identity::RepeatableBody
                && stored.as_ref().is_some_and(|stored| {
                    stored.last_seq != seq && can_repeat(&stored.known, change)
                });
            if !ambiguous {
                return Ok(duplicate(seq));
            }
        }
        let fields = || Object::parse(&stored.as_ref()?.known.fields);
        if let Some(ignored) = delivery.filter.ignores(event, fields) {
            let entry = Entry::ignored(event, ignored);
            return self.store(delivery.into(), &Intake::by_key(entry), now);
        }
        let incoming = Incoming {
            seq: self.sequence.next(),
            key: delivery.key,
            occurred_at: event.occurred_at,
            received_at: self.sequence.received_at(now),
            model: &subject.model,
            is_creation: event.kind == Kind::RecordCreated,
            change,
            newer: &[],
        };
        let known = stored.as_ref().map(|stored| &stored.known);
        let tied = match incoming.tied_at(known) {
            Some(time) => {
                let last_seq = stored.as_ref().map(|stored| stored.last_seq);
                self.log
                    .tied(&Like::new(delivery.dialect, subject, time), last_seq, now)?
            }
            None => Vec::new(),
        };
        let folded = fold(known, &incoming, tied);
        let prev_seq = stored.as_ref().map(|stored| stored.last_seq);
        let facts = Facts {
            changes: &folded.changes,
            late: folded.late,
            ambiguous,
            generation: stored
                .as_ref()
                .map(|stored| stored.generation)
                .unwrap_or_default(),
            turns: &folded.turns,
            noticed: None,
        };
        let entry = Entry::record(event, subject.key(), &folded.record, prev_seq, &facts);
        if let Some(unclear) = entry.quarantine {
            return self.take_unclear(delivery, unclear, None, now);
        }
        let mut recent = stored.map(|stored| stored.recent).unwrap_or_default();
        // Which of the others have a job, the list doesn't say.
        let kept_from = match identity {
            Identity::JobBody | Identity::RepeatableBody => Some(self.log.segments.kept_from()),
            _ => None,
        };
        let received_at = self.sequence.received_at(now);
        let fits = recent.add(delivery.key, incoming.seq, received_at, since, kept_from);
        let intake = Intake {
            entry,
            record: Some((&folded.record, recent)),
            ambiguous,
            by_key: !fits,
        };
        self.store(delivery.into(), &intake, now)
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
        let mut intake = Intake::by_key(Entry::control(event, fields, &delivery.filter));
        intake.ambiguous = ambiguous && intake.entry.ignored.is_none();
        self.store(delivery.into(), &intake, now)
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
                let stored = self.log.stored_record(subject.key())?;
                self.repeated(stored.as_ref(), delivery, subject, &Identity::Body, since)?
            }
            None => self.indexed(&delivery.key.0, None, since)?,
        };
        if let Some(seq) = repeated {
            return Ok(duplicate(seq));
        }
        let entry = Entry::unclear(unclear, about);
        self.store(delivery.into(), &Intake::by_key(entry), now)
    }
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
