//! A ledger and a D1 with everything in them that there can be: what a version
//! of Leasewire leaves behind for the next one.

use std::rc::Rc;

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::edge::delivery::Delivery;
use leasewire::edge::secret;
use leasewire::ledger::replay::{Reader, Request};
use leasewire::ledger::{Announcement, Call, Ledger, NOT_APPLIED, Pack, Retention, SeqRange};
use leasewire::ops::metrics::Meter;
use leasewire::projection::{Projection, announcement};
use leasewire::time::Timestamp;

use crate::common::{self, Database, at, delivery, job, range};

const RETENTION_S: u64 = 30 * 86_400;
/// More events about one record than its row keeps keys of.
const BUSY: u32 = 260;
/// Letters of a record that doesn't fit into its event's row beside its body.
const LARGE: usize = 640_000;

pub struct Everything<'a> {
    pub dialect: &'static str,
    pub ledger: Ledger<&'a Database>,
    pub d1: &'a Database,
    pub now: Timestamp,
    /// All packs that were handed to the queue.
    pub packs: Vec<Pack>,
    /// All calls that the ledger had from outside.
    pub calls: Vec<Vec<u8>>,
    meter: Meter,
}

/// What the two dialects' stores hold: partial changes without times, and whole
/// objects with them.
pub fn fill<'a>(dialect: &'static str, database: &'a Database, d1: &'a Database) -> Everything<'a> {
    let mut all = Everything {
        dialect,
        ledger: Ledger::open(database).unwrap(),
        d1,
        now: at("2026-03-01T12:00:00Z"),
        packs: Vec::new(),
        calls: Vec::new(),
        meter: Meter::default(),
    };
    match dialect {
        "propexo" => all.partial_changes(),
        _ => all.whole_objects(),
    }
    all.told();
    all.counted();
    all
}

impl Everything<'_> {
    fn partial_changes(&mut self) {
        let all = Filter::default();
        self.take(
            r#"{"event":"FIRST_SYNC_COMPLETE","integration_id":"i","is_sync_finished":true}"#,
            &all,
        );
        self.take(r#"{"trigger":"DATA_NEW","data":{"job_id":"j1","integration_id":"i","event":"DATA_NEW","record_id":"lease 9/é","object":"leases","payload":{"status":"pending","deposit":750000.0,"property_id":"p1"}}}"#, &all);
        // A, B, A, and A once more: the last one is ambiguous.
        for (from, to) in [
            ("pending", "approved"),
            ("approved", "pending"),
            ("pending", "approved"),
        ] {
            self.take(&status(from, to), &all);
        }
        // A contradiction.
        self.take(
            &diff(
                "leases",
                "lease 9/é",
                r#""rent":1"#,
                r#""rent":9007199254740993"#,
            ),
            &all,
        );
        self.take(
            &diff("leases", "lease 9/é", r#""rent":2"#, r#""rent":3"#),
            &all,
        );
        for (was, is) in [(true, false), (false, true)] {
            self.take(
                &diff(
                    "units",
                    "u1",
                    &format!(r#""is_vacant":{was}"#),
                    &format!(r#""is_vacant":{is}"#),
                ),
                &all,
            );
        }
        self.forward(|_| Fate::Applied);
        self.wait_s(60);
        self.take("not json\u{1}", &all);
        self.take(r#"{"results":[]}"#, &all);
        let linked = Filter::new(None, None, Some(vec!["p1".to_owned()]));
        self.take(
            &diff(
                "leases",
                "lease_8",
                r#""property_id":"p2""#,
                r#""property_id":"p3""#,
            ),
            &linked,
        );
        // What dies, what can't be applied, and what dies and is redriven.
        for id in 1..=9 {
            self.take(&job(id), &all);
            self.forward(|pack| match pack.first % 3 {
                0 => Fate::Dead,
                1 => Fate::NotApplied,
                _ => Fate::Applied,
            });
        }
        let last = self.ledger.last_seq();
        self.call(Call::Redrive(SeqRange::new(last, last)));
        self.forward(|_| Fate::Applied);
        // The history goes on in further segments, and the oldest goes.
        self.expire(20 * 86_400);
        self.take(&format!(r#"{{"meta":{{"object":"leases"}},"record_id":"large","diff":{{"previous":{{}},"new":{{"note":"{}"}}}}}}"#, "x".repeat(LARGE)), &all);
        self.take(&status("approved", "active"), &all);
        for (from, to) in [
            ("active", "ended"),
            ("ended", "active"),
            ("active", "ended"),
        ] {
            self.take(&status(from, to), &all);
        }
        self.forward(|_| Fate::Applied);
        self.expire(15 * 86_400);
        for n in 0..BUSY {
            self.take(
                &diff(
                    "leases",
                    "busy",
                    &format!(r#""n":{n}"#),
                    &format!(r#""n":{}"#, n + 1),
                ),
                &all,
            );
        }
        self.take(
            &diff("units", "u1", r#""is_vacant":true"#, r#""is_vacant":false"#),
            &all,
        );
        self.forward(|_| Fate::Applied);
        self.expire(16 * 86_400);
        let last = self.ledger.last_seq();
        self.replay(
            Request {
                from: last - 9,
                to: last,
                models: Some(vec!["units".to_owned()]),
                events: None,
            },
            9,
        );
        self.replay(range(27, last), 1);
        self.call(Call::Redrive(SeqRange::new(15, 15)));
        // The rest waits, sent and unsent.
        self.take(&job(20), &all);
        self.forward(|_| Fate::Lost);
        self.take(
            r#"{"event":"SYNC_COMPLETE","integration_id":"i","is_sync_finished":true}"#,
            &all,
        );
    }

    fn whole_objects(&mut self) {
        let all = Filter::default();
        for (unit, second, status) in [
            ("u1", 1, "vacant"),
            ("u2", 2, "occupied"),
            ("u1", 30, "occupied"),
            ("u1", 10, "occupied"),
            ("u1", 20, "vacant"),
        ] {
            self.take(&whole(unit, second, status), &all);
        }
        self.take(r#"{"event":"data.new","timestamp":"2026-03-01T11:00:00.123456Z","connection_id":"i","resource_type":"resident","data":{"id":"r1","name":"A","unit_id":"u1"}}"#, &all);
        self.take(r#"{"event":"sync.complete","timestamp":"2026-03-01T11:00:01Z","connection_id":"i","sync_id":"s1","data":{"records":3}}"#, &all);
        self.forward(|_| Fate::Applied);
        self.expire(5 * 86_400);
        self.take(&whole("u2", 40, "vacant"), &all);
        self.take(&whole("u1", 35, "vacant"), &all);
        self.forward(|pack| {
            if pack.first == 8 {
                Fate::Dead
            } else {
                Fate::Applied
            }
        });
        let last = self.ledger.last_seq();
        self.replay(range(1, last), 9);
        self.take(&whole("u1", 33, "occupied"), &all);
    }

    /// Takes a delivery in, a second after the one before.
    fn take(&mut self, body: &str, filter: &Filter) {
        self.wait_s(1);
        let filter = Rc::new(filter.clone());
        let delivery = Delivery {
            filter: filter.clone(),
            ..delivery(self.dialect, "i", body)
        };
        let call = Call::Intake(delivery);
        if body.len() < 1_000 {
            self.calls.push(call.encode());
        }
        self.ledger.answer(call, self.now).unwrap();
        self.ledger.follow_up(self.now, 0);
        self.meter.delivery(self.dialect, "accepted");
    }

    fn call(&mut self, call: Call) {
        self.calls.push(call.encode());
        self.ledger.answer(call, self.now).unwrap();
    }

    /// Sends what is unsent, to meet its fate.
    fn forward(&mut self, fate: impl Fn(&Pack) -> Fate) {
        while self.ledger.has_unsent() {
            let batch = self.ledger.next_batch().unwrap();
            self.ledger.sent(batch.through, self.now);
            for pack in batch.packs {
                self.meet(&fate(&pack), &pack);
                self.packs.push(pack);
            }
        }
    }

    fn meet(&mut self, fate: &Fate, pack: &Pack) {
        let mut read = Projection::read(&pack.text).unwrap();
        let call = match fate {
            Fate::Applied => {
                let missing = read.missing();
                for seq in &missing {
                    self.calls.push(
                        Call::Data {
                            seq: *seq,
                            epoch: None,
                        }
                        .encode(),
                    );
                }
                let data: Vec<_> = missing
                    .iter()
                    .map(|seq| (*seq, self.ledger.data(*seq).unwrap().unwrap()))
                    .collect();
                for (seq, data) in &data {
                    read.supply(*seq, data).unwrap();
                }
                for statement in read.statements(self.now, self.now) {
                    self.d1.run(&statement);
                }
                self.meter.confirmation(self.dialect, 1_500);
                Call::Confirm {
                    epoch: None,
                    pack: read.pack,
                }
            }
            Fate::Dead => Call::DeadLetter {
                epoch: None,
                pack: read.pack,
                reason: "the queue gave up".to_owned(),
            },
            Fate::NotApplied => Call::Quarantine {
                epoch: None,
                seq: read.pack.events.first,
                rewrite: read.pack.rewrite,
                reason: NOT_APPLIED.to_owned(),
            },
            Fate::Lost => return,
        };
        self.call(call);
    }

    fn replay(&mut self, request: Request, steps: u32) {
        self.call(Call::Replay(request));
        let reader = Reader {
            dialect: dialect::named(self.dialect).unwrap(),
            filter: &Filter::default(),
        };
        for _ in 0..steps {
            self.ledger.replay(&reader, self.now).unwrap();
        }
    }

    /// After some time, lets old history go.
    fn expire(&mut self, s: u64) {
        self.wait_s(s);
        while self
            .ledger
            .expire(self.now, &Retention::new(RETENTION_S, RETENTION_S))
            .unwrap()
            .is_some()
        {}
    }

    /// The list of integrations hears how things are, and then how they are
    /// since, of which the ledger doesn't know that it heard it.
    fn told(&mut self) {
        for is_known in [true, false] {
            self.wait_s(120);
            let told = self.ledger.wake(self.now, 0).unwrap().announce;
            let Some(told) = told else { continue };
            self.announce(&told);
            if is_known {
                self.ledger.announced(&told).unwrap();
            }
            self.take("junk", &Filter::default());
        }
    }

    fn announce(&mut self, told: &Announcement) {
        for statement in announcement(told) {
            self.d1.run(&statement);
        }
    }

    /// What has nothing to do with a ledger.
    fn counted(&mut self) {
        if let Some(counts) = self.meter.take(self.now) {
            self.d1.run(&counts.statement());
        }
        self.d1
            .run(&secret::note(self.dialect, "a secret", self.now));
        let round = leasewire::ops::sweep::Round::due("[]", self.now).unwrap();
        let listed = leasewire::ops::sweep::listed(&self.d1.select(&round.select())).unwrap();
        self.d1.run(&round.note(&listed));
    }

    fn wait_s(&mut self, s: u64) {
        self.now = self.now.plus_s(s);
    }
}

/// What becomes of a pack.
enum Fate {
    Applied,
    Dead,
    NotApplied,
    Lost,
}

fn diff(object: &str, id: &str, previous: &str, new: &str) -> String {
    let (previous, new) = (format!("{{{previous}}}"), format!("{{{new}}}"));
    common::diff(object, id, &previous, &new)
}

fn status(from: &str, to: &str) -> String {
    let (from, to) = (
        format!(r#""status":"{from}""#),
        format!(r#""status":"{to}""#),
    );
    diff("leases", "lease 9/é", &from, &to)
}

fn whole(unit: &str, second: u32, status: &str) -> String {
    format!(
        r#"{{"event":"data.update","timestamp":"2026-03-01T11:00:{second:02}Z","connection_id":"i","resource_type":"unit","data":{{"id":"{unit}","status":"{status}"}}}}"#
    )
}
