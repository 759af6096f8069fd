//! What a ledger must hold: its log, and its own idea of how things are.

use std::collections::{BTreeMap, BTreeSet};

use leasewire::ledger::{NOT_APPLIED, State, discard};
use leasewire::sql::Row;
use leasewire::time::Timestamp;

use super::{Verdict, expect};
use crate::d1::ODD;
use crate::fact::{Change, Content, Fact, Fields};
use crate::host::{RETENTION_S, Settled};
use crate::operator::Discard;
use crate::reference::{Logged, RecordName, Reference};
use crate::world::World;

/// Events that a ledger lists as such.
pub struct Held {
    pub dead: BTreeSet<u64>,
    pub not_applied: BTreeSet<u64>,
    /// They were that, or not understood, until they were discarded.
    pub discarded: BTreeSet<u64>,
}

impl Held {
    pub fn has(&self, seq: u64) -> bool {
        let held = [&self.dead, &self.not_applied, &self.discarded];
        held.iter().any(|some| some.contains(&seq))
    }
}

/// All events of a ledger by their numbers: as they are, or were when they went,
/// and when that was.
type Rows = BTreeMap<u64, (Option<Timestamp>, Row)>;

fn rows(world: &World, ledger: usize) -> Rows {
    let database = &world.hosts[ledger].database;
    let mut rows = Rows::new();
    for (dropped_at, events) in &*database.dropped.borrow() {
        for row in events {
            rows.insert(row.number(0).unwrap(), (Some(*dropped_at), row.clone()));
        }
    }
    for row in database.events("") {
        rows.insert(row.number(0).unwrap(), (None, row));
    }
    rows
}

/// The log holds what was accepted: numbered from 1 without gaps, in the
/// order of acceptance, each with its raw body, and nothing else. What has
/// gone was there, and was old.
pub fn check_log(world: &World, ledger: usize, reference: &Reference) -> Verdict {
    let rows = rows(world, ledger);
    expect("events in the log", rows.len(), reference.log.len())?;
    for ((seq, (dropped_at, row)), logged) in rows.iter().zip(&reference.log) {
        check_event(world, ledger, row, logged).map_err(|why| format!("number {seq}: {why}"))?;
        let oldest = dropped_at.map(|at| at.minus_s(RETENTION_S));
        let may_go = world.ledger_bytes_max.is_some()
            || oldest.is_none_or(|oldest| logged.received_at <= oldest);
        if !may_go || dropped_at.is_some() && had_to_stay(world, ledger, row, logged) {
            return Err(format!("number {seq} is gone, and had to stay"));
        }
    }
    let gapless = rows.keys().copied().eq(1..=reference.log.len() as u64);
    expect("numbers without gaps", gapless, true)
}

/// True if what is in `row` was held, and was neither applied nor discarded
/// since.
fn had_to_stay(world: &World, ledger: usize, row: &Row, logged: &Logged) -> bool {
    let (seq, replay) = (row.number(0).unwrap(), row.number(5).unwrap());
    let was_held = row.flag(3) != Ok(false) || row.flag(4) != Ok(false);
    let mut packs = world.hosts[ledger].settled.iter();
    let is_applied = packs.any(|pack| pack.applied && pack.holds(seq) && pack.replay > replay);
    was_held && !is_applied && !may_be_discarded(world, ledger, seq, logged)
}

fn check_event(world: &World, ledger: usize, row: &Row, logged: &Logged) -> Verdict {
    let (source, integration) = &world.hosts[ledger].name;
    let fact = &world.facts[logged.fact];
    let is_discarded = row.flag(6) == Ok(true);
    if is_discarded && row.flag(4) == Ok(true) {
        return Err("it is discarded, and in quarantine".to_owned());
    }
    let body = if is_discarded { &[] } else { &fact.body[..] };
    expect("the body", row.blob(1), Ok(body))?;
    expect("received at", row.integer(2), Ok(logged.received_at.us()))?;
    let is_quarantined = logged.quarantined && !is_discarded;
    expect("quarantined", row.flag(3), Ok(is_quarantined))?;
    if (fact.dialect, &fact.integration) != (source, integration) {
        return Err(format!("it is {}'s", fact.integration));
    }
    Ok(())
}

/// What is discarded was held, and somebody asked for it; what wasn't understood
/// when somebody asked for it, is discarded, and stays so. Gives what is.
pub fn check_discarded(
    world: &World,
    ledger: usize,
    reference: &Reference,
) -> Result<BTreeSet<u64>, String> {
    let mut discarded = BTreeSet::new();
    let rows = rows(world, ledger);
    for ((seq, (dropped_at, row)), logged) in rows.iter().zip(&reference.log) {
        let may_be = may_be_discarded(world, ledger, *seq, logged);
        let is = row.flag(6) == Ok(true);
        let asked = |one: &Discard| {
            !one.uncertain && one.asks_for(ledger, *seq, discard::Held::Quarantined)
        };
        let must_be = logged.quarantined && world.discards.iter().any(asked);
        // A copy that outlived its segment is forgotten.
        let was = dropped_at.is_some() && may_be;
        if is && !may_be || must_be && !is && !was {
            return Err(format!("number {seq} is discarded: {is}"));
        }
        if is || was && row.flag(3) != Ok(false) {
            discarded.insert(*seq);
        }
    }
    Ok(discarded)
}

/// True if somebody asked for it that an event be discarded, which was held then,
/// or may have been.
fn may_be_discarded(world: &World, ledger: usize, seq: u64, logged: &Logged) -> bool {
    let asked = |status| {
        let mut all = world.discards.iter();
        all.any(|one| one.asks_for(ledger, seq, status))
    };
    let was_quarantined = logged.quarantined || world.blamed.contains_key(&(ledger, seq));
    let mut packs = world.hosts[ledger].settled.iter();
    let was_dead = packs.any(|pack| !pack.applied && pack.holds(seq));
    was_quarantined && asked(discard::Held::Quarantined) || was_dead && asked(discard::Held::Dead)
}

/// Where a request carries a signed time, it has one number for ever: a
/// replay is a duplicate, or too old.
pub fn check_once(world: &World, ledger: usize, reference: &Reference) -> Verdict {
    let dialect = world.hosts[ledger].name.0.as_str();
    let mut seen = BTreeSet::new();
    for (logged, seq) in reference.log.iter().zip(1..) {
        let fact = &world.facts[logged.fact];
        let has_signed_time =
            dialect == "real-estate" || dialect == "meterbase" && fact.occurred_us.is_some();
        if has_signed_time && !logged.quarantined && !seen.insert(logged.fact) {
            return Err(format!(
                "fact {} has number {seq} and one more",
                logged.fact
            ));
        }
    }
    Ok(())
}

/// Where events carry their time, the newest one is the record, in whatever
/// order they came. Of several with the newest time that is the last one that
/// the provider made, where each says what was before it.
pub fn check_any_order(world: &World, reference: &Reference) -> Verdict {
    let mut newest: BTreeMap<&RecordName, BTreeMap<usize, &Fact>> = BTreeMap::new();
    for logged in &reference.log {
        let fact = &world.facts[logged.fact];
        let (Some(name), Some(us), false) = (&logged.record, fact.occurred_us, logged.ignored)
        else {
            continue;
        };
        let known = newest.entry(name).or_default();
        if known.values().all(|known| known.occurred_us < Some(us)) {
            known.clear();
        }
        if known.values().all(|known| known.occurred_us == Some(us)) {
            known.insert(logged.fact, fact);
        }
    }
    for (name, facts) in newest {
        let facts: Vec<&Fact> = facts.into_values().collect();
        if let Some(fields) = last_of(&facts)
            && *fields != reference.records[name].now().fields
        {
            return Err(format!("{name:?} depends on the order"));
        }
    }
    Ok(())
}

/// What the last of `facts`, in the order in which they were made, says of its
/// record, if they are a chain: each says exactly what was before it, and no
/// two say the same.
fn last_of<'a>(facts: &[&'a Fact]) -> Option<&'a Fields> {
    let whole = |fact: &'a Fact| match &fact.content {
        Content::Record {
            change:
                Change::Whole {
                    fields,
                    before,
                    changed,
                },
            ..
        } if facts.len() == 1 || before.len() == changed.len() => Some((fields, before)),
        _ => None,
    };
    let said: Vec<_> = facts
        .iter()
        .map(|fact| whole(fact))
        .collect::<Option<_>>()?;
    let was = |(fields, before): &(&Fields, &Fields)| {
        let mut was = (*fields).clone();
        was.extend((*before).clone());
        was.retain(|_, value| value != "null");
        was
    };
    let is = |(fields, _): &(&Fields, &Fields)| was(&(fields, &Fields::new()));
    let changes = |one: &(&Fields, &Fields)| was(one) != is(one);
    let mut states: BTreeSet<Fields> = said.first().map(&was).into_iter().collect();
    let is_chain = said.windows(2).all(|pair| is(&pair[0]) == was(&pair[1]));
    let is_told = is_chain
        && said
            .iter()
            .all(|one| changes(one) && states.insert(is(one)));
    said.last()
        .filter(|_| said.len() == 1 || is_told)
        .map(|(fields, _)| *fields)
}

/// Nothing is pending or unconfirmed, and nothing will wake the ledger. Gives
/// what it lists as dead and as impossible to apply.
pub fn check_rest(world: &mut World, ledger: usize, reference: &Reference) -> Result<Held, String> {
    let discarded = check_discarded(world, ledger, reference)?;
    let host = &mut world.hosts[ledger];
    let alarm = host.alarm;
    let core = host.core().map_err(|why| why.to_string())?;
    let state = core
        .state()
        .map_err(|why| why.to_string())?
        .ok_or("no state")?;
    let last_seq = reference.log.len() as u64;
    let listed = core.events(0, last_seq).map_err(|why| why.to_string())?;
    let page = core
        .quarantined(0, last_seq)
        .map_err(|why| why.to_string())?;
    let (mut dead, mut not_applied) = (BTreeSet::new(), BTreeSet::new());
    let (mut quarantined, mut ignored, mut others) = (Vec::new(), Vec::new(), 0);
    for (seq, status, reason) in statuses(&listed) {
        match status {
            "dead" => drop(dead.insert(seq)),
            "quarantined" => quarantined.push((seq, status, reason)),
            "confirmed" => {}
            "ignored" => ignored.push(seq),
            "discarded" if discarded.contains(&seq) => {}
            _ => others += 1,
        }
        if status == "quarantined" && reason == Some(NOT_APPLIED) {
            not_applied.insert(seq);
        }
    }
    let left_out = statuses(&listed).into_iter().map(|(seq, ..)| seq);
    let left_out: Vec<u64> = left_out
        .filter(|seq| reference.log[*seq as usize - 1].ignored)
        .collect();
    expect("ignored", ignored, left_out)?;
    expect("dead", state.dead, dead.len() as u64)?;
    expect("the quarantine", statuses(&page), quarantined)?;
    let log = (1..).zip(&reference.log);
    let unclear = log.filter(|(seq, logged)| logged.quarantined && !discarded.contains(seq));
    let unclear = unclear.count() + not_applied.len();
    let last = reference.log.last();
    let (first_synced_us, last_synced_us) = reference.synced_us.unzip();
    let expected = State {
        last_seq,
        confirmed_seq: last_seq,
        pending: 0,
        unconfirmed: 0,
        quarantined: unclear as u64,
        oldest_unconfirmed_at: None,
        first_synced_at: first_synced_us.map(Timestamp::from_us),
        last_synced_at: last_synced_us.map(Timestamp::from_us),
        last_event_at: last.map(|logged| logged.received_at),
        ..state.clone()
    };
    expect("the state", &state, &expected)?;
    expect("quarantined", statuses(&page).len(), unclear)?;
    expect("neither confirmed, dead nor quarantined", others, 0)?;
    expect("the alarm", alarm, None)?;
    Ok(Held {
        dead,
        not_applied,
        discarded,
    })
}

/// The numbers, statuses and reasons of a page of the history.
fn statuses(page: &str) -> Vec<(u64, &str, Option<&str>)> {
    let entries = page.split(r#"{"seq":"#).skip(1);
    let entry = |text: &str| -> Option<(u64, usize)> {
        let (seq, _) = text.split_once(',')?;
        Some((seq.parse().ok()?, text.find(r#""status":""#)? + 10))
    };
    entries
        .filter_map(|text| {
            let (seq, at) = entry(text)?;
            let reason = text.split_once(r#""reason":""#);
            let reason = reason.and_then(|(_, rest)| rest.split('"').next());
            Some((seq, text[at..].split('"').next()?, reason))
        })
        .collect()
}

/// What was buried and never applied is listed as dead; what was applied
/// since, as the last replay wrote it, isn't; nothing else is.
pub fn check_dead(world: &World, ledger: usize, reference: &Reference, held: &Held) -> Verdict {
    let rows = world.hosts[ledger].database.events("");
    let replays: BTreeMap<u64, u64> = rows
        .iter()
        .map(|row| (row.number(0).unwrap(), row.number(5).unwrap()))
        .collect();
    for (logged, seq) in reference.log.iter().zip(1..) {
        let packs = world.hosts[ledger].settled.iter();
        let news: Vec<&Settled> = packs.filter(|pack| pack.holds(seq)).collect();
        let replay = replays.get(&seq).copied().unwrap_or(0);
        let applied = |pack: &&Settled| pack.applied && !pack.uncertain && pack.replay >= replay;
        let since = news.iter().rposition(applied).map_or(0, |at| at + 1);
        let quarantined = logged.quarantined
            || logged.ignored
            || held.not_applied.contains(&seq)
            || held.discarded.contains(&seq);
        let may_be = !quarantined && news[since..].iter().any(|pack| !pack.applied);
        let must_be = !quarantined
            && news.iter().all(|pack| !pack.applied)
            && news.iter().any(|pack| !pack.uncertain);
        let is_dead = held.dead.contains(&seq);
        if is_dead && !may_be || must_be && !is_dead {
            return Err(format!("number {seq} is dead: {is_dead}"));
        }
    }
    Ok(())
}

/// What is quarantined as impossible to apply is that, or failed alone again
/// and again with an error that doesn't tell whose fault it is.
pub fn check_not_applied(world: &World, ledger: usize, held: &Held) -> Verdict {
    for seq in &held.not_applied {
        let why = world.blamed.get(&(ledger, *seq)).map(String::as_str);
        if !world.poison.contains(seq) && why != Some(ODD) {
            return Err(format!("number {seq} is quarantined: {why:?}"));
        }
    }
    Ok(())
}
