//! Taking a delivery in: dedupe, number, fold, keep.
//!
//! What is written is one statement, or one transaction. It either happened,
//! and the sender gets a 200, or it left no trace.

use std::borrow::Cow;

use super::effects::WAKE_S;
use super::fold::{Incoming, Known, can_repeat, fold};
use super::recent::Recent;
use super::segments::Segments;
use super::{Ledger, Name, SCHEMA};
use crate::delivery::Delivery;
use crate::dialect::{self, Identity, Meaning};
use crate::event::{Change, Content, Event, Kind, Subject, Unclear};
use crate::filter::{self, Ignored};
use crate::json::Object;
use crate::occupancy::Timeline;
use crate::record::{RecordData, notice_data};
use crate::signature::DedupeKey;
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// Largest row, in bytes. The platform takes 2 MB; the rest is for the
/// columns beside the large ones.
pub(super) const ROW_BYTES_MAX: usize = 1_900_000;

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

/// A row of the log, before it has a number.
#[derive(Default)]
struct Entry<'a> {
    name: Option<&'a str>,
    kind: Option<Kind>,
    occurred_at: Option<Timestamp>,
    quarantine: Option<Unclear>,
    ignored: Option<Ignored>,
    data: Option<String>,
    subject: Option<&'a Subject<'a>>,
    prev_seq: Option<u64>,
    /// What becomes of the record that it is about.
    record: Option<(&'a Known, Recent)>,
    /// The record's generation.
    generation: u64,
    /// A property that isn't linked.
    unlinked: Option<Cow<'a, str>>,
    /// Only the index knows a repetition of it.
    by_key: bool,
    /// When a synchronisation ended, if that is what it reports.
    synced_at: Option<Timestamp>,
}

/// What the ledger knows of a record.
pub(super) struct Memory {
    pub known: Known,
    pub last_seq: u64,
    pub recent: Recent,
    pub generation: u64,
}

impl<S: Sql> Ledger<S> {
    /// Takes `delivery` in. An error means that nothing was kept.
    pub fn intake(&mut self, delivery: &Delivery, now: Timestamp) -> Result<Taken, SqlError> {
        let reading = dialect::read(delivery.dialect, &delivery.body, now);
        let may_repeat = reading.identity == Identity::RepeatableBody;
        let taken = match &reading.meaning {
            Meaning::Event(event) => match &event.content {
                Content::Record(subject, change) => {
                    self.take_record(delivery, event, subject, change, may_repeat, now)
                }
                Content::Notice(fields) => self.take_notice(delivery, event, fields, now),
            },
            Meaning::Unclear(unclear) => self.take_unclear(delivery, *unclear, now),
            Meaning::Ping => self.take_unclear(delivery, Unclear::UnknownEnvelope, now),
        }?;
        if taken.outcome != Outcome::Duplicate {
            self.remember(delivery, taken, now);
        }
        Ok(taken)
    }

    /// Brings the memory up to what was committed.
    fn remember(&mut self, delivery: &Delivery, taken: Taken, now: Timestamp) {
        if self.name.is_none() {
            self.name = Some(Name {
                source: delivery.source.clone(),
                integration: delivery.integration.clone(),
            });
            self.segments = Segments::new(now);
        }
        self.segments.bytes = self.segments.bytes.saturating_add(delivery.body.len());
        let received_at = self.received_at(now);
        let awake_since = received_at.minus_s(WAKE_S);
        self.mark.is_sparse = self.mark.last_received_at < awake_since;
        self.mark.last_received_at = received_at;
        let mark = &mut self.mark;
        mark.uses_index |= matches!(taken.outcome, Outcome::Ignored(_));
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
        may_repeat: bool,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        let since = window_start(delivery, now);
        let memory = self.recall(subject)?;
        let mut ambiguous = false;
        if let Some(seq) = self.repeated(memory.as_ref(), delivery, subject, since)? {
            ambiguous = may_repeat
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
            change,
        };
        let folded = fold(memory.as_ref().map(|memory| &memory.known), &incoming);
        let generation = memory.as_ref().map_or(0, |memory| memory.generation);
        let data = RecordData {
            event: event.name.as_deref(),
            model: &subject.model,
            record_id: &subject.record_id,
            changes: &folded.changes,
            record: &folded.record.fields,
            version: folded.record.version,
            partial: folded.record.partial,
            drift: folded.record.drift,
            late: folded.late,
            ambiguous,
            generation,
            turns: &folded.turns,
            noticed: None,
        }
        .to_json();
        if data.len() > ROW_BYTES_MAX {
            return self.take_unclear(delivery, Unclear::TooLarge, now);
        }
        let prev_seq = memory.as_ref().map(|memory| memory.last_seq);
        let mut recent = memory.map(|memory| memory.recent).unwrap_or_default();
        let fits = recent.add(delivery.key, incoming.seq, self.received_at(now), since);
        let entry = Entry {
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            data: Some(data),
            subject: Some(subject),
            prev_seq,
            record: Some((&folded.record, recent)),
            generation,
            by_key: !fits,
            ..Entry::default()
        };
        self.keep(delivery, &entry, now)
    }

    fn take_notice(
        &self,
        delivery: &Delivery,
        event: &Event,
        fields: &Object,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        if let Some(seq) = self.repeated_without_record(delivery, now)? {
            return Ok(duplicate(seq));
        }
        if let Some(ignored) = delivery.filter.ignores(event, || None) {
            return self.take_ignored(delivery, event, ignored, now);
        }
        let synced = is_end_of_sync(event, fields);
        let entry = Entry {
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            data: Some(notice_data(event.name.as_deref(), fields)),
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
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        if let Some(seq) = self.repeated_without_record(delivery, now)? {
            return Ok(duplicate(seq));
        }
        let entry = Entry {
            quarantine: Some(unclear),
            by_key: true,
            ..Entry::default()
        };
        self.keep(delivery, &entry, now)
    }

    fn recall(&self, subject: &Subject) -> Result<Option<Memory>, SqlError> {
        self.recall_named(subject.names())
    }

    /// What is known of the record of a model and id.
    pub(super) fn recall_named(
        &self,
        (model, record_id): (&str, &str),
    ) -> Result<Option<Memory>, SqlError> {
        if self.name.is_none() {
            return Ok(None);
        }
        let rows = self.sql.query(
            "SELECT version, fields, partial, drift, occurred_at, version_key, last_seq, recent,
                    generation, occupancy
             FROM records WHERE model = ?1 AND record_id = ?2",
            &[Param::Text(model), Param::Text(record_id)],
        )?;
        rows.first().map(memory).transpose()
    }

    /// The last event about the record that is the same delivery.
    fn repeated(
        &self,
        memory: Option<&Memory>,
        delivery: &Delivery,
        subject: &Subject,
        since: Timestamp,
    ) -> Result<Option<u64>, SqlError> {
        let recent = memory.map(|memory| &memory.recent);
        let listed = recent.and_then(|recent| recent.find(delivery.key, since));
        let is_elsewhere = recent.is_some_and(|recent| recent.is_elsewhere(since));
        if !is_elsewhere && !self.mark.uses_index {
            return Ok(listed);
        }
        let indexed = self.indexed(&delivery.key.0, Some(subject.names()), since)?;
        Ok(listed.max(indexed))
    }

    fn repeated_without_record(
        &self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Option<u64>, SqlError> {
        self.indexed(&delivery.key.0, None, window_start(delivery, now))
    }

    /// Writes the next event, and what it brings about.
    fn keep(&self, delivery: &Delivery, entry: &Entry, now: Timestamp) -> Result<Taken, SqlError> {
        let data = entry.data.as_deref();
        let bytes = delivery.body.len().saturating_add(data.map_or(0, str::len));
        let large = data.filter(|_| bytes > ROW_BYTES_MAX);
        let first_ignored = entry.ignored.is_some() && !self.mark.uses_index;
        let is_one_statement =
            self.name.is_some() && large.is_none() && entry.synced_at.is_none() && !first_ignored;
        if is_one_statement {
            self.insert(delivery, entry, data, now)?;
        } else {
            self.sql.transaction(|| {
                if self.name.is_none() {
                    self.create(delivery, now)?;
                }
                if let Some(at) = entry.synced_at {
                    self.keep_synced(at)?;
                }
                if first_ignored {
                    self.sql.execute("UPDATE ledger SET uses_index = 1", &[])?;
                }
                if let Some(large) = large {
                    self.sql.execute(
                        "INSERT INTO large (seq, data) VALUES (?1, ?2)",
                        &[self.next_seq().into(), Param::Text(large)],
                    )?;
                }
                self.insert(delivery, entry, data.filter(|_| large.is_none()), now)
            })?;
        }
        Ok(Taken {
            outcome: match (entry.quarantine, entry.ignored) {
                (Some(unclear), _) => Outcome::Quarantined(unclear),
                (_, Some(ignored)) => Outcome::Ignored(ignored),
                _ => Outcome::Accepted,
            },
            seq: self.next_seq(),
        })
    }

    /// Makes the tables.
    fn create(&self, delivery: &Delivery, now: Timestamp) -> Result<(), SqlError> {
        let segments = Segments::new(now);
        self.sql.execute(SCHEMA, &[])?;
        for segment in segments.iter() {
            self.sql.execute(&segment.schema(), &[])?;
        }
        self.begin(segments.present())?;
        self.sql.execute(
            "INSERT INTO ledger (id, source, integration) VALUES (1, ?1, ?2)",
            &[
                Param::Text(&delivery.source),
                Param::Text(&delivery.integration),
            ],
        )
    }

    pub(super) fn keep_synced(&self, at: Timestamp) -> Result<(), SqlError> {
        self.sql.execute(
            "UPDATE ledger SET first_synced_at = min(coalesce(first_synced_at, ?1), ?1),
                               last_synced_at = max(coalesce(last_synced_at, ?1), ?1)",
            &[at.us().into()],
        )
    }

    fn insert(
        &self,
        delivery: &Delivery,
        entry: &Entry,
        data: Option<&str>,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let record = entry.record.as_ref().map(|(record, _)| record);
        let recent = entry.record.as_ref().map(|(_, recent)| recent.to_bytes());
        let occupancy = record.map(|record| record.timeline.to_bytes());
        let occupancy = occupancy.filter(|bytes| !bytes.is_empty());
        let subject = entry.subject;
        self.sql.execute(
            "INSERT INTO intake (seq, key, by_key, prev_seq, received_at, confirmed_seq, model,
                                 record_id, name, kind, occurred_at, quarantine, ignored, data,
                                 body, version, fields, partial, drift, version_at, version_key,
                                 generation, recent, occupancy, unlinked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
            &[
                self.next_seq().into(),
                Param::Blob(&delivery.key.0),
                entry.by_key.into(),
                entry.prev_seq.into(),
                self.received_at(now).us().into(),
                self.mark.confirmed_seq.into(),
                subject.map(|subject| subject.model.as_str()).into(),
                subject.map(|subject| subject.record_id.as_ref()).into(),
                entry.name.into(),
                entry.kind.map(Kind::name).into(),
                entry.occurred_at.map(Timestamp::us).into(),
                entry.quarantine.map(Unclear::label).into(),
                entry.ignored.map(Ignored::label).into(),
                data.into(),
                Param::Blob(&delivery.body),
                record.map(|record| record.version).into(),
                record.map(|record| record.fields.as_str()).into(),
                record.map(|record| record.partial).into(),
                record.map(|record| record.drift).into(),
                record
                    .and_then(|record| record.occurred_at)
                    .map(Timestamp::us)
                    .into(),
                record.map(|record| record.key.0.as_slice()).into(),
                entry.generation.into(),
                recent.as_deref().into(),
                occupancy.as_deref().into(),
                entry.unlinked.as_deref().into(),
            ],
        )
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

fn memory(row: &Row) -> Result<Memory, SqlError> {
    let key = row.blob(5)?.try_into();
    Ok(Memory {
        known: Known {
            version: row.number(0)?,
            fields: row.text(1)?.to_owned(),
            partial: row.flag(2)?,
            drift: row.flag(3)?,
            occurred_at: row.maybe_integer(4)?.map(Timestamp::from_us),
            key: DedupeKey(key.map_err(|_| SqlError("a key has another length".to_owned()))?),
            timeline: Timeline::parse(row.maybe_blob(9)?.unwrap_or_default())?,
        },
        last_seq: row.number(6)?,
        recent: Recent::parse(row.blob(7)?)?,
        generation: row.number(8)?,
    })
}
