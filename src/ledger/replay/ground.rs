//! What events that are gone have left of a record: the ground that those which
//! are kept are folded onto again.
//!
//! The data of the oldest kept event has the record as that event left it. So
//! the ground is that, less what the event says itself: what it changed is not
//! known any more. Behind it the record is at every event what it was. What the
//! ground can't tell stays as it was noted: whether a field was contradicted, of
//! which nothing kept says it, which turns of a unit an event revealed, and that
//! an event came after a newer one that is gone.

use super::Step;
use super::refold::Folding;
use crate::dialect::Meaning;
use crate::dialect::event::{Change, Content, RecordKey};
use crate::json::Object;
use crate::ledger::log::Log;
use crate::ledger::log::kept::Kept;
use crate::record::drift::Drift;
use crate::record::fold::Known;
use crate::record::occupancy::{Turn, turns_of};
use crate::signature::DedupeKey;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// What an event was written as.
pub(super) struct Written {
    /// The record behind it.
    fields: String,
    version: u64,
    partial: bool,
    drift: bool,
    late: bool,
    gone_since: Option<Timestamp>,
    /// What it revealed.
    pub turns: Vec<Turn>,
}

impl Written {
    /// Reads an event's data.
    fn parse(data: &str) -> Option<Self> {
        let data = Object::parse(data)?;
        let is = |name| data.flag(name).unwrap_or(false);
        Some(Self {
            fields: data.value("record")?.get().to_owned(),
            version: data.number("version")?,
            partial: is("partial"),
            drift: is("drift"),
            late: is("late"),
            gone_since: data
                .text("gone_since")
                .and_then(|since| Timestamp::parse(&since)),
            turns: turns_of(&data),
        })
    }
}

impl Folding {
    /// True if an event of the time `at`, about which this was written, came
    /// after a newer one that is gone: nothing kept is folded onto what that has
    /// left, or it is of the same time.
    pub fn stays_late(&self, was: Option<&Written>, at: Option<Timestamp>) -> bool {
        let known = self.known.as_ref().filter(|known| known.version > 0);
        known.is_some_and(|known| self.version.is_none() || known.occurred_at == at)
            && was.is_some_and(|was| was.late)
    }
}

impl<S: Sql> Log<S> {
    /// What events that are gone have left of a record, which is `known` now,
    /// before its first kept event, and before one to be added.
    pub(super) fn ground_of(
        &self,
        step: &mut Step,
        known: &Known,
        first: Option<u64>,
        added: Option<u64>,
    ) -> Result<Known, SqlError> {
        // All that is kept came late.
        if known.occurred_at.is_some() && first.is_none_or(|first| known.version < first) {
            return Ok(known.clone());
        }
        let mut ground = Known {
            version: 0,
            occurred_at: None,
            key: DedupeKey([0; 16]),
            ..known.clone()
        };
        let was = first.map(|first| self.written(first)).transpose()?;
        if let Some(was) = was.flatten() {
            ground.fields = was.fields;
            ground.partial = was.partial;
            ground.gone_since = was.gone_since;
            if !was.drift {
                ground.drift = Drift::default();
            }
            if was.late {
                ground.version = was.version;
                return Ok(ground);
            }
        }
        let is_first = |added: &u64| first.is_none_or(|first| *added < first);
        for seq in first.into_iter().chain(added.filter(is_first)) {
            self.take_from_ground(step, &mut ground, seq)?;
        }
        Ok(ground)
    }

    /// Takes out of the ground what a kept event says.
    fn take_from_ground(
        &self,
        step: &mut Step,
        ground: &mut Known,
        seq: u64,
    ) -> Result<(), SqlError> {
        let Some(row) = self.one(Kept::COLUMNS, seq)? else {
            return Ok(());
        };
        let kept = Kept::of(&row)?;
        step.budget.spend(kept.body.len() as u64);
        let reading = kept.read(step.reader.dialect, step.now);
        if let Meaning::Event(event) = &reading.meaning
            && let Content::Record(_, change) = &event.content
        {
            if let Change::Gone(_) = change {
                ground.gone_since = None;
            }
            let mut fields = Object::parse(&ground.fields).unwrap_or_default();
            mentioned(change)
                .iter()
                .for_each(|name| fields.remove(name));
            ground.fields = fields.to_json();
        }
        Ok(())
    }

    /// What the event `seq` was written as, if the record is folded onto what
    /// others have left.
    pub(super) fn was_written(
        &self,
        folding: &Folding,
        seq: u64,
    ) -> Result<Option<Written>, SqlError> {
        match folding.has_ground {
            true => self.written(seq),
            false => Ok(None),
        }
    }

    fn written(&self, seq: u64) -> Result<Option<Written>, SqlError> {
        let data = "coalesce(data, (SELECT l.data FROM large AS l WHERE l.seq = e.seq))";
        let row = self.one(data, seq)?;
        let data = row.as_ref().map(|row| row.maybe_text(0)).transpose()?;
        Ok(data.flatten().and_then(Written::parse))
    }

    /// Takes an event out of a record that it is part of no more: `said` is its
    /// time and its key.
    pub(super) fn take_out(
        &self,
        folding: &mut Folding,
        key: RecordKey,
        seq: u64,
        said: (Option<Timestamp>, DedupeKey),
    ) -> Result<(), SqlError> {
        if let (Some(known), (Some(time), own)) = (folding.known.as_mut(), said) {
            known.timeline.remove(time, own);
        }
        // Behind another one, the next is linked to that.
        if folding.last_seq.is_none()
            && let Some(row) = self.one("prev_seq", seq)?
        {
            self.unlink(seq, row.maybe_number(0)?, key)?;
        }
        Ok(())
    }
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
        Change::Whole { fields, .. } | Change::Read(fields) => names(fields),
        Change::Sparse(_) | Change::Gone(_) => Vec::new(),
    }
}
