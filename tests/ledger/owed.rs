//! What a ledger tells the connector of its source.

use std::rc::Rc;

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::json;
use leasewire::ledger::{Call, Effects, Fetched, Ledger, Owed, Retention, Setup, Snapshots};
use leasewire::provider::Api;
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery, diff, job};

const DAY_S: u64 = 86_400;

fn setup(hydrate: Option<&[&str]>) -> Setup {
    let api = |names: &[&str]| {
        let names = serde_json::to_string(names).unwrap();
        let settings = format!(r#"{{"kind":"propexo","key":"KEY","hydrate":{names}}}"#);
        Rc::new(Api::parse(json::value(&settings).unwrap()).unwrap())
    };
    Setup {
        dialect: dialect::named("propexo"),
        filter: Rc::new(Filter::default()),
        retention: Retention::new(30 * DAY_S, 2 * DAY_S),
        api: hydrate.map(api),
    }
}

struct World<'a> {
    ledger: Ledger<&'a Database>,
    setup: Setup,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(database: &'a Database, hydrate: &[&str]) -> Self {
        Self {
            ledger: Ledger::open(database).unwrap(),
            setup: setup(Some(hydrate)),
            now: at("2026-03-01T00:00:00Z"),
        }
    }

    fn call(&mut self, call: Call) -> Effects {
        self.now = self.now.plus_s(1);
        let setup = self.setup.clone();
        let of_source = |_: &str| setup.clone();
        let answered = self
            .ledger
            .answer_calls(vec![call], &of_source, self.now, 0)
            .unwrap();
        assert_eq!(answered.failed, None);
        answered.effects
    }

    fn take(&mut self, body: &str) -> Effects {
        self.call(Call::Intake(delivery("propexo", "i", body)))
    }

    /// As it crosses to the connector.
    fn next(&mut self) -> Option<Owed> {
        let owed = self.ledger.next_owed(&self.setup).unwrap()?;
        assert_eq!(Owed::parse(&owed.to_json()), Some(owed.clone()));
        Some(owed)
    }

    /// What is told, and that it was.
    fn tell(&mut self) -> Option<String> {
        let owed = self.next()?;
        self.ledger.told(owed.seq, owed.epoch);
        Some(said(&owed))
    }
}

/// `through: model/id …; number whole finished models …`
fn said(owed: &Owed) -> String {
    let records = owed
        .records
        .iter()
        .map(|record| format!("{}/{}", record.model, record.id));
    let syncs = owed.syncs.iter().map(|sync| {
        let models = sync
            .models
            .as_ref()
            .map_or("all".to_owned(), |models| models.join("+"));
        format!(
            "{} {} {} {models}",
            sync.seq, sync.is_whole, sync.is_finished
        )
    });
    let (records, syncs): (Vec<_>, Vec<_>) = (records.collect(), syncs.collect());
    format!("{}: {}; {}", owed.seq, records.join(" "), syncs.join(", "))
}

fn lease(id: &str, from: &str, to: &str) -> String {
    diff(
        "leases",
        id,
        &format!(r#"{{"s":"{from}"}}"#),
        &format!(r#"{{"s":"{to}"}}"#),
    )
}

#[test]
fn a_ledger_that_nobody_has_heard_of_is_to_be_read_whole() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases"]);
    assert_eq!(world.next(), None);
    assert!(world.take(&lease("a", "0", "1")).tell);
    assert_eq!(world.tell().unwrap(), "1: leases/a; 1 true false all");
    assert!(!world.ledger.has_owed());
    assert_eq!(world.tell(), None);
    // From then on only of what is new.
    world.take(&lease("b", "0", "1"));
    world.take(&lease("a", "1", "2"));
    world.take(&lease("b", "1", "2"));
    let owed = world.next().unwrap();
    assert_eq!(said(&owed), "4: leases/b leases/a; ");
    assert_eq!(owed.records[0].since, at("2026-03-01T00:00:02Z"));
    // Nobody has heard it: it is said again, with what came meanwhile.
    world.take(&lease("c", "0", "1"));
    assert_eq!(world.tell().unwrap(), "5: leases/b leases/a leases/c; ");
}

/// What comes alone is told at once, and of what follows one message a second.
#[test]
fn a_second_lies_between_two_messages() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases"]);
    let began = at("2026-03-01T00:00:10Z");
    let ms = |world: &mut World, ms: u32| world.ledger.tells_in_ms(began.plus_ms(ms));
    assert_eq!(ms(&mut world, 0), None);
    world.take(&lease("a", "0", "1"));
    assert_eq!(ms(&mut world, 0), Some(0));
    assert!(world.tell().is_some());
    assert_eq!(ms(&mut world, 10), None);
    world.take(&lease("b", "0", "1"));
    assert_eq!(ms(&mut world, 10), Some(990));
    assert_eq!(ms(&mut world, 999), Some(1));
    assert_eq!(ms(&mut world, 1_000), Some(0));
    // It may not have been heard: then a second later.
    assert_eq!(ms(&mut world, 1_001), Some(999));
    // A clock that was set back stops nothing.
    assert_eq!(world.ledger.tells_in_ms(began.minus_s(3_600)), Some(1_000));
    assert!(world.tell().is_some());
    world.take(&lease("a", "1", "2"));
    assert_eq!(ms(&mut world, 5_000), Some(0));
}

#[test]
fn what_is_wanted_is_told() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases", "res*"]);
    world.take(&job(1));
    assert_eq!(world.tell().unwrap(), "1: ; 1 true false all");
    // About no record, or about one of which nothing is wanted.
    world.take(&job(2));
    world.take(&diff("units", "u", "{}", r#"{"n":1}"#));
    assert!(world.ledger.has_owed());
    assert_eq!(world.tell(), None);
    assert!(!world.ledger.has_owed());
    world.take(&diff("residents", "r", "{}", r#"{"n":1}"#));
    assert_eq!(world.tell().unwrap(), "4: residents/r; ");
    // In drift, whatever it is.
    world.take(&diff("units", "u", r#"{"n":7}"#, r#"{"n":2}"#));
    assert_eq!(world.tell().unwrap(), "5: units/u; ");
    // What is left out, isn't.
    world.setup.filter = Rc::new(Filter::new(Some(vec!["units".to_owned()]), None, None));
    world.take(&lease("x", "0", "1"));
    assert_eq!(world.tell(), None);
}

#[test]
fn ambiguous_events_owe_their_record() {
    let database = Database::default();
    let mut world = World::new(&database, &[]);
    let units = |from: &str, to: &str| {
        diff(
            "units",
            "u",
            &format!(r#"{{"s":"{from}"}}"#),
            &format!(r#"{{"s":"{to}"}}"#),
        )
    };
    for (from, to) in [("a", "b"), ("b", "a")] {
        world.take(&units(from, to));
    }
    assert_eq!(world.tell().unwrap(), "2: ; 2 true false all");
    world.take(&units("a", "b"));
    assert_eq!(world.tell().unwrap(), "3: units/u; ");
}

#[test]
fn a_part_owes_what_it_is_a_part_of() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases", "units"]);
    world.take(&job(1));
    world.tell();
    let part = |new: &str| diff("residents-to-leases", "x", "{}", new);
    world.take(&part(r#"{"lease_id":"l1","resident_id":"r1"}"#));
    // Residents aren't wanted.
    assert_eq!(world.tell().unwrap(), "2: leases/l1; ");
    // An update needn't say it again.
    world.take(&part(r#"{"is_primary":true}"#));
    assert_eq!(world.tell().unwrap(), "3: leases/l1; ");
}

#[test]
fn ends_of_synchronisations_are_told_whatever_the_filter() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases"]);
    world.take(&job(1));
    world.tell();
    world.setup.filter = Rc::new(Filter::new(None, Some(vec!["DATA_*".to_owned()]), None));
    let sync =
        |event: &str, rest: &str| format!(r#"{{"event":"{event}","integration_id":"i"{rest}}}"#);
    world.take(&sync("FIRST_SYNC_COMPLETE", ""));
    world.take(&sync(
        "SYNC_COMPLETE",
        r#","models_synced":["leases","residents-to-leases"]"#,
    ));
    world.take(&sync(
        "SYNC_COMPLETE",
        r#","is_backsync":true,"is_sync_finished":false"#,
    ));
    world.take(&sync("JOB_FAILURE", ""));
    world.take(&sync("SYNC_COMPLETE", r#","is_sync_finished":true"#));
    // Only who says so has come to its end.
    let told = "6: ; 2 true false all, 3 false false leases+residents_to_leases, 4 true false all, \
                6 false true all";
    assert_eq!(world.tell().unwrap(), told);
}

fn read(asked_seq: u64, epoch: u64) -> Call {
    let items = vec![Fetched {
        id: "a".to_owned(),
        json: r#"{"id":"a","s":"1"}"#.to_owned(),
    }];
    let read = Snapshots {
        of: leasewire::integration::IntegrationId::new("propexo", "i"),
        model: "leases".to_owned(),
        asked_seq,
        epoch: Some(epoch),
        is_believed: false,
        items,
    };
    Call::Merge { read, setup: None }
}

#[test]
fn what_was_asked_for_owes_nothing() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases"]);
    world.take(&lease("a", "0", "1"));
    let owed = world.next().unwrap();
    world.ledger.told(owed.seq, owed.epoch);
    assert!(!world.call(read(1, owed.epoch)).tell);
    assert_eq!((world.ledger.last_seq(), world.next()), (2, None));
}

#[test]
fn how_far_it_was_told_outlives_the_memory() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases"]);
    let effects = world.take(&lease("a", "0", "1"));
    assert!(effects.wake_at.is_some());
    let owed = world.next().unwrap();
    world.ledger.told(owed.seq, owed.epoch);
    // Of another epoch nothing is believed.
    world.take(&lease("b", "0", "1"));
    world.ledger.told(2, owed.epoch + 1);
    assert!(world.ledger.has_owed());
    let of_source = |_: &str| setup(Some(&["leases"]));
    let effects = world.ledger.go_off(&of_source, world.now.plus_s(60), 0);
    assert!(effects.tell);
    let mut again = Ledger::open(&database).unwrap();
    let owed = again.next_owed(&setup(Some(&["leases"]))).unwrap().unwrap();
    assert_eq!(said(&owed), "2: leases/b; ");
    // A source without an API has nothing to tell, and no alarm for it.
    let mut again = Ledger::open(&database).unwrap();
    assert_eq!(again.next_owed(&setup(None)).unwrap(), None);
    assert!(!again.has_owed());
}

#[test]
fn a_webhook_writes_nothing_for_it() {
    let rows = |hydrate: Option<&[&str]>| {
        let database = Database::default();
        let mut world = World::new(&database, &[]);
        world.setup = setup(hydrate);
        world.take(&lease("a", "0", "1"));
        let before = database.connection.total_changes();
        for id in 1..=10 {
            world.take(&lease("a", &id.to_string(), &(id + 1).to_string()));
            if let Some(owed) = world.next() {
                world.ledger.told(owed.seq, owed.epoch);
            }
        }
        database.connection.total_changes() - before
    };
    assert_eq!((rows(Some(&["*"])), rows(None)), (20, 20));
}

#[test]
fn long_histories_are_told_in_parts() {
    let database = Database::default();
    let mut world = World::new(&database, &["leases"]);
    world.take(&job(1));
    world.tell();
    for id in 0..1_201 {
        world.take(&lease(&format!("l{id}"), "0", "1"));
    }
    let mut parts = Vec::new();
    while let Some(owed) = world.next() {
        parts.push((owed.seq, owed.records.len()));
        world.ledger.told(owed.seq, owed.epoch);
    }
    assert_eq!(parts, [(501, 500), (1_001, 500), (1_202, 201)]);
}
