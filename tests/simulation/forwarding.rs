//! How a ledger's object hands its packs to the queue.

use leasewire::ledger::{Batch, Next, PackRef, Rewrite};

use crate::bugs::Bug;
use crate::world::{Step, World};

/// Between two probes there is more.
const PROBE_MS: u64 = 40_000;
/// By then the alarm has seen that nobody answers: its first two pauses, of 82 s
/// and 150 s at the most.
const SILENCE_MS: u64 = 240_000;

impl World {
    /// One round of forwarding, up to the queue's answer.
    pub fn forward(&mut self, ledger: usize) {
        let now = self.clock.receiver();
        self.break_a_statement(ledger);
        let host = &mut self.hosts[ledger];
        let life = host.life;
        let goes_on = self.bug == Some(Bug::ProbesGoOn);
        let next =
            host.core().and_then(
                |core| match goes_on && !core.may_send() && core.has_unsent() {
                    true => core.next_batch().map(Next::Send),
                    false => core.next_send(now),
                },
            );
        host.database.fails.set(None);
        let batch = match next {
            Ok(Next::Wait(ms)) => {
                return self.clock.after(ms.into(), Step::Forward(ledger, life));
            }
            Ok(Next::Send(batch)) if !batch.packs.is_empty() => batch,
            Ok(Next::Send(_) | Next::Nothing) | Err(_) => {
                host.sending = false;
                return self.check_all_was_sent(ledger);
            }
        };
        let packs = batch.packs.iter();
        let ranges: Vec<_> = packs.map(|pack| pack.events()).collect();
        let (taken, after_ms) = self.send_packs(ledger, batch.packs.clone());
        // What the queue refuses, nobody can answer.
        if taken {
            self.check_probe(ledger, &batch);
        }
        self.say(|| format!("ledger {ledger}: sends {ranges:?}, heard to be taken: {taken}"));
        if self.bug == Some(Bug::SentIsConfirmed) && taken {
            for events in ranges {
                let core = self.hosts[ledger].core().unwrap();
                let rewrite = Rewrite::NONE;
                core.confirm(PackRef { events, rewrite }, now).unwrap();
            }
        }
        let sent = taken.then_some(batch);
        self.clock.after(after_ms, Step::Sent(ledger, life, sent));
    }

    /// The queue has answered: what it took, if it says so.
    pub fn sent(&mut self, ledger: usize, sent: Option<Batch>) {
        let now = self.clock.receiver();
        let host = &mut self.hosts[ledger];
        let Some(batch) = sent else {
            host.sending = false;
            if let Ok(core) = host.core() {
                core.not_sent();
            }
            return;
        };
        if let Ok(core) = host.core() {
            core.sent(&batch, now);
        }
        self.forward(ledger);
    }

    /// Where nobody has answered for long, one pack goes out at each alarm, and
    /// after each loss of the memory.
    fn check_probe(&mut self, ledger: usize, batch: &Batch) {
        let now_ms = self.clock.now_ms;
        let host = &mut self.hosts[ledger];
        host.sent_ms.retain(|(at_ms, _)| at_ms + PROBE_MS > now_ms);
        let life = host.life;
        let silent_ms = now_ms - *host.unheard_since_ms.get_or_insert(now_ms);
        if silent_ms <= SILENCE_MS {
            return;
        }
        host.sent_ms
            .extend(batch.packs.iter().map(|_| (now_ms, life)));
        let sent = host.sent_ms.iter().filter(|(_, of)| *of == life).count();
        // Where an event fails for ever, the alarm's pauses have grown already.
        if self.is_steady && self.poison.is_empty() && sent > 1 {
            let sent = host.sent_ms.len();
            self.complain(format!(
                "ledger {ledger} heard nothing for {silent_ms} ms, and sends {sent} packs"
            ));
        }
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
