//! Webhooks as they are registered at a provider, beside what is wanted of them.

use std::borrow::Cow;

use super::Kind;
use crate::dialect::event::model_name;
use crate::dialect::filter::{Filter, lists};
use crate::json::{Writer, list, quoted, texts_or_null};

/// A webhook that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The provider's id of it.
    pub id: String,
    /// Where it sends.
    pub url: String,
    /// It sends.
    pub is_active: bool,
    /// What it signs with; `None` if that isn't told.
    pub secret: Option<String>,
    /// What it tells of.
    pub triggers: Vec<Trigger>,
    /// Its own headers, JSON.
    pub headers: String,
}

/// An event that webhooks tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// As the provider calls it: `DATA_NEW`.
    pub name: String,
    /// Of records of this model alone, as the provider calls it.
    pub model: Option<String>,
}

/// A page of them.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    /// Those of the page.
    pub all: Vec<Subscription>,
    /// Whether more are behind them.
    pub has_more: bool,
}

/// A request that registers or changes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `POST` or `PUT`.
    pub method: &'static str,
    /// Behind the API's URL.
    pub path: String,
    /// JSON. It has the secret.
    pub body: String,
}

/// What is wanted.
#[derive(Clone)]
pub struct Wanted<'a> {
    /// Our own address.
    pub url: String,
    /// Valid secrets of the source; the first one is for what is registered anew.
    pub secrets: &'a [String],
    /// Names of events.
    pub events: Vec<&'static str>,
    /// Normalised models; `None` for all.
    pub models: Option<Vec<String>>,
}

/// What is registered, and how it differs from what is wanted.
pub struct Compared<'a> {
    wanted: &'a Wanted<'a>,
    own: Vec<&'a Subscription>,
    foreign: usize,
    /// What nobody tells of, as wanted: of all models, or of a normalised one.
    pub missing: Vec<Trigger>,
}

/// The names of events among `kind`'s that `asked` stands for, by the provider's
/// name or ours; without it those of records and synchronisations that the
/// source's `filter` lets through. The ends of synchronisations in any case:
/// they lead to reading what was lost. `None` if one of `asked` stands for none.
pub fn events(
    kind: &dyn Kind,
    asked: Option<&[String]>,
    filter: &Filter,
) -> Option<Vec<&'static str>> {
    let all = kind.events();
    let is = |pattern: &String, (name, own): &(&str, &str)| {
        let pattern = std::slice::from_ref(pattern);
        lists(pattern, name) || lists(pattern, own)
    };
    let usual = |(_, own): &(&str, &str)| own.starts_with("record.") || own.starts_with("sync.");
    let chosen = |event: &&(&'static str, &'static str)| match (asked, &filter.events) {
        (Some(asked), _) => asked.iter().any(|pattern| is(pattern, event)),
        (None, Some(taken)) => {
            event.1.starts_with("sync.") || taken.iter().any(|pattern| is(pattern, event))
        }
        (None, None) => usual(event),
    };
    let is_known = |pattern: &String| all.iter().any(|event| is(pattern, event));
    if !asked.unwrap_or_default().iter().all(is_known) {
        return None;
    }
    Some(all.iter().filter(chosen).map(|(name, _)| *name).collect())
}

/// The models that `patterns` stand for, normalised; `None` for all.
pub fn models(kind: &dyn Kind, patterns: Option<&[String]>) -> Option<Vec<String>> {
    let patterns = patterns?;
    if patterns.iter().any(|name| name == "*") {
        return None;
    }
    let known = kind.listed().into_iter().chain(kind.unreachable());
    let mut models: Vec<String> = (known.filter(|model| lists(patterns, model)))
        .map(str::to_owned)
        .collect();
    // One that is in no list may be there all the same.
    for name in patterns.iter().filter(|name| !name.ends_with('*')) {
        if !models.contains(name) {
            models.push(name.clone());
        }
    }
    Some(models)
}

impl Subscription {
    fn is_of(&self, url: &str) -> bool {
        self.url.trim_end_matches('/') == url.trim_end_matches('/')
    }

    fn is_signed(&self, secrets: &[String]) -> bool {
        let own = self.secret.as_ref();
        own.is_none_or(|own| secrets.contains(own))
    }

    /// True if it does what it is for.
    fn is_right(&self, secrets: &[String]) -> bool {
        self.is_active && self.is_signed(secrets)
    }

    fn tells(&self, wanted: &Trigger, is_about_records: bool) -> bool {
        self.triggers.iter().any(|own| {
            let is_model = match (&own.model, &wanted.model) {
                (None, _) => true,
                (Some(own), Some(wanted)) => model_name(own) == *wanted,
                (Some(_), None) => !is_about_records,
            };
            own.name == wanted.name && is_model
        })
    }

    /// The model of all its events, where that is one and the same; what has more
    /// can't be said to the provider.
    fn only_model(&self) -> Option<Option<&str>> {
        let first = self.triggers.first()?.model.as_deref();
        let mut all = self.triggers.iter();
        all.all(|one| one.model.as_deref() == first)
            .then_some(first)
    }
}

impl<'a> Compared<'a> {
    /// Compares what is `registered` with what is `wanted`.
    pub fn new(kind: &dyn Kind, registered: &'a [Subscription], wanted: &'a Wanted<'a>) -> Self {
        let (own, others): (Vec<_>, Vec<_>) =
            registered.iter().partition(|it| it.is_of(&wanted.url));
        let mut missing = Vec::new();
        for name in &wanted.events {
            let is_about_records = is_about_records(kind, name);
            let models = match &wanted.models {
                Some(models) if is_about_records => models.iter().cloned().map(Some).collect(),
                _ => vec![None],
            };
            for model in models {
                let trigger = Trigger {
                    name: (*name).to_owned(),
                    model,
                };
                let told = |one: &&Subscription| {
                    one.is_right(wanted.secrets) && one.tells(&trigger, is_about_records)
                };
                if !own.iter().any(told) {
                    missing.push(trigger);
                }
            }
        }
        Self {
            wanted,
            own,
            foreign: others.len(),
            missing,
        }
    }

    /// What puts it right: own ones that are wrong are changed, and what is
    /// missing then is registered anew. Nobody else's is touched, and none is
    /// deleted.
    pub fn changes(&self, kind: &dyn Kind) -> Vec<Change> {
        let secret = self.wanted.secrets.first().map_or("", String::as_str);
        let mut changes = Vec::new();
        let mut repaired = Vec::new();
        for own in self
            .own
            .iter()
            .filter(|own| !own.is_right(self.wanted.secrets))
        {
            if let Some(model) = own.only_model() {
                let events: Vec<&str> = own.triggers.iter().map(|one| one.name.as_str()).collect();
                let body = body(&self.wanted.url, &events, model, secret, &own.headers);
                changes.push(kind.subscribe(Some(&own.id), body));
                repaired.push(own);
            }
        }
        let mut rest = self.missing.iter().filter(|missing| {
            let is_about_records = is_about_records(kind, &missing.name);
            !repaired
                .iter()
                .any(|own| own.tells(missing, is_about_records))
        });
        let mut groups: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
        rest.by_ref().for_each(|missing| {
            let model = missing.model.as_deref();
            match groups.iter_mut().find(|(known, _)| *known == model) {
                Some((_, events)) => events.push(&missing.name),
                None => groups.push((model, vec![&missing.name])),
            }
        });
        for (model, events) in groups {
            let model = model.map(|model| kind.registered_name(model));
            let body = body(&self.wanted.url, &events, model.as_deref(), secret, "[]");
            changes.push(kind.subscribe(None, body));
        }
        changes
    }

    /// How it stands, as the API's answer, after so many changes. No secret is in
    /// it.
    pub fn to_json(&self, changed: u64) -> String {
        let trigger = |one: &Trigger| {
            Writer::default()
                .text("event", &one.name)
                .text_or_null("model", one.model.as_deref())
                .end()
        };
        let own = self.own.iter().map(|own| {
            Writer::default()
                .text("id", &own.id)
                .flag("active", own.is_active)
                .flag("secret_matches", own.is_signed(self.wanted.secrets))
                .flag("changeable", own.only_model().is_some())
                .raw("tells", &list(own.triggers.iter().map(trigger)))
                .end()
        });
        let events = self.wanted.events.iter().map(|name| quoted(name));
        let is_right = |own: &&Subscription| own.is_right(self.wanted.secrets);
        Writer::default()
            .text("url", &self.wanted.url)
            .raw("events", &list(events))
            .raw("models", &texts_or_null(&self.wanted.models))
            .flag(
                "complete",
                self.missing.is_empty() && self.own.iter().all(is_right),
            )
            .number("changed", changed)
            .raw("own", &list(own))
            .raw("missing", &list(self.missing.iter().map(trigger)))
            .number("foreign", self.foreign as u64)
            .end()
    }
}

fn is_about_records(kind: &dyn Kind, name: &str) -> bool {
    let mut events = kind.events().iter();
    events.any(|(event, own)| *event == name && own.starts_with("record."))
}

/// The body of a request that registers a webhook.
fn body(url: &str, events: &[&str], model: Option<&str>, secret: &str, headers: &str) -> String {
    Writer::default()
        .text("url", url)
        .raw("triggers", &list(events.iter().map(|name| quoted(name))))
        .maybe_text("model", model)
        .text("secret", secret)
        .flag("active", true)
        .raw("headers", headers)
        .end()
}

/// A model as a provider with such `exceptions` calls it, each with our name first.
pub(super) fn called<'m>(model: &'m str, exceptions: &[(&str, &'static str)]) -> Cow<'m, str> {
    let other = exceptions.iter().find(|(own, _)| *own == model);
    Cow::Borrowed(other.map_or(model, |(_, name)| name))
}
