//! The Durable Object: one ledger, its storage, its alarm and its way to the
//! queue.
//!
//! Every decision is the core's, made synchronously between two awaits; here
//! it is only carried out. The alarm's handler never fails: a failing alarm
//! is dropped by the platform after a few attempts, and the events with it.

use std::cell::{Cell, RefCell, RefMut};
use std::ops::Deref;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::js_sys::{Array, Function, Uint8Array};

use super::log::{Level, Line};
use super::storage::ObjectStorage;
use super::{
    connector_client, database, environment, error_text, give, glue, now, property, random, tasks,
};
use crate::ledger::{
    Announcement, CALL_FORMAT, Call, Effects, Ledger as Core, Next, Outcome, Pack, Reply,
    check_format,
};
use crate::projection::{RebuildStep, announcement};
use crate::sql::SqlError;
use crate::time::Timestamp;

/// How long the queue may take to accept a batch, in milliseconds.
const QUEUE_MS_MAX: u32 = 10_000;
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
    /// The connector is being told, or the wait before it isn't over.
    telling: Cell<bool>,
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
            telling: Cell::new(false),
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

/// An object while it does something. That ends with this, also where its task is
/// dropped as lost.
struct Busy {
    object: Rc<Object>,
    flag: fn(&Object) -> &Cell<bool>,
}

impl Deref for Busy {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        (self.flag)(&self.object).set(false);
    }
}

impl Object {
    /// The answers to `calls` before the first that fails, and why that does.
    async fn call(self: &Rc<Self>, calls: &[Uint8Array]) -> (Vec<Option<String>>, Option<String>) {
        let decoded = calls.iter().map(|call| Call::decode(call.to_vec()));
        let Some(calls) = decoded.collect::<Option<Vec<_>>>() else {
            return (Vec::new(), Some("not a call".to_owned()));
        };
        if self.with_core(|core| Ok(core.asks_for_alarm_before(&calls))) == Ok(true) {
            let found = glue::armed_for(&self.storage).await;
            let at = found.ok().and_then(|time| time.as_f64());
            let at = at.map(|ms| Timestamp::from_ms(ms as i64));
            self.note(|core| core.found_alarm_at(at, now()));
        }
        // From here to the end nothing is awaited: what is written and the
        // alarm that watches over it are durable together.
        let answered = self.with_core(|core| {
            let setup = |source: &str| environment::setup(&self.env, source);
            core.answer_calls(calls, &setup, now(), random())
        });
        match answered {
            Ok(answered) => {
                self.perform(answered.effects);
                let replies = answered.replies.into_iter();
                let answers = replies.map(|reply| self.to_text(reply)).collect();
                (answers, answered.failed.map(|error| error.to_string()))
            }
            Err(error) => (Vec::new(), Some(error.to_string())),
        }
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
        for (what, why) in effects.troubles {
            warn(what, why.to_string());
        }
        if let Some(progress) = effects.discarded {
            let mut line = self.line(Level::Warn, "events discarded");
            line.reason = Some(progress.to_json());
            line.write();
        }
        if let Some(told) = effects.announce {
            let object = self.clone();
            tasks::start(async move { object.announce(&told).await });
        }
        if effects.forward
            && let Some(object) = self.begin(|object| &object.sending)
        {
            tasks::start(async move { object.forward().await });
        }
        if effects.tell
            && let Some(object) = self.begin(|object| &object.telling)
        {
            tasks::start(async move {
                if let Err(why) = object.tell().await {
                    // The alarm tells it again: it is set while something is owed.
                    warn("the connector can't be told", why);
                }
            });
        }
        if effects.rebuild
            && let Some(object) = self.begin(|object| &object.rebuilding)
        {
            tasks::start(async move {
                if let Err(why) = object.rebuild().await {
                    // The alarm takes the step again: it is set while one waits.
                    warn("the rebuild stands still", why);
                }
            });
        }
    }

    /// Begins what goes on once at a time; `None` while it does.
    fn begin(self: &Rc<Self>, flag: fn(&Self) -> &Cell<bool>) -> Option<Busy> {
        let is_busy = flag(self).replace(true);
        (!is_busy).then(|| Busy {
            object: self.clone(),
            flag,
        })
    }

    /// Sends packs until everything is sent, enough is on its way, or the queue
    /// refuses; then a confirmation or the alarm goes on.
    async fn forward(&self) {
        loop {
            match self.with_core(|core| core.next_send(now())) {
                Ok(Next::Nothing) => return,
                Ok(Next::Wait(ms)) => glue::sleep(ms).await,
                Ok(Next::Send(batch)) => {
                    if let Err(error) = self.send(&batch.packs).await {
                        self.note(Core::not_sent);
                        return warn("the queue doesn't take packs", error_text(&error));
                    }
                    self.note(|core| core.sent(&batch, now()));
                }
                Err(error) => return warn("packs can't be read", error.to_string()),
            }
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
        let effects = self.with_core(|core| {
            let setup = |source: &str| environment::setup(&self.env, source);
            Ok(core.go_off(&setup, now(), random()))
        });
        match effects {
            Ok(effects) => self.perform(effects),
            Err(error) => {
                warn("the ledger can't be opened", error.to_string());
                let at = Core::<ObjectStorage>::wake_after_failure(&error, now(), random());
                self.arm(at);
            }
        }
    }

    /// Tells the connector of the source what is owed.
    async fn tell(&self) -> Result<(), String> {
        let why = |error: SqlError| error.to_string();
        while let Some(ms) = self
            .with_core(|core| Ok(core.tells_in_ms(now())))
            .map_err(why)?
        {
            if ms > 0 {
                glue::sleep(ms).await;
                continue;
            }
            let owed = self.with_core(|core| {
                let source = core.name().map(|name| name.source.clone());
                let setup = environment::setup(&self.env, &source.unwrap_or_default());
                core.next_owed(&setup)
            });
            let Some(owed) = owed.map_err(why)? else {
                break;
            };
            connector_client::tell(&self.env, &owed).await?;
            self.note(|core| core.told(owed.seq, owed.epoch));
        }
        Ok(())
    }

    /// Takes a step of the rebuild that was asked for, if one was.
    async fn rebuild(&self) -> Result<(), String> {
        let why = |error: SqlError| error.to_string();
        if let Some(part) = self.with_core(|core| core.next_part()).map_err(why)? {
            let mut step = RebuildStep::new(part);
            while let Some(statements) = step.statements(now()) {
                step.ran(database::run(&self.env, &statements).await);
            }
            let next = self.with_core(|core| step.end(core, now()));
            if let Some(at) = next.map_err(why)? {
                self.arm(at);
            }
            return step.refused().map_or(Ok(()), Err);
        }
        Ok(())
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

    fn log_quarantined(&self, seq: u64, why: &str) {
        let mut line = self.line(Level::Warn, "event quarantined");
        line.seq = Some(seq);
        line.reason = Some(why.to_owned());
        line.write();
    }

    /// A line of the log about this ledger.
    fn line(&self, level: Level, message: &str) -> Line {
        let mut line = Line::new(level, message);
        if let Ok(Some(name)) = self.with_core(|core| Ok(core.name().cloned())) {
            line.of(&name);
        }
        line
    }
}

fn warn(message: &str, why: String) {
    let mut line = Line::new(Level::Warn, message);
    line.reason = Some(why);
    line.write();
}
