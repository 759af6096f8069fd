//! Records that no synchronisation has seen for long, as lists of a provider's
//! API say, to be marked as gone.

use std::borrow::Cow;

use crate::integration::IntegrationId;
use crate::json::{self, Object, Writer};

/// Records of one model that a whole list has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// Whose they are.
    pub of: IntegrationId,
    /// Normalised model: `leases`.
    pub model: String,
    /// The number of the event that the synchronisation has ended. A record with
    /// a later one was heard of since.
    pub asked_seq: u64,
    /// The epoch of that number; `None` if nothing is known of it.
    pub epoch: Option<u64>,
    /// The records, by what shares its jobs in a synchronisation.
    pub groups: Vec<UnseenGroup>,
}

/// The records of one property, or of all where they belong to none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnseenGroup {
    /// The property's id; `None` for what belongs to none.
    pub property: Option<String>,
    /// How many of its records the synchronisation has seen, as far as they were
    /// counted.
    pub seen: u64,
    /// How many it hasn't, though an earlier one has, not long ago.
    pub missed: u64,
    /// Those that none has seen for long.
    pub items: Vec<LastSeen>,
}

/// A record, and when the provider last saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSeen {
    /// Its id.
    pub id: String,
    /// The time, as the provider writes it.
    pub last_seen: String,
}

impl Unseen {
    /// As it crosses to the ledger. A group is a list of texts: its property, how
    /// many were seen and missed, then the id and the time of each record.
    pub fn to_json(&self) -> String {
        let mut groups = Vec::new();
        for group in &self.groups {
            let property = group.property.clone().unwrap_or_default();
            let mut texts = vec![property, group.seen.to_string(), group.missed.to_string()];
            for item in &group.items {
                texts.push(item.id.clone());
                texts.push(item.last_seen.clone());
            }
            groups.push(json::texts_or_null(&Some(texts)));
        }
        Writer::default()
            .text("source", &self.of.source)
            .text("integration", &self.of.integration)
            .text("model", &self.model)
            .number("asked_seq", self.asked_seq)
            .number_or_null("epoch", self.epoch)
            .list("groups", &groups)
            .end()
    }

    /// Reads [`Unseen::to_json`]; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let fields = Object::parse(text)?;
        let text = |name| fields.text(name).map(Cow::into_owned);
        let mut groups = Vec::new();
        for group in json::items(fields.value("groups")?.get())? {
            let mut texts = json::texts(group)?.into_iter();
            let property = Some(texts.next()?).filter(|property| !property.is_empty());
            let mut group = UnseenGroup {
                property,
                seen: texts.next()?.parse().ok()?,
                missed: texts.next()?.parse().ok()?,
                items: Vec::new(),
            };
            while let Some(id) = texts.next() {
                let last_seen = texts.next()?;
                group.items.push(LastSeen { id, last_seen });
            }
            groups.push(group);
        }
        Some(Self {
            of: IntegrationId::new(text("source")?, text("integration")?),
            model: text("model")?,
            asked_seq: fields.number("asked_seq")?,
            epoch: fields.number("epoch"),
            groups,
        })
    }
}

/// The answer to [`Unseen`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// The ledger's last number now.
    pub seq: u64,
    /// Its epoch.
    pub epoch: u64,
    /// How many records were marked.
    pub marked: u64,
    /// There are more to mark: the same is to be asked once more.
    pub has_more: bool,
    /// More would be gone at once than is believed, of so many records: none was
    /// marked.
    pub refused: Option<[u64; 2]>,
    /// How many stay, because most of their property's records weren't seen either.
    pub passed_over: u64,
    /// Some of those properties.
    pub properties: Vec<String>,
}

impl Marked {
    /// The answer as it crosses back.
    pub fn to_json(&self) -> String {
        let [would_go, of] = self.refused.unwrap_or_default();
        Writer::default()
            .number("seq", self.seq)
            .number("epoch", self.epoch)
            .number("marked", self.marked)
            .flag("has_more", self.has_more)
            .number("would_go", would_go)
            .number("of", of)
            .number("passed_over", self.passed_over)
            .raw(
                "properties",
                &json::texts_or_null(&Some(self.properties.clone())),
            )
            .end()
    }

    /// Reads [`Marked::to_json`]; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let fields = Object::parse(text)?;
        let would_go = fields.number("would_go")?;
        let of = fields.number("of")?;
        Some(Self {
            seq: fields.number("seq")?,
            epoch: fields.number("epoch")?,
            marked: fields.number("marked")?,
            has_more: fields.flag("has_more")?,
            refused: (would_go > 0).then_some([would_go, of]),
            passed_over: fields.number("passed_over")?,
            properties: fields.value("properties").and_then(json::texts)?,
        })
    }
}
