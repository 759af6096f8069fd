//! One record, folded again from its kept events, in the order of the log.
//!
//! Its events form a chain: the record knows the last one, each the one
//! before. Where the oldest of them have gone with old history, what they left
//! is the ground that the others are folded onto.

use super::Step;
use super::event::Anew;
use crate::dialect::{self, Meaning};
use crate::event::{Change, Content, Event, Kind, Unclear};
use crate::filter::Ignored;
use crate::json::Object;
use crate::ledger::fold::{Folded, Incoming, Known, fold};
use crate::ledger::intake::{Memory, ROW_BYTES_MAX};
use crate::ledger::recent::Recent;
use crate::ledger::ties::Like;
use crate::ledger::{Ledger, beyond_us, key};
use crate::occupancy::{self, Noticed};
use crate::record::RecordData;
use crate::signature::DedupeKey;
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// A record's model and id.
type Names<'a> = (&'a str, &'a str);

/// A record on its way through its events.
struct Folding<'a> {
    names: Names<'a>,
    known: Option<Known>,
    /// The last event of the chain so far.
    last_seq: Option<u64>,
    /// What is written anew gets this generation; nothing if each event keeps
    /// its own. Along a record's events it never goes down, so that nobody
    /// takes an older state for a newer one, wherever D1 stops.
    generation: Option<u64>,
    /// The last event's generation.
    last_generation: u64,
    /// The last version, and whether it was written.
    version: Option<Version>,
    /// The notices of all its events.
    noticed: Noticed,
}

struct Version {
    seq: u64,
    body: Vec<u8>,
    folded: Folded,
    ambiguous: bool,
    prev_seq: Option<u64>,
    /// It was written as it is to be.
    is_written: bool,
}

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

impl<S: Sql> Ledger<S> {
    /// Folds the record called `names` again, with `added` among its events.
    pub(super) fn fold_again(
        &self,
        step: &mut Step,
        names: Names,
        added: Option<u64>,
    ) -> Result<(), SqlError> {
        let memory = self.recall_named(names)?;
        let (mut chain, is_whole) = self.chain(memory.as_ref())?;
        if let Some(added) = added
            && let Err(at) = chain.binary_search(&added)
        {
            chain.insert(at, added);
        }
        let ground = match &memory {
            Some(memory) if !is_whole => Some(self.ground(step, &memory.known, &chain)?),
            _ => None,
        };
        let mut folding = Folding {
            names,
            known: ground,
            last_seq: None,
            generation: self.generation(step, &chain)?,
            last_generation: 0,
            version: None,
            noticed: Noticed::none_of(&chain),
        };
        for seq in chain {
            self.fold_member(step, &mut folding, seq)?;
        }
        self.finish(step, folding, memory)
    }

    /// The generation of what is written anew: the replay's if it goes to the
    /// record's end, else that of what stays as it was. Where not all events in
    /// between are asked for, each keeps its own.
    fn generation(&self, step: &Step, chain: &[u64]) -> Result<Option<u64>, SqlError> {
        if step.job.events.is_some() {
            return Ok(None);
        }
        match chain.iter().find(|seq| **seq > step.job.to) {
            None => Ok(Some(step.job.number)),
            Some(beyond) => {
                let row = self.one(WRITTEN, *beyond)?;
                row.map(|row| written(&row, 0).map(|(_, generation)| generation))
                    .transpose()
            }
        }
    }

    /// Numbers of a record's kept events, in order, and whether they are all
    /// that there ever were.
    fn chain(&self, memory: Option<&Memory>) -> Result<(Vec<u64>, bool), SqlError> {
        let mut chain = Vec::new();
        let mut next = memory.map(|memory| memory.last_seq);
        while let Some(seq) = next {
            let Some(row) = self.one("prev_seq", seq)? else {
                break;
            };
            chain.push(seq);
            next = row.maybe_number(0)?.filter(|prev| *prev < seq);
        }
        chain.reverse();
        Ok((chain, next.is_none()))
    }

    /// What events that are gone have left of a record: the fields that no
    /// kept one mentions. Where the newest whole object is gone, and what is
    /// kept came late, that is all of it.
    fn ground(&self, step: &Step, known: &Known, chain: &[u64]) -> Result<Known, SqlError> {
        let mut ground = known.clone();
        let mut fields = Object::parse(&known.fields).unwrap_or_default();
        let mut is_newest_kept = known.occurred_at.is_none();
        for seq in chain {
            let Some(row) = self.one("body, key", *seq)? else {
                continue;
            };
            let key = key(&row, 1)?;
            is_newest_kept |= key == known.key;
            let reading = dialect::read(step.reader.dialect, row.blob(0)?, step.now);
            if let Meaning::Event(event) = &reading.meaning
                && let Content::Record(_, change) = &event.content
            {
                if let Some(time) = event.occurred_at {
                    ground.timeline.remove(time, key);
                }
                for name in mentioned(change) {
                    fields.remove(&name);
                    ground.drift.clear(&name);
                }
            }
        }
        if is_newest_kept {
            ground.version = 0;
            ground.fields = fields.to_json();
            ground.occurred_at = None;
            ground.key = DedupeKey([0; 16]);
        }
        Ok(ground)
    }

    /// Folds one event of the chain, and writes it if the replay asks for it.
    fn fold_member(
        &self,
        step: &mut Step,
        folding: &mut Folding,
        seq: u64,
    ) -> Result<(), SqlError> {
        let member = format!("body, key, prev_seq, received_at, {WRITTEN}");
        let Some(row) = self.one(&member, seq)? else {
            return Ok(());
        };
        let body = row.blob(0)?;
        let reading = dialect::read(step.reader.dialect, body, step.now);
        let Meaning::Event(event) = &reading.meaning else {
            return self.pass(folding, seq, &row);
        };
        let Content::Record(subject, change) = &event.content else {
            return self.pass(folding, seq, &row);
        };
        if subject.names() != folding.names {
            return self.pass(folding, seq, &row);
        }
        let is_asked_for = (step.job.from..=step.job.to).contains(&seq)
            && step.wanted.ignores(event, || None).is_none();
        let fields = || Object::parse(&folding.known.as_ref()?.fields);
        if is_asked_for && let Some(ignored) = step.reader.filter.ignores(event, fields) {
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
        let folded = fold(folding.known.as_ref(), &incoming, tied);
        let (ambiguous, own) = written(&row, 4)?;
        let own = own.max(folding.last_generation);
        let generation = folding.generation.filter(|_| is_asked_for).unwrap_or(own);
        let data = data(event, folding.names, &folded, ambiguous, generation, None);
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
        folding.noticed.add(seq, &folded.turns);
        // A late event changes the record's timeline alone.
        folding.known = Some(folded.record.clone());
        if !folded.late {
            folding.version = Some(Version {
                seq,
                body: body.to_vec(),
                folded,
                ambiguous,
                prev_seq,
                is_written: is_asked_for && generation == step.job.number,
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
        if ignored == Ignored::Property {
            self.keep_unlinked(seq, event, step.now)?;
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
        folding: Folding,
        memory: Option<Memory>,
    ) -> Result<(), SqlError> {
        let (model, record_id) = folding.names;
        let names = [Param::Text(model), Param::Text(record_id)];
        let (Some(known), Some(last_seq)) = (&folding.known, folding.last_seq) else {
            let statement = "DELETE FROM records WHERE model = ?1 AND record_id = ?2";
            return self.sql.execute(statement, &names);
        };
        self.write_version(step, &folding)?;
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
                step.job.number.into(),
                Param::Blob(&recent.to_bytes()),
                timeline.as_deref().into(),
                beyond_us(known.occurred_at).into(),
                known.drift.to_json().as_deref().into(),
            ],
        )
    }

    /// Writes the event of the last version with the new generation, which is
    /// what makes it win over all states before.
    fn write_version(&self, step: &mut Step, folding: &Folding) -> Result<(), SqlError> {
        let is_unit = folding.names.0 == occupancy::MODEL;
        let is_done = |version: &&Version| version.is_written && !is_unit;
        let Some(version) = folding.version.as_ref().filter(|version| !is_done(version)) else {
            return Ok(());
        };
        let reading = dialect::read(step.reader.dialect, &version.body, step.now);
        let Meaning::Event(event) = &reading.meaning else {
            return Ok(());
        };
        let (folded, ambiguous) = (&version.folded, version.ambiguous);
        let (names, replay) = (folding.names, step.job.number);
        let noticed = Some(&folding.noticed).filter(|_| is_unit);
        let data = data(event, names, folded, ambiguous, replay, noticed)
            .or_else(|| data(event, names, folded, ambiguous, replay, None));
        let anew = Anew {
            data: data.as_deref(),
            prev_seq: version.prev_seq,
            ..Anew::of(event)
        };
        self.write_again(step, version.seq, &anew)
    }

    /// Takes the event `seq` out of a record's chain.
    pub(super) fn unlink(&self, seq: u64, names: Names) -> Result<(), SqlError> {
        let Some(memory) = self.recall_named(names)? else {
            return Ok(());
        };
        let (chain, _) = self.chain(Some(&memory))?;
        let Ok(at) = chain.binary_search(&seq) else {
            return Ok(());
        };
        let prev_seq = at
            .checked_sub(1)
            .and_then(|before| chain.get(before))
            .copied();
        match chain.get(at.saturating_add(1)) {
            Some(next) => self.link(*next, prev_seq),
            None => self.sql.execute(
                "UPDATE records SET last_seq = ?3 WHERE model = ?1 AND record_id = ?2",
                &[
                    Param::Text(names.0),
                    Param::Text(names.1),
                    prev_seq.unwrap_or(0).into(),
                ],
            ),
        }
    }

    fn link(&self, seq: u64, prev_seq: Option<u64>) -> Result<(), SqlError> {
        let Some((segment, ..)) = self.segments.within(seq, seq).next() else {
            return Ok(());
        };
        let statement = format!(
            "UPDATE {} SET prev_seq = ?2 WHERE seq = ?1",
            segment.table()
        );
        self.sql.execute(&statement, &[seq.into(), prev_seq.into()])
    }
}

impl Folding<'_> {
    fn is_first(&self) -> bool {
        self.last_seq.is_none()
    }
}

fn data(
    event: &Event,
    (model, record_id): Names,
    folded: &Folded,
    ambiguous: bool,
    generation: u64,
    noticed: Option<&Noticed>,
) -> Option<String> {
    RecordData {
        event: event.name.as_deref(),
        model,
        record_id,
        changes: &folded.changes,
        record: &folded.record.fields,
        version: folded.record.version,
        partial: folded.record.partial,
        drift: folded.record.drift.is_some(),
        late: folded.late,
        ambiguous,
        generation,
        turns: &folded.turns,
        noticed,
    }
    .within(ROW_BYTES_MAX)
}

/// Whether an event is ambiguous, and its generation, from column `at` as
/// [`WRITTEN`] gives it.
fn written(row: &Row, at: usize) -> Result<(bool, u64), SqlError> {
    let parts = row.text(at)?.split_once(' ');
    let read = parts.and_then(|(flag, number)| Some((flag == "1", number.parse().ok()?)));
    read.ok_or_else(|| SqlError("an event says something else of itself".to_owned()))
}

/// The fields whose value depends on an event: not those of a creation, which
/// changes none that is known.
fn mentioned(change: &Change) -> Vec<String> {
    let names = |fields: &Object| -> Vec<String> {
        fields.iter().map(|(name, _)| name.to_owned()).collect()
    };
    match change {
        Change::Diff {
            previous,
            new,
            rest,
        } => [names(previous), names(new), names(rest)].concat(),
        Change::Whole { fields, .. } => names(fields),
        Change::Sparse(_) => Vec::new(),
    }
}
