//! Calls as bytes: JSON, but for deliveries, of which there are many.

use std::borrow::Cow;
use std::rc::Rc;

use memchr::memchr;

use super::Call;
use crate::edge::delivery::Delivery;
use crate::integration::IntegrationId;
use crate::json::{self, Object, Writer};
use crate::ledger::log::discard::{self, Held};
use crate::ledger::replay::Request;
use crate::ledger::{Changes, Fetched, PackRef, Rewrite, SeqRange, Snapshots, Unseen};
use crate::signature::DedupeKey;
use crate::{dialect, encoding};

/// What a delivery begins with.
const INTAKE: &str = "intake";

impl Call {
    /// The call as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let call = |name| Writer::default().text("call", name);
        let pack = |name, pack: &PackRef, epoch: &Option<u64>| {
            let PackRef { events, rewrite } = pack;
            let call = call(name)
                .number("first", events.first)
                .number("last", events.last);
            in_epoch(call.number("replay", rewrite.0), epoch)
        };
        let page = |name, after: &u64, limit: &u64| {
            call(name).number("after", *after).number("limit", *limit)
        };
        let call = match self {
            Self::Intake(delivery) => return encode_delivery(delivery),
            Self::Merge { read, .. } => encode_read(call("merge"), read),
            Self::Gone { unseen, .. } => call("gone").raw("unseen", &unseen.to_json()),
            Self::Compare { read, .. } => read.encode(call("compare")),
            Self::Confirm { pack: of, epoch } => pack("confirm", of, epoch),
            Self::DeadLetter {
                pack: of,
                reason,
                epoch,
            } => pack("bury", of, epoch).text("reason", reason),
            Self::Quarantine {
                seq,
                rewrite,
                reason,
                epoch,
            } => {
                let call = call("quarantine").number("seq", *seq);
                in_epoch(call.number("replay", rewrite.0), epoch).text("reason", reason)
            }
            Self::State => call("state"),
            Self::Events { after, limit } => page("events", after, limit),
            Self::Quarantined { after, limit } => page("quarantined", after, limit),
            Self::Dead { after, limit } => page("dead", after, limit),
            Self::Event { seq } => call("event").number("seq", *seq),
            Self::Data { seq, epoch } => in_epoch(call("data").number("seq", *seq), epoch),
            Self::Replay(request) => call("replay")
                .number("from", request.from)
                .number("to", request.to)
                .raw("models", &json::texts_or_null(&request.models))
                .raw("events", &json::texts_or_null(&request.events)),
            Self::Rebuild => call("rebuild"),
            Self::Redrive(range) => call("redrive")
                .number("from", range.first)
                .number("to", range.last),
            Self::Discard(request) => call("discard")
                .text("status", request.status.label())
                .number("from", request.from)
                .number("to", request.to),
            Self::Sweep {
                listed_seq,
                listed_epoch,
            } => {
                let call = call("sweep").number("listed_seq", *listed_seq);
                match listed_epoch {
                    Some(epoch) => call.number("listed_epoch", *epoch),
                    None => call,
                }
            }
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
        call.end().into_bytes()
    }

    /// Reads what [`Call::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        if bytes.first() != Some(&b'{') {
            return decode_delivery(bytes).map(Self::Intake);
        }
        let fields = Object::parse(std::str::from_utf8(&bytes).ok()?)?;
        let number = |name| fields.number(name);
        let text = |name| fields.text(name).map(Cow::into_owned);
        let pack = || {
            Some(PackRef {
                events: SeqRange::new(number("first")?, number("last")?),
                rewrite: Rewrite(number("replay")?),
            })
        };
        Some(match &*fields.text("call")? {
            "merge" => Self::Merge {
                read: decode_read(&fields)?,
                setup: None,
            },
            "gone" => Self::Gone {
                unseen: Unseen::parse(fields.value("unseen")?.get())?,
                setup: None,
            },
            "compare" => Self::Compare {
                read: Changes::decode(&fields)?,
                setup: None,
            },
            "confirm" => Self::Confirm {
                pack: pack()?,
                epoch: number("epoch"),
            },
            "bury" => Self::DeadLetter {
                pack: pack()?,
                reason: text("reason")?,
                epoch: number("epoch"),
            },
            "quarantine" => Self::Quarantine {
                seq: number("seq")?,
                rewrite: Rewrite(number("replay")?),
                reason: text("reason")?,
                epoch: number("epoch"),
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
                epoch: number("epoch"),
            },
            "replay" => Self::Replay(Request {
                from: number("from")?,
                to: number("to")?,
                models: fields.value("models").and_then(json::texts),
                events: fields.value("events").and_then(json::texts),
            }),
            "rebuild" => Self::Rebuild,
            "redrive" => Self::Redrive(SeqRange::new(number("from")?, number("to")?)),
            "discard" => Self::Discard(discard::Request {
                status: Held::named(&text("status")?)?,
                from: number("from")?,
                to: number("to")?,
            }),
            "sweep" => Self::Sweep {
                listed_seq: number("listed_seq")?,
                listed_epoch: number("listed_epoch"),
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

fn in_epoch(call: Writer, epoch: &Option<u64>) -> Writer {
    match epoch {
        Some(epoch) => call.number("epoch", *epoch),
        None => call,
    }
}

/// Records that were asked for, each as it was sent behind its id.
fn encode_read(call: Writer, read: &Snapshots) -> Writer {
    let item = |item: &Fetched| ["[", &json::quoted(&item.id), ",", &item.json, "]"].concat();
    let call = call
        .text("source", &read.of.source)
        .text("integration", &read.of.integration)
        .text("model", &read.model)
        .number("asked_seq", read.asked_seq)
        .flag("believed", read.is_believed);
    in_epoch(call, &read.epoch).raw("items", &json::list(read.items.iter().map(item)))
}

fn decode_read(fields: &Object) -> Option<Snapshots> {
    let text = |name| fields.text(name).map(Cow::into_owned);
    let item = |item: &json::Value| {
        let parts = json::items(item.get())?;
        let [id, json] = parts.as_slice() else {
            return None;
        };
        Some(Fetched {
            id: json::text(id)?.into_owned(),
            json: json.get().to_owned(),
        })
    };
    let items = json::items(fields.value("items")?.get())?;
    Some(Snapshots {
        of: IntegrationId::new(text("source")?, text("integration")?),
        model: text("model")?,
        asked_seq: fields.number("asked_seq")?,
        epoch: fields.number("epoch"),
        is_believed: fields.flag("believed")?,
        items: items.into_iter().map(item).collect::<Option<_>>()?,
    })
}

/// A delivery: a line of words, among them the lengths of the two names that
/// come behind it, and then the raw body.
fn encode_delivery(delivery: &Delivery) -> Vec<u8> {
    let (source, integration) = (&delivery.of.source, &delivery.of.integration);
    let words = [
        INTAKE,
        delivery.dialect.name(),
        &encoding::hex(&delivery.key.0),
        &delivery.dedupe_window_s.to_string(),
        &source.len().to_string(),
        &integration.len().to_string(),
    ];
    let mut bytes = words.join(" ").into_bytes();
    for part in [
        b"\n",
        source.as_bytes(),
        integration.as_bytes(),
        &delivery.body,
    ] {
        bytes.extend_from_slice(part);
    }
    bytes
}

fn decode_delivery(mut bytes: Vec<u8>) -> Option<Delivery> {
    let (line, behind) = bytes.split_at_checked(memchr(b'\n', &bytes)?)?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    if words.next()? != INTAKE {
        return None;
    }
    let dialect = dialect::named(words.next()?)?;
    let key = DedupeKey(encoding::from_hex(words.next()?)?);
    let dedupe_window_s = words.next()?.parse().ok()?;
    let mut rest = behind.get(1..)?;
    let mut name = || {
        let (name, behind) = rest.split_at_checked(words.next()?.parse().ok()?)?;
        rest = behind;
        String::from_utf8(name.to_vec()).ok()
    };
    let (source, integration) = (name()?, name()?);
    let body_at = bytes.len().saturating_sub(rest.len());
    Some(Delivery {
        of: IntegrationId::new(source, integration),
        dialect,
        key,
        dedupe_window_s,
        filter: Rc::default(),
        body: bytes.split_off(body_at),
    })
}
