//! A provider's log of changes beside the events that came: what no webhook told
//! of, and of that, what was surely sent.

use std::rc::Rc;

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::json;
use leasewire::ledger::{
    Call, Changes, Compared, Fetched, Ledger, Retention, Setup, Snapshots, Verdict,
};
use leasewire::provider::{Api, Logged};
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery};

use Verdict::{Ignored, Known, Lost, Untold};

const DAY_S: u64 = 86_400;

struct World<'a> {
    ledger: Ledger<&'a Database>,
    setup: Setup,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(database: &'a Database, dialect: &str) -> Self {
        let api = r#"{"kind":"propexo","key":"KEY"}"#;
        let api = Api::parse(json::value(api).unwrap()).unwrap();
        Self {
            ledger: Ledger::open(database).unwrap(),
            setup: Setup {
                dialect: dialect::named(dialect),
                filter: Rc::new(Filter::default()),
                retention: Retention::new(30 * DAY_S, 2 * DAY_S),
                api: Some(Rc::new(api)),
            },
            now: at("2026-03-02T08:00:00Z"),
        }
    }

    /// With a lease and a unit of which webhooks have told, new and changed.
    fn told(database: &'a Database) -> Self {
        let mut world = Self::new(database, "propexo");
        for model in ["leases", "units"] {
            world.take(&new(model, "old", "j0", r#"{"n":0}"#));
            world.take(&update(model, "old", "j0", r#"{"n":1}"#));
        }
        world.now = world.now.plus_s(DAY_S);
        world
    }

    fn call(&mut self, call: Call) -> String {
        self.now = self.now.plus_s(1);
        let setup = self.setup.clone();
        let of_source = |_: &str| setup.clone();
        let mut answered = self
            .ledger
            .answer_calls(vec![call], &of_source, self.now, 0)
            .unwrap();
        assert_eq!(answered.failed, None);
        answered.replies.remove(0).into_text().unwrap()
    }

    fn take(&mut self, body: &str) {
        let name = self.setup.dialect.unwrap().name();
        let mut delivery = delivery(name, "i", body);
        delivery.filter = self.setup.filter.clone();
        self.call(Call::Intake(delivery));
    }

    fn read(&mut self, model: &str, id: &str, record: &str) {
        self.call(Call::Merge {
            read: Snapshots {
                of: delivery("propexo", "i", "").of,
                model: model.to_owned(),
                asked_seq: self.ledger.last_seq(),
                epoch: self.ledger.state().unwrap().map(|state| state.epoch),
                is_believed: true,
                items: vec![Fetched {
                    id: id.to_owned(),
                    json: record.to_owned(),
                }],
            },
            setup: None,
        });
    }

    /// Changes of this moment; gives the verdicts, and what is owed for them.
    fn compare(&mut self, changes: &[Logged]) -> (Vec<Verdict>, String) {
        let before = self.ledger.last_seq();
        let call = Call::Compare {
            read: Changes {
                of: delivery("propexo", "i", "").of,
                changes: changes.to_vec(),
            },
            setup: None,
        };
        let compared = self.call(Call::decode(call.encode()).unwrap());
        let compared = Compared::parse(&compared).unwrap();
        assert_eq!(compared.seq, before, "nothing is written");
        let owed = compared.owed.iter();
        let owed = owed.map(|record| format!("{}/{}", record.model, record.id));
        (compared.verdicts, owed.collect::<Vec<_>>().join(" "))
    }

    fn verdict(&mut self, change: &Logged) -> Verdict {
        self.compare(std::slice::from_ref(change)).0[0]
    }

    fn change(&self, model: &str, id: &str, job: Option<&str>, values: &str) -> Logged {
        Logged {
            model: model.to_owned(),
            id: id.to_owned(),
            is_new: false,
            at: self.now,
            job: job.map(str::to_owned),
            values: Some(values.to_owned()),
        }
    }
}

fn body(name: &str, object: &str, id: &str, job: &str, change: &str) -> String {
    let id = json::quoted(id);
    format!(
        r#"{{"trigger":"{name}","data":{{"job_id":"{job}","integration_id":"i","event":"{name}","record_id":{id},"object":"{object}",{change}}},"meta":{{"object":"{object}","integration_id":"i"}}}}"#
    )
}

fn new(object: &str, id: &str, job: &str, fields: &str) -> String {
    body(
        "DATA_NEW",
        object,
        id,
        job,
        &format!(r#""payload":{fields}"#),
    )
}

fn update(object: &str, id: &str, job: &str, fields: &str) -> String {
    let diff = format!(r#""diff":{{"previous":{{}},"new":{fields}}}"#);
    body("DATA_UPDATE", object, id, job, &diff)
}

fn jobless(object: &str, id: &str, fields: &str) -> String {
    format!(
        r#"{{"meta":{{"object":"{object}","integration_id":"i"}},"record_id":"{id}","diff":{{"previous":{{}},"new":{fields}}}}}"#
    )
}

fn sync_end(is_backsync: bool, job: &str) -> String {
    format!(
        r#"{{"event":"SYNC_COMPLETE","integration_id":"i","vendor":"V","job_id":"{job}","is_backsync":{is_backsync},"successful_job_count":1,"failed_job_count":0,"is_sync_finished":true}}"#
    )
}

#[test]
fn an_event_of_the_same_job_told_of_it() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = world.change("leases", "a", Some("j1"), r#"{"n":2}"#);
    world.take(&update("leases", "a", "j1", r#"{"n":2}"#));
    let another = |job: &str, values: &str| Logged {
        job: Some(job.to_owned()),
        values: Some(values.to_owned()),
        ..change.clone()
    };
    assert_eq!(world.verdict(&change), Known);
    // What it says doesn't matter where the jobs are the same.
    assert_eq!(world.verdict(&another("j1", r#"{"n":3}"#)), Known);
    assert_eq!(world.verdict(&another("j2", r#"{"n":2}"#)), Lost);
    let is_new = Logged {
        is_new: true,
        ..change.clone()
    };
    assert_eq!(world.verdict(&is_new), Lost);
    let other = Logged {
        id: "b".to_owned(),
        ..change.clone()
    };
    assert_eq!(world.verdict(&other), Lost);
    // Two of one job, and one event.
    let (verdicts, _) = world.compare(&[change.clone(), change.clone()]);
    assert_eq!(verdicts, [Known, Lost]);
    world.take(&update("leases", "a", "j1", r#"{"n":4}"#));
    let (verdicts, owed) = world.compare(&[change.clone(), change.clone()]);
    assert_eq!((verdicts, owed.as_str()), (vec![Known, Known], ""));
}

#[test]
fn names_of_models_are_the_ledgers() {
    let database = Database::default();
    let mut world = World::new(&database, "propexo");
    let change = world.change("service_requests", "a", Some("j1"), r#"{"n":2}"#);
    world.take(&update("service-requests", "a", "j1", r#"{"n":2}"#));
    assert_eq!(world.verdict(&change), Known);
}

#[test]
fn a_read_repairs_and_hides_nothing() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = world.change("leases", "old", Some("j1"), r#"{"n":2,"updated_at":"x"}"#);
    let (verdicts, owed) = world.compare(std::slice::from_ref(&change));
    assert_eq!((verdicts, owed.as_str()), (vec![Lost], "leases/old"));
    world.read("leases", "old", r#"{"id":"old","n":2,"m":1}"#);
    let (verdicts, owed) = world.compare(std::slice::from_ref(&change));
    assert_eq!(
        (verdicts, owed.as_str()),
        (vec![Lost], ""),
        "lost all the same"
    );
    // Once each.
    let other = Logged {
        values: Some(r#"{"m":9}"#.to_owned()),
        ..change.clone()
    };
    let (verdicts, owed) = world.compare(&[other.clone(), other]);
    assert_eq!((verdicts, owed.as_str()), (vec![Lost, Lost], "leases/old"));
}

#[test]
fn without_a_job_it_is_what_they_say() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = world.change(
        "leases",
        "a",
        Some("j1"),
        r#"{"n":2,"m":null,"last_seen":"x"}"#,
    );
    world.take(&jobless(
        "leases",
        "a",
        r#"{"m":null,"n":2.0,"last_seen":"y"}"#,
    ));
    assert_eq!(world.verdict(&change), Known);
    let without = |values: &str| Logged {
        job: None,
        values: Some(values.to_owned()),
        ..change.clone()
    };
    assert_eq!(world.verdict(&without(r#"{"n":2}"#)), Known);
    assert_eq!(
        world.verdict(&without(r#"{"n":3}"#)),
        Untold,
        "it is never counted"
    );
    // Under another name, and the rest the same; or nothing that both have.
    assert_eq!(world.verdict(&without(r#"{"n":2,"address_1":"x"}"#)), Known);
    assert_eq!(world.verdict(&without(r#"{"address_1":"x"}"#)), Untold);
    // An event with a job is one of a change without.
    let change = without(r#"{"n":5}"#);
    world.take(&update("leases", "a", "j7", r#"{"n":5}"#));
    assert_eq!(world.verdict(&change), Known);
}

#[test]
fn what_a_filter_leaves_out_is_not_missed() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = world.change("leases", "a", Some("j1"), r#"{"n":2,"property_id":"p1"}"#);
    let new = Logged {
        is_new: true,
        ..change.clone()
    };
    let texts = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let table = [
        (texts(&["units"]), None, None, [Ignored, Ignored]),
        (texts(&["lease*"]), None, None, [Lost, Lost]),
        (None, texts(&["DATA_NEW"]), None, [Ignored, Lost]),
        (None, texts(&["record.updated"]), None, [Lost, Ignored]),
        (None, None, texts(&["p2"]), [Ignored, Ignored]),
        (None, None, texts(&["p1"]), [Lost, Lost]),
    ];
    for (models, events, properties, expected) in table {
        world.setup.filter = Rc::new(Filter::new(models, events, properties));
        let (verdicts, _) = world.compare(&[change.clone(), new.clone()]);
        assert_eq!(verdicts, expected, "{:?}", world.setup.filter);
    }
    // Which property a record belongs to may be known without it.
    world.setup.filter = Rc::new(Filter::new(None, None, texts(&["p1"])));
    world.read("leases", "b", r#"{"id":"b","property_id":"p1"}"#);
    let known = world.change("leases", "b", Some("j1"), r#"{"n":2}"#);
    assert_eq!(world.verdict(&known), Lost);
    let unknown = world.change("leases", "c", Some("j1"), r#"{"n":2}"#);
    assert_eq!(world.verdict(&unknown), Ignored);
}

#[test]
fn to_be_seen_is_no_change() {
    let database = Database::default();
    let mut world = World::told(&database);
    for values in [
        r#"{"last_seen":"x"}"#,
        r#"{"last_seen":"x","updated_at":"y"}"#,
        "{}",
    ] {
        let change = world.change("leases", "old", Some("j1"), values);
        assert_eq!(world.verdict(&change), Ignored, "{values}");
    }
    let mut change = world.change("leases", "z", Some("j1"), r#"{"last_seen":"x"}"#);
    change.is_new = true;
    assert_eq!(world.verdict(&change), Lost, "to be new is one");
}

#[test]
fn a_silent_synchronisation_sends_none() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = world.change("leases", "a", Some("j1"), r#"{"n":2}"#);
    assert_eq!(world.verdict(&change), Lost);
    // The next end is what counts: of a backsync, or of a usual one.
    world.now = world.now.plus_s(60);
    world.take(&sync_end(true, "b1"));
    let (verdicts, owed) = world.compare(std::slice::from_ref(&change));
    assert_eq!((verdicts, owed.as_str()), (vec![Untold], "leases/a"));
    let later = world.change("leases", "a", Some("j2"), r#"{"n":3}"#);
    world.now = world.now.plus_s(60);
    world.take(&sync_end(false, "b2"));
    let (verdicts, _) = world.compare(&[change, later.clone()]);
    assert_eq!(verdicts, [Untold, Lost]);
    let last = world.change("leases", "a", Some("j3"), r#"{"n":4}"#);
    world.take(r#"{"event":"FIRST_SYNC_COMPLETE","integration_id":"i","vendor":"V","successful_job_count":1,"failed_job_count":0,"is_sync_finished":true}"#);
    let (verdicts, _) = world.compare(&[later, last]);
    assert_eq!(verdicts, [Lost, Untold]);
}

#[test]
fn only_what_was_told_before_can_be_missed() {
    let database = Database::default();
    let mut world = World::new(&database, "propexo");
    let change = world.change("leases", "a", Some("j1"), r#"{"n":2}"#);
    world.read("leases", "a", r#"{"id":"a","n":1}"#);
    assert_eq!(
        world.verdict(&change),
        Untold,
        "what was read is no webhook"
    );
    world.take(&update("leases", "b", "j1", r#"{"n":2}"#));
    assert_eq!(world.verdict(&change), Untold, "behind it");
    let later = world.change("leases", "a", Some("j2"), r#"{"n":2}"#);
    let new = Logged {
        is_new: true,
        ..later.clone()
    };
    let other = world.change("units", "a", Some("j2"), r#"{"n":2}"#);
    let (verdicts, _) = world.compare(&[later, new, other]);
    assert_eq!(verdicts, [Lost, Untold, Untold]);
    // Webhooks without jobs can't be told apart for sure.
    world.take(&jobless("residents", "r", r#"{"n":2}"#));
    let change = world.change("residents", "s", Some("j3"), r#"{"n":2}"#);
    assert_eq!(world.verdict(&change), Untold);
}

#[test]
fn what_cannot_be_compared_is_asked_for_and_not_counted() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = Logged {
        values: None,
        ..world.change("leases", "old", Some("j1"), "{}")
    };
    let (verdicts, owed) = world.compare(std::slice::from_ref(&change));
    assert_eq!((verdicts, owed.as_str()), (vec![Untold], "leases/old"));
    world.take(&update("leases", "old", "j1", r#"{"n":2}"#));
    assert_eq!(world.verdict(&change), Known);
}

#[test]
fn a_part_is_asked_for_by_its_parents() {
    let database = Database::default();
    let mut world = World::told(&database);
    world.take(&new(
        "residents-to-leases",
        "rl",
        "j0",
        r#"{"lease_id":"l1","resident_id":"r1"}"#,
    ));
    world.take(&update("residents-to-leases", "rl", "j0", r#"{"x":1}"#));
    let change = world.change("residents_to_leases", "rl", Some("j1"), r#"{"x":2}"#);
    let (verdicts, owed) = world.compare(&[change]);
    assert_eq!(
        (verdicts, owed.as_str()),
        (vec![Untold], "leases/l1 residents/r1")
    );
    let change = world.change(
        "residents_to_leases",
        "other",
        Some("j1"),
        r#"{"lease_id":"l2"}"#,
    );
    let (verdicts, owed) = world.compare(&[change]);
    assert_eq!((verdicts, owed.as_str()), (vec![Untold], "leases/l2"));
}

#[test]
fn what_came_and_was_not_understood_is_not_lost() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = world.change("leases", "rare-id", Some("j1"), r#"{"n":2}"#);
    assert_eq!(world.verdict(&change), Lost);
    world.take(r#"{"integration_id":"i","something":{"new":"rare-id"}}"#);
    assert_eq!(world.verdict(&change), Untold);
}

#[test]
fn where_the_history_ends_nothing_is_sure() {
    let database = Database::default();
    let mut world = World::told(&database);
    let change = world.change("leases", "a", Some("missing"), r#"{"n":-1}"#);
    for n in 0..200 {
        world.take(&update(
            "leases",
            "a",
            &format!("j{n}"),
            &format!(r#"{{"n":{n}}}"#),
        ));
    }
    assert_eq!(world.verdict(&change), Lost);
    for n in 200..300 {
        world.take(&update(
            "leases",
            "a",
            &format!("j{n}"),
            &format!(r#"{{"n":{n}}}"#),
        ));
    }
    assert_eq!(world.verdict(&change), Untold, "too many to look at");
}

#[test]
fn another_dialect_has_no_jobs_and_is_never_counted() {
    let database = Database::default();
    let mut world = World::new(&database, "meterbase");
    let update = |id: &str, n: u64, at: Timestamp| {
        format!(
            r#"{{"event":"data.update","timestamp":"{at}","connection_id":"i","resource_type":"unit","data":{{"id":"{id}","n":{n}}}}}"#
        )
    };
    world.take(&update("u", 1, world.now));
    world.now = world.now.plus_s(60);
    let change = world.change("units", "u", Some("j1"), r#"{"n":2}"#);
    let (verdicts, owed) = world.compare(std::slice::from_ref(&change));
    assert_eq!((verdicts, owed.as_str()), (vec![Untold], "units/u"));
    world.take(&update("u", 2, world.now));
    assert_eq!(world.verdict(&change), Known);
}

#[test]
fn no_table_is_read_whole() {
    let database = Database::default();
    let mut world = World::told(&database);
    database.explained.set(true);
    let change = world.change("leases", "a", Some("j1"), r#"{"n":2}"#);
    assert_eq!(world.verdict(&change), Lost);
}
