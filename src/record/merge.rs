//! A record as the provider's API returned it, beside the events about it.
//!
//! The read began at some moment, and events came before and after. What came
//! before is in it, unless the API answers from a replica that lags; what came
//! after may not be. So a read can be stale, and is left alone then; and fields
//! that a later event has touched keep that event's value. The order of the
//! two is the ledger's own, and no clock's.

use crate::dialect::event::Change;
use crate::json::{Object, Value, null, same};
use crate::time::Timestamp;

/// When the provider last changed the record. Propexo's API has it in each
/// record, and a webhook's `diff.new` may.
pub const UPDATED_AT: &str = "updated_at";
/// When the provider last saw the record in the system behind it. It moves with
/// each synchronisation and says nothing of the record: alone it is no change.
pub const LAST_SEEN: &str = "last_seen";

/// For how long a read may show what was before an event of which it isn't known when the provider
/// made that change, in seconds.
pub const LAG_S: u64 = 120;

/// What an event about a record has touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// Its number; of a read, the first one that it may lack.
    pub seq: u64,
    /// When it was received.
    pub received_at: Timestamp,
    /// It states when the provider last changed the record.
    pub is_dated: bool,
    /// Fields, each with what it says was before, JSON.
    fields: Vec<(String, Option<String>)>,
}

impl Touch {
    /// What `change` touches, of the event `seq`.
    pub fn of(change: &Change, seq: u64, received_at: Timestamp) -> Self {
        let mut fields = Vec::new();
        let mut add = |names: &Object, previous: &Object| {
            for (name, _) in names.iter() {
                let before = previous.value(name).map(|value| value.get().to_owned());
                fields.push((name.to_owned(), before));
            }
        };
        let nothing = Object::default();
        match change {
            Change::Diff {
                previous,
                new,
                rest,
            } => {
                add(previous, previous);
                add(new, previous);
                add(rest, previous);
            }
            Change::Sparse(fields) | Change::Read(fields) => add(fields, &nothing),
            Change::Whole { fields, .. } => add(fields, &nothing),
            Change::Gone(_) => {}
        }
        Self {
            seq,
            received_at,
            is_dated: fields.iter().any(|(name, _)| name == UPDATED_AT),
            fields,
        }
    }

    /// Names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }
}

/// When `fields` say that the provider last changed their record.
pub fn updated_at(fields: &Object) -> Option<Timestamp> {
    Timestamp::parse(&fields.text(UPDATED_AT)?)
}

/// When `fields` say that the provider last saw their record, to the microsecond.
pub fn seen_at(fields: &Object) -> Option<Timestamp> {
    let stated = Timestamp::parse(&fields.text(LAST_SEEN)?)?;
    Some(Timestamp::from_us(stated.us()))
}

/// True if `read` shows that a record was seen again that was marked as gone,
/// and last seen then.
pub fn is_back(gone_since: Option<Timestamp>, read: &Object) -> bool {
    gone_since.is_some_and(|since| seen_at(read).is_some_and(|at| at > since))
}

/// True if `read` says nothing but what is known, `fields`.
pub fn is_same(fields: &Object, read: &Object) -> bool {
    let mut said = read.iter().filter(|(name, _)| *name != LAST_SEEN);
    said.all(|(name, value)| fields.value(name).is_some_and(|own| same(own, value)))
}

/// True if `read` is older than what is known, `fields`: by what both say of
/// the last change; where that is the same, by an event behind it that isn't in
/// `read`; and where `read` has changed since, or nothing is known of it, by an
/// event of the last two minutes before which the record was as `read` has it:
/// it may show one event and not yet the next. `touches` are the events about
/// the record, the newest first.
pub fn is_stale(fields: &Object, read: &Object, touches: &[Touch], now: Timestamp) -> bool {
    let is = |name: &str| fields.value(name).unwrap_or(null());
    let shown = |name: &str| read.value(name).unwrap_or(null());
    // What is dated is in whatever has a later time.
    let mut since = touches.iter().take_while(|touch| !touch.is_dated);
    match (updated_at(fields), updated_at(read)) {
        (Some(known_at), Some(read_at)) if read_at == known_at => {
            let mut is_missing =
                |name: &str| read.value(name).is_some_and(|own| !same(is(name), own));
            since.any(|touch| touch.names().any(&mut is_missing))
        }
        (Some(known_at), Some(read_at)) if read_at < known_at => true,
        (Some(_), None) => false,
        _ => {
            let recent = since.filter(|touch| touch.received_at > now.minus_s(LAG_S));
            let mut fields = recent.flat_map(|touch| &touch.fields);
            fields.any(|(name, before)| {
                let before: Option<&Value> = before.as_deref().and_then(crate::json::value);
                before.is_some_and(|before| same(shown(name), before) && !same(is(name), before))
            })
        }
    }
}

/// The fields that events behind the number `asked_seq` have touched.
pub fn touched(touches: &[Touch], asked_seq: u64) -> Vec<String> {
    let newer = touches.iter().filter(|touch| touch.seq > asked_seq);
    let names = newer.flat_map(Touch::names).map(str::to_owned);
    names.collect()
}

/// True if `read` has each of the fields `newer` as it is known.
pub fn agrees(fields: &Object, read: &Object, newer: &[String]) -> bool {
    let agrees = |name: &String| match (fields.value(name), read.value(name)) {
        (Some(own), Some(shown)) => same(own, shown),
        _ => true,
    };
    newer.iter().filter(|name| *name != LAST_SEEN).all(agrees)
}
