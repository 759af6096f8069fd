//! The API of a source as it is configured: `[vars.SOURCES.<name>.api]`.

use super::{Kind, named};
use crate::dialect::event::is_aside;
use crate::dialect::filter::lists;
use crate::json::form::{Form, required};
use crate::json::{self, Object, Value, is_null, texts};

/// Of the 150 that a contract allows, so many that no answer is delayed, which
/// happens from 80 % on; the rest is for the owner's own programs.
const REQUESTS_PER_MINUTE: u64 = 118;
/// More than any contract is known to allow.
const REQUESTS_PER_MINUTE_MAX: u64 = 6_000;
/// As in the provider's own example of how to find what is gone.
const GONE_AFTER_DAYS: u64 = 30;
const GONE_AFTER_DAYS_MAX: u64 = 3_660;
/// What a key must be, without repeating what was written: that may be the key.
const KEY_IS_NO_NAME: &str = "`api.key` must be the name of a secret binding: letters, digits and \
     `_`, no digit at first; the key itself is set with `wrangler secret put`";

/// The API of a source.
#[derive(Clone)]
pub struct Api {
    /// How it is asked.
    pub kind: &'static dyn Kind,
    /// Where it is, without a slash at the end.
    pub url: String,
    /// Name of the secret binding that has its key.
    pub key: String,
    /// Requests of a minute at which to stop, those of the owner's other
    /// programs included.
    pub requests_per_minute: u32,
    /// Models whose records are asked for after each event, `*` at the end for
    /// all that begin so.
    pub hydrate: Vec<String>,
    /// What is read whole after a first synchronisation.
    pub backfill: Backfill,
    /// After each synchronisation and once a day, what has changed is read.
    pub reconcile: bool,
    /// After how many days in which no synchronisation saw it a record counts as
    /// gone.
    pub gone_after_days: u64,
    /// Models that the source takes, `*` at the end for all that begin so; `None`
    /// for all.
    models: Option<Vec<String>>,
    /// The name for deliveries that name no integration, where it is none of the
    /// provider's.
    unnamed: Option<String>,
}

/// Which models are backfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backfill {
    /// None.
    Off,
    /// All that are hydrated.
    Wanted,
    /// These, `*` at the end for all that begin so.
    Models(Vec<String>),
}

impl Api {
    /// Reads the table `api` of a source; or says what is wrong with it.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let table = Object::parse(value.get()).ok_or("`api` is not a table of settings")?;
        let backfill = backfill(&table)?;
        let form = Form::new(
            table,
            &[
                "kind",
                "url",
                "key",
                "requests_per_minute",
                "hydrate",
                "backfill",
                "reconcile",
                "gone_after_days",
            ],
        );
        let form = form.map_err(|why| ["`api`: ", &why].concat())?;
        let inside = |why: String| ["`api`: ", &why].concat();
        let text = |name| form.text(name).map_err(inside);
        let kind = required("api.kind", text("kind")?)?;
        // What was written may be the key in the wrong place.
        let kind = named(&kind).ok_or_else(|| {
            let known: Vec<_> = super::KINDS.iter().map(|kind| kind.name()).collect();
            ["unknown `api.kind`; expected one of ", &known.join(", ")].concat()
        })?;
        let key = required("api.key", text("key")?)?;
        if key.is_empty() || !is_binding_name(&key) {
            return Err(KEY_IS_NO_NAME.to_owned());
        }
        let number = |name, otherwise: u64, most: u64| {
            let number = form.number(name).map_err(inside)?.unwrap_or(otherwise);
            in_range(name, number, most)
        };
        let per_minute = number(
            "requests_per_minute",
            REQUESTS_PER_MINUTE,
            REQUESTS_PER_MINUTE_MAX,
        )?;
        // Whoever names an API wants whole records: that is what it is for.
        let hydrate = form.texts("hydrate").map_err(inside)?;
        let hydrate = hydrate.unwrap_or_else(|| vec!["*".to_owned()]);
        check_names("hydrate", &hydrate)?;
        Ok(Self {
            kind,
            url: url(text("url")?, kind)?,
            key,
            requests_per_minute: u32::try_from(per_minute).unwrap_or(u32::MAX),
            hydrate,
            backfill,
            reconcile: form.flag("reconcile").map_err(inside)?.unwrap_or(true),
            gone_after_days: number("gone_after_days", GONE_AFTER_DAYS, GONE_AFTER_DAYS_MAX)?,
            models: None,
            unnamed: None,
        })
    }

    /// As it is for a source that takes only those `models`, and calls an
    /// integration that isn't named `unnamed`; `None` if that is one of the
    /// provider's.
    pub fn within(mut self, models: Option<Vec<String>>, unnamed: Option<&str>) -> Self {
        self.models = models;
        self.unnamed = unnamed.map(str::to_owned);
        self
    }

    /// True if the provider can be asked about `integration`.
    pub fn knows(&self, integration: &str) -> bool {
        !is_aside(integration) && self.unnamed.as_deref() != Some(integration)
    }

    /// True if the source takes records of `model`.
    pub fn takes(&self, model: &str) -> bool {
        let models = self.models.as_ref();
        models.is_none_or(|models| lists(models, model))
    }

    /// True if records of `model` are asked for after each of their events.
    pub fn hydrates(&self, model: &str) -> bool {
        lists(&self.hydrate, model) && self.takes(model)
    }

    /// True if all records of `model` are to be had.
    pub fn backfills(&self, model: &str) -> bool {
        match &self.backfill {
            Backfill::Off => false,
            Backfill::Wanted => self.hydrates(model),
            Backfill::Models(names) => lists(names, model) && self.takes(model),
        }
    }

    /// Models with a list that are wanted in any way.
    pub fn wanted(&self) -> impl Iterator<Item = &'static str> {
        let models = self.kind.listed().into_iter();
        models.filter(|model| self.hydrates(model) || self.backfills(model))
    }
}

/// `backfill`: a flag or a list of models.
fn backfill(table: &Object) -> Result<Backfill, String> {
    let Some(value) = table.value("backfill").filter(|value| !is_null(value)) else {
        return Ok(Backfill::Wanted);
    };
    if let Some(is_on) = json::flag(value) {
        return Ok(if is_on {
            Backfill::Wanted
        } else {
            Backfill::Off
        });
    }
    let names = texts(value).ok_or("`api.backfill` must be true, false or a list of models")?;
    check_names("backfill", &names)?;
    Ok(Backfill::Models(names))
}

fn check_names(setting: &str, names: &[String]) -> Result<(), String> {
    let is_odd = |name: &&String| {
        let start = name.strip_suffix('*').unwrap_or(name);
        name.is_empty() || start.bytes().any(|b| !b.is_ascii_lowercase() && b != b'_')
    };
    match names.iter().find(is_odd) {
        None => Ok(()),
        Some(_) => Err(format!(
            "`api.{setting}` must have models as Leasewire calls them, such as `leases`: \
             lower-case letters and `_`, and `*` at the end only"
        )),
    }
}

fn in_range(name: &str, number: u64, most: u64) -> Result<u64, String> {
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("`api.{name}` must be between 1 and {most}"))
}

/// Where the API is.
fn url(stated: Option<String>, kind: &dyn Kind) -> Result<String, String> {
    let stated = stated.unwrap_or_else(|| kind.default_url().to_owned());
    let url = checked_url(&stated).map(str::to_owned);
    url.ok_or_else(|| ["`api.url` ", URL_MUST].concat())
}

/// What [`checked_url`] wants.
pub(crate) const URL_MUST: &str = "must begin with `https://`, or for trying with \
     `http://localhost` or `http://127.0.0.1`, and have neither user, query nor fragment";

/// `url` without a slash at its end, if it can be an address. Without encryption only on
/// the machine itself, for trying.
pub(crate) fn checked_url(url: &str) -> Option<&str> {
    let url = url.trim_end_matches('/');
    let host = |rest: &str| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_clean = !host.is_empty() && !rest.contains(['@', '?', '#', ' ', '\\']);
        is_clean.then(|| host.split(':').next().unwrap_or_default().to_owned())
    };
    let is_good = if let Some(rest) = url.strip_prefix("https://") {
        host(rest).is_some_and(|host| !host.is_empty())
    } else if let Some(rest) = url.strip_prefix("http://") {
        host(rest).is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1"))
    } else {
        false
    };
    is_good.then_some(url)
}

/// What a binding of a Worker can be called. A secret itself seldom can.
pub(crate) fn is_binding_name(name: &str) -> bool {
    let is_odd = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'_';
    !name.bytes().any(is_odd) && !name.starts_with(|first: char| first.is_ascii_digit())
}
