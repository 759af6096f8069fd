//! What ledgers report of their trouble: when, how often, and that the list of
//! integrations ends with what is.

mod common;

use common::{Database, at, delivery, job};
use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::ledger::replay::{Pace, Reader, Request};
use leasewire::ledger::{
    Announcement, Call, Effects, Ledger, NOT_APPLIED, Numbers, Reply, received_at,
};
use leasewire::projection::{Projection, announcement};
use leasewire::time::Timestamp;

const NOW: &str = "2026-02-01T00:00:00.000000000Z";

/// A ledger with its object's part: time goes on, effects are carried out.
struct World<'a> {
    database: &'a Database,
    d1: &'a Database,
    ledger: Ledger<&'a Database>,
    now: Timestamp,
    alarm: Option<Timestamp>,
}

impl<'a> World<'a> {
    fn new(database: &'a Database, d1: &'a Database) -> Self {
        d1.migrate();
        Self {
            database,
            d1,
            ledger: Ledger::open(database).unwrap(),
            now: at(NOW),
            alarm: None,
        }
    }

    /// One call, its effects, and that the queue takes everything.
    fn call(&mut self, call: Call) -> Reply {
        if self.ledger.asks_for_alarm() {
            self.ledger.found_alarm(self.alarm.is_some());
        }
        let reply = self.ledger.answer(call, self.now).unwrap();
        let effects = self.ledger.follow_up(self.now, 0);
        if let Some(told) = self.perform(effects) {
            self.tell(&told);
        }
        reply
    }

    fn perform(&mut self, effects: Effects) -> Option<Announcement> {
        self.alarm = effects.wake_at.or(self.alarm);
        while self.ledger.may_send() {
            let batch = self.ledger.next_batch().unwrap();
            self.ledger.sent(batch.through, self.now);
        }
        effects.announce
    }

    fn take(&mut self, body: &str) {
        self.call(Call::Intake(delivery("propexo", "i", body)));
    }

    fn job(&mut self, id: u32) {
        self.take(&job(id));
    }

    fn confirm(&mut self, first: u64, last: u64) -> Option<Timestamp> {
        let reply = self.call(Call::Confirm {
            epoch: None,
            first,
            last,
            replay: 0,
        });
        match reply {
            Reply::Json(answer) => received_at(&answer),
            _ => None,
        }
    }

    /// The alarm goes off in its time; gives what the list is to be told.
    fn alarm(&mut self) -> Option<Announcement> {
        self.now = self.alarm.take().unwrap();
        let effects = self.ledger.wake(self.now, 0).unwrap();
        self.perform(effects)
    }

    /// The list of integrations is told.
    fn tell(&mut self, told: &Announcement) {
        for statement in announcement(told) {
            self.d1.run(&statement);
        }
        if self.ledger.announced(told).unwrap() {
            self.alarm = None;
        }
    }

    /// Alarms until there is none; gives the reports that were made.
    fn rest(&mut self) -> Vec<Numbers> {
        let mut reports = Vec::new();
        for _ in 0..20 {
            if self.alarm.is_none() {
                return reports;
            }
            if let Some(told) = self.alarm() {
                reports.extend(told.report.clone().map(|report| report.numbers));
                self.tell(&told);
            }
        }
        panic!("there is always an alarm");
    }

    fn sleep(&mut self) {
        self.ledger = Ledger::open(self.database).unwrap();
    }

    fn listed(&self) -> String {
        let sql = "SELECT pending, unconfirmed, dead, quarantined, oldest_unconfirmed_at
                   FROM integrations";
        self.d1.dump(sql).remove(0)
    }

    fn size(&self) -> u64 {
        self.ledger.state().unwrap().unwrap().bytes
    }

    /// Makes the ledger have so many bytes, to which an event adds few.
    fn resize(&self, bytes: u64) {
        self.database.padding.set(0);
        self.database.padding.set(bytes - self.size());
    }

    /// An event and its confirmation; gives what the alarm reports then.
    fn passes(&mut self) -> Vec<u64> {
        let seq = self.ledger.last_seq() + 1;
        self.job(u32::try_from(seq).unwrap());
        self.confirm(seq, seq);
        self.sizes()
    }

    /// Alarms until there is none; gives the sizes that were reported.
    fn sizes(&mut self) -> Vec<u64> {
        let mut sizes = Vec::new();
        while self.alarm.is_some() {
            if let Some(told) = self.alarm() {
                sizes.extend(told.report.as_ref().map(|report| report.bytes));
                self.tell(&told);
            }
        }
        sizes
    }

    fn listed_bytes(&self) -> u64 {
        let bytes = self.d1.dump("SELECT bytes FROM integrations").remove(0);
        bytes.parse().unwrap()
    }

    fn kept(&self) -> String {
        self.database.dump("SELECT reported FROM ledger").remove(0)
    }
}

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
        world.call(Call::Bury {
            epoch: None,
            first,
            last,
            replay: 0,
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
    world.call(Call::Redrive { from: 2, to: 2 });
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
    world.call(Call::Bury {
        epoch: None,
        first: 1,
        last: 1,
        replay: 0,
        reason,
    });
    world.rest();
    world.now = at("2026-02-05T00:00:00Z");
    world.call(Call::Redrive { from: 1, to: 1 });
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
        replay: 0,
        reason,
    });
    world.confirm(3, 3);
    assert_eq!(world.rest(), [quarantined(2)]);
    // A replay understands one of them now, and may be applied this time.
    let request = Request {
        from: 2,
        to: 2,
        models: None,
        events: None,
    };
    world.call(Call::Replay(request));
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
        first: 2,
        last: 2,
        replay: 1,
    });
    assert_eq!(world.rest(), [quarantined(1)]);
    assert_eq!(world.listed(), "0|0|0|1|NULL");
}

/// A small one, too, and also where a pack was faster.
#[test]
fn the_first_announcement_tells_how_large_a_ledger_is() {
    for pack_is_first in [false, true] {
        let (database, d1) = (Database::default(), Database::default());
        let mut world = World::new(&database, &d1);
        world.ledger.found_alarm(false);
        let taken = Call::Intake(delivery("propexo", "i", &job(1)));
        world.ledger.answer(taken, world.now).unwrap();
        let told = world.ledger.follow_up(world.now, 0).announce.unwrap();
        let pack = world.ledger.next_batch().unwrap().packs.remove(0);
        let packed = Projection::read(&pack.text).unwrap();
        let packed = packed.statements(world.now, world.now);
        let announced = announcement(&told);
        let all = match pack_is_first {
            true => [packed, announced],
            false => [announced, packed],
        };
        all.iter().flatten().for_each(|statement| d1.run(statement));
        assert!((50_000..500_000).contains(&world.size()));
        assert_eq!(world.listed_bytes(), world.size());
        assert_eq!(world.kept(), "NULL");
        // Another size alone is not worth a row.
        let mut grown = told;
        grown.state.bytes += 4_096;
        let written = announcement(&grown)
            .iter()
            .map(|statement| d1.written_by(statement))
            .sum::<u64>();
        assert_eq!(written, 0);
        // Nor does a pack know it.
        let listed = world.listed_bytes();
        world.ledger.sent(1, world.now);
        let taken = Call::Intake(delivery("propexo", "i", &job(2)));
        world.ledger.answer(taken, world.now).unwrap();
        let pack = world.ledger.next_batch().unwrap().packs.remove(0);
        let packed = Projection::read(&pack.text).unwrap();
        let packed = packed.statements(world.now, world.now);
        packed.iter().for_each(|statement| d1.run(statement));
        assert_eq!(d1.dump("SELECT last_seq FROM integrations"), ["2"]);
        assert_eq!(world.listed_bytes(), listed);
    }
}

const NONE: [u64; 0] = [];

/// By a megabyte at first, by a tenth later, and by 250 MB in the end.
#[test]
fn a_ledger_that_has_grown_or_shrunk_reports_it() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    assert_eq!(world.passes(), NONE);
    let steps = [
        (980_000, false),
        (1_020_000, true),
        (2_000_000, false),
        (2_040_000, true),
        (30_000_000, true),
        (32_980_000, false),
        (33_020_000, true),
        (5_000_000_000, true),
        (5_249_000_000, false),
        (4_751_000_000, false),
        (5_251_000_000, true),
        (5_000_000_000, true),
        (33_000_000, true),
        (500_000, true),
    ];
    for (bytes, is_told) in steps {
        world.resize(bytes);
        let told = world.passes();
        assert_eq!(told.len(), usize::from(is_told), "{bytes}: {told:?}");
        let is_listed = world.listed_bytes().abs_diff(world.size()) < 10_000;
        assert!(is_listed || !is_told, "{bytes}");
        // Nor does one that has slept tell it again.
        world.sleep();
        assert_eq!(world.passes(), NONE, "{bytes}");
    }
}

/// It looks twice a minute at the most: what has grown in between isn't missed.
#[test]
fn a_ledger_that_grows_between_two_looks_reports_it_at_the_next() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    world.confirm(1, 1);
    assert_eq!(world.sizes(), NONE);
    world.now = world.now.plus_s(10);
    world.job(2);
    world.confirm(2, 2);
    world.resize(3_000_000);
    world.alarm = Some(world.now.plus_s(7));
    assert_eq!(world.sizes().len(), 1);
    assert!(world.now <= at(NOW).plus_s(120), "{}", world.now);
}

/// All the way to a full one: what that costs.
#[test]
fn a_ledger_reports_its_size_some_hundred_times() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.passes();
    let (mut reports, mut bytes) = (0, 1_000_000);
    while bytes < 10_000_000_000 {
        world.resize(bytes);
        reports += world.passes().len();
        assert!(world.size() - world.listed_bytes() <= 250_000_000);
        bytes += bytes / 200;
    }
    assert!((80..120).contains(&reports), "{reports}");
}

/// Its history goes while nothing comes in: the sweep sees it.
#[test]
fn a_silent_ledger_that_has_shrunk_is_seen_by_the_sweep() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.job(1);
    world.confirm(1, 1);
    world.resize(8_000_000_000);
    assert_eq!(world.sizes(), [8_000_000_000]);
    world.resize(3_000_000_000);
    world.sleep();
    world.now = world.now.plus_s(86_400);
    let sweep = || Call::Sweep {
        listed_seq: 1,
        listed_epoch: None,
    };
    world.call(sweep());
    assert_eq!(world.sizes(), [3_000_000_000]);
    world.call(sweep());
    assert_eq!(world.alarm, None);
}

/// Bytes are behind what 0.1.0 keeps and reads.
#[test]
fn a_report_of_0_1_0_has_no_size() {
    let (database, d1) = (Database::default(), Database::default());
    let mut world = World::new(&database, &d1);
    world.take("junk");
    world.rest();
    let kept = world.kept();
    let (of_0_1_0, bytes) = kept.rsplit_once(' ').unwrap();
    assert_eq!(of_0_1_0, "0 0 0 1 - 1769904007000000 1");
    assert_eq!(bytes, world.size().to_string());
    let set = "UPDATE ledger SET reported = ?1";
    database.connection.execute(set, [of_0_1_0]).unwrap();
    world.sleep();
    world.job(1);
    world.confirm(2, 2);
    assert_eq!(world.sizes(), NONE, "it is small");
    world.resize(2_000_000);
    assert_eq!(world.passes().len(), 1);
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
            replay: 0,
            reason: NOT_APPLIED.to_owned(),
        });
    }
    world.rest();
    let request = Request {
        from: 1,
        to: 9_000,
        models: None,
        events: None,
    };
    world.call(Call::Replay(request));
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
    world.call(Call::Bury {
        epoch: None,
        first: 9,
        last: 9,
        replay: 0,
        reason,
    });
    assert_eq!(world.confirm(9, 9), None, "it was dead");
    world.take("junk");
    world.job(99);
    let reply = world.call(Call::Confirm {
        epoch: None,
        first: 10,
        last: 12,
        replay: 1,
    });
    assert_eq!(reply, Reply::Nothing, "replayed");
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
    world.call(Call::Bury {
        epoch: None,
        first: 4,
        last: 4,
        replay: 0,
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
