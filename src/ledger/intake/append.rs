//! What an intake writes: one statement, or one transaction.

use std::borrow::Cow;

use super::dedupe::Recent;
use super::{Outcome, Taken};
use crate::dialect::event::{Kind, Subject, Unclear};
use crate::dialect::filter::Ignored;
use crate::edge::delivery::Delivery;
use crate::ledger::log::ROW_BYTES_MAX;
use crate::ledger::log::epoch::epoch_at;
use crate::ledger::log::migrate::MIN_VERSION;
use crate::ledger::log::segments::Segments;
use crate::ledger::{Ledger, SCHEMA, SCHEMA_VERSION, beyond_us};
use crate::record::fold::Known;
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// For how long it is noted ahead that the index is needed.
const INDEX_NOTED_S: u64 = 86_400;

/// A row of the log, before it has a number.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub name: Option<&'a str>,
    pub kind: Option<Kind>,
    pub occurred_at: Option<Timestamp>,
    pub quarantine: Option<Unclear>,
    pub ignored: Option<Ignored>,
    pub data: Option<String>,
    pub subject: Option<&'a Subject<'a>>,
    pub prev_seq: Option<u64>,
    /// What becomes of the record that it is about.
    pub record: Option<(&'a Known, Recent)>,
    /// The record's generation.
    pub generation: u64,
    /// It may be a repetition.
    pub ambiguous: bool,
    /// A property that isn't linked.
    pub unlinked: Option<Cow<'a, str>>,
    /// Only the index knows a repetition of it.
    pub by_key: bool,
    /// When a synchronisation ended, if that is what it reports.
    pub synced_at: Option<Timestamp>,
}

impl Entry<'_> {
    /// True for what may be about a record without standing in its list.
    pub fn needs_index(outcome: Outcome) -> bool {
        matches!(
            outcome,
            Outcome::Ignored(_) | Outcome::Quarantined(Unclear::FutureTime)
        )
    }

    fn outcome(&self) -> Outcome {
        match (self.quarantine, self.ignored) {
            (Some(unclear), _) => Outcome::Quarantined(unclear),
            (_, Some(ignored)) => Outcome::Ignored(ignored),
            _ => Outcome::Accepted,
        }
    }
}

impl<S: Sql> Ledger<S> {
    /// Writes the next event, and what it brings about.
    pub(super) fn keep(
        &self,
        delivery: &Delivery,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        let data = entry.data.as_deref();
        let bytes = delivery.body.len().saturating_add(data.map_or(0, str::len));
        let large = data.filter(|_| bytes > ROW_BYTES_MAX);
        let needs_index = Entry::needs_index(entry.outcome());
        let index_until = self.index_until(needs_index, self.received_at(now));
        let is_one_statement = self.name.is_some()
            && large.is_none()
            && entry.synced_at.is_none()
            && index_until.is_none();
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
                if let Some(until) = index_until {
                    self.keep_index_until(until)?;
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
            outcome: entry.outcome(),
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
            "INSERT INTO ledger (id, source, integration, schema_version, min_version, epoch)
             VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            &[
                Param::Text(&delivery.of.source),
                Param::Text(&delivery.of.integration),
                SCHEMA_VERSION.into(),
                MIN_VERSION.into(),
                epoch_at(now).into(),
            ],
        )
    }

    /// Until when the index will be needed, where that isn't noted, for an event
    /// received at `received_at` that no record has in its list. Noted once a
    /// day, so that the row is shared.
    pub(in crate::ledger) fn index_until(
        &self,
        is_needed: bool,
        received_at: Timestamp,
    ) -> Option<Timestamp> {
        let is_new = is_needed && self.mark.index_until < received_at;
        is_new.then(|| received_at.plus_s(INDEX_NOTED_S))
    }

    pub(in crate::ledger) fn keep_index_until(&self, until: Timestamp) -> Result<(), SqlError> {
        let statement = "UPDATE ledger SET uses_index = ?1";
        self.sql.execute(statement, &[until.us().into()])
    }

    pub(in crate::ledger) fn keep_synced(&self, at: Timestamp) -> Result<(), SqlError> {
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
        let drifted = record.and_then(|record| record.drift.to_json());
        let subject = entry.subject;
        self.sql.execute(
            "INSERT INTO intake (seq, key, by_key, prev_seq, received_at, confirmed_seq, model,
                                 record_id, name, kind, occurred_at, quarantine, ignored, data,
                                 body, version, fields, partial, drift, version_at, version_key,
                                 generation, recent, occupancy, unlinked, occurred_ns,
                                 ambiguous, version_ns, drifted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)",
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
                record.map(|record| record.drift.is_some()).into(),
                record
                    .and_then(|record| record.occurred_at)
                    .map(Timestamp::us)
                    .into(),
                record.map(|record| record.key.0.as_slice()).into(),
                entry.generation.into(),
                recent.as_deref().into(),
                occupancy.as_deref().into(),
                entry.unlinked.as_deref().into(),
                beyond_us(entry.occurred_at).into(),
                entry.ambiguous.into(),
                beyond_us(record.and_then(|record| record.occurred_at)).into(),
                drifted.as_deref().into(),
            ],
        )
    }
}
