//! One record, folded again from its kept events, in the order of the log.
//!
//! Where the oldest of them have gone with old history, what they left is the
//! ground that the others are folded onto: see [`super::ground`]. A record with
//! more events than fit into a step is gone on with in the next one: see
//! [`super::refold`]. Events about it that come in meanwhile are part of its
//! chain, and are reached in the end.

use super::event::Anew;
use super::refold::{Folding, Refold, Version};
use super::{Names, Step};
use crate::dialect::event::{Content, Event, Kind, Unclear};
use crate::dialect::filter::{self, Ignored};
use crate::dialect::{self, Meaning};
use crate::json::Object;
use crate::ledger::intake::Memory;
use crate::ledger::intake::dedupe::Recent;
use crate::ledger::intake::tied::Like;
use crate::ledger::log::ROW_BYTES_MAX;
use crate::ledger::{Ledger, NOT_APPLIED, beyond_us, key};
use crate::record::cloudevent::RecordData;
use crate::record::fold::{Incoming, Known, fold, late};
use crate::record::occupancy::{self, Noticed, Turn};
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// What an event says besides its record: `1 17` if it is ambiguous and of
/// generation 17. Its columns have it as it was taken in; where they don't
/// know, because 0.1.0 took it in, or a replay has written it since, its data
/// does.
const WRITTEN: &str = "
    CASE WHEN ambiguous IS NOT NULL AND replay IS NULL THEN ambiguous || ' ' || generation
    ELSE (SELECT coalesce(json_extract(whole, '$.ambiguous'), 0) || ' '
                 || coalesce(json_extract(whole, '$.generation'), 0)
          FROM (SELECT coalesce(e.data, (SELECT l.data FROM large AS l WHERE l.seq = e.seq))
                         AS whole)) END";

/// What is read of an event, with [`WRITTEN`] behind it.
const MEMBER: &str = "body, key, prev_seq, received_at, coalesce(octet_length(data), 0)";

impl<S: Sql> Ledger<S> {
    /// Folds records again that `step` has to, as far as it goes.
    pub(super) fn fold_on(&self, step: &mut Step) -> Result<(), SqlError> {
        while step.budget.is_left()
            && let Some(mut refold) = step.refolds.pop_front()
        {
            if !self.fold_record(step, &mut refold)? {
                step.refolds.push_front(refold);
            }
        }
        Ok(())
    }

    /// Folds a record again, as far as the step goes; true if it is done.
    fn fold_record(&self, step: &mut Step, refold: &mut Refold) -> Result<bool, SqlError> {
        let added = refold.added;
        let memory = self.recall_named(refold.names())?;
        let mut folding = match refold.folding.take() {
            Some(folding) => folding.within(memory.as_ref()),
            None => match self.begin_folding(step, refold.names(), memory.as_ref(), added)? {
                Some(folding) => folding,
                None => return Ok(true),
            },
        };
        let last_seq = memory.as_ref().map(|memory| memory.last_seq);
        let linked = self.chain(folding.last_seq.or(last_seq), 0, 1)?;
        folding.has_ground = linked.gone.is_some();
        let present = memory.as_ref().map(|memory| memory.known.fields.as_str());
        loop {
            let mut chain = self.chain(last_seq, folding.through, step.budget.rows())?;
            if let Some(added) = added.filter(|added| *added > folding.through)
                && let Err(at) = chain.seqs.binary_search(&added)
                && (chain.reaches_end || at < chain.seqs.len())
            {
                chain.seqs.insert(at, added);
            }
            let last = chain.seqs.last().copied().filter(|_| chain.reaches_end);
            for seq in chain.seqs {
                if !step.budget.is_left() {
                    refold.folding = Some(folding);
                    return Ok(false);
                }
                let is_last = last == Some(seq);
                self.fold_member(step, refold.names(), &mut folding, seq, is_last, present)?;
                folding.through = seq;
            }
            if chain.reaches_end {
                break;
            }
            if !step.budget.is_left() {
                refold.folding = Some(folding);
                return Ok(false);
            }
        }
        self.finish(step, refold.names(), &folding, memory)?;
        Ok(true)
    }

    /// Begins with a record; `None` if nothing can be folded: an event is to be
    /// added that is older than one whose body was discarded, or than one that
    /// is gone and has been folded onto it.
    fn begin_folding(
        &self,
        step: &mut Step,
        names: Names,
        memory: Option<&Memory>,
        added: Option<u64>,
    ) -> Result<Option<Folding>, SqlError> {
        let chain = self.chain(memory.map(|memory| memory.last_seq), 0, 1)?;
        let ground = memory.filter(|_| chain.gone.is_some());
        let first = chain.seqs.first().copied();
        if let (Some(gone), Some(added)) = (chain.gone, added)
            && added < gone
            && (self.one("1", gone)?.is_some() || self.is_folded_in(added, names)?)
        {
            return Ok(None);
        }
        if first.or(added).is_none() && ground.is_some() {
            return Ok(None);
        }
        let ground = match ground {
            Some(memory) => Some(self.ground_of(step, &memory.known, first, added)?),
            None => None,
        };
        Ok(Some(Folding {
            has_ground: ground.is_some(),
            through: 0,
            known: ground,
            last_seq: None,
            generation: memory.map_or(0, |memory| memory.generation),
            last_generation: 0,
            version: None,
            noticed: Noticed {
                // Before, events are gone of which the notices hold.
                from: (first.into_iter().chain(added).min().unwrap_or(0))
                    .max(self.segments.kept_from()),
                ..Noticed::default()
            },
        }))
    }

    /// True if the event `seq` is one of the record `names` already.
    fn is_folded_in(&self, seq: u64, names: Names) -> Result<bool, SqlError> {
        let columns = format!(
            "coalesce(quarantine, '{NOT_APPLIED}') = '{NOT_APPLIED}' AND ignored IS NULL,
             model, record_id"
        );
        let Some(row) = self.one(&columns, seq)? else {
            return Ok(false);
        };
        let of = row.maybe_text(1)?.zip(row.maybe_text(2)?);
        Ok(row.flag(0)? && of == Some(names))
    }

    fn member(&self, seq: u64) -> Result<Option<Row>, SqlError> {
        self.one(&format!("{MEMBER}, {WRITTEN}"), seq)
    }

    /// Folds one event of the chain, and writes it if the replay asks for it:
    /// the last one under a new generation, which makes it win over all states
    /// before, those before it under the one that the record had. `present` are
    /// the record's fields before the replay.
    fn fold_member(
        &self,
        step: &mut Step,
        names: Names,
        folding: &mut Folding,
        seq: u64,
        is_last: bool,
        present: Option<&str>,
    ) -> Result<(), SqlError> {
        let Some(row) = self.member(seq)? else {
            return Ok(());
        };
        let body = row.blob(0)?;
        step.budget
            .spend((body.len() as u64).saturating_add(row.number(4)?));
        let reading = dialect::read(step.reader.dialect, body, step.now);
        let Meaning::Event(event) = &reading.meaning else {
            return self.pass(folding, seq, &row);
        };
        let Content::Record(subject, change) = &event.content else {
            return self.pass(folding, seq, &row);
        };
        if subject.names() != names {
            return self.pass(folding, seq, &row);
        }
        let is_asked_for = (step.job.from..=step.job.to).contains(&seq)
            && step.wanted.ignores(event, || None).is_none();
        let known = folding.known.as_ref();
        let known = known.and_then(|known| Object::parse(&known.fields));
        // To which property it belongs may have become known later.
        let fields = || {
            known
                .filter(filter::is_placed)
                .or_else(|| Object::parse(present?))
        };
        if is_asked_for && let Some(ignored) = step.reader.filter.ignores(event, fields) {
            self.take_out(folding, names, seq, (event.occurred_at, key(&row, 1)?))?;
            return self.ignore_again(step, seq, event, ignored);
        }
        let incoming = Incoming {
            seq,
            key: key(&row, 1)?,
            occurred_at: event.occurred_at,
            received_at: Timestamp::from_us(row.integer(3)?),
            model: &subject.model,
            is_creation: event.kind == Kind::RecordCreated,
            change,
        };
        let tied = match incoming.tied_at(folding.known.as_ref()) {
            Some(time) => {
                let like = Like::new(step.reader.dialect, subject, time);
                self.tied(&like, folding.last_seq, step.now)?
            }
            None => Vec::new(),
        };
        let was = self.was_written(folding, seq)?;
        let folded = match &folding.known {
            Some(known) if folding.stays_late(was.as_ref(), event.occurred_at) => {
                late(known, change.stated())
            }
            known => fold(known.as_ref(), &incoming, tied),
        };
        let turns = was.map_or(folded.turns, |was| was.turns);
        let (ambiguous, own) = written(&row, 5)?;
        let generation = match is_asked_for {
            true if is_last => folding.next_generation(step),
            true => own.min(folding.generation).max(folding.last_generation),
            false => own.max(folding.last_generation),
        };
        let data = data(
            event,
            names,
            &folded.record,
            &Told {
                changes: &folded.changes,
                late: folded.late,
                ambiguous,
                generation,
                turns: &turns,
                noticed: None,
            },
        );
        let Some(data) = data else {
            let anew = Anew {
                quarantine: Some(Unclear::TooLarge),
                ..Anew::default()
            };
            return self.write_again(step, seq, &anew);
        };
        let prev_seq = folding
            .last_seq
            .or(row.maybe_number(2)?.filter(|_| folding.is_first()));
        if is_asked_for {
            let anew = Anew {
                data: Some(&data),
                prev_seq,
                ..Anew::of(event)
            };
            self.write_again(step, seq, &anew)?;
        } else if prev_seq != row.maybe_number(2)? {
            self.link(seq, prev_seq)?;
        }
        folding.last_seq = Some(seq);
        folding.last_generation = generation;
        folding.noticed.add(seq, &turns);
        // A late event changes the record's timeline alone.
        folding.known = Some(folded.record);
        if !folded.late {
            folding.version = Some(Version {
                seq,
                changes: folded.changes,
                generation: if is_asked_for { generation } else { 0 },
            });
        }
        Ok(())
    }

    /// Keeps an event in the chain that says nothing of the record today, and
    /// is for another step to see to.
    fn pass(&self, folding: &mut Folding, seq: u64, row: &Row) -> Result<(), SqlError> {
        let prev_seq = row.maybe_number(2)?;
        if folding.last_seq.is_some() && prev_seq != folding.last_seq {
            self.link(seq, folding.last_seq)?;
        }
        folding.last_seq = Some(seq);
        Ok(())
    }

    fn ignore_again(
        &self,
        step: &mut Step,
        seq: u64,
        event: &Event,
        ignored: Ignored,
    ) -> Result<(), SqlError> {
        match (ignored, event.subject()) {
            (Ignored::Property, _) => self.keep_unlinked(seq, event, step.now)?,
            (Ignored::NoProperty, Some(subject)) => {
                self.keep_unplaced(seq, subject)?;
                step.has_unplaced = true;
            }
            _ => {}
        }
        let anew = Anew {
            ignored: Some(ignored),
            ..Anew::of(event)
        };
        self.write_again(step, seq, &anew)
    }

    /// Keeps the record, and sends its last version again if it isn't what it
    /// was, or one of its events was written anew.
    fn finish(
        &self,
        step: &mut Step,
        names: Names,
        folding: &Folding,
        memory: Option<Memory>,
    ) -> Result<(), SqlError> {
        let (model, record_id) = names;
        let (Some(known), Some(last_seq)) = (&folding.known, folding.last_seq) else {
            let statement = "DELETE FROM records WHERE model = ?1 AND record_id = ?2";
            let names = [Param::Text(model), Param::Text(record_id)];
            return self.sql.execute(statement, &names);
        };
        self.write_version(step, names, folding, known)?;
        let recent = match memory {
            Some(memory) => memory.recent,
            None => Recent::default(),
        };
        let timeline = Some(known.timeline.to_bytes()).filter(|bytes| !bytes.is_empty());
        self.sql.execute(
            "INSERT OR REPLACE INTO records (model, record_id, last_seq, version, fields, partial,
                                             drift, occurred_at, version_key, generation, recent,
                                             occupancy, occurred_ns, drifted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            &[
                Param::Text(model),
                Param::Text(record_id),
                last_seq.into(),
                known.version.into(),
                Param::Text(&known.fields),
                known.partial.into(),
                known.drift.is_some().into(),
                known.occurred_at.map(Timestamp::us).into(),
                Param::Blob(&known.key.0),
                folding.next_generation(step).into(),
                Param::Blob(&recent.to_bytes()),
                timeline.as_deref().into(),
                beyond_us(known.occurred_at).into(),
                known.drift.to_json().as_deref().into(),
            ],
        )
    }

    /// Writes the event of the last version with the new generation, which is
    /// what makes it win over all states before.
    fn write_version(
        &self,
        step: &mut Step,
        names: Names,
        folding: &Folding,
        known: &Known,
    ) -> Result<(), SqlError> {
        let is_unit = names.0 == occupancy::MODEL;
        let generation = folding.next_generation(step);
        let is_done = |version: &&Version| version.generation == generation && !is_unit;
        let Some(version) = folding.version.as_ref().filter(|version| !is_done(version)) else {
            return Ok(());
        };
        let Some(row) = self.member(version.seq)? else {
            return Ok(());
        };
        let reading = dialect::read(step.reader.dialect, row.blob(0)?, step.now);
        let Meaning::Event(event) = &reading.meaning else {
            return Ok(());
        };
        let noticed = Noticed {
            to: folding.last_seq.unwrap_or(0),
            ..folding.noticed.clone()
        };
        let ambiguous = written(&row, 5)?.0;
        let turns = noticed.turns_of(version.seq);
        let told = |noticed| Told {
            changes: &version.changes,
            late: false,
            ambiguous,
            generation,
            turns: &turns,
            noticed,
        };
        let data_with = |noticed| data(event, names, known, &told(noticed));
        let data = data_with(Some(&noticed).filter(|_| is_unit)).or_else(|| data_with(None));
        let anew = Anew {
            data: data.as_deref(),
            prev_seq: row.maybe_number(2)?,
            ..Anew::of(event)
        };
        self.write_again(step, version.seq, &anew)
    }
}

impl Folding {
    fn is_first(&self) -> bool {
        self.last_seq.is_none()
    }

    /// Goes on with a record of which this is known now.
    fn within(mut self, memory: Option<&Memory>) -> Self {
        let generation = memory.map_or(0, |memory| memory.generation);
        self.generation = self.generation.max(generation);
        self
    }

    /// The generation of what the record becomes. One replay may fold a record
    /// twice, where it brings in two of its events: the second state wins over
    /// the first one.
    fn next_generation(&self, step: &Step) -> u64 {
        step.job.number.max(self.generation.saturating_add(1))
    }
}

/// What an event's data says beside the record.
struct Told<'a> {
    changes: &'a str,
    late: bool,
    ambiguous: bool,
    generation: u64,
    turns: &'a [Turn],
    noticed: Option<&'a Noticed>,
}

fn data(event: &Event, (model, record_id): Names, record: &Known, told: &Told) -> Option<String> {
    RecordData {
        event: event.name.as_deref(),
        model,
        record_id,
        changes: told.changes,
        record: &record.fields,
        version: record.version,
        partial: record.partial,
        drift: record.drift.is_some(),
        late: told.late,
        ambiguous: told.ambiguous,
        generation: told.generation,
        turns: told.turns,
        noticed: told.noticed,
    }
    .within(ROW_BYTES_MAX)
}

/// Whether an event is ambiguous, and its generation, from column `at` as
/// [`WRITTEN`] has it.
fn written(row: &Row, at: usize) -> Result<(bool, u64), SqlError> {
    let parts = row.text(at)?.split_once(' ');
    let read = parts.and_then(|(flag, number)| Some((flag == "1", number.parse().ok()?)));
    read.ok_or_else(|| SqlError("an event says something else of itself".to_owned()))
}
