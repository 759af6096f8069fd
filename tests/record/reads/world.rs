//! A ledger that is told of one lease, by webhooks and by reads.

use leasewire::dialect::filter::Filter;
use leasewire::integration::IntegrationId;
use leasewire::ledger::{Call, Fetched, Ledger, MergeOutcome, Merged, Snapshots};
use leasewire::time::Timestamp;
use serde_json::Value;

use crate::common::{Database, ask, at, diff, take};

pub struct World<'a> {
    pub database: &'a Database,
    pub ledger: Ledger<&'a Database>,
    pub now: Timestamp,
    pub filter: Filter,
}

impl<'a> World<'a> {
    pub fn new(database: &'a Database) -> Self {
        Self {
            database,
            ledger: Ledger::open(database).unwrap(),
            now: at("2026-03-01T00:00:00Z"),
            filter: Filter::default(),
        }
    }

    /// A webhook about the lease `l`, a second later.
    pub fn webhook(&mut self, previous: &str, new: &str) -> u64 {
        self.now = self.now.plus_s(1);
        take(
            &mut self.ledger,
            &diff("leases", "l", previous, new),
            self.now,
        )
        .seq
    }

    pub fn payload(&mut self, fields: &str) -> u64 {
        self.now = self.now.plus_s(1);
        let body = format!(
            r#"{{"event":"DATA_NEW","meta":{{"object":"leases"}},"record_id":"l","payload":{fields}}}"#
        );
        take(&mut self.ledger, &body, self.now).seq
    }

    /// A read of the lease `l` that began behind the event `asked_seq`, a second later.
    pub fn read(&mut self, asked_seq: u64, json: &str) -> MergeOutcome {
        self.merge(asked_seq, false, &[("l", json)]).outcomes[0]
    }

    pub fn merge(&mut self, asked_seq: u64, is_believed: bool, items: &[(&str, &str)]) -> Merged {
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
    pub fn call(&mut self, read: &Snapshots) -> Merged {
        let call = Call::Merge {
            read: read.clone(),
            setup: None,
        };
        let answer = ask(&mut self.ledger, &call, &self.filter, self.now);
        Merged::parse(&answer).unwrap()
    }

    /// Fields, whether they are all, and which are in drift.
    pub fn record(&self) -> String {
        let of = "SELECT fields, partial, drift, coalesce(drifted, '') FROM records
                  WHERE record_id = 'l'";
        self.database.dump(of).join("\n")
    }

    pub fn last_data(&mut self) -> Value {
        let seq = self.ledger.last_seq();
        serde_json::from_str(&self.ledger.data(seq).unwrap().unwrap()).unwrap()
    }

    pub fn written(&self) -> u64 {
        self.database.connection.total_changes()
    }
}
