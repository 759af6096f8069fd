//! What is true: the provider's records, each with all that it ever was.

use leasewire::provider::written;
use leasewire::time::Timestamp;

use crate::fact::{Fields, object};

/// Part of a resident and of a lease. The API shows it inside of these alone.
pub const PART: &str = "residents_to_leases";

/// A field that only webhooks have.
pub const UNSHOWN: &str = "memo";

/// The field that names a record of `model` in a part, and the one that shows
/// parts in a record of it.
pub fn part_fields(model: &str) -> Option<(&'static str, &'static str)> {
    match model {
        "leases" => Some(("lease_id", "residents_meta_data")),
        "residents" => Some(("resident_id", "leases_meta_data")),
        _ => None,
    }
}

#[derive(Default)]
pub struct Truth {
    pub integrations: Vec<Integration>,
    pub records: Vec<Record>,
    /// Changes so far.
    pub made: u64,
    /// A model whose jobs fail in all synchronisations but the first: what changes
    /// is shown, and counts as not seen.
    pub failing: Option<&'static str>,
}

pub struct Integration {
    pub source: &'static str,
    pub id: &'static str,
    /// When synchronisations saw all records.
    pub seen_ms: Vec<u64>,
}

impl Integration {
    /// Its webhooks tell when a synchronisation has ended.
    pub fn tells_ends(&self) -> bool {
        self.source == "propexo"
    }
}

pub struct Record {
    /// Its integration.
    pub of: usize,
    pub model: &'static str,
    pub id: String,
    /// From the oldest on.
    states: Vec<State>,
    pub found: Found,
    /// A ledger has taken in a webhook with the field that the API doesn't show.
    pub said: bool,
    /// The number of the last webhook about it that was sent.
    pub told: u64,
}

/// When it is found at the latest what a record is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// A webhook tells of it, or an end of a synchronisation.
    Soon,
    /// Only its own time does.
    Daily,
    /// Not even that: only who reads everything finds it.
    Weekly,
}

/// What a record was from a time on.
#[derive(Clone)]
pub struct State {
    at_ms: u64,
    pub updated_at: Timestamp,
    pub fields: Fields,
}

impl Record {
    pub fn new(of: usize, model: &'static str, id: String, at_ms: u64, state: State) -> Self {
        Self {
            of,
            model,
            id,
            states: vec![State { at_ms, ..state }],
            found: Found::Soon,
            said: false,
            told: 0,
        }
    }

    /// As it is shown to who sees the world as it was at `ms`.
    pub fn at(&self, ms: u64) -> Option<&State> {
        self.states.iter().rev().find(|state| state.at_ms <= ms)
    }

    pub fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    pub fn was_changed_at(&self, time: Timestamp) -> bool {
        self.states.iter().any(|state| state.updated_at == time)
    }

    pub fn created_at(&self) -> Timestamp {
        self.states[0].updated_at
    }

    /// It changes; its time moves if there is an `updated_at`.
    pub fn change(&mut self, at_ms: u64, updated_at: Option<Timestamp>, fields: Fields) {
        let updated_at = updated_at.unwrap_or(self.now().updated_at);
        self.states.push(State {
            at_ms,
            updated_at,
            fields,
        });
    }
}

impl State {
    pub fn new(updated_at: Timestamp, fields: Fields) -> Self {
        Self {
            at_ms: 0,
            updated_at,
            fields,
        }
    }
}

impl Truth {
    /// When a synchronisation last saw a record, at `ms`.
    pub fn seen_at(&self, record: &Record, ms: u64, time: impl Fn(u64) -> Timestamp) -> Timestamp {
        let seen_ms = &self.integrations[record.of].seen_ms;
        let last = match self.failing == Some(record.model) {
            true => seen_ms.first(),
            false => seen_ms.iter().rev().find(|seen_ms| **seen_ms <= ms),
        };
        time(*last.unwrap_or(&0))
    }

    /// All fields of a record as the API shows them, at `ms`.
    pub fn shown(&self, record: &Record, ms: u64, time: impl Fn(u64) -> Timestamp) -> Fields {
        let state = record.at(ms).unwrap_or(record.now());
        let of = &self.integrations[record.of];
        let mut fields = state.fields.clone();
        let mut set = |name: &str, value: String| drop(fields.insert(name.to_owned(), value));
        let quoted = |text: &str| format!("\"{text}\"");
        set("id", quoted(&record.id));
        set("created_at", quoted(&written(record.created_at())));
        set("updated_at", quoted(&written(state.updated_at)));
        set(
            "last_seen",
            quoted(&written(self.seen_at(record, ms, time))),
        );
        set("integration_id", quoted(of.id));
        set("integration_vendor", quoted("YARDI"));
        fields
    }

    /// The same as JSON.
    pub fn json(&self, record: &Record, ms: u64, time: impl Fn(u64) -> Timestamp) -> String {
        object(&self.shown(record, ms, time))
    }

    /// What is shown in the record at `at` of its parts.
    pub fn parts_of(&self, at: usize) -> Option<(&'static str, String)> {
        let record = &self.records[at];
        let (by, shown_as) = part_fields(record.model)?;
        let parts = self.records.iter().filter(|part| {
            let id = part.now().fields.get(by);
            part.model == PART && id.is_some_and(|id| id.trim_matches('"') == record.id)
        });
        let parts = parts.map(|part| {
            let role = &part.now().fields["role"];
            format!(r#"{{"id":"{}","role":{role}}}"#, part.id)
        });
        let parts: Vec<String> = parts.collect();
        Some((shown_as, format!("[{}]", parts.join(","))))
    }

    /// The records of which the one at `at` is a part.
    pub fn parents_of(&self, at: usize) -> Vec<usize> {
        let part = &self.records[at];
        let all = self.records.iter().enumerate();
        let parents = all.filter(|(_, record)| {
            let by = part_fields(record.model).map(|(by, _)| by);
            let id = by.and_then(|by| part.now().fields.get(by));
            part.model == PART && id.is_some_and(|id| id.trim_matches('"') == record.id)
        });
        parents.map(|(at, _)| at).collect()
    }

    /// Records of an integration, by number.
    pub fn of(&self, integration: usize) -> Vec<usize> {
        let all = self.records.iter().enumerate();
        all.filter(|(_, record)| record.of == integration)
            .map(|(at, _)| at)
            .collect()
    }
}
