//! The ledger against a naive model, under random operations: deliveries,
//! repetitions, packs that are lost, repeated or reordered, restarts, alarms,
//! dead packs, and storage that fails in the middle.

mod naive;
mod sent;
mod world;

use std::collections::BTreeSet;

use crate::common::{Database, at, delivery, job, named, range};
use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::ledger::replay::Reader;
use leasewire::ledger::{
    Call, Effects, Ledger, NOT_APPLIED, Reply, Retention, Rewrite, SeqRange, State,
};
use leasewire::sql::SqlError;
use proptest::collection::vec;
use proptest::prelude::*;
use sent::{Sent, propexo, real_estate};
use world::{Step, World, steps};

const WINDOW_S: u64 = 48 * 3_600;
const RETENTION_S: u64 = WINDOW_S;
const RETENTION: Retention = Retention::new(RETENTION_S, WINDOW_S);

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn partial_changes_agree_with_the_model(steps in steps(propexo())) {
        run(&steps);
    }

    #[test]
    fn whole_objects_agree_with_the_model(steps in steps(real_estate())) {
        run(&steps);
    }

    /// Any permutation and repetition of the same deliveries ends in the same
    /// fields, where each event of a record carries a time of its own.
    #[test]
    fn order_does_not_matter_where_events_have_a_time(
        (sent, shuffled) in vec(real_estate(), 1..12)
            .prop_map(|mut sent| { one_event_a_time(&mut sent); sent })
            .prop_flat_map(|sent| {
                let twice = [sent.clone(), sent.clone()].concat();
                (Just(sent), Just(twice).prop_shuffle())
            })
    ) {
        prop_assert_eq!(fields_after(&sent), fields_after(&shuffled));
    }
}

fn run(steps: &[Step]) {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    for step in steps {
        world.step(step);
    }
    world.check_ledger();
    world.settle();
    world.check_ledger();
    world.check_d1();
}

/// An event id names one event: later bodies under the same id are dropped. Of
/// the same time arrival may decide.
fn one_event_a_time(sent: &mut Vec<Sent>) {
    let (mut seen, mut times) = (BTreeSet::new(), BTreeSet::new());
    sent.retain(|sent| seen.insert(sent.identity()) && times.insert(sent.time()));
}

fn fields_after(sent: &[Sent]) -> Vec<String> {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for sent in sent {
        let delivery = delivery("real-estate", "i", &sent.body());
        ledger
            .intake(&delivery, at("2026-02-01T00:00:00Z"))
            .unwrap();
    }
    database.dump("SELECT record_id, fields, partial, drift, occurred_at FROM records ORDER BY 1")
}

/// No statement reads more rows than it gives: rows read are what grows with
/// a ledger.
#[test]
fn every_statement_uses_an_index() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    database.explained.set(true);
    for sent in [
        Sent::Job { id: 1 },
        Sent::New {
            record: 1,
            value: 1,
        },
        Sent::Junk { id: 1 },
    ] {
        let delivery = delivery("propexo", "i", &sent.body());
        ledger.intake(&delivery, now).unwrap();
        ledger.intake(&delivery, now).unwrap();
    }
    // More than are read without looking at how long they are.
    for id in 2..20 {
        let delivery = delivery("propexo", "i", &job(id));
        ledger.intake(&delivery, now).unwrap();
    }
    ledger.next_batch().unwrap();
    ledger.dead_letter(named(1, 1, 0), "test", now).unwrap();
    ledger.confirm(named(2, 2, 0), now).unwrap();
    ledger.state().unwrap();
    ledger.events(0, 10).unwrap();
    ledger.event(2).unwrap();
    ledger.data(2).unwrap();
    ledger.quarantined(0, 10).unwrap();
    ledger.dead(0, 10).unwrap();
    ledger.quarantine(1, Rewrite(0), NOT_APPLIED, now).unwrap();
    ledger.confirm(named(1, 1, 0), now).unwrap();
    while ledger
        .expire(now.plus_s(u64::MAX), &RETENTION)
        .unwrap()
        .is_some()
    {}
    Ledger::open(&database).unwrap();
}

/// What comes before a failure is kept and answered; the rest leaves no trace.
#[test]
fn calls_are_answered_up_to_the_first_that_fails() {
    let now = at("2026-02-01T00:00:00Z");
    let calls = || {
        let job = |id| Call::Intake(delivery("propexo", "i", &job(id)));
        (2..8).map(job)
    };
    let mut seen = BTreeSet::new();
    for statement in 0.. {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        let first = delivery("propexo", "i", &job(1));
        ledger.intake(&first, now).unwrap();
        database.fails_in.set(Some(statement));
        let (replies, failed) = ledger.answer_all(calls(), now);
        let is_over = database.fails_in.take().is_some();
        assert_eq!(failed.is_none(), is_over);
        assert_eq!(replies.len() == calls().len(), is_over);
        let kept = replies.len() as u64 + 1;
        assert_eq!(database.events("seq").len() as u64, kept);
        assert_eq!(ledger.last_seq(), kept);
        seen.insert(replies.len());
        // Sent again, those are duplicates, and the others new.
        let (again, failed) = ledger.answer_all(calls(), now);
        assert_eq!(failed, None);
        let seqs: Vec<_> = again.iter().map(seq).collect();
        assert_eq!(seqs, (2..8).collect::<Vec<_>>());
        if is_over {
            break;
        }
    }
    assert_eq!(seen, (0..=calls().len()).collect());
}

fn seq(reply: &Reply) -> u64 {
    match reply {
        Reply::Taken(taken) => taken.seq,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_look_at_a_ledger_that_does_not_exist_leaves_none() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    assert_eq!(ledger.state().unwrap(), None);
    assert_eq!(ledger.event(1).unwrap(), None);
    assert_eq!(ledger.data(1).unwrap(), None);
    assert_eq!(
        ledger.events(0, 10).unwrap(),
        r#"{"events":[],"next":null}"#
    );
    assert_eq!(
        ledger.quarantined(0, 10).unwrap(),
        r#"{"events":[],"next":null}"#
    );
    assert_eq!(ledger.dead(0, 10).unwrap(), r#"{"packs":[],"next":null}"#);
    assert!(ledger.next_batch().unwrap().packs.is_empty());
    let now = at("2026-02-01T00:00:00Z");
    assert_eq!(ledger.wake(now, 7).unwrap(), Effects::default());
    assert_eq!(ledger.follow_up(now, 7), Effects::default());
    assert!(ledger.confirm(named(1, 1, 0), now).is_err());
    assert!(ledger.quarantine(1, Rewrite(0), NOT_APPLIED, now).is_err());
    assert!(database.dump("SELECT name FROM sqlite_master").is_empty());
}

/// Of a ledger with three events, all sent: whichever statement of `work` fails
/// after `before`, a ledger that lives on knows of dead packs what one that is
/// opened anew does.
fn check_failures(before: impl Fn(&mut Ledger<&Database>), work: Work) {
    let now = at("2026-02-01T00:00:00Z");
    let mut failures = 0;
    for statement in 0.. {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        for id in 1..=3 {
            let delivery = delivery("propexo", "i", &job(id));
            ledger.intake(&delivery, now).unwrap();
        }
        let batch = ledger.next_batch().unwrap();
        ledger.sent(batch.through, now);
        before(&mut ledger);
        // Writes the watermark.
        ledger.wake(now, 0).unwrap();
        database.fails_in.set(Some(statement));
        let done = work(&mut ledger);
        let is_over = database.fails_in.take().is_some();
        assert_eq!(done.is_ok(), is_over);
        let known = ledger.state().unwrap().unwrap();
        let opened = Ledger::open(&database).unwrap().state().unwrap().unwrap();
        let dead = |state: &State| (state.dead, state.pending, state.oldest_unconfirmed_at);
        assert_eq!(dead(&known), dead(&opened), "statement {statement}");
        if is_over {
            break;
        }
        failures += 1;
    }
    assert!(failures > 3);
}

type Work = fn(&mut Ledger<&Database>) -> Result<(), SqlError>;

#[test]
fn a_redrive_that_fails_half_way_leaves_nothing_half_known() {
    let now = at("2026-02-01T00:01:00Z");
    let bury_two = |ledger: &mut Ledger<&Database>| {
        ledger.dead_letter(named(1, 1, 0), "test", now).unwrap();
        ledger.confirm(named(2, 2, 0), now).unwrap();
        ledger.dead_letter(named(3, 3, 0), "test", now).unwrap();
    };
    check_failures(bury_two, |ledger| {
        let now = at("2026-02-01T00:02:00Z");
        ledger.redrive(SeqRange::new(1, 3), now).map(drop)
    });
}

/// It revives what is around the event that a replay wrote since.
#[test]
fn a_late_confirmation_that_fails_half_way_leaves_nothing_half_known() {
    let now = at("2026-02-01T00:01:00Z");
    let bury_replayed = |ledger: &mut Ledger<&Database>| {
        let request = range(2, 2);
        let asked = ledger.ask_for_replay(&request, now).unwrap().unwrap();
        let reader = Reader {
            dialect: dialect::named("propexo").unwrap(),
            filter: &Filter::default(),
        };
        ledger.replay(&reader, now).unwrap();
        ledger
            .dead_letter(named(1, 3, asked.replay), "test", now)
            .unwrap();
        assert_eq!(ledger.state().unwrap().unwrap().dead, 3);
    };
    check_failures(bury_replayed, |ledger| {
        let now = at("2026-02-01T00:02:00Z");
        ledger.confirm(named(1, 3, 0), now).map(drop)
    });
}

/// What is confirmed isn't sent again, so no second confirmation would come.
#[test]
fn a_confirmation_that_fails_half_way_is_not_lost() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    let delivery = delivery("propexo", "i", &job(0));
    ledger.intake(&delivery, now).unwrap();
    let batch = ledger.next_batch().unwrap();
    ledger.sent(batch.through, now);
    database.fails_in.set(Some(0));
    assert!(ledger.confirm(named(1, 1, 0), now).is_err());
    ledger.wake(now.plus_s(60), 0).unwrap();
    assert!(!ledger.has_unsettled());
    assert_eq!(
        database.dump("SELECT confirmed_seq FROM ledger"),
        ["1".to_owned()]
    );
}
