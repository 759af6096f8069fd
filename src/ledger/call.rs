//! What can be asked of a ledger from outside its object, and the answers.
//!
//! A call crosses to the object as one block of bytes: a line of JSON, and
//! behind it, for a delivery, the raw body.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{Ledger, Taken};
use crate::delivery::Delivery;
use crate::dialect;
use crate::filter::Filter;
use crate::json;
use crate::signature::DedupeKey;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// A question or a message to a ledger.
#[derive(Clone)]
pub enum Call {
    /// Take this in.
    Intake(Delivery),
    /// A consumer has applied this pack.
    Confirm {
        /// Its first event.
        first: u64,
        /// Its last event.
        last: u64,
    },
    /// No consumer could apply this pack.
    Bury {
        /// Its first event.
        first: u64,
        /// Its last event.
        last: u64,
        /// Why.
        reason: String,
    },
    /// How are things?
    State,
    /// A page of the history.
    Events {
        /// Behind this number.
        after: u64,
        /// At most this many.
        limit: u64,
    },
    /// One event with everything known of it.
    Event {
        /// Its number.
        seq: u64,
    },
    /// The whole data of a forwarded event.
    Data {
        /// Its number.
        seq: u64,
    },
    /// A page of the properties that aren't linked.
    Unlinked {
        /// The source.
        source: String,
        /// Behind this id.
        after: String,
        /// At most this many.
        limit: u64,
        /// Today's filter.
        filter: Rc<Filter>,
    },
}

/// A ledger's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What became of a delivery.
    Taken(Taken),
    /// JSON.
    Json(String),
    /// There is no such thing.
    Nothing,
    /// Done.
    Done,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
enum Line<'a> {
    Intake {
        source: String,
        integration: String,
        dialect: &'a str,
        key: [u8; 16],
        window_s: u64,
    },
    Confirm {
        first: u64,
        last: u64,
    },
    Bury {
        first: u64,
        last: u64,
        reason: String,
    },
    State,
    Events {
        after: u64,
        limit: u64,
    },
    Event {
        seq: u64,
    },
    Data {
        seq: u64,
    },
    Unlinked {
        source: String,
        after: String,
        limit: u64,
    },
}

impl Call {
    /// Gives the call the source's filter, where it has to do with it. A
    /// filter doesn't travel: the ledger's host has its own configuration.
    pub fn set_filter(&mut self, of: impl FnOnce(&str) -> Rc<Filter>) {
        match self {
            Self::Intake(Delivery { source, filter, .. })
            | Self::Unlinked { source, filter, .. } => *filter = of(source),
            _ => {}
        }
    }

    /// The call as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (line, body): (Line, &[u8]) = match self {
            Self::Intake(delivery) => (
                Line::Intake {
                    source: delivery.source.clone(),
                    integration: delivery.integration.clone(),
                    dialect: delivery.dialect.name(),
                    key: delivery.key.0,
                    window_s: delivery.dedupe_window_s,
                },
                &delivery.body,
            ),
            &Self::Confirm { first, last } => (Line::Confirm { first, last }, &[]),
            Self::Bury {
                first,
                last,
                reason,
            } => (
                Line::Bury {
                    first: *first,
                    last: *last,
                    reason: reason.clone(),
                },
                &[],
            ),
            Self::State => (Line::State, &[]),
            &Self::Events { after, limit } => (Line::Events { after, limit }, &[]),
            &Self::Event { seq } => (Line::Event { seq }, &[]),
            &Self::Data { seq } => (Line::Data { seq }, &[]),
            Self::Unlinked {
                source,
                after,
                limit,
                ..
            } => (
                Line::Unlinked {
                    source: source.clone(),
                    after: after.clone(),
                    limit: *limit,
                },
                &[],
            ),
        };
        let mut bytes = json::to_json(&line).into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(body);
        bytes
    }

    /// Reads what [`Call::encode`] wrote; `None` for anything else.
    pub fn decode(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let body = bytes.split_off(end.checked_add(1)?);
        Some(match serde_json::from_slice(&bytes).ok()? {
            Line::Intake {
                source,
                integration,
                dialect,
                key,
                window_s,
            } => Self::Intake(Delivery {
                source,
                integration,
                dialect: dialect::named(dialect)?,
                key: DedupeKey(key),
                dedupe_window_s: window_s,
                filter: Rc::default(),
                body,
            }),
            Line::Confirm { first, last } => Self::Confirm { first, last },
            Line::Bury {
                first,
                last,
                reason,
            } => Self::Bury {
                first,
                last,
                reason,
            },
            Line::State => Self::State,
            Line::Events { after, limit } => Self::Events { after, limit },
            Line::Event { seq } => Self::Event { seq },
            Line::Data { seq } => Self::Data { seq },
            Line::Unlinked {
                source,
                after,
                limit,
            } => Self::Unlinked {
                source,
                after,
                limit,
                filter: Rc::default(),
            },
        })
    }
}

impl<S: Sql> Ledger<S> {
    /// Answers `call`.
    pub fn answer(&mut self, call: Call, now: Timestamp) -> Result<Reply, SqlError> {
        let json = |found: Option<String>| found.map_or(Reply::Nothing, Reply::Json);
        Ok(match call {
            Call::Intake(delivery) => Reply::Taken(self.intake(&delivery, now)?),
            Call::Confirm { first, last } => {
                self.confirm(first, last, now)?;
                Reply::Done
            }
            Call::Bury {
                first,
                last,
                reason,
            } => {
                self.bury(first, last, &reason, now)?;
                Reply::Done
            }
            Call::State => json(self.state()?.map(|state| json::to_json(&state))),
            Call::Events { after, limit } => Reply::Json(self.events(after, limit)?),
            Call::Event { seq } => json(self.event(seq)?),
            Call::Data { seq } => json(self.data(seq)?),
            Call::Unlinked {
                after,
                limit,
                filter,
                ..
            } => Reply::Json(self.unlinked(&after, limit, &filter)?),
        })
    }
}

impl Taken {
    /// The answer to the sender.
    pub fn to_json(self) -> String {
        format!(
            r#"{{"status":"{}","seq":{}}}"#,
            self.outcome.label(),
            self.seq
        )
    }

    /// Reads the answer: its status and number.
    pub fn parse(json: &str) -> Option<(&'static str, u64)> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            status: &'a str,
            seq: u64,
        }
        let answer: Answer = serde_json::from_str(json).ok()?;
        let statuses = ["accepted", "duplicate", "quarantined", "ignored"];
        let status = statuses.into_iter().find(|status| *status == answer.status);
        Some((status?, answer.seq))
    }
}
