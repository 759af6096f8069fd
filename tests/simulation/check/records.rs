//! What the ledgers and D1 must know of records and integrations.

use std::collections::{BTreeMap, BTreeSet};

use leasewire::sql::Row;
use leasewire::time::Timestamp;
use serde_json::value::RawValue;

use super::ledger::Held;
use super::{Verdict, expect};
use crate::fact::{Fields, object};
use crate::reference::{RecordName, Reference, State};
use crate::world::World;

/// The ledger's own records are the reference's.
pub fn check_ledger(world: &World, ledger: usize, reference: &Reference) -> Verdict {
    let sql = "SELECT model, record_id, version, fields, partial, drift FROM records";
    let rows = world.hosts[ledger].database.rows(sql);
    let rows = records(&rows);
    expect("records", rows.len(), reference.records.len())?;
    for (name, record) in &reference.records {
        check_record(name, rows.get(&name_of(name)).copied(), record.now())?;
    }
    Ok(())
}

/// D1 holds every record as the reference has it, but for what died on the
/// way or couldn't be applied: of such a record it holds an earlier state, not older than the last
/// one that lives.
pub fn check_d1(world: &World, ledger: usize, reference: &Reference, held: &Held) -> Verdict {
    let rows = d1_rows(world, ledger);
    let rows = records(&rows);
    for (name, record) in &reference.records {
        let row = rows.get(&name_of(name));
        let version = row.and_then(|row| row.number(2).ok()).unwrap_or(0);
        let mut alive = record
            .states
            .iter()
            .filter(|state| !held.has(state.version));
        let newest_alive = alive.next_back().map_or(0, |state| state.version);
        if version < newest_alive {
            return Err(format!(
                "D1 has {name:?} at {version}, not at {newest_alive}"
            ));
        }
        if version == 0 {
            continue;
        }
        if record.was_placed && is_held_back(name, reference, held) {
            // It may be as it was before all of it came in.
            continue;
        }
        let state = record.states.iter().find(|state| state.version == version);
        let state = state.ok_or_else(|| format!("D1 has {name:?} at an unknown {version}"))?;
        check_record(name, row.copied(), state).map_err(|why| format!("D1: {why}"))?;
        let time = Timestamp::from_us(state.time_us).to_string();
        let of = format!("D1: {name:?} occurred at");
        expect(
            &of,
            row.and_then(|row| row.text(6).ok()),
            Some(time.as_str()),
        )?;
    }
    Ok(())
}

/// D1 has every notice that the reference gives, once, but for those of events
/// that died or couldn't be applied: their own, and, where a replay wrote them,
/// those of their record, which they bring along. Nor those of events that died
/// and went out again once the history around them was gone: to D1 they are
/// older than what a replay has made of their record.
pub fn check_notices(world: &World, ledger: usize, reference: &Reference, held: &Held) -> Verdict {
    let (source, integration) = &world.hosts[ledger].name;
    let rows = world.d1.rows(&format!(
        "SELECT seq, kind, model, record_id, count FROM notices
         WHERE source = '{source}' AND integration = '{integration}'"
    ));
    let mut found = BTreeMap::new();
    for row in &rows {
        let name = (row.text(2).unwrap(), row.text(3).unwrap());
        let count = row.number(4).unwrap();
        found.insert(
            (row.number(0).unwrap(), row.text(1).unwrap()),
            (name, count),
        );
    }
    let replayed = "WHERE replay IS NOT NULL";
    let replayed = world.hosts[ledger].database.events(replayed);
    let held_back: Vec<_> = replayed
        .iter()
        .filter_map(|row| row.number(0).ok().filter(|seq| held.has(*seq)))
        .filter_map(|seq| reference.log[seq as usize - 1].record.as_ref())
        .collect();
    for (seq, logged) in (1..).zip(&reference.log) {
        let is_between = |name: &RecordName| {
            let record = reference.records.get(name);
            record.is_some_and(|record| record.was_placed) && is_held_back(name, reference, held)
        };
        let Some(notices) = &logged.notices else {
            found.retain(|(of, _), _| *of != seq);
            continue;
        };
        if logged.record.as_ref().is_some_and(is_between) {
            found.retain(|(of, _), _| *of != seq);
            continue;
        }
        for kind in BTreeSet::from_iter(notices) {
            let (record, is) = found.remove(&(seq, *kind)).unzip();
            let count = notices.iter().filter(|other| *other == kind).count();
            let is_held_back = logged
                .record
                .as_ref()
                .is_some_and(|of| held_back.contains(&of));
            let was_held = held.has(seq) || outlived(world, ledger, seq);
            if record.is_none() && !was_held && !is_held_back {
                return Err(format!("D1 lacks the notice {kind} of {seq}"));
            }
            if record.is_some() && record != logged.record.as_ref().map(name_of) {
                return Err(format!("D1 has the notice {kind} of {seq} for {record:?}"));
            }
            if is.is_some_and(|is| is != count as u64) {
                return Err(format!("D1 has the notice {kind} of {seq} {is:?} times"));
            }
        }
    }
    match found.first_key_value() {
        Some(odd) => Err(format!("D1 has a notice that nothing reveals: {odd:?}")),
        None => Ok(()),
    }
}

/// True if an event could not be applied at some time, and the history around it
/// is gone.
fn outlived(world: &World, ledger: usize, seq: u64) -> bool {
    let host = &world.hosts[ledger];
    let mut settled = host.settled.iter();
    seq < host.kept_from() && settled.any(|pack| !pack.applied && pack.holds(seq))
}

/// True if any event of the record `name` is held.
fn is_held_back(name: &RecordName, reference: &Reference, held: &Held) -> bool {
    let mut log = (1..).zip(&reference.log);
    log.any(|(seq, logged)| logged.record.as_ref() == Some(name) && held.has(seq))
}

pub fn check_nothing_else(world: &World, ledgers: &[Reference]) -> Verdict {
    let is = world.d1.rows("SELECT count(*) FROM records")[0].number(0);
    let most: usize = ledgers
        .iter()
        .map(|reference| reference.records.len())
        .sum();
    if is.as_ref().is_ok_and(|is| *is <= most as u64) {
        return Ok(());
    }
    Err(format!("D1 has {is:?} records, and there are {most}"))
}

/// The list of integrations has the ledger's last number and its times.
pub fn check_integration(world: &World, ledger: usize, reference: &Reference) -> Verdict {
    let sql = "SELECT source, integration, last_seq, first_synced_at, last_synced_at
               FROM integrations";
    let (source, integration) = &world.hosts[ledger].name;
    let rows = world.d1.rows(sql);
    let row = rows
        .iter()
        .find(|row| row.text(0) == Ok(source) && row.text(1) == Ok(integration))
        .ok_or("not in the list of integrations")?;
    let last_seq = reference.log.len() as u64;
    expect("its last number in D1", row.number(2), Ok(last_seq))?;
    let (first, last) = reference.synced_us.unzip();
    let time = |us: Option<i64>| us.map(|us| Timestamp::from_us(us).to_string());
    expect(
        "first synced in D1",
        row.maybe_text(3),
        Ok(time(first).as_deref()),
    )?;
    expect(
        "last synced in D1",
        row.maybe_text(4),
        Ok(time(last).as_deref()),
    )
}

/// D1 has what the ledger would report, and that nothing waits.
pub fn check_report(world: &mut World, ledger: usize) -> Verdict {
    let (source, integration) = world.hosts[ledger].name.clone();
    let core = world.hosts[ledger].core();
    let state = core.and_then(|core| core.state());
    let state = state.map_err(|why| why.to_string())?.ok_or("no state")?;
    let sql = "SELECT source, integration, pending, unconfirmed, dead, quarantined,
                      oldest_unconfirmed_at FROM integrations";
    let rows = world.d1.rows(sql);
    let of = |row: &&Row| row.text(0) == Ok(&source) && row.text(1) == Ok(&integration);
    let row = rows.iter().find(of).ok_or("no report")?;
    let number = |at| row.number(at).map_err(|why| why.to_string());
    let reported = [number(2)?, number(3)?, number(4)?, number(5)?];
    let should = [0, 0, state.dead, state.quarantined];
    expect(
        "pending, unconfirmed, dead, quarantined in D1",
        reported,
        should,
    )?;
    expect("waiting since, in D1", row.maybe_text(6), Ok(None))
}

fn check_record(name: &RecordName, row: Option<&Row>, state: &State) -> Verdict {
    let row = row.ok_or_else(|| format!("{name:?} is missing"))?;
    expect(
        &format!("{name:?}'s version"),
        row.number(2),
        Ok(state.version),
    )?;
    let is = fields(row.text(3).unwrap_or_default());
    if is != state.fields {
        let (is, should) = (short(&is), short(&state.fields));
        return Err(format!("{name:?} is {is}, not {should}"));
    }
    expect(&format!("{name:?} partial"), row.flag(4), Ok(state.partial))?;
    expect(
        &format!("{name:?} drift"),
        row.flag(5),
        Ok(!state.drift.is_empty()),
    )
}

fn d1_rows(world: &World, ledger: usize) -> Vec<Row> {
    let name = &world.hosts[ledger].name;
    let sql = format!(
        "SELECT model, record_id, version, fields, partial, drift, occurred_at FROM records
         WHERE source = '{}' AND integration = '{}'",
        name.0, name.1
    );
    world.d1.rows(&sql)
}

fn records(rows: &[Row]) -> BTreeMap<(&str, &str), &Row> {
    let named = |row| (Row::text(row, 0).unwrap(), Row::text(row, 1).unwrap());
    rows.iter().map(|row| (named(row), row)).collect()
}

fn name_of((model, id): &RecordName) -> (&str, &str) {
    (model, id)
}

fn fields(json: &str) -> Fields {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap_or_default();
    let text = |(name, value): (String, Box<RawValue>)| (name, value.get().to_owned());
    fields.into_iter().map(text).collect()
}

fn short(fields: &Fields) -> String {
    let shown = object(fields);
    shown.chars().take(200).collect()
}
