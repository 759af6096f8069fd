//! The operator: asks for replays, redrives, rebuilds and discards, at any time
//! and whatever else goes wrong. As neither code nor filter changes, they change
//! no record.

use leasewire::ledger::discard::{self, Held};
use leasewire::ledger::replay::Request;
use leasewire::ledger::{Call, SeqRange};
use leasewire::projection::RebuildStep;
use leasewire::sql::Statement;

use crate::bugs::Bug;
use crate::world::{Asked, Step, World};

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
        if self.poison.is_empty() && !self.lost.contains(&ledger) && self.random.chance(600) {
            return self.lose(ledger);
        }
        let (from, to) = match self.random.chance(300) || self.needs_operator() {
            true => (1, last),
            false => {
                let from = self.random.between(1, last);
                (from, self.random.between(from, last))
            }
        };
        let kind = match self.random.below(10) {
            _ if self.needs_old_history() => 9,
            3.. if self.bug == Some(Bug::DiscardIsUndone) => 3,
            kind => kind,
        };
        let call = match kind {
            0..3 => Call::Redrive(SeqRange::new(from, to)),
            3..5 => Call::Discard(discard::Request {
                status: self.random.pick(&[Held::Quarantined, Held::Dead]),
                from,
                to,
            }),
            _ => Call::Replay(Request {
                from,
                to,
                models: self.random.chance(200).then(|| vec!["unit*".to_owned()]),
                events: None,
            }),
        };
        let kind = match call {
            Call::Redrive(_) => "redrive",
            Call::Discard(_) => "discard",
            _ => "replay",
        };
        self.say(|| format!("ledger {ledger}: told to see to {from} to {to}: {kind}"));
        self.ask(ledger, call, Asked::Operated);
    }

    /// Notes what a ledger was told to discard, if that is what it was told.
    pub fn note_discard(&mut self, ledger: usize, call: &Call, uncertain: bool) {
        if let Call::Discard(request) = call {
            let last_seq = self.hosts[ledger].core().map_or(0, |core| core.last_seq());
            self.discards.push(Discard {
                ledger,
                request: request.clone(),
                last_seq,
                uncertain,
            });
        }
    }
}

/// What a ledger was told to discard.
pub struct Discard {
    pub ledger: usize,
    pub request: discard::Request,
    /// The last number that it had given.
    pub last_seq: u64,
    /// The ledger failed over it: it may do so, or not.
    pub uncertain: bool,
}

impl Discard {
    /// True if it asks for the event `seq`, if that has this status.
    pub fn asks_for(&self, ledger: usize, seq: u64, status: Held) -> bool {
        let to = self.request.to.min(self.last_seq);
        let range = self.request.from..=to;
        self.ledger == ledger && self.request.status == status && range.contains(&seq)
    }
}

impl World {
    /// D1 loses what it has of a ledger, or is set back to an older point, or
    /// has what the ledger never had; the operator has it rebuilt.
    fn lose(&mut self, ledger: usize) {
        let (source, integration) = self.hosts[ledger].name.clone();
        let of = format!("WHERE source = '{source}' AND integration = '{integration}'");
        let changes = match self.random.below(3) {
            0 => format!("DELETE FROM records {of}; DELETE FROM integrations {of}"),
            1 => format!("UPDATE records SET version = 1, fields = '{{}}', generation = 0 {of}"),
            _ => format!("UPDATE records SET version = version + 1000, fields = '{{}}' {of}"),
        };
        self.say(|| format!("ledger {ledger}: D1 changes: {changes}"));
        self.d1.run(&changes);
        self.lost.insert(ledger);
        self.ask(ledger, Call::Rebuild, Asked::Operated);
    }

    /// If no rebuild was taken in, the operator asks again.
    pub fn rebuild_lost(&mut self) {
        for ledger in self.lost.clone() {
            let state = self.hosts[ledger].core().and_then(|core| core.state());
            if let Ok(Some(state)) = state
                && state.rebuild.is_some()
            {
                continue;
            }
            self.ask(ledger, Call::Rebuild, Asked::Operated);
        }
    }

    /// A step of a rebuild is due, if one was asked for and none is on its way.
    pub fn begin_rebuild(&mut self, ledger: usize) {
        let host = &mut self.hosts[ledger];
        if !host.rebuilding && host.core().is_ok_and(|core| core.has_rebuild()) {
            host.rebuilding = true;
            let life = host.life;
            let after_ms = self.random.below(20);
            self.clock.after(after_ms, Step::Rebuild(ledger, life));
        }
    }

    pub fn rebuild(&mut self, ledger: usize) {
        self.break_a_statement(ledger);
        let host = &mut self.hosts[ledger];
        let part = host.core().and_then(|core| core.next_part());
        host.database.fails.set(None);
        let Ok(Some(part)) = part else {
            self.hosts[ledger].rebuilding = false;
            return;
        };
        let mut written = part.clone();
        if self.bug == Some(Bug::RebuildInTheOldEpoch) {
            written.state.epoch = 0;
        }
        let statements = RebuildStep::new(written).statements(self.clock.receiver());
        self.write_step(ledger, RebuildStep::new(part), statements);
    }

    fn write_step(&mut self, ledger: usize, step: RebuildStep, statements: Option<Vec<Statement>>) {
        let Some(statements) = statements else {
            return self.end_step(ledger, &step);
        };
        // A D1 that is rebuilt has trouble more often than others.
        let is_probe = statements.len() == 1;
        let (mut done, after_ms) = match !is_probe && !self.is_healed && self.random.chance(500) {
            true => (Err("Network connection lost.".to_owned()), 50),
            false => self.run_in_d1(statements, &mut 0),
        };
        if self.bug == Some(Bug::RebuildPassesRefused) {
            done = Ok(());
        }
        let life = self.hosts[ledger].life;
        let step = Step::Rebuilt(ledger, life, Box::new((step, done)));
        self.clock.after(after_ms, step);
    }

    /// D1 has answered.
    pub fn rebuilt(&mut self, ledger: usize, mut step: RebuildStep, done: Result<(), String>) {
        step.ran(done);
        let statements = step.statements(self.clock.receiver());
        self.write_step(ledger, step, statements);
    }

    fn end_step(&mut self, ledger: usize, step: &RebuildStep) {
        let now = self.clock.receiver();
        self.break_a_statement(ledger);
        let host = &mut self.hosts[ledger];
        host.rebuilding = false;
        let next = host.core().and_then(|core| step.end(core, now));
        host.database.fails.set(None);
        if let Ok(Some(at)) = next {
            self.arm(ledger, at);
        }
    }
}
