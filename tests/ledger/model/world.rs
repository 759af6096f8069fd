//! What happens to a ledger: deliveries, a queue, a D1, time.

use std::collections::{BTreeMap, BTreeSet};

use leasewire::ledger::{Effects, Ledger, NOT_APPLIED, Outcome, Pack, Rewrite};
use leasewire::projection::{Pack as Message, Projection};
use leasewire::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::naive::Model;
use super::sent::Sent;
use super::{RETENTION, RETENTION_S};
use crate::common::{Database, at, delivery, named, numbers};

#[derive(Debug, Clone)]
pub enum Step {
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
pub enum Fate {
    Applied,
    AppliedTwice,
    AppliedNotConfirmed,
    Lost,
    Dead,
    /// One event of it can't be applied: which. The rest is applied.
    Guilty(u8),
}

/// Everything but the outside world's memory of it is behind the ledger.
pub struct World<'a> {
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
    pub fn new(database: &'a Database, d1: &'a Database) -> Self {
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

    pub fn step(&mut self, step: &Step) {
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
        while self.ledger.expire(self.now, &RETENTION).unwrap().is_some() {}
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
        let kept = self.numbers();
        let delivery = delivery(sent.dialect(), "i", &sent.body());
        let taken = self.ledger.intake(&delivery, self.now).unwrap();
        let kept_from = self.ledger.kept_from();
        let expected = self.model.take(sent, kept_from, &kept, self.now);
        assert_eq!((taken.outcome.label(), taken.seq), expected, "{sent:?}");
        if let Outcome::Quarantined(why) = taken.outcome {
            assert_eq!(why.label(), "not_json");
        }
    }

    /// A delivery whose storage fails leaves no trace: the next one behaves
    /// as if it had never been.
    fn deliver_broken(&mut self, sent: &Sent, statement: u32) {
        let (before, kept) = (self.tables(), self.numbers());
        let delivery = delivery(sent.dialect(), "i", &sent.body());
        self.database.fails_in.set(Some(statement));
        let taken = self.ledger.intake(&delivery, self.now);
        self.database.fails_in.set(None);
        match taken {
            Err(_) => assert_eq!(self.tables(), before),
            Ok(taken) => {
                let kept_from = self.ledger.kept_from();
                let expected = self.model.take(sent, kept_from, &kept, self.now);
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
        while self.ledger.may_send() {
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
                    .dead_letter(named(pack.first, pack.last, 0), "test", self.now)
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
        let seq = read.named(&(guilty..guilty + 1)).unwrap().events.first;
        for part in [0..guilty, guilty + 1..events] {
            if let Some(named) = read.named(&part) {
                let projection = read.part(&pack.text, &part).unwrap();
                for statement in projection.statements(self.now, self.now) {
                    self.d1.run(&statement);
                }
                self.ledger.confirm(named, self.now).unwrap();
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
                .quarantine(seq, Rewrite(0), NOT_APPLIED, self.now)
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
        assert_eq!(projection.pack.events, pack.events());
        for statement in projection.statements(self.now, self.now) {
            self.d1.run(&statement);
        }
        if confirm {
            self.ledger
                .confirm(named(pack.first, pack.last, 0), self.now)
                .unwrap();
        }
    }

    /// Faults off, time moves on: everything that isn't dead arrives.
    pub fn settle(&mut self) {
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

    pub fn check_ledger(&self) {
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
                    u8::from(!record.drift.is_empty()),
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
    pub fn check_d1(&self) {
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
            let (partial, drift) = (u8::from(record.partial), u8::from(!record.drift.is_empty()));
            assert_eq!(head, format!("{}|{partial}|{drift}", record.version));
            assert_eq!(sorted(fields), record.fields);
        }
    }
}

fn sorted(fields: &str) -> BTreeMap<String, String> {
    leasewire::json::Object::parse(fields)
        .unwrap()
        .iter()
        .map(|(name, value)| (name.to_owned(), value.get().to_owned()))
        .collect()
}

pub fn steps(sent: BoxedStrategy<Sent>) -> impl Strategy<Value = Vec<Step>> {
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
