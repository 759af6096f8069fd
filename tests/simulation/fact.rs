//! A delivery as its provider means it: what the reference goes by, instead
//! of reading the body.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// Names and values, each as its JSON text.
pub type Fields = BTreeMap<String, String>;

#[derive(Debug, Clone)]
pub struct Fact {
    pub dialect: &'static str,
    pub integration: String,
    pub body: Vec<u8>,
    pub identity: Identity,
    /// When it happened, where the body says so: microseconds since 1970.
    pub occurred_us: Option<i64>,
    pub content: Content,
}

/// What makes two deliveries the same delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The first half of a SHA-256 over a tag and what is identical.
    pub key: [u8; 16],
    /// The same again can be another, real event.
    pub repeatable: bool,
    pub lasting: Lasting,
}

/// For how long the same again is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lasting {
    /// The dedupe window.
    Window,
    /// Minutes: it carries nothing of its own, and is about no record.
    Soon,
    /// As long as its history: it has a job, and no time.
    Ever,
}

#[derive(Debug, Clone)]
pub enum Content {
    Record {
        model: &'static str,
        id: String,
        /// It says that the record is new.
        is_creation: bool,
        change: Change,
    },
    /// About no record; a synchronisation that ended, or not.
    Control {
        synced: bool,
    },
    /// Authentic and not understood.
    Junk,
    Ping,
}

#[derive(Debug, Clone)]
pub enum Change {
    Diff {
        previous: Fields,
        new: Fields,
    },
    Sparse(Fields),
    Whole {
        fields: Fields,
        /// What fields were before, as it says.
        before: Fields,
        /// Those of them that it says are others now.
        changed: BTreeSet<String>,
    },
}

impl Identity {
    pub fn of(tag: &str, what: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(tag).chain_update([0]);
        let digest = digest.chain_update(what).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self {
            key,
            repeatable: false,
            lasting: Lasting::Window,
        }
    }

    pub fn body(body: &str) -> Self {
        Self::of("body", body.as_bytes())
    }
}

impl Fact {
    /// Model and id of the record it is about.
    pub fn record(&self) -> Option<(&'static str, &str)> {
        match &self.content {
            Content::Record { model, id, .. } => Some((model, id)),
            _ => None,
        }
    }

    /// The property to which it says its record belongs.
    pub fn property(&self) -> Option<&str> {
        let Content::Record {
            model, id, change, ..
        } = &self.content
        else {
            return None;
        };
        let fields = match change {
            Change::Diff { new, .. } => new,
            Change::Sparse(fields) | Change::Whole { fields, .. } => fields,
        };
        match *model {
            "properties" => Some(id),
            _ => property(fields),
        }
    }

    /// A line for the trace.
    pub fn show(&self) -> String {
        let bytes = self.body.len();
        let text = String::from_utf8_lossy(&self.body);
        let text: String = text.chars().take(300).collect();
        format!("{} {} {bytes} bytes {text}", self.dialect, self.integration)
    }
}

/// The property that `fields` name.
pub fn property(fields: &Fields) -> Option<&str> {
    fields.get("property_id").map(|id| id.trim_matches('"'))
}

/// `fields` as a JSON object.
pub fn object(fields: &Fields) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}
