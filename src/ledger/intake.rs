//! Taking a delivery in: dedupe, number, fold, keep.
//!
//! All of it is one transaction. It either happened, and the sender gets a
//! 200, or it left no trace.

use super::fold::{Incoming, Known, can_repeat, fold};
use super::{Ledger, Name};
use crate::delivery::Delivery;
use crate::dialect::{self, Identity, Meaning};
use crate::event::{Change, Content, Event, Kind, Subject, Unclear};
use crate::json::Object;
use crate::record::{RecordData, notice_data};
use crate::signature::DedupeKey;
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// Largest row, in bytes. The platform takes 2 MB; the rest is for the
/// columns beside the large ones.
const ROW_BYTES_MAX: usize = 1_900_000;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new event, to be forwarded.
    Accepted,
    /// A repetition of an event that has this number already.
    Duplicate,
    /// New and authentic, but not understood: kept for later.
    Quarantined(Unclear),
}

impl Outcome {
    /// The word for it in the answer and the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Quarantined(_) => "quarantined",
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
    prev_seq: Option<u64>,
    subject: Option<(&'a str, &'a str)>,
    name: Option<&'a str>,
    kind: Option<Kind>,
    occurred_at: Option<Timestamp>,
    quarantine: Option<Unclear>,
    data: Option<String>,
}

/// What the ledger knows of a record, and of the delivery at hand.
struct Memory {
    known: Known,
    last_seq: u64,
    /// The latest event about the record with the delivery's key.
    repeats: Option<u64>,
}

impl<S: Sql> Ledger<S> {
    /// Takes `delivery` in. An error means that nothing was kept.
    pub fn intake(&mut self, delivery: &Delivery, now: Timestamp) -> Result<Taken, SqlError> {
        let reading = dialect::read(delivery.dialect, &delivery.body, now);
        let may_repeat = reading.identity == Identity::RepeatableBody;
        let taken = self.sql.transaction(|| {
            if self.name.is_none() {
                self.create(&delivery.source, &delivery.integration)?;
            }
            match &reading.meaning {
                Meaning::Event(event) => match &event.content {
                    Content::Record(subject, change) => {
                        self.take_record(delivery, event, subject, change, may_repeat, now)
                    }
                    Content::Notice(fields) => self.take_notice(delivery, event, fields, now),
                },
                Meaning::Unclear(unclear) => self.take_unclear(delivery, *unclear, now),
                Meaning::Ping => self.take_unclear(delivery, Unclear::UnknownEnvelope, now),
            }
        })?;
        self.name.get_or_insert_with(|| Name {
            source: delivery.source.clone(),
            integration: delivery.integration.clone(),
        });
        self.remember(taken, now);
        Ok(taken)
    }

    /// Brings the memory up to what was committed.
    fn remember(&mut self, taken: Taken, now: Timestamp) {
        if taken.outcome == Outcome::Duplicate {
            return;
        }
        self.mark.last_received_at = self.received_at(now);
        let mark = &mut self.mark;
        mark.kept_seq = mark.confirmed_seq;
        let settled = mark.confirmed_seq == mark.last_seq;
        mark.last_seq = taken.seq;
        if settled && matches!(taken.outcome, Outcome::Quarantined(_)) {
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
        let memory = self.recall(delivery, subject, now)?;
        let mut ambiguous = false;
        if let Some(memory) = &memory
            && let Some(seq) = memory.repeats
        {
            let touched_since = memory.last_seq != seq;
            ambiguous = may_repeat && touched_since && can_repeat(&memory.known, change);
            if !ambiguous {
                return Ok(duplicate(seq));
            }
        }
        let incoming = Incoming {
            seq: self.next_seq(),
            key: delivery.key,
            occurred_at: event.occurred_at,
            change,
        };
        let folded = fold(memory.as_ref().map(|memory| &memory.known), &incoming);
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
        }
        .to_json();
        if data.len() > ROW_BYTES_MAX {
            return self.take_unclear(delivery, Unclear::TooLarge, now);
        }
        self.keep_record(subject, incoming.seq, &folded.record)?;
        let entry = Entry {
            prev_seq: memory.map(|memory| memory.last_seq),
            subject: Some((&subject.model, &subject.record_id)),
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            data: Some(data),
            ..Entry::default()
        };
        self.keep(delivery, entry, now)
    }

    fn take_notice(
        &self,
        delivery: &Delivery,
        event: &Event,
        fields: &Object,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        if let Some(seq) = self.repeats_without_record(delivery, now)? {
            return Ok(duplicate(seq));
        }
        // `is_sync_finished: false` reports a stuck synchronisation.
        if event.kind.is_sync() && fields.flag("is_sync_finished") != Some(false) {
            let at = event.occurred_at.unwrap_or(self.received_at(now)).us();
            self.sql.execute(
                "UPDATE ledger SET first_synced_at = min(coalesce(first_synced_at, ?1), ?1),
                                   last_synced_at = max(coalesce(last_synced_at, ?1), ?1)",
                &[at.into()],
            )?;
        }
        let entry = Entry {
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            data: Some(notice_data(event.name.as_deref(), fields)),
            ..Entry::default()
        };
        self.keep(delivery, entry, now)
    }

    fn take_unclear(
        &self,
        delivery: &Delivery,
        unclear: Unclear,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        if let Some(seq) = self.repeats_without_record(delivery, now)? {
            return Ok(duplicate(seq));
        }
        let entry = Entry {
            quarantine: Some(unclear),
            ..Entry::default()
        };
        self.keep(delivery, entry, now)
    }

    /// The record's state, and whether one of its events within the dedupe
    /// window is the same delivery. The events of a record form a chain, each
    /// pointing at the one before: following it costs reads only, where an
    /// index would cost a row for every event. It is followed up to the first
    /// event outside the window, and none before that lies inside: see
    /// [`Ledger::received_at`].
    fn recall(
        &self,
        delivery: &Delivery,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Option<Memory>, SqlError> {
        let rows = self.sql.query(
            "SELECT version, fields, partial, drift, occurred_at, version_key, last_seq, (
               WITH RECURSIVE chain (seq, key, prev_seq) AS (
                 SELECT seq, key, prev_seq FROM events
                   WHERE seq = records.last_seq AND received_at > ?4
                 UNION ALL
                 SELECT e.seq, e.key, e.prev_seq FROM chain JOIN events e ON e.seq = chain.prev_seq
                   WHERE chain.key <> ?3 AND e.seq < chain.seq AND e.received_at > ?4)
               SELECT seq FROM chain WHERE key = ?3)
             FROM records WHERE model = ?1 AND record_id = ?2",
            &[
                Param::Text(&subject.model),
                Param::Text(&subject.record_id),
                Param::Blob(&delivery.key.0),
                window_start(delivery, now),
            ],
        )?;
        rows.first().map(memory).transpose()
    }

    fn repeats_without_record(
        &self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Option<u64>, SqlError> {
        let rows = self.sql.query(
            "SELECT seq FROM events WHERE key = ?1 AND record_id IS NULL AND received_at > ?2
             ORDER BY seq DESC LIMIT 1",
            &[Param::Blob(&delivery.key.0), window_start(delivery, now)],
        )?;
        rows.first().map(|row| row.number(0)).transpose()
    }

    fn keep_record(&self, subject: &Subject, seq: u64, record: &Known) -> Result<(), SqlError> {
        self.sql.execute(
            "INSERT INTO records (model, record_id, last_seq, version, fields, partial, drift,
                                  occurred_at, version_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (model, record_id) DO UPDATE SET last_seq = excluded.last_seq,
               version = excluded.version, fields = excluded.fields, partial = excluded.partial,
               drift = excluded.drift, occurred_at = excluded.occurred_at,
               version_key = excluded.version_key",
            &[
                Param::Text(&subject.model),
                Param::Text(&subject.record_id),
                seq.into(),
                record.version.into(),
                Param::Text(&record.fields),
                record.partial.into(),
                record.drift.into(),
                record.occurred_at.map(Timestamp::us).into(),
                Param::Blob(&record.key.0),
            ],
        )
    }

    /// Writes the next row of the log.
    fn keep(&self, delivery: &Delivery, entry: Entry, now: Timestamp) -> Result<Taken, SqlError> {
        let seq = self.next_seq();
        let mut data = entry.data.as_deref();
        let bytes = delivery.body.len().saturating_add(data.map_or(0, str::len));
        if let Some(large) = data
            && bytes > ROW_BYTES_MAX
        {
            self.sql.execute(
                "INSERT INTO large (seq, data) VALUES (?1, ?2)",
                &[seq.into(), Param::Text(large)],
            )?;
            data = None;
        }
        self.sql.execute(
            "INSERT INTO events (seq, key, prev_seq, received_at, confirmed_seq, model, record_id,
                                 name, kind, occurred_at, quarantine, data, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            &[
                seq.into(),
                Param::Blob(&delivery.key.0),
                entry.prev_seq.into(),
                self.received_at(now).us().into(),
                self.mark.confirmed_seq.into(),
                entry.subject.map(|(model, _)| model).into(),
                entry.subject.map(|(_, id)| id).into(),
                entry.name.into(),
                entry.kind.map(Kind::name).into(),
                entry.occurred_at.map(Timestamp::us).into(),
                entry.quarantine.map(Unclear::label).into(),
                data.into(),
                Param::Blob(&delivery.body),
            ],
        )?;
        Ok(Taken {
            outcome: entry
                .quarantine
                .map_or(Outcome::Accepted, Outcome::Quarantined),
            seq,
        })
    }

    /// When an event that arrives `now` was received. Never before the event
    /// before it: the clock may go back, but then a chain of events would
    /// leave the dedupe window and enter it again. The window itself is counted
    /// back from the clock, by which the edge takes a signed time for too old:
    /// so it can become longer, and no replay falls between the two.
    fn received_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.mark.last_received_at)
    }

    fn next_seq(&self) -> u64 {
        self.mark.last_seq.saturating_add(1)
    }
}

fn duplicate(seq: u64) -> Taken {
    Taken {
        outcome: Outcome::Duplicate,
        seq,
    }
}

fn window_start(delivery: &Delivery, now: Timestamp) -> Param<'static> {
    now.minus_s(delivery.dedupe_window_s).us().into()
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
        },
        last_seq: row.number(6)?,
        repeats: row.maybe_number(7)?,
    })
}
