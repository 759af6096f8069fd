//! Events on their way out, as the log has them.
//!
//! A batch is one text, put together by SQLite: each value that crosses by
//! itself from the database into here takes longer than all that is done with
//! it.

use super::packs::{BATCH_BYTES_MAX, EVENT_BYTES_MAX};
use crate::dialect::event::{Kind, RecordKey};
use crate::ledger::SeqRange;
use crate::ledger::log::Log;
use crate::record::cloudevent::CloudEvent;
use crate::sql::{Param, Row, Sql, SqlError};
use crate::time::Timestamp;

/// Events looked at for one batch. The smallest have about 400 bytes, so this
/// many nearly fill it.
const EVENTS_MAX: u64 = 600;

/// What an event without its data adds to a message, about: its names and flags.
const SLIM_BYTES: u64 = 700;
/// Bytes that may be read of such events for one batch. What they stand for is
/// read one at a time, and only to be left out.
const READ_BYTES_MAX: u64 = 16_000_000;
/// Bytes taken for data that didn't fit into its event's row: a row has less
/// than 2 MB.
const LARGE_BYTES: u64 = 2_000_000;

/// So many are read without looking at how long they are.
const FEW: u64 = 8;

/// Between all values: U+001E, the record separator. It can't be in any of
/// them: JSON escapes it, and no name has a control character.
const SEPARATOR: char = '\u{1e}';

/// Some of the log's events, in order.
#[derive(Default)]
pub(in crate::ledger) struct Unsent(Option<String>);

impl Unsent {
    /// All of them; `path` and `epoch` are the ledger's. One without data has more than
    /// fits into a message.
    pub fn events<'a>(
        &'a self,
        path: &'a str,
        epoch: u64,
    ) -> Result<Vec<CloudEvent<'a>>, SqlError> {
        let Some(text) = &self.0 else {
            return Ok(Vec::new());
        };
        let mut values = text.split(SEPARATOR).peekable();
        let mut events: Vec<CloudEvent> = Vec::new();
        while values.peek().is_some() {
            let event = event(&mut values, path, epoch).ok_or_else(broken)?;
            if events.last().is_some_and(|last| last.seq >= event.seq) {
                return Err(broken());
            }
            events.push(event);
        }
        Ok(events)
    }
}

fn event<'a>(
    values: &mut impl Iterator<Item = &'a str>,
    path: &'a str,
    epoch: u64,
) -> Option<CloudEvent<'a>> {
    let seq = values.next()?.parse().ok()?;
    let kind = Kind::named(values.next()?)?;
    let (model, id) = (values.next()?, values.next()?);
    let time = Timestamp::from_us(values.next()?.parse().ok()?);
    let time = time.with_ns(values.next()?.parse().ok()?);
    let rewrite = match values.next()? {
        "" => None,
        number => Some(number.parse().ok()?),
    };
    let ambiguous = values.next()? == "1";
    Some(CloudEvent {
        path,
        seq,
        kind,
        record: (!id.is_empty()).then_some(RecordKey { model, id }),
        time,
        epoch,
        replay: rewrite,
        ambiguous,
        by_reference: false,
        data: values.next()?,
    })
}

impl<S: Sql> Log<S> {
    /// The next events of `range` to send, at least one if any meets
    /// `condition`, and not much more than a batch takes: an object has little
    /// memory. They are of one segment.
    pub(in crate::ledger) fn unsent(
        &self,
        condition: &str,
        range: SeqRange,
    ) -> Result<Unsent, SqlError> {
        let mut encoded = [0; 4];
        for (segment, range) in self.segments.within(range) {
            let table = segment.table();
            let Some(to) = self.end_of_batch(&table, condition, range)? else {
                continue;
            };
            let statement = format!(
                "SELECT group_concat(
                   seq || ?4 || kind || ?4 || coalesce(model, '') || ?4
                   || coalesce(record_id, '') || ?4 || coalesce(occurred_at, received_at) || ?4
                   || coalesce(occurred_ns, 0) || ?4
                   || coalesce(replay, '') || ?4 || coalesce(ambiguous, '') || ?4
                   || coalesce(CASE WHEN octet_length(data) <= ?3 THEN data END, ''), ?4)
                 FROM (SELECT seq, kind, model, record_id, occurred_at, occurred_ns,
                              received_at, replay, ambiguous, data
                       FROM {table} WHERE seq BETWEEN ?1 AND ?2 {condition} ORDER BY seq)"
            );
            let separator = &*SEPARATOR.encode_utf8(&mut encoded);
            let params = [
                range.first.into(),
                to.into(),
                bytes(EVENT_BYTES_MAX),
                Param::Text(separator),
            ];
            let rows = self.sql.query(&statement, &params)?;
            if let Some(text) = only(rows)? {
                return Ok(Unsent(Some(text)));
            }
        }
        Ok(Unsent::default())
    }

    /// Where to end, so that not much more is read than a batch takes; `None`
    /// if nothing meets `condition`. Bytes, not letters, are counted: those
    /// stand in a row's head, and what is large isn't read for it.
    fn end_of_batch(
        &self,
        table: &str,
        condition: &str,
        SeqRange { first, last }: SeqRange,
    ) -> Result<Option<u64>, SqlError> {
        if last.saturating_sub(first) < FEW {
            return Ok(Some(last));
        }
        let statement = format!(
            "SELECT group_concat(seq || ' ' || coalesce(octet_length(data), {LARGE_BYTES}), ' ')
             FROM (SELECT seq, data FROM {table} WHERE seq BETWEEN ?1 AND ?2 {condition}
                   ORDER BY seq LIMIT ?3)"
        );
        let params = [first.into(), last.into(), EVENTS_MAX.into()];
        let Some(text) = only(self.sql.query(&statement, &params)?)? else {
            return Ok(None);
        };
        let mut numbers = text.split(' ').map(str::parse::<u64>);
        let (mut end, mut total, mut read) = (first, 0_u64, 0_u64);
        while let Some(seq) = numbers.next() {
            end = seq.map_err(|_| broken())?;
            let length = numbers.next().and_then(Result::ok).ok_or_else(broken)?;
            let is_large = length > EVENT_BYTES_MAX as u64;
            let (sent, looked_at) = if is_large {
                (SLIM_BYTES, length)
            } else {
                (length, 0)
            };
            total = total.saturating_add(sent);
            read = read.saturating_add(looked_at);
            if total >= BATCH_BYTES_MAX as u64 || read >= READ_BYTES_MAX {
                break;
            }
        }
        Ok(Some(end))
    }
}

/// The text that the only row has, if it has one.
fn only(rows: Vec<Row>) -> Result<Option<String>, SqlError> {
    match rows.into_iter().next() {
        Some(row) => row.into_text(),
        None => Ok(None),
    }
}

fn bytes(count: usize) -> Param<'static> {
    Param::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn broken() -> SqlError {
    SqlError("the log gives something other than events".to_owned())
}
