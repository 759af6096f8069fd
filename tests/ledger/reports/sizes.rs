//! How large a ledger is, and when it says so.

use leasewire::ledger::Call;
use leasewire::projection::{Projection, announcement};

use super::world::{NOW, World};
use crate::common::{Database, at, delivery, job};

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
