//! A ledger with its object's part: time goes on, effects are carried out.

use leasewire::ledger::{Announcement, Call, Effects, Ledger, Numbers, Reply, received_at};
use leasewire::projection::announcement;
use leasewire::time::Timestamp;

use crate::common::{Database, at, delivery, job, named};

pub const NOW: &str = "2026-02-01T00:00:00.000000000Z";

pub struct World<'a> {
    pub database: &'a Database,
    pub d1: &'a Database,
    pub ledger: Ledger<&'a Database>,
    pub now: Timestamp,
    pub alarm: Option<Timestamp>,
}

impl<'a> World<'a> {
    pub fn new(database: &'a Database, d1: &'a Database) -> Self {
        d1.migrate();
        Self {
            database,
            d1,
            ledger: Ledger::open(database).unwrap(),
            now: at(NOW),
            alarm: None,
        }
    }

    /// One call, its effects, and that the queue takes everything.
    pub fn call(&mut self, call: Call) -> Reply {
        if self.ledger.asks_for_alarm() {
            self.ledger.found_alarm(self.alarm.is_some());
        }
        let reply = self.ledger.answer(call, self.now).unwrap();
        let effects = self.ledger.follow_up(self.now, 0);
        if let Some(told) = self.perform(effects) {
            self.tell(&told);
        }
        reply
    }

    pub fn perform(&mut self, effects: Effects) -> Option<Announcement> {
        self.alarm = effects.wake_at.or(self.alarm);
        while self.ledger.may_send() {
            let batch = self.ledger.next_batch().unwrap();
            self.ledger.sent(batch.through, self.now);
        }
        effects.announce
    }

    pub fn take(&mut self, body: &str) {
        self.call(Call::Intake(delivery("propexo", "i", body)));
    }

    pub fn job(&mut self, id: u32) {
        self.take(&job(id));
    }

    pub fn confirm(&mut self, first: u64, last: u64) -> Option<Timestamp> {
        let reply = self.call(Call::Confirm {
            epoch: None,
            pack: named(first, last, 0),
        });
        reply.into_text().as_deref().and_then(received_at)
    }

    /// The alarm goes off in its time; gives what the list is to be told.
    pub fn alarm(&mut self) -> Option<Announcement> {
        self.now = self.alarm.take().unwrap();
        let effects = self.ledger.wake(self.now, 0).unwrap();
        self.perform(effects)
    }

    /// The list of integrations is told.
    pub fn tell(&mut self, told: &Announcement) {
        for statement in announcement(told) {
            self.d1.run(&statement);
        }
        if self.ledger.announced(told).unwrap() {
            self.alarm = None;
        }
    }

    /// Alarms until there is none; gives the reports that were made.
    pub fn rest(&mut self) -> Vec<Numbers> {
        let mut reports = Vec::new();
        for _ in 0..20 {
            if self.alarm.is_none() {
                return reports;
            }
            if let Some(told) = self.alarm() {
                reports.extend(told.report.clone().map(|report| report.numbers));
                self.tell(&told);
            }
        }
        panic!("there is always an alarm");
    }

    pub fn sleep(&mut self) {
        self.ledger = Ledger::open(self.database).unwrap();
    }

    pub fn listed(&self) -> String {
        let sql = "SELECT pending, unconfirmed, dead, quarantined, oldest_unconfirmed_at
                   FROM integrations";
        self.d1.dump(sql).remove(0)
    }

    pub fn size(&self) -> u64 {
        self.ledger.state().unwrap().unwrap().bytes
    }

    /// Makes the ledger have so many bytes, to which an event adds few.
    pub fn resize(&self, bytes: u64) {
        self.database.padding.set(0);
        self.database.padding.set(bytes - self.size());
    }

    /// An event and its confirmation; gives what the alarm reports then.
    pub fn passes(&mut self) -> Vec<u64> {
        let seq = self.ledger.last_seq() + 1;
        self.job(u32::try_from(seq).unwrap());
        self.confirm(seq, seq);
        self.sizes()
    }

    /// Alarms until there is none; gives the sizes that were reported.
    pub fn sizes(&mut self) -> Vec<u64> {
        let mut sizes = Vec::new();
        while self.alarm.is_some() {
            if let Some(told) = self.alarm() {
                sizes.extend(told.report.as_ref().map(|report| report.bytes));
                self.tell(&told);
            }
        }
        sizes
    }

    pub fn listed_bytes(&self) -> u64 {
        let bytes = self.d1.dump("SELECT bytes FROM integrations").remove(0);
        bytes.parse().unwrap()
    }

    pub fn kept(&self) -> String {
        self.database.dump("SELECT reported FROM ledger").remove(0)
    }
}
