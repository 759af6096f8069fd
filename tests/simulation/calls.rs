//! Calls to ledgers: on their way, answered by the object, and on their way
//! back.

use leasewire::edge::group;
use leasewire::ledger::{Call, Outcome, Reply, Taken};

use crate::bugs::Bug;
use crate::clock::SECOND;
use crate::fact::{Change, Content, Lasting, object};
use crate::faults::is_down;
use crate::host::{Intake, Settled};
use crate::world::{Asked, Step, World};

/// How long a caller waits for a ledger.
const LEDGER_MS_MAX: u64 = group::LEDGER_MS_MAX as u64;

/// Calls on their way to a ledger.
pub struct Request {
    ledger: usize,
    life: u32,
    calls: Vec<Call>,
    /// What each delivery among them reports.
    facts: Vec<usize>,
    /// Who waits for the answer, if anybody still does.
    asked: Option<Asked>,
}

impl World {
    /// Sends `call` to a ledger. Whoever asks gets exactly one answer, if
    /// only that there is none.
    pub fn ask(&mut self, ledger: usize, call: Call, asked: Asked) {
        self.ask_all(ledger, vec![call], asked);
    }

    /// Sends `calls` to a ledger together.
    pub fn ask_all(&mut self, ledger: usize, calls: Vec<Call>, asked: Asked) {
        let facts = match &asked {
            Asked::Taken(group) => group.facts.clone(),
            _ => Vec::new(),
        };
        let life = self.hosts[ledger].life;
        let request = |asked| {
            Step::Arrive(Box::new(Request {
                ledger,
                life,
                calls: calls.clone(),
                facts: facts.clone(),
                asked,
            }))
        };
        let latency_ms = self.random.between(1, 50);
        let down = is_down(self.faults.ledgers_down, self.clock.now_ms);
        if down || self.random.chance(self.faults.call_lost) {
            let after_ms = self.random.pick(&[latency_ms, LEDGER_MS_MAX]);
            self.clock.after(after_ms, Step::Answer(asked, None));
        } else if self.random.chance(self.faults.call_late) {
            let late_ms = LEDGER_MS_MAX + self.random.below(60 * SECOND);
            self.clock.after(late_ms, request(None));
            self.clock.after(LEDGER_MS_MAX, Step::Answer(asked, None));
        } else {
            if self.random.chance(self.faults.call_twice) {
                self.clock.after(latency_ms, request(None));
            }
            self.clock.after(latency_ms, request(Some(asked)));
        }
    }

    /// Calls have reached their ledger.
    pub fn arrive(&mut self, request: Request) {
        let Request {
            ledger,
            life,
            calls,
            facts,
            asked,
        } = request;
        let decoded = calls.iter().map(|call| Call::decode(call.encode()));
        let calls: Vec<_> = decoded.map(Option::unwrap).collect();
        let alive = self.hosts[ledger].life == life;
        let replies = alive.then(|| self.answer(ledger, calls, &facts)).flatten();
        let Some(asked) = asked else {
            return;
        };
        if replies.is_some() && !self.random.chance(self.faults.answer_lost) {
            let after_ms = self.random.between(1, 50);
            self.clock.after(after_ms, Step::Answer(asked, replies));
        } else {
            let after_ms = self.random.pick(&[50, LEDGER_MS_MAX]);
            self.clock.after(after_ms, Step::Answer(asked, None));
        }
    }

    /// The answers to calls up to the first that fails, if they leave the
    /// object.
    fn answer(&mut self, ledger: usize, calls: Vec<Call>, facts: &[usize]) -> Option<Vec<String>> {
        if let Some(wrong) = self.answer_wrongly(ledger, &calls, facts) {
            return Some(wrong);
        }
        let alarm = self.hosts[ledger].alarm;
        let asked = calls.clone();
        let setup = self.setup(ledger);
        let brought_in = self.brought_in(ledger);
        let ended = self.stretch(ledger, |core, now, random| {
            if core.asks_for_alarm_before(&calls) {
                core.found_alarm_at(alarm, now);
            }
            let setup = |_: &str| setup.clone();
            let answered = core.answer_calls(calls, &setup, now, random)?;
            Ok((answered.replies, answered.effects))
        });
        if ended.durable
            && let [asked] = &asked[..]
        {
            self.note_settled(ledger, asked, ended.value.is_none());
            self.note_discard(ledger, asked, ended.value.is_none());
        }
        let replies = ended.value?;
        if ended.durable {
            for ((call, fact), reply) in asked.iter().zip(facts).zip(&replies) {
                self.note_taken(ledger, call, *fact, reply, brought_in);
            }
        }
        if !ended.heard {
            return None;
        }
        let texts = replies.into_iter().map(|reply| self.text(ledger, reply));
        Some(texts.collect())
    }

    fn text(&mut self, ledger: usize, reply: Reply) -> String {
        match reply {
            Reply::Taken(taken) => Taken {
                seq: self.number_to_answer(ledger, taken),
                ..taken
            }
            .to_json(),
            // The consumer reads a missing answer as an empty one.
            reply => reply.into_text().unwrap_or_default(),
        }
    }

    /// The answer that a deliberate bug gives to a lone delivery without asking
    /// the core.
    fn answer_wrongly(
        &mut self,
        ledger: usize,
        calls: &[Call],
        facts: &[usize],
    ) -> Option<Vec<String>> {
        let ([call @ Call::Intake(delivery)], [index]) = (calls, facts) else {
            return None;
        };
        let index = *index;
        let is_junk = self.facts[index].record().is_none();
        match self.bug {
            Some(Bug::JunkNotKept) if is_junk => {
                let seq = self.hosts[ledger].core().ok()?.last_seq() + 1;
                Some(vec![format!(r#"{{"status":"quarantined","seq":{seq}}}"#)])
            }
            Some(Bug::NoticesLast) if self.facts[index].identity.lasting != Lasting::Soon => None,
            Some(Bug::RepetitionIsDuplicate | Bug::NoticesLast) => {
                let same = |intake: &&Intake| self.facts[intake.fact].body == delivery.body;
                let since = self.clock.receiver().minus_s(delivery.dedupe_window_s);
                let known = self.hosts[ledger].taken.iter().rev().find(same);
                let taken = Taken {
                    outcome: Outcome::Duplicate,
                    seq: known.filter(|known| known.at > since)?.seq,
                };
                self.note_taken(ledger, call, index, &Reply::Taken(taken), 0);
                Some(vec![taken.to_json()])
            }
            _ => None,
        }
    }

    fn number_to_answer(&mut self, ledger: usize, taken: Taken) -> u64 {
        let wrong =
            self.bug == Some(Bug::DuplicateGetsLastNumber) && taken.outcome == Outcome::Duplicate;
        match self.hosts[ledger].core() {
            Ok(core) if wrong => core.last_seq(),
            _ => taken.seq,
        }
    }

    fn note_settled(&mut self, ledger: usize, call: &Call, uncertain: bool) {
        // What is about an earlier epoch settles nothing.
        if let Call::Confirm { epoch, .. }
        | Call::DeadLetter { epoch, .. }
        | Call::Quarantine { epoch, .. } = call
            && let Ok(Some(state)) = self.hosts[ledger].core().and_then(|core| core.state())
            && epoch.is_some_and(|epoch| epoch != state.epoch)
        {
            return;
        }
        if let Call::Quarantine { seq, .. } = call {
            self.hosts[ledger].unheard_since_ms = None;
            self.say(|| format!("ledger {ledger}: quarantines {seq}, failed: {uncertain}"));
        }
        let (first, last, replay, applied) = match *call {
            Call::Confirm { pack, .. } => {
                (pack.events.first, pack.events.last, pack.rewrite.0, true)
            }
            Call::DeadLetter { pack, .. } => {
                (pack.events.first, pack.events.last, pack.rewrite.0, false)
            }
            _ => return,
        };
        self.hosts[ledger].unheard_since_ms = None;
        self.hosts[ledger].settled.push(Settled {
            first,
            last,
            replay,
            applied,
            uncertain,
        });
        let what = if applied { "confirmed" } else { "buried" };
        self.say(|| format!("ledger {ledger}: {what} {first} to {last}, failed: {uncertain}"));
    }

    fn note_taken(
        &mut self,
        ledger: usize,
        call: &Call,
        fact: usize,
        reply: &Reply,
        brought_in: usize,
    ) {
        if let (Call::Intake(delivery), Reply::Taken(taken)) = (call, reply) {
            let (status, seq) = (taken.outcome.label(), taken.seq);
            let intake = Intake {
                fact,
                at: self.clock.receiver(),
                window_s: self.sources[delivery.of.source.as_str()].dedupe_window_s,
                kept_from: self.hosts[ledger].core().map_or(1, |core| core.kept_from()),
                brought_in,
                status,
                seq,
            };
            self.hosts[ledger].taken.push(intake);
            self.say(|| format!("ledger {ledger}: fact {fact} {status} {seq}"));
            if self.bug == Some(Bug::CreationsOverride) && status == "accepted" {
                self.override_by(ledger, fact);
            }
        }
    }

    /// A record that was known is again what a new one's event says.
    fn override_by(&self, ledger: usize, fact: usize) {
        let taken = self.hosts[ledger].taken.iter();
        let facts = taken.map(|intake| &self.facts[intake.fact]);
        let same = facts.filter(|other| other.record() == self.facts[fact].record());
        if same.count() > 1
            && let Content::Record {
                model,
                id,
                change: Change::Sparse(new),
                ..
            } = &self.facts[fact].content
        {
            let mut new = new.clone();
            new.retain(|_, value| value != "null");
            let new = object(&new).replace('\'', "''");
            self.hosts[ledger].database.run(&format!(
                "UPDATE records SET fields = json_patch(fields, '{new}')
                 WHERE model = '{model}' AND record_id = '{id}'"
            ));
        }
    }
}
