//! What a ledger must do with a delivery, computed the slow and obvious way
//! from what the provider meant.

use std::collections::BTreeMap;

use leasewire::time::Timestamp;

use crate::fact::{Change, Content, Fact, Fields, Lasting};
use crate::occupancy::Unit;

/// How far ahead of the receiver's clock an event may have happened.
const FUTURE_S: u64 = 300;
/// How long a notice with nothing of its own is a repetition.
const NOTICE_WINDOW_S: u64 = 600;

/// Room for what is forwarded of an event: what it changed, and the whole
/// record after it.
const DATA_BYTES_MAX: usize = 1_900_000;

pub type RecordName = (&'static str, String);

/// One ledger.
#[derive(Default)]
pub struct Reference {
    /// Number n stands at n - 1.
    pub log: Vec<Logged>,
    pub records: BTreeMap<RecordName, Record>,
    /// First and last end of a synchronisation, microseconds.
    pub synced_us: Option<(i64, i64)>,
}

pub struct Logged {
    pub fact: usize,
    pub received_at: Timestamp,
    pub record: Option<RecordName>,
    pub quarantined: bool,
    /// Left out by the filter.
    pub ignored: bool,
    /// What it says of a unit's occupancy; nothing is known of one with a
    /// longer history than is remembered.
    pub notices: Option<Vec<&'static str>>,
    key: [u8; 16],
}

/// A record, with all it ever was.
#[derive(Default)]
pub struct Record {
    pub states: Vec<State>,
    /// Number of the last event about it, late ones included.
    last_seq: u64,
    unit: Unit,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub version: u64,
    pub fields: Fields,
    pub partial: bool,
    pub drift: bool,
    /// When the event happened, or was received.
    pub time_us: i64,
    /// What orders whole objects.
    order: (i64, [u8; 16]),
}

impl Reference {
    /// Takes the fact numbered `index` among all, which arrives `now`: the
    /// answer's status and number.
    ///
    /// An event is never received before the one before it, whatever the clock
    /// says; the dedupe window is counted back from the clock. History is whole
    /// from the event `kept_from` on.
    pub fn take(
        &mut self,
        index: usize,
        fact: &Fact,
        models: Option<&[&str]>,
        window_s: u64,
        kept_from: u64,
        now: Timestamp,
    ) -> (&'static str, u64) {
        let last = self.log.last();
        let received_at = last.map_or(now, |last| last.received_at.max(now));
        let from_the_future = fact
            .occurred_us
            .is_some_and(|us| us > now.plus_s(FUTURE_S).us());
        let mut quarantined = from_the_future || matches!(fact.content, Content::Junk);
        let mut record = match fact.record() {
            Some((model, id)) if !quarantined => Some((model, id.to_owned())),
            _ => None,
        };
        let since = match fact.identity.lasting {
            Lasting::Soon => now.minus_s(window_s.min(NOTICE_WINDOW_S)),
            _ => now.minus_s(window_s),
        };
        if let Some(earlier) = self.repeated(fact, record.as_ref(), since, kept_from) {
            return ("duplicate", earlier);
        }
        let seq = self.log.len() as u64 + 1;
        let mut notices = Some(Vec::new());
        let is_wanted = |(model, _): &RecordName| models.is_none_or(|some| some.contains(model));
        let ignored = record.as_ref().is_some_and(|name| !is_wanted(name));
        if let (Some(name), Content::Record { change, .. }) = (&record, &fact.content)
            && !ignored
        {
            let known = self.records.get(name).map(Record::now);
            let (next, bytes) = fold(known, seq, fact, change, received_at);
            if bytes <= DATA_BYTES_MAX {
                let known = self.records.entry(name.clone()).or_default();
                known.last_seq = seq;
                if name.0 == "units" {
                    let last = known.states.last();
                    notices = known.unit.add(fact, change, last, next.as_ref());
                }
                known.states.extend(next);
            } else {
                // It is kept as one that isn't understood, about no record.
                quarantined = true;
                record = None;
                if let Some(earlier) = self.repeated(fact, None, since, kept_from) {
                    return ("duplicate", earlier);
                }
            }
        }
        if matches!(fact.content, Content::Notice { synced: true }) && !quarantined {
            let at = fact.occurred_us.unwrap_or(received_at.us());
            let (first, last) = self.synced_us.unwrap_or((at, at));
            self.synced_us = Some((first.min(at), last.max(at)));
        }
        self.log.push(Logged {
            fact: index,
            received_at,
            record,
            quarantined,
            ignored,
            notices,
            key: fact.identity.key,
        });
        let status = match (quarantined, ignored) {
            (true, _) => "quarantined",
            (_, true) => "ignored",
            _ => "accepted",
        };
        (status, seq)
    }

    /// The number that the same delivery, about the same record, was given
    /// since, if this one isn't another, real event.
    fn repeated(
        &self,
        fact: &Fact,
        record: Option<&RecordName>,
        since: Timestamp,
        kept_from: u64,
    ) -> Option<u64> {
        let is_known = |(seq, logged): &(u64, &Logged)| {
            let lasts = fact.identity.lasting == Lasting::Ever && *seq >= kept_from;
            logged.received_at > since || lasts && !logged.ignored && !logged.quarantined
        };
        let is_same = |(_, logged): &(u64, &Logged)| {
            logged.key == fact.identity.key && logged.record.as_ref() == record
        };
        let log = (1..).zip(&self.log);
        let (earlier, _) = log.filter(is_same).filter(is_known).last()?;
        (!self.is_real_repetition(fact, record, earlier)).then_some(earlier)
    }

    /// A body without time, job or id of its own is a new event if another
    /// event about the record came in between and left the record as this one
    /// says it was.
    fn is_real_repetition(&self, fact: &Fact, record: Option<&RecordName>, earlier: u64) -> bool {
        let Content::Record {
            change: Change::Diff { previous, new },
            ..
        } = &fact.content
        else {
            return false;
        };
        let Some(known) = record.and_then(|record| self.records.get(record)) else {
            return false;
        };
        let fields = &known.now().fields;
        fact.identity.repeatable
            && known.last_seq != earlier
            && previous
                .iter()
                .all(|(name, was)| fields.get(name) == Some(was))
            && previous
                .iter()
                .any(|(name, was)| new.get(name).map_or("null", String::as_str) != was)
    }
}

impl Record {
    pub fn now(&self) -> &State {
        self.states.last().unwrap()
    }
}

/// What a record becomes, unless the event is older than what is known; and
/// the bytes that are forwarded of the event, but for names and punctuation.
fn fold(
    known: Option<&State>,
    seq: u64,
    fact: &Fact,
    change: &Change,
    received_at: Timestamp,
) -> (Option<State>, usize) {
    let order = (fact.occurred_us.unwrap_or_default(), fact.identity.key);
    let mut next = known.cloned().unwrap_or_else(|| State {
        partial: true,
        ..State::default()
    });
    let contradicts = |known: &Fields, said: &Fields| {
        said.iter()
            .any(|(name, value)| known.get(name).is_some_and(|is| is != value))
    };
    match change {
        Change::Whole { stated, .. } if known.is_some_and(|known| known.order >= order) => {
            let stated = stated.as_ref().map_or(0, String::len);
            return (None, stated + bytes(&next.fields));
        }
        Change::Whole { fields, .. } => {
            next.fields = fields.clone();
            next.partial = false;
            next.drift = false;
        }
        Change::Diff { previous, new } => {
            next.drift |= contradicts(&next.fields, previous);
            for name in previous.keys() {
                next.fields.insert(name.clone(), "null".to_owned());
            }
            next.fields.extend(new.clone());
        }
        Change::Sparse(new) => {
            next.drift |= contradicts(&next.fields, new);
            next.fields.extend(new.clone());
        }
    }
    let changed = match (change, known) {
        (
            Change::Whole {
                stated: Some(json), ..
            },
            _,
        ) => json.len(),
        (Change::Diff { previous, new }, _) => bytes(previous) + bytes(new),
        (_, None) => 0,
        (Change::Sparse(_), Some(known)) => replaced(&known.fields, &next.fields),
        (Change::Whole { .. }, Some(known)) => {
            replaced(&known.fields, &next.fields) + added(&known.fields, &next.fields)
        }
    };
    let forwarded = changed + bytes(&next.fields);
    next.version = seq;
    next.time_us = fact.occurred_us.unwrap_or(received_at.us());
    next.order = order;
    (Some(next), forwarded)
}

fn bytes(fields: &Fields) -> usize {
    fields.values().map(String::len).sum()
}

/// Bytes of the values that are others now, and of those in their place.
fn replaced(before: &Fields, now: &Fields) -> usize {
    let others = before
        .iter()
        .filter(|(name, was)| now.get(*name) != Some(was));
    let bytes = others.map(|(name, was)| was.len() + now.get(name).map_or(0, String::len));
    bytes.sum()
}

/// Bytes of the values of new fields.
fn added(before: &Fields, now: &Fields) -> usize {
    let new = now.iter().filter(|(name, _)| !before.contains_key(*name));
    new.map(|(_, value)| value.len()).sum()
}
