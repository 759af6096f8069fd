//! What a ledger tells of itself: its state, and every delivery it has kept.

use super::log::discard;
use super::log::segments::{FORWARDED, QUARANTINED};
use super::outbox::forward::{kind, time};
use super::replay::Progress;
use super::{Ledger, Ranges, Rebuild, Rewrite, SeqRange, first, maybe_time, record_key};
use crate::dialect::event::TEST_INTEGRATION;
use crate::dialect::filter::Filter;
use crate::encoding;
use crate::integration::IntegrationId;
use crate::json::Writer;
use crate::record::cloudevent::CloudEvent;
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// Bytes of a page's entries at the most, but for a single larger one: 4 MiB.
/// A record may have 2 MB and an event's name 1 MiB, so that 500 of them would
/// be up to 1 GB; D1 gives 50 MB, and an isolate has 128 MB for all it does,
/// where a page is there four times on its way. 500 usual records have 1 MB.
pub const PAGE_BYTES_MAX: u64 = 4 << 20;

/// A ledger's own state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whose ledger it is.
    pub of: IntegrationId,
    /// The epoch of its numbers: milliseconds when it began, or had to be told
    /// anew; 0 if 0.1.0 made it.
    pub epoch: u64,
    /// The last number given.
    pub last_seq: u64,
    /// Everything up to here is settled: confirmed, dead or quarantined.
    pub confirmed_seq: u64,
    /// Events not yet handed to the queue.
    pub pending: u64,
    /// Events handed to the queue and not confirmed.
    pub unconfirmed: u64,
    /// Events in packs that could not be applied.
    pub dead: u64,
    /// Events not understood, or that can't be applied.
    pub quarantined: u64,
    /// Bytes that the ledger has in use.
    pub bytes: u64,
    /// Since when the oldest event has been waiting for its confirmation: when
    /// it was received, or of one that goes out again, since when it does.
    pub oldest_unconfirmed_at: Option<Timestamp>,
    /// When the first synchronisation ended.
    pub first_synced_at: Option<Timestamp>,
    /// When the latest synchronisation ended.
    pub last_synced_at: Option<Timestamp>,
    /// When the last new event was received.
    pub last_event_at: Option<Timestamp>,
    /// The replay that was asked for last.
    pub replay: Option<Progress>,
    /// The rebuild of D1 that was asked for last.
    pub rebuild: Option<Rebuild>,
    /// The discard that was asked for last.
    pub discard: Option<discard::Progress>,
}

impl State {
    /// As the API has it; `replay`, `rebuild` and `discard` only if there was
    /// one.
    pub fn to_json(&self) -> String {
        let mut json = Writer::default()
            .text("source", &self.of.source)
            .text("integration", &self.of.integration)
            .number("epoch", self.epoch)
            .number("last_seq", self.last_seq)
            .number("confirmed_seq", self.confirmed_seq)
            .number("pending", self.pending)
            .number("unconfirmed", self.unconfirmed)
            .number("dead", self.dead)
            .number("quarantined", self.quarantined)
            .number("bytes", self.bytes)
            .time_or_null("oldest_unconfirmed_at", self.oldest_unconfirmed_at)
            .time_or_null("first_synced_at", self.first_synced_at)
            .time_or_null("last_synced_at", self.last_synced_at)
            .time_or_null("last_event_at", self.last_event_at);
        if let Some(replay) = &self.replay {
            json = json.raw("replay", &replay.to_json());
        }
        if let Some(rebuild) = &self.rebuild {
            json = json.raw("rebuild", &rebuild.to_json());
        }
        if let Some(discard) = &self.discard {
            json = json.raw("discard", &discard.to_json());
        }
        json.end()
    }
}

const ENTRY: &str = "seq, name, kind, model, record_id, occurred_at, received_at,
                     length(body), coalesce(quarantine, ignored), ignored IS NOT NULL, replay,
                     occurred_ns, asked_seq";
const WHOLE_ENTRY: &str = "seq, name, kind, model, record_id, occurred_at, received_at,
                           length(body), coalesce(quarantine, ignored), ignored IS NOT NULL,
                           replay, occurred_ns, asked_seq, body, ambiguous";

/// Number and bytes of an entry: of what has no bound, and of all else about.
const ENTRY_BYTES: &str = "seq, 300 + coalesce(length(CAST(name AS BLOB)), 0)
                     + coalesce(length(CAST(model AS BLOB)), 0)
                     + coalesce(length(CAST(record_id AS BLOB)), 0)";

impl<S: Sql> Ledger<S> {
    /// The ledger's state; `None` if it never took in an event.
    pub fn state(&self) -> Result<Option<State>, SqlError> {
        let Some(name) = self.name.clone() else {
            return Ok(None);
        };
        let row = first(
            self.log
                .sql
                .query("SELECT first_synced_at, last_synced_at FROM ledger", &[])?,
        )?;
        let (last_seq, sent_seq) = (self.sequence.last(), self.outbox.sent_seq());
        let unconfirmed =
            self.forwarded_of(&self.outbox.never_settled(SeqRange::through(sent_seq)))?;
        let dead = self.forwarded_of(self.outbox.dead())?;
        let (resends_unsent, resends_sent) = self.count_resends()?;
        let unsent = self
            .log
            .count(FORWARDED, self.sequence.all().behind(sent_seq))?;
        let at = |us: Option<i64>| us.map(Timestamp::from_us);
        Ok(Some(State {
            of: name,
            epoch: self.epoch,
            last_seq,
            confirmed_seq: self.outbox.confirmed_seq(),
            pending: unsent.saturating_add(resends_unsent),
            unconfirmed: unconfirmed.saturating_add(resends_sent),
            dead,
            quarantined: self.log.count(QUARANTINED, self.sequence.all())?,
            bytes: self.log.sql.size()?,
            oldest_unconfirmed_at: self.oldest_unconfirmed_at()?,
            first_synced_at: at(row.maybe_integer(0)?),
            last_synced_at: at(row.maybe_integer(1)?),
            replay: self.log.last_replay()?,
            rebuild: self.log.last_rebuild()?,
            discard: self.log.last_discard()?,
            last_event_at: (last_seq > 0).then_some(self.sequence.last_received_at()),
        }))
    }

    fn oldest_unconfirmed_at(&self) -> Result<Option<Timestamp>, SqlError> {
        let waiting = self.outbox.never_settled(self.sequence.all());
        let first = self.log.first_received_at(&waiting)?;
        Ok(first
            .into_iter()
            .chain(self.outbox.redelivery().since())
            .min())
    }

    /// Up to `limit` entries of the history after number `after`, as the
    /// API's answer.
    pub fn events(&self, after: u64, limit: u64) -> Result<String, SqlError> {
        self.page_of_events("", self.sequence.all().behind(after), limit)
    }

    /// Up to `limit` quarantined events after number `after`, as the API's
    /// answer.
    pub fn quarantined(&self, after: u64, limit: u64) -> Result<String, SqlError> {
        self.page_of_events(QUARANTINED, self.sequence.all().behind(after), limit)
    }

    /// A page of the events of `range` that meet `condition`: up to `limit`,
    /// and no more than fit.
    fn page_of_events(
        &self,
        condition: &str,
        range: SeqRange,
        limit: u64,
    ) -> Result<String, SqlError> {
        // One more than asked for tells whether there is a next page.
        let sizes = self
            .log
            .scan(ENTRY_BYTES, condition, range, limit.saturating_add(1))?;
        let count = fitting(&sizes, 1, limit)?;
        let given = sizes.get(..count).unwrap_or_default();
        let last = last_seq(given)?;
        let rows = match last {
            Some(last) => {
                let range = SeqRange::new(range.first, last);
                self.log.scan(ENTRY, condition, range, count as u64)?
            }
            None => Vec::new(),
        };
        let next = last.filter(|_| count < sizes.len());
        Ok(page("events", &self.entries(&rows)?, next))
    }

    /// Up to `limit` dead packs that begin after number `after`, as the API's
    /// answer.
    pub fn dead(&self, after: u64, limit: u64) -> Result<String, SqlError> {
        if self.name.is_none() {
            return Ok(page("packs", &[], None));
        }
        let mut rows = self.log.sql.query(
            "SELECT first_seq, last_seq, substr(reason, 1, 1000), died_at, 1200 FROM dead
             WHERE first_seq > ?1 ORDER BY first_seq LIMIT ?2",
            &[after.into(), limit.saturating_add(1).into()],
        )?;
        let count = fitting(&rows, 4, limit)?;
        let has_next = count < rows.len();
        rows.truncate(count);
        let mut packs = Vec::new();
        for row in &rows {
            let (first_seq, last_seq) = (row.number(0)?, row.number(1)?);
            let pack = Writer::default()
                .number("first_seq", first_seq)
                .number("last_seq", last_seq)
                .number(
                    "events",
                    self.log
                        .count(FORWARDED, SeqRange::new(first_seq, last_seq))?,
                )
                .text("reason", row.text(2)?)
                .time("died_at", Timestamp::from_us(row.integer(3)?));
            packs.push(pack.end());
        }
        let next = last_seq(&rows)?.filter(|_| has_next);
        Ok(page("packs", &packs, next))
    }

    /// One entry with its raw body and the forwarded CloudEvent, as the API's
    /// answer; `None` if there is no such event.
    pub fn event(&self, seq: u64) -> Result<Option<String>, SqlError> {
        let Some(row) = self.log.one(WHOLE_ENTRY, seq)? else {
            return Ok(None);
        };
        let body = row.blob(13)?;
        let (body, body_encoding) = match std::str::from_utf8(body) {
            Ok(text) => (text.to_owned(), "utf-8"),
            Err(_) => (encoding::base64(body), "base64"),
        };
        let cloudevent = self.forwarded(seq, &row)?;
        let whole = self
            .entry(&row)?
            .text("body", &body)
            .text("body_encoding", body_encoding)
            .raw("cloudevent", cloudevent.as_deref().unwrap_or("null"));
        Ok(Some(whole.end()))
    }

    /// Up to `limit` properties after the id `after` that aren't linked, each
    /// with its first event that `filter` left out, as the API's answer.
    pub fn unlinked(&self, after: &str, limit: u64, filter: &Filter) -> Result<String, SqlError> {
        let (mut properties, mut bytes) = (Vec::new(), 0_u64);
        let mut next = (self.name.is_some()).then(|| after.to_owned());
        while let Some(after) = next.take() {
            let sizes = self.log.sql.query(
                "SELECT 100 + length(CAST(property_id AS BLOB)) FROM unlinked
                 WHERE property_id > ?1 ORDER BY property_id LIMIT ?2",
                &[after.as_str().into(), limit.into()],
            )?;
            let count = fitting(&sizes, 0, limit)? as u64;
            let rows = self.log.sql.query(
                "SELECT property_id, first_seq, first_seen_at FROM unlinked
                 WHERE property_id > ?1 ORDER BY property_id LIMIT ?2",
                &[after.as_str().into(), count.into()],
            )?;
            for row in &rows {
                let property_id = row.text(0)?;
                next = Some(property_id.to_owned());
                // Those that are linked since then have been dealt with.
                if filter.has_linked(property_id) {
                    continue;
                }
                let property = Writer::default()
                    .text("property_id", property_id)
                    .number("first_seq", row.number(1)?)
                    .time("first_seen_at", Timestamp::from_us(row.integer(2)?));
                let property = property.end();
                bytes = bytes.saturating_add(property.len() as u64);
                properties.push(property);
                if properties.len() as u64 >= limit || bytes >= PAGE_BYTES_MAX {
                    return Ok(unlinked_page(&properties, next.as_deref()));
                }
            }
            if (sizes.len() as u64) < limit && count == sizes.len() as u64 {
                next = None;
            }
        }
        Ok(unlinked_page(&properties, None))
    }

    /// The forwarded event of a row as [`WHOLE_ENTRY`] reads it, with all its data.
    fn forwarded(&self, seq: u64, row: &Row) -> Result<Option<String>, SqlError> {
        let (Some(name), Some(data)) = (&self.name, self.data(seq)?) else {
            return Ok(None);
        };
        let event = CloudEvent {
            path: &name.path(),
            seq,
            kind: kind(row, 2)?,
            record: record_key(row, 3)?,
            time: time(row, (5, 11), 6)?,
            epoch: self.epoch,
            replay: row.maybe_number(10)?,
            ambiguous: row.maybe_number(14)? == Some(1),
            by_reference: false,
            data: &data,
        };
        Ok(Some(event.to_json()))
    }

    fn entries(&self, rows: &[Row]) -> Result<Vec<String>, SqlError> {
        let entry = |row| self.entry(row).map(Writer::end);
        rows.iter().map(entry).collect()
    }

    /// An entry of the history, from a row as [`ENTRY`] reads it.
    fn entry(&self, row: &Row) -> Result<Writer, SqlError> {
        let seq = row.number(0)?;
        let mut reason = row.maybe_text(8)?;
        let replay = row.maybe_number(10)?;
        let discarded = reason.and_then(discard::reason);
        let status = match reason {
            Some(_) if discarded.is_some() => "discarded",
            Some(_) if row.flag(9)? => "ignored",
            Some(_) => "quarantined",
            None => self.outbox.status(seq, Rewrite(replay.unwrap_or(0))),
        };
        reason = discarded.or(reason);
        let mut entry = Writer::default()
            .number("seq", seq)
            .text("status", status)
            .text_or_null("event", row.maybe_text(1)?)
            .text_or_null("kind", row.maybe_text(2)?)
            .text_or_null("model", row.maybe_text(3)?)
            .text_or_null("record_id", row.maybe_text(4)?)
            .time_or_null("occurred_at", maybe_time(row, 5, 11)?)
            .time("received_at", Timestamp::from_us(row.integer(6)?))
            .number("bytes", row.number(7)?);
        if row.maybe_number(12)?.is_some() {
            entry = entry.text("origin", "api");
        }
        if replay.is_some() {
            entry = entry.flag("replay", true);
        }
        entry = entry.maybe_text("reason", reason);
        let name = self.name.as_ref();
        if name.is_some_and(|name| name.integration == TEST_INTEGRATION) {
            entry = entry.flag("test", true);
        }
        Ok(entry)
    }

    /// How many events in `ranges` are forwarded at all.
    fn forwarded_of(&self, ranges: &Ranges) -> Result<u64, SqlError> {
        let mut counts = ranges.iter().map(|range| self.log.count(FORWARDED, range));
        counts.try_fold(0, |sum, count| Ok(u64::saturating_add(sum, count?)))
    }
}

/// How many of `rows`, whose `column` has the bytes of each, fit on a page of
/// up to `limit`: one at the least, so that there is always a next one.
fn fitting(rows: &[Row], column: usize, limit: u64) -> Result<usize, SqlError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = 0_u64;
    for (count, row) in rows.iter().enumerate().take(limit) {
        bytes = bytes.saturating_add(row.number(column)?);
        if count > 0 && bytes > PAGE_BYTES_MAX {
            return Ok(count);
        }
    }
    Ok(rows.len().min(limit))
}

/// The number that the last of `rows` begins with.
fn last_seq(rows: &[Row]) -> Result<Option<u64>, SqlError> {
    rows.last().map(|row| row.number(0)).transpose()
}

/// A page of a list of the API.
fn page(name: &str, items: &[String], next: Option<u64>) -> String {
    let next = next.map_or_else(|| "null".to_owned(), |next| next.to_string());
    let page = Writer::default().list(name, items);
    page.raw("next", &next).end()
}

fn unlinked_page(properties: &[String], next: Option<&str>) -> String {
    let page = Writer::default().list("properties", properties);
    page.text_or_null("next", next).end()
}
