//! The ledger of one integration: order, dedupe, state, and the way out.
//!
//! What it owns: the numbers (given once, without gaps), the log of every
//! authentic delivery, each record's folded state, and the watermark up to
//! which everything forwarded was confirmed. Whatever lies beyond the
//! watermark is simply sent again after a crash: recovery is the normal path.
//!
//! What it doesn't: it moves no bytes and knows no clock. Each call is one
//! synchronous decision, committed before it returns; what is to be done then
//! (answer, send, wake, announce) it returns as a value, for the host to do.

mod alarm;
mod call;
mod compare;
mod compared;
mod health;
mod history;
mod host;
mod intake;
mod log;
mod numbers;
mod outbox;
mod owed;
mod rebuild;
pub mod replay;
mod report;
mod sequence;
mod setup;
mod snapshot;
mod unseen;

use alarm::Alarm;
pub use alarm::Effects;
pub use call::{
    CALL_FORMAT, Call, Reply, UnknownFormat, check_format, is_nobodys, received_at, was_woken,
};
pub use compared::{Changes, Compared, Verdict};
use health::Health;
pub use history::{PAGE_BYTES_MAX, State};
pub use host::{Answered, Next};
pub use intake::dedupe::RECENT_MAX;
use intake::unplaced::Unplaced;
pub use intake::{Outcome, Taken};
use log::Log;
pub use log::discard;
use log::discard::Discards;
use log::index::Index;
use log::migrate;
pub use log::migrate::SCHEMA_VERSION;
use log::retention::Moved;
pub use log::retention::Retention;
use log::segments::Segments;
pub use numbers::{PackRef, Rewrite, SeqRange};
pub use outbox::flight::UNANSWERED_BYTES_MAX;
pub use outbox::forward::{Batch, Reach, Sent};
pub use outbox::packs::Pack;
pub use outbox::quarantine::NOT_APPLIED;
pub use outbox::ranges::Ranges;
pub use outbox::redrive::Redriven;
use outbox::state::Outbox;
use owed::tell::Told;
pub use owed::{Owed, OwedRecord, SyncEnd};
use rebuild::Rebuilds;
pub use rebuild::{Part, Rebuild, Rebuilt};
use replay::Replays;
pub use report::{Announcement, Numbers, Report};
use sequence::Sequence;
pub use setup::Setup;
pub use snapshot::{Fetched, Merged, Outcome as MergeOutcome, Snapshots};
pub use unseen::{LastSeen, Marked, Unseen, UnseenGroup};

use crate::dialect::event::RecordKey;
use crate::integration::IntegrationId;
use crate::signature::DedupeKey;
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// The tables of a ledger.
pub const SCHEMA: &str = include_str!("log/schema.sql");

/// One integration's ledger on the storage `S`. Each part keeps its own state,
/// which can be read back from the tables; what is lost with the memory only
/// makes events go out again.
pub struct Ledger<S> {
    log: Log<S>,
    /// Whose it is; `None` until the first event is taken in.
    name: Option<IntegrationId>,
    /// Of its numbers: see [`State::epoch`].
    epoch: u64,
    sequence: Sequence,
    index: Index,
    moved: Moved,
    unplaced: Unplaced,
    outbox: Outbox,
    told: Told,
    replays: Replays,
    rebuilds: Rebuilds,
    discards: Discards,
    alarm: Alarm,
    health: Health,
}

impl<S: Sql> Ledger<S> {
    /// Opens the ledger on `sql`, and brings its tables up to this code's
    /// version if an older one has made them. Nothing else is written until the
    /// first event, so that a look at a ledger that doesn't exist leaves none
    /// behind. An error also if a newer version has made them, or none.
    pub fn open(sql: S) -> Result<Self, SqlError> {
        let mut ledger = Self {
            log: Log {
                sql,
                segments: Segments::default(),
            },
            name: None,
            epoch: 0,
            sequence: Sequence::default(),
            index: Index::default(),
            moved: Moved::default(),
            unplaced: Unplaced::default(),
            outbox: Outbox::default(),
            told: Told::default(),
            replays: Replays::default(),
            rebuilds: Rebuilds::default(),
            discards: Discards::default(),
            alarm: Alarm::default(),
            health: Health::default(),
        };
        if ledger.migrate()? {
            ledger.load()?;
        }
        Ok(ledger)
    }

    /// Whose ledger it is; `None` if it never took in an event.
    pub fn name(&self) -> Option<&IntegrationId> {
        self.name.as_ref()
    }

    /// The last number given; 0 if none was.
    pub fn last_seq(&self) -> u64 {
        self.sequence.last()
    }

    /// The first event of which the history is whole; before it, only what is
    /// dead or quarantined was kept.
    pub fn kept_from(&self) -> u64 {
        self.log.segments.kept_from()
    }

    fn load(&mut self) -> Result<(), SqlError> {
        let rows = self.log.sql.query(
            "SELECT source, integration, confirmed_seq, attempts, last_event_at, uses_index,
                    EXISTS (SELECT 1 FROM replays WHERE ended_at IS NULL), reported, epoch,
                    EXISTS (SELECT 1 FROM rebuilds WHERE ended_at IS NULL),
                    EXISTS (SELECT 1 FROM kept_keys),
                    EXISTS (SELECT 1 FROM discards WHERE ended_at IS NULL),
                    EXISTS (SELECT 1 FROM unplaced), owed_seq
             FROM ledger",
            &[],
        )?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        self.name = Some(IntegrationId::new(row.text(0)?, row.text(1)?));
        self.epoch = row.number(8)?;
        self.load_segments()?;
        let before_present = self.log.segments.present().first_seq.saturating_sub(1);
        let (last_seq, along, last_received_us, is_forwarded) = match self.log.last_event()? {
            Some(last) => (
                last.number(0)?,
                last.number(1)?,
                last.integer(2)?,
                last.flag(3)?,
            ),
            None => (0, 0, 0, true),
        };
        // Events that are gone have left these behind.
        let last_seq = last_seq.max(before_present);
        let last_received_us = last_received_us.max(row.maybe_integer(4)?.unwrap_or(0));
        self.sequence = Sequence::load(last_seq, Timestamp::from_us(last_received_us));
        self.index = Index::load(row.integer(5)?, last_received_us, row.flag(10)?);
        self.unplaced = Unplaced::load(row.flag(12)?);
        self.told = Told::load(row.maybe_number(13)?);
        self.replays = Replays::load(row.flag(6)?);
        self.rebuilds = Rebuilds::load(row.flag(9)?);
        self.discards = Discards::load(row.flag(11)?);
        self.health = Health::load(row.maybe_text(7)?)?;
        self.outbox = Outbox::load(
            row.number(2)?.max(along),
            u32::try_from(row.number(3)?).unwrap_or(u32::MAX),
            self.log.load_dead()?,
            self.log.load_redelivery()?,
        );
        self.advance()?;
        // Whoever confirmed the last event has put its number into the list.
        let is_dead = self.outbox.dead().end_of(last_seq).is_some();
        if is_forwarded && !is_dead && self.outbox.confirmed_seq() == last_seq {
            self.health.announced(last_seq);
        }
        Ok(())
    }

    fn load_segments(&mut self) -> Result<(), SqlError> {
        let rows = self.log.sql.query(
            "SELECT number, first_seq, began_at, format, began_bytes FROM segments
             ORDER BY number",
            &[],
        )?;
        self.log.segments = Segments::load(&rows)?;
        for row in &rows {
            let format = row.number(3)?;
            if format < migrate::SEGMENT_FORMAT {
                let first_seq = row.number(1)?;
                return self.log.sql.transaction(|| {
                    self.bring_up_segments()?;
                    self.clear_unknown(first_seq, format)
                });
            }
        }
        Ok(())
    }
}

impl<S: Sql> Log<S> {
    /// Number, watermark and time of the last event that is still there, and
    /// whether it is forwarded.
    fn last_event(&self) -> Result<Option<Row>, SqlError> {
        for segment in self.segments.iter().rev() {
            let statement = format!(
                "SELECT seq, confirmed_seq, received_at, quarantine IS NULL AND ignored IS NULL
                 FROM {} ORDER BY seq DESC LIMIT 1",
                segment.table()
            );
            if let Some(row) = self.sql.query(&statement, &[])?.into_iter().next() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// The time in column `us` with the nanoseconds in column `ns`, or NULL.
fn maybe_time(row: &Row, us: usize, ns: usize) -> Result<Option<Timestamp>, SqlError> {
    let beyond = u16::try_from(row.maybe_number(ns)?.unwrap_or(0)).unwrap_or(0);
    let time = row.maybe_integer(us)?.map(Timestamp::from_us);
    Ok(time.map(|time| time.with_ns(beyond)))
}

/// The nanoseconds of a time as a column has them: NULL for none.
fn beyond_us(time: Option<Timestamp>) -> Option<u64> {
    time.map(|time| u64::from(time.ns())).filter(|ns| *ns > 0)
}

fn first(rows: Vec<Row>) -> Result<Row, SqlError> {
    rows.into_iter()
        .next()
        .ok_or_else(|| SqlError("a row is missing".to_owned()))
}

/// The record of which column `at` has the model and the next one the id.
fn record_key(row: &Row, at: usize) -> Result<Option<RecordKey<'_>>, SqlError> {
    let (model, id) = (row.maybe_text(at)?, row.maybe_text(at.saturating_add(1))?);
    Ok(model.zip(id).map(|(model, id)| RecordKey { model, id }))
}

/// The dedupe key in the column `at`.
fn dedupe_key(row: &Row, at: usize) -> Result<DedupeKey, SqlError> {
    let key = row.blob(at)?.try_into();
    key.map(DedupeKey)
        .map_err(|_| SqlError("a key has another length".to_owned()))
}
