//! What an intake writes: one statement, or one transaction.

use super::dedupe::Recent;
use super::{Outcome, Taken};
use crate::dialect::event::{Kind, Unclear};
use crate::dialect::filter::Ignored;
use crate::edge::delivery::Delivery;
use crate::integration::IntegrationId;
use crate::ledger::log::Log;
use crate::ledger::log::entry::Entry;
use crate::ledger::log::epoch::epoch_at;
use crate::ledger::log::migrate::MIN_VERSION;
use crate::ledger::log::segments::Segments;
use crate::ledger::{Ledger, SCHEMA, SCHEMA_VERSION, beyond_us};
use crate::record::fold::Known;
use crate::signature::DedupeKey;
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// What came in: a webhook, or a record that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    /// Whose it is.
    pub of: &'a IntegrationId,
    /// What makes it the same as another one.
    pub key: DedupeKey,
    /// As it was received.
    pub body: &'a [u8],
    /// Of a record that was asked for: the last number before the read.
    pub asked_seq: Option<u64>,
}

impl<'a> From<&'a Delivery> for Arrival<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        Self {
            of: &delivery.of,
            key: delivery.key,
            body: &delivery.body,
            asked_seq: None,
        }
    }
}

/// Its row of the log, and what becomes of its record.
pub(super) struct Intake<'a> {
    pub entry: Entry<'a>,
    /// The record that it is about, and its latest events.
    pub record: Option<(&'a Known, Recent)>,
    /// It may be a repetition.
    pub ambiguous: bool,
    /// Only the index knows a repetition of it.
    pub by_key: bool,
}

impl<'a> Intake<'a> {
    /// One that changes no record, and that only the index knows.
    pub fn by_key(entry: Entry<'a>) -> Self {
        Self {
            entry,
            record: None,
            ambiguous: false,
            by_key: true,
        }
    }

    /// True for what may be about a record without standing in its list.
    pub fn needs_index(outcome: Outcome) -> bool {
        matches!(
            outcome,
            Outcome::Ignored(_) | Outcome::Quarantined(Unclear::FutureTime)
        )
    }
}

impl<S: Sql> Ledger<S> {
    /// Writes the next event, and what it brings about.
    pub(super) fn store(
        &self,
        arrival: Arrival,
        intake: &Intake,
        now: Timestamp,
    ) -> Result<Taken, SqlError> {
        let entry = &intake.entry;
        let (data, large) = entry.split_data(arrival.body.len());
        let synced_at = entry.synced_at(self.sequence.received_at(now));
        let needs_index = Intake::needs_index(entry.outcome());
        let index_until = self
            .index
            .next_until(needs_index, self.sequence.received_at(now));
        let is_one_statement =
            self.name.is_some() && large.is_none() && synced_at.is_none() && index_until.is_none();
        if is_one_statement {
            self.insert(arrival, intake, data, now)?;
        } else {
            self.log.sql.transaction(|| {
                if self.name.is_none() {
                    self.create(arrival.of, now)?;
                }
                self.log.store_synced(synced_at)?;
                if let Some(until) = index_until {
                    self.log.store_index_until(until)?;
                }
                if let Some(large) = large {
                    self.log.sql.execute(
                        "INSERT INTO large (seq, data) VALUES (?1, ?2)",
                        &[self.sequence.next().into(), Param::Text(large)],
                    )?;
                }
                self.insert(arrival, intake, data, now)
            })?;
        }
        Ok(Taken {
            outcome: entry.outcome(),
            seq: self.sequence.next(),
        })
    }

    /// Makes the tables.
    fn create(&self, of: &IntegrationId, now: Timestamp) -> Result<(), SqlError> {
        let segments = Segments::new(now);
        self.log.sql.execute(SCHEMA, &[])?;
        for segment in segments.iter() {
            self.log.sql.execute(&segment.schema(), &[])?;
        }
        self.log.begin(segments.present())?;
        self.log.sql.execute(
            "INSERT INTO ledger (id, source, integration, schema_version, min_version, epoch)
             VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            &[
                Param::Text(&of.source),
                Param::Text(&of.integration),
                SCHEMA_VERSION.into(),
                MIN_VERSION.into(),
                epoch_at(now).into(),
            ],
        )
    }

    fn insert(
        &self,
        arrival: Arrival,
        intake: &Intake,
        data: Option<&str>,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let entry = &intake.entry;
        let record = intake.record.as_ref().map(|(record, _)| record);
        let recent = intake.record.as_ref().map(|(_, recent)| recent.to_bytes());
        let occupancy = record.map(|record| record.timeline.to_bytes());
        let occupancy = occupancy.filter(|bytes| !bytes.is_empty());
        let drifted = record.and_then(|record| record.drift.to_json());
        self.log.sql.execute(
            "INSERT INTO intake (seq, key, by_key, prev_seq, received_at, confirmed_seq, model,
                                 record_id, name, kind, occurred_at, quarantine, ignored, data,
                                 body, version, fields, partial, drift, version_at, version_key,
                                 generation, recent, occupancy, unlinked, occurred_ns,
                                 ambiguous, version_ns, drifted, asked_seq, gone_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)",
            &[
                self.sequence.next().into(),
                Param::Blob(&arrival.key.0),
                intake.by_key.into(),
                entry.prev_seq.into(),
                self.sequence.received_at(now).us().into(),
                self.outbox.confirmed_seq().into(),
                entry.record.map(|key| key.model).into(),
                entry.record.map(|key| key.id).into(),
                entry.name.into(),
                entry.kind.map(Kind::name).into(),
                entry.occurred_at.map(Timestamp::us).into(),
                entry.quarantine.map(Unclear::label).into(),
                entry.ignored.map(Ignored::label).into(),
                data.into(),
                Param::Blob(arrival.body),
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
                intake.ambiguous.into(),
                beyond_us(record.and_then(|record| record.occurred_at)).into(),
                drifted.as_deref().into(),
                arrival.asked_seq.into(),
                record
                    .and_then(|record| record.gone_since)
                    .map(Timestamp::us)
                    .into(),
            ],
        )
    }
}

impl<S: Sql> Log<S> {
    /// Notes when a synchronisation ended, if one did.
    pub(in crate::ledger) fn store_synced(&self, at: Option<Timestamp>) -> Result<(), SqlError> {
        let Some(at) = at else {
            return Ok(());
        };
        self.sql.execute(
            "UPDATE ledger SET first_synced_at = min(coalesce(first_synced_at, ?1), ?1),
                               last_synced_at = max(coalesce(last_synced_at, ?1), ?1)",
            &[at.us().into()],
        )
    }

    pub(in crate::ledger) fn store_index_until(&self, until: Timestamp) -> Result<(), SqlError> {
        let statement = "UPDATE ledger SET uses_index = ?1";
        self.sql.execute(statement, &[until.us().into()])
    }
}
