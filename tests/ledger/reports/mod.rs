//! What ledgers report of their trouble: when, how often, and that the list of
//! integrations ends with what is.

mod sizes;
mod world;

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::ledger::replay::{Pace, Reader};
use leasewire::ledger::{Call, NOT_APPLIED, Numbers, Reply, Rewrite, SeqRange};
use leasewire::projection::announcement;
use world::{NOW, World};

use crate::common::{Database, at, named, range};

fn waiting(unconfirmed: u64, oldest: &str) -> Numbers {
    Numbers {
        unconfirmed,
        oldest_unconfirmed_at: Some(at(oldest)),
        ..Numbers::default()
    }
}

fn dead(dead: u64) -> Numbers {
    Numbers {
        dead,
        ..Numbers::default()
    }
}

#[test]
fn a_healthy_ledger_reports_nothing() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    for id in 0..50_u32 {
        world.job(id);
        world.now = world.now.plus_s(1);
        world.confirm(u64::from(id) + 1, u64::from(id) + 1);
        world.now = world.now.plus_s(u64::from(id % 20));
        while world.alarm.is_some_and(|at| at <= world.now) {
            let told = world.alarm();
            assert!(told.as_ref().is_none_or(|told| told.report.is_none()));
            told.iter().for_each(|told| world.tell(told));
        }
    }
    assert_eq!(world.rest(), []);
    assert_eq!(
        (world.kept(), world.listed()),
        ("NULL".to_owned(), "0|0|0|0|NULL".to_owned())
    );
}

#[test]
fn what_waits_is_reported_until_it_does_not() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    // It came alone: the first look is early.
    assert_eq!(world.alarm(), None);
    let told = world.alarm().unwrap();
    assert!(world.now <= at(NOW).plus_s(90), "{}", world.now);
    let report = told.report.clone().unwrap();
    assert_eq!((report.numbers, report.at), (waiting(1, NOW), world.now));
    world.tell(&told);
    assert_eq!(world.listed(), "0|1|0|0|2026-02-01T00:00:00.000000000Z");
    // The same again is no news.
    assert_eq!(world.alarm(), None);
    world.job(2);
    let told = world.alarm().unwrap();
    // Nobody answers, and only the first of them was sent.
    let numbers = told.report.clone().unwrap().numbers;
    assert_eq!((numbers.pending, numbers.unconfirmed), (2, 0));
    assert_eq!(numbers.oldest_unconfirmed_at, Some(at(NOW)));
    world.tell(&told);
    // By now the alarm is far away; an answer brings it near.
    assert!(world.alarm.unwrap() > world.now.plus_s(200));
    world.now = world.now.plus_s(1);
    world.confirm(1, 2);
    assert!(world.alarm.unwrap() <= world.now.plus_s(75));
    assert_eq!(world.rest(), [Numbers::default()]);
    assert_eq!(world.listed(), "0|0|0|0|NULL");
}

/// It forgets what was confirmed, and takes it for waiting.
#[test]
fn a_ledger_that_slept_reports_nothing_before_it_has_tried_again() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    assert_eq!(world.alarm(), None);
    world.job(2);
    world.confirm(1, 2);
    world.sleep();
    let changes = database.connection.total_changes();
    let told = world.alarm().unwrap();
    assert!(world.ledger.has_unsettled(), "it believes so");
    assert_eq!(told.report, None);
    world.tell(&told);
    world.confirm(1, 2);
    assert_eq!(world.rest(), []);
    assert_eq!(world.kept(), "NULL");
    // The attempt, and that it had an answer.
    assert_eq!(database.connection.total_changes() - changes, 2);
}

#[test]
fn a_ledger_that_slept_and_has_no_answer_reports() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    let mut reports = Vec::new();
    while reports.is_empty() {
        assert!(world.now < at(NOW).plus_s(300), "not in five minutes");
        world.sleep();
        let told = world.alarm();
        reports.extend(told.and_then(|told| told.report));
    }
    // Nor does it know what it handed to the queue.
    let pending = Numbers {
        pending: 1,
        oldest_unconfirmed_at: Some(at(NOW)),
        ..Numbers::default()
    };
    assert_eq!(reports[0].numbers, pending);
}

#[test]
fn what_is_dead_is_reported_until_it_is_redriven() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    for id in 0..4 {
        world.job(id);
    }
    world.confirm(1, 1);
    for (first, last) in [(2, 3), (4, 4)] {
        let reason = "test".to_owned();
        world.call(Call::DeadLetter {
            epoch: None,
            pack: named(first, last, 0),
            reason,
        });
    }
    assert_eq!(world.rest(), [dead(3)]);
    assert_eq!(world.listed(), "0|0|3|0|NULL");
    // A ledger that wakes has nothing new to tell.
    world.sleep();
    world.call(Call::State);
    assert_eq!(world.alarm, None);
    world.now = world.now.plus_s(86_400);
    world.call(Call::Redrive(SeqRange::new(2, 2)));
    let state = world.ledger.state().unwrap().unwrap();
    assert_eq!(
        state.oldest_unconfirmed_at,
        Some(world.now),
        "it waits since now"
    );
    world.confirm(2, 3);
    assert_eq!(world.rest(), [dead(1)]);
    // Applied after all, when nobody waited for it any more.
    world.confirm(4, 4);
    assert_eq!(world.rest(), [dead(0)]);
    assert_eq!(world.listed(), "0|0|0|0|NULL");
}

/// A pack that was redriven waits since then, however old its events are.
#[test]
fn what_is_redriven_and_not_answered_is_reported() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    let reason = "test".to_owned();
    world.call(Call::DeadLetter {
        epoch: None,
        pack: named(1, 1, 0),
        reason,
    });
    world.rest();
    world.now = at("2026-02-05T00:00:00Z");
    world.call(Call::Redrive(SeqRange::new(1, 1)));
    for numbers in [dead(0), waiting(1, "2026-02-05T00:00:00Z")] {
        let told = world.alarm().unwrap();
        assert_eq!(told.report.clone().unwrap().numbers, numbers);
        world.tell(&told);
    }
    world.confirm(1, 1);
    assert_eq!(world.rest(), [Numbers::default()]);
    // Its answer was one: the next alarm is not far away.
    world.job(2);
    assert!(world.alarm.unwrap() <= world.now.plus_s(75));
    assert_eq!(database.dump("SELECT attempts FROM ledger"), ["0"]);
}

#[test]
fn what_is_quarantined_is_reported() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.take("junk");
    let quarantined = |quarantined| Numbers {
        quarantined,
        ..Numbers::default()
    };
    assert_eq!(world.rest(), [quarantined(1)]);
    world.job(1);
    world.job(2);
    let reason = NOT_APPLIED.to_owned();
    world.call(Call::Quarantine {
        epoch: None,
        seq: 2,
        rewrite: Rewrite(0),
        reason,
    });
    world.confirm(3, 3);
    assert_eq!(world.rest(), [quarantined(2)]);
    // A replay understands one of them now, and may be applied this time.
    world.call(Call::Replay(range(2, 2)));
    let filter = Filter::default();
    let reader = Reader {
        dialect: dialect::named("propexo").unwrap(),
        filter: &filter,
    };
    assert_eq!(world.ledger.replay(&reader, world.now).unwrap(), None);
    let effects = world.ledger.follow_up(world.now, 0);
    world.perform(effects);
    world.call(Call::Confirm {
        epoch: None,
        pack: named(2, 2, 1),
    });
    assert_eq!(world.rest(), [quarantined(1)]);
    assert_eq!(world.listed(), "0|0|0|1|NULL");
}

/// Whether the list has a report is not known: another one follows.
#[test]
fn a_report_that_may_have_arrived_is_followed_by_another() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    world.alarm();
    let told = world.alarm().unwrap();
    let first = told.report.clone().unwrap();
    // It arrives, and the ledger dies before it hears so.
    for statement in announcement(&told) {
        d1.run(&statement);
    }
    world.sleep();
    world.confirm(1, 1);
    assert!(world.alarm.is_some());
    let told = world.alarm().unwrap();
    let second = told.report.clone().unwrap();
    assert_eq!(second.numbers, Numbers::default());
    assert!(second.at > first.at);
    world.tell(&told);
    assert_eq!(world.rest(), []);
    assert_eq!(world.listed(), "0|0|0|0|NULL");
}

/// The first report comes through when the second one has.
#[test]
fn a_late_report_is_refused() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    world.alarm();
    let late = world.alarm().unwrap();
    world.confirm(1, 1);
    // The clock goes back meanwhile.
    world.alarm = world.alarm.map(|at| at.minus_s(600));
    let told = world.alarm().unwrap();
    assert!(told.report.as_ref().unwrap().at > late.report.as_ref().unwrap().at);
    world.tell(&told);
    for statement in announcement(&late) {
        assert_eq!(d1.written_by(&statement), 0);
    }
    // Nor does it count as known.
    assert!(!world.ledger.announced(&late).unwrap());
    assert_eq!(world.listed(), "0|0|0|0|NULL");
}

#[test]
fn an_announcement_without_a_report_leaves_the_last_one() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.take("junk");
    world.rest();
    world.job(1);
    world.confirm(2, 2);
    assert_eq!(world.rest(), []);
    assert_eq!(world.listed(), "0|0|0|1|NULL");
}

/// A replay wakes its ledger every second, and reports about twice a minute.
#[test]
fn a_long_replay_reports_now_and_then() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    for id in 1..=9_000 {
        world.job(id);
        world.call(Call::Quarantine {
            epoch: None,
            seq: u64::from(id),
            rewrite: Rewrite(0),
            reason: NOT_APPLIED.to_owned(),
        });
    }
    world.rest();
    world.call(Call::Replay(range(1, 9_000)));
    let filter = Filter::default();
    let reader = Reader {
        dialect: dialect::named("propexo").unwrap(),
        filter: &filter,
    };
    world.ledger.set_pace(Pace {
        events_max: 100,
        ..Pace::default()
    });
    let (mut steps, mut reports) = (0, 0);
    while world.ledger.has_replay() {
        let told = world.alarm();
        reports += told.iter().filter(|told| told.report.is_some()).count();
        told.iter().for_each(|told| world.tell(told));
        if let Some(at) = world.ledger.replay(&reader, world.now).unwrap() {
            world.alarm = Some(at);
        }
        steps += 1;
    }
    assert_eq!(steps, 90);
    assert!((2..=3).contains(&reports), "{reports} reports");
}

/// Only what is settled for the first time tells how long it took.
#[test]
fn a_confirmation_tells_when_its_oldest_event_was_received() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    let received = |s: u64| Some(at(NOW).plus_s(s));
    for id in 0..10 {
        world.job(id);
        world.now = world.now.plus_s(1);
    }
    assert_eq!(world.confirm(1, 2), received(0));
    assert_eq!(world.confirm(1, 2), None, "a repetition");
    assert_eq!(world.confirm(1, 3), received(2), "one of them is new");
    assert_eq!(world.confirm(6, 7), received(5), "ahead of the others");
    assert_eq!(world.confirm(6, 8), received(7));
    assert_eq!(world.confirm(4, 8), received(3));
    let reason = "test".to_owned();
    world.call(Call::DeadLetter {
        epoch: None,
        pack: named(9, 9, 0),
        reason,
    });
    assert_eq!(world.confirm(9, 9), None, "it was dead");
    world.take("junk");
    world.job(99);
    let reply = world.call(Call::Confirm {
        epoch: None,
        pack: named(10, 12, 1),
    });
    assert_eq!(reply, Reply::Confirmed(None), "replayed");
    world.take("more junk");
    world.now = world.now.plus_s(1);
    world.job(100);
    assert_eq!(
        world.confirm(13, 14),
        Some(world.now),
        "what isn't forwarded doesn't count"
    );
}

#[test]
fn the_state_tells_since_when_something_waits() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    let oldest = |world: &World| world.ledger.state().unwrap().unwrap().oldest_unconfirmed_at;
    world.take("junk");
    assert_eq!(oldest(&world), None);
    for id in 0..4 {
        world.now = world.now.plus_s(1);
        world.job(id);
    }
    let received = |s: u64| Some(at(NOW).plus_s(s));
    assert_eq!(oldest(&world), received(1));
    world.confirm(3, 3);
    assert_eq!(oldest(&world), received(1));
    world.confirm(2, 2);
    assert_eq!(oldest(&world), received(3));
    let reason = "test".to_owned();
    world.call(Call::DeadLetter {
        epoch: None,
        pack: named(4, 4, 0),
        reason,
    });
    assert_eq!(oldest(&world), received(4));
    world.confirm(5, 5);
    assert_eq!(oldest(&world), None);
}

/// Storage fails when a report is kept: it is made again.
#[test]
fn a_report_that_could_not_be_kept_is_not_sent() {
    for statement in 0..12 {
        let (database, d1) = (Database::default(), Database::default());
        let mut world = World::new(&database, &d1);
        world.job(1);
        world.alarm();
        world.now = world.alarm.take().unwrap();
        database.fails_in.set(Some(statement));
        let woken = world.ledger.wake(world.now, 0);
        database.fails_in.set(None);
        if let Ok(effects) = woken {
            let told = world.perform(effects).unwrap();
            assert!(told.report.is_some(), "{statement}");
            world.tell(&told);
        } else {
            world.alarm = Some(world.now.plus_s(60));
            let told = world.alarm().unwrap();
            world.tell(&told);
        }
        assert_eq!(
            world.listed(),
            "0|1|0|0|2026-02-01T00:00:00.000000000Z",
            "{statement}"
        );
        world.confirm(1, 1);
        assert_eq!(world.rest(), [Numbers::default()], "{statement}");
        assert_eq!(world.listed(), "0|0|0|0|NULL", "{statement}");
    }
}
