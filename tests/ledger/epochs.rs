//! Ledgers that begin anew, or are set back, beside a D1 that remembers more.

use leasewire::ledger::{Call, Ledger, Reply};
use leasewire::projection::{Pack, Projection, announcement};
use leasewire::time::Timestamp;

use crate::common::{Database, at, job, named, send, take};

const FIRST: &str = "2026-02-01T00:00:00Z";

fn unit(from: u32, to: u32) -> String {
    format!(
        r#"{{"meta":{{"object":"units"}},"record_id":"u","diff":{{"previous":{{"n":{from},"is_vacant":{}}},"new":{{"n":{to},"is_vacant":{}}}}}}}"#,
        from.is_multiple_of(2),
        to.is_multiple_of(2)
    )
}

fn apply(d1: &Database, packs: &[String], now: Timestamp) {
    for pack in packs {
        for statement in Projection::read(pack).unwrap().statements(now, now) {
            d1.run(&statement);
        }
    }
}

fn state(d1: &Database) -> Vec<String> {
    let records = d1.dump("SELECT record_id, version, fields ->> 'n' FROM records");
    let listed = d1.dump("SELECT last_seq, pending, reported_at FROM integrations");
    let notices = d1.dump("SELECT seq, kind FROM notices ORDER BY 1");
    [records, listed, notices].concat()
}

/// A ledger that was lost and begins with number 1 again wins over what D1 has
/// of the one before, whatever of that is still on its way.
#[test]
fn a_ledger_that_begins_anew_wins() {
    let d1 = Database::default();
    d1.migrate();
    let (old, new) = (Database::default(), Database::default());
    let now = at(FIRST);
    let mut ledger = Ledger::open(&old).unwrap();
    for n in 0..5 {
        take(&mut ledger, &unit(n, n + 1), now);
    }
    let before = send(&mut ledger, now);
    apply(&d1, &before, now);
    let told =
        "UPDATE integrations SET pending = 3, reported_at = '2026-02-01T00:00:01.000000000Z'";
    d1.connection.execute_batch(told).unwrap();
    let now = now.plus_s(1);
    let mut ledger = Ledger::open(&new).unwrap();
    take(&mut ledger, &unit(6, 7), now);
    take(&mut ledger, &unit(7, 8), now);
    let after = send(&mut ledger, now);
    apply(&d1, &after, now);
    let expected = [
        "u|2|8",
        "2|3|NULL",
        "1|unit.occupied",
        "2|unit.vacated",
        "3|unit.occupied",
        "4|unit.vacated",
        "5|unit.occupied",
    ];
    assert_eq!(state(&d1), expected);
    // Old packs that come late change nothing.
    apply(&d1, &before, now);
    assert_eq!(state(&d1), expected);
    let epochs = "SELECT epoch FROM records UNION ALL SELECT epoch FROM integrations";
    assert_eq!(
        d1.dump(epochs),
        [now.ms().to_string(), now.ms().to_string()]
    );
}

/// The numbers of a pack of the ledger before are other events now: nothing is
/// settled by what became of it.
#[test]
fn what_became_of_old_packs_settles_nothing() {
    let (old, new) = (Database::default(), Database::default());
    let now = at(FIRST);
    let mut ledger = Ledger::open(&old).unwrap();
    take(&mut ledger, &unit(0, 1), now);
    let before = send(&mut ledger, now).remove(0);
    let epoch = Pack::read(&before).unwrap().epoch;
    assert_eq!(epoch, Some(now.ms() as u64));
    let now = now.plus_s(1);
    let mut ledger = Ledger::open(&new).unwrap();
    take(&mut ledger, &unit(6, 7), now);
    let after = send(&mut ledger, now).remove(0);
    let about = |epoch| {
        let (pack, seq) = (named(1, 1, 0), 1);
        let reason = "none".to_owned();
        [
            Call::Confirm { pack, epoch },
            Call::DeadLetter {
                pack,
                reason: reason.clone(),
                epoch,
            },
            Call::Quarantine {
                seq,
                rewrite: pack.rewrite,
                reason,
                epoch,
            },
            Call::Data { seq, epoch },
        ]
    };
    for call in about(epoch) {
        assert_eq!(ledger.answer(call, now).unwrap(), Reply::Nothing);
    }
    let state = ledger.state().unwrap().unwrap();
    let held = (state.confirmed_seq, state.dead, state.quarantined);
    assert_eq!(held, (0, 0, 0));
    let [confirm, ..] = about(Pack::read(&after).unwrap().epoch);
    assert_ne!(ledger.answer(confirm, now).unwrap(), Reply::Nothing);
    assert_eq!(ledger.state().unwrap().unwrap().confirmed_seq, 1);
}

/// Packs of 0.1.0 don't say their epoch: they are of the one that D1 has.
#[test]
fn packs_without_an_epoch_are_of_the_present_one() {
    let (d1, database) = (Database::default(), Database::default());
    d1.migrate();
    let now = at(FIRST);
    let mut ledger = Ledger::open(&database).unwrap();
    take(&mut ledger, &unit(0, 1), now);
    apply(&d1, &send(&mut ledger, now), now);
    take(&mut ledger, &unit(1, 2), now);
    let pack = send(&mut ledger, now).remove(0);
    let epoch = format!(
        r#","dataschema":"urn:leasewire:event:2","epoch":"{}""#,
        now.ms()
    );
    assert!(pack.contains(&epoch), "{pack}");
    apply(&d1, &[pack.replace(&epoch, "")], now);
    assert_eq!(
        d1.dump("SELECT version, epoch FROM records"),
        [format!("2|{}", now.ms())]
    );
    assert_eq!(
        d1.dump("SELECT last_seq, epoch FROM integrations"),
        [format!("2|{}", now.ms())]
    );
}

#[test]
fn a_pack_of_two_epochs_is_none() {
    let database = Database::default();
    let now = at(FIRST);
    let mut ledger = Ledger::open(&database).unwrap();
    take(&mut ledger, &job(1), now);
    take(&mut ledger, &job(2), now);
    let pack = send(&mut ledger, now).remove(0);
    let epoch = now.ms().to_string();
    let other = pack.replacen(&epoch, "7", 1);
    assert!(Projection::read(&pack).is_ok());
    let why = Projection::read(&other).unwrap_err();
    assert_eq!(why.to_string(), "events of two epochs");
}

/// The sweep tells a ledger what D1's list has of it. If it never had that, it
/// was set back, and begins a new epoch.
#[test]
fn a_ledger_that_was_set_back_begins_a_new_epoch() {
    let now = at(FIRST);
    let first = u64::try_from(now.ms()).unwrap();

    let later = now.plus_s(86_400);
    let cases = [
        // What the list has, of which epoch, and whether that is news.
        (3, Some(first), false),
        (2, Some(first), false),
        (9, None, false),
        (9, Some(first - 1), false),
        (4, Some(first), true),
        (1, Some(first + 1), true),
        (1, Some(first + 200_000_000), true),
    ];
    for (listed_seq, listed_epoch, is_new) in cases {
        let (d1, database) = (Database::default(), Database::default());
        d1.migrate();
        let mut ledger = Ledger::open(&database).unwrap();
        for n in 0..3 {
            take(&mut ledger, &unit(n, n + 1), now);
        }
        let call = Call::Sweep {
            listed_seq,
            listed_epoch,
        };
        let call = Call::decode(call.encode()).unwrap();
        ledger.answer(call, later).unwrap();
        let now_has = epoch(&ledger);
        assert_eq!(now_has > first, is_new, "{listed_seq} {listed_epoch:?}");
        assert!(!is_new || Some(now_has) > listed_epoch);
        assert_eq!(epoch(&Ledger::open(&database).unwrap()), now_has);
        if is_new {
            let told = ledger.wake(later, 0).unwrap().announce.unwrap();
            assert_eq!(told.state.epoch, now_has);
            for statement in announcement(&told) {
                d1.run(&statement);
            }
            assert_eq!(
                d1.dump("SELECT epoch FROM integrations"),
                [now_has.to_string()]
            );
        }
    }
}

fn epoch(ledger: &Ledger<&Database>) -> u64 {
    ledger.state().unwrap().unwrap().epoch
}
