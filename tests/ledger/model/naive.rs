//! A ledger as one would write it without a thought for speed.

use std::collections::{BTreeMap, BTreeSet};

use leasewire::signature::DedupeKey;
use leasewire::time::Timestamp;

use super::WINDOW_S;
use super::sent::Sent;
use crate::common::delivery;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelRecord {
    pub version: u64,
    pub fields: BTreeMap<String, String>,
    pub partial: bool,
    /// Fields that were contradicted.
    pub drift: BTreeSet<String>,
    /// Time and key of the version.
    of: Option<(u8, DedupeKey)>,
    pub last_seq: u64,
    /// Number, time and key of its whole objects, in order.
    wholes: Vec<(u64, u8, DedupeKey)>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub log: Vec<(String, Option<u8>, Timestamp, bool)>,
    pub records: BTreeMap<u8, ModelRecord>,
}

impl Model {
    /// What must become of a delivery, computed the slow way. History is whole
    /// from the event `kept_from` on; `kept` tells which of the events are there.
    pub fn take(
        &mut self,
        sent: &Sent,
        kept_from: u64,
        kept: &BTreeSet<u64>,
        now: Timestamp,
    ) -> (&'static str, u64) {
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
        self.fold(sent, seq, kept);
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

    fn fold(&mut self, sent: &Sent, seq: u64, kept: &BTreeSet<u64>) {
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
                let (from, to) = (from.to_string(), to.to_string());
                match known.fields.insert(name.clone(), to.clone()) {
                    Some(is) if is == from => drop(known.drift.remove(&name)),
                    Some(is) if is != to => drop(known.drift.insert(name)),
                    _ => {}
                }
                known.version = seq;
            }
            // Older than all that is known.
            Sent::New { value, .. } => {
                let field = known.fields.entry("f0".to_owned());
                field.or_insert(value.to_string());
                known.version = seq;
            }
            Sent::Whole { minute, value, .. } => {
                let DedupeKey(key) = delivery("real-estate", "i", &sent.body()).key;
                let key = DedupeKey(key);
                if new || known.is_older(*minute, key, kept) {
                    known.version = seq;
                    known.of = Some((*minute, key));
                    known.partial = false;
                    known.fields = BTreeMap::from([
                        ("id".to_owned(), format!("\"r{record}\"")),
                        ("f0".to_owned(), value.to_string()),
                    ]);
                }
                known.wholes.push((seq, *minute, key));
            }
            Sent::Job { .. } | Sent::Junk { .. } => {}
        }
    }
}

impl ModelRecord {
    /// True if a whole object of this time is newer: of the same time the one
    /// that came last is, unless it had come before.
    fn is_older(&self, minute: u8, key: DedupeKey, kept: &BTreeSet<u64>) -> bool {
        let (known_minute, known_key) = self.of.unwrap();
        let known = self.wholes.iter().rev();
        let mut known = known.take_while(|(seq, ..)| kept.contains(seq));
        let came_before = known.any(|(_, at, of)| (*at, *of) == (minute, key));
        match minute.cmp(&known_minute) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => key != known_key && !came_before,
            std::cmp::Ordering::Greater => true,
        }
    }
}
