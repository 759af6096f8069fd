//! One event, read again: what becomes of its row.

use super::Step;
use super::refold::Refold;
use crate::dialect::Meaning;
use crate::dialect::event::{Content, Event, Kind, RecordKey, Subject, Unclear};
use crate::dialect::filter::Ignored;
use crate::json::Object;
use crate::ledger::log::Log;
use crate::ledger::log::entry::Entry;
use crate::ledger::log::kept::Kept;
use crate::ledger::{NOT_APPLIED, Rewrite, SeqRange, beyond_us, first, record_key};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// What an event was about before it is read again.
struct Was<'a> {
    /// Its record, if it was part of one.
    key: Option<RecordKey<'a>>,
    /// The event before about the same record.
    prev_seq: Option<u64>,
}

impl<S: Sql> Log<S> {
    /// Reads the event `seq` again, and notes which records are to be folded
    /// again for it.
    pub(super) fn reread(&self, step: &mut Step, seq: u64) -> Result<(), SqlError> {
        // One that couldn't be applied is part of its record all the same.
        let columns = format!(
            "{}, coalesce(quarantine, '{NOT_APPLIED}') = '{NOT_APPLIED}' AND ignored IS NULL,
             coalesce(replay, 0), prev_seq",
            Kept::COLUMNS
        );
        let Some(row) = self.one(&columns, seq)? else {
            return Ok(());
        };
        // A record that was folded again has taken it along.
        if Rewrite(row.number(5)?) >= step.job.written_from {
            return Ok(());
        }
        let kept = Kept::of(&row)?;
        let was = Was {
            key: record_key(&row, 2)?.filter(|_| row.flag(4) == Ok(true)),
            prev_seq: row.maybe_number(6)?,
        };
        step.budget.spend(kept.body.len() as u64);
        let reading = kept.read(step.reader.dialect, step.now);
        let event = match &reading.meaning {
            Meaning::Event(event) => event,
            Meaning::Unclear(unclear) => {
                let ahead = reading.ahead.as_ref();
                return self.leave_out(step, seq, &was, *unclear, ahead);
            }
            Meaning::Ping => {
                return self.leave_out(step, seq, &was, Unclear::UnknownEnvelope, None);
            }
        };
        if !step.wanted.selects(event) {
            return Ok(());
        }
        match &event.content {
            Content::Control(fields) => {
                self.fold_without(step, seq, &was, None)?;
                self.reread_control(step, seq, event, fields)
            }
            Content::Record(subject, _) => {
                self.fold_without(step, seq, &was, Some(subject.key()))?;
                let refold = Refold::new(subject.key(), Some(seq));
                step.refolds.push_back(refold);
                Ok(())
            }
        }
    }

    /// The event isn't understood any more.
    fn leave_out(
        &self,
        step: &mut Step,
        seq: u64,
        was: &Was,
        unclear: Unclear,
        about: Option<&Subject>,
    ) -> Result<(), SqlError> {
        self.fold_without(step, seq, was, None)?;
        self.rewrite(step, seq, &Entry::unclear(unclear, about))
    }

    /// Takes the event out of the record that it has left, if it has left one,
    /// and notes that this is to be folded again.
    fn fold_without(
        &self,
        step: &mut Step,
        seq: u64,
        was: &Was,
        is: Option<RecordKey>,
    ) -> Result<(), SqlError> {
        if let Some(key) = was.key
            && is != Some(key)
        {
            self.unlink(seq, was.prev_seq, key)?;
            step.refolds.push_back(Refold::new(key, None));
        }
        Ok(())
    }

    fn reread_control(
        &self,
        step: &mut Step,
        seq: u64,
        event: &Event,
        fields: &Object,
    ) -> Result<(), SqlError> {
        let entry = Entry::control(event, fields, step.reader.filter);
        if entry.ends_sync {
            let received_at = self.one("received_at", seq)?;
            let received_at = received_at.map(|row| row.integer(0)).transpose()?;
            let received_at = received_at.map_or(step.now, Timestamp::from_us);
            self.store_synced(entry.synced_at(received_at))?;
        }
        self.rewrite(step, seq, &entry)
    }

    /// Writes the row of the event `seq` entry.
    pub(super) fn rewrite(&self, step: &mut Step, seq: u64, entry: &Entry) -> Result<(), SqlError> {
        let Some(segment) = self.segments.of(seq) else {
            return Ok(());
        };
        let table = segment.table();
        let statement = format!("SELECT length(body) FROM {table} WHERE seq = ?1");
        let body_bytes = first(self.sql.query(&statement, &[seq.into()])?)?.number(0)?;
        let (data, large) = entry.split_data(usize::try_from(body_bytes).unwrap_or(usize::MAX));
        self.store_large(seq, large)?;
        let statement = format!(
            "UPDATE {table} SET model = ?2, record_id = ?3, name = ?4, kind = ?5, occurred_at = ?6,
                    quarantine = ?7, ignored = ?8, data = ?9, prev_seq = ?10, replay = ?11,
                    occurred_ns = ?12, generation = ?13
             WHERE seq = ?1"
        );
        self.sql.execute(
            &statement,
            &[
                seq.into(),
                entry.record.map(|key| key.model).into(),
                entry.record.map(|key| key.id).into(),
                entry.name.into(),
                entry.kind.map(Kind::name).into(),
                entry.occurred_at.map(Timestamp::us).into(),
                entry.quarantine.map(Unclear::label).into(),
                entry.ignored.map(Ignored::label).into(),
                data.into(),
                entry.prev_seq.into(),
                step.job.next_rewrite().into(),
                beyond_us(entry.occurred_at).into(),
                entry.generation.into(),
            ],
        )?;
        step.touched.insert(SeqRange::one(seq));
        Ok(())
    }

    fn store_large(&self, seq: u64, data: Option<&str>) -> Result<(), SqlError> {
        match data {
            Some(data) => self.sql.execute(
                "INSERT OR REPLACE INTO large (seq, data) VALUES (?1, ?2)",
                &[seq.into(), Param::Text(data)],
            ),
            None => self
                .sql
                .execute("DELETE FROM large WHERE seq = ?1", &[seq.into()]),
        }
    }

    /// Notes a property that isn't linked.
    pub(super) fn store_unlinked(
        &self,
        seq: u64,
        property: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.sql.execute(
            "INSERT OR IGNORE INTO unlinked (property_id, first_seq, first_seen_at)
             VALUES (?1, ?2, ?3)",
            &[property.into(), seq.into(), now.us().into()],
        )
    }
}
