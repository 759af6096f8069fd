//! The ledger against a naive model, under random operations: deliveries,
//! repetitions, packs that are lost, repeated or reordered, restarts, alarms,
//! dead packs, and storage that fails in the middle.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Database, at, delivery};
use leasewire::ledger::{Effects, Ledger, NOT_APPLIED, Outcome, Pack, RECENT_MAX};
use leasewire::projection::{Pack as Message, Projection};
use leasewire::signature::DedupeKey;
use leasewire::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

const WINDOW_S: u64 = 48 * 3_600;
const RETENTION_S: u64 = WINDOW_S;

/// A delivery in terms that the model understands too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Sent {
    /// Propexo: a field of a record goes from one value to another.
    Diff {
        record: u8,
        field: u8,
        from: u8,
        to: u8,
    },
    /// Propexo: a new record with one field.
    New { record: u8, value: u8 },
    /// Propexo: a job, about no record.
    Job { id: u8 },
    /// Real estate: a whole object with an event id and a time.
    Whole {
        event: u8,
        record: u8,
        minute: u8,
        value: u8,
    },
    /// Authentic, not understood.
    Junk { id: u8 },
}

impl Sent {
    fn dialect(&self) -> &'static str {
        match self {
            Self::Whole { .. } => "real-estate",
            _ => "propexo",
        }
    }

    fn body(&self) -> String {
        match self {
            Self::Diff {
                record,
                field,
                from,
                to,
            } => format!(
                r#"{{"meta":{{"object":"leases"}},"record_id":"r{record}","diff":{{"previous":{{"f{field}":{from}}},"new":{{"f{field}":{to}}}}}}}"#
            ),
            Self::New { record, value } => format!(
                r#"{{"meta":{{"object":"leases"}},"record_id":"r{record}","payload":{{"f0":{value}}}}}"#
            ),
            Self::Job { id } => format!(r#"{{"event":"JOB_SUCCESS","job_id":"j{id}"}}"#),
            Self::Whole {
                event,
                record,
                minute,
                value,
            } => format!(
                r#"{{"id":"evt_{record}_{event}","type":"lease.updated","created":"2026-01-01T00:{minute:02}:00Z","data":{{"lease":{{"id":"r{record}","f0":{value}}}}}}}"#
            ),
            Self::Junk { id } => format!("junk {id}"),
        }
    }

    fn record(&self) -> Option<u8> {
        match self {
            Self::Diff { record, .. } | Self::New { record, .. } | Self::Whole { record, .. } => {
                Some(*record)
            }
            _ => None,
        }
    }

    /// What makes two deliveries the same, in the model's own terms.
    fn identity(&self) -> String {
        match self {
            Self::Whole { event, record, .. } => format!("event {record} {event}"),
            other => format!("{other:?}"),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ModelRecord {
    version: u64,
    fields: BTreeMap<String, String>,
    partial: bool,
    drift: bool,
    /// Time and tie-breaker of the version.
    order: (u8, DedupeKeyOrd),
    last_seq: u64,
}

type DedupeKeyOrd = Option<[u8; 16]>;

#[derive(Debug, Default)]
struct Model {
    log: Vec<(String, Option<u8>, Timestamp, bool)>,
    records: BTreeMap<u8, ModelRecord>,
}

impl Model {
    /// What must become of a delivery, computed the slow way.
    fn take(&mut self, sent: &Sent, now: Timestamp) -> (&'static str, u64) {
        let identity = sent.identity();
        let earlier = self.log.iter().enumerate().rev().find(|(_, event)| {
            event.0 == identity && event.1 == sent.record() && event.2 > now.minus_s(WINDOW_S)
        });
        let earlier = earlier.map(|(index, _)| index as u64 + 1);
        let seq = self.log.len() as u64 + 1;
        if let Some(earlier) = earlier
            && !self.repeats_for_real(sent, earlier)
        {
            return ("duplicate", earlier);
        }
        let junk = matches!(sent, Sent::Junk { .. });
        self.log.push((identity, sent.record(), now, junk));
        self.fold(sent, seq);
        (if junk { "quarantined" } else { "accepted" }, seq)
    }

    fn repeats_for_real(&self, sent: &Sent, earlier: u64) -> bool {
        let Sent::Diff {
            record,
            field,
            from,
            to,
        } = sent
        else {
            return false;
        };
        let known = &self.records[record];
        known.last_seq != earlier
            && from != to
            && known.fields.get(&format!("f{field}")) == Some(&from.to_string())
    }

    fn fold(&mut self, sent: &Sent, seq: u64) {
        let Some(record) = sent.record() else { return };
        let new = !self.records.contains_key(&record);
        let known = self.records.entry(record).or_insert_with(|| ModelRecord {
            partial: true,
            ..ModelRecord::default()
        });
        known.last_seq = seq;
        match sent {
            Sent::Diff {
                field, from, to, ..
            } => {
                let name = format!("f{field}");
                let is = known.fields.insert(name, to.to_string());
                known.drift |= is.is_some_and(|is| is != from.to_string());
                known.version = seq;
            }
            Sent::New { value, .. } => {
                let is = known.fields.insert("f0".to_owned(), value.to_string());
                known.drift |= is.is_some_and(|is| is != value.to_string());
                known.version = seq;
            }
            Sent::Whole { minute, value, .. } => {
                let DedupeKey(key) = delivery("real-estate", "i", &sent.body()).key;
                let order = (*minute, Some(key));
                if new || order > known.order {
                    *known = ModelRecord {
                        version: seq,
                        fields: BTreeMap::from([
                            ("id".to_owned(), format!("\"r{record}\"")),
                            ("f0".to_owned(), value.to_string()),
                        ]),
                        partial: false,
                        drift: false,
                        order,
                        last_seq: seq,
                    };
                }
            }
            Sent::Job { .. } | Sent::Junk { .. } => {}
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Deliver(Sent),
    /// A delivery while the n-th statement fails.
    DeliverBroken(Sent, u32),
    /// Hand all packs to the queue.
    Forward,
    /// The queue gives a pack to the consumer: which, and what happens to it.
    Consume(u8, Fate),
    Restart,
    Wake,
    /// Let old history go.
    Expire,
    Wait(u32),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Applied,
    AppliedTwice,
    AppliedNotConfirmed,
    Lost,
    Dead,
    /// One event of it can't be applied: which. The rest is applied.
    Guilty(u8),
}

/// Everything but the outside world's memory of it is behind the ledger.
struct World<'a> {
    database: &'a Database,
    d1: &'a Database,
    ledger: Ledger<&'a Database>,
    queue: Vec<Pack>,
    now: Timestamp,
    model: Model,
    dead: BTreeSet<u64>,
    /// Reported as impossible to apply, before anybody confirmed them.
    guilty: BTreeSet<u64>,
}

impl<'a> World<'a> {
    fn new(database: &'a Database, d1: &'a Database) -> Self {
        d1.migrate();
        Self {
            database,
            d1,
            ledger: Ledger::open(database).unwrap(),
            queue: Vec::new(),
            now: at("2026-02-01T00:00:00Z"),
            model: Model::default(),
            dead: BTreeSet::new(),
            guilty: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Deliver(sent) => self.deliver(sent),
            Step::DeliverBroken(sent, statement) => self.deliver_broken(sent, *statement),
            Step::Forward => self.forward(),
            Step::Consume(which, fate) => {
                if !self.queue.is_empty() {
                    let pack = self.queue.remove(*which as usize % self.queue.len());
                    self.consume(&pack, *fate);
                }
            }
            Step::Restart => self.ledger = Ledger::open(self.database).unwrap(),
            Step::Wake => {
                self.ledger.wake(self.now, 0).unwrap();
            }
            Step::Expire => self.expire(),
            Step::Wait(s) => self.now = self.now.plus_s(u64::from(*s)),
        }
    }

    /// What goes is settled, neither dead nor quarantined, and older than
    /// asked for.
    fn expire(&mut self) {
        let before = self.numbers();
        let confirmed_seq = self
            .ledger
            .state()
            .unwrap()
            .map(|state| state.confirmed_seq);
        while self.ledger.expire(self.now, RETENTION_S).unwrap().is_some() {}
        let after = self.numbers();
        assert!(after.is_subset(&before));
        for seq in before.difference(&after) {
            let (_, _, received_at, junk) = self.model.log[*seq as usize - 1];
            assert!(Some(*seq) <= confirmed_seq, "{seq} went unconfirmed");
            assert!(
                received_at <= self.now.minus_s(RETENTION_S),
                "{seq} is young"
            );
            let dead = self
                .dead_ranges()
                .iter()
                .any(|(first, last)| (first..=last).contains(&seq));
            let held = junk || dead || self.guilty.contains(seq);
            assert!(!held, "{seq} had to stay");
        }
    }

    fn numbers(&self) -> BTreeSet<u64> {
        let numbers = self.database.events("seq");
        numbers.iter().map(|seq| seq.parse().unwrap()).collect()
    }

    fn deliver(&mut self, sent: &Sent) {
        let delivery = delivery(sent.dialect(), "i", &sent.body());
        let taken = self.ledger.intake(&delivery, self.now).unwrap();
        let expected = self.model.take(sent, self.now);
        assert_eq!((taken.outcome.label(), taken.seq), expected, "{sent:?}");
        if let Outcome::Quarantined(why) = taken.outcome {
            assert_eq!(why.label(), "not_json");
        }
    }

    /// A delivery whose storage fails leaves no trace: the next one behaves
    /// as if it had never been.
    fn deliver_broken(&mut self, sent: &Sent, statement: u32) {
        let before = self.tables();
        let delivery = delivery(sent.dialect(), "i", &sent.body());
        self.database.fails_in.set(Some(statement));
        let taken = self.ledger.intake(&delivery, self.now);
        self.database.fails_in.set(None);
        match taken {
            Err(_) => assert_eq!(self.tables(), before),
            Ok(taken) => {
                let expected = self.model.take(sent, self.now);
                assert_eq!((taken.outcome.label(), taken.seq), expected);
            }
        }
    }

    fn tables(&self) -> Vec<String> {
        let names = self
            .database
            .dump("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
        let rows = names
            .iter()
            .flat_map(|name| self.database.dump(&format!("SELECT * FROM {name}")));
        names.iter().cloned().chain(rows).collect()
    }

    fn forward(&mut self) {
        while self.ledger.has_unsent() {
            let batch = self.ledger.next_batch().unwrap();
            self.ledger.sent(batch.through, self.now);
            self.queue.extend(batch.packs);
        }
    }

    fn consume(&mut self, pack: &Pack, fate: Fate) {
        match fate {
            Fate::Lost => {}
            Fate::Dead => {
                self.ledger
                    .bury(pack.first, pack.last, 0, "test", self.now)
                    .unwrap();
            }
            Fate::Applied => self.apply(pack, true),
            Fate::AppliedNotConfirmed => self.apply(pack, false),
            Fate::AppliedTwice => {
                self.apply(pack, true);
                self.apply(pack, true);
            }
            Fate::Guilty(which) => self.apply_around(pack, usize::from(which)),
        }
    }

    /// What the consumer does with a pack that has an event which can't be
    /// applied.
    fn apply_around(&mut self, pack: &Pack, which: usize) {
        let read = Message::read(&pack.text).unwrap();
        let events = read.all().len();
        let guilty = which % events;
        let (seq, _) = read.range(&(guilty..guilty + 1)).unwrap();
        for part in [0..guilty, guilty + 1..events] {
            if let Some((first, last)) = read.range(&part) {
                let projection = read.part(&part).unwrap();
                for statement in projection.statements(self.now, self.now) {
                    self.d1.run(&statement);
                }
                self.ledger.confirm(first, last, 0, self.now).unwrap();
            }
        }
        let status = |world: &Self| {
            let event = world.ledger.event(seq).unwrap().unwrap_or_default();
            let status = event.split_once(r#""status":""#).map(|(_, rest)| rest);
            status.and_then(|rest| rest.split('"').next().map(str::to_owned))
        };
        let before = status(self);
        for _ in 0..2 {
            self.ledger
                .quarantine(seq, 0, NOT_APPLIED, self.now)
                .unwrap();
        }
        // What was applied stays so.
        match before.as_deref() {
            Some("confirmed") | None => assert_eq!(status(self), before),
            _ => {
                assert_eq!(status(self).as_deref(), Some("quarantined"));
                self.guilty.insert(seq);
            }
        }
    }

    fn apply(&mut self, pack: &Pack, confirm: bool) {
        let projection = Projection::read(&pack.text).unwrap();
        assert_eq!((projection.first, projection.last), (pack.first, pack.last));
        for statement in projection.statements(self.now, self.now) {
            self.d1.run(&statement);
        }
        if confirm {
            self.ledger
                .confirm(pack.first, pack.last, 0, self.now)
                .unwrap();
        }
    }

    /// Faults off, time moves on: everything that isn't dead arrives.
    fn settle(&mut self) {
        self.ledger = Ledger::open(self.database).unwrap();
        for _ in 0..4 {
            self.forward();
            for pack in std::mem::take(&mut self.queue) {
                self.consume(&pack, Fate::Applied);
            }
            self.now = self.now.plus_s(7_200);
            self.ledger.wake(self.now, 0).unwrap();
        }
        if let Some(state) = self.ledger.state().unwrap() {
            for (first, last) in self.dead_ranges() {
                self.dead.extend(first..=last);
            }
            assert_eq!(state.pending, 0, "{state:?}");
            assert_eq!(state.unconfirmed, 0, "{state:?}");
            assert_eq!(state.confirmed_seq, state.last_seq, "{state:?}");
            assert_eq!(state.last_seq, self.model.log.len() as u64);
            let log = (1..).zip(&self.model.log);
            let quarantined = log.filter(|(seq, event)| event.3 || self.guilty.contains(seq));
            let quarantined: Vec<u64> = quarantined.map(|(seq, _)| seq).collect();
            assert_eq!(state.quarantined, quarantined.len() as u64);
            let listed = self.ledger.quarantined(0, u64::MAX >> 1).unwrap();
            assert_eq!(numbers(&listed, "seq"), quarantined);
            let listed = self.ledger.dead(0, 500).unwrap();
            let dead: u64 = numbers(&listed, "events").iter().sum();
            assert_eq!(dead, state.dead);
        }
        // What it has to tell is told.
        self.now = self.now.plus_s(7_200);
        if let Some(told) = self.ledger.wake(self.now, 0).unwrap().announce {
            self.ledger.announced(&told).unwrap();
        }
        let idle = self.ledger.wake(self.now, 0).unwrap();
        assert_eq!(idle, Effects::default());
    }

    fn dead_ranges(&self) -> Vec<(u64, u64)> {
        let rows = self.database.dump("SELECT first_seq, last_seq FROM dead");
        rows.iter()
            .map(|row| {
                let (first, last) = row.split_once('|').unwrap();
                (first.parse().unwrap(), last.parse().unwrap())
            })
            .collect()
    }

    fn check_ledger(&self) {
        if self.model.log.is_empty() {
            return;
        }
        let last = self.model.log.len() as u64;
        assert!(self.numbers().iter().all(|seq| (1..=last).contains(seq)));
        assert_eq!(self.ledger.last_seq(), last);
        let rows = self.database.dump(
            "SELECT record_id, version, partial, drift, last_seq, fields FROM records
             ORDER BY record_id",
        );
        let expected: Vec<_> = self
            .model
            .records
            .iter()
            .map(|(id, record)| {
                format!(
                    "r{id}|{}|{}|{}|{}",
                    record.version,
                    u8::from(record.partial),
                    u8::from(record.drift),
                    record.last_seq
                )
            })
            .collect();
        let heads: Vec<_> = rows
            .iter()
            .map(|row| row.rsplit_once('|').unwrap().0.to_owned())
            .collect();
        assert_eq!(heads, expected);
        for (row, record) in rows.iter().zip(self.model.records.values()) {
            assert_eq!(sorted(row.rsplit_once('|').unwrap().1), record.fields);
        }
    }

    /// D1 holds what the model computes, but for records whose newest event
    /// died.
    fn check_d1(&self) {
        let rows = self
            .d1
            .dump("SELECT record_id, version, partial, drift, fields FROM records");
        let rows: BTreeMap<_, _> = rows
            .iter()
            .map(|row| row.split_once('|').unwrap())
            .collect();
        for (id, record) in &self.model.records {
            if self.dead.contains(&record.version) || self.guilty.contains(&record.version) {
                continue;
            }
            let row = rows
                .get(format!("r{id}").as_str())
                .unwrap_or_else(|| panic!("r{id} is not in D1"));
            let (head, fields) = row.rsplit_once('|').unwrap();
            let (partial, drift) = (u8::from(record.partial), u8::from(record.drift));
            assert_eq!(head, format!("{}|{partial}|{drift}", record.version));
            assert_eq!(sorted(fields), record.fields);
        }
    }
}

/// The numbers called `name` in an answer.
fn numbers(json: &str, name: &str) -> Vec<u64> {
    let name = format!(r#""{name}":"#);
    let parts = json.split(&name).skip(1);
    let digits = parts.map(|rest| rest.split([',', '}']).next().unwrap_or_default());
    digits.map(|digits| digits.parse().unwrap()).collect()
}

fn sorted(fields: &str) -> BTreeMap<String, String> {
    leasewire::json::Object::parse(fields)
        .unwrap()
        .iter()
        .map(|(name, value)| (name.to_owned(), value.get().to_owned()))
        .collect()
}

fn propexo() -> BoxedStrategy<Sent> {
    prop_oneof![
        6 => (0..3_u8, 0..2_u8, 0..3_u8, 0..3_u8)
            .prop_map(|(record, field, from, to)| Sent::Diff { record, field, from, to }),
        1 => (0..3_u8, 0..3_u8).prop_map(|(record, value)| Sent::New { record, value }),
        1 => (0..3_u8).prop_map(|id| Sent::Job { id }),
        1 => (0..3_u8).prop_map(|id| Sent::Junk { id }),
    ]
    .boxed()
}

fn real_estate() -> BoxedStrategy<Sent> {
    (0..6_u8, 0..2_u8, 0..4_u8, 0..3_u8)
        .prop_map(|(event, record, minute, value)| Sent::Whole {
            event,
            record,
            minute,
            value,
        })
        .boxed()
}

fn steps(sent: BoxedStrategy<Sent>) -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        4 => Just(Fate::Applied),
        1 => Just(Fate::AppliedTwice),
        1 => Just(Fate::AppliedNotConfirmed),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Dead),
        1 => any::<u8>().prop_map(Fate::Guilty),
    ];
    let step = prop_oneof![
        10 => sent.clone().prop_map(Step::Deliver),
        1 => (sent, 0..6_u32).prop_map(|(sent, at)| Step::DeliverBroken(sent, at)),
        4 => Just(Step::Forward),
        5 => (any::<u8>(), fate).prop_map(|(which, fate)| Step::Consume(which, fate)),
        1 => Just(Step::Restart),
        2 => Just(Step::Wake),
        2 => Just(Step::Expire),
        2 => prop_oneof![1..120_u32, 3_600..200_000_u32].prop_map(Step::Wait),
    ];
    vec(step, 1..80)
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
    /// fields, where events carry their own time.
    #[test]
    fn order_does_not_matter_where_events_have_a_time(
        (sent, shuffled) in vec(real_estate(), 1..12)
            .prop_map(|mut sent| { one_body_an_event(&mut sent); sent })
            .prop_flat_map(|sent| {
                let twice = [sent.clone(), sent.clone()].concat();
                (Just(sent), Just(twice).prop_shuffle())
            })
    ) {
        prop_assert_eq!(fields_after(&sent), fields_after(&shuffled));
    }
}

/// A record with more events than its row has room for: the rest are in the
/// index, and repetitions of any of them are known.
#[test]
fn a_busy_record_knows_its_repetitions() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    let snapshot = |n: u32| {
        let body = format!(
            r#"{{"id":"evt_{n}","type":"lease.updated","created":"2026-01-01T00:00:00Z","data":{{"lease":{{"id":"r","f0":{n}}}}}}}"#
        );
        delivery("real-estate", "i", &body)
    };
    for n in 1..=600 {
        let taken = ledger.intake(&snapshot(n), now).unwrap();
        assert_eq!(
            (taken.outcome, taken.seq),
            (Outcome::Accepted, u64::from(n))
        );
    }
    let indexed = database.dump("SELECT count(*) FROM events_1 WHERE by_key");
    assert_eq!(indexed, [(600 - RECENT_MAX).to_string()]);
    let mut ledger = Ledger::open(&database).unwrap();
    for n in [1, 2, 255, 256, 257, 258, 599, 600] {
        let taken = ledger
            .intake(&snapshot(n), now.plus_s(WINDOW_S - 1))
            .unwrap();
        assert_eq!(
            (taken.outcome, taken.seq),
            (Outcome::Duplicate, u64::from(n))
        );
    }
    // Beyond the window it is an event like any other.
    for (n, seq) in [(1, 601), (600, 602)] {
        let taken = ledger.intake(&snapshot(n), now.plus_s(WINDOW_S)).unwrap();
        assert_eq!((taken.outcome, taken.seq), (Outcome::Accepted, seq));
    }
}

/// A ledger whose whole history went goes on with the next number, and knows
/// what it knew.
#[test]
fn a_ledger_outlives_its_history() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let mut now = at("2026-02-01T00:00:00Z");
    for id in 0..3 {
        let delivery = delivery("propexo", "i", &Sent::Job { id }.body());
        ledger.intake(&delivery, now).unwrap();
    }
    let junk = delivery("propexo", "i", "junk");
    ledger.intake(&junk, now).unwrap();
    ledger.confirm(1, 3, 0, now).unwrap();
    let state = ledger.state().unwrap();
    for _ in 0..3 {
        now = now.plus_s(RETENTION_S);
        while ledger.expire(now, RETENTION_S).unwrap().is_some() {}
    }
    assert_eq!(database.events("seq"), ["4"]);
    assert_eq!(
        database.dump("SELECT number, first_seq FROM segments"),
        ["2|5"]
    );
    assert_eq!(ledger.state().unwrap(), state);
    let mut ledger = Ledger::open(&database).unwrap();
    assert_eq!(ledger.state().unwrap(), state);
    assert_eq!(ledger.event(1).unwrap(), None);
    assert!(ledger.event(4).unwrap().is_some());
    assert!(!ledger.has_unsettled());
    let next = delivery("propexo", "i", &Sent::Job { id: 9 }.body());
    assert_eq!(ledger.intake(&next, now).unwrap().seq, 5);
    let batch = ledger.next_batch().unwrap();
    assert_eq!((batch.packs[0].first, batch.packs[0].last), (5, 5));
}

/// What is dead or quarantined moves in steps of its own.
#[test]
fn much_that_stays_moves_step_by_step() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    for n in 0..1_300 {
        let body = match n % 3 {
            0 => format!("junk {n}"),
            _ => format!(r#"{{"event":"JOB_SUCCESS","job_id":"j{n}"}}"#),
        };
        ledger
            .intake(&delivery("propexo", "i", &body), now)
            .unwrap();
    }
    ledger.confirm(1, 400, 0, now).unwrap();
    ledger.bury(401, 900, 0, "test", now).unwrap();
    ledger.confirm(901, 1_300, 0, now).unwrap();
    let later = now.plus_s(RETENTION_S);
    assert_eq!(ledger.expire(later, RETENTION_S).unwrap(), None);
    let mut now = later.plus_s(RETENTION_S);
    let mut steps = 1;
    while let Some(at) = ledger.expire(now, RETENTION_S).unwrap() {
        assert!(at > now);
        now = at;
        steps += 1;
    }
    let stays = (1..=1_300).filter(|seq| (401..=900).contains(seq) || seq % 3 == 1);
    let stays: Vec<_> = stays.map(|seq| seq.to_string()).collect();
    assert_eq!(steps, stays.len() / 500 + 1);
    assert_eq!(database.events("seq"), stays);
    let state = ledger.state().unwrap().unwrap();
    assert_eq!((state.quarantined, state.dead), (434, 334));
    // A dead event that is applied after all is history, and old.
    ledger.confirm(401, 900, 0, now).unwrap();
    assert_eq!(database.events("seq").len(), 434);
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
        let delivery = delivery("propexo", "i", &Sent::Job { id }.body());
        ledger.intake(&delivery, now).unwrap();
    }
    ledger.next_batch().unwrap();
    ledger.bury(1, 1, 0, "test", now).unwrap();
    ledger.confirm(2, 2, 0, now).unwrap();
    ledger.state().unwrap();
    ledger.events(0, 10).unwrap();
    ledger.event(2).unwrap();
    ledger.data(2).unwrap();
    ledger.quarantined(0, 10).unwrap();
    ledger.dead(0, 10).unwrap();
    ledger.quarantine(1, 0, NOT_APPLIED, now).unwrap();
    ledger.confirm(1, 1, 0, now).unwrap();
    while ledger.expire(now.plus_s(u64::MAX), 1).unwrap().is_some() {}
    Ledger::open(&database).unwrap();
}

/// An event id names one event: later bodies under the same id are dropped.
fn one_body_an_event(sent: &mut Vec<Sent>) {
    let mut seen = BTreeSet::new();
    sent.retain(|sent| seen.insert(sent.identity()));
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
    assert!(ledger.confirm(1, 1, 0, now).is_err());
    assert!(ledger.quarantine(1, 0, NOT_APPLIED, now).is_err());
    assert!(database.dump("SELECT name FROM sqlite_master").is_empty());
}

/// The second event is received when the clock shows an earlier time. It must
/// not hide the first one from a repetition that lies within the window still.
#[test]
fn a_clock_that_goes_back_hides_no_event() {
    let database = Database::default();
    let change = |field: u8, from: u8, to: u8| {
        let sent = Sent::Diff {
            record: 0,
            field,
            from,
            to,
        };
        delivery("propexo", "i", &sent.body())
    };
    let take = |delivery, time| {
        // What it goes by must outlast the memory.
        let mut ledger = Ledger::open(&database).unwrap();
        let taken = ledger.intake(&delivery, at(time)).unwrap();
        (taken.outcome.label(), taken.seq)
    };
    let first = change(0, 0, 1);
    assert_eq!(take(first.clone(), "2026-02-01T12:00:00Z"), ("accepted", 1));
    let second = change(1, 0, 1);
    assert_eq!(take(second, "2026-02-01T11:50:00Z"), ("accepted", 2));
    assert_eq!(
        take(first.clone(), "2026-02-03T11:59:59Z"),
        ("duplicate", 1)
    );
    let received = database.events("received_at");
    assert_eq!(received[0], received[1]);
    assert_eq!(take(first, "2026-02-03T12:00:00Z"), ("accepted", 3));
}

/// The clock runs ahead for a while. By the right time the edge accepts the
/// first event's replay again, so it must be within the window again too.
#[test]
fn a_clock_that_ran_ahead_lets_no_replay_in() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let first = delivery("propexo", "i", &Sent::Job { id: 0 }.body());
    let second = delivery("propexo", "i", &Sent::Job { id: 1 }.body());
    ledger.intake(&first, at("2026-02-01T12:00:00Z")).unwrap();
    ledger.intake(&second, at("2026-02-03T12:10:00Z")).unwrap();
    let replay = ledger.intake(&first, at("2026-02-03T11:59:00Z")).unwrap();
    assert_eq!((replay.outcome, replay.seq), (Outcome::Duplicate, 1));
}

/// What is confirmed isn't sent again, so no second confirmation would come.
#[test]
fn a_confirmation_that_fails_half_way_is_not_lost() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-02-01T00:00:00Z");
    let delivery = delivery("propexo", "i", &Sent::Job { id: 0 }.body());
    ledger.intake(&delivery, now).unwrap();
    let batch = ledger.next_batch().unwrap();
    ledger.sent(batch.through, now);
    database.fails_in.set(Some(0));
    assert!(ledger.confirm(1, 1, 0, now).is_err());
    ledger.wake(now.plus_s(60), 0).unwrap();
    assert!(!ledger.has_unsettled());
    assert_eq!(
        database.dump("SELECT confirmed_seq FROM ledger"),
        ["1".to_owned()]
    );
}

/// A ledger with `count` jobs, all handed to the queue.
fn with_jobs(database: &Database, count: u8, now: Timestamp) -> Ledger<&Database> {
    let mut ledger = Ledger::open(database).unwrap();
    for id in 0..count {
        let delivery = delivery("propexo", "i", &Sent::Job { id }.body());
        ledger.intake(&delivery, now).unwrap();
    }
    ledger.sent(u64::from(count), now);
    ledger
}

/// The event that makes its pack fail is settled by being quarantined: it is
/// listed, never sent again, and stays when its segment goes.
#[test]
fn an_event_that_can_not_be_applied_is_quarantined_alone() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = with_jobs(&database, 9, now);
    ledger.confirm(1, 4, 0, now).unwrap();
    ledger.confirm(6, 8, 0, now).unwrap();
    ledger.quarantine(5, 0, NOT_APPLIED, now).unwrap();
    let check = |ledger: &Ledger<&Database>| {
        let state = ledger.state().unwrap().unwrap();
        assert_eq!(
            (state.confirmed_seq, state.quarantined, state.dead),
            (8, 1, 0)
        );
        let page = ledger.quarantined(0, 10).unwrap();
        assert_eq!(numbers(&page, "seq"), [5]);
        assert!(page.contains(r#""status":"quarantined","event":"JOB_SUCCESS""#));
        assert!(page.contains(r#""reason":"not_applied""#), "{page}");
        let event = ledger.event(5).unwrap().unwrap();
        assert!(
            event.contains(r#""body":"{\"event\":\"JOB_SUCCESS\""#),
            "{event}"
        );
    };
    check(&ledger);
    // What was applied stays so, whoever says otherwise.
    for seq in [5, 4, 7] {
        ledger.quarantine(seq, 0, NOT_APPLIED, now).unwrap();
    }
    check(&ledger);
    ledger.wake(now.plus_s(3_600), 0).unwrap();
    let packs = ledger.next_batch().unwrap().packs;
    let ranges: Vec<_> = packs.iter().map(|pack| (pack.first, pack.last)).collect();
    assert_eq!(ranges, [(9, 9)]);
    let mut ledger = Ledger::open(&database).unwrap();
    check(&ledger);
    ledger.confirm(9, 9, 0, now).unwrap();
    let mut now = now;
    for _ in 0..3 {
        now = now.plus_s(RETENTION_S);
        while ledger.expire(now, RETENTION_S).unwrap().is_some() {}
    }
    assert_eq!(database.events("seq"), ["5"]);
    assert_eq!(numbers(&ledger.quarantined(0, 10).unwrap(), "seq"), [5]);
}

/// Its pack died in another copy of the message, and has outlived its segment
/// or is about to.
#[test]
fn a_dead_event_can_be_quarantined_whenever() {
    let now = at("2026-02-01T00:00:00Z");
    // Before its segment goes, between two steps of that, and after.
    for steps in [0, 1, 9] {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        for n in 0..1_100 {
            let body = format!(r#"{{"event":"JOB_SUCCESS","job_id":"j{n}"}}"#);
            let delivery = delivery("propexo", "i", &body);
            ledger.intake(&delivery, now).unwrap();
        }
        ledger.sent(1_100, now);
        ledger.bury(1, 1_100, 0, "test", now).unwrap();
        let mut later = now;
        let mut step = 0;
        while step < steps {
            later = later.plus_s(RETENTION_S);
            while step < steps && ledger.expire(later, RETENTION_S).unwrap().is_some() {
                step += 1;
            }
            step += 1;
        }
        ledger.quarantine(7, 0, NOT_APPLIED, later).unwrap();
        for _ in 0..3 {
            later = later.plus_s(RETENTION_S);
            while ledger.expire(later, RETENTION_S).unwrap().is_some() {}
        }
        let listed = ledger.quarantined(0, 10).unwrap();
        assert_eq!(numbers(&listed, "seq"), [7], "after {steps} steps");
        let listed = ledger.dead(0, 10).unwrap();
        assert_eq!(numbers(&listed, "first_seq"), [1, 8]);
        assert_eq!(numbers(&listed, "events"), [6, 1_093]);
        assert_eq!(database.events("seq").len(), 1_100);
    }
}

/// A pack of which parts were applied dies: only what wasn't is dead.
#[test]
fn what_was_applied_does_not_die_with_the_rest() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = with_jobs(&database, 9, now);
    ledger.confirm(3, 4, 0, now).unwrap();
    ledger.confirm(6, 6, 0, now).unwrap();
    ledger.quarantine(5, 0, NOT_APPLIED, now).unwrap();
    ledger.bury(2, 8, 0, "test", now).unwrap();
    let page = ledger.dead(0, 10).unwrap();
    assert_eq!(
        page,
        r#"{"packs":[{"first_seq":2,"last_seq":2,"events":1,"reason":"test","died_at":"2026-02-01T00:00:00Z"},{"first_seq":7,"last_seq":8,"events":2,"reason":"test","died_at":"2026-02-01T00:00:00Z"}],"next":null}"#
    );
    assert_eq!(ledger.state().unwrap().unwrap().dead, 3);
    let first = ledger.dead(0, 1).unwrap();
    assert!(first.ends_with(r#""next":2}"#), "{first}");
    assert_eq!(numbers(&ledger.dead(2, 1).unwrap(), "first_seq"), [7]);
    assert!(ledger.dead(2, 1).unwrap().ends_with(r#""next":null}"#));
    // All of it was in flight twice, and the other copy comes through.
    ledger.confirm(2, 8, 0, now).unwrap();
    assert_eq!(ledger.dead(0, 10).unwrap(), r#"{"packs":[],"next":null}"#);
    assert_eq!(numbers(&ledger.quarantined(0, 10).unwrap(), "seq"), [5]);
}

#[test]
fn pages_of_the_quarantine() {
    let database = Database::default();
    let now = at("2026-02-01T00:00:00Z");
    let mut ledger = with_jobs(&database, 6, now);
    for seq in [2, 4, 5] {
        ledger.quarantine(seq, 0, NOT_APPLIED, now).unwrap();
    }
    let page = |after, limit| {
        let page = ledger.quarantined(after, limit).unwrap();
        let (_, next) = page.rsplit_once(r#""next":"#).unwrap();
        (numbers(&page, "seq"), next.trim_end_matches('}').to_owned())
    };
    assert_eq!(page(0, 2), (vec![2, 4], "4".to_owned()));
    assert_eq!(page(4, 2), (vec![5], "null".to_owned()));
    assert_eq!(page(0, 3), (vec![2, 4, 5], "null".to_owned()));
    assert_eq!(page(5, 3), (vec![], "null".to_owned()));
}
