//! Whole objects of the same time about one record, in the order of what they
//! say (decision 7).
//!
//! Providers write whole seconds, and within one a record is created and
//! changed, or changed twice. Which of two events comes first, is told by, in
//! this order: what one says was before is what the other says is; a record
//! is created before it changes; arrival. None of it is asked for where times
//! differ.

use std::cmp::Reverse;

use crate::dialect::event::{Change, Content, Event, Kind};
use crate::json::{self, Object, Value, null, same};
use crate::signature::DedupeKey;

/// A whole object, among those of the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tied {
    /// Its event's dedupe key.
    pub key: DedupeKey,
    /// It is of a record that is new.
    pub is_creation: bool,
    /// The object, JSON.
    pub fields: String,
    /// What the provider says has changed, JSON: `{field: {old, new}}`.
    pub changes: Option<String>,
}

impl Tied {
    /// Of an event about a record; `None` if it has no whole object.
    pub(crate) fn of(event: &Event, key: DedupeKey) -> Option<Self> {
        let Content::Record(_, Change::Whole { fields, changes }) = &event.content else {
            return None;
        };
        Some(Self {
            key,
            is_creation: event.kind == Kind::RecordCreated,
            fields: fields.to_json(),
            changes: changes.map(|changes| changes.get().to_owned()),
        })
    }
}

/// An object as it is compared.
struct Said<'a> {
    is_creation: bool,
    fields: Object<'a>,
    /// What was before, of the fields that changed.
    before: Vec<(String, &'a Value)>,
}

impl<'a> Said<'a> {
    fn of(tied: &'a Tied) -> Self {
        let changes = tied.changes.as_deref().and_then(Object::parse);
        Self {
            is_creation: tied.is_creation,
            fields: Object::parse(&tied.fields).unwrap_or_default(),
            before: changes.as_ref().map(before).unwrap_or_default(),
        }
    }

    /// How well what it says was before is what `other` says is.
    fn follows(&self, other: &Self) -> Fit {
        let is = |name: &str| other.fields.value(name);
        // A name that is no field of either describes something else.
        let mut stated = self
            .before
            .iter()
            .filter(|(name, _)| is(name).or(self.fields.value(name)).is_some())
            .peekable();
        let is_stated = stated.peek().is_some();
        if !is_stated || !stated.all(|(name, was)| is_one(was, is(name).unwrap_or(null()))) {
            return Fit::None;
        }
        let names = self.fields.iter().chain(other.fields.iter());
        let mut unchanged = names
            .map(|(name, _)| name)
            .filter(|name| !self.before.iter().any(|(changed, _)| changed == name));
        let is_same = |name| {
            let of = |said: &Self| said.fields.value(name).unwrap_or(null());
            is_one(of(self), of(other))
        };
        if unchanged.all(is_same) {
            Fit::Whole
        } else {
            Fit::Changes
        }
    }
}

/// How well one object follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It says something else, or nothing.
    None,
    /// All that changed was as the other has it.
    Changes,
    /// So was all that did not.
    Whole,
}

/// Names and old values of what really changed.
fn before<'a>(changes: &Object<'a>) -> Vec<(String, &'a Value)> {
    let old = |(name, change): (&str, &'a Value)| {
        let change = Object::parse(change.get())?;
        let value = |name| change.value(name).unwrap_or(null());
        let (old, new) = (value("old"), value("new"));
        (!is_one(old, new)).then(|| (name.to_owned(), old))
    };
    changes.iter().filter_map(old).collect()
}

/// True if two values mean the same, or one is the id of the other: MeterBase
/// writes an id in `changes` where the object itself is in `data`.
fn is_one(a: &Value, b: &Value) -> bool {
    let is_id_of = |id: &Value, object: &Value| {
        let whole = object
            .get()
            .starts_with('{')
            .then(|| Object::parse(object.get()));
        let of = whole.flatten().and_then(|object| object.value("id"));
        of.is_some_and(|of| !json::is_null(of) && same(of, id))
    };
    same(a, b) || is_id_of(a, b) || is_id_of(b, a)
}

/// Where `events` of one time, in the order of arrival, are in their own
/// order, the oldest first.
///
/// The next one is always one that follows none of those that are left, if
/// there is one; of several, a creation, then what follows the one before,
/// then what arrived first.
pub fn order(events: &[Tied]) -> Vec<usize> {
    let said: Vec<Said> = events.iter().map(Said::of).collect();
    let follows = followed(&said);
    let fit = |at: usize, other: usize| {
        let fits = follows.get(at).and_then(|fits| fits.get(other));
        fits.copied().unwrap_or(Fit::None)
    };
    let mut left: Vec<usize> = (0..said.len()).collect();
    let mut ordered: Vec<usize> = Vec::with_capacity(said.len());
    while !left.is_empty() {
        let rank = |at: usize| {
            let behind = left.iter().map(|other| fit(at, *other)).max();
            let is_creation = said.get(at).is_some_and(|one| one.is_creation);
            let next = ordered.last().map(|last| fit(at, *last));
            (behind, !is_creation, Reverse(next), at)
        };
        let Some(next) = left.iter().copied().min_by_key(|at| rank(*at)) else {
            break;
        };
        left.retain(|at| *at != next);
        ordered.push(next);
    }
    ordered
}

/// How well each of `said` follows each, where it follows none better.
fn followed(said: &[Said]) -> Vec<Vec<Fit>> {
    let of = |(at, one): (usize, &Said)| {
        let others = said.iter().enumerate();
        let fits = others.map(|(other, said)| match other == at {
            true => Fit::None,
            false => one.follows(said),
        });
        let mut fits: Vec<Fit> = fits.collect();
        let best = fits.iter().max().copied();
        for fit in fits.iter_mut().filter(|fit| Some(**fit) != best) {
            *fit = Fit::None;
        }
        fits
    };
    said.iter().enumerate().map(of).collect()
}
