//! Merging what a provider's API returned: each record becomes an event like
//! any other, if it says anything that isn't known. One that doesn't writes
//! nothing.

use super::append::{Arrival, Intake};
use super::lookup::StoredRecord;
use crate::dialect::event::{Change, Content, Event, RecordKey};
use crate::json::Object;
use crate::ledger::Ledger;
use crate::ledger::log::ROW_BYTES_MAX;
use crate::ledger::log::entry::{Entry, Facts};
use crate::ledger::log::kept::{Back, Until, asked_for};
use crate::ledger::setup::Setup;
use crate::ledger::snapshot::{Fetched, Merged, Outcome, Snapshots};
use crate::record::fold::{Incoming, fold};
use crate::record::merge::{LAG_S, agrees, is_same, is_stale, touched, updated_at};
use crate::signature::DedupeKey;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// A record that was read, and what it is read for.
struct Read<'a> {
    of: &'a Snapshots,
    /// The last number before the read, in this ledger's epoch.
    asked_seq: u64,
    setup: &'a Setup,
    now: Timestamp,
}

impl<S: Sql> Ledger<S> {
    /// Merges all of `read`, in order. An error means that some may have been
    /// merged: once more, they are known.
    pub(in crate::ledger) fn merge(
        &mut self,
        read: &Snapshots,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<Merged, SqlError> {
        // Another epoch's number says nothing here.
        let is_known = self.name.is_none() || read.epoch == Some(self.epoch);
        let of = Read {
            of: read,
            asked_seq: if is_known { read.asked_seq } else { 0 },
            setup,
            now,
        };
        let outcomes = read.items.iter().map(|item| self.merge_one(&of, item));
        let outcomes = outcomes.collect::<Result<_, _>>()?;
        Ok(Merged {
            seq: self.sequence.last(),
            epoch: self.epoch,
            outcomes,
        })
    }

    fn merge_one(&mut self, read: &Read, item: &Fetched) -> Result<Outcome, SqlError> {
        let key = RecordKey {
            model: &read.of.model,
            id: &item.id,
        };
        if item.json.len() > ROW_BYTES_MAX {
            return Ok(Outcome::TooLarge);
        }
        let Ok(event) = asked_for(key, item.json.as_bytes()) else {
            return Ok(Outcome::Unclear);
        };
        let stored = self.log.stored_record(key)?;
        let (outcome, is_written) = self.merge_event(read, key, &event, stored, item)?;
        if is_written && outcome != Outcome::TooLarge {
            // It is merged, whatever becomes of this.
            let _ = self.place(key, read.now);
        }
        Ok(outcome)
    }

    /// What becomes of one that is understood, and whether it has become an
    /// event.
    fn merge_event(
        &mut self,
        read: &Read,
        key: RecordKey,
        event: &Event,
        stored: Option<StoredRecord>,
        item: &Fetched,
    ) -> Result<(Outcome, bool), SqlError> {
        let Content::Record(_, change @ Change::Read(fields)) = &event.content else {
            return Ok((Outcome::Unclear, false));
        };
        let known = stored.as_ref().map(|stored| &stored.known);
        let known_fields = known.and_then(|known| Object::parse(&known.fields));
        let own_fields = known_fields.clone().unwrap_or_default();
        let is_whole = known.is_some_and(|known| !known.partial && !known.drift.is_some());
        if is_whole && is_same(&own_fields, fields) {
            return Ok((Outcome::Same, false));
        }
        if (read.setup.filter)
            .ignores(event, || known_fields)
            .is_some()
        {
            return Ok((Outcome::Ignored, false));
        }
        let newer = match &stored {
            Some(stored) => self.newer(read, stored, &own_fields, fields)?,
            None => Some(Vec::new()),
        };
        let Some(newer) = newer else {
            return Ok((Outcome::Stale, false));
        };
        let arrival = Arrival {
            of: &read.of.of,
            key: read_key(read.asked_seq, &item.json),
            body: item.json.as_bytes(),
            asked_seq: Some(read.asked_seq),
        };
        let incoming = Incoming {
            seq: self.sequence.next(),
            key: arrival.key,
            occurred_at: None,
            received_at: self.sequence.received_at(read.now),
            model: key.model,
            is_creation: false,
            change,
            newer: &newer,
        };
        let folded = fold(known, &incoming, Vec::new());
        let is_news = known.is_none_or(|known| {
            let record = &folded.record;
            let is_better = record.partial != known.partial || record.drift != known.drift;
            is_better || folded.changes != "{}"
        });
        let agrees = agrees(&own_fields, fields, &newer);
        if !is_news {
            let outcome = if agrees {
                Outcome::Same
            } else {
                Outcome::Overtaken
            };
            return Ok((outcome, false));
        }
        let facts = Facts {
            changes: &folded.changes,
            late: false,
            ambiguous: false,
            generation: stored
                .as_ref()
                .map(|stored| stored.generation)
                .unwrap_or_default(),
            turns: &folded.turns,
            noticed: None,
        };
        let prev_seq = stored.as_ref().map(|stored| stored.last_seq);
        let entry = Entry::record(event, key, &folded.record, prev_seq, &facts);
        if entry.quarantine.is_some() {
            return self.quarantine_read(read, arrival, key, entry);
        }
        let recent = stored.as_ref().map(|stored| stored.recent.clone());
        let intake = Intake {
            entry,
            record: Some((&folded.record, recent.unwrap_or_default())),
            ambiguous: false,
            by_key: false,
        };
        let taken = self.store(arrival, &intake, read.now)?;
        self.told.pass(self.sequence.last());
        self.remember(&read.of.of, taken, read.now);
        let outcome = if agrees {
            Outcome::Merged
        } else {
            Outcome::Overtaken
        };
        Ok((outcome, true))
    }

    /// Fields that events behind the read have touched; `None` if the read is
    /// older than what is known.
    fn newer(
        &self,
        read: &Read,
        stored: &StoredRecord,
        known: &Object,
        fields: &Object,
    ) -> Result<Option<Vec<String>>, SqlError> {
        let is_believed = read.of.is_believed;
        let (known_at, read_at) = (updated_at(known), updated_at(fields));
        let until = match known_at {
            _ if is_believed => Until::Asked,
            // Their order is clear.
            Some(_) if read_at != known_at => Until::Asked,
            Some(_) => Until::Dated,
            None => Until::Time(read.now.minus_s(LAG_S)),
        };
        let (mut touches, mut is_all) = (Vec::new(), true);
        if stored.last_seq > read.asked_seq || !matches!(until, Until::Asked) {
            let no_source = || SqlError("no such source".to_owned());
            let back = Back {
                dialect: read.setup.dialect.ok_or_else(no_source)?,
                last_seq: stored.last_seq,
                asked_seq: read.asked_seq,
                until,
            };
            (touches, is_all) = self.log.touches(&back, read.now)?;
        }
        let is_stale = !is_believed && is_stale(known, fields, &touches, read.now);
        Ok((is_all && !is_stale).then(|| touched(&touches, read.asked_seq)))
    }

    /// One with which its record is too large. The same again is known.
    fn quarantine_read(
        &mut self,
        read: &Read,
        arrival: Arrival,
        key: RecordKey,
        entry: Entry,
    ) -> Result<(Outcome, bool), SqlError> {
        let arrival = Arrival {
            key: read_key(0, std::str::from_utf8(arrival.body).unwrap_or_default()),
            ..arrival
        };
        let ever = Timestamp::from_us(0);
        if self.indexed(&arrival.key.0, Some(key), ever)?.is_some() {
            return Ok((Outcome::TooLarge, false));
        }
        let taken = self.store(arrival, &Intake::by_key(entry), read.now)?;
        self.told.pass(self.sequence.last());
        self.remember(&read.of.of, taken, read.now);
        Ok((Outcome::TooLarge, true))
    }
}

/// The key of a record that was asked for at `asked_seq`. The same record asked
/// for later is another event: in between it may have been something else.
fn read_key(asked_seq: u64, json: &str) -> DedupeKey {
    DedupeKey::of(
        "read",
        [&asked_seq.to_string(), "\n", json].concat().as_bytes(),
    )
}
