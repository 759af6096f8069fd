//! One record, folded again from its kept events, in the order of the log.
//!
//! Where the oldest of them have gone with old history, what they left is the
//! ground that the others are folded onto: see [`super::ground`]. A record with
//! more events than fit into a step is gone on with in the next one: see
//! [`super::refold`]. Events about it that come in meanwhile are part of its
//! chain, and are reached in the end.

use super::Step;
use super::member::Member;
use super::refold::{Folding, Refold, Version};
use crate::dialect::Meaning;
use crate::dialect::event::{Content, Kind, RecordKey};
use crate::dialect::filter::{self, Ignored};
use crate::json::Object;
use crate::ledger::intake::StoredRecord;
use crate::ledger::intake::dedupe::Recent;
use crate::ledger::intake::tied::Like;
use crate::ledger::log::Log;
use crate::ledger::log::entry::{Entry, Facts, record_data};
use crate::ledger::log::kept::{Back, Until};
use crate::ledger::{NOT_APPLIED, beyond_us, record_key};
use crate::record::fold::{Incoming, Known, fold, late};
use crate::record::generation::Generation;
use crate::record::merge::touched;
use crate::record::occupancy::{self, Noticed};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

impl<S: Sql> Log<S> {
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
        let stored = self.stored_record(refold.key())?;
        let mut folding = match refold.folding.take() {
            Some(folding) => folding.within(stored.as_ref()),
            None => match self.begin_folding(step, refold.key(), stored.as_ref(), added)? {
                Some(folding) => folding,
                None => return Ok(true),
            },
        };
        let last_seq = stored.as_ref().map(|stored| stored.last_seq);
        let linked = self.chain(folding.last_seq.or(last_seq), 0, 1)?;
        folding.has_ground = linked.gone.is_some();
        let present = stored.as_ref().map(|stored| stored.known.fields.as_str());
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
                self.fold_member(step, refold.key(), &mut folding, seq, is_last, present)?;
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
        self.finish(step, refold.key(), &folding, stored)?;
        Ok(true)
    }

    /// Begins with a record; `None` if nothing can be folded: an event is to be
    /// added that is older than one whose body was discarded, or than one that
    /// is gone and has been folded onto it.
    fn begin_folding(
        &self,
        step: &mut Step,
        key: RecordKey,
        stored: Option<&StoredRecord>,
        added: Option<u64>,
    ) -> Result<Option<Folding>, SqlError> {
        let chain = self.chain(stored.map(|stored| stored.last_seq), 0, 1)?;
        let ground = stored.filter(|_| chain.gone.is_some());
        let first = chain.seqs.first().copied();
        if let (Some(gone), Some(added)) = (chain.gone, added)
            && added < gone
            && (self.one("1", gone)?.is_some() || self.is_folded_in(added, key)?)
        {
            return Ok(None);
        }
        if first.or(added).is_none() && ground.is_some() {
            return Ok(None);
        }
        let ground = match ground {
            Some(stored) => Some(self.ground_of(step, &stored.known, first, added)?),
            None => None,
        };
        Ok(Some(Folding {
            has_ground: ground.is_some(),
            through: 0,
            known: ground,
            last_seq: None,
            generation: stored.map(|stored| stored.generation).unwrap_or_default(),
            last_generation: Generation::default(),
            version: None,
            noticed: Noticed {
                // Before, events are gone of which the notices hold.
                from: (first.into_iter().chain(added).min().unwrap_or(0))
                    .max(self.segments.kept_from()),
                ..Noticed::default()
            },
        }))
    }

    /// True if the event `seq` is one of the record `key` already.
    fn is_folded_in(&self, seq: u64, key: RecordKey) -> Result<bool, SqlError> {
        let columns = format!(
            "coalesce(quarantine, '{NOT_APPLIED}') = '{NOT_APPLIED}' AND ignored IS NULL,
             model, record_id"
        );
        let Some(row) = self.one(&columns, seq)? else {
            return Ok(false);
        };
        Ok(row.flag(0)? && record_key(&row, 1)? == Some(key))
    }

    /// Folds one event of the chain, and writes it if the replay asks for it:
    /// the last one under a new generation, which makes it win over all states
    /// before, those before it under the one that the record had. `present` are
    /// the record's fields before the replay.
    fn fold_member(
        &self,
        step: &mut Step,
        key: RecordKey,
        folding: &mut Folding,
        seq: u64,
        is_last: bool,
        present: Option<&str>,
    ) -> Result<(), SqlError> {
        let Some(row) = self.member(seq)? else {
            return Ok(());
        };
        let member = Member::of(&row)?;
        step.budget.spend(member.bytes);
        let reading = member.kept.read(step.reader.dialect, step.now);
        let Meaning::Event(event) = &reading.meaning else {
            return self.pass(folding, seq, member.prev_seq);
        };
        let Content::Record(subject, change) = &event.content else {
            return self.pass(folding, seq, member.prev_seq);
        };
        if subject.key() != key {
            return self.pass(folding, seq, member.prev_seq);
        }
        let is_asked_for =
            (step.job.from..=step.job.to).contains(&seq) && step.wanted.selects(event);
        let known = folding.known.as_ref();
        let known = known.and_then(|known| Object::parse(&known.fields));
        // To which property it belongs may have become known later.
        let fields = || {
            known
                .filter(filter::is_placed)
                .or_else(|| Object::parse(present?))
        };
        if is_asked_for && let Some(ignored) = step.reader.filter.ignores(event, fields) {
            self.take_out(folding, key, seq, (event.occurred_at, member.key))?;
            return self.rewrite_ignored(step, seq, &Entry::ignored(event, ignored));
        }
        let newer = self.newer(step, folding, member.kept.asked_seq())?;
        let incoming = Incoming {
            seq,
            key: member.key,
            occurred_at: event.occurred_at,
            received_at: member.received_at,
            model: &subject.model,
            is_creation: event.kind == Kind::RecordCreated,
            change,
            newer: &newer,
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
        let own = member.generation;
        let generation = match is_asked_for {
            true if is_last => folding.next_generation(step),
            true => own.min(folding.generation).max(folding.last_generation),
            false => own.max(folding.last_generation),
        };
        let prev_seq = folding
            .last_seq
            .or(member.prev_seq.filter(|_| folding.is_first()));
        let facts = Facts {
            changes: &folded.changes,
            late: folded.late,
            ambiguous: member.ambiguous,
            generation,
            turns: &turns,
            noticed: None,
        };
        let entry = Entry::record(event, key, &folded.record, prev_seq, &facts);
        if entry.quarantine.is_some() {
            return self.rewrite(step, seq, &entry);
        }
        if is_asked_for {
            self.rewrite(step, seq, &entry)?;
        } else if prev_seq != member.prev_seq {
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
                generation: if is_asked_for {
                    generation
                } else {
                    Generation::default()
                },
            });
        }
        Ok(())
    }

    /// Fields of a record that was asked for at `asked_seq` which events folded
    /// so far have touched since.
    fn newer(
        &self,
        step: &Step,
        folding: &Folding,
        asked_seq: Option<u64>,
    ) -> Result<Vec<String>, SqlError> {
        let (Some(asked_seq), Some(last_seq)) = (asked_seq, folding.last_seq) else {
            return Ok(Vec::new());
        };
        let back = Back {
            dialect: step.reader.dialect,
            last_seq,
            asked_seq,
            until: Until::Asked,
        };
        let (touches, _) = self.touches(&back, step.now)?;
        Ok(touched(&touches, asked_seq))
    }

    /// Keeps an event in the chain that says nothing of the record today, and
    /// is for another step to see to.
    fn pass(&self, folding: &mut Folding, seq: u64, prev_seq: Option<u64>) -> Result<(), SqlError> {
        if folding.last_seq.is_some() && prev_seq != folding.last_seq {
            self.link(seq, folding.last_seq)?;
        }
        folding.last_seq = Some(seq);
        Ok(())
    }

    fn rewrite_ignored(&self, step: &mut Step, seq: u64, entry: &Entry) -> Result<(), SqlError> {
        if let Some(property) = &entry.unlinked {
            self.store_unlinked(seq, property, step.now)?;
        }
        if let (Some(Ignored::NoProperty), Some(key)) = (entry.ignored, entry.record) {
            self.store_unplaced(seq, key)?;
            step.has_unplaced = true;
        }
        self.rewrite(step, seq, entry)
    }

    /// Keeps the record, and sends its last version again if it isn't what it
    /// was, or one of its events was written anew.
    fn finish(
        &self,
        step: &mut Step,
        key: RecordKey,
        folding: &Folding,
        stored: Option<StoredRecord>,
    ) -> Result<(), SqlError> {
        let (Some(known), Some(last_seq)) = (&folding.known, folding.last_seq) else {
            let statement = "DELETE FROM records WHERE model = ?1 AND record_id = ?2";
            let params = [Param::Text(key.model), Param::Text(key.id)];
            return self.sql.execute(statement, &params);
        };
        self.write_version(step, key, folding, known)?;
        let recent = match stored {
            Some(stored) => stored.recent,
            None => Recent::default(),
        };
        let timeline = Some(known.timeline.to_bytes()).filter(|bytes| !bytes.is_empty());
        self.sql.execute(
            "INSERT OR REPLACE INTO records (model, record_id, last_seq, version, fields, partial,
                                             drift, occurred_at, version_key, generation, recent,
                                             occupancy, occurred_ns, drifted, gone_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            &[
                Param::Text(key.model),
                Param::Text(key.id),
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
                known.gone_since.map(Timestamp::us).into(),
            ],
        )
    }

    /// Writes the event of the last version with the new generation, which is
    /// what makes it win over all states before.
    fn write_version(
        &self,
        step: &mut Step,
        key: RecordKey,
        folding: &Folding,
        known: &Known,
    ) -> Result<(), SqlError> {
        let is_unit = key.model == occupancy::MODEL;
        let generation = folding.next_generation(step);
        let is_done = |version: &&Version| version.generation == generation && !is_unit;
        let Some(version) = folding.version.as_ref().filter(|version| !is_done(version)) else {
            return Ok(());
        };
        let Some(row) = self.member(version.seq)? else {
            return Ok(());
        };
        let member = Member::of(&row)?;
        let reading = member.kept.read(step.reader.dialect, step.now);
        let Meaning::Event(event) = &reading.meaning else {
            return Ok(());
        };
        let noticed = Noticed {
            to: folding.last_seq.unwrap_or(0),
            ..folding.noticed.clone()
        };
        let turns = noticed.turns_of(version.seq);
        let facts = |noticed| Facts {
            changes: &version.changes,
            late: false,
            ambiguous: member.ambiguous,
            generation,
            turns: &turns,
            noticed,
        };
        let data_with = |noticed| record_data(event, key, known, &facts(noticed));
        let entry = Entry {
            data: data_with(Some(&noticed).filter(|_| is_unit)).or_else(|| data_with(None)),
            prev_seq: member.prev_seq,
            generation,
            ..Entry::of(event)
        };
        self.rewrite(step, version.seq, &entry)
    }
}

impl Folding {
    fn is_first(&self) -> bool {
        self.last_seq.is_none()
    }

    /// Goes on with a record of which this is known now.
    fn within(mut self, stored: Option<&StoredRecord>) -> Self {
        let generation = stored.map(|stored| stored.generation).unwrap_or_default();
        self.generation = self.generation.max(generation);
        self
    }

    /// The generation of what the record becomes. One replay may fold a record
    /// twice, where it brings in two of its events: the second state wins over
    /// the first one.
    fn next_generation(&self, step: &Step) -> Generation {
        self.generation.next(step.job.number)
    }
}
