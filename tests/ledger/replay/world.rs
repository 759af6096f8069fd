//! A ledger, its D1 and a queue that works.

use std::collections::BTreeMap;
use std::rc::Rc;

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::edge::delivery::Delivery;
use leasewire::ledger::Ledger;
use leasewire::ledger::replay::{Progress, Reader, Request};
use leasewire::projection::Projection;
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery};

/// One ledger and one D1, with a queue that works.
pub struct World<'a> {
    pub dialect: &'static str,
    pub ledger: Ledger<&'a Database>,
    pub database: &'a Database,
    pub d1: &'a Database,
    pub now: Timestamp,
}

impl<'a> World<'a> {
    pub fn new(dialect: &'static str, database: &'a Database, d1: &'a Database) -> Self {
        d1.migrate();
        Self {
            dialect,
            ledger: Ledger::open(database).unwrap(),
            database,
            d1,
            now: at("2026-03-01T00:00:00Z"),
        }
    }

    pub fn take(&mut self, body: &str, filter: &Filter) -> (&'static str, u64) {
        // Repetitions cost no time, so that worlds with and without are alike.
        let now = at("2026-03-01T00:00:00Z").plus_s(self.ledger.last_seq() + 1);
        self.take_at(body, filter, now)
    }

    pub fn take_at(&mut self, body: &str, filter: &Filter, now: Timestamp) -> (&'static str, u64) {
        self.now = now;
        let delivery = Delivery {
            filter: Rc::new(filter.clone()),
            ..delivery(self.dialect, "i", body)
        };
        let taken = self.ledger.intake(&delivery, self.now).unwrap();
        (taken.outcome.label(), taken.seq)
    }

    /// The queue and its consumer; returns the events that were sent.
    pub fn forward(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while self.ledger.may_send() {
            for pack in self.send() {
                self.apply(&pack);
                let parsed: Vec<serde_json::Value> = serde_json::from_str(&pack).unwrap();
                events.extend(parsed.iter().map(ToString::to_string));
            }
        }
        assert!(!self.ledger.has_unsettled());
        events
    }

    /// Hands a batch to the queue; returns its packs.
    pub fn send(&mut self) -> Vec<String> {
        let batch = self.ledger.next_batch().unwrap();
        self.ledger.sent(batch.through, self.now);
        batch.packs.into_iter().map(|pack| pack.text).collect()
    }

    /// A consumer applies a pack and confirms it.
    pub fn apply(&mut self, pack: &str) {
        let read = Projection::read(pack).unwrap();
        for statement in read.statements(self.now, self.now) {
            self.d1.run(&statement);
        }
        self.ledger.confirm(read.pack, self.now).unwrap();
    }

    pub fn ask(&mut self, request: &Request) -> Progress {
        self.ledger
            .ask_for_replay(request, self.now)
            .unwrap()
            .unwrap()
    }

    /// Replays to the end, with the ledger opened anew now and then.
    pub fn replay(&mut self, request: &Request, filter: &Filter) -> Progress {
        let asked = self.ask(request);
        while self.ledger.has_replay() {
            self.step(filter);
            self.ledger = Ledger::open(self.database).unwrap();
        }
        self.forward();
        let state = self.ledger.state().unwrap().unwrap();
        assert_eq!((state.pending, state.unconfirmed), (0, 0));
        let ended = state.replay.unwrap();
        assert!(ended.ended_at.is_some());
        assert_eq!((asked.replay, asked.count), (ended.replay, ended.count));
        assert_eq!(ended.done, ended.count);
        ended
    }

    pub fn step(&mut self, filter: &Filter) {
        let reader = Reader {
            dialect: dialect::named(self.dialect).unwrap(),
            filter,
        };
        self.ledger.replay(&reader, self.now).unwrap();
    }

    /// What counts: records here and there, and what each event became.
    pub fn outcome(&self) -> BTreeMap<&'static str, Vec<String>> {
        let records = "SELECT model, record_id, last_seq, version, fields, partial, drift,
                              occurred_at, version_key, occupancy
                       FROM records ORDER BY 1, 2";
        let in_d1 = "SELECT model, record_id, version, fields, partial, drift, occurred_at
                     FROM records ORDER BY 1, 2";
        let notices = "SELECT seq, kind, model, record_id, at FROM notices ORDER BY 1, 2";
        let events = "seq, prev_seq, model, record_id, name, kind, occurred_at, quarantine,
                      ignored, data";
        BTreeMap::from([
            ("records", self.database.dump(records)),
            ("d1", self.d1.dump(in_d1)),
            ("notices", self.d1.dump(notices)),
            (
                "events",
                self.database
                    .events(events)
                    .iter()
                    .map(|row| timeless(row))
                    .collect(),
            ),
        ])
    }
}

/// A row without what a replay adds: its number, and the list of all notices.
fn timeless(row: &str) -> String {
    let row = match row.split_once(r#","noticed":"#) {
        Some((head, rest)) => &format!("{head}{}", rest.split_once("]}").unwrap().1),
        None => row,
    };
    match row.split_once(r#","generation":"#) {
        Some((head, rest)) => format!(
            "{head}{}",
            rest.trim_start_matches(|c: char| c.is_ascii_digit())
        ),
        None => row.to_owned(),
    }
}
