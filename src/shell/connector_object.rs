//! The Durable Object around a connector: its storage, its alarm, and its way
//! to the provider's API and to the ledgers.
//!
//! Every decision is the core's. Requests run side by side; what is lost with
//! the object is asked for again, because it is owed as before.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::js_sys::{Array, Function, Uint8Array};

use super::log::{Level, Line};
use super::storage::ObjectStorage;
use super::{
    database, environment, error_text, give, glue, ledger_client, now, property, random, tasks,
};
use crate::connector::{
    Answer, BODY_BYTES_MAX, Call, Connector as Core, Direct, DirectAnswer, Failure, Next, Request,
    Then,
};
use crate::integration::IntegrationId;
use crate::ledger::{self, Changes, Compared, Marked, Merged, Snapshots, Unseen};
use crate::provider::Api;
use crate::sql::SqlError;
use crate::time::Timestamp;

/// When to try again where the connector itself can't be used, in seconds.
const UNUSABLE_S: u64 = 60;

/// The class behind the binding `CONNECTOR`.
#[wasm_bindgen]
pub struct Connector(Rc<Object>);

struct Object {
    storage: JsValue,
    env: JsValue,
    /// `None` until the storage could be read, and after it has failed.
    core: RefCell<Option<Core<ObjectStorage>>>,
    /// What the alarm is known to be set for.
    armed: Cell<Option<Timestamp>>,
}

#[wasm_bindgen]
impl Connector {
    /// Called by the platform with the object's state and the bindings.
    #[wasm_bindgen(constructor)]
    pub fn new(state: &JsValue, env: JsValue) -> Self {
        Self(Rc::new(Object {
            storage: property(state, "storage"),
            env,
            core: RefCell::new(None),
            armed: Cell::new(None),
        }))
    }

    /// Answers `calls`, in order. `done` gets the answers, null where there is no
    /// such thing; `failed` gets why the first that failed did.
    pub fn call(&self, calls: Vec<String>, done: &Function, failed: &Function) {
        if let Some(direct) = calls.first().and_then(|call| Direct::decode(call)) {
            let (object, done) = (self.0.clone(), done.clone());
            tasks::start(async move {
                let answer = object.ask_directly(&direct).await.encode();
                give(&done, &Array::of1(&answer.into()).into());
                object.go_on();
            });
            return;
        }
        let answers: Result<Vec<_>, String> =
            calls.iter().map(|call| self.0.answer(call)).collect();
        self.0.go_on();
        match answers {
            Ok(answers) => {
                let answers: Array = answers.into_iter().map(JsValue::from).collect();
                give(done, &answers.into());
            }
            Err(why) => {
                warn("connector call failed", why.clone());
                give(failed, &JsError::new(&why).into());
            }
        }
    }

    /// Work is due, or the safety net.
    pub fn alarm(&self) {
        self.0.armed.set(None);
        let woken = self.0.with_core(|core, setups| core.wake(setups, now()));
        if let Err(why) = woken {
            warn("the connector can't be woken", why.to_string());
        }
        self.0.go_on();
    }
}

impl Object {
    fn answer(&self, call: &str) -> Result<Option<String>, String> {
        let call = Call::decode(call).ok_or("not a call")?;
        let answer = self.with_core(|core, setups| core.answer(call, setups, now()));
        answer.map_err(|error| error.to_string())
    }

    /// Runs `work` on the core, opened if it isn't, with how sources are set up.
    /// After an error it is opened anew.
    fn with_core<T>(
        &self,
        work: impl FnOnce(
            &mut Core<ObjectStorage>,
            &dyn Fn(&str) -> Option<Rc<Api>>,
        ) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let mut opened = self.core.borrow_mut();
        let mut core = match opened.take() {
            Some(core) => core,
            None => Core::open(ObjectStorage::new(self.storage.clone()))?,
        };
        let setups = |source: &str| environment::api(&self.env, source);
        let outcome = work(&mut core, &setups);
        if outcome.is_ok() {
            *opened = Some(core);
        }
        outcome
    }

    /// Hands out all requests that may be under way, and sets the alarm for what
    /// is next.
    fn go_on(self: &Rc<Self>) {
        let work_at = loop {
            match self.with_core(|core, setups| core.next(setups, now(), random())) {
                Ok(Next::Fetch(request)) => {
                    let object = self.clone();
                    tasks::start(async move {
                        object.ask(request).await;
                        object.go_on();
                    });
                }
                Ok(Next::Wait(at)) => break Some(at),
                Ok(Next::Nothing) => break None,
                Err(why) => {
                    warn("the connector can't be used", why.to_string());
                    break Some(now().plus_s(UNUSABLE_S));
                }
            }
        };
        self.report();
        let wake_at = self.with_core(|core, _| Ok(core.alarm_at(work_at)));
        if let Some(at) = wake_at.unwrap_or(work_at) {
            self.arm(at);
        }
    }

    /// Tells D1 how it stands, if that is due.
    fn report(self: &Rc<Self>) {
        let report = match self.with_core(|core, setups| core.report(setups, now())) {
            Ok(None) => return,
            Ok(Some(report)) => report,
            Err(why) => return warn("the connector can't be counted", why.to_string()),
        };
        let object = self.clone();
        tasks::start(async move {
            if let Err(why) = database::run(&object.env, &[report]).await {
                warn("counts not written", why);
                let noted = object.with_core(|core, _| {
                    core.unreported(now());
                    Ok(core.alarm_at(None))
                });
                if let Ok(Some(at)) = noted {
                    object.arm(at);
                }
            }
        });
    }

    /// Sets the alarm, unless it goes off before: then what is due is seen again.
    fn arm(&self, at: Timestamp) {
        let is_before = |armed: Timestamp| armed > now() && armed <= at;
        if self.armed.get().is_some_and(is_before) {
            return;
        }
        match glue::arm(&self.storage, at.ms() as f64) {
            Ok(()) => self.armed.set(Some(at)),
            Err(error) => warn("the alarm can't be set", error_text(&error)),
        }
    }

    /// Makes a request, and has its ledger merge what comes.
    async fn ask(&self, request: Request) {
        let ticket = request.ticket;
        let answer = self
            .fetch(&request.source, &request.path_and_query, ["GET", ""])
            .await;
        log_failure(&request, &answer);
        let then = self.with_core(|core, _| core.answered(ticket, answer, now(), random()));
        match then {
            Ok(Then::Merge(snapshots)) => {
                let merged = self.merge(snapshots).await;
                let noted = self.with_core(|core, _| core.merged(ticket, merged.as_ref(), now()));
                if let Err(why) = noted {
                    warn("what was merged can't be noted", why.to_string());
                }
            }
            Ok(Then::Mark(unseen)) => self.mark(ticket, unseen).await,
            Ok(Then::Compare(changes)) => self.compare(ticket, changes).await,
            Ok(Then::Done) => {}
            Err(why) => warn("an answer can't be taken in", why.to_string()),
        }
    }

    /// Makes a request by hand, if the pace has room for it.
    async fn ask_directly(&self, direct: &Direct) -> DirectAnswer {
        let asked_at = now();
        match self.with_core(|core, _| core.asks_directly(asked_at)) {
            Ok(None) => {}
            Ok(Some(until)) => return DirectAnswer::Paused(until.to_string()),
            Err(why) => return DirectAnswer::Failed(why.to_string()),
        }
        let sent = [direct.method.as_str(), direct.body.as_str()];
        let answer = self.fetch(&direct.source, &direct.path, sent).await;
        let times = [asked_at, now()];
        let noted =
            self.with_core(|core, _| core.was_answered(&direct.source, &answer, times, random()));
        if let Err(why) = noted {
            warn("an answer can't be noted", why.to_string());
        }
        DirectAnswer::of(answer)
    }

    async fn fetch(&self, source: &str, path: &str, sent: [&str; 2]) -> Answer {
        let api = environment::api(&self.env, source);
        let key = api
            .as_ref()
            .and_then(|api| environment::api_key(&self.env, api));
        let (Some(api), Some(key)) = (api, key) else {
            return Answer::Failed(Failure::NoKey);
        };
        let url = [api.url.as_str(), path].concat();
        let (name, value) = api.kind.authorization(&key);
        let answer = glue::ask_provider(&url, name, &value, BODY_BYTES_MAX as u32, sent).await;
        answer.map_or(Answer::Failed(Failure::Network), |answer| read(&answer))
    }

    async fn merge(&self, read: Snapshots) -> Option<Merged> {
        let of = read.of.clone();
        let call = ledger::Call::Merge { read, setup: None };
        Merged::parse(&self.ask_ledger(&of, &call).await?)
    }

    /// Has a ledger mark what is gone.
    async fn mark(&self, ticket: u64, unseen: Unseen) {
        let of = unseen.of.clone();
        let call = ledger::Call::Gone {
            unseen,
            setup: None,
        };
        let answer = self.ask_ledger(&of, &call).await;
        let marked = answer.and_then(|answer| Marked::parse(&answer));
        let noted = self.with_core(|core, _| core.marked(ticket, marked.as_ref(), now()));
        if let Err(why) = noted {
            warn("what was marked can't be noted", why.to_string());
        }
    }

    /// Has a ledger compare what the provider noticed with what came.
    async fn compare(&self, ticket: u64, read: Changes) {
        let of = read.of.clone();
        let call = ledger::Call::Compare { read, setup: None };
        let answer = self.ask_ledger(&of, &call).await;
        let compared = answer.and_then(|answer| Compared::parse(&answer));
        let noted = self.with_core(|core, _| core.compared(ticket, compared.as_ref(), now()));
        match noted {
            Ok(0) => {}
            Ok(lost) => {
                let mut line = Line::new(Level::Warn, "webhooks were lost");
                line.of(&of);
                line.outcome = Some("lost");
                line.reason = Some(format!(
                    "{lost} changes that the provider noticed never came"
                ));
                line.write();
            }
            Err(why) => warn("what was compared can't be noted", why.to_string()),
        }
    }

    async fn ask_ledger(&self, of: &IntegrationId, call: &ledger::Call) -> Option<String> {
        match ledger_client::ask(&self.env, of, call).await {
            Ok(answer) => answer,
            Err(why) => {
                let mut line = Line::new(Level::Warn, "the ledger doesn't take what was read");
                line.of(of);
                line.reason = Some(why);
                line.write();
                None
            }
        }
    }
}

/// Status, limit, what is left of it, and body; or a word for why there are none.
fn read(answer: &JsValue) -> Answer {
    if let Some(why) = answer.as_string() {
        return Answer::Failed(match why.as_str() {
            "timeout" => Failure::Timeout,
            "too_large" => Failure::TooLarge,
            "redirected" => Failure::Redirected,
            _ => Failure::Network,
        });
    }
    let parts: &Array = answer.unchecked_ref();
    let number = |at| {
        parts
            .get(at)
            .as_string()
            .and_then(|text| text.trim().parse().ok())
    };
    Answer::Response {
        status: parts.get(0).as_f64().unwrap_or(0.0) as u16,
        limit: number(1),
        remaining: number(2),
        body: parts.get(3).unchecked_into::<Uint8Array>().to_vec(),
    }
}

fn log_failure(request: &Request, answer: &Answer) {
    let reason = match answer {
        Answer::Response { status: 200, .. } => return,
        Answer::Response { status, .. } => format!("status {status}"),
        Answer::Failed(why) => why.label().to_owned(),
    };
    // The query holds ids of integrations, no secret.
    let mut line = Line::new(Level::Warn, &["GET ", &request.path_and_query].concat());
    line.source = Some(request.source.clone());
    line.outcome = Some("not_asked");
    line.reason = Some(reason);
    line.write();
}

fn warn(message: &str, why: String) {
    let mut line = Line::new(Level::Warn, message);
    line.reason = Some(why);
    line.write();
}
