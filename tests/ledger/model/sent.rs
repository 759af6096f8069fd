//! What is delivered, in terms that the model understands too.

use proptest::prelude::*;

use crate::common::job;

/// A delivery in terms that the model understands too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// Propexo: a field of a record goes from one value to another.
    Diff {
        record: u8,
        field: u8,
        from: u8,
        to: u8,
    },
    /// Propexo: a new record with one field.
    New { record: u8, value: u8 },
    /// Propexo: a job, about no record.
    Job { id: u8 },
    /// Real estate: a whole object with an event id and a time.
    Whole {
        event: u8,
        record: u8,
        minute: u8,
        value: u8,
    },
    /// Authentic, not understood.
    Junk { id: u8 },
}

impl Sent {
    pub fn dialect(&self) -> &'static str {
        match self {
            Self::Whole { .. } => "real-estate",
            _ => "propexo",
        }
    }

    pub fn body(&self) -> String {
        match self {
            Self::Diff {
                record,
                field,
                from,
                to,
            } => format!(
                r#"{{"meta":{{"object":"leases"}},"record_id":"r{record}","diff":{{"previous":{{"f{field}":{from}}},"new":{{"f{field}":{to}}}}}}}"#
            ),
            Self::New { record, value } => format!(
                r#"{{"meta":{{"object":"leases"}},"record_id":"r{record}","payload":{{"f0":{value}}}}}"#
            ),
            Self::Job { id } => job(u32::from(*id)),
            Self::Whole {
                event,
                record,
                minute,
                value,
            } => format!(
                r#"{{"id":"evt_{record}_{event}","type":"lease.updated","created":"2026-01-01T00:{minute:02}:00Z","data":{{"lease":{{"id":"r{record}","f0":{value}}}}}}}"#
            ),
            Self::Junk { id } => format!("junk {id}"),
        }
    }

    pub fn record(&self) -> Option<u8> {
        match self {
            Self::Diff { record, .. } | Self::New { record, .. } | Self::Whole { record, .. } => {
                Some(*record)
            }
            _ => None,
        }
    }

    /// Record and minute, where there is one.
    pub fn time(&self) -> Option<(u8, u8)> {
        match self {
            Self::Whole { record, minute, .. } => Some((*record, *minute)),
            _ => None,
        }
    }

    /// What makes two deliveries the same, in the model's own terms.
    pub fn identity(&self) -> String {
        match self {
            Self::Whole { event, record, .. } => format!("event {record} {event}"),
            other => format!("{other:?}"),
        }
    }
}

pub fn propexo() -> BoxedStrategy<Sent> {
    prop_oneof![
        6 => (0..3_u8, 0..2_u8, 0..3_u8, 0..3_u8)
            .prop_map(|(record, field, from, to)| Sent::Diff { record, field, from, to }),
        1 => (0..3_u8, 0..3_u8).prop_map(|(record, value)| Sent::New { record, value }),
        1 => (0..3_u8).prop_map(|id| Sent::Job { id }),
        1 => (0..3_u8).prop_map(|id| Sent::Junk { id }),
    ]
    .boxed()
}

pub fn real_estate() -> BoxedStrategy<Sent> {
    (0..6_u8, 0..2_u8, 0..6_u8, 0..3_u8)
        .prop_map(|(event, record, minute, value)| Sent::Whole {
            event,
            record,
            minute,
            value,
        })
        .boxed()
}
