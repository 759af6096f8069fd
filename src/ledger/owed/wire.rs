//! What a ledger tells the connector, as it crosses to it: JSON.

use std::borrow::Cow;

use super::{Owed, OwedRecord, SyncEnd};
use crate::integration::IntegrationId;
use crate::json::{self, Object, Value, Writer, texts_or_null};
use crate::time::Timestamp;

impl Owed {
    /// As JSON.
    pub fn to_json(&self) -> String {
        let records: Vec<_> = self.records.iter().map(OwedRecord::to_json).collect();
        let syncs: Vec<_> = self.syncs.iter().map(SyncEnd::to_json).collect();
        Writer::default()
            .text("source", &self.of.source)
            .text("integration", &self.of.integration)
            .number("epoch", self.epoch)
            .number("seq", self.seq)
            .list("records", &records)
            .list("syncs", &syncs)
            .end()
    }

    /// Reads [`Owed::to_json`]; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let fields = Object::parse(text)?;
        let text = |name| fields.text(name).map(Cow::into_owned);
        let list = |name| json::items(fields.value(name)?.get());
        Some(Self {
            of: IntegrationId::new(text("source")?, text("integration")?),
            epoch: fields.number("epoch")?,
            seq: fields.number("seq")?,
            records: (list("records")?.into_iter())
                .map(OwedRecord::parse)
                .collect::<Option<_>>()?,
            syncs: (list("syncs")?.into_iter())
                .map(SyncEnd::parse)
                .collect::<Option<_>>()?,
        })
    }
}

impl OwedRecord {
    pub(in crate::ledger) fn to_json(&self) -> String {
        Writer::default()
            .text("model", &self.model)
            .text("id", &self.id)
            .time("since", self.since)
            .end()
    }

    pub(in crate::ledger) fn parse(value: &Value) -> Option<Self> {
        let fields = Object::parse(value.get())?;
        Some(Self {
            model: fields.text("model")?.into_owned(),
            id: fields.text("id")?.into_owned(),
            since: Timestamp::parse(&fields.text("since")?)?,
        })
    }
}

impl SyncEnd {
    fn to_json(&self) -> String {
        Writer::default()
            .number("seq", self.seq)
            .time("at", self.at)
            .flag("whole", self.is_whole)
            .flag("finished", self.is_finished)
            .raw("models", &texts_or_null(&self.models))
            .end()
    }

    fn parse(value: &Value) -> Option<Self> {
        let fields = Object::parse(value.get())?;
        Some(Self {
            seq: fields.number("seq")?,
            at: Timestamp::parse(&fields.text("at")?)?,
            is_whole: fields.flag("whole")?,
            is_finished: fields.flag("finished")?,
            models: fields.value("models").and_then(json::texts),
        })
    }
}
