//! Changes out of a provider's log, to be compared with the events that came,
//! and what a ledger says of them.

use crate::integration::IntegrationId;
use crate::json::{self, Object, Value, Writer};
use crate::ledger::OwedRecord;
use crate::provider::Logged;

/// A page of a provider's log of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Whose they are.
    pub of: IntegrationId,
    /// The changes, the oldest first.
    pub changes: Vec<Logged>,
}

/// What a ledger knows of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An event told of it.
    Known,
    /// No event was to tell of it: a filter leaves it out, or it is only that the
    /// record was seen.
    Ignored,
    /// None did, and it isn't sure that one was sent.
    Untold,
    /// None did, and one was surely sent.
    Lost,
}

impl Verdict {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Known, "known"),
        (Self::Ignored, "ignored"),
        (Self::Untold, "untold"),
        (Self::Lost, "lost"),
    ];

    /// The word for it.
    pub fn label(self) -> &'static str {
        let found = Self::ALL.iter().find(|(verdict, _)| *verdict == self);
        found.map_or("known", |(_, label)| label)
    }

    fn named(label: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == label);
        found.map(|(verdict, _)| *verdict)
    }
}

/// The answer to [`Changes`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The ledger's last number now.
    pub seq: u64,
    /// Its epoch.
    pub epoch: u64,
    /// What is known of each change, in their order.
    pub verdicts: Vec<Verdict>,
    /// Records to ask for, each once: of the changes that nobody told of, where
    /// what is known isn't as they left it.
    pub owed: Vec<OwedRecord>,
}

impl Changes {
    /// Adds them to a call.
    pub(in crate::ledger) fn encode(&self, call: Writer) -> Writer {
        let changes = self.changes.iter().map(Logged::to_json);
        call.text("source", &self.of.source)
            .text("integration", &self.of.integration)
            .raw("changes", &json::list(changes))
    }

    /// Reads what [`Changes::encode`] wrote; `None` if it is anything else.
    pub(in crate::ledger) fn decode(call: &Object) -> Option<Self> {
        let changes = json::items(call.value("changes")?.get())?;
        let change = |value: &Value| Logged::parse(value.get());
        Some(Self {
            of: IntegrationId::new(call.text("source")?, call.text("integration")?),
            changes: changes.into_iter().map(change).collect::<Option<_>>()?,
        })
    }
}

impl Compared {
    /// The answer as it crosses back.
    pub fn to_json(&self) -> String {
        let labels = self.verdicts.iter().map(|one| json::quoted(one.label()));
        Writer::default()
            .number("seq", self.seq)
            .number("epoch", self.epoch)
            .raw("verdicts", &json::list(labels))
            .raw(
                "owed",
                &json::list(self.owed.iter().map(OwedRecord::to_json)),
            )
            .end()
    }

    /// Reads [`Compared::to_json`]; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let fields = Object::parse(text)?;
        let list = |name| json::items(fields.value(name)?.get());
        let verdict = |value: &Value| Verdict::named(&json::text(value)?);
        Some(Self {
            seq: fields.number("seq")?,
            epoch: fields.number("epoch")?,
            verdicts: (list("verdicts")?.into_iter())
                .map(verdict)
                .collect::<Option<_>>()?,
            owed: (list("owed")?.into_iter())
                .map(OwedRecord::parse)
                .collect::<Option<_>>()?,
        })
    }
}
