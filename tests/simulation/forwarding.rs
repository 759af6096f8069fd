//! How a ledger's object hands its packs to the queue.

use leasewire::ledger::Reach;

use crate::bugs::Bug;
use crate::world::{Step, World};

/// Pause before the batch that follows one of a single pack.
const BATCH_INTERVAL_MS: u64 = 1_000;

impl World {
    /// One round of forwarding, up to the queue's answer.
    pub fn forward(&mut self, ledger: usize) {
        let now = self.clock.receiver();
        let host = &mut self.hosts[ledger];
        let life = host.life;
        let pause_ms = host.next_batch_ms.saturating_sub(self.clock.now_ms);
        if pause_ms > 0 && host.core().is_ok_and(|core| core.has_unsent()) {
            return self.clock.after(pause_ms, Step::Forward(ledger, life));
        }
        self.break_a_statement(ledger);
        let host = &mut self.hosts[ledger];
        let batch = host.core().and_then(|core| match core.has_unsent() {
            true => core.next_batch().map(Some),
            false => Ok(None),
        });
        host.database.fails.set(None);
        let Ok(Some(batch)) = batch else {
            host.sending = false;
            return self.check_all_was_sent(ledger);
        };
        if batch.packs.is_empty() {
            return self.sent(ledger, Some((batch.through, false)));
        }
        let packs = batch.packs.iter();
        let ranges: Vec<_> = packs.map(|pack| (pack.first, pack.last)).collect();
        let (taken, after_ms) = self.send_packs(ledger, batch.packs);
        self.say(|| format!("ledger {ledger}: sends {ranges:?}, heard to be taken: {taken}"));
        let alone = ranges.len() == 1;
        if self.bug == Some(Bug::SentIsConfirmed) && taken {
            for (first, last) in ranges {
                let core = self.hosts[ledger].core().unwrap();
                core.confirm(first, last, 0, now).unwrap();
            }
        }
        let sent = taken.then_some((batch.through, alone));
        self.clock.after(after_ms, Step::Sent(ledger, life, sent));
    }

    /// The queue has answered: through which number all is sent, and whether
    /// it was one pack alone.
    pub fn sent(&mut self, ledger: usize, sent: Option<(Reach, bool)>) {
        let now = self.clock.receiver();
        let host = &mut self.hosts[ledger];
        let life = host.life;
        let Some((through, alone)) = sent else {
            host.sending = false;
            return;
        };
        if let Ok(core) = host.core() {
            core.sent(through, now);
        }
        // The pause stands before a batch: with nothing to send there is none.
        let pause_ms = if alone { BATCH_INTERVAL_MS } else { 0 };
        self.hosts[ledger].next_batch_ms = self.clock.now_ms + pause_ms;
        self.forward(ledger);
    }

    /// A ledger that takes everything for sent has handed everything to the
    /// queue that isn't settled.
    fn check_all_was_sent(&mut self, ledger: usize) {
        let host = &mut self.hosts[ledger];
        let through = match host.core() {
            Ok(core) if !core.has_unsent() => core.last_seq(),
            _ => return,
        };
        let unknown = (1..=through).filter(|seq| !host.handed.contains(seq));
        let settled = |seq: &u64| host.settled.iter().any(|pack| pack.holds(*seq));
        let unknown: Vec<u64> = unknown.filter(|seq| !settled(seq)).collect();
        for seq in unknown {
            let condition = format!("WHERE seq = {seq} AND quarantine IS NULL AND ignored IS NULL");
            if !self.hosts[ledger].database.events(&condition).is_empty() {
                self.complain(format!("number {seq} counts as sent, and never was"));
            }
        }
    }
}
