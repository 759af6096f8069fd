//! What MeterBase does when a synchronisation ends: it refreshes all units of the
//! connection. Its source, ledger and connector do, together.

use std::rc::Rc;

use leasewire::connector::{Connector, Next, Then};
use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::json;
use leasewire::ledger::{Call, Ledger, Merged, Retention, Setup};

use crate::common::{Database, delivery};
use crate::world::World;

const UNITS: &str = r#"{"kind":"propexo","key":"KEY","hydrate":["units"]}"#;

struct Both<'a> {
    world: World,
    connector: Connector<&'static Database>,
    ledger: Ledger<&'a Database>,
    setup: Setup,
}

impl Both<'_> {
    fn call(&mut self, call: Call) -> String {
        let setup = self.setup.clone();
        let of_source = move |_: &str| setup.clone();
        let (ledger, now) = (&mut self.ledger, self.world.now);
        let mut answered = ledger.answer_calls(vec![call], &of_source, now, 0).unwrap();
        answered.replies.remove(0).into_text().unwrap()
    }

    /// Takes a webhook, and asks what it leads to; gives the paths.
    fn take(&mut self, event: &str, rest: &str) -> Vec<String> {
        let body = format!(
            r#"{{"event":"{event}","timestamp":"{}","connection_id":"int_1",{rest}}}"#,
            self.world.now
        );
        let mut delivery = delivery("meterbase", "int_1", &body);
        delivery.of.source = "propexo".to_owned();
        self.call(Call::Intake(delivery));
        while let Some(owed) = self.ledger.next_owed(&self.setup).unwrap() {
            self.world.tell(&mut self.connector, &owed);
            self.ledger.told(owed.seq, owed.epoch);
        }
        let mut paths = Vec::new();
        let until = self.world.now.plus_s(60);
        while self.world.now < until {
            match self.world.next(&mut self.connector) {
                Next::Fetch(request) => {
                    let answer = self.world.answer(&request.path_and_query);
                    let (ticket, now) = (request.ticket, self.world.now);
                    paths.push(request.path_and_query);
                    let then = self.connector.answered(ticket, answer, now, 0).unwrap();
                    if let Then::Merge(read) = then {
                        let merged = self.call(Call::Merge { read, setup: None });
                        let merged = Merged::parse(&merged);
                        self.connector.merged(ticket, merged.as_ref(), now).unwrap();
                    }
                }
                Next::Wait(at) => self.world.now = at.min(until),
                Next::Nothing => self.world.now = until,
            }
        }
        paths
    }

    /// Each unit as the ledger has it: its version at the provider.
    fn units(&self, database: &Database) -> Vec<String> {
        database.dump(
            "SELECT record_id, json_extract(fields, '$.version'), partial, drift FROM records
             WHERE model = 'units' ORDER BY record_id",
        )
    }
}

#[test]
fn the_end_of_a_synchronisation_refreshes_all_units() {
    let database = Database::default();
    let world = World::new(UNITS);
    let mut both = Both {
        connector: world.open(),
        ledger: Ledger::open(&database).unwrap(),
        setup: Setup {
            dialect: dialect::named("meterbase"),
            filter: Rc::new(Filter::default()),
            retention: Retention::new(30 * 86_400, 2 * 86_400),
            api: Some(world.api.clone()),
        },
        world,
    };
    for id in ["u1", "u2", "u3"] {
        both.world.add(id, both.world.now.ms());
    }
    let sync = |n: u32| format!(r#""sync_id":"sync_{n}","stats":{{"units_synced":3,"errors":0}}"#);
    let paths = both.take("sync.complete", &sync(1));
    assert!(paths[0].starts_with("/v1/units/?order-by=updated_at:asc,id:asc&integration_id=int_1"));
    let known = |versions: [u64; 3]| {
        let units = (1..).zip(versions);
        let unit = |(n, version): (u32, u64)| format!("u{n}|{version}|0|0");
        units.map(unit).collect::<Vec<_>>()
    };
    assert_eq!(both.units(&database), known([1, 1, 1]));
    // Of one a webhook tells, of one it doesn't; and nothing asks before.
    both.world.now = both.world.now.plus_s(600);
    both.world.change("u1");
    both.world.change("u2");
    let unit = r#""resource_type":"unit","data":{"id":"u1","version":2,"rent":1}"#;
    both.take("data.update", unit);
    assert_eq!(both.units(&database), known([2, 1, 1]));
    let paths = both.take("sync.complete", &sync(2));
    assert_eq!(paths.len(), 1, "{paths:?}");
    assert!(paths[0].starts_with("/v1/units/?") && paths[0].contains("integration_id=int_1"));
    assert_eq!(both.units(&database), known([2, 2, 1]));
    // The same once more is no news.
    assert_eq!(both.take("sync.complete", &sync(2)), [""; 0]);
    let fields = database.dump("SELECT fields FROM records WHERE record_id = 'u1'");
    let fields = json::Object::parse(&fields[0]).unwrap();
    assert_eq!(fields.value("rent").unwrap().get(), "750000.0", "the API's");
}
