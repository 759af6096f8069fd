//! A provider's API: what of it can be asked for, how, and what an answer
//! holds.
//!
//! Each kind has a file of its own and a line in `kinds!`. A source's
//! configuration chooses one. Nothing here asks: that is the connector's.

mod log;
mod setup;
pub mod subscriptions;

use std::borrow::Cow;

use crate::integration::encode_segment;
use crate::time::Timestamp;
pub use log::{LogPage, Logged, Stretch};
pub(crate) use setup::is_binding_name;
pub use setup::{Api, Backfill};
pub(crate) use setup::{URL_MUST, checked_url};
use subscriptions::{Change, Subscriptions};

macro_rules! kinds {
    ($($file:ident :: $name:ident),+ $(,)?) => {
        $(mod $file;)+
        /// Every kind of API there is.
        pub static KINDS: &[&dyn Kind] = &[$(&$file::$name),+];
    };
}

kinds! {
    propexo::Propexo,
}

/// One kind of API.
pub trait Kind: Sync {
    /// The name in a source's configuration.
    fn name(&self) -> &'static str;

    /// Where it is, unless the source says otherwise: without a slash at the end.
    fn default_url(&self) -> &'static str;

    /// The header that carries the key, and its value.
    fn authorization(&self, key: &str) -> (&'static str, String);

    /// All models that have a list, in the order in which they are read.
    fn listed(&self) -> Vec<&'static str>;

    /// Models that are known to send events and have neither list nor items.
    fn unreachable(&self) -> Vec<&'static str>;

    /// What can be asked for of a normalised model.
    fn reach(&self, model: &str) -> Reach;

    /// Path of one record; `None` if its model has no such path.
    fn item(&self, model: &str, id: &str) -> Option<String>;

    /// Path and query of a page of the list of `model` in `integration`; `None`
    /// if there is no list.
    fn page(&self, model: &str, integration: &str, query: &Query) -> Option<String>;

    /// What the answer for one record holds; `None` if it has another shape.
    fn read_item<'a>(&self, body: &'a str) -> Option<Row<'a>>;

    /// What the answer for a page holds; `None` if it has another shape.
    fn read_page<'a>(&self, body: &'a str) -> Option<Page<'a>>;

    /// Path and query of a page of the log of what has changed in `integration`;
    /// `None` if there is no log.
    fn log(&self, integration: &str, stretch: &Stretch) -> Option<String>;

    /// What the answer for a page of the log holds; `None` if it has another
    /// shape.
    fn read_log(&self, body: &str) -> Option<LogPage>;

    /// The events that webhooks can be registered for, each with our own word.
    fn events(&self) -> &'static [(&'static str, &'static str)];

    /// A normalised model as registrations have it.
    fn registered_name<'m>(&self, model: &'m str) -> Cow<'m, str>;

    /// The fewest characters of a webhook's secret.
    fn secret_chars_min(&self) -> usize;

    /// Path and query of a page of the webhooks that are registered, behind so
    /// many.
    fn subscriptions(&self, offset: usize) -> String;

    /// What the answer for it holds; `None` if it has another shape.
    fn read_subscriptions(&self, body: &str) -> Option<Subscriptions>;

    /// What registers a webhook with this `body`, or changes the one of that id.
    fn subscribe(&self, id: Option<&str>, body: String) -> Change;

    /// True if a refusal (status 400) says that a parameter isn't known.
    fn is_unknown_parameter(&self, body: &str) -> bool;
}

/// The kind called `name`.
pub fn named(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

/// Of a part of other records: where it names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The other record's model: `leases`.
    pub model: &'static str,
    /// The part's field that has its id: `lease_id`.
    pub field: &'static str,
}

/// How a model's records can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// There is a list of them.
    pub has_list: bool,
    /// One can be asked for by its id.
    pub has_item: bool,
    /// The list can't be limited to one integration: it gives all records that
    /// the key may see, and each says whose it is.
    pub is_shared: bool,
    /// The list can be limited to a property.
    pub is_by_property: bool,
    /// Records that they are parts of.
    pub parents: &'static [Parent],
    /// Why they can't be asked for by themselves; `None` if they can.
    pub why_not: Option<&'static str>,
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// In which order.
    pub order: Order,
    /// Only what has changed at this time or later, as the provider writes times.
    pub changed_from: Option<String>,
    /// Only what was last seen so.
    pub seen: Option<Seen>,
    /// Records to pass over.
    pub offset: u64,
    /// Records to give, at the most.
    pub limit: u32,
}

/// When the provider last saw a record in the system behind it, as it writes times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Not after this.
    Until(String),
    /// Not before this: of a property, if one is named and the list can be limited
    /// to it.
    From(String, Option<String>),
}

/// The order of a list. Records of the same time are ordered by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By the time of the last change, oldest first.
    Changed,
    /// By the time of the last change, newest first.
    ChangedLast,
    /// By the time of creation, oldest first.
    Created,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// Its records.
    pub rows: Vec<Row<'a>>,
    /// Whether more are behind it; `None` if it doesn't say.
    pub has_more: Option<bool>,
    /// Whether it says that it is ordered by the time of the last change; `None`
    /// if it says nothing of its order.
    pub is_by_change: Option<bool>,
}

/// A record in an answer.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The record as it was sent.
    pub json: &'a str,
    /// Its id.
    pub id: Cow<'a, str>,
    /// When it was last changed, as it was sent; `None` if it doesn't say.
    pub changed_at: Option<Cow<'a, str>>,
    /// Its integration; `None` if it doesn't say.
    pub integration: Option<Cow<'a, str>>,
    /// Its property; `None` if it doesn't say.
    pub property: Option<Cow<'a, str>>,
    /// When the provider last saw it, as it was sent; `None` if it doesn't say.
    pub last_seen: Option<Cow<'a, str>>,
}

impl Row<'_> {
    /// When it was last changed.
    pub fn changed(&self) -> Option<Timestamp> {
        Timestamp::parse(self.changed_at.as_deref()?)
    }
}

/// `time` as APIs take it: milliseconds, rounded down.
pub fn written(time: Timestamp) -> String {
    // 2026-03-02T08:00:00.000
    const TO_MILLISECONDS: usize = 23;
    let mut text = time.to_string();
    text.truncate(TO_MILLISECONDS);
    text.push('Z');
    text
}

/// `text` as a value in a query.
fn encoded(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(encode_segment(text))
}
