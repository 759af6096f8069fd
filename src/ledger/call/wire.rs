//! Calls as bytes: a line of JSON, and behind it, for a delivery, the raw body.

use std::borrow::Cow;
use std::rc::Rc;

use super::Call;
use crate::delivery::Delivery;
use crate::json::{self, Object, Writer};
use crate::ledger::replay::Request;
use crate::signature::DedupeKey;
use crate::{dialect, encoding};

impl Call {
    /// The call as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.line().into_bytes();
        bytes.push(b'\n');
        if let Self::Intake(delivery) = self {
            bytes.extend_from_slice(&delivery.body);
        }
        bytes
    }

    /// Everything but a delivery's body, as JSON.
    fn line(&self) -> String {
        let call = |name| Writer::default().text("call", name);
        let pack = |name, first: &u64, last: &u64, replay: &u64| {
            let call = call(name).number("first", *first).number("last", *last);
            call.number("replay", *replay)
        };
        let page = |name, after: &u64, limit: &u64| {
            call(name).number("after", *after).number("limit", *limit)
        };
        let call = match self {
            Self::Intake(delivery) => call("intake")
                .text("source", &delivery.source)
                .text("integration", &delivery.integration)
                .text("dialect", delivery.dialect.name())
                .text("key", &encoding::hex(&delivery.key.0))
                .number("dedupe_window_s", delivery.dedupe_window_s),
            Self::Confirm {
                first,
                last,
                replay,
            } => pack("confirm", first, last, replay),
            Self::Bury {
                first,
                last,
                replay,
                reason,
            } => pack("bury", first, last, replay).text("reason", reason),
            Self::Quarantine {
                seq,
                replay,
                reason,
            } => call("quarantine")
                .number("seq", *seq)
                .number("replay", *replay)
                .text("reason", reason),
            Self::State => call("state"),
            Self::Events { after, limit } => page("events", after, limit),
            Self::Quarantined { after, limit } => page("quarantined", after, limit),
            Self::Dead { after, limit } => page("dead", after, limit),
            Self::Event { seq } => call("event").number("seq", *seq),
            Self::Data { seq } => call("data").number("seq", *seq),
            Self::Replay(request) => call("replay")
                .number("from", request.from)
                .number("to", request.to)
                .json("models", &request.models)
                .json("events", &request.events),
            Self::Redrive { from, to } => call("redrive").number("from", *from).number("to", *to),
            Self::Sweep { listed_seq } => call("sweep").number("listed_seq", *listed_seq),
            Self::Unlinked {
                source,
                after,
                limit,
                ..
            } => call("unlinked")
                .text("source", source)
                .text("after", after)
                .number("limit", *limit),
        };
        call.end()
    }

    /// Reads what [`Call::encode`] wrote; `None` for anything else.
    pub fn decode(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let body = bytes.split_off(end.checked_add(1)?);
        let fields = Object::parse(std::str::from_utf8(&bytes).ok()?)?;
        let number = |name| fields.number(name);
        let text = |name| fields.text(name).map(Cow::into_owned);
        Some(match &*fields.text("call")? {
            "intake" => Self::Intake(Delivery {
                source: text("source")?,
                integration: text("integration")?,
                dialect: dialect::named(&text("dialect")?)?,
                key: DedupeKey(encoding::from_hex(&text("key")?)?),
                dedupe_window_s: number("dedupe_window_s")?,
                filter: Rc::default(),
                body,
            }),
            "confirm" => Self::Confirm {
                first: number("first")?,
                last: number("last")?,
                replay: number("replay")?,
            },
            "bury" => Self::Bury {
                first: number("first")?,
                last: number("last")?,
                replay: number("replay")?,
                reason: text("reason")?,
            },
            "quarantine" => Self::Quarantine {
                seq: number("seq")?,
                replay: number("replay")?,
                reason: text("reason")?,
            },
            "state" => Self::State,
            "events" => Self::Events {
                after: number("after")?,
                limit: number("limit")?,
            },
            "quarantined" => Self::Quarantined {
                after: number("after")?,
                limit: number("limit")?,
            },
            "dead" => Self::Dead {
                after: number("after")?,
                limit: number("limit")?,
            },
            "event" => Self::Event {
                seq: number("seq")?,
            },
            "data" => Self::Data {
                seq: number("seq")?,
            },
            "replay" => Self::Replay(Request {
                from: number("from")?,
                to: number("to")?,
                models: fields.value("models").and_then(json::texts),
                events: fields.value("events").and_then(json::texts),
            }),
            "redrive" => Self::Redrive {
                from: number("from")?,
                to: number("to")?,
            },
            "sweep" => Self::Sweep {
                listed_seq: number("listed_seq")?,
            },
            "unlinked" => Self::Unlinked {
                source: text("source")?,
                after: text("after")?,
                limit: number("limit")?,
                filter: Rc::default(),
            },
            _ => return None,
        })
    }
}
