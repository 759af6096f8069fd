//! What ledgers tell the connector, as `Object::tell` of
//! `src/shell/ledger_object.rs` does; and what deliberate bugs make of messages.

use leasewire::connector::{Call, name};
use leasewire::ledger::{Owed, Snapshots};
use leasewire::provider::written;
use leasewire::time::Timestamp;

use super::Step;
use super::connector::CONNECTOR_MS_MAX;
use crate::bugs::Bug;
use crate::clock::SECOND;
use crate::world::World;

/// What a ledger has told, and how far.
#[derive(Clone)]
pub struct Told {
    ledger: usize,
    life: u32,
    seq: u64,
    epoch: u64,
}

impl World {
    /// A ledger has something to tell, unless that goes on.
    pub fn begin_to_tell(&mut self, ledger: usize) {
        let host = &mut self.hosts[ledger];
        if !std::mem::replace(&mut host.telling, true) {
            let life = host.life;
            self.after(0, Step::Tell(ledger, life));
        }
    }

    pub fn tell(&mut self, ledger: usize) {
        let setup = self.setup(ledger);
        self.break_a_statement(ledger);
        let now = self.clock.receiver();
        let host = &mut self.hosts[ledger];
        let owed = match host.core().map(|core| core.tells_in_ms(now)) {
            Ok(Some(0)) => host.core().and_then(|core| core.next_owed(&setup)),
            Ok(Some(ms)) => {
                let life = host.life;
                host.database.fails.set(None);
                return self.after(ms.into(), Step::Tell(ledger, life));
            }
            Ok(None) => Ok(None),
            Err(why) => Err(why),
        };
        host.database.fails.set(None);
        let (life, Ok(Some(owed))) = (host.life, owed) else {
            host.telling = false;
            return;
        };
        let told = Told {
            ledger,
            life,
            seq: owed.seq,
            epoch: owed.epoch,
        };
        if self.bug == Some(Bug::ToldTooEarly) {
            self.note_told(&told);
        }
        let owed = self.bent_owed(owed);
        self.say(|| format!("ledger {ledger}: owes {}", owed.to_json()));
        let api = setup.api.unwrap();
        let connector = self.desk(&name(&api), &owed);
        self.call_connector(connector, Call::Told(owed), told);
    }

    /// The connector of that name.
    fn desk(&mut self, name: &str, owed: &Owed) -> usize {
        let name = match self.bug {
            Some(Bug::PaceForEach) => format!("{name} {}", owed.of),
            _ => name.to_owned(),
        };
        let mirror = self.mirror.as_mut().unwrap();
        match mirror.names.iter().position(|known| *known == name) {
            Some(at) => at,
            None => mirror.new_desk(name, self.bug),
        }
    }

    fn call_connector(&mut self, connector: usize, call: Call, told: Told) {
        let latency_ms = self.random.between(1, 50);
        let call = Box::new(call);
        if self.random.chance(self.faults.call_lost) {
            let after_ms = self.random.pick(&[latency_ms, CONNECTOR_MS_MAX]);
            self.after(after_ms, Step::Told(told, false));
        } else if self.random.chance(self.faults.call_late) {
            let late_ms = CONNECTOR_MS_MAX + self.random.below(60 * SECOND);
            self.after(late_ms, Step::Call(connector, call, None));
            self.after(CONNECTOR_MS_MAX, Step::Told(told, false));
        } else {
            if self.random.chance(self.faults.call_twice) {
                self.after(latency_ms, Step::Call(connector, call.clone(), None));
            }
            self.after(latency_ms, Step::Call(connector, call, Some(told)));
        }
    }

    /// A call has reached its connector.
    pub fn connector_called(&mut self, connector: usize, call: Call, told: Option<Told>) {
        let call = Call::decode(&call.encode()).unwrap();
        let answer = self.at_desk(
            connector,
            |core, setups, now| core.answer(call, setups, now),
            |_| false,
        );
        let Some(told) = told else {
            return;
        };
        let is_heard = answer.flatten().is_some() && !self.random.chance(self.faults.answer_lost);
        let after_ms = match is_heard {
            true => self.random.between(1, 50),
            false => self.random.pick(&[50, CONNECTOR_MS_MAX]),
        };
        self.after(after_ms, Step::Told(told, is_heard));
    }

    /// The connector has answered, or not.
    pub fn told_connector(&mut self, told: &Told, is_heard: bool) {
        if !self.is_alive(told.ledger, told.life) {
            return;
        }
        if !is_heard {
            // The alarm tells it again: it is set while something is owed.
            self.hosts[told.ledger].telling = false;
            return;
        }
        self.note_told(told);
        self.tell(told.ledger);
    }

    fn note_told(&mut self, told: &Told) {
        if let Ok(core) = self.hosts[told.ledger].core() {
            core.told(told.seq, told.epoch);
        }
    }

    fn bent_owed(&self, mut owed: Owed) -> Owed {
        match self.bug {
            Some(Bug::AskedWhenAnswered) => owed.seq = 0,
            Some(Bug::SyncEndsForgotten) => owed.syncs.clear(),
            Some(Bug::BacksyncIgnored) => {
                owed.syncs.iter_mut().for_each(|sync| sync.is_whole = false);
            }
            _ => {}
        }
        owed
    }

    /// What is to be merged, as a deliberate bug has it.
    pub fn bent_read(&mut self, mut read: Snapshots) -> Snapshots {
        match self.bug {
            Some(Bug::StaleOverwrites) => read.is_believed = true,
            Some(Bug::AskedWhenAnswered) => {
                let of = (read.of.source.clone(), read.of.integration.clone());
                let ledger = self.ledger(of);
                let last = self.hosts[ledger].core().map(|core| core.last_seq());
                read.asked_seq = last.unwrap_or(read.asked_seq);
            }
            Some(Bug::WebhookFieldsDropped) => {
                for item in &mut read.items {
                    item.json = item.json.replacen('{', r#"{"memo":null,"#, 1);
                }
            }
            _ => {}
        }
        read
    }

    /// What is asked for, as a deliberate bug has it: a walk begins where it is
    /// told to, which is no time of any record.
    pub fn bent_path(&self, path: &str) -> String {
        let from = path.split_once("updated_at_gte=");
        let from = from.and_then(|(_, rest)| rest.split('&').next());
        let time = from.and_then(Timestamp::parse);
        let (Some(from), Some(time), Some(Bug::NoOverlap)) = (from, time, self.bug) else {
            return path.to_owned();
        };
        let mut records = self.mirror.as_ref().unwrap().truth.records.iter();
        match records.any(|record| record.was_changed_at(time)) {
            true => path.to_owned(),
            false => path.replace(from, &written(time.plus_s(600))),
        }
    }

    /// True if nothing is to come of this alarm, as a deliberate bug has it.
    pub fn forgets_the_clock(&self, connector: usize) -> bool {
        let is_daily = self.bug == Some(Bug::DailyNever);
        if !is_daily && self.bug != Some(Bug::DeepNever) {
            return false;
        }
        let database = &self.mirror.as_ref().unwrap().desks[connector].database;
        let due = format!(
            "SELECT 1 FROM integrations WHERE deep_at <= {}",
            self.clock.receiver().us()
        );
        let made = "SELECT 1 FROM sqlite_master WHERE name = 'integrations'";
        let is_deep_due = !database.rows(made).is_empty() && !database.rows(&due).is_empty();
        is_daily != is_deep_due
    }
}
