//! What a source's owner wants to have: filters by model, event and property.
//!
//! What a filter leaves out is kept in the history as ignored, with the
//! reason, so that a replay under another filter can bring it in.

use std::borrow::Cow;

use super::event::{Change, Content, Event, Subject, model_name};
use crate::json::Object;

/// Why an event is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Its record's model is not among `models`.
    Model,
    /// Neither its name nor its kind is among `events`.
    Event,
    /// Its record belongs to a property that is not among `properties`.
    Property,
    /// Its record belongs to no property that is known, and only linked
    /// properties are wanted.
    NoProperty,
}

impl Ignored {
    /// The word for it in the ledger and the history.
    pub fn label(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Event => "event",
            Self::Property => "property",
            Self::NoProperty => "no_property",
        }
    }
}

/// The filters of a source. Each is a list of names, of which one with `*` at
/// its end stands for all that begin so; a filter that isn't there lets
/// everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Models of records. Events about no record are not concerned.
    pub models: Option<Vec<String>>,
    /// The provider's names of events, or kinds such as `record.created`.
    pub events: Option<Vec<String>>,
    /// Ids of linked properties. Events about no record are not concerned.
    pub properties: Option<Vec<String>>,
}

impl Filter {
    /// Filters by the names as they are configured.
    pub fn new(
        models: Option<Vec<String>>,
        events: Option<Vec<String>>,
        properties: Option<Vec<String>>,
    ) -> Self {
        Self {
            models: models.map(model_patterns),
            events,
            properties,
        }
    }

    /// True if the property `id` is linked.
    pub fn has_linked(&self, id: &str) -> bool {
        self.properties
            .as_ref()
            .is_none_or(|linked| lists(linked, id))
    }

    /// True if `event` is one of those that the lists of models and events name,
    /// whatever property it is about.
    pub fn selects(&self, event: &Event) -> bool {
        self.has_event(event)
            && event
                .subject()
                .is_none_or(|subject| self.has_model(subject))
    }

    fn has_event(&self, event: &Event) -> bool {
        let is_listed = |events: &Vec<String>| {
            let name = event.name.as_deref();
            name.is_some_and(|name| lists(events, name)) || lists(events, event.kind.name())
        };
        self.events.as_ref().is_none_or(is_listed)
    }

    fn has_model(&self, subject: &Subject) -> bool {
        let models = self.models.as_ref();
        models.is_none_or(|models| lists(models, &subject.model))
    }

    /// Why `event` is left out; `None` if it is wanted. `known` gives the
    /// fields of its record, if there are any: an event may not state the
    /// property that its record belongs to, or the one that it leaves.
    pub fn ignores<'a>(
        &self,
        event: &Event,
        known: impl FnOnce() -> Option<Object<'a>>,
    ) -> Option<Ignored> {
        // What was asked for is no event of the provider's.
        let is_asked_for =
            matches!(&event.content, Content::Record(_, change) if change.is_asked_for());
        if !is_asked_for && !self.has_event(event) {
            return Some(Ignored::Event);
        }
        let Content::Record(subject, change) = &event.content else {
            return None;
        };
        if !self.has_model(subject) {
            return Some(Ignored::Model);
        }
        let wanted = self.properties.as_ref()?;
        let stated = properties(event, subject, change);
        if stated.iter().any(|id| lists(wanted, id)) {
            return None;
        }
        // A record that is known under a linked property may be leaving it.
        let fields = if subject.model == PROPERTIES {
            None
        } else {
            known()
        };
        match fields.and_then(|fields| fields.id(PROPERTY_ID)) {
            Some(known) if lists(wanted, &known) => None,
            None if stated.is_empty() => Some(Ignored::NoProperty),
            _ => Some(Ignored::Property),
        }
    }
}

/// Names of models as records have them, from names as a provider writes them;
/// one with `*` at its end stays the beginning of names.
pub fn model_patterns(names: Vec<String>) -> Vec<String> {
    let pattern = |name: String| match name.strip_suffix('*') {
        Some(start) => format!(
            "{}*",
            start
                .trim_start()
                .to_ascii_lowercase()
                .replace(['-', ' '], "_")
        ),
        None => model_name(&name),
    };
    names.into_iter().map(pattern).collect()
}

/// Refuses a filter that nobody can mean, in a sentence.
pub fn check(filter: &str, names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err(format!(
            "`{filter}` is empty, so that nothing would get through; leave it out for everything"
        ));
    }
    let is_odd = |name: &&String| {
        let start = name.strip_suffix('*').unwrap_or(name);
        name.is_empty() || start.contains('*')
    };
    match names.iter().find(is_odd) {
        None => Ok(()),
        Some(name) => Err(format!(
            "`{filter}` has the name {name:?}; a name isn't empty, and may have `*` at its end only"
        )),
    }
}

const PROPERTY_ID: &str = "property_id";
/// The model whose records are properties.
const PROPERTIES: &str = "properties";

/// True if a record's `fields` say to which property it belongs.
pub fn is_placed(fields: &Object) -> bool {
    fields.id(PROPERTY_ID).is_some()
}

/// The property that `event` says its record belongs to.
pub fn property<'a>(event: &Event<'a>) -> Option<Cow<'a, str>> {
    match &event.content {
        Content::Record(subject, change) => properties(event, subject, change).into_iter().next(),
        Content::Control(_) => None,
    }
}

/// The properties that an event says its record belongs to or did before, the
/// present one first: a record that leaves a linked property is still of
/// interest.
fn properties<'a>(
    event: &Event<'a>,
    subject: &Subject<'a>,
    change: &Change<'a>,
) -> Vec<Cow<'a, str>> {
    if subject.model == PROPERTIES {
        return vec![subject.record_id.clone()];
    }
    let stated = match change {
        Change::Whole { fields, changes } => {
            let changes = changes.and_then(|changes| Object::parse(changes.get()));
            let left = changes.and_then(|changes| changes.object(PROPERTY_ID)?.id("old"));
            [fields.id(PROPERTY_ID), left]
        }
        Change::Sparse(fields) | Change::Read(fields) => [fields.id(PROPERTY_ID), None],
        Change::Gone(_) => [None, None],
        Change::Diff {
            previous,
            new,
            rest,
        } => {
            let now = new.id(PROPERTY_ID).or_else(|| rest.id(PROPERTY_ID));
            [now, previous.id(PROPERTY_ID)]
        }
    };
    let stated: Vec<_> = stated.into_iter().flatten().collect();
    if stated.is_empty() {
        event.property.iter().cloned().collect()
    } else {
        stated
    }
}

/// True if one of `names` is `name`, or its beginning, with `*` behind it.
pub fn lists(names: &[String], name: &str) -> bool {
    names.iter().any(|listed| match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => listed == name,
    })
}
