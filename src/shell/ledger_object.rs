//! The Durable Object: one ledger, its storage, its alarm and its way to the
//! queue.
//!
//! Every decision is the core's, made synchronously between two awaits; here
//! it is only carried out. The alarm's handler never fails: a failing alarm
//! is dropped by the platform after a few attempts, and the events with it.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::js_sys::{Array, Function, Uint8Array};

use super::log::{Level, Line};
use super::storage::ObjectStorage;
use super::{database, environment, error_text, give, glue, now, property, random, tasks};
use crate::ledger::replay::Reader;
use crate::ledger::{
    Announcement, CALL_FORMAT, Call, Effects, Ledger as Core, Outcome, Pack, Reply, check_format,
};
use crate::projection::{announcement, rebuilt};
use crate::sql::SqlError;
use crate::time::Timestamp;

/// Shortest time between two batches, in milliseconds. The first event of a
/// quiet integration goes out at once; a busy one's share their messages.
const BATCH_INTERVAL_MS: u32 = 1_000;
/// How long the queue may take to accept a batch, in milliseconds.
const QUEUE_MS_MAX: u32 = 10_000;
/// An alarm that should have gone off so long ago is lost, whatever the
/// storage says.
const ALARM_LATE_S: u64 = 10 * 60;

/// The class behind the binding `LEDGER`.
#[wasm_bindgen]
pub struct Ledger(Rc<Object>);

struct Object {
    storage: JsValue,
    env: JsValue,
    /// `None` until the storage could be read.
    core: RefCell<Option<Core<ObjectStorage>>>,
    /// A batch is on its way, or the pause before it isn't over.
    sending: Cell<bool>,
    /// A step of a rebuild is on its way to D1.
    rebuilding: Cell<bool>,
    /// When the next batch may go.
    next_batch_at: Cell<Timestamp>,
}

#[wasm_bindgen]
impl Ledger {
    /// Called by the platform with the object's state and the bindings.
    #[wasm_bindgen(constructor)]
    pub fn new(state: &JsValue, env: JsValue) -> Self {
        Self(Rc::new(Object {
            storage: property(state, "storage"),
            env,
            core: RefCell::new(None),
            sending: Cell::new(false),
            rebuilding: Cell::new(false),
            next_batch_at: Cell::default(),
        }))
    }

    /// Answers `calls`, in order, up to the first that fails. `done` gets the
    /// answers, null where there is no such thing; or `failed` gets why there
    /// are none. Who states a `format` gets that of the answers as the first of
    /// them.
    pub fn call(
        &self,
        calls: Vec<Uint8Array>,
        format: Option<f64>,
        done: Function,
        failed: Function,
    ) {
        let object = self.0.clone();
        tasks::start(async move {
            let (answers, why) = match check_format(format) {
                Ok(()) => object.call(&calls).await,
                Err(unknown) => (Vec::new(), Some(unknown.to_string())),
            };
            if let Some(why) = &why {
                let mut line = Line::new(Level::Error, "ledger call failed");
                line.reason = Some(why.clone());
                line.write();
            }
            match why {
                Some(why) if answers.is_empty() => give(&failed, &JsError::new(&why).into()),
                _ => {
                    let stated = format.map(|_| JsValue::from(CALL_FORMAT));
                    let answers = answers.into_iter().map(JsValue::from);
                    let answers: Array = stated.into_iter().chain(answers).collect();
                    give(&done, &answers.into());
                }
            }
        });
    }

    /// The safety net.
    pub fn alarm(&self) {
        self.0.wake();
    }
}

impl Object {
    /// The answers to `calls` before the first that fails, and why that does.
    async fn call(self: &Rc<Self>, calls: &[Uint8Array]) -> (Vec<Option<String>>, Option<String>) {
        let decoded = calls.iter().map(|call| Call::decode(call.to_vec()));
        let Some(mut calls) = decoded.collect::<Option<Vec<_>>>() else {
            return (Vec::new(), Some("not a call".to_owned()));
        };
        for call in &mut calls {
            call.set_filter(|source| environment::filter(&self.env, source));
        }
        // The first step is taken at once, the others by the alarm: no webhook
        // is to wait for one.
        let begins_replay = calls
            .iter()
            .any(|call| matches!(call, Call::Replay(_) | Call::Redrive { .. }));
        let rebuilds = calls
            .iter()
            .any(|call| matches!(call, Call::Rebuild | Call::Sweep { .. }));
        let begins_discard = calls.iter().any(|call| matches!(call, Call::Discard(_)));
        let sweeps = calls.iter().any(|call| matches!(call, Call::Sweep { .. }));
        if sweeps {
            self.note(Core::forget_alarm);
        }
        self.look_for_alarm().await;
        // From here to the end nothing is awaited: what is written and the
        // alarm that watches over it are durable together.
        let answered = self.with_core(|core| {
            let (replies, failed) = core.answer_all(calls, now());
            match failed {
                Some(error) if replies.is_empty() => Err(error),
                _ => Ok((replies, failed, core.follow_up(now(), random()))),
            }
        });
        let (replies, failed, effects) = match answered {
            Ok(answered) => answered,
            Err(error) => return (Vec::new(), Some(error.to_string())),
        };
        self.perform(effects);
        if begins_replay {
            self.replay();
        }
        if rebuilds {
            self.clone().rebuild_in_background();
        }
        if begins_discard {
            self.discard();
        }
        if sweeps {
            self.expire();
        }
        let answers = replies.into_iter().map(|reply| self.to_text(reply));
        (answers.collect(), failed.map(|error| error.to_string()))
    }

    fn to_text(&self, reply: Reply) -> Option<String> {
        if let Reply::Taken(taken) = &reply
            && let Outcome::Quarantined(why) = taken.outcome
        {
            self.log_quarantined(taken.seq, why.label());
        }
        reply.into_text()
    }

    /// Runs `work` on the core, opened if it isn't.
    fn with_core<T>(
        &self,
        work: impl FnOnce(&mut Core<ObjectStorage>) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        work(&mut *self.opened()?)
    }

    fn opened(&self) -> Result<RefMut<'_, Core<ObjectStorage>>, SqlError> {
        let mut core = self.core.borrow_mut();
        if core.is_none() {
            *core = Some(Core::open(ObjectStorage::new(self.storage.clone()))?);
        }
        RefMut::filter_map(core, Option::as_mut)
            .map_err(|_| SqlError("the ledger is not open".to_owned()))
    }

    /// Carries out what the core decided.
    fn perform(self: &Rc<Self>, effects: Effects) {
        if let Some(at) = effects.wake_at {
            self.arm(at);
        }
        if let Some(told) = effects.announce {
            let object = self.clone();
            tasks::start(async move { object.announce(&told).await });
        }
        if effects.forward {
            self.clone().forward_in_background();
        }
    }

    fn forward_in_background(self: Rc<Self>) {
        if !self.sending.replace(true) {
            tasks::start(async move {
                self.forward().await;
                self.sending.set(false);
            });
        }
    }

    /// Sends packs until everything is sent, enough is on its way, or the queue
    /// refuses; then a confirmation or the alarm goes on.
    async fn forward(&self) {
        while self.with_core(|core| Ok(core.may_send())) == Ok(true) {
            // The pause stands before a batch: behind the last one it would
            // keep the object awake for nothing.
            let pause_ms = self.next_batch_at.get().ms().saturating_sub(now().ms());
            if let Ok(ms @ 1..=BATCH_INTERVAL_MS) = u32::try_from(pause_ms) {
                glue::sleep(ms).await;
            }
            let batch = match self.with_core(|core| core.next_batch()) {
                Ok(batch) => batch,
                Err(error) => return warn("packs can't be read", error.to_string()),
            };
            if !batch.packs.is_empty()
                && let Err(error) = self.send(&batch.packs).await
            {
                self.note(Core::not_sent);
                return warn("the queue doesn't take packs", error_text(&error));
            }
            self.note(|core| core.sent(&batch, now()));
            // One pack that isn't full: let the next one fill.
            let fills = batch.packs.len() == 1;
            self.next_batch_at
                .set(now().plus_ms(if fills { BATCH_INTERVAL_MS } else { 0 }));
        }
    }

    async fn send(&self, packs: &[Pack]) -> Result<(), JsValue> {
        let texts: Array = packs
            .iter()
            .map(|pack| JsValue::from_str(&pack.text))
            .collect();
        glue::send_packs(&property(&self.env, "RECORDS"), texts, QUEUE_MS_MAX).await
    }

    /// Tells the core what has happened.
    fn note(&self, news: impl FnOnce(&mut Core<ObjectStorage>)) {
        let noted = self.with_core(|core| {
            news(core);
            Ok(())
        });
        if let Err(error) = noted {
            warn("the ledger can't be opened", error.to_string());
        }
    }

    fn wake(self: &Rc<Self>) {
        let effects = self.with_core(|core| core.wake(now(), random()));
        match effects {
            Ok(effects) => self.perform(effects),
            Err(error) => {
                warn("the alarm found the ledger unusable", error.to_string());
                self.arm(Core::<ObjectStorage>::wake_after_failure(
                    &error,
                    now(),
                    random(),
                ));
            }
        }
        self.replay();
        self.clone().rebuild_in_background();
        self.discard();
        self.expire();
    }

    /// Takes a step of the replay that was asked for, if one was. If that
    /// fails, the next alarm tries again.
    fn replay(self: &Rc<Self>) {
        let is_asked_for = self.with_core(|core| Ok(core.has_replay() && core.name().is_some()));
        if is_asked_for != Ok(true) {
            return;
        }
        let next = self.with_core(|core| {
            let name = core.name().map(|name| name.source.clone());
            let source = environment::settings(&self.env, &name.unwrap_or_default());
            let (dialect, filter) = source.ok_or_else(|| SqlError("no such source".to_owned()))?;
            let filter = &*filter;
            core.replay(&Reader { dialect, filter }, now())
        });
        match next {
            Ok(Some(at)) => self.arm(at),
            Ok(None) => {}
            Err(error) => warn("the replay stands still", error.to_string()),
        }
        if self.with_core(|core| Ok(core.may_send())) == Ok(true) {
            self.clone().forward_in_background();
        }
    }

    /// Takes a step of the rebuild that was asked for, if one was, and none is
    /// on its way.
    fn rebuild_in_background(self: Rc<Self>) {
        if self.with_core(|core| Ok(core.has_rebuild())) == Ok(true)
            && !self.rebuilding.replace(true)
        {
            tasks::start(async move {
                if let Err(why) = self.rebuild().await {
                    // The alarm takes the step again: it is set while one waits.
                    warn("the rebuild stands still", why);
                }
                self.rebuilding.set(false);
            });
        }
    }

    async fn rebuild(&self) -> Result<(), String> {
        let why = |error: SqlError| error.to_string();
        if let Some(part) = self.with_core(|core| core.next_part()).map_err(why)? {
            let written = database::run(&self.env, &rebuilt(&part, now())).await;
            let next = match &written {
                Ok(()) => self.with_core(|core| core.rebuilt(&part, now())),
                Err(_) => {
                    let probe = rebuilt(&part.without_records(), now());
                    let takes_others = database::run(&self.env, &probe).await.is_ok();
                    self.with_core(|core| core.refused(&part, takes_others, now()))
                }
            };
            if let Some(at) = next.map_err(why)? {
                self.arm(at);
            }
            written?;
        }
        Ok(())
    }

    /// Takes a step of the discard that was asked for, if one was. If that
    /// fails, the next alarm tries again.
    fn discard(&self) {
        let step = self.with_core(|core| Ok((core.discard(now())?, core.name().cloned())));
        match step {
            Ok((Some((progress, next)), name)) => {
                let mut line = Line::new(Level::Warn, "events discarded");
                if let Some(name) = name {
                    line.of(&name);
                }
                line.reason = Some(progress.to_json());
                line.write();
                if let Some(at) = next {
                    self.arm(at);
                }
            }
            Ok((None, _)) => {}
            Err(error) => warn("the discard stands still", error.to_string()),
        }
    }

    /// Lets old history go. If that fails, the next alarm tries again.
    fn expire(&self) {
        let next = self.with_core(|core| {
            let source = core.name().map(|name| name.source.as_str());
            let retention = environment::retention(&self.env, source.unwrap_or_default());
            core.expire(now(), &retention)
        });
        match next {
            Ok(Some(at)) => self.arm(at),
            Ok(None) => {}
            Err(error) => warn("old history stays", error.to_string()),
        }
    }

    /// Makes the integration known in D1, so that the API lists it and finds
    /// its ledger, and its trouble is seen.
    async fn announce(&self, told: &Announcement) {
        match database::run(&self.env, &announcement(told)).await {
            Ok(()) => {
                // What could not be noted, the alarm announces again.
                if self.with_core(|core| core.announced(told)) == Ok(true) {
                    self.disarm();
                }
            }
            Err(why) => warn("the integration can't be announced", why),
        }
    }

    fn arm(&self, at: Timestamp) {
        if let Err(error) = glue::arm(&self.storage, at.ms() as f64) {
            warn("the alarm can't be set", error_text(&error));
        }
    }

    fn disarm(&self) {
        if let Err(error) = glue::disarm(&self.storage) {
            warn("the alarm can't be taken back", error_text(&error));
        }
    }

    async fn look_for_alarm(&self) {
        if self.with_core(|core| Ok(core.asks_for_alarm())) == Ok(true) {
            let found = glue::armed_for(&self.storage).await;
            let late = now().minus_s(ALARM_LATE_S).ms() as f64;
            let is_set = found.is_ok_and(|time| time.as_f64().is_some_and(|ms| ms > late));
            self.note(|core| core.found_alarm(is_set));
        }
    }

    fn log_quarantined(&self, seq: u64, why: &str) {
        let name = self.with_core(|core| Ok(core.name().cloned()));
        let mut line = Line::new(Level::Warn, "event quarantined");
        if let Ok(Some(name)) = name {
            line.of(&name);
        }
        line.seq = Some(seq);
        line.reason = Some(why.to_owned());
        line.write();
    }
}

fn warn(message: &str, why: String) {
    let mut line = Line::new(Level::Warn, message);
    line.reason = Some(why);
    line.write();
}
