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
use crate::record::fold::{Folded, Incoming, Known, fold};
use crate::record::merge::{LAG_S, agrees, is_back, is_same, is_stale, touched, updated_at};
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
        let (outcome, is_merged) = self.merge_event(read, key, &event, stored, item)?;
        if is_merged {
            // It is merged, whatever becomes of this.
            let _ = self.place(key, read.now);
        }
        Ok(outcome)
    }

    /// What becomes of one that is understood, and whether it has changed its
    /// record.
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
        let own_fields = known_fields.as_ref();
        let is_back = is_back(known.and_then(|known| known.gone_since), fields);
        let is_whole = known.is_some_and(|known| !known.partial && !known.drift.is_some());
        if is_whole && !is_back && own_fields.is_some_and(|own| is_same(own, fields)) {
            return Ok((Outcome::Same, false));
        }
        if is_left_out(read.setup, event, own_fields) {
            return Ok((Outcome::Ignored, false));
        }
        let newer = match (&stored, own_fields) {
            (Some(stored), Some(own)) => self.newer(read, stored, own, fields)?,
            _ => Some(Vec::new()),
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
        let is_news = known.is_none_or(|known| is_news(known, &folded));
        let outcome = match own_fields.is_none_or(|own| agrees(own, fields, &newer)) {
            false => Outcome::Overtaken,
            true if is_news => Outcome::Merged,
            true => Outcome::Same,
        };
        if !is_news {
            return Ok((outcome, false));
        }
        let is_kept = self.keep(arrival, read.now, (key, event), stored.as_ref(), &folded)?;
        Ok(is_kept.map_or((outcome, true), |outcome| (outcome, false)))
    }

    /// Keeps what the provider's API has made of a record, as an event; or says
    /// what else has become of it.
    pub(super) fn keep(
        &mut self,
        arrival: Arrival,
        now: Timestamp,
        (key, event): (RecordKey, &Event),
        stored: Option<&StoredRecord>,
        folded: &Folded,
    ) -> Result<Option<Outcome>, SqlError> {
        let facts = Facts {
            changes: &folded.changes,
            late: false,
            ambiguous: false,
            generation: stored.map(|stored| stored.generation).unwrap_or_default(),
            turns: &folded.turns,
            noticed: None,
        };
        let prev_seq = stored.map(|stored| stored.last_seq);
        let entry = Entry::record(event, key, &folded.record, prev_seq, &facts);
        if entry.quarantine.is_some() {
            self.quarantine_read(arrival, key, entry, now)?;
            return Ok(Some(Outcome::TooLarge));
        }
        let recent = stored.map(|stored| stored.recent.clone());
        let intake = Intake {
            entry,
            record: Some((&folded.record, recent.unwrap_or_default())),
            ambiguous: false,
            by_key: false,
        };
        self.take_in(arrival, &intake, now)?;
        Ok(None)
    }

    /// Gives the next number to what came from the provider's API.
    fn take_in(
        &mut self,
        arrival: Arrival,
        intake: &Intake,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let taken = self.store(arrival, intake, now)?;
        self.told.pass(self.sequence.last());
        self.remember(arrival.of, taken, now);
        Ok(())
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
            Some(_) if read_at < known_at => Until::Asked,
            Some(_) if read_at == known_at => Until::Dated,
            _ => Until::Time(read.now.minus_s(LAG_S)),
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
        arrival: Arrival,
        key: RecordKey,
        entry: Entry,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let arrival = Arrival {
            key: DedupeKey::of("read", arrival.body),
            ..arrival
        };
        let ever = Timestamp::from_us(0);
        match self.indexed(&arrival.key.0, Some(key), ever)? {
            Some(_) => Ok(()),
            None => self.take_in(arrival, &Intake::by_key(entry), now),
        }
    }
}

/// True if a filter leaves out an event about a record with these fields.
pub(super) fn is_left_out(setup: &Setup, event: &Event, fields: Option<&Object>) -> bool {
    setup.filter.ignores(event, || fields.cloned()).is_some()
}

/// True if a read has made anything else of the record than is `known`.
fn is_news(known: &Known, folded: &Folded) -> bool {
    let record = &folded.record;
    let is_better = record.partial != known.partial || record.drift != known.drift;
    is_better || record.gone_since != known.gone_since || folded.changes != "{}"
}

/// The key of a record that was asked for at `asked_seq`. The same record asked
/// for later is another event: in between it may have been something else.
fn read_key(asked_seq: u64, json: &str) -> DedupeKey {
    DedupeKey::of(
        "read",
        [&asked_seq.to_string(), "\n", json].concat().as_bytes(),
    )
}
