//! What can be asked of a ledger from outside its object, and the answers.
//!
//! A call crosses to the object as one block of bytes, and an answer back as
//! text or nothing.

mod format;
mod reply;
mod wire;

use std::rc::Rc;

pub use format::{CALL_FORMAT, UnknownFormat, check_format};
pub use reply::{Reply, is_nobodys, received_at, was_woken};

use super::log::discard;
use super::replay::Request;
use super::{Changes, Ledger, PackRef, Rewrite, SeqRange, Setup, Snapshots, Unseen};
use crate::dialect::filter::Filter;
use crate::edge::delivery::Delivery;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// A question or a message to a ledger.
#[derive(Clone)]
pub enum Call {
    /// Take this in.
    Intake(Delivery),
    /// A provider's API returned these records.
    Merge {
        /// The records.
        read: Snapshots,
        /// How their source is set up.
        setup: Option<Box<Setup>>,
    },
    /// A provider's API says that no synchronisation has seen these records for
    /// long.
    Gone {
        /// The records.
        unseen: Unseen,
        /// How their source is set up.
        setup: Option<Box<Setup>>,
    },
    /// A provider's log has these changes: did a webhook tell of each?
    Compare {
        /// The changes.
        read: Changes,
        /// How their source is set up.
        setup: Option<Box<Setup>>,
    },
    /// A consumer has applied this pack.
    Confirm {
        /// Which one.
        pack: PackRef,
        /// The epoch of the pack: what an earlier one numbered isn't known under
        /// these numbers any more. 0.1.0 doesn't tell it.
        epoch: Option<u64>,
    },
    /// No consumer could apply this pack.
    DeadLetter {
        /// Which one.
        pack: PackRef,
        /// Why.
        reason: String,
        /// As for a confirmation.
        epoch: Option<u64>,
    },
    /// No consumer can apply this event, whatever it is packed with.
    Quarantine {
        /// Its number.
        seq: u64,
        /// As it was written.
        rewrite: Rewrite,
        /// Why.
        reason: String,
        /// As for a confirmation.
        epoch: Option<u64>,
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
    /// A page of the quarantined events.
    Quarantined {
        /// Behind this number.
        after: u64,
        /// At most this many.
        limit: u64,
    },
    /// A page of the dead packs.
    Dead {
        /// Behind the pack that begins with this number.
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
        /// As for a confirmation.
        epoch: Option<u64>,
    },
    /// Read kept bodies again.
    Replay(Request),
    /// Write all records into D1 again.
    Rebuild,
    /// Send dead packs again, and what is in quarantine as not applied.
    Redrive(SeqRange),
    /// Let bodies of quarantined or dead events go.
    Discard(discard::Request),
    /// Has it work that no alarm watches over?
    Sweep {
        /// Its last number, as the list of integrations has it.
        listed_seq: u64,
        /// The epoch of that number; 0.1.0 doesn't tell it.
        listed_epoch: Option<u64>,
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

impl Call {
    /// True for what the API asks an integration, or tells it to do. Any other
    /// call is about something that the ledger gave out, or gives it its name.
    fn is_of_api(&self) -> bool {
        match self {
            Self::State
            | Self::Events { .. }
            | Self::Quarantined { .. }
            | Self::Dead { .. }
            | Self::Event { .. }
            | Self::Unlinked { .. }
            | Self::Replay(_)
            | Self::Rebuild
            | Self::Redrive(_)
            | Self::Discard(_) => true,
            Self::Intake(_)
            | Self::Merge { .. }
            | Self::Gone { .. }
            | Self::Compare { .. }
            | Self::Confirm { .. }
            | Self::DeadLetter { .. }
            | Self::Quarantine { .. }
            | Self::Data { .. }
            | Self::Sweep { .. } => false,
        }
    }

    /// The source that brings the call about.
    pub(super) fn source(&self) -> Option<&str> {
        match self {
            Self::Intake(delivery) => Some(&delivery.of.source),
            Self::Merge { read, .. } => Some(&read.of.source),
            Self::Gone { unseen, .. } => Some(&unseen.of.source),
            _ => None,
        }
    }

    /// The epoch of the numbers that the call is about, where it states one.
    fn epoch(&self) -> Option<u64> {
        match self {
            Self::Confirm { epoch, .. }
            | Self::DeadLetter { epoch, .. }
            | Self::Quarantine { epoch, .. }
            | Self::Data { epoch, .. } => *epoch,
            _ => None,
        }
    }

    /// Hands the call how its source is set up, where it has to do with it.
    /// That doesn't travel: the ledger's host has its own configuration.
    pub fn set_up(&mut self, of_source: impl FnOnce(&str) -> Setup) {
        match self {
            Self::Intake(Delivery { of, filter, .. }) => *filter = of_source(&of.source).filter,
            Self::Merge { read, setup } => {
                *setup = Some(Box::new(of_source(&read.of.source)));
            }
            Self::Gone { unseen, setup } => {
                *setup = Some(Box::new(of_source(&unseen.of.source)));
            }
            Self::Compare { read, setup } => {
                *setup = Some(Box::new(of_source(&read.of.source)));
            }
            Self::Unlinked { source, filter, .. } => *filter = of_source(source).filter,
            _ => {}
        }
    }
}

impl<S: Sql> Ledger<S> {
    /// Answers `calls`, in order, up to the first that fails, and says why that
    /// does. What was done for those before it stands.
    pub fn answer_all(
        &mut self,
        calls: impl IntoIterator<Item = Call>,
        now: Timestamp,
    ) -> (Vec<Reply>, Option<SqlError>) {
        let mut replies = Vec::new();
        for call in calls {
            match self.answer(call, now) {
                Ok(reply) => replies.push(reply),
                Err(error) => return (replies, Some(error)),
            }
        }
        (replies, None)
    }

    /// Answers `call`.
    pub fn answer(&mut self, call: Call, now: Timestamp) -> Result<Reply, SqlError> {
        if self.name().is_none() && call.is_of_api() {
            return Ok(Reply::Nobodys);
        }
        // A ledger that began anew gives the same numbers to other events.
        if call.epoch().is_some_and(|epoch| epoch != self.epoch) {
            return Ok(Reply::Nothing);
        }
        Ok(match call {
            Call::Intake(delivery) => Reply::Taken(self.intake(&delivery, now)?),
            Call::Merge { read, setup } => {
                let setup = setup.ok_or_else(|| SqlError("no such source".to_owned()))?;
                Reply::Json(self.merge(&read, &setup, now)?.to_json())
            }
            Call::Gone { unseen, setup } => {
                let setup = setup.ok_or_else(|| SqlError("no such source".to_owned()))?;
                Reply::Json(self.mark_gone(&unseen, &setup, now)?.to_json())
            }
            Call::Compare { read, setup } => {
                let setup = setup.ok_or_else(|| SqlError("no such source".to_owned()))?;
                Reply::Json(self.compare(&read, &setup)?.to_json())
            }
            Call::Confirm { pack, .. } => Reply::Confirmed(self.confirm(pack, now)?),
            Call::DeadLetter { pack, reason, .. } => {
                self.dead_letter(pack, &reason, now)?;
                Reply::Done
            }
            Call::Quarantine {
                seq,
                rewrite,
                reason,
                ..
            } => {
                self.quarantine(seq, rewrite, &reason, now)?;
                Reply::Done
            }
            Call::State => Reply::found(self.state()?.map(|state| state.to_json())),
            Call::Events { after, limit } => Reply::Json(self.events(after, limit)?),
            Call::Quarantined { after, limit } => Reply::Json(self.quarantined(after, limit)?),
            Call::Dead { after, limit } => Reply::Json(self.dead(after, limit)?),
            Call::Event { seq } => Reply::found(self.event(seq)?),
            Call::Data { seq, .. } => Reply::found(self.data(seq)?),
            Call::Replay(request) => {
                let asked = self.ask_for_replay(&request, now)?;
                Reply::found(asked.map(|progress| progress.to_json()))
            }
            Call::Rebuild => {
                let asked = self.ask_for_rebuild(now)?;
                Reply::found(asked.map(|rebuild| rebuild.to_json()))
            }
            Call::Redrive(range) => Reply::Json(self.redrive(range, now)?.to_json()),
            Call::Discard(request) => {
                let asked = self.ask_for_discard(&request, now)?;
                Reply::found(asked.map(|progress| progress.to_json()))
            }
            Call::Sweep {
                listed_seq,
                listed_epoch,
            } => Reply::Swept(self.sweep(listed_seq, listed_epoch, now)?),
            Call::Unlinked {
                after,
                limit,
                filter,
                ..
            } => Reply::Json(self.unlinked(&after, limit, &filter)?),
        })
    }
}
