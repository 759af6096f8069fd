//! The operator: asks for replays and redrives, at any time and whatever else
//! goes wrong. As neither code nor filter changes, they change no record.

use leasewire::ledger::replay::{Reader, Request};
use leasewire::ledger::{Call, Effects, Ledger};
use leasewire::source::Source;
use leasewire::time::Timestamp;

use crate::storage::Storage;
use crate::world::{Asked, World};

impl World {
    /// A command to one of the ledgers.
    pub fn operate(&mut self) {
        if self.hosts.is_empty() {
            return;
        }
        let ledger = self.random.below(self.hosts.len() as u64) as usize;
        let last = self.hosts[ledger].core().map_or(0, |core| core.last_seq());
        if last == 0 {
            return;
        }
        let from = self.random.between(1, last);
        let to = self.random.between(from, last);
        let call = if self.random.chance(300) {
            Call::Redrive { from, to }
        } else {
            let models = self.random.chance(200).then(|| vec!["unit*".to_owned()]);
            Call::Replay(Request {
                from,
                to,
                models,
                events: None,
            })
        };
        self.say(|| format!("ledger {ledger}: told to go through {from} to {to} again"));
        self.ask(ledger, call, Asked::Operated);
    }
}

/// One step of the replay that was asked for, if one was.
pub fn step(core: &mut Ledger<Storage>, source: &Source, now: Timestamp, effects: &mut Effects) {
    if !core.has_replay() {
        return;
    }
    let reader = Reader {
        dialect: source.dialect,
        filter: &source.filter,
    };
    // If it fails, the next alarm tries again.
    if let Ok(Some(at)) = core.replay(&reader, now) {
        effects.wake_at = Some(at);
    }
    effects.forward |= core.has_unsent();
}
