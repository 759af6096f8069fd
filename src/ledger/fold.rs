//! Folding an event into its record's state.
//!
//! Whole objects with a time of their own: the newest wins, ties go to the
//! greater dedupe key, so any order and any repetition of the same deliveries
//! ends in the same fields (decision 7). Partial changes without a time:
//! arrival order is all there is, and a contradiction is marked as `drift`
//! (decision 8).

use crate::event::Change;
use crate::json::{Object, Value, Writer, null, same};
use crate::occupancy::{self, Occupancy, Sight, Timeline, Turn};
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
    /// True from a contradiction to the next whole object.
    pub drift: bool,
    /// The time that the event `version` states.
    pub occurred_at: Option<Timestamp>,
    /// The dedupe key of the event `version`.
    pub key: DedupeKey,
    /// When it was vacant and occupied, if it is a unit.
    pub timeline: Timeline,
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
    /// How it changes the record.
    pub change: &'a Change<'a>,
}

/// Folds `event` into what is `known` of its record.
pub fn fold(known: Option<&Known>, event: &Incoming) -> Folded {
    let mut folded = match event.change {
        Change::Whole { fields, changes } => whole(known, event, fields, *changes),
        Change::Diff {
            previous,
            new,
            rest,
        } => diff(known, event, previous, (new, rest)),
        Change::Sparse(fields) => sparse(known, event, fields),
    };
    if event.model == occupancy::MODEL {
        let (before, now) = occupancies(known, event, &folded.record.fields);
        folded.turns = folded.record.timeline.add(&Sight {
            before,
            now,
            occurred: event.occurred_at.map(|at| (at, event.key)),
            received_at: event.received_at,
        });
    }
    folded
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
        Change::Sparse(new) if !Occupancy::concerns(&[new]) => (None, None),
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
            (Occupancy::of(&before), after())
        }
        Change::Sparse(_) => (None, after()),
    }
}

/// True if a body seen before can be a second, real event: it changes
/// something, and the record, which some other event has touched since, is
/// again what this one says it was (decision 6).
pub fn can_repeat(known: &Known, change: &Change) -> bool {
    let Change::Diff { previous, new, .. } = change else {
        return false;
    };
    let Some(fields) = Object::parse(&known.fields) else {
        return false;
    };
    let agrees = previous
        .iter()
        .all(|(name, was)| fields.value(name).is_some_and(|is| same(is, was)));
    let changes = previous
        .iter()
        .any(|(name, was)| !same(was, new.value(name).unwrap_or(null())));
    agrees && changes
}

fn whole(
    known: Option<&Known>,
    event: &Incoming,
    fields: &Object,
    stated: Option<&Value>,
) -> Folded {
    if let Some(known) = known
        && (known.occurred_at, known.key) >= (event.occurred_at, event.key)
    {
        return Folded {
            record: known.clone(),
            changes: stated.map_or("{}", Value::get).to_owned(),
            late: true,
            turns: Vec::new(),
        };
    }
    let before = known.and_then(|known| Object::parse(&known.fields));
    let changes = match (stated, before) {
        (Some(stated), _) => stated.get().to_owned(),
        (None, Some(before)) => changes_json(&difference(&before, fields)),
        (None, None) => "{}".to_owned(),
    };
    Folded {
        record: Known {
            version: event.seq,
            fields: fields.to_json(),
            partial: false,
            drift: false,
            occurred_at: event.occurred_at,
            key: event.key,
            timeline: timeline(known),
        },
        changes,
        late: false,
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
    let contradicted = previous
        .iter()
        .any(|(name, was)| fields.value(name).is_some_and(|is| !same(is, was)));
    let mut changes = Vec::new();
    for (name, value) in new.iter() {
        changes.push((name, previous.value(name).unwrap_or(null()), value));
        fields.set(name, value);
    }
    // A field that had a value and has none: senders leave out `undefined`.
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
    }
    partly(known, event, &fields, contradicted, changes_json(&changes))
}

fn sparse(known: Option<&Known>, event: &Incoming, new: &Object) -> Folded {
    let mut fields = known_fields(known);
    let mut changes = Vec::new();
    let mut contradicted = false;
    for (name, value) in new.iter() {
        if let Some(is) = fields.value(name).filter(|is| !same(is, value)) {
            contradicted = true;
            changes.push((name, is, value));
        }
        fields.set(name, value);
    }
    partly(known, event, &fields, contradicted, changes_json(&changes))
}

fn timeline(known: Option<&Known>) -> Timeline {
    known.map_or_else(Timeline::default, |known| known.timeline.clone())
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
    contradicted: bool,
    changes: String,
) -> Folded {
    Folded {
        record: Known {
            version: event.seq,
            fields: fields.to_json(),
            partial: known.is_none_or(|known| known.partial),
            drift: contradicted || known.is_some_and(|known| known.drift),
            occurred_at: event.occurred_at,
            key: event.key,
            timeline: timeline(known),
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
        differs.then(|| (name, old.unwrap_or(null()), new))
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
