//! Taking a pack apart: which event is found guilty, and when nobody is.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use leasewire::ledger::{Ledger, SeqRange};
use leasewire::projection::{Bisect, Fault, GUILTY_ATTEMPT, Pack, ROUNDS, Task};
use proptest::collection::btree_set;
use proptest::prelude::*;

use super::records_retries;
use crate::common::{Database, at, delivery};

/// What came of an attempt.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    applied: BTreeSet<usize>,
    quarantined: Vec<usize>,
    gave_up: bool,
    tries: u32,
    probes: u32,
    waits: u32,
}

/// An attempt in which `fails` says what can't be applied, without a word of
/// whose fault it is, and `probe` whether the probe works.
fn attempt(
    events: usize,
    number: u32,
    mut fails: impl FnMut(&Range<usize>) -> bool,
    probe: impl FnMut() -> bool,
) -> Outcome {
    let fails = |part: &Range<usize>| fails(part).then_some(Fault::Unknown);
    attempt_with(events, number, fails, probe)
}

/// The same with errors that tell.
fn attempt_with(
    events: usize,
    number: u32,
    mut fails: impl FnMut(&Range<usize>) -> Option<Fault>,
    mut probe: impl FnMut() -> bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut bisect = Bisect::new(events, number);
    loop {
        // What is tried without end, nothing here limits.
        assert!(outcome.tries < 10_000);
        let mut fault = Fault::Unknown;
        let worked = match bisect.task() {
            Task::Apply(part) => {
                assert!(part.start < part.end && part.end <= events);
                outcome.tries += 1;
                let failed = fails(&part);
                fault = failed.unwrap_or(fault);
                let worked = failed.is_none();
                if worked {
                    let new = part.clone().all(|at| outcome.applied.insert(at));
                    assert!(new, "{part:?} was applied before");
                }
                worked
            }
            Task::Probe(part) => {
                assert!(part.start < part.end && part.end <= events);
                outcome.probes += 1;
                probe()
            }
            Task::Wait(ms) => {
                assert!(ms > 0);
                outcome.waits += 1;
                continue;
            }
            Task::Quarantine(at) => {
                outcome.quarantined.push(at);
                continue;
            }
            Task::GiveUp(_) => {
                outcome.gave_up = true;
                return outcome;
            }
            Task::Done => return outcome,
        };
        if worked {
            bisect.worked();
        } else {
            bisect.failed(fault);
        }
    }
}

fn without(events: usize, guilty: &BTreeSet<usize>) -> BTreeSet<usize> {
    (0..events).filter(|at| !guilty.contains(at)).collect()
}

#[test]
fn a_pack_that_works_is_one_try() {
    let outcome = attempt(150, GUILTY_ATTEMPT, |_| false, || panic!("no doubts"));
    assert_eq!((outcome.applied.len(), outcome.tries), (150, 1));
    assert!(!outcome.gave_up && outcome.quarantined.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whichever events are guilty: all others are applied on every attempt,
    /// and on the last ones exactly the guilty are found.
    #[test]
    fn the_guilty_are_found((events, guilty) in (1..150_usize).prop_flat_map(|events| {
        (Just(events), btree_set(0..events, 1..=events.min(8)))
    })) {
        let fails = |part: &Range<usize>| part.clone().any(|at| guilty.contains(&at));
        for number in 1..=GUILTY_ATTEMPT + 1 {
            let outcome = attempt(events, number, fails, || true);
            prop_assert_eq!(&outcome.applied, &without(events, &guilty));
            let is_last = number >= GUILTY_ATTEMPT;
            let found: Vec<usize> = guilty.iter().copied().filter(|_| is_last).collect();
            prop_assert_eq!(outcome.quarantined, found);
            prop_assert_eq!(outcome.gave_up, !is_last);
            prop_assert_eq!(outcome.waits, if is_last { ROUNDS } else { 0 });
            // Down to single events, and each of them a few times more.
            let levels = events.next_power_of_two().ilog2() + 1;
            let tries = guilty.len() as u32 * (2 * levels + ROUNDS);
            prop_assert!(outcome.tries <= tries, "{} tries", outcome.tries);
        }
    }

    /// Everything works or fails at random, the probe too: no event is both
    /// applied and quarantined, and it comes to an end.
    #[test]
    fn nothing_gets_lost(events in 1..150_usize, luck in proptest::collection::vec(any::<bool>(), 1..500)) {
        let next = Cell::new(0);
        let draw = || {
            next.set(next.get() + 1);
            luck[next.get() % luck.len()]
        };
        let outcome = attempt(events, GUILTY_ATTEMPT, |_| draw(), draw);
        let quarantined: BTreeSet<usize> = outcome.quarantined.iter().copied().collect();
        prop_assert!(quarantined.is_disjoint(&outcome.applied));
        if !outcome.gave_up {
            prop_assert_eq!(quarantined, without(events, &outcome.applied));
        }
    }
}

#[test]
fn in_an_outage_nobody_is_guilty_and_little_is_tried() {
    for number in [1, GUILTY_ATTEMPT, GUILTY_ATTEMPT + 1] {
        let outcome = attempt(150, number, |_| true, || false);
        assert_eq!((outcome.tries, outcome.waits), (1, 0));
        assert!(outcome.gave_up && outcome.quarantined.is_empty());
    }
    // One that begins in the middle.
    for good in 0..40 {
        let probes = Cell::new(0);
        let probe = || {
            probes.set(probes.get() + 1);
            probes.get() <= good
        };
        let fails = |part: &Range<usize>| part.contains(&3) || probes.get() >= good;
        let outcome = attempt(16, GUILTY_ATTEMPT, fails, probe);
        assert!(
            !outcome.quarantined.iter().any(|at| *at != 3),
            "{outcome:?}"
        );
    }
}

#[test]
fn what_passes_in_a_pause_was_no_event_s_fault() {
    for passes_after in 1..=ROUNDS {
        let tries = Cell::new(0);
        let fails = |part: &Range<usize>| {
            if part == &(2..3) {
                tries.set(tries.get() + 1);
            }
            part.contains(&2) && tries.get() <= passes_after
        };
        let outcome = attempt(5, GUILTY_ATTEMPT, fails, || true);
        assert!(outcome.quarantined.is_empty());
        assert_eq!(outcome.applied.len(), 5);
        assert_eq!(outcome.waits, passes_after);
    }
}

/// An error that tells whose fault it is needs no second attempt, and the
/// probe only once for each event.
#[test]
fn what_is_clearly_an_event_s_fault_is_quarantined_at_once() {
    for number in [1, GUILTY_ATTEMPT] {
        let fails = |part: &Range<usize>| part.contains(&5).then_some(Fault::Event);
        let outcome = attempt_with(150, number, fails, || true);
        assert_eq!(outcome.quarantined, [5]);
        assert_eq!(outcome.applied, without(150, &BTreeSet::from([5])));
        assert_eq!(
            (outcome.probes, outcome.waits, outcome.gave_up),
            (1, 0, false)
        );
    }
}

/// A missing column's default, say, fails every event by a constraint: then the
/// probe fails by it, too.
#[test]
fn what_the_probe_meets_too_is_no_event_s_fault() {
    let outcome = attempt_with(16, GUILTY_ATTEMPT, |_| Some(Fault::Event), || false);
    assert!(outcome.gave_up && outcome.quarantined.is_empty() && outcome.applied.is_empty());
    assert_eq!(outcome.probes, 1);
}

/// A database that is away or full is asked once, not for each event.
#[test]
fn what_is_nobody_s_fault_ends_the_attempt() {
    for number in [1, GUILTY_ATTEMPT, GUILTY_ATTEMPT + 1] {
        let full = |part: &Range<usize>| (part.len() > 2).then_some(Fault::Nobodys);
        let outcome = attempt_with(16, number, full, || panic!("no doubts"));
        assert!(outcome.gave_up && outcome.quarantined.is_empty());
        assert_eq!(outcome.tries, 1);
    }
}

/// The queue must try often enough for anybody to be found guilty.
#[test]
fn the_configuration_allows_for_it() {
    let retries = records_retries();
    assert!(retries + 1 > i64::from(GUILTY_ATTEMPT));
}

fn pack_text() -> String {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for n in 1..=4 {
        let body = format!(
            r#"{{"meta":{{"object":"leases"}},"record_id":"r{n}","diff":{{"new":{{"a":{n}}}}}}}"#
        );
        let delivery = delivery("propexo", "i", &body);
        ledger
            .intake(&delivery, at("2026-01-01T00:00:00Z"))
            .unwrap();
    }
    ledger.next_batch().unwrap().packs.remove(0).text
}

/// An event of which only number and source can be read hurts itself alone.
#[test]
fn one_event_that_can_not_be_read() {
    let good = pack_text();
    let now = at("2026-01-01T00:00:00Z");
    let bent = [
        (
            r#""data":{"event":null,"model":"leases","record_id":"r3""#,
            r#""data":{"model":7"#,
        ),
        (
            r#""data":{"event":null,"model":"leases","record_id":"r3""#,
            r#""x":{"model":7"#,
        ),
        (
            r#""id":"3","source":"/propexo/i","type":"#,
            r#""id":"3","source":"/propexo/i","kind":"#,
        ),
        (
            r#""id":"3","source":"/propexo/i","#,
            r#""id":"3","source":"/propexo/i","type":[],"#,
        ),
        (r#"leases/r3","time":""#, r#"leases/r3","time":"yesterday"#),
    ];
    for (from, to) in bent {
        let mut text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        if to.contains("\"type\":[]") {
            // A name must not occur twice.
            text = text.replacen(
                r#""type":[],"type":"leasewire.record.updated""#,
                r#""type":[]"#,
                1,
            );
        }
        let pack = Pack::read(&text).unwrap();
        assert!(pack.part(&text, &pack.all()).is_err(), "{to}");
        assert!(pack.part(&text, &(2..3)).is_err());
        let first = pack.part(&text, &(0..2)).unwrap();
        assert_eq!(first.pack.events, SeqRange::new(1, 2));
        assert_eq!(first.statements(now, now).len(), 2);
        let last = pack.named(&(3..4)).unwrap();
        assert_eq!(last.events, SeqRange::one(4));
        pack.part(&text, &(3..4)).unwrap();
    }
}

/// The probe works where an event fails, fails where a table is gone, and
/// leaves nothing but the integration's row.
#[test]
fn the_probe_needs_what_events_need() {
    let text = pack_text();
    let pack = Pack::read(&text).unwrap();
    let now = at("2026-01-01T00:00:00Z");
    let d1 = Database::default();
    d1.migrate();
    let before = d1.connection.total_changes();
    let probe = pack.probe(5_000, now, now).unwrap();
    probe.iter().for_each(|statement| d1.run(statement));
    assert_eq!(d1.dump("SELECT count(*) FROM records"), ["0"]);
    assert_eq!(
        d1.dump("SELECT integration, last_seq FROM integrations"),
        ["i|4"]
    );
    let written = d1.connection.total_changes() - before;
    assert_eq!(
        written, 5,
        "three rows and two deletions: a write, not a look"
    );
    assert_eq!(d1.dump("SELECT count(*) FROM notices"), ["0"]);
    for table in ["records", "integrations", "notices"] {
        let used = probe
            .iter()
            .any(|statement| statement.sql.contains(&format!("INTO {table}")));
        assert!(used, "{table}");
    }
}
