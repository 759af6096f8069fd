//! A source's secrets: whether they are set, and when each was last used, so
//! that one can see when the old one of a rotation may go. Never a value.
//!
//! The last use belongs to a value, which may change its position from one
//! deployment to the next. So it is kept by the value's fingerprint, and a
//! position shows the one of the value that it has now.

use crate::json::{self, Writer};
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
    let sql = "INSERT INTO secrets_used (source, fingerprint, last_used_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (source, fingerprint) DO UPDATE SET last_used_at = excluded.last_used_at
               WHERE excluded.last_used_at > last_used_at";
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

/// The answer for `GET /v1/sources`, from D1's rows of [`select_uses`] as
/// JSON; `None` if they are not that. `problem` is for a configuration that
/// is none at all.
pub fn page(sources: &[Listed], problem: Option<&str>, rows: &str) -> Option<String> {
    let rows = json::rows(rows)?;
    let sources: Vec<_> = sources.iter().map(|listed| entry(listed, &rows)).collect();
    let page = Writer::default().list("sources", &sources);
    Some(with_problem(page, problem).end())
}

fn with_problem(writer: Writer, problem: Option<&str>) -> Writer {
    match problem {
        Some(problem) => writer.text("problem", problem),
        None => writer,
    }
}

fn entry(listed: &Listed, uses: &[Vec<String>]) -> String {
    let mut entry = Writer::default().text("name", listed.name);
    if let Some(source) = listed.source {
        // Null lets everything through.
        let filters = Writer::default()
            .raw("models", &json::texts_or_null(&source.filter.models))
            .raw("events", &json::texts_or_null(&source.filter.events))
            .raw(
                "properties",
                &json::texts_or_null(&source.filter.properties),
            );
        entry = entry
            .text("dialect", source.dialect.name())
            .text("default_integration", &source.default_integration)
            .number_or_null("accepted_age_s", source.accepted_age_s)
            .number("dedupe_window_s", source.dedupe_window_s)
            .number("retention_days", source.retention_days)
            .raw("filters", &filters.end())
            .list("secrets", &secrets(&source.name, &listed.bindings, uses));
    }
    with_problem(entry, listed.problem.as_deref()).end()
}

fn secrets(source: &str, bindings: &[Binding], uses: &[Vec<String>]) -> Vec<String> {
    let last_use = |value: &str| {
        let fingerprint = fingerprint(source, value.as_bytes());
        uses.iter().find_map(|row| match row.as_slice() {
            [name, print, at] if (name.as_str(), print) == (source, &fingerprint) => {
                Some(at.as_str())
            }
            _ => None,
        })
    };
    // Positions run on from one binding to the next, as in the log.
    let mut positions = 1_u64..;
    let secret = |binding: &Binding| {
        let values = binding.values.iter().zip(positions.by_ref());
        let values = values.map(|(value, position)| {
            Writer::default()
                .number("position", position)
                .text_or_null("last_used_at", last_use(value))
                .end()
        });
        Writer::default()
            .text("binding", &binding.name)
            .flag("set", !binding.values.is_empty())
            .list("values", &values.collect::<Vec<_>>())
            .end()
    };
    bindings.iter().map(secret).collect()
}
