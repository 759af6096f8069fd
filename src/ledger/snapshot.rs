//! Records as a provider's API returned them, to be merged into the log.

use crate::integration::IntegrationId;
use crate::json::{self, Object, Value, Writer};

/// Records of one model that one read has returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Whose they are.
    pub of: IntegrationId,
    /// Normalised model: `leases`.
    pub model: String,
    /// The ledger's last number before the read began. What has a greater one
    /// may be newer than what was read. A number that is too small is safe: it
    /// only makes more fields count as newer.
    pub asked_seq: u64,
    /// The epoch of that number; `None` for one of which nothing is known.
    pub epoch: Option<u64>,
    /// A read that seems to be older than what is known was repeated as often
    /// as it makes sense: now it is believed.
    pub is_believed: bool,
    /// The records.
    pub items: Vec<Fetched>,
}

/// One record as it was returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its id.
    pub id: String,
    /// The record, JSON, as it was sent.
    pub json: String,
}

/// What has become of a record that was returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The ledger knew all of it: nothing was written.
    Same,
    /// It has changed the record, which is now as the provider has it.
    Merged,
    /// It has changed the record, but an event that came meanwhile says
    /// something else of a field: it is still owed.
    Overtaken,
    /// The read is older than what is known: nothing was written, and it is
    /// still owed.
    Stale,
    /// A filter of the source leaves it out: nothing was written.
    Ignored,
    /// It is no JSON object, nests too deep or names another id: nothing was
    /// written.
    Unclear,
    /// It is larger than can be kept: it stands in quarantine.
    TooLarge,
}

impl Outcome {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Same, "same"),
        (Self::Merged, "merged"),
        (Self::Overtaken, "overtaken"),
        (Self::Stale, "stale"),
        (Self::Ignored, "ignored"),
        (Self::Unclear, "unclear"),
        (Self::TooLarge, "too_large"),
    ];

    /// The word for it.
    pub fn label(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(outcome, _)| *outcome == self)
            .map_or("same", |(_, label)| label)
    }

    fn named(label: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == label);
        found.map(|(outcome, _)| *outcome)
    }

    /// True if the record is to be asked for again.
    pub fn is_owed(self) -> bool {
        matches!(self, Self::Overtaken | Self::Stale)
    }
}

/// The answer to [`Snapshots`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The ledger's last number now: the `asked_seq` of a read that begins
    /// behind this answer.
    pub seq: u64,
    /// Its epoch.
    pub epoch: u64,
    /// What has become of each record, in their order.
    pub outcomes: Vec<Outcome>,
}

impl Merged {
    /// The answer as it crosses back.
    pub fn to_json(&self) -> String {
        let labels = self
            .outcomes
            .iter()
            .map(|outcome| json::quoted(outcome.label()));
        Writer::default()
            .number("seq", self.seq)
            .number("epoch", self.epoch)
            .raw("outcomes", &json::list(labels))
            .end()
    }

    /// Reads [`Merged::to_json`]; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let fields = Object::parse(text)?;
        let outcomes = json::items(fields.value("outcomes")?.get())?;
        let outcome = |value: &Value| Outcome::named(&json::text(value)?);
        Some(Self {
            seq: fields.number("seq")?,
            epoch: fields.number("epoch")?,
            outcomes: outcomes.into_iter().map(outcome).collect::<Option<_>>()?,
        })
    }
}
