//! A source's secrets: whether they are set, and when each was last used, so
//! that one can see when the old one of a rotation may go. Never a value.
//!
//! The last use belongs to a value, which may change its position from one
//! deployment to the next. So it is kept by the value's fingerprint, and a
//! position shows the one of the value that it has now.

use serde::Serialize;

use crate::json;
use crate::projection::Statement;
use crate::signature::fingerprint;
use crate::source::Source;
use crate::sql::Value;
use crate::time::Timestamp;

/// A use is written down at most this often, for each isolate and secret: a
/// row for each webhook would cost as much as the webhook's record.
pub const NOTE_INTERVAL_S: u64 = 10 * 60;

/// A secret binding, and the values it holds.
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Its values, none of them empty.
    pub values: Vec<String>,
}

impl Binding {
    /// Reads the binding's text: values separated by white space.
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            values: text.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

/// Why a source with these bindings can't be used, if it can't.
pub fn missing(source: &str, bindings: &[Binding]) -> Option<String> {
    let empty = bindings.iter().find(|binding| binding.values.is_empty())?;
    let name = &empty.name;
    Some(format!(
        "source `{source}`: the secret {name} is missing or empty; set it with \
         `wrangler secret put {name}`, locally in .dev.vars"
    ))
}

/// When the uses of a source's secrets were last written down, by position.
#[derive(Default)]
pub struct Noted(Vec<(u32, Timestamp)>);

impl Noted {
    /// True if a use at `now` is to be written down, which is then taken as
    /// done: an attempt that fails isn't repeated with every webhook.
    pub fn is_due(&mut self, position: u32, now: Timestamp) -> bool {
        let recent = |at: Timestamp| (at..at.plus_s(NOTE_INTERVAL_S)).contains(&now);
        let due = !self.0.iter().any(|(of, at)| *of == position && recent(*at));
        if due {
            self.0.retain(|(of, _)| *of != position);
            self.0.push((position, now));
        }
        due
    }
}

/// The D1 statement that writes down a use of `secret`.
pub fn note(source: &str, secret: &str, now: Timestamp) -> Statement {
    // Times are compared without their `Z`, so that `…:00` comes before `…:00.5`.
    let sql = "INSERT INTO secrets_used (source, fingerprint, last_used_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (source, fingerprint) DO UPDATE SET last_used_at = excluded.last_used_at
               WHERE rtrim(excluded.last_used_at, 'Z') > rtrim(last_used_at, 'Z')";
    Statement {
        sql,
        params: vec![
            Value::Text(source.to_owned()),
            Value::Text(fingerprint(source, secret.as_bytes())),
            Value::Text(now.to_string()),
        ],
    }
}

/// The D1 statement for all uses.
pub fn select_uses() -> Statement {
    Statement {
        sql: "SELECT source, fingerprint, last_used_at FROM secrets_used",
        params: Vec::new(),
    }
}

/// A configured source with what its bindings hold.
pub struct Listed<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its settings; `None` if they are refused.
    pub source: Option<&'a Source>,
    /// Its secrets.
    pub bindings: Vec<Binding>,
    /// Why it can't be used, if it can't.
    pub problem: Option<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    sources: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    #[serde(flatten)]
    settings: Option<Settings<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Settings<'a> {
    dialect: &'static str,
    default_integration: &'a str,
    accepted_age_s: Option<u64>,
    dedupe_window_s: u64,
    retention_days: u64,
    filters: Filters<'a>,
    secrets: Vec<Secret<'a>>,
}

/// Null lets everything through.
#[derive(Serialize)]
struct Filters<'a> {
    models: Option<&'a [String]>,
    events: Option<&'a [String]>,
    properties: Option<&'a [String]>,
}

#[derive(Serialize)]
struct Secret<'a> {
    binding: &'a str,
    set: bool,
    values: Vec<Use<'a>>,
}

#[derive(Serialize)]
struct Use<'a> {
    position: usize,
    last_used_at: Option<&'a str>,
}

/// The answer for `GET /v1/sources`, from D1's rows of [`select_uses`] as
/// JSON; `None` if they are not that. `problem` is for a configuration that
/// is none at all.
pub fn page(sources: &[Listed], problem: Option<&str>, rows: &str) -> Option<String> {
    let rows: Vec<(String, String, String)> = serde_json::from_str(rows).ok()?;
    let sources = sources.iter().map(|listed| Entry {
        name: listed.name,
        settings: listed
            .source
            .map(|source| settings(source, &listed.bindings, &rows)),
        problem: listed.problem.as_deref(),
    });
    Some(json::to_json(&Page {
        sources: sources.collect(),
        problem,
    }))
}

fn settings<'a>(
    source: &'a Source,
    bindings: &'a [Binding],
    uses: &'a [(String, String, String)],
) -> Settings<'a> {
    let last_use = |value: &str| {
        let fingerprint = fingerprint(&source.name, value.as_bytes());
        let mut uses = uses.iter();
        let used = uses.find(|(name, print, _)| (name, print) == (&source.name, &fingerprint));
        used.map(|(_, _, at)| at.as_str())
    };
    // Positions run on from one binding to the next, as in the log.
    let mut positions = 1_usize..;
    let secrets = bindings.iter().map(|binding| Secret {
        binding: &binding.name,
        set: !binding.values.is_empty(),
        values: binding
            .values
            .iter()
            .zip(positions.by_ref())
            .map(|(value, position)| Use {
                position,
                last_used_at: last_use(value),
            })
            .collect(),
    });
    Settings {
        dialect: source.dialect.name(),
        default_integration: &source.default_integration,
        accepted_age_s: source.accepted_age_s,
        dedupe_window_s: source.dedupe_window_s,
        retention_days: source.retention_days,
        filters: Filters {
            models: source.filter.models.as_deref(),
            events: source.filter.events.as_deref(),
            properties: source.filter.properties.as_deref(),
        },
        secrets: secrets.collect(),
    }
}
