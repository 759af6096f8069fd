//! A ledger with leases that were all read, and D1 beside it.

use leasewire::dialect::filter::Filter;
use leasewire::integration::IntegrationId;
use leasewire::ledger::{
    Call, Fetched, LastSeen, Ledger, Marked, MergeOutcome, Merged, Snapshots, Unseen, UnseenGroup,
};
use leasewire::projection::Projection;
use leasewire::time::Timestamp;
use serde_json::Value;

use crate::common::{Database, ask, at, delivery, send};

/// When all were last seen that are gone.
pub const SEEN: &str = "2026-01-20T06:00:00.000Z";
/// As it is shown.
pub const SINCE: &str = "2026-01-20T06:00:00.000000000Z";

pub struct World<'a> {
    pub database: &'a Database,
    pub d1: Database,
    pub ledger: Ledger<&'a Database>,
    pub now: Timestamp,
    pub filter: Filter,
}

/// A group in which so many were seen, and others not.
pub fn group(property: Option<&str>, seen: u64, missed: u64, gone: &[String]) -> UnseenGroup {
    let item = |id: &String| LastSeen {
        id: id.clone(),
        last_seen: SEEN.to_owned(),
    };
    UnseenGroup {
        property: property.map(str::to_owned),
        seen,
        missed,
        items: gone.iter().map(item).collect(),
    }
}

/// `l3`, `l4` and so on.
pub fn ids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| format!("l{n}")).collect()
}

/// A lease as the API shows it.
pub fn shown(id: &str, last_seen: &str) -> String {
    format!(r#"{{"id":"{id}","property_id":"p","rent":750000.0,"last_seen":"{last_seen}"}}"#)
}

impl<'a> World<'a> {
    /// So many leases, and the end of a synchronisation.
    pub fn new(database: &'a Database, count: u32) -> Self {
        let d1 = Database::default();
        d1.migrate();
        let mut world = Self {
            database,
            d1,
            ledger: Ledger::open(database).unwrap(),
            now: at("2026-03-01T00:00:00Z"),
            filter: Filter::default(),
        };
        for id in ids(0..count) {
            assert_eq!(world.read(&id, SEEN), MergeOutcome::Merged);
        }
        world.sync();
        world
    }

    pub fn take(&mut self, body: &str) -> u64 {
        self.now = self.now.plus_s(1);
        let delivery = delivery("propexo", "i", body);
        self.ledger.intake(&delivery, self.now).unwrap().seq
    }

    /// The number of the end of a synchronisation.
    pub fn sync(&mut self) -> u64 {
        let at = self.now;
        self.take(&format!(
            r#"{{"event":"SYNC_COMPLETE","integration_id":"i","is_sync_finished":true,"at":"{at}"}}"#
        ))
    }

    fn call(&mut self, call: Call) -> String {
        self.now = self.now.plus_s(1);
        ask(&mut self.ledger, &call, &self.filter, self.now)
    }

    pub fn epoch(&self) -> Option<u64> {
        self.ledger.state().unwrap().map(|state| state.epoch)
    }

    /// A read of a lease that began just now.
    pub fn read(&mut self, id: &str, last_seen: &str) -> MergeOutcome {
        let json = shown(id, last_seen);
        self.merge(id, &json)
    }

    pub fn merge(&mut self, id: &str, json: &str) -> MergeOutcome {
        let read = Snapshots {
            of: IntegrationId::new("propexo", "i"),
            model: "leases".to_owned(),
            asked_seq: self.ledger.last_seq(),
            epoch: self.epoch(),
            is_believed: false,
            items: vec![Fetched {
                id: id.to_owned(),
                json: json.to_owned(),
            }],
        };
        let answer = self.call(Call::Merge { read, setup: None });
        Merged::parse(&answer).unwrap().outcomes[0]
    }

    /// What the ledger makes of leases that weren't seen.
    pub fn mark(&mut self, groups: &[UnseenGroup]) -> Marked {
        let asked_seq = self.ledger.last_seq();
        let epoch = self.epoch();
        self.mark_at(asked_seq, epoch, groups)
    }

    pub fn mark_at(
        &mut self,
        asked_seq: u64,
        epoch: Option<u64>,
        groups: &[UnseenGroup],
    ) -> Marked {
        let unseen = Unseen {
            of: IntegrationId::new("propexo", "i"),
            model: "leases".to_owned(),
            asked_seq,
            epoch,
            groups: groups.to_vec(),
        };
        let answer = self.call(Call::Gone {
            unseen,
            setup: None,
        });
        let marked = Marked::parse(&answer).unwrap();
        assert_eq!(Marked::parse(&marked.to_json()), Some(marked.clone()));
        assert_eq!(marked.seq, self.ledger.last_seq());
        marked
    }

    /// Ids of those that are gone.
    pub fn gone(&self) -> Vec<String> {
        let gone = "SELECT record_id FROM records WHERE gone_since IS NOT NULL ORDER BY 1";
        self.database.dump(gone)
    }

    /// Forwards all there is; gives the packs.
    pub fn forward(&mut self) -> Vec<String> {
        let packs = send(&mut self.ledger, self.now);
        for pack in &packs {
            let read = Projection::read(pack).unwrap();
            for statement in read.statements(self.now, self.now) {
                self.d1.run(&statement);
            }
            self.ledger.confirm(read.pack, self.now).unwrap();
        }
        packs
    }

    /// Of a record in D1: since when it is gone, its version and its fields.
    pub fn in_d1(&self, id: &str) -> String {
        let one = "SELECT gone_since, version, fields FROM records WHERE record_id = ";
        self.d1.dump(&format!("{one}'{id}'")).join("\n")
    }

    pub fn data(&self, seq: u64) -> Value {
        serde_json::from_str(&self.ledger.data(seq).unwrap().unwrap()).unwrap()
    }
}
