//! One event, read again: what becomes of its row.

use super::refold::Refold;
use super::{Names, Step};
use crate::dialect::event::{Content, Event, Kind, Subject, Unclear};
use crate::dialect::filter::{self, Ignored};
use crate::dialect::{self, Meaning};
use crate::json::Object;
use crate::ledger::intake::is_end_of_sync;
use crate::ledger::log::ROW_BYTES_MAX;
use crate::ledger::{Ledger, NOT_APPLIED, beyond_us, first};
use crate::record::cloudevent::control_data;
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// What an event's row says once it is read again.
#[derive(Default)]
pub(super) struct Anew<'a> {
    pub subject: Option<(&'a str, &'a str)>,
    pub name: Option<&'a str>,
    pub kind: Option<Kind>,
    pub occurred_at: Option<Timestamp>,
    pub quarantine: Option<Unclear>,
    pub ignored: Option<Ignored>,
    pub data: Option<&'a str>,
    pub prev_seq: Option<u64>,
}

impl<'a> Anew<'a> {
    /// Of an event about a record, or about none.
    pub fn of(event: &'a Event) -> Self {
        Self {
            subject: event.subject().map(Subject::names),
            name: event.name.as_deref(),
            kind: Some(event.kind),
            occurred_at: event.occurred_at,
            ..Self::default()
        }
    }
}

/// What an event was about before it is read again.
struct Was<'a> {
    /// Its record, if it was part of one.
    names: Option<Names<'a>>,
    /// The event before about the same record.
    prev_seq: Option<u64>,
}

impl<S: Sql> Ledger<S> {
    /// Reads the event `seq` again, and notes which records are to be folded
    /// again for it.
    pub(super) fn read_again(&self, step: &mut Step, seq: u64) -> Result<(), SqlError> {
        // One that couldn't be applied is part of its record all the same.
        let columns = format!(
            "body, model, record_id,
             coalesce(quarantine, '{NOT_APPLIED}') = '{NOT_APPLIED}' AND ignored IS NULL,
             coalesce(replay, 0), prev_seq"
        );
        let Some(row) = self.one(&columns, seq)? else {
            return Ok(());
        };
        // A record that was folded again has taken it along.
        if row.number(4)? >= step.job.written_from {
            return Ok(());
        }
        let names = row.maybe_text(1)?.zip(row.maybe_text(2)?);
        let was = Was {
            names: names.filter(|_| row.flag(3) == Ok(true)),
            prev_seq: row.maybe_number(5)?,
        };
        step.budget.spend(row.blob(0)?.len() as u64);
        let reading = dialect::read(step.reader.dialect, row.blob(0)?, step.now);
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
        if step.wanted.ignores(event, || None).is_some() {
            return Ok(());
        }
        match &event.content {
            Content::Control(fields) => {
                self.fold_without(step, seq, &was, None)?;
                self.take_control_again(step, seq, event, fields)
            }
            Content::Record(subject, _) => {
                self.fold_without(step, seq, &was, Some(subject.names()))?;
                let refold = Refold::new(subject.names(), Some(seq));
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
        let anew = Anew {
            quarantine: Some(unclear),
            subject: about.map(Subject::names),
            ..Anew::default()
        };
        self.write_again(step, seq, &anew)
    }

    /// Takes the event out of the record that it has left, if it has left one,
    /// and notes that this is to be folded again.
    fn fold_without(
        &self,
        step: &mut Step,
        seq: u64,
        was: &Was,
        is: Option<Names>,
    ) -> Result<(), SqlError> {
        if let Some(names) = was.names
            && is != Some(names)
        {
            self.unlink(seq, was.prev_seq, names)?;
            step.refolds.push_back(Refold::new(names, None));
        }
        Ok(())
    }

    fn take_control_again(
        &self,
        step: &mut Step,
        seq: u64,
        event: &Event,
        fields: &Object,
    ) -> Result<(), SqlError> {
        let data = control_data(event.name.as_deref(), fields);
        let mut anew = Anew::of(event);
        match step.reader.filter.ignores(event, || None) {
            Some(ignored) => anew.ignored = Some(ignored),
            None => anew.data = Some(&data),
        }
        if anew.ignored.is_none() && is_end_of_sync(event, fields) {
            let received_at = self.one("received_at", seq)?;
            let received_at = received_at.map(|row| row.integer(0)).transpose()?;
            let at = event.occurred_at.or(received_at.map(Timestamp::from_us));
            self.keep_synced(at.unwrap_or(step.now))?;
        }
        self.write_again(step, seq, &anew)
    }

    /// Writes the row of the event `seq` anew.
    pub(super) fn write_again(
        &self,
        step: &mut Step,
        seq: u64,
        anew: &Anew,
    ) -> Result<(), SqlError> {
        let Some((segment, ..)) = self.segments.within(seq, seq).next() else {
            return Ok(());
        };
        let table = segment.table();
        let statement = format!("SELECT length(body) FROM {table} WHERE seq = ?1");
        let body_bytes = first(self.sql.query(&statement, &[seq.into()])?)?.number(0)?;
        let data_bytes = anew.data.map_or(0, str::len) as u64;
        let large = anew
            .data
            .filter(|_| body_bytes.saturating_add(data_bytes) > ROW_BYTES_MAX as u64);
        self.keep_large(seq, large)?;
        let statement = format!(
            "UPDATE {table} SET model = ?2, record_id = ?3, name = ?4, kind = ?5, occurred_at = ?6,
                    quarantine = ?7, ignored = ?8, data = ?9, prev_seq = ?10, replay = ?11,
                    occurred_ns = ?12
             WHERE seq = ?1"
        );
        let (model, record_id) = anew.subject.unzip();
        self.sql.execute(
            &statement,
            &[
                seq.into(),
                model.into(),
                record_id.into(),
                anew.name.into(),
                anew.kind.map(Kind::name).into(),
                anew.occurred_at.map(Timestamp::us).into(),
                anew.quarantine.map(Unclear::label).into(),
                anew.ignored.map(Ignored::label).into(),
                anew.data.filter(|_| large.is_none()).into(),
                anew.prev_seq.into(),
                step.job.next_number().into(),
                beyond_us(anew.occurred_at).into(),
            ],
        )?;
        step.touched.insert(seq, seq);
        Ok(())
    }

    fn keep_large(&self, seq: u64, data: Option<&str>) -> Result<(), SqlError> {
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
    pub(super) fn keep_unlinked(
        &self,
        seq: u64,
        event: &Event,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let Some(property) = filter::property(event) else {
            return Ok(());
        };
        self.sql.execute(
            "INSERT OR IGNORE INTO unlinked (property_id, first_seq, first_seen_at)
             VALUES (?1, ?2, ?3)",
            &[property.as_ref().into(), seq.into(), now.us().into()],
        )
    }
}
