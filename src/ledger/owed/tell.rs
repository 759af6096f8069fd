//! What is owed, read off the log, and how far the connector has been told.

use super::{Owed, OwedRecord, SyncEnd};
use crate::dialect::event::{Content, Kind, RecordKey, is_aside, model_name};
use crate::dialect::{Dialect, Meaning};
use crate::json::{self, Object};
use crate::ledger::log::Log;
use crate::ledger::log::kept::Kept;
use crate::ledger::setup::Setup;
use crate::ledger::{Ledger, SeqRange, record_key};
use crate::provider::{Api, Parent};
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// How long to wait from one message to the next, in milliseconds: of what comes
/// meanwhile one message tells. What comes alone is told at once, since a ledger
/// that waits is one that is paid for.
const GATHER_MS: u32 = 1_000;

/// Events that one message is about, at most.
const EVENTS_MAX: u64 = 500;

/// Conditions of the events that can owe something: of what was asked for
/// nothing is owed, and a filter on events hides no end of a synchronisation.
const CAN_OWE: &str = "AND quarantine IS NULL AND asked_seq IS NULL
     AND (ignored IS NULL AND record_id IS NOT NULL
          OR kind IN ('sync.completed', 'sync.first_completed')
             AND coalesce(ignored, '') NOT LIKE 'discarded:%')";

/// How far the connector has been told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::ledger) struct Told {
    /// Of everything up to here; `None` if of nothing.
    seq: Option<u64>,
    /// What the tables have of that.
    stored: Option<u64>,
    /// The source has an API.
    is_wanted: bool,
    /// When it was told last.
    at: Option<Timestamp>,
}

impl Told {
    /// As the tables have it.
    pub fn load(seq: Option<u64>) -> Self {
        Self {
            seq,
            stored: seq,
            is_wanted: false,
            at: None,
        }
    }

    /// Notes whether the source has an API.
    pub fn set_wanted(&mut self, is_wanted: bool) {
        self.is_wanted = is_wanted;
    }

    /// Something up to `last_seq` may be left to tell.
    pub fn waits(&self, last_seq: u64) -> bool {
        self.is_wanted && self.seq < Some(last_seq)
    }

    /// What the tables don't have.
    pub fn unstored(&self) -> Option<u64> {
        self.seq.filter(|_| self.seq != self.stored)
    }

    /// Notes that the tables have all of it.
    pub fn stored(&mut self) {
        self.stored = self.seq;
    }

    /// Notes that everything up to `seq` has been told.
    fn through(&mut self, seq: u64) {
        self.seq = self.seq.max(Some(seq));
    }

    /// Notes that the event behind `last_seq` owes nothing: nobody has to be told.
    pub fn pass(&mut self, last_seq: u64) {
        if self.seq == Some(last_seq) {
            self.seq = Some(last_seq.saturating_add(1));
        }
    }

    /// Notes that the connector knows nothing of what there is now.
    pub fn forget(&mut self) {
        self.seq = None;
    }
}

impl<S: Sql> Ledger<S> {
    /// True if the connector may have to be told something.
    pub fn has_owed(&self) -> bool {
        self.told.waits(self.sequence.last()) && !self.is_aside()
    }

    /// In how many milliseconds the connector is to be told what
    /// [`Ledger::next_owed`] returns; `None` if there is nothing to tell. After a
    /// pause, and after each message, it is to be asked again.
    pub fn tells_in_ms(&mut self, now: Timestamp) -> Option<u32> {
        if !self.has_owed() {
            return None;
        }
        let due_at = self.told.at.map(|at| at.plus_ms(GATHER_MS));
        let ms = due_at.map_or(0, |at| at.ms().saturating_sub(now.ms()));
        let ms = u32::try_from(ms).unwrap_or(0).min(GATHER_MS);
        if ms == 0 {
            self.told.at = Some(now);
        }
        Some(ms)
    }

    /// What is told to the connector next; `None` if there is nothing. Then
    /// [`Ledger::told`], once it has been.
    ///
    /// A ledger of which the connector has heard nothing is told as one whose
    /// records are all to be read: of what was before, events say little.
    pub fn next_owed(&mut self, setup: &Setup) -> Result<Option<Owed>, SqlError> {
        self.told.set_wanted(setup.api.is_some());
        let (Some(of), Some(api)) = (self.name.clone(), &setup.api) else {
            return Ok(None);
        };
        let dialect = setup.dialect;
        let dialect = dialect.ok_or_else(|| SqlError("no such source".to_owned()))?;
        let last_seq = self.sequence.last();
        let from = self.told.seq;
        let mut after = from.unwrap_or(last_seq.saturating_sub(EVENTS_MAX));
        while self.has_owed() {
            let range = SeqRange::new(after.saturating_add(1), last_seq);
            let (mut owed, through) = self.log.owed(api, dialect, range)?;
            if from.is_none() {
                owed.syncs.push(SyncEnd {
                    seq: through,
                    at: self.sequence.last_received_at(),
                    is_whole: true,
                    is_finished: false,
                    models: None,
                });
            }
            if !owed.records.is_empty() || !owed.syncs.is_empty() {
                let (epoch, seq) = (self.epoch, through);
                return Ok(Some(Owed {
                    of,
                    epoch,
                    seq,
                    ..owed
                }));
            }
            self.told.through(through);
            after = through;
        }
        Ok(None)
    }

    /// Notes that the connector has what was told up to `seq`.
    pub fn told(&mut self, seq: u64, epoch: u64) {
        if epoch == self.epoch {
            self.told.through(seq);
        }
    }

    /// It is about no integration of the provider's.
    fn is_aside(&self) -> bool {
        let name = self.name.as_ref();
        name.is_none_or(|of| is_aside(&of.integration))
    }
}

impl<S: Sql> Log<S> {
    /// What the next events of `range` owe, and the last one of which that is
    /// all.
    fn owed(
        &self,
        api: &Api,
        dialect: &dyn Dialect,
        range: SeqRange,
    ) -> Result<(Owed, u64), SqlError> {
        let columns = "seq, kind, model, record_id, received_at, coalesce(ambiguous, 0)";
        let rows = self.scan(columns, CAN_OWE, range, EVENTS_MAX)?;
        let mut owed = Owed::default();
        for row in &rows {
            let at = Timestamp::from_us(row.integer(4)?);
            match record_key(row, 2)? {
                Some(key) => {
                    let is_ambiguous = row.flag(5)?;
                    self.add_owed(&mut owed, api, key, at, is_ambiguous)?;
                }
                None => owed
                    .syncs
                    .extend(self.sync_end(dialect, row.number(0)?, at)?),
            }
        }
        let through = match rows.last() {
            Some(last) if rows.len() as u64 == EVENTS_MAX => last.number(0)?,
            _ => range.last,
        };
        Ok((owed, through))
    }

    /// Adds what an event about the record `key` owes.
    fn add_owed(
        &self,
        owed: &mut Owed,
        api: &Api,
        key: RecordKey,
        since: Timestamp,
        is_ambiguous: bool,
    ) -> Result<(), SqlError> {
        let reach = api.kind.reach(key.model);
        if reach.has_item && (api.hydrates(key.model) || is_ambiguous || self.is_in_drift(key)?) {
            owed.add(key, since);
        }
        let mut parents = reach
            .parents
            .iter()
            .filter(|parent| api.hydrates(parent.model))
            .peekable();
        if parents.peek().is_none() {
            return Ok(());
        }
        let record = self.stored_record(key)?;
        let fields = record
            .as_ref()
            .and_then(|record| Object::parse(&record.known.fields));
        for Parent { model, field } in parents {
            let id = fields.as_ref().and_then(|fields| fields.id(field));
            if let Some(id) = id {
                owed.add(RecordKey { model, id: &id }, since);
            }
        }
        Ok(())
    }

    fn is_in_drift(&self, key: RecordKey) -> Result<bool, SqlError> {
        let drift = "SELECT drift FROM records WHERE model = ?1 AND record_id = ?2";
        let rows = self
            .sql
            .query(drift, &[Param::Text(key.model), Param::Text(key.id)])?;
        rows.first().map_or(Ok(false), |row: &Row| row.flag(0))
    }

    /// What the event `seq` says of a synchronisation that has ended.
    pub(in crate::ledger) fn sync_end(
        &self,
        dialect: &dyn Dialect,
        seq: u64,
        at: Timestamp,
    ) -> Result<Option<SyncEnd>, SqlError> {
        let Some(row) = self.one(Kept::COLUMNS, seq)? else {
            return Ok(None);
        };
        let reading = Kept::of(&row)?.read(dialect, at);
        let Meaning::Event(event) = &reading.meaning else {
            return Ok(None);
        };
        let Content::Control(fields) = &event.content else {
            return Ok(None);
        };
        let models = fields.value("models_synced").and_then(json::texts);
        Ok(Some(SyncEnd {
            seq,
            at,
            is_whole: event.kind == Kind::FirstSyncCompleted
                || fields.flag("is_backsync") == Some(true),
            is_finished: fields.flag("is_sync_finished") == Some(true),
            models: models.map(|names| names.iter().map(|name| model_name(name)).collect()),
        }))
    }
}

impl Owed {
    /// Adds a record, if it isn't there.
    pub(in crate::ledger) fn add(&mut self, key: RecordKey, since: Timestamp) {
        let is = |record: &&OwedRecord| record.model == key.model && record.id == key.id;
        if self.records.iter().any(|record| is(&record)) {
            return;
        }
        self.records.push(OwedRecord {
            model: key.model.to_owned(),
            id: key.id.to_owned(),
            since,
        });
    }
}
