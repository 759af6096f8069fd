//! What is to be done after a decision: effects, as values.
//!
//! The alarm is the safety net. It is armed whenever something waits and no
//! alarm is known to be set, at most once a minute, and finds what was sent and
//! not confirmed. An idle ledger has none, and costs nothing.

use super::log::discard::Progress;
use super::log::migrate::is_refusal;
use super::{Announcement, Ledger};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// How long after intake the alarm looks whether all was confirmed, in
/// seconds. Once a minute at the most, so that its row is shared.
pub(super) const WAKE_S: u64 = 60;
/// How long after an event that came alone. The object forgets what was
/// confirmed when it has been idle for ten seconds, and would send it again.
const WAKE_SPARSE_S: u64 = 7;
/// An alarm that should have gone off so long ago is lost, whatever the storage
/// says.
const ALARM_LATE_S: u64 = 10 * 60;
/// Longest pause between two attempts: about so long after an outage, however
/// long that was, all is on its way again.
const PAUSE_S_MAX: u64 = 900;

/// What the host is to do, in this order. None of it is awaited by an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Set the alarm.
    pub wake_at: Option<Timestamp>,
    /// Write this into the list of integrations, and tell the ledger with
    /// [`Ledger::announced`] when that is done.
    pub announce: Option<Announcement>,
    /// Send what [`Ledger::next_send`] returns, unless that is going on already.
    pub forward: bool,
    /// Tell the connector what is owed, when [`Ledger::tells_in_ms`] says.
    pub tell: bool,
    /// Write the next step of the rebuild into D1, unless one is on its way.
    pub rebuild: bool,
    /// Log this: bodies were discarded.
    pub discarded: Option<Progress>,
    /// Log these: what couldn't be done, and why.
    pub troubles: Vec<(&'static str, SqlError)>,
}

/// What is known of a ledger's alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The ledger was opened, and nobody has looked.
    #[default]
    Unknown,
    /// It is set.
    Set,
    /// There is none.
    None,
}

impl<S: Sql> Ledger<S> {
    /// True until the host has looked whether an alarm is set, and said so
    /// with [`Ledger::found_alarm`].
    pub fn asks_for_alarm(&self) -> bool {
        self.alarm == Alarm::Unknown
    }

    /// Notes whether an alarm is set.
    pub fn found_alarm(&mut self, is_set: bool) {
        if self.alarm == Alarm::Unknown {
            self.alarm = if is_set { Alarm::Set } else { Alarm::None };
        }
    }

    /// Notes when the alarm is set for, as the storage says. One that should have
    /// gone off long ago is lost.
    pub fn found_alarm_at(&mut self, at: Option<Timestamp>, now: Timestamp) {
        self.found_alarm(at.is_some_and(|at| at > now.minus_s(ALARM_LATE_S)));
    }

    /// Makes the ledger ask for its alarm once more: what was set may be lost.
    pub fn forget_alarm(&mut self) {
        self.alarm = Alarm::Unknown;
    }

    /// Notes that the list of integrations has the ledger up to `listed_seq` of
    /// the epoch `listed_epoch`. If the ledger never had that, it was set back
    /// to an older point: a new epoch begins, so that what comes wins over what
    /// D1 has.
    /// True if something waits that no alarm watches over; the follow-up arms
    /// one.
    pub(super) fn sweep(
        &mut self,
        listed_seq: u64,
        listed_epoch: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, SqlError> {
        if let Some(listed_epoch) = listed_epoch
            && self.name.is_some()
            && self.was_set_back(listed_seq, listed_epoch)
        {
            self.begin_epoch(listed_epoch, now)?;
        }
        if listed_epoch.is_none_or(|listed| listed == self.epoch) {
            self.health.announced(listed_seq.min(self.sequence.last()));
        }
        self.check_report(now)?;
        Ok(self.waits() && self.alarm != Alarm::Set)
    }

    /// What is to be done after a call. `random` spreads the wake-up, so that
    /// ledgers which failed together don't all try again together. It can't
    /// fail: what was taken in must be watched over, whatever else is wrong.
    pub fn follow_up(&mut self, now: Timestamp, random: u32) -> Effects {
        self.health.awake(now);
        let arms = self.waits() && self.alarm != Alarm::Set;
        let wake_at = arms.then(|| {
            if self.sequence.is_sparse() {
                self.arm_at(now.plus_s(WAKE_SPARSE_S))
            } else {
                self.arm(now, random)
            }
        });
        // Where the list may not know the ledger, at once; the alarm repeats
        // it. Where it does, the consumer brings it up to date.
        let mut announce = None;
        if self.health.is_unheard_of()
            && let Ok(Some(state)) = self.state()
        {
            let report = None;
            announce = Some(Announcement { state, report });
            self.health.asked_to_announce();
        }
        Effects {
            wake_at,
            announce,
            forward: self.may_send(),
            tell: self.has_owed(),
            ..Effects::default()
        }
    }

    /// The alarm went off: keeps the watermark, and finds what was sent and
    /// not confirmed. First it moves the watermark, because a confirmation that
    /// failed half-way has left it behind: what is known to be settled is not
    /// sent again, and nobody else would move it.
    pub fn wake(&mut self, now: Timestamp, random: u32) -> Result<Effects, SqlError> {
        self.alarm = Alarm::None;
        self.health.awake(now);
        if !self.outbox.is_patient(now) {
            self.forget_empty()?;
        }
        self.settle(now)?;
        self.store_mark()?;
        // Before anything counts as unsent again.
        let announce = self.news(now)?;
        if self.has_unsettled() && !self.outbox.is_patient(now) {
            let attempts = self.outbox.attempts().saturating_add(1);
            self.log.sql.execute(
                "UPDATE ledger SET attempts = ?1",
                &[u64::from(attempts).into()],
            )?;
            self.outbox.take_for_lost(now);
        }
        Ok(Effects {
            wake_at: self.waits().then(|| self.arm(now, random)),
            announce,
            forward: self.may_send(),
            tell: self.has_owed(),
            ..Effects::default()
        })
    }

    /// When to look again where the ledger itself can't be used, and why it
    /// can't: where it is other code's, only a deployment changes that.
    pub fn wake_after_failure(why: &SqlError, now: Timestamp, random: u32) -> Timestamp {
        let attempts = if is_refusal(why) { u32::MAX } else { 0 };
        pause(attempts, now, random)
    }

    /// Something is to be done or watched over. Also an event that isn't
    /// forwarded is to be counted in the list, and trouble to be reported.
    fn waits(&self) -> bool {
        let has_work = self.has_replay() || self.has_rebuild() || self.has_discard();
        let has_news = self.health.waits(self.sequence.last()) || self.has_owed();
        self.has_unsettled() || has_work || has_news
    }

    /// Notes that the list of integrations has what it was told. True if
    /// nothing is left to do, not even to write the watermark: then the alarm
    /// is to be taken back, since an object that has forgotten all would
    /// announce itself again.
    pub fn announced(&mut self, told: &Announcement) -> Result<bool, SqlError> {
        let was_waiting = self.waits();
        if told.state.epoch == self.epoch {
            self.health.announced(told.state.last_seq);
        }
        if let Some(report) = &told.report {
            self.reported(report)?;
        }
        let is_stored = self.outbox.is_stored() && self.told.unstored().is_none();
        let is_done = is_stored && !self.waits();
        let is_last = was_waiting && is_done && self.alarm == Alarm::Set;
        if is_last {
            self.alarm = Alarm::None;
        }
        Ok(is_last)
    }

    /// Makes the next follow-up arm the alarm anew: after some attempts it is
    /// far away.
    pub(super) fn wake_sooner(&mut self) {
        self.alarm = Alarm::None;
    }

    fn arm(&mut self, now: Timestamp, random: u32) -> Timestamp {
        self.arm_at(pause(self.outbox.attempts(), now, random))
    }

    /// Notes that the alarm is to be set for `at`.
    pub(super) fn arm_at(&mut self, at: Timestamp) -> Timestamp {
        self.alarm = Alarm::Set;
        at
    }
}

/// The next wake-up after this many attempts: a minute, doubling up to a
/// quarter of an hour, and up to a quarter more at random.
fn pause(attempts: u32, now: Timestamp, random: u32) -> Timestamp {
    let doubled = WAKE_S.saturating_mul(1_u64.checked_shl(attempts).unwrap_or(u64::MAX));
    let pause_s = doubled.min(PAUSE_S_MAX);
    let jitter_s = u64::from(random).checked_rem(pause_s / 4).unwrap_or(0);
    now.plus_s(pause_s.saturating_add(jitter_s))
}
