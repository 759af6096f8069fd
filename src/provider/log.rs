//! A provider's log of changes: what it noticed, whether or not a webhook told
//! of it.

use crate::dialect::event::model_name;
use crate::json::{self, Object, Value, Writer};
use crate::time::Timestamp;

/// Names that a change may have in place of its fields.
const SIDES: [&str; 4] = ["previous", "new", "old", "before"];

/// A change in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Normalised model: `leases`.
    pub model: String,
    /// The record's id.
    pub id: String,
    /// The record is new; else it was changed.
    pub is_new: bool,
    /// When the provider noticed it.
    pub at: Timestamp,
    /// The job that did; `None` if it doesn't say.
    pub job: Option<String>,
    /// The values after it, a JSON object; `None` if they can't be told.
    pub values: Option<String>,
}

/// A stretch of the log, and a page of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From here on.
    pub after: Timestamp,
    /// Up to here. Nothing more comes into it, so that a page stays where it is.
    pub before: Timestamp,
    /// Changes to pass over.
    pub offset: u64,
    /// Changes to give, at the most.
    pub limit: u32,
}

/// A page of the log.
#[derive(Debug, Clone)]
pub struct LogPage {
    /// How many changes it has.
    pub rows: usize,
    /// Those that name a record and a time.
    pub changes: Vec<Logged>,
    /// Whether more are behind them; `None` if it doesn't say.
    pub has_more: Option<bool>,
}

impl Logged {
    /// As it crosses to a ledger, JSON.
    pub fn to_json(&self) -> String {
        Writer::default()
            .text("model", &self.model)
            .text("id", &self.id)
            .flag("new", self.is_new)
            .time("at", self.at)
            .text_or_null("job", self.job.as_deref())
            .raw("values", self.values.as_deref().unwrap_or("null"))
            .end()
    }

    /// Reads [`Logged::to_json`]; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let names = ["model", "id", "new", "at", "job", "values"];
        let [model, id, is_new, at, job, values] = json::pick(text, &names)?;
        let values = values.filter(|value| !json::is_null(value));
        Some(Self {
            model: json::text(model?)?.into_owned(),
            id: json::text(id?)?.into_owned(),
            is_new: json::flag(is_new?)?,
            at: Timestamp::parse(&json::text(at?)?)?,
            job: job.and_then(json::text).map(Into::into),
            values: values.map(|values| values.get().to_owned()),
        })
    }
}

/// One of Propexo's data-diffs; `None` if it names no record, or no time.
pub(super) fn data_diff(json: &str) -> Option<Logged> {
    let [model, id, event_type, at, job, diff] = json::pick(
        json,
        &[
            "model",
            "model_record_id",
            "event_type",
            "created_at",
            "job_id",
            "data_diff",
        ],
    )?;
    Some(Logged {
        model: model_name(&json::text(model?)?),
        id: json::id(id?)?.into_owned(),
        is_new: json::text(event_type?)? == "NEW",
        at: Timestamp::parse(&json::text(at?)?)?,
        job: job.and_then(json::id).map(Into::into),
        values: diff.and_then(new_values),
    })
}

/// What a change leaves behind. Its shape is documented nowhere: it may have what
/// was before and what is new, for all fields or for each, or what is new alone.
fn new_values(diff: &Value) -> Option<String> {
    let diff = Object::parse(diff.get())?;
    if let Some(new) = new_side(&diff) {
        return Object::parse(new.get()).map(|new| new.to_json());
    }
    let of_each = diff.iter().map(|(name, value)| {
        let sides = Object::parse(value.get())?;
        new_side(&sides).map(|new| (name, new))
    });
    if let Some(of_each) = of_each.collect::<Option<Vec<_>>>() {
        let field = |json: Writer, (name, new): &(&str, &Value)| json.field(name, &[new.get()]);
        return Some(of_each.iter().fold(Writer::default(), field).end());
    }
    Some(diff.to_json())
}

/// What is new, of an object that says that and what was before, and no more.
fn new_side<'a>(sides: &Object<'a>) -> Option<&'a Value> {
    let is_all = sides.iter().all(|(name, _)| SIDES.contains(&name));
    sides.value("new").filter(|_| is_all)
}
