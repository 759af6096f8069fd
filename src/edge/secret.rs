//! A source's secrets: whether they are set, and when each was last used, so
//! that one can see when the old one of a rotation may go. Never a value.
//!
//! The last use belongs to a value, which may change its position from one
//! deployment to the next. So it is kept by the value's fingerprint, and a
//! position shows the one of the value that it has now.

use super::source::{Misconfigured, Source};
use crate::json::{self, Map, Writer};
use crate::signature::fingerprint;
use crate::sql::Statement;
use crate::sql::Value;
use crate::time::Timestamp;

/// A use is written down at most this often, for each isolate and secret: a
/// row for each webhook would cost as much as the webhook's record.
pub const NOTE_INTERVAL_S: u64 = 10 * 60;

/// The values that the text of a binding holds: one, or one a line. White
/// space at the ends of a line is a slip of the editor's and is cut; within it
/// belongs to the value, since a secret may be a phrase. Empty lines are none.
pub fn values(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split(['\n', '\r']).map(str::trim);
    lines.filter(|line| !line.is_empty())
}

/// A secret binding, and the values it holds.
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Its values, none of them empty.
    pub values: Vec<String>,
}

impl Binding {
    /// Reads the binding's text, as [`values`] does.
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            values: values(text).map(str::to_owned).collect(),
        }
    }

    /// Its name, where that may be shown: of a binding that isn't set it may be
    /// the secret itself, written where the name belongs.
    fn shown_name(&self) -> Option<&str> {
        let is_shown = !self.values.is_empty() || is_usual_name(&self.name);
        is_shown.then_some(self.name.as_str())
    }
}

/// True if `name` can only be meant as one: words of upper-case letters with
/// `_` in between, digits at their ends. What providers generate is different.
fn is_usual_name(name: &str) -> bool {
    let is_word = |word: &str| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        !word.is_empty() && letters.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    name.contains('_') && name.split('_').all(is_word)
}

/// Why a source with these bindings can't be used, if it can't.
pub fn missing(source: &str, bindings: &[Binding]) -> Option<String> {
    let (position, empty) = (1..)
        .zip(bindings)
        .find(|(_, binding)| binding.values.is_empty())?;
    let (which, name) = match empty.shown_name() {
        Some(name) => (format!("the secret {name}"), name),
        None => (
            format!("binding {position} of those that `secret` names"),
            "NAME",
        ),
    };
    Some(format!(
        "source `{source}`: {which} is missing or empty; set it with \
         `wrangler secret put {name}`, locally in .dev.vars"
    ))
}

/// Notes in each of `sources` that can be used whether somebody else can sign
/// for it: another source's provider, or whoever has one of the API's `tokens`.
pub fn note_shared(sources: &mut [Listed], tokens: &[String]) {
    // Who has each value: the first, and another one.
    let mut owners: Map<&str, (String, Option<String>)> = Map::default();
    let named = |name: &str| format!("source `{name}`");
    let of_sources = sources.iter().flat_map(|listed| {
        let values = listed.bindings.iter().flat_map(|binding| &binding.values);
        values.map(|value| (value, named(listed.name)))
    });
    let of_tokens = tokens.iter().map(|token| (token, "API_TOKEN".to_owned()));
    for (value, owner) in of_sources.chain(of_tokens) {
        match owners.get_mut(value.as_str()) {
            None => drop(owners.insert(value, (owner, None))),
            Some((first, other)) if *first != owner => *other = other.take().or(Some(owner)),
            Some(_) => {}
        }
    }
    let sharer = |listed: &Listed| {
        let mut values = listed.bindings.iter().flat_map(|binding| &binding.values);
        values.find_map(|value| match owners.get(value.as_str())? {
            (first, other) if *first == named(listed.name) => other.clone(),
            (first, _) => Some(first.clone()),
        })
    };
    let sharers: Vec<_> = sources.iter().map(sharer).collect();
    for (listed, sharer) in sources.iter_mut().zip(sharers) {
        if let Some(sharer) = sharer.filter(|_| listed.problem.is_none()) {
            listed.problem = Some(format!(
                "source `{}`: it shares a secret with {sharer}, so that who can sign for one can \
                 sign for both; give each its own",
                listed.name
            ));
        }
    }
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
    /// True if it takes webhooks.
    pub usable: bool,
    /// Why it can't be used, or what else is wrong with it.
    pub problem: Option<String>,
}

impl<'a> Listed<'a> {
    /// The source called `name` with its settings, or why they are refused, and
    /// what its bindings hold.
    pub fn new(
        name: &'a str,
        source: Result<&'a Source, &Misconfigured>,
        bindings: Vec<Binding>,
    ) -> Self {
        let problem = match source {
            Ok(_) => missing(name, &bindings),
            Err(why) => Some(why.to_string()),
        };
        Self {
            name,
            source: source.ok(),
            bindings,
            usable: problem.is_none(),
            problem,
        }
    }
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
    let mut entry = Writer::default()
        .text("name", listed.name)
        .flag("usable", listed.usable);
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
            .text_or_null("binding", binding.shown_name())
            .flag("set", !binding.values.is_empty())
            .list("values", &values.collect::<Vec<_>>())
            .end()
    };
    bindings.iter().map(secret).collect()
}
