//! A message of the queue, event by event.
//!
//! A pack is taken apart where it can't be applied as a whole, so an event
//! that can't be read doesn't make its pack unreadable: only its number must
//! be known.

use std::borrow::Cow;
use std::ops::Range;

use super::{Notices, Projection, Unreadable, generation};
use crate::integration::IntegrationId;
use crate::json::{self, Map, Object, Picked, Value};
use crate::ledger::{PackRef, Rewrite, SeqRange};
use crate::sql::Statement;
use crate::time::Timestamp;

/// Events of one integration, in order: a JSON array of CloudEvents.
pub struct Pack<'a> {
    /// Whose they are.
    pub of: IntegrationId,
    /// Of all its events; `None` if 0.1.0 has sent them, which knew none.
    pub epoch: Option<u64>,
    numbers: Vec<u64>,
    events: Vec<Event<'a>>,
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

struct Event<'a> {
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    kind: Option<&'a Value>,
    time: Option<&'a Value>,
    dataref: Option<&'a Value>,
    /// Which step of a replay wrote it.
    rewrite: Rewrite,
    data: Option<&'a Value>,
    /// `None` if 0.1.0 has sent it.
    epoch: Option<u64>,
}

impl<'a> Event<'a> {
    fn read(
        [id, source, kind, time, dataref, replay, data, schema, epoch]: Picked<'a, 9>,
    ) -> Option<Self> {
        let epoch = match epoch {
            Some(epoch) => Some(json::text(epoch)?.parse().ok()?),
            None => schema.map(|_| 0),
        };
        Some(Self {
            id: json::text(id?)?,
            source: json::text(source?)?,
            kind,
            time,
            dataref,
            rewrite: Rewrite(generation(replay)?),
            data,
            epoch,
        })
    }
}

impl<'a> Pack<'a> {
    /// Reads a message. What it says of its events is read by [`Pack::part`].
    pub fn read(text: &'a str) -> Result<Self, Unreadable> {
        let events = json::pick_each(text, &FIELDS);
        let events = events.and_then(|events| events.into_iter().map(Event::read).collect());
        let events: Vec<Event> =
            events.ok_or_else(|| Unreadable("not a list of events".to_owned()))?;
        let Some(head) = events.first() else {
            return Err(Unreadable("an empty pack".to_owned()));
        };
        let of = IntegrationId::from_path(&head.source)
            .ok_or_else(|| Unreadable("a source that names no integration".to_owned()))?;
        if events.iter().any(|event| event.source != head.source) {
            return Err(Unreadable("events of two integrations".to_owned()));
        }
        let epoch = head.epoch;
        if events.iter().any(|event| event.epoch != epoch) {
            return Err(Unreadable("events of two epochs".to_owned()));
        }
        let numbers: Vec<u64> = events.iter().map(number).collect::<Result<_, _>>()?;
        if !numbers.is_sorted_by(|a, b| a < b) {
            return Err(Unreadable("events out of order".to_owned()));
        }
        Ok(Self {
            of,
            epoch,
            numbers,
            events,
        })
    }

    /// The events at `part`, as their ledger knows them; `None` if there are
    /// none.
    pub fn named(&self, part: &Range<usize>) -> Option<PackRef> {
        let numbers = self.numbers.get(part.clone())?;
        let events = self.events.get(part.clone())?;
        Some(PackRef {
            events: SeqRange::new(*numbers.first()?, *numbers.last()?),
            rewrite: events.iter().map(|event| event.rewrite).min()?,
        })
    }

    /// Where all events are.
    pub fn all(&self) -> Range<usize> {
        0..self.events.len()
    }

    /// What the events at `part` do to D1.
    pub fn part(&self, part: &Range<usize>) -> Result<Projection<'a>, Unreadable> {
        let mut projection = self.empty(part)?;
        for at in part.clone() {
            if let (Some(seq), Some(event)) = (self.numbers.get(at), self.events.get(at)) {
                add(&mut projection, *seq, event)?;
            }
        }
        Ok(projection)
    }

    /// Bytes of data that the events at `part` travel with.
    pub fn bytes(&self, part: &Range<usize>) -> usize {
        let events = self.events.get(part.clone()).unwrap_or_default();
        let data = events.iter().filter_map(|event| event.data);
        data.map(|data| data.get().len()).sum()
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

    fn empty(&self, part: &Range<usize>) -> Result<Projection<'a>, Unreadable> {
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

fn add<'a>(projection: &mut Projection<'a>, seq: u64, event: &Event<'a>) -> Result<(), Unreadable> {
    let time = event.time.and_then(json::text);
    let time = time
        .and_then(|time| Timestamp::parse(&time))
        .ok_or_else(|| Unreadable("a time that is none".to_owned()))?;
    let kind = event.kind.and_then(json::text);
    let kind = kind.ok_or_else(|| Unreadable("an event without a type".to_owned()))?;
    let data = event.data.map(Value::get);
    let data = data.ok_or_else(|| Unreadable("an event without data".to_owned()))?;
    if kind.starts_with("leasewire.record.") {
        if event.dataref.is_some() {
            projection.missing.push((seq, time));
            return Ok(());
        }
        return projection.add_record(seq, data, time, false);
    }
    if kind.starts_with("leasewire.sync.") {
        let fields = Object::parse(data).unwrap_or_default();
        if fields.flag("is_sync_finished") != Some(false) {
            let (first, last) = projection.synced_at.unwrap_or((time, time));
            projection.synced_at = Some((first.min(time), last.max(time)));
        }
    }
    Ok(())
}

/// The number of an event: its id is `17`, or `17-2` if replay 2 has written it.
fn number(event: &Event) -> Result<u64, Unreadable> {
    let number = event.id.split_once('-').map_or(&*event.id, |(seq, _)| seq);
    number
        .parse()
        .map_err(|_| Unreadable("an id that is no number".to_owned()))
}
