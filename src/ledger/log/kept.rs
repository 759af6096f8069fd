//! What a kept body says, read again: a webhook's in its dialect, and a record
//! that was asked for as what it is.

use super::Log;
use crate::dialect::event::{Change, Content, Event, Kind, RecordKey, Subject, Unclear};
use crate::dialect::{self, Dialect, Meaning, Reading};
use crate::json::{self, Object, Writer};
use crate::ledger::record_key;
use crate::record::merge::{LAST_SEEN, Touch, seen_at};
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// How many events about a record are gone back through, to see what a read of
/// it may lack. A read takes seconds.
const STEPS_MAX: usize = 64;
/// Bytes of their bodies: an object has 128 MB.
const BYTES_MAX: u64 = 8_000_000;

/// A body, and what tells how to read it.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) struct Kept<'a> {
    pub body: &'a [u8],
    /// Of a record that was asked for: the last number before the read.
    asked_seq: Option<u64>,
    record: Option<RecordKey<'a>>,
}

impl<'a> Kept<'a> {
    /// The columns that [`Kept::of`] reads, the first ones of a row.
    pub const COLUMNS: &'static str = "body, asked_seq, model, record_id";

    /// Of a row that begins with [`Kept::COLUMNS`].
    pub fn of(row: &'a Row) -> Result<Self, SqlError> {
        Ok(Self {
            body: row.blob(0)?,
            asked_seq: row.maybe_number(1)?,
            record: record_key(row, 2)?,
        })
    }

    /// What it says.
    pub fn read(&self, dialect: &dyn Dialect, now: Timestamp) -> Reading<'a> {
        match (self.asked_seq, self.record) {
            (Some(_), Some(record)) => Reading::of_read(asked_for(record, self.body)),
            (Some(_), None) => Reading::of_read(Err(Unclear::NoRecordId)),
            (None, _) => dialect::read(dialect, self.body, now),
        }
    }

    /// The last number before the read, of a record that was asked for.
    pub fn asked_seq(&self) -> Option<u64> {
        self.asked_seq
    }
}

/// The member of a gone record's body that has its id. Whatever the API returned
/// has an `id`.
const GONE: &str = "gone";

/// The body that is kept of a record which the provider last saw at `last_seen`,
/// as it says it, and which counts as gone.
pub(in crate::ledger) fn gone_body(id: &str, last_seen: &str) -> String {
    let body = Writer::default().text(GONE, id);
    body.text(LAST_SEEN, last_seen).end()
}

/// The event that the record `key` was asked for, and returned as `body`; or that
/// it is gone.
pub(in crate::ledger) fn asked_for<'a>(
    key: RecordKey<'a>,
    body: &'a [u8],
) -> Result<Event<'a>, Unclear> {
    let text = std::str::from_utf8(body).map_err(|_| Unclear::NotUtf8)?;
    if json::too_deep(text) {
        return Err(Unclear::TooDeep);
    }
    let fields = Object::parse(text).ok_or(Unclear::NotAnObject)?;
    let subject = Subject {
        model: key.model.to_owned(),
        record_id: key.id.into(),
    };
    let (kind, change) = match seen_at(&fields) {
        Some(at) if fields.has(GONE) && !fields.has("id") => (Kind::RecordGone, Change::Gone(at)),
        _ => (Kind::RecordSnapshot, Change::Read(fields)),
    };
    Ok(Event {
        kind,
        name: None,
        occurred_at: None,
        property: None,
        content: Content::Record(subject, change),
    })
}

/// Which events about a record are looked at.
pub(in crate::ledger) struct Back<'a> {
    /// How webhooks' bodies are read.
    pub dialect: &'a dyn Dialect,
    /// The record's last event.
    pub last_seq: u64,
    /// All behind this number.
    pub asked_seq: u64,
    /// And how far before it.
    pub until: Until,
}

/// How far back events are looked at.
#[derive(Clone, Copy)]
pub(in crate::ledger) enum Until {
    /// Not before the read.
    Asked,
    /// Up to one that states when the provider changed the record.
    Dated,
    /// Those that were received after this.
    Time(Timestamp),
}

impl<S: Sql> Log<S> {
    /// What events about a record have touched, the newest first, and whether
    /// these are all that were asked for.
    pub(in crate::ledger) fn touches(
        &self,
        back: &Back,
        now: Timestamp,
    ) -> Result<(Vec<Touch>, bool), SqlError> {
        let columns = format!("{}, prev_seq, received_at", Kept::COLUMNS);
        let (mut touches, mut bytes) = (Vec::<Touch>::new(), 0_u64);
        let mut next = Some(back.last_seq);
        for _ in 0..STEPS_MAX {
            let Some(seq) = next else {
                return Ok((touches, true));
            };
            let Some(row) = self.one(&columns, seq)? else {
                return Ok((touches, true));
            };
            let received_at = Timestamp::from_us(row.integer(5)?);
            let is_enough = match back.until {
                Until::Asked => true,
                Until::Dated => touches.iter().any(|touch| touch.is_dated),
                Until::Time(since) => received_at <= since,
            };
            if seq <= back.asked_seq && is_enough {
                return Ok((touches, true));
            }
            let kept = Kept::of(&row)?;
            bytes = bytes.saturating_add(kept.body.len() as u64);
            if bytes > BYTES_MAX {
                break;
            }
            let reading = kept.read(back.dialect, now);
            if let Meaning::Event(event) = &reading.meaning
                && let Content::Record(_, change) = &event.content
            {
                // A read that began before another one is older, whenever it ended.
                let asked = kept.asked_seq().map(|asked| asked.saturating_add(1));
                touches.push(Touch::of(change, asked.unwrap_or(seq), received_at));
            }
            next = row.maybe_number(4)?.filter(|prev| *prev < seq);
        }
        Ok((touches, next.is_none_or(|next| next <= back.asked_seq)))
    }
}
