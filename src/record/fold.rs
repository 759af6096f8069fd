//! Folding an event into its record's state.
//!
//! Whole objects with a time of their own: the newest wins, so any order and
//! any repetition of the same deliveries ends in the same fields. Those of the
//! same time are put in order by what they say, see [`super::ties`]
//! (decision 7). Partial changes without a time: arrival order is all there
//! is, but for a creation, which is older than all else; a contradiction is
//! marked as `drift` (decision 8).

use super::drift::Drift;
use super::merge::{LAST_SEEN, agrees, is_back};
use super::occupancy::{self, Occupancy, Sight, Timeline, Turn};
use super::ties::{self, Tied};
use crate::dialect::event::Change;
use crate::json::{Object, Value, Writer, null, same};
use crate::signature::DedupeKey;
use crate::time::Timestamp;

/// A record as its ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Number of the last event folded into it.
    pub version: u64,
    /// Its fields, a JSON object.
    pub fields: String,
    /// True until a whole object was seen.
    pub partial: bool,
    /// The fields that were contradicted since the last whole object.
    pub drift: Drift,
    /// The time that its fields are of, where events state one.
    pub occurred_at: Option<Timestamp>,
    /// The dedupe key of the event that its fields are of: of `version`, but
    /// where that one only showed which of two others is the newer.
    pub key: DedupeKey,
    /// When it was vacant and occupied, if it is a unit.
    pub timeline: Timeline,
    /// When the provider last saw it, if it counts as gone.
    pub gone_since: Option<Timestamp>,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The record now.
    pub record: Known,
    /// What the event changed, JSON.
    pub changes: String,
    /// The event is older than what the record reflects; it changed nothing.
    pub late: bool,
    /// The turns between vacant and occupied that it reveals.
    pub turns: Vec<Turn>,
}

/// An event on its way into a record.
pub struct Incoming<'a> {
    /// Its number.
    pub seq: u64,
    /// Its dedupe key.
    pub key: DedupeKey,
    /// The time it states.
    pub occurred_at: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The record's model.
    pub model: &'a str,
    /// It says that the record is new.
    pub is_creation: bool,
    /// How it changes the record.
    pub change: &'a Change<'a>,
    /// Of a record that was asked for: fields that events have touched behind
    /// the beginning of the read, see [`super::merge::touched`].
    pub newer: &'a [String],
}

impl Incoming<'_> {
    /// The time whose other events decide what becomes of this one; `None` if
    /// they don't.
    pub fn tied_at(&self, known: Option<&Known>) -> Option<Timestamp> {
        let (known, time) = (known?, self.occurred_at?);
        let is_whole = matches!(self.change, Change::Whole { .. });
        let is_tied = known.occurred_at == self.occurred_at || known.timeline.has(time);
        (is_whole && is_tied).then_some(time)
    }

    fn tied(&self) -> Option<Tied> {
        let Change::Whole { fields, changes } = self.change else {
            return None;
        };
        Some(Tied {
            key: self.key,
            is_creation: self.is_creation,
            fields: fields.to_json(),
            changes: changes.map(|changes| changes.get().to_owned()),
        })
    }
}

/// Folds `event` into what is `known` of its record. `tied` are the whole
/// objects of the time that [`Incoming::tied_at`] returns, in the order of
/// arrival.
pub fn fold(known: Option<&Known>, event: &Incoming, tied: Vec<Tied>) -> Folded {
    let tied = in_order(known, event, tied);
    let mut folded = match event.change {
        Change::Whole { fields, changes } => whole(known, event, (fields, *changes), &tied),
        Change::Diff {
            previous,
            new,
            rest,
        } => diff(known, event, previous, (new, rest)),
        Change::Sparse(fields) => sparse(known, event, fields),
        Change::Read(fields) => read(known, event, fields),
        Change::Gone(since) => gone(known, event, *since),
    };
    if event.model == occupancy::MODEL {
        let (before, now) = occupancies(known, event, &folded.record.fields);
        let among: Vec<DedupeKey> = tied.iter().map(|tied| tied.key).collect();
        folded.turns = folded.record.timeline.add(&Sight {
            before,
            now,
            occurred: event.occurred_at.map(|at| (at, event.key)),
            among: &among,
            received_at: event.received_at,
        });
    }
    folded
}

/// The whole objects of the event's time with its own among them, the oldest
/// first; none if there is nothing to compare.
fn in_order(known: Option<&Known>, event: &Incoming, mut tied: Vec<Tied>) -> Vec<Tied> {
    let (Some(known), Some(_), Some(own)) = (known, event.tied_at(known), event.tied()) else {
        return Vec::new();
    };
    // What came again, came when it first did.
    let mut seen: Vec<DedupeKey> = Vec::new();
    tied.retain(|tied| {
        let is_new = !seen.contains(&tied.key);
        seen.push(tied.key);
        is_new
    });
    let has = |tied: &[Tied], key| tied.iter().any(|tied| tied.key == key);
    // Of what is gone, the fields are known, and that it came before.
    if known.occurred_at == event.occurred_at && !has(&tied, known.key) {
        tied.insert(
            0,
            Tied {
                key: known.key,
                is_creation: false,
                fields: known.fields.clone(),
                changes: None,
            },
        );
    }
    if !has(&tied, event.key) {
        tied.push(own);
    }
    let order = ties::order(&tied);
    order
        .iter()
        .filter_map(|at| tied.get(*at).cloned())
        .collect()
}

/// What the event says of a unit: how it was before, where that is stated, and
/// how it is. `folded` are the unit's fields with the event folded in.
fn occupancies(
    known: Option<&Known>,
    event: &Incoming,
    folded: &str,
) -> (Option<Occupancy>, Option<Occupancy>) {
    let after = || Occupancy::of(&Object::parse(folded)?);
    match event.change {
        // What says nothing of it leaves it as it is.
        Change::Diff {
            previous,
            new,
            rest,
        } if !Occupancy::concerns(&[previous, new, rest]) => (None, None),
        Change::Sparse(new) | Change::Read(new) if !Occupancy::concerns(&[new]) => (None, None),
        Change::Gone(_) => (None, None),
        // So does a creation, where any of what came after it is known.
        Change::Sparse(_) if known.is_some_and(|known| !known.timeline.is_empty()) => (None, None),
        Change::Whole { fields, changes } => {
            let changes = changes.and_then(|changes| Object::parse(changes.get()));
            let before = changes.and_then(|changes| Occupancy::before(fields, &changes));
            (before, Occupancy::of(fields))
        }
        Change::Diff { previous, .. } => {
            let mut before = known_fields(known);
            previous
                .iter()
                .for_each(|(name, was)| before.set(name, was));
            (Occupancy::of_stated(&before, previous), after())
        }
        Change::Sparse(_) | Change::Read(_) => (None, after()),
    }
}

/// True if a body seen before can be a second, real event: it changes
/// something, and the record, which some other event has touched since, is
/// again what this one says it was (decision 6). A field that isn't there is
/// `null`: senders leave out `undefined`. So one that it sets, without a word
/// on what it was, changes if it is nothing now.
pub fn can_repeat(known: &Known, change: &Change) -> bool {
    let Change::Diff { previous, new, .. } = change else {
        return false;
    };
    let Some(fields) = Object::parse(&known.fields) else {
        return false;
    };
    let agrees = previous
        .iter()
        .all(|(name, was)| same(is(fields.value(name)), was));
    // What it doesn't mention was either nothing, or as it still is.
    let was = |name: &str| previous.value(name).unwrap_or(is(fields.value(name)));
    let mentioned = previous.iter().map(|(name, _)| name);
    let set = new.iter().map(|(name, _)| name);
    let set = set.filter(|name| previous.value(name).is_some() || same(was(name), null()));
    let changes = mentioned
        .chain(set)
        .any(|name| !same(was(name), is(new.value(name))));
    agrees && changes
}

/// Folds a whole object in; `tied` are those of its time, oldest first.
fn whole(
    known: Option<&Known>,
    event: &Incoming,
    (fields, stated): (&Object, Option<&Value>),
    tied: &[Tied],
) -> Folded {
    // Of the same time the newest may also be another one than these two.
    let newest = tied.last().filter(|_| {
        let time = known.map(|known| known.occurred_at);
        time == Some(event.occurred_at)
    });
    let is_newer = match (known, newest) {
        (None, _) => true,
        (Some(known), Some(newest)) => newest.key != known.key,
        // Without a time of their own they come in order.
        (Some(known), None) => event.occurred_at >= known.occurred_at,
    };
    if let (Some(known), false) = (known, is_newer) {
        return late(known, stated);
    }
    let other = newest.filter(|newest| newest.key != event.key);
    let other_fields = other.and_then(|other| Object::parse(&other.fields));
    let fields = other_fields.as_ref().unwrap_or(fields);
    let before = known.and_then(|known| Object::parse(&known.fields));
    let changes = match (stated.filter(|_| other.is_none()), before) {
        (Some(stated), _) => stated.get().to_owned(),
        (None, Some(before)) => changes_json(&difference(&before, fields)),
        (None, None) => "{}".to_owned(),
    };
    Folded {
        record: Known {
            version: event.seq,
            fields: fields.to_json(),
            partial: false,
            drift: Drift::default(),
            occurred_at: event.occurred_at,
            key: other.map_or(event.key, |other| other.key),
            timeline: timeline(known),
            gone_since: None,
        },
        changes,
        late: false,
        turns: Vec::new(),
    }
}

/// What becomes of a record by an event that is older than what is `known` of
/// it: nothing. `stated` are the changes that the event tells of.
pub fn late(known: &Known, stated: Option<&Value>) -> Folded {
    Folded {
        record: known.clone(),
        changes: stated.map_or("{}", Value::get).to_owned(),
        late: true,
        turns: Vec::new(),
    }
}

/// Folds in how fields changed, and what else the record is: a change only
/// where it was known otherwise (decision 11).
fn diff(
    known: Option<&Known>,
    event: &Incoming,
    previous: &Object,
    (new, rest): (&Object, &Object),
) -> Folded {
    let mut fields = known_fields(known);
    let mut drift = drift(known);
    for (name, was) in previous.iter() {
        let Some(value) = fields.value(name) else {
            continue;
        };
        if same(value, was) {
            drift.clear(name);
        } else if !same(value, is(new.value(name).or(rest.value(name)))) {
            // What is already as the event says contradicts nothing.
            drift.mark(name);
        }
    }
    let mut changes = Vec::new();
    for (name, value) in new.iter() {
        changes.push((name, is(previous.value(name)), value));
        fields.set(name, value);
    }
    // A field that had a value and has none.
    for (name, was) in previous.iter() {
        if new.value(name).is_none() && rest.value(name).is_none() {
            changes.push((name, was, null()));
            fields.set(name, null());
        }
    }
    for (name, value) in rest.iter() {
        let before = previous.value(name).or(fields.value(name));
        if let Some(was) = before.filter(|was| !same(was, value)) {
            changes.push((name, was, value));
        }
        fields.set(name, value);
        drift.clear(name);
    }
    partly(known, event, &fields, drift, changes_json(&changes))
}

/// Folds some fields of a new record in. It is the record's oldest event, so
/// where it comes late, it tells what isn't known yet, and no more.
fn sparse(known: Option<&Known>, event: &Incoming, new: &Object) -> Folded {
    let mut fields = known_fields(known);
    let mut changes = Vec::new();
    for (name, value) in new.iter() {
        if fields.value(name).is_none() {
            if known.is_some() {
                changes.push((name, null(), value));
            }
            fields.set(name, value);
        }
    }
    partly(known, event, &fields, drift(known), changes_json(&changes))
}

/// Takes over what the provider's API returned, but for fields that events have
/// touched since. What it doesn't have, only events tell of, and it stays.
fn read(known: Option<&Known>, event: &Incoming, read: &Object) -> Folded {
    let mut fields = known_fields(known);
    let mut drift = drift(known);
    let mut changes = Vec::new();
    // One that has them as those events say has seen them.
    let newer = match agrees(&fields, read, event.newer) {
        true => &[],
        false => event.newer,
    };
    for (name, value) in read.iter() {
        if newer.iter().any(|newer| newer == name) {
            continue;
        }
        let was = fields.value(name);
        let is_news = name != LAST_SEEN && was.is_none_or(|was| !same(was, value));
        if known.is_some() && is_news {
            changes.push((name, is(was), value));
        }
        fields.set(name, value);
        drift.clear(name);
    }
    if newer.is_empty() {
        drift = Drift::default();
    }
    let mut folded = asked(known, event, &fields, drift, changes_json(&changes));
    folded.record.partial = false;
    let gone_since = known.and_then(|known| known.gone_since);
    folded.record.gone_since = gone_since.filter(|_| !is_back(gone_since, read));
    folded
}

/// Marks the record as gone, and leaves it as it is.
fn gone(known: Option<&Known>, event: &Incoming, since: Timestamp) -> Folded {
    let (fields, changes) = (known_fields(known), "{}".to_owned());
    let mut folded = asked(known, event, &fields, drift(known), changes);
    folded.record.gone_since = Some(since);
    folded
}

/// As [`partly`], but the time that the fields are of stays: events alone tell it.
fn asked(
    known: Option<&Known>,
    event: &Incoming,
    fields: &Object,
    drift: Drift,
    changes: String,
) -> Folded {
    let mut folded = partly(known, event, fields, drift, changes);
    if let Some(known) = known
        && known.occurred_at.is_some()
    {
        folded.record.occurred_at = known.occurred_at;
        folded.record.key = known.key;
    }
    folded
}

/// What a field is: without a value, `null`.
fn is(value: Option<&Value>) -> &Value {
    value.unwrap_or(null())
}

fn timeline(known: Option<&Known>) -> Timeline {
    known.map_or_else(Timeline::default, |known| known.timeline.clone())
}

fn drift(known: Option<&Known>) -> Drift {
    known.map_or_else(Drift::default, |known| known.drift.clone())
}

fn known_fields(known: Option<&Known>) -> Object<'_> {
    known
        .and_then(|known| Object::parse(&known.fields))
        .unwrap_or_default()
}

fn partly(
    known: Option<&Known>,
    event: &Incoming,
    fields: &Object,
    drift: Drift,
    changes: String,
) -> Folded {
    Folded {
        record: Known {
            version: event.seq,
            fields: fields.to_json(),
            partial: known.is_none_or(|known| known.partial),
            drift,
            occurred_at: event.occurred_at,
            key: event.key,
            timeline: timeline(known),
            // It was heard of.
            gone_since: None,
        },
        changes,
        late: false,
        turns: Vec::new(),
    }
}

type FieldChange<'a> = (&'a str, &'a Value, &'a Value);

/// Top-level fields that differ, with their old and new values.
fn difference<'a>(before: &'a Object, after: &'a Object) -> Vec<FieldChange<'a>> {
    let changed = after.iter().filter_map(|(name, new)| {
        let old = before.value(name);
        let differs = old.is_none_or(|old| !same(old, new));
        differs.then(|| (name, is(old), new))
    });
    let gone = before
        .iter()
        .filter(|(name, _)| after.value(name).is_none())
        .map(|(name, old)| (name, old, null()));
    changed.chain(gone).collect()
}

/// Changes as `{field: {old, new}}`.
fn changes_json(changes: &[FieldChange]) -> String {
    let field = |json: Writer, (name, old, new): &FieldChange| {
        let values = ["{\"old\":", old.get(), ",\"new\":", new.get(), "}"];
        json.field(name, &values)
    };
    changes.iter().fold(Writer::default(), field).end()
}
