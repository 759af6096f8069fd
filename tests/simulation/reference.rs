//! What a ledger must do with a delivery, computed the slow and obvious way
//! from what the provider meant.

use std::collections::{BTreeMap, BTreeSet};

use leasewire::time::Timestamp;

use crate::fact::{Change, Content, Fact, Fields, Lasting, property};
use crate::host::Intake;
use crate::occupancy::Unit;
use crate::plan::{LINKED, Wanted};
use crate::ties::{Said, in_order};

/// Events of a record by which its ledger knows a repetition beyond the window.
const RECENT_MAX: usize = 256;
/// How far ahead of the receiver's clock an event may have happened.
const FUTURE_S: u64 = 300;
/// How long a notice with nothing of its own is a repetition.
const CONTROL_WINDOW_S: u64 = 600;

/// Room for what is forwarded of an event, which is at least the whole record
/// after it.
const DATA_BYTES_MAX: usize = 1_900_000;

/// How far back an event of the same time is looked for, in events about the
/// record, and in bytes of bodies of that time.
const TIED_EVENTS_MAX: usize = 64;
const TIED_BYTES_MAX: usize = 8_000_000;

pub type RecordName = (&'static str, String);

/// One ledger.
#[derive(Default)]
pub struct Reference {
    /// Number n stands at n - 1.
    pub log: Vec<Logged>,
    pub records: BTreeMap<RecordName, Record>,
    /// First and last end of a synchronisation, microseconds.
    pub synced_us: Option<(i64, i64)>,
    /// Records of which something was ignored before it was known that they are
    /// wanted, in the order in which that came out.
    placed: Vec<RecordName>,
    /// So many of them have had it brought in.
    brought_in: usize,
    /// It was gone already.
    pub is_unsure: bool,
}

pub struct Logged {
    pub fact: usize,
    pub received_at: Timestamp,
    pub record: Option<RecordName>,
    pub quarantined: bool,
    /// Left out by the filter.
    pub ignored: bool,
    /// It was at first: no record has it in its list.
    was_ignored: bool,
    /// Nobody knew then to which property its record belongs.
    is_unplaced: bool,
    /// What it says of a unit's occupancy; nothing is known of one with a
    /// longer history than is remembered.
    pub notices: Option<Vec<&'static str>>,
    key: [u8; 16],
}

/// Why an event is left out.
#[derive(PartialEq, Eq)]
enum LeftOut {
    /// Nobody knows to which property its record belongs.
    Unplaced,
    Otherwise,
}

/// A record, with all it ever was.
#[derive(Default)]
pub struct Record {
    pub states: Vec<State>,
    /// Whole objects, late ones included, as they came.
    said: Vec<Said>,
    /// Number of the last event about it, late ones included.
    last_seq: u64,
    unit: Unit,
    /// Some of its events were ignored at first.
    pub was_placed: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub version: u64,
    pub fields: Fields,
    pub partial: bool,
    /// Fields that were contradicted since the last whole object.
    pub drift: BTreeSet<String>,
    /// When the event happened, or was received.
    pub time_us: i64,
    /// Time and key of what its fields are of.
    of: (i64, [u8; 16]),
}

impl Reference {
    /// Takes `fact` as its ledger took it in as `intake` says: the answer's status and number.
    ///
    /// An event is never received before the one before it, whatever the clock
    /// says; the dedupe window is counted back from the clock. History is whole
    /// from the event `kept_from` on. Of a record with more than 256 events, the
    /// ledger may have forgotten one beyond the window.
    pub fn take(&mut self, intake: &Intake, facts: &[Fact], wanted: Wanted) -> (&'static str, u64) {
        let fact = &facts[intake.fact];
        self.bring_in(facts, intake.brought_in);
        let (window_s, now) = (intake.window_s, intake.at);
        let kept_from = match self.is_long(fact) && intake.status != "duplicate" {
            true => u64::MAX,
            false => intake.kept_from,
        };
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
            Lasting::Soon => now.minus_s(window_s.min(CONTROL_WINDOW_S)),
            _ => now.minus_s(window_s),
        };
        if let Some(earlier) = self.repeated(fact, record.as_ref(), since, kept_from) {
            let is_last = earlier == self.log.len() as u64;
            if fact.identity.lasting != Lasting::Soon || is_last {
                return ("duplicate", earlier);
            }
        }
        let seq = self.log.len() as u64 + 1;
        let mut notices = Some(Vec::new());
        let left_out = record
            .as_ref()
            .and_then(|name| self.left_out(name, fact, wanted));
        let ignored = left_out.is_some();
        if let (Some(name), Content::Record { change, .. }) = (&record, &fact.content)
            && !ignored
        {
            let known = self.records.entry(name.clone()).or_default();
            if let Some(new) = known.add(name, seq, fact, change, received_at) {
                notices = new;
            } else {
                // It is kept as one that isn't understood, about no record.
                if known.states.is_empty() {
                    self.records.remove(name);
                }
                quarantined = true;
                record = None;
                if let Some(earlier) = self.repeated(fact, None, since, kept_from) {
                    return ("duplicate", earlier);
                }
            }
        }
        if matches!(fact.content, Content::Control { synced: true }) && !quarantined {
            let at = fact.occurred_us.unwrap_or(received_at.us());
            let (first, last) = self.synced_us.unwrap_or((at, at));
            self.synced_us = Some((first.min(at), last.max(at)));
        }
        if let Some(name) = record.as_ref().filter(|_| !ignored) {
            self.place(name, intake.kept_from);
        }
        self.log.push(Logged {
            fact: intake.fact,
            received_at,
            record,
            quarantined,
            ignored,
            was_ignored: ignored,
            is_unplaced: left_out == Some(LeftOut::Unplaced),
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

    /// Why the sources' filter leaves `fact` out, if it does.
    fn left_out(&self, name: &RecordName, fact: &Fact, wanted: Wanted) -> Option<LeftOut> {
        if wanted.models.is_some_and(|some| !some.contains(&name.0)) {
            return Some(LeftOut::Otherwise);
        }
        if !wanted.linked {
            return None;
        }
        let stated = fact.property();
        let known = self.records.get(name).and_then(|known| known.states.last());
        match stated.or_else(|| property(&known?.fields)) {
            Some(LINKED | "r0") => None,
            Some(_) => Some(LeftOut::Otherwise),
            None => Some(LeftOut::Unplaced),
        }
    }

    /// The record `name` is wanted: what was ignored of it before that was known
    /// is to come in.
    fn place(&mut self, name: &RecordName, kept_from: u64) {
        let mut unplaced = (1..).zip(&self.log).filter(|(_, logged)| {
            logged.is_unplaced && logged.ignored && logged.record.as_ref() == Some(name)
        });
        let first = unplaced.next().map(|(seq, _)| seq);
        if let Some(first) = first
            && !self.placed.contains(name)
        {
            self.placed.push(name.clone());
            self.is_unsure |= first < kept_from;
        }
    }

    /// Brings in what was ignored of the first `count` records of which it turned
    /// out to be wanted: they are as if it never had been.
    pub fn bring_in(&mut self, facts: &[Fact], count: usize) {
        while self.brought_in < count.min(self.placed.len()) {
            let name = self.placed[self.brought_in].clone();
            self.brought_in += 1;
            let mut record = Record {
                was_placed: true,
                ..Record::default()
            };
            for (seq, logged) in (1..).zip(&mut self.log) {
                if logged.record.as_ref() != Some(&name) {
                    continue;
                }
                logged.ignored = false;
                let fact = &facts[logged.fact];
                if let Content::Record { change, .. } = &fact.content {
                    let notices = record.add(&name, seq, fact, change, logged.received_at);
                    logged.notices = notices.unwrap_or(Some(Vec::new()));
                }
            }
            self.records.insert(name, record);
        }
    }

    /// All that waits to be brought in.
    pub fn bring_in_all(&mut self, facts: &[Fact]) {
        self.bring_in(facts, self.placed.len());
    }

    /// True if the record has more events than its ledger remembers.
    fn is_long(&self, fact: &Fact) -> bool {
        let record = fact.record();
        let is_of_it = |logged: &&Logged| {
            let of = logged.record.as_ref();
            of.map(|(model, id)| (*model, id.as_str())) == record
        };
        record.is_some() && self.log.iter().filter(is_of_it).count() > RECENT_MAX
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
            logged.received_at > since || lasts && !logged.was_ignored && !logged.quarantined
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
        let value = |of: &Fields, name: &String| match of.get(name) {
            Some(value) => value.clone(),
            // Senders leave out what there isn't.
            None => "null".to_owned(),
        };
        let changes = |name: &String| value(previous, name) != value(new, name);
        let is_set = |name: &String| {
            !previous.contains_key(name) && value(fields, name) == "null" && changes(name)
        };
        let mut names = previous.keys();
        fact.identity.repeatable
            && known.last_seq != earlier
            && names
                .clone()
                .all(|name| value(fields, name) == value(previous, name))
            && (names.any(changes) || new.keys().any(is_set))
    }
}

impl Record {
    /// Folds an event in; gives its notices, or nothing if there is no room for
    /// what the record becomes.
    fn add(
        &mut self,
        name: &RecordName,
        seq: u64,
        fact: &Fact,
        change: &Change,
        received_at: Timestamp,
    ) -> Option<Option<Vec<&'static str>>> {
        let said = Said::of(fact);
        let tied = said.as_ref().map_or(Vec::new(), |said| self.tied(said));
        let last = self.states.last();
        let next = fold(last, seq, fact, change, &tied, received_at);
        if next.as_ref().map_or(0, |next| bytes(&next.fields)) > DATA_BYTES_MAX {
            return None;
        }
        self.last_seq = seq;
        let mut notices = Some(Vec::new());
        if name.0 == "units" {
            let keys: Vec<_> = tied.iter().map(|said| said.key).collect();
            notices = self.unit.add(fact, change, last, next.as_ref(), &keys);
        }
        self.states.extend(next);
        self.said.extend(said);
        Some(notices)
    }

    pub fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    /// The whole objects of one time, with a new one among them, the oldest
    /// first.
    fn tied(&self, new: &Said) -> Vec<Said> {
        let (mut tied, mut bytes) = (Vec::new(), 0);
        for said in self.said.iter().rev().take(TIED_EVENTS_MAX) {
            if said.us == new.us {
                bytes += said.bytes;
                if bytes > TIED_BYTES_MAX {
                    break;
                }
                // What came again, came when it first did.
                tied.retain(|other: &Said| other.key != said.key);
                tied.insert(0, said.clone());
            }
        }
        // Of one that is further back, only what the record is, is known.
        if let Some(known) = self.states.last().filter(|known| known.of.0 == new.us)
            && tied.iter().all(|said| said.key != known.of.1)
        {
            tied.insert(0, Said::state(known.of, known.fields.clone()));
        }
        if tied.iter().all(|said| said.key != new.key) {
            tied.push(new.clone());
        }
        in_order(&tied)
    }
}

/// What a record becomes, unless the event is older than what is known. `tied`
/// are the whole objects of its time.
fn fold(
    known: Option<&State>,
    seq: u64,
    fact: &Fact,
    change: &Change,
    tied: &[Said],
    received_at: Timestamp,
) -> Option<State> {
    let us = fact.occurred_us.unwrap_or_default();
    let mut next = known.cloned().unwrap_or_else(|| State {
        partial: true,
        ..State::default()
    });
    next.of = (us, fact.identity.key);
    match change {
        Change::Whole { fields, .. } => {
            let known_of = known.map_or((i64::MIN, [0; 16]), |known| known.of);
            if known_of.0 > us {
                return None;
            }
            next.fields = fields.clone();
            if known_of.0 == us {
                let newest = tied.last().unwrap();
                if newest.key == known_of.1 {
                    return None;
                }
                next.of.1 = newest.key;
                next.fields = newest.fields.clone();
            }
            next.partial = false;
            next.drift.clear();
        }
        Change::Diff { previous, new } => {
            for (name, was) in previous {
                let becomes = new.get(name).map_or("null", String::as_str);
                match next.fields.get(name) {
                    Some(is) if is == was => drop(next.drift.remove(name)),
                    Some(is) if is != becomes => drop(next.drift.insert(name.clone())),
                    _ => {}
                }
                next.fields.insert(name.clone(), "null".to_owned());
            }
            next.fields.extend(new.clone());
        }
        // The oldest event of its record, whenever it comes.
        Change::Sparse(new) => {
            for (name, value) in new {
                let known = next.fields.entry(name.clone());
                known.or_insert_with(|| value.clone());
            }
        }
    }
    next.version = seq;
    next.time_us = fact.occurred_us.unwrap_or(received_at.us());
    Some(next)
}

fn bytes(fields: &Fields) -> usize {
    fields.values().map(String::len).sum()
}
