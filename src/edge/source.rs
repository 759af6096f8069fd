//! Sources: who may send, in which dialect, and how long things count.
//!
//! They are configured in `wrangler.toml` under `[vars.SOURCES.<name>]`, and
//! reach the Worker as one JSON object. A source whose configuration
//! contradicts itself is refused, with a message that says how; the others
//! go on.

use std::fmt;
use std::rc::Rc;

use crate::dialect::event::{TEST_INTEGRATION, UNADDRESSED_INTEGRATION, is_usable_id};
use crate::dialect::filter::{self, Filter};
use crate::dialect::{self, Dialect};
use crate::integration::IntegrationId;
use crate::json::form::{Form, required};
use crate::json::{self, Object};
use crate::provider::{Api, is_binding_name};
use crate::signature::FUTURE_S;

/// How long an identical delivery counts as a repetition: 48 h, longer than
/// any provider retries (decision 5).
const DEDUPE_WINDOW_S: u64 = 48 * 3_600;
/// How many days the history keeps a confirmed event.
const RETENTION_DAYS: u64 = 30;
/// Ten years. Beyond it, a span is a slip of the keyboard.
const SPAN_S_MAX: u64 = 10 * 366 * 86_400;
/// Longest name of a source.
const NAME_BYTES_MAX: usize = 64;
const DAY_S: u64 = 86_400;

/// It doesn't repeat what was written: that may be the secret.
const SECRET_IS_NO_NAME: &str = "`secret` must have names of secret bindings: letters, digits \
     and `_`, no digit at first; the secret itself is set with `wrangler secret put`";

/// One configured sender.
#[derive(Clone)]
pub struct Source {
    /// Its name, the last part of `/webhooks/{source}`.
    pub name: String,
    /// How it signs and shapes what it sends.
    pub dialect: &'static dyn Dialect,
    /// Names of the secret bindings, all of them valid at once.
    pub secrets: Vec<String>,
    /// Where a delivery goes that names no integration.
    pub default_integration: String,
    /// How old a signed time may be, in seconds; `None` where none is signed.
    pub accepted_age_s: Option<u64>,
    /// How long an identical delivery counts as a repetition, in seconds.
    pub dedupe_window_s: u64,
    /// How long the history keeps a confirmed event, in days.
    pub retention_days: u64,
    /// What its owner wants to have.
    pub filter: Rc<Filter>,
    /// The API that can be asked for what it doesn't send; `None` if there is
    /// none.
    pub api: Option<Rc<Api>>,
}

impl Source {
    /// How long the history keeps a confirmed event, in seconds.
    pub fn retention_s(&self) -> u64 {
        self.retention_days.saturating_mul(DAY_S)
    }
}

/// Why a source can't be used: a sentence for whoever wrote the
/// configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfigured(String);

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All configured sources in the order of their names, each usable or not.
#[derive(Default, Clone)]
pub struct Sources(Vec<(String, Result<Source, Misconfigured>)>);

impl Sources {
    /// Reads the JSON of the variable `SOURCES`: an object of sources by name.
    /// The error is for a configuration that isn't one at all.
    pub fn parse(text: &str) -> Result<Self, Misconfigured> {
        let all = Object::parse(text).ok_or_else(|| {
            Misconfigured(
                "SOURCES is not a table of sources: configure each under [vars.SOURCES.<name>]"
                    .to_owned(),
            )
        })?;
        let mut sources = Vec::new();
        for (name, value) in all.iter() {
            let at = sources.partition_point(|(known, _): &(String, _)| known.as_str() < name);
            sources.insert(at, (name.to_owned(), source(name, value)));
        }
        Ok(Self(sources))
    }

    /// The source called `name`, if there is one.
    pub fn named(&self, name: &str) -> Option<&Result<Source, Misconfigured>> {
        let mut sources = self.0.iter();
        sources
            .find(|(known, _)| known == name)
            .map(|(_, source)| source)
    }

    /// All sources, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Result<Source, Misconfigured>)> {
        self.0.iter().map(|(name, source)| (name.as_str(), source))
    }
}

struct Settings {
    dialect: String,
    secret: String,
    default_integration: Option<String>,
    accepted_age_s: Option<u64>,
    dedupe_window_s: Option<u64>,
    retention_days: Option<u64>,
    models: Option<Vec<String>>,
    events: Option<Vec<String>>,
    properties: Option<Vec<String>>,
    api: Option<Api>,
}

impl Settings {
    fn read(value: &json::Value) -> Result<Self, String> {
        let table = Object::parse(value.get()).ok_or("its settings are not a table")?;
        let known = [
            "dialect",
            "secret",
            "default_integration",
            "accepted_age_s",
            "dedupe_window_s",
            "retention_days",
            "models",
            "events",
            "properties",
            "api",
        ];
        let api = table.value("api").filter(|value| !json::is_null(value));
        let api = api.map(Api::parse).transpose()?;
        let form = Form::new(table, &known)?;
        let text = |name| form.text(name).and_then(|text| required(name, text));
        Ok(Self {
            dialect: text("dialect")?,
            secret: text("secret")?,
            default_integration: form.text("default_integration")?,
            accepted_age_s: form.number("accepted_age_s")?,
            dedupe_window_s: form.number("dedupe_window_s")?,
            retention_days: form.number("retention_days")?,
            models: form.texts("models")?,
            events: form.texts("events")?,
            properties: form.texts("properties")?,
            api,
        })
    }
}

fn source(name: &str, value: &json::Value) -> Result<Source, Misconfigured> {
    let refuse = |why: String| Misconfigured(format!("source `{name}`: {why}"));
    if !is_usable_name(name) {
        return Err(refuse(format!(
            "a name has 1 to {NAME_BYTES_MAX} lower-case letters, digits, `-` and `_`"
        )));
    }
    let mut settings = Settings::read(value).map_err(refuse)?;
    let dialect = dialect::named(&settings.dialect).ok_or_else(|| {
        let known: Vec<_> = dialect::DIALECTS.iter().map(|d| d.name()).collect();
        // What was written may be a secret in the wrong place.
        refuse(format!(
            "unknown dialect; expected one of {}",
            known.join(", ")
        ))
    })?;
    let secrets: Vec<String> = settings
        .secret
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if secrets.is_empty() {
        return Err(refuse("`secret` names no secret binding".to_owned()));
    }
    if !secrets.iter().all(|name| is_binding_name(name)) {
        return Err(refuse(SECRET_IS_NO_NAME.to_owned()));
    }
    let default_integration = settings
        .default_integration
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    if !is_usable_id(&default_integration) {
        return Err(refuse(
            "`default_integration` is not a usable id".to_owned(),
        ));
    }
    let taken = [
        (TEST_INTEGRATION, "for test events"),
        (
            UNADDRESSED_INTEGRATION,
            "for what names an integration that can't be read",
        ),
    ];
    if let Some((own, what)) = taken.iter().find(|(own, _)| default_integration == *own) {
        return Err(refuse(format!(
            "`default_integration` can't be `{own}`, which is {what}"
        )));
    }
    let spans = spans(&settings, dialect).map_err(refuse)?;
    // Of an integration that its owner has not named the provider knows nothing.
    let is_named = settings.default_integration.is_some();
    let unnamed = (!is_named).then_some(default_integration.as_str());
    let api = settings.api.take();
    let filter = filter(settings).map_err(refuse)?;
    let api = api.map(|api| Rc::new(api.within(filter.models.clone(), unnamed)));
    Ok(Source {
        name: name.to_owned(),
        dialect,
        secrets,
        default_integration,
        accepted_age_s: spans.accepted_age_s,
        dedupe_window_s: spans.dedupe_window_s,
        retention_days: spans.retention_days,
        filter: Rc::new(filter),
        api,
    })
}

struct Spans {
    accepted_age_s: Option<u64>,
    dedupe_window_s: u64,
    retention_days: u64,
}

/// The three spans, each long enough for the one before: a replayed request
/// is either too old or a duplicate only if the window outlasts the accepted
/// age, counted from the furthest future a signed time may have.
fn spans(settings: &Settings, dialect: &dyn Dialect) -> Result<Spans, String> {
    let accepted_age_s = match (settings.accepted_age_s, dialect.accepted_age_s()) {
        (Some(_), None) => {
            return Err(format!(
                "`accepted_age_s` has no meaning for dialect `{}`, which signs no time",
                dialect.name()
            ));
        }
        (Some(0), _) => return Err("`accepted_age_s` must be at least 1".to_owned()),
        (set, default) => set.or(default),
    };
    if settings.dedupe_window_s == Some(0) {
        return Err("`dedupe_window_s` must be at least 1".to_owned());
    }
    let window_s_min = accepted_age_s.map_or(1, |age_s| age_s.saturating_add(FUTURE_S));
    let dedupe_window_s = settings
        .dedupe_window_s
        .unwrap_or(DEDUPE_WINDOW_S.max(window_s_min));
    if dedupe_window_s < window_s_min {
        return Err(format!(
            "`dedupe_window_s` is {dedupe_window_s}, but must be at least {window_s_min}: \
             accepted age and {FUTURE_S} s of clock difference, or a request could be replayed"
        ));
    }
    let days_min = dedupe_window_s.div_ceil(DAY_S);
    let retention_days = settings
        .retention_days
        .unwrap_or(RETENTION_DAYS.max(days_min));
    if retention_days < days_min {
        return Err(format!(
            "`retention_days` is {retention_days}, but must be at least {days_min}: \
             the history is what duplicates are recognised by"
        ));
    }
    if dedupe_window_s.max(retention_days.saturating_mul(DAY_S)) > SPAN_S_MAX {
        return Err("no span may be longer than ten years".to_owned());
    }
    Ok(Spans {
        accepted_age_s,
        dedupe_window_s,
        retention_days,
    })
}

fn filter(settings: Settings) -> Result<Filter, String> {
    let lists = [
        ("models", &settings.models),
        ("events", &settings.events),
        ("properties", &settings.properties),
    ];
    for (name, list) in lists {
        if let Some(list) = list {
            filter::check(name, list)?;
        }
    }
    Ok(Filter::new(
        settings.models,
        settings.events,
        settings.properties,
    ))
}

/// True if an integration can be called so.
pub fn is_usable(of: &IntegrationId) -> bool {
    is_usable_name(&of.source) && is_usable_id(&of.integration)
}

/// True if a source can be called `name`: lower-case letters, digits, `-` and
/// `_`, at most [`NAME_BYTES_MAX`] of them.
pub(crate) fn is_usable_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}
