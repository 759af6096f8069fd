//! The outbox beside a model of it: sets of numbers, in which everything is
//! looked up. No table is read or written.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Outbox;
use crate::ledger::outbox::forward::{Reach, Sent};
use crate::ledger::outbox::packs::Pack;
use crate::ledger::outbox::ranges::Ranges;
use crate::ledger::outbox::redelivery::Redelivery;
use crate::ledger::outbox::resends::Resend;
use crate::ledger::{Rewrite, SeqRange};
use crate::time::Timestamp;

#[derive(Debug, Clone)]
enum Step {
    TakeIn { is_forwarded: bool },
    Send { count: u64 },
    Confirm { first: u64, count: u64 },
    Refuse { seq: u64 },
    DeadLetter { first: u64, count: u64 },
    Redrive { first: u64, count: u64 },
    TakeForLost,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let range = || (1..12_u64, 1..4_u64);
    vec(
        prop_oneof![
            4 => any::<bool>().prop_map(|is_forwarded| Step::TakeIn { is_forwarded }),
            3 => (1..4_u64).prop_map(|count| Step::Send { count }),
            3 => range().prop_map(|(first, count)| Step::Confirm { first, count }),
            1 => (1..12_u64).prop_map(|seq| Step::Refuse { seq }),
            1 => range().prop_map(|(first, count)| Step::DeadLetter { first, count }),
            1 => range().prop_map(|(first, count)| Step::Redrive { first, count }),
            1 => Just(Step::TakeForLost),
        ],
        1..60,
    )
}

/// The outbox with what a ledger has around it, and the model.
#[derive(Default)]
struct World {
    outbox: Outbox,
    now: Timestamp,
    /// Whether each event is forwarded; the first is number 1.
    log: Vec<bool>,
    watermark: u64,
    sent: u64,
    confirmed: BTreeSet<u64>,
    dead: BTreeSet<u64>,
    resent: BTreeSet<u64>,
    unsent: BTreeSet<u64>,
    /// Nobody has answered since all was taken for lost; whether a probe went.
    probe: Option<bool>,
    is_answered: bool,
    has_waited: bool,
}

impl World {
    fn last(&self) -> u64 {
        self.log.len() as u64
    }

    fn is_forwarded(&self, seq: u64) -> bool {
        self.log[seq as usize - 1]
    }

    /// Those of a range that were taken in.
    fn range(&self, first: u64, count: u64) -> Option<SeqRange> {
        let last = (first + count - 1).min(self.last());
        let range = SeqRange::new(first, last);
        (!range.is_empty()).then_some(range)
    }

    fn take(&mut self, step: &Step) {
        self.now = self.now.plus_s(1);
        match *step {
            Step::TakeIn { is_forwarded } => {
                let (before, seq) = (self.last(), self.last() + 1);
                self.outbox.taken_in(before, seq, is_forwarded);
                assert!(self.outbox.is_stored() || self.outbox.confirmed_seq() == seq);
                self.log.push(is_forwarded);
            }
            Step::Send { count } => self.send(count),
            Step::Confirm { first, count } => {
                let Some(range) = self.range(first, count) else {
                    return;
                };
                for resend in self.outbox.redelivery().waiting(range) {
                    self.outbox.forget_resend(&resend.within(range));
                }
                self.outbox.confirm(range);
                for seq in range.first..=range.last {
                    self.confirmed.insert(seq);
                    self.resent.remove(&seq);
                    self.unsent.remove(&seq);
                }
                self.answer();
            }
            Step::Refuse { seq } => {
                if self.range(seq, 1).is_none() || self.dead.contains(&seq) {
                    return;
                }
                // Quarantined: it isn't forwarded any more.
                self.log[seq as usize - 1] = false;
                self.outbox.refuse(seq);
                self.answer();
            }
            Step::DeadLetter { first, count } => {
                let Some(range) = self.range(first, count) else {
                    return;
                };
                for range in self.outbox.unsettled_within(range, Rewrite::NONE).iter() {
                    self.outbox.dead_letter(range);
                    self.dead.extend(range.first..=range.last);
                }
            }
            Step::Redrive { first, count } => {
                let Some(range) = self.range(first, count) else {
                    return;
                };
                for seq in range.first..=range.last {
                    if self.dead.remove(&seq) {
                        self.outbox.restore(SeqRange::one(seq));
                        self.outbox.resend(resend(seq, self.now));
                        self.resent.insert(seq);
                        self.unsent.insert(seq);
                    }
                }
            }
            Step::TakeForLost => {
                self.outbox.take_for_lost(self.now);
                let was_heard = self.is_answered || !self.has_waited;
                self.probe = (!was_heard).then_some(false);
                (self.is_answered, self.has_waited) = (false, true);
                self.sent = self.watermark;
                self.unsent.clone_from(&self.resent);
            }
        }
        self.settle();
    }

    fn answer(&mut self) {
        self.is_answered = true;
        self.probe = None;
    }

    /// Sends the next events, what goes out again first.
    fn send(&mut self, count: u64) {
        if !self.outbox.may_send(self.last()) {
            return;
        }
        let head = self.unsent.first().copied();
        let (through, last) = match head {
            Some(seq) => (
                Reach::Resend {
                    events: SeqRange::one(seq),
                    rewrite: Rewrite::NONE,
                },
                seq,
            ),
            None => {
                let last = (self.sent + count).min(self.last());
                (Reach::Log(last), last)
            }
        };
        let first = head.unwrap_or(self.sent + 1);
        let packs = [Pack {
            first,
            last,
            text: "[]".to_owned(),
        }];
        let sent = Sent {
            packs: &packs,
            through,
        };
        self.outbox.sent(sent, self.last(), self.now);
        match head {
            Some(seq) => {
                self.unsent.remove(&seq);
            }
            None => self.sent = self.sent.max(last),
        }
        self.probe = self.probe.map(|_| true);
        self.has_waited |= self.watermark < self.last() || !self.resent.is_empty();
    }

    /// Moves the watermark in both, as the ledger does after each change.
    fn settle(&mut self) {
        let (before, last) = (self.outbox.confirmed_seq(), self.last());
        while let Some(beyond) = self.outbox.beyond(last) {
            let next = (beyond.first..=beyond.last).find(|seq| self.is_forwarded(*seq));
            if !self.outbox.pass(next, last) {
                break;
            }
        }
        let had_probed = self.outbox.settle(before, last, self.now);
        let is_settled = |seq: &u64| {
            !self.is_forwarded(*seq) || self.confirmed.contains(seq) || self.dead.contains(seq)
        };
        let passed = (self.watermark + 1..=last).take_while(is_settled).last();
        self.watermark = passed.unwrap_or(self.watermark);
        self.sent = self.sent.max(self.watermark);
        let still_waits = self.watermark < last || !self.resent.is_empty();
        if !still_waits {
            self.has_waited = false;
        }
        assert!(!had_probed.goes_on || still_waits);
    }

    fn check(&self) {
        let (outbox, last) = (&self.outbox, self.last());
        assert_eq!(outbox.confirmed_seq(), self.watermark);
        assert_eq!(outbox.sent_seq(), self.sent);
        let beyond = self.watermark + 1..=last;
        let unsettled = beyond.filter(|seq| !self.confirmed.contains(seq));
        let unsettled = unsettled.filter(|seq| !self.dead.contains(seq));
        let found: Vec<u64> = outbox
            .never_settled(SeqRange::through(last))
            .numbers()
            .collect();
        assert_eq!(found, unsettled.collect::<Vec<_>>());
        assert_eq!(
            outbox.has_unsettled(last),
            self.watermark < last || !self.resent.is_empty()
        );
        assert_eq!(
            outbox.has_unsent(last),
            self.sent < last || !self.unsent.is_empty()
        );
        let has_room = self.probe != Some(true);
        assert_eq!(
            outbox.may_send(last),
            has_room && outbox.has_unsent(last),
            "while nobody answers, one probe goes"
        );
        for seq in (1..=last).filter(|seq| self.is_forwarded(*seq)) {
            assert_eq!(
                outbox.status(seq, Rewrite::NONE),
                self.status(seq),
                "event {seq}"
            );
        }
        for seq in 1..=last {
            let is_done = self.watermark >= seq && self.resent.range(..=seq).next().is_none();
            assert_eq!(outbox.is_done_through(seq), is_done, "event {seq}");
        }
    }

    fn status(&self, seq: u64) -> &'static str {
        let is_settled = seq <= self.watermark || self.confirmed.contains(&seq);
        match seq {
            seq if self.dead.contains(&seq) => "dead",
            seq if self.unsent.contains(&seq) => "pending",
            seq if self.resent.contains(&seq) => "sent",
            _ if is_settled => "confirmed",
            seq if seq <= self.sent => "sent",
            _ => "pending",
        }
    }
}

fn resend(seq: u64, since: Timestamp) -> Resend {
    Resend {
        events: SeqRange::one(seq),
        rewrite: Rewrite::NONE,
        since,
    }
}

proptest! {
    #[test]
    fn the_outbox_does_as_its_model(steps in steps()) {
        let mut world = World::default();
        for step in &steps {
            world.take(step);
            world.check();
        }
    }

    /// What the tables have is the watermark; all beyond it goes out again, the
    /// first of it as a probe if nobody had answered before.
    #[test]
    fn an_outbox_that_is_opened_anew_sends_all_beyond_the_watermark(
        confirmed in 0..20_u64,
        beyond in 0..20_u64,
        attempts in 0..3_u32,
    ) {
        let last = confirmed + beyond;
        let outbox = Outbox::load(confirmed, attempts, Ranges::default(), Redelivery::default());
        prop_assert_eq!(outbox.sent_seq(), confirmed);
        prop_assert!(outbox.is_stored());
        prop_assert_eq!(outbox.has_unsent(last), beyond > 0);
        prop_assert_eq!(outbox.flight().is_probing(), attempts > 0);
    }
}
