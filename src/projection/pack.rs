//! A message of the queue, event by event.
//!
//! A pack is taken apart where it can't be applied as a whole, so an event
//! that can't be read doesn't make its pack unreadable: only its number must
//! be known.

use std::ops::Range;

use super::{Notices, Projection, Unreadable, generation};
use crate::integration::IntegrationId;
use crate::json::{self, Map, Object};
use crate::ledger::{PackRef, Rewrite, SeqRange};
use crate::sql::Statement;
use crate::time::Timestamp;

/// Events of one integration, in order: a JSON array of CloudEvents. It is read
/// once, however often it is taken apart; the text stays where it is.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    /// Whose they are.
    pub of: IntegrationId,
    /// Of all its events; `None` if 0.1.0 has sent them, which knew none.
    pub epoch: Option<u64>,
    events: Vec<Event>,
}

/// The fields of an event that count here.
const FIELDS: [&str; 9] = [
    "id",
    "source",
    "type",
    "time",
    "dataref",
    "generation",
    "data",
    "dataschema",
    "epoch",
];

/// An event; what it lacks makes a part unreadable that it is in.
#[derive(Debug, Clone)]
struct Event {
    seq: u64,
    kind: Option<Kind>,
    time: Option<Timestamp>,
    has_dataref: bool,
    /// Which step of a replay wrote it.
    rewrite: Rewrite,
    /// Where its data are in the text.
    data: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Record,
    Sync,
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        if name.starts_with("leasewire.record.") {
            Self::Record
        } else if name.starts_with("leasewire.sync.") {
            Self::Sync
        } else {
            Self::Other
        }
    }
}

/// Where `part` is in `text`, of which it is a part.
fn place(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some(start..start.checked_add(part.len())?)
}

impl Pack {
    /// Reads a message. What it says of its events is read by [`Pack::part`].
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let unreadable = |what: &str| Unreadable(what.to_owned());
        let not_events = || unreadable("not a list of events");
        let mut pack = Self::default();
        let mut from = None;
        for fields in json::pick_each(text, &FIELDS).ok_or_else(not_events)? {
            let [id, source, kind, time, dataref, replay, data, schema, epoch] = fields;
            let id = id.and_then(json::text).ok_or_else(not_events)?;
            let source = source.and_then(json::text).ok_or_else(not_events)?;
            let rewrite = Rewrite(generation(replay).ok_or_else(not_events)?);
            let epoch = match epoch {
                Some(epoch) => {
                    let epoch = json::text(epoch).and_then(|digits| digits.parse().ok());
                    Some(epoch.ok_or_else(not_events)?)
                }
                // `None` if 0.1.0 has sent it.
                None => schema.map(|_| 0),
            };
            let seq = number(&id).ok_or_else(|| unreadable("an id that is no number"))?;
            let last = pack.events.last();
            match &from {
                None => {
                    pack.of = IntegrationId::from_path(&source)
                        .ok_or_else(|| unreadable("a source that names no integration"))?;
                    pack.epoch = epoch;
                    from = Some(source);
                }
                Some(from) if *from != source => {
                    return Err(unreadable("events of two integrations"));
                }
                Some(_) if pack.epoch != epoch => return Err(unreadable("events of two epochs")),
                Some(_) if last.is_some_and(|last| last.seq >= seq) => {
                    return Err(unreadable("events out of order"));
                }
                Some(_) => {}
            }
            pack.events.push(Event {
                seq,
                kind: kind.and_then(json::text).map(|kind| Kind::of(&kind)),
                time: time
                    .and_then(json::text)
                    .and_then(|time| Timestamp::parse(&time)),
                has_dataref: dataref.is_some(),
                rewrite,
                data: data.and_then(|data| place(text, data.get())),
            });
        }
        match pack.events.is_empty() {
            true => Err(unreadable("an empty pack")),
            false => Ok(pack),
        }
    }

    /// The events at `part`, as their ledger knows them; `None` if there are
    /// none.
    pub fn named(&self, part: &Range<usize>) -> Option<PackRef> {
        let events = self.events.get(part.clone())?;
        Some(PackRef {
            events: SeqRange::new(events.first()?.seq, events.last()?.seq),
            rewrite: events.iter().map(|event| event.rewrite).min()?,
        })
    }

    /// Where all events are.
    pub fn all(&self) -> Range<usize> {
        0..self.events.len()
    }

    /// What the events at `part` do to D1; `text` is what the pack was read from.
    pub fn part<'a>(
        &self,
        text: &'a str,
        part: &Range<usize>,
    ) -> Result<Projection<'a>, Unreadable> {
        let mut projection = self.empty(part)?;
        for event in self.events.get(part.clone()).unwrap_or_default() {
            add(&mut projection, text, event)?;
        }
        Ok(projection)
    }

    /// Bytes of data that the events at `part` travel with.
    pub fn bytes(&self, part: &Range<usize>) -> usize {
        let events = self.events.get(part.clone()).unwrap_or_default();
        let data = events.iter().filter_map(|event| event.data.as_ref());
        data.map(Range::len).sum()
    }

    /// What works if D1 works, whatever is wrong with the events: it writes
    /// into the same tables, `bytes` at the least, since a full database may
    /// take a small row yet, and leaves nothing but the integration's row.
    pub fn probe(
        &self,
        bytes: usize,
        sent_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Statement>, Unreadable> {
        Ok(self.empty(&self.all())?.probe(bytes, sent_at, now))
    }

    fn empty<'a>(&self, part: &Range<usize>) -> Result<Projection<'a>, Unreadable> {
        let nothing = || Unreadable("a part without events".to_owned());
        let named = self.named(part).ok_or_else(nothing)?;
        Ok(Projection {
            of: self.of.clone(),
            pack: named,
            epoch: self.epoch,
            records: Map::default(),
            missing: Vec::new(),
            synced_at: None,
            notices: Notices::default(),
        })
    }
}

fn add<'a>(
    projection: &mut Projection<'a>,
    text: &'a str,
    event: &Event,
) -> Result<(), Unreadable> {
    let unreadable = |what: &str| Unreadable(what.to_owned());
    let time = event
        .time
        .ok_or_else(|| unreadable("a time that is none"))?;
    let kind = event
        .kind
        .ok_or_else(|| unreadable("an event without a type"))?;
    let data = event.data.clone().and_then(|data| text.get(data));
    let data = data.ok_or_else(|| unreadable("an event without data"))?;
    match kind {
        Kind::Record if event.has_dataref => projection.missing.push((event.seq, time)),
        Kind::Record => return projection.add_record(event.seq, data, time, false),
        Kind::Sync => {
            let fields = Object::parse(data).unwrap_or_default();
            if fields.flag("is_sync_finished") != Some(false) {
                let (first, last) = projection.synced_at.unwrap_or((time, time));
                projection.synced_at = Some((first.min(time), last.max(time)));
            }
        }
        Kind::Other => {}
    }
    Ok(())
}

/// The number of an event with this id: `17`, or `17-2` if replay 2 has written
/// it.
fn number(id: &str) -> Option<u64> {
    let number = id.split_once('-').map_or(id, |(seq, _)| seq);
    number.parse().ok()
}
