//! A ledger as one would write it without a thought for speed.

use std::collections::BTreeMap;

use leasewire::signature::DedupeKey;
use leasewire::time::Timestamp;

use crate::WINDOW_S;
use crate::common::delivery;
use crate::sent::Sent;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelRecord {
    pub version: u64,
    pub fields: BTreeMap<String, String>,
    pub partial: bool,
    pub drift: bool,
    /// Time and tie-breaker of the version.
    order: (u8, DedupeKeyOrd),
    pub last_seq: u64,
}

type DedupeKeyOrd = Option<[u8; 16]>;

#[derive(Debug, Default)]
pub struct Model {
    pub log: Vec<(String, Option<u8>, Timestamp, bool)>,
    pub records: BTreeMap<u8, ModelRecord>,
}

impl Model {
    /// What must become of a delivery, computed the slow way. History is whole
    /// from the event `kept_from` on.
    pub fn take(&mut self, sent: &Sent, kept_from: u64, now: Timestamp) -> (&'static str, u64) {
        let identity = sent.identity();
        let earlier = self.log.iter().enumerate().rev().find(|(index, event)| {
            // A job is one event for ever.
            let lasts = matches!(sent, Sent::Job { .. }) && *index as u64 + 1 >= kept_from;
            event.0 == identity
                && event.1 == sent.record()
                && (lasts || event.2 > now.minus_s(WINDOW_S))
        });
        let earlier = earlier.map(|(index, _)| index as u64 + 1);
        let seq = self.log.len() as u64 + 1;
        if let Some(earlier) = earlier
            && !self.repeats_for_real(sent, earlier)
        {
            return ("duplicate", earlier);
        }
        let junk = matches!(sent, Sent::Junk { .. });
        self.log.push((identity, sent.record(), now, junk));
        self.fold(sent, seq);
        (if junk { "quarantined" } else { "accepted" }, seq)
    }

    fn repeats_for_real(&self, sent: &Sent, earlier: u64) -> bool {
        let Sent::Diff {
            record,
            field,
            from,
            to,
        } = sent
        else {
            return false;
        };
        let known = &self.records[record];
        known.last_seq != earlier
            && from != to
            && known.fields.get(&format!("f{field}")) == Some(&from.to_string())
    }

    fn fold(&mut self, sent: &Sent, seq: u64) {
        let Some(record) = sent.record() else { return };
        let new = !self.records.contains_key(&record);
        let known = self.records.entry(record).or_insert_with(|| ModelRecord {
            partial: true,
            ..ModelRecord::default()
        });
        known.last_seq = seq;
        match sent {
            Sent::Diff {
                field, from, to, ..
            } => {
                let name = format!("f{field}");
                let is = known.fields.insert(name, to.to_string());
                known.drift |= is.is_some_and(|is| is != from.to_string());
                known.version = seq;
            }
            Sent::New { value, .. } => {
                let is = known.fields.insert("f0".to_owned(), value.to_string());
                known.drift |= is.is_some_and(|is| is != value.to_string());
                known.version = seq;
            }
            Sent::Whole { minute, value, .. } => {
                let DedupeKey(key) = delivery("real-estate", "i", &sent.body()).key;
                let order = (*minute, Some(key));
                if new || order > known.order {
                    *known = ModelRecord {
                        version: seq,
                        fields: BTreeMap::from([
                            ("id".to_owned(), format!("\"r{record}\"")),
                            ("f0".to_owned(), value.to_string()),
                        ]),
                        partial: false,
                        drift: false,
                        order,
                        last_seq: seq,
                    };
                }
            }
            Sent::Job { .. } | Sent::Junk { .. } => {}
        }
    }
}
