//! Records that were asked for at the provider's API, beside webhooks.

use std::rc::Rc;

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::integration::IntegrationId;
use leasewire::ledger::{
    Call, Fetched, Ledger, MergeOutcome, Merged, Reply, Retention, Setup, Snapshots,
};
use leasewire::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::{Database, at, diff, finish_replay, range, send, take};

const DAY_S: u64 = 86_400;

struct World<'a> {
    database: &'a Database,
    ledger: Ledger<&'a Database>,
    now: Timestamp,
    filter: Filter,
}

impl<'a> World<'a> {
    fn new(database: &'a Database) -> Self {
        Self {
            database,
            ledger: Ledger::open(database).unwrap(),
            now: at("2026-03-01T00:00:00Z"),
            filter: Filter::default(),
        }
    }

    /// A webhook about the lease `l`, a second later.
    fn webhook(&mut self, previous: &str, new: &str) -> u64 {
        self.now = self.now.plus_s(1);
        take(
            &mut self.ledger,
            &diff("leases", "l", previous, new),
            self.now,
        )
        .seq
    }

    fn payload(&mut self, fields: &str) -> u64 {
        self.now = self.now.plus_s(1);
        let body = format!(
            r#"{{"event":"DATA_NEW","meta":{{"object":"leases"}},"record_id":"l","payload":{fields}}}"#
        );
        take(&mut self.ledger, &body, self.now).seq
    }

    /// A read of the lease `l` that began behind the event `asked_seq`, a second later.
    fn read(&mut self, asked_seq: u64, json: &str) -> MergeOutcome {
        self.merge(asked_seq, false, &[("l", json)]).outcomes[0]
    }

    fn merge(&mut self, asked_seq: u64, is_believed: bool, items: &[(&str, &str)]) -> Merged {
        self.now = self.now.plus_s(1);
        let epoch = self.ledger.state().unwrap().map(|state| state.epoch);
        let item = |(id, json): &(&str, &str)| Fetched {
            id: (*id).to_owned(),
            json: (*json).to_owned(),
        };
        let read = Snapshots {
            of: IntegrationId::new("propexo", "i"),
            model: "leases".to_owned(),
            asked_seq,
            epoch,
            is_believed,
            items: items.iter().map(item).collect(),
        };
        self.call(&read)
    }

    /// As it crosses to the ledger and back.
    fn call(&mut self, read: &Snapshots) -> Merged {
        let call = Call::Merge {
            read: read.clone(),
            setup: None,
        };
        let mut call = Call::decode(call.encode()).unwrap();
        let filter = self.filter.clone();
        call.set_up(|source| {
            assert_eq!(source, "propexo");
            Setup {
                dialect: dialect::named("propexo"),
                filter: Rc::new(filter),
                retention: Retention::new(30 * DAY_S, 2 * DAY_S),
                wants: None,
            }
        });
        let Reply::Json(answer) = self.ledger.answer(call, self.now).unwrap() else {
            panic!("no answer")
        };
        Merged::parse(&answer).unwrap()
    }

    /// Fields, whether they are all, and which are in drift.
    fn record(&self) -> String {
        let of = "SELECT fields, partial, drift, coalesce(drifted, '') FROM records
                  WHERE record_id = 'l'";
        self.database.dump(of).join("\n")
    }

    fn last_data(&mut self) -> Value {
        let seq = self.ledger.last_seq();
        serde_json::from_str(&self.ledger.data(seq).unwrap().unwrap()).unwrap()
    }

    fn written(&self) -> u64 {
        self.database.connection.total_changes()
    }
}

fn dated(second: u32, status: &str) -> String {
    format!(r#"{{"id":"l","status":"{status}","updated_at":"2026-03-01T10:00:{second:02}.000Z"}}"#)
}

#[test]
fn a_new_record_is_an_event_like_any_other() {
    let database = Database::default();
    let mut world = World::new(&database);
    let json = r#"{"id":"l","rent":750000.0,"id_beyond":9007199254740993,"none":null}"#;
    assert_eq!(world.read(0, json), MergeOutcome::Merged);
    assert_eq!(world.record(), format!("{json}|0|0|"));
    let entry: Value = serde_json::from_str(&world.ledger.event(1).unwrap().unwrap()).unwrap();
    assert_eq!(entry["origin"], "api");
    assert_eq!(entry["kind"], "record.snapshot");
    assert_eq!(
        (&entry["event"], &entry["body"]),
        (&Value::Null, &json.into())
    );
    let packs = send(&mut world.ledger, world.now);
    assert!(packs[0].contains(r#""type":"leasewire.record.snapshot""#));
    let data = world.last_data();
    assert_eq!(
        (&data["partial"], &data["changes"]),
        (&json!(false), &json!({}))
    );
    // What a webhook has brought says nothing of where it is from.
    world.webhook("{}", r#"{"rent":1}"#);
    assert!(!world.ledger.event(2).unwrap().unwrap().contains("origin"));
    // The second one is in a ledger that is there: its event and its record.
    let before = world.written();
    let merged = world.merge(2, false, &[("m", r#"{"id":"m"}"#)]);
    assert_eq!(merged.outcomes, [MergeOutcome::Merged]);
    assert_eq!((merged.seq, world.written() - before), (3, 2));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let database = Database::default();
    let mut world = World::new(&database);
    world.webhook("{}", r#"{"status":"a"}"#);
    assert_eq!(world.record(), r#"{"status":"a"}|1|0|"#);
    // That it is whole now, is news.
    assert_eq!(world.read(1, r#"{"status":"a"}"#), MergeOutcome::Merged);
    let data = world.last_data();
    assert_eq!(
        (&data["partial"], &data["changes"]),
        (&json!(false), &json!({}))
    );
    let before = world.written();
    for json in [
        r#"{"status":"a"}"#,
        "{ \"status\" : \"\\u0061\" }",
        // It moves with each synchronisation.
        r#"{"status":"a","last_seen":"2026-03-01T10:00:00Z"}"#,
        "{}",
    ] {
        assert_eq!(world.read(2, json), MergeOutcome::Same, "{json}");
    }
    assert_eq!((world.written() - before, world.ledger.last_seq()), (0, 2));
}

#[test]
fn fields_that_only_webhooks_have_stay() {
    let database = Database::default();
    let mut world = World::new(&database);
    world.payload(r#"{"street_address_1":"1 Main St","status":"a"}"#);
    let read = r#"{"address_1":"1 Main St","status":"b"}"#;
    // It shows what nobody has told yet, and contradicts no event of the last minutes.
    assert_eq!(world.read(1, read), MergeOutcome::Merged);
    let fields = r#"{"street_address_1":"1 Main St","status":"b","address_1":"1 Main St"}"#;
    assert_eq!(world.record(), format!("{fields}|0|0|"));
    let changes = json!({
        "address_1": {"old": null, "new": "1 Main St"},
        "status": {"old": "a", "new": "b"},
    });
    assert_eq!(world.last_data()["changes"], changes);
}

#[test]
fn what_an_event_has_touched_behind_the_read_keeps_its_value() {
    let database = Database::default();
    let mut world = World::new(&database);
    let first = world.webhook("{}", r#"{"status":"a","rent":1}"#);
    world.now = world.now.plus_s(600);
    // The read has begun, and this comes before its answer.
    world.webhook(r#"{"status":"a"}"#, r#"{"status":"b"}"#);
    world.now = world.now.plus_s(600);
    let read = r#"{"status":"a","rent":2}"#;
    assert_eq!(world.read(first, read), MergeOutcome::Overtaken);
    assert_eq!(world.record(), r#"{"status":"b","rent":2}|0|0|"#);
    // A second time it says nothing new, and isn't the whole truth either.
    let before = world.written();
    assert_eq!(world.read(first, read), MergeOutcome::Overtaken);
    assert_eq!(world.written(), before);
    // One that shows the event as well is.
    assert_eq!(
        world.read(first, r#"{"status":"b","rent":2}"#),
        MergeOutcome::Same
    );
    // What is known of an earlier epoch counts as touched.
    let read = Snapshots {
        of: IntegrationId::new("propexo", "i"),
        model: "leases".to_owned(),
        asked_seq: 99,
        epoch: Some(1),
        is_believed: true,
        items: vec![Fetched {
            id: "l".to_owned(),
            json: r#"{"status":"c","rent":3}"#.to_owned(),
        }],
    };
    assert_eq!(world.call(&read).outcomes, [MergeOutcome::Overtaken]);
    assert_eq!(world.record(), r#"{"status":"b","rent":2}|0|0|"#);
}

#[test]
fn a_read_that_is_older_than_what_is_known_is_left_alone() {
    let database = Database::default();
    let mut world = World::new(&database);
    assert_eq!(world.read(0, &dated(10, "b")), MergeOutcome::Merged);
    let before = world.written();
    assert_eq!(world.read(1, &dated(9, "a")), MergeOutcome::Stale);
    assert_eq!(world.written(), before);
    // It was repeated often enough.
    let believed = world.merge(1, true, &[("l", &dated(9, "a"))]);
    assert_eq!(believed.outcomes, [MergeOutcome::Merged]);
    assert_eq!(world.read(2, &dated(10, "b")), MergeOutcome::Merged);
    // An event that doesn't say when: what doesn't show it is from before.
    let seq = world.webhook(r#"{"status":"b"}"#, r#"{"status":"c"}"#);
    world.now = world.now.plus_s(3_600);
    assert_eq!(world.read(seq, &dated(10, "b")), MergeOutcome::Stale);
    assert_eq!(world.read(seq, &dated(10, "c")), MergeOutcome::Same);
    // Part of a record changes, and the time doesn't.
    let read = dated(10, "c").replace("\"id\"", "\"part\":1,\"id\"");
    assert_eq!(world.read(seq, &read), MergeOutcome::Merged);
    // An event that says when it was.
    let new = r#"{"status":"d","updated_at":"2026-03-01T10:00:20.000Z"}"#;
    let seq = world.webhook(r#"{"status":"c"}"#, new);
    assert_eq!(world.read(seq, &dated(15, "c")), MergeOutcome::Stale);
    assert_eq!(world.read(seq, &dated(20, "d")), MergeOutcome::Same);
    assert_eq!(world.read(seq, &dated(21, "e")), MergeOutcome::Merged);
}

#[test]
fn where_no_time_is_known_a_replica_may_lag_for_two_minutes() {
    let database = Database::default();
    let mut world = World::new(&database);
    let seq = world.webhook(r#"{"status":"a"}"#, r#"{"status":"b"}"#);
    assert_eq!(world.read(seq, &dated(1, "a")), MergeOutcome::Stale);
    // Neither the one nor the other: it has gone on since.
    assert_eq!(world.read(seq, &dated(1, "c")), MergeOutcome::Merged);

    let database = Database::default();
    let mut world = World::new(&database);
    let seq = world.webhook(r#"{"status":"a"}"#, r#"{"status":"b"}"#);
    world.now = world.now.plus_s(121);
    assert_eq!(world.read(seq, &dated(1, "a")), MergeOutcome::Merged);
}

#[test]
fn the_same_read_may_be_news_again() {
    let database = Database::default();
    let mut world = World::new(&database);
    for (asked_seq, status) in [(0, "a"), (1, "b"), (2, "a"), (3, "b")] {
        let json = format!(r#"{{"status":"{status}"}}"#);
        assert_eq!(world.read(asked_seq, &json), MergeOutcome::Merged);
    }
    assert_eq!(world.record(), r#"{"status":"b"}|0|0|"#);
    let keys = database.events("DISTINCT hex(key)");
    assert_eq!(keys.len(), 4);
}

#[test]
fn drift_ends_with_a_read() {
    let database = Database::default();
    let mut world = World::new(&database);
    world.webhook("{}", r#"{"status":"a","rent":1}"#);
    let seq = world.webhook(r#"{"status":"x"}"#, r#"{"status":"b"}"#);
    assert_eq!(world.record(), r#"{"status":"b","rent":1}|1|1|["status"]"#);
    let same = r#"{"status":"b","rent":1}"#;
    // The read began before the contradiction: of that it knows nothing.
    world.now = world.now.plus_s(600);
    assert_eq!(
        world.read(1, r#"{"status":"q","rent":1}"#),
        MergeOutcome::Overtaken
    );
    assert_eq!(world.record(), r#"{"status":"b","rent":1}|0|1|["status"]"#);
    assert_eq!(world.read(seq, same), MergeOutcome::Merged);
    assert_eq!(world.record(), format!("{same}|0|0|"));
    assert_eq!(world.last_data()["changes"], json!({}));
}

#[test]
fn filters_hold_for_what_was_asked_for() {
    let database = Database::default();
    let mut world = World::new(&database);
    let only = |name: &str| Some(vec![name.to_owned()]);
    world.filter = Filter::new(only("units"), None, None);
    assert_eq!(world.read(0, "{}"), MergeOutcome::Ignored);
    world.filter = Filter::new(None, None, only("p1"));
    assert_eq!(
        world.read(0, r#"{"property_id":"p2"}"#),
        MergeOutcome::Ignored
    );
    assert_eq!(world.ledger.last_seq(), 0);
    assert!(database.dump("SELECT name FROM sqlite_master").is_empty());
    assert_eq!(
        world.read(0, r#"{"property_id":"p1"}"#),
        MergeOutcome::Merged
    );
    // Which events the provider is to be heard with says nothing of reads.
    world.filter = Filter::new(None, only("DATA_UPDATE"), None);
    assert_eq!(
        world.read(1, r#"{"property_id":"p3"}"#),
        MergeOutcome::Merged
    );
    assert_eq!(world.ledger.last_seq(), 2);
}

#[test]
fn what_can_not_be_kept_leaves_no_trace_or_one() {
    let database = Database::default();
    let mut world = World::new(&database);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for json in ["[]", "7", deep.as_str()] {
        assert_eq!(world.read(0, json), MergeOutcome::Unclear, "{json}");
    }
    let huge = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_900_001));
    assert_eq!(world.read(0, &huge), MergeOutcome::TooLarge);
    assert_eq!(world.ledger.last_seq(), 0);
    // With what is known of it, it is too large: that is kept, once.
    world.webhook("{}", &format!(r#"{{"old":"{}"}}"#, "x".repeat(1_000_000)));
    let large = format!(r#"{{"new":"{}"}}"#, "y".repeat(1_200_000));
    for _ in 0..3 {
        assert_eq!(world.read(1, &large), MergeOutcome::TooLarge);
    }
    assert_eq!(world.ledger.last_seq(), 2);
    let listed = world.ledger.quarantined(0, 9).unwrap();
    assert!(listed.contains(r#""reason":"too_large""#), "{listed}");
    assert!(listed.contains(r#""record_id":"l""#), "{listed}");
    // And stays what it is when it is read again.
    world
        .ledger
        .ask_for_replay(&range(1, 2), world.now)
        .unwrap();
    finish_replay(&mut world.ledger, "propexo", world.now);
    assert_eq!(
        world
            .ledger
            .quarantined(0, 9)
            .unwrap()
            .matches("too_large")
            .count(),
        1
    );
}

/// What the provider does, and when we hear of it.
#[derive(Debug, Clone)]
enum Step {
    /// The field changes; the webhook comes after so many further steps, or never.
    Change {
        field: u8,
        value: u8,
        late: Option<u8>,
    },
    /// A read begins, shows how things were so many changes ago, and is answered
    /// after so many steps.
    Read { stale: u8, late: u8 },
    /// So many seconds go by.
    Wait(u16),
    /// Everything is replayed.
    Replay,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let late = prop_oneof![4 => (0_u8..6).prop_map(Some), 1 => Just(None)];
    let change = (0_u8..3, 0_u8..3, late).prop_map(|(field, value, late)| Step::Change {
        field,
        value,
        late,
    });
    let stale = prop_oneof![3 => Just(0_u8), 1 => 1_u8..3];
    let read = (stale, 0_u8..6).prop_map(|(stale, late)| Step::Read { stale, late });
    let step = prop_oneof![
        6 => change,
        3 => read,
        1 => (0_u16..200).prop_map(Step::Wait),
        1 => Just(Step::Replay),
    ];
    proptest::collection::vec(step, 0..40)
}

enum Coming {
    Webhook(String),
    Read(u64, String),
}

/// The provider's truth: three fields and when it changed last.
struct Provider {
    fields: [u8; 3],
    changes: u32,
    is_dated: bool,
}

impl Provider {
    fn json(&self) -> String {
        let [a, b, c] = self.fields;
        let fields = format!(r#"{{"id":"l","a":{a},"b":{b},"c":{c}"#);
        match self.is_dated {
            // Two changes share a time.
            true => format!(
                r#"{fields},"updated_at":"2026-03-01T10:{:02}:00.000Z"}}"#,
                self.changes / 2
            ),
            false => format!("{fields}}}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever was lost, late, stale or swapped: a read that began after the last
    /// event ends it, and a replay of everything changes nothing any more.
    #[test]
    fn a_read_at_the_end_has_the_last_word(steps in steps(), is_dated: bool) {
        let database = Database::default();
        let mut world = World::new(&database);
        let mut provider = Provider { fields: [0; 3], changes: 0, is_dated };
        let mut past = vec![provider.json()];
        let mut coming: Vec<(usize, Coming)> = Vec::new();
        let arrive = |world: &mut World, coming: &mut Vec<(usize, Coming)>, until: usize| {
            coming.sort_by_key(|(at, _)| *at);
            while coming.first().is_some_and(|(at, _)| *at <= until) {
                match coming.remove(0).1 {
                    Coming::Webhook(body) => drop(take(&mut world.ledger, &body, world.now)),
                    Coming::Read(asked_seq, json) => drop(world.read(asked_seq, &json)),
                }
                world.now = world.now.plus_s(1);
            }
        };
        for (at, step) in steps.iter().enumerate() {
            arrive(&mut world, &mut coming, at);
            match step {
                Step::Change { field, value, late } => {
                    let name = ["a", "b", "c"][usize::from(*field)];
                    let field = &mut provider.fields[usize::from(*field)];
                    let previous = format!(r#"{{"{name}":{field}}}"#);
                    let new = format!(r#"{{"{name}":{value}}}"#);
                    if *field != *value {
                        *field = *value;
                        provider.changes += 1;
                        past.push(provider.json());
                        if let Some(late) = late {
                            let body = diff("leases", "l", &previous, &new);
                            coming.push((at + usize::from(*late), Coming::Webhook(body)));
                        }
                    }
                }
                Step::Read { stale, late } => {
                    let shown = past.len().saturating_sub(1 + usize::from(*stale));
                    let read = Coming::Read(world.ledger.last_seq(), past[shown].clone());
                    coming.push((at + usize::from(*late), read));
                }
                Step::Wait(seconds) => world.now = world.now.plus_s(u64::from(*seconds)),
                Step::Replay => {
                    let last = world.ledger.last_seq();
                    if last > 0 {
                        world.ledger.ask_for_replay(&range(1, last), world.now).unwrap();
                        finish_replay(&mut world.ledger, "propexo", world.now);
                    }
                }
            }
        }
        arrive(&mut world, &mut coming, usize::MAX);
        // The last reads show the truth; the fourth is believed.
        let mut is_over = false;
        for attempt in 1..=4 {
            world.now = world.now.plus_s(30);
            let asked_seq = world.ledger.last_seq();
            let merged = world.merge(asked_seq, attempt == 4, &[("l", &provider.json())]);
            is_over = !merged.outcomes[0].is_owed();
            if is_over {
                break;
            }
        }
        prop_assert!(is_over);
        let check = |world: &World| {
            let row = world.record();
            let (fields, flags) = row.split_once('|').unwrap();
            let fields: Value = serde_json::from_str(fields).unwrap();
            let truth: Value = serde_json::from_str(&provider.json()).unwrap();
            assert_eq!((fields, flags), (truth, "0|0|"));
        };
        check(&world);
        // Read again in the order of the log, all of it is the same.
        let last = world.ledger.last_seq();
        world.ledger.ask_for_replay(&range(1, last), world.now).unwrap();
        finish_replay(&mut world.ledger, "propexo", world.now);
        check(&world);
        // Also where only the webhooks are asked for.
        let mut request = range(1, last);
        request.events = Some(vec!["record.updated".to_owned()]);
        world.ledger.ask_for_replay(&request, world.now).unwrap();
        finish_replay(&mut world.ledger, "propexo", world.now);
        check(&world);
    }
}
