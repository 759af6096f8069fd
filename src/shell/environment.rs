//! Sources and secrets, read from the bindings once an isolate.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::js_sys::JSON;

use super::log::{Level, Line};
use super::property;
use crate::connector;
use crate::edge::secret::{self, Binding, Listed, Noted};
use crate::edge::source::{Source, Sources};
use crate::ledger::{Retention, Setup};
use crate::provider::Api;
use crate::time::Timestamp;

/// A source that can be used.
pub struct Ready {
    pub source: Source,
    /// Values of its secrets; none is empty.
    pub secrets: Vec<String>,
    noted: RefCell<Noted>,
}

impl Ready {
    /// The secret at `position`, if its use `now` is to be written down.
    pub fn to_note(&self, position: u32, now: Timestamp) -> Option<&str> {
        let index = usize::try_from(position).ok()?.checked_sub(1)?;
        let secret = self.secrets.get(index)?;
        let due = self.noted.borrow_mut().is_due(position, now);
        due.then_some(secret)
    }
}

/// Why a source can't be used.
pub enum NotReady {
    /// It isn't configured.
    Unknown,
    /// It is, but not so that it can be used: why, for the log.
    Misconfigured(String),
}

thread_local! {
    static SOURCES: RefCell<Option<Rc<Result<Sources, String>>>> = const { RefCell::new(None) };
    static READY: RefCell<Vec<Rc<Ready>>> = const { RefCell::new(Vec::new()) };
    /// What is wrong with usable sources, by name, and isn't logged yet.
    static WARNINGS: RefCell<Option<Vec<(String, String)>>> = const { RefCell::new(None) };
}

/// The source called `name`, with its secrets.
pub fn source(env: &JsValue, name: &str) -> Result<Rc<Ready>, NotReady> {
    let known = |all: &Vec<Rc<Ready>>| all.iter().find(|ready| ready.source.name == name).cloned();
    if let Some(ready) = READY.with_borrow(known) {
        return Ok(ready);
    }
    let sources = sources(env);
    let sources = sources
        .as_ref()
        .as_ref()
        .map_err(|why| NotReady::Misconfigured(why.clone()))?;
    let source = match sources.named(name) {
        None => return Err(NotReady::Unknown),
        Some(Err(why)) => return Err(NotReady::Misconfigured(why.to_string())),
        Some(Ok(source)) => source.clone(),
    };
    let secrets = secrets(env, &source).map_err(NotReady::Misconfigured)?;
    let ready = Rc::new(Ready {
        source,
        secrets,
        noted: RefCell::default(),
    });
    READY.with_borrow_mut(|all| all.push(ready.clone()));
    warn_of(env, name);
    Ok(ready)
}

/// Logs what is wrong with the source called `name`, though it can be used:
/// once an isolate.
fn warn_of(env: &JsValue, name: &str) {
    let find = |listed: &[Listed], _: Option<&str>| {
        let usable = listed.iter().filter(|listed| listed.usable);
        usable
            .filter_map(|listed| Some((listed.name.to_owned(), listed.problem.clone()?)))
            .collect()
    };
    let problem = WARNINGS.with_borrow_mut(|known| {
        let all = known.get_or_insert_with(|| with_all(env, find));
        let position = all.iter().position(|(of, _)| of == name)?;
        Some(all.swap_remove(position).1)
    });
    if problem.is_some() {
        let mut line = Line::new(Level::Warn, "source with a problem");
        line.source = Some(name.to_owned());
        line.reason = problem;
        line.write();
    }
}

/// How the source called `name` is set up today. The history of one that can't
/// be used is kept for ever, while there is room: it may come back.
pub fn setup(env: &JsValue, name: &str) -> Setup {
    let of = |source: &Source| Setup {
        dialect: Some(source.dialect),
        filter: source.filter.clone(),
        retention: Retention::new(source.retention_s(), source.dedupe_window_s),
        api: source.api.clone(),
    };
    with_source(env, name, of).unwrap_or_else(|| Setup {
        dialect: None,
        filter: Rc::default(),
        retention: Retention::new(u64::MAX, u64::MAX),
        api: None,
    })
}

fn with_source<T>(env: &JsValue, name: &str, work: impl FnOnce(&Source) -> T) -> Option<T> {
    let sources = sources(env);
    let source = sources.as_ref().as_ref().ok()?.named(name)?;
    source.as_ref().ok().map(work)
}

/// The API of the source called `name`, if it has one.
pub fn api(env: &JsValue, name: &str) -> Option<Rc<Api>> {
    with_source(env, name, |source| source.api.clone()).flatten()
}

/// All sources with an API, each with the name of its connector.
pub fn connected(env: &JsValue) -> Vec<(String, String)> {
    let sources = sources(env);
    let all = sources.iter().flat_map(Sources::iter);
    let connected = all.filter_map(|(name, source)| {
        let api = source.as_ref().ok()?.api.as_ref()?;
        Some((name.to_owned(), connector::name(api)))
    });
    connected.collect()
}

/// Its key: the first value of its binding, if that is set.
pub fn api_key(env: &JsValue, api: &Api) -> Option<String> {
    let text = property(env, &api.key).as_string().unwrap_or_default();
    secret::values(&text).next().map(str::to_owned)
}

/// What `give` makes of all configured sources, usable or not; and if the
/// configuration is none at all, why.
pub fn with_all<T>(env: &JsValue, give: impl FnOnce(&[Listed], Option<&str>) -> T) -> T {
    let sources = sources(env);
    let sources = match sources.as_ref() {
        Ok(sources) => sources,
        Err(why) => return give(&[], Some(why)),
    };
    let listed = sources.iter().map(|(name, source)| {
        let bindings = source.as_ref().map(|source| bindings(env, source));
        Listed::new(name, source.as_ref(), bindings.unwrap_or_default())
    });
    let mut listed: Vec<_> = listed.collect();
    secret::note_shared(&mut listed, &api_tokens(env));
    give(&listed, None)
}

/// True if a source called `name` is configured, usable or not.
pub fn is_configured(env: &JsValue, name: &str) -> bool {
    let sources = sources(env);
    let sources = sources.as_ref().as_ref();
    sources.is_ok_and(|sources| sources.named(name).is_some())
}

/// What `give` makes of the names of all configured sources, usable or not.
pub fn with_names<T>(env: &JsValue, give: impl FnOnce(Vec<&str>) -> T) -> T {
    match sources(env).as_ref() {
        Ok(sources) => give(sources.iter().map(|(name, _)| name).collect()),
        Err(_) => give(Vec::new()),
    }
}

/// The API's tokens, all of them valid at once, as the values of a secret are.
pub fn api_tokens(env: &JsValue) -> Vec<String> {
    let text = property(env, "API_TOKEN").as_string().unwrap_or_default();
    secret::values(&text).map(str::to_owned).collect()
}

/// The name of the dead-letter queue, where one is configured.
pub fn dead_letter_queue(env: &JsValue) -> Option<String> {
    property(env, "DEAD_LETTER_QUEUE")
        .as_string()
        .filter(|name| !name.is_empty())
}

fn sources(env: &JsValue) -> Rc<Result<Sources, String>> {
    SOURCES.with_borrow_mut(|known| {
        known
            .get_or_insert_with(|| {
                let json = JSON::stringify(&property(env, "SOURCES")).ok();
                let json = json.and_then(|json| json.as_string()).unwrap_or_default();
                Rc::new(Sources::parse(&json).map_err(|why| why.to_string()))
            })
            .clone()
    })
}

/// The values of a source's secrets. A binding that holds none makes the source
/// unusable.
fn secrets(env: &JsValue, source: &Source) -> Result<Vec<String>, String> {
    let bindings = bindings(env, source);
    match secret::missing(&source.name, &bindings) {
        Some(why) => Err(why),
        None => Ok(bindings
            .into_iter()
            .flat_map(|binding| binding.values)
            .collect()),
    }
}

fn bindings(env: &JsValue, source: &Source) -> Vec<Binding> {
    let read = |name: &String| {
        let text = property(env, name).as_string().unwrap_or_default();
        Binding::new(name, &text)
    };
    source.secrets.iter().map(read).collect()
}
