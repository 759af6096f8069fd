//! What the object around a ledger does at a call, at an alarm and between two
//! batches. The Durable Object runs it and so does the simulation; to them is
//! left to carry out the effects.

use super::call::{Call, Reply};
use super::outbox::forward::Batch;
use super::replay::Reader;
use super::setup::Setup;
use super::{Effects, Ledger};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// What became of calls that came together.
pub struct Answered {
    /// The answers to those before the first that failed.
    pub replies: Vec<Reply>,
    /// Why that failed.
    pub failed: Option<SqlError>,
    /// What is to be done then.
    pub effects: Effects,
}

/// What is next on the way to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until something is confirmed or the alarm goes off.
    Nothing,
    /// So many milliseconds.
    Wait(u32),
    /// This: then [`Ledger::sent`], or [`Ledger::not_sent`].
    Send(Batch),
}

/// Work of which a step is taken at once; the alarm takes the others, so that
/// no webhook waits for more than one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Work {
    replay: bool,
    rebuild: bool,
    discard: bool,
    expire: bool,
}

impl Work {
    const ALL: Self = Self {
        replay: true,
        rebuild: true,
        discard: true,
        expire: true,
    };

    fn of(calls: &[Call]) -> Self {
        let any = |is: fn(&Call) -> bool| calls.iter().any(is);
        let sweeps = asks_for_sweep(calls);
        Self {
            replay: any(|call| matches!(call, Call::Replay(_) | Call::Redrive { .. })),
            rebuild: sweeps || any(|call| matches!(call, Call::Rebuild)),
            discard: any(|call| matches!(call, Call::Discard(_))),
            expire: sweeps,
        }
    }
}

fn asks_for_sweep(calls: &[Call]) -> bool {
    calls.iter().any(|call| matches!(call, Call::Sweep { .. }))
}

impl<S: Sql> Ledger<S> {
    /// To be called before `calls` are answered. True if the host is to look
    /// first whether an alarm is set, and say so with
    /// [`found_alarm_at`](Self::found_alarm_at).
    pub fn asks_for_alarm_before(&mut self, calls: &[Call]) -> bool {
        if asks_for_sweep(calls) {
            self.forget_alarm();
        }
        self.asks_for_alarm()
    }

    /// Answers `calls`, in order, up to the first that fails, and begins the
    /// work that they ask for. `setup` returns how a source is set up. An error
    /// if not even the first is answered: then nothing is to be done.
    pub fn answer_calls(
        &mut self,
        mut calls: Vec<Call>,
        setup: &dyn Fn(&str) -> Setup,
        now: Timestamp,
        random: u32,
    ) -> Result<Answered, SqlError> {
        for call in &mut calls {
            call.set_up(setup);
        }
        let source = self.name.as_ref().map(|name| name.source.as_str());
        if let Some(source) = source.or_else(|| calls.iter().find_map(Call::source)) {
            self.told.set_wanted(setup(source).api.is_some());
        }
        let work = Work::of(&calls);
        let (replies, failed) = self.answer_all(calls, now);
        if replies.is_empty()
            && let Some(error) = failed
        {
            return Err(error);
        }
        // The replies stand, whatever becomes of the work.
        let mut effects = self.follow_up(now, random);
        self.work(work, setup, now, &mut effects);
        Ok(Answered {
            replies,
            failed,
            effects,
        })
    }

    /// The alarm has gone off. Whatever fails is tried again with the next one:
    /// it never fails itself.
    pub fn go_off(
        &mut self,
        setup: &dyn Fn(&str) -> Setup,
        now: Timestamp,
        random: u32,
    ) -> Effects {
        if let Some(name) = &self.name {
            self.told.set_wanted(setup(&name.source).api.is_some());
        }
        let mut effects = match self.wake(now, random) {
            Ok(effects) => effects,
            Err(error) => {
                let at = Self::wake_after_failure(&error, now, random);
                let mut effects = Effects::default();
                effects.wake_by(Some(self.arm_at(at)));
                effects.troubled("the alarm found the ledger unusable", error);
                effects
            }
        };
        self.work(Work::ALL, setup, now, &mut effects);
        effects
    }

    /// Takes a step of each kind of `work` that waits. What fails the next alarm
    /// tries again.
    fn work(
        &mut self,
        work: Work,
        setup: &dyn Fn(&str) -> Setup,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if work == Work::default() {
            return;
        }
        let Some(setup) = self.name.as_ref().map(|name| setup(&name.source)) else {
            return;
        };
        if work.replay && self.has_replay() {
            match self.replay_step(&setup, now) {
                Ok(at) => effects.wake_by(at),
                Err(error) => effects.troubled("the replay stands still", error),
            }
            effects.forward |= self.may_send();
        }
        effects.rebuild |= work.rebuild && self.has_rebuild();
        if work.discard {
            match self.discard(now) {
                Ok(Some((progress, at))) => {
                    effects.discarded = Some(progress);
                    effects.wake_by(at);
                }
                Ok(None) => {}
                Err(error) => effects.troubled("the discard stands still", error),
            }
        }
        if work.expire {
            match self.expire(now, &setup.retention) {
                Ok(at) => effects.wake_by(at),
                Err(error) => effects.troubled("old history stays", error),
            }
        }
    }

    fn replay_step(
        &mut self,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SqlError> {
        let dialect = setup.dialect;
        let dialect = dialect.ok_or_else(|| SqlError("no such source".to_owned()))?;
        let reader = Reader {
            dialect,
            filter: &setup.filter,
        };
        self.replay(&reader, now)
    }

    /// What goes to the queue next. To be asked again after each pause, and
    /// after each batch that the queue has taken.
    pub fn next_send(&mut self, now: Timestamp) -> Result<Next, SqlError> {
        while self.may_send() {
            if let Some(ms) = self.outbox.flight().pause_ms(now) {
                return Ok(Next::Wait(ms));
            }
            let batch = self.next_batch()?;
            if !batch.packs.is_empty() {
                return Ok(Next::Send(batch));
            }
            self.sent(&batch, now);
        }
        Ok(Next::Nothing)
    }
}

impl Effects {
    /// Sets the alarm for `at`, unless it is set for an earlier time.
    fn wake_by(&mut self, at: Option<Timestamp>) {
        self.wake_at = match (self.wake_at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn troubled(&mut self, what: &'static str, why: SqlError) {
        self.troubles.push((what, why));
    }
}
