//! Packs: events in queue messages, within the queue's limits.

use crate::ledger::SeqRange;

/// Bytes of a pack. Queues are billed by 64,000 bytes begun, of which about
/// 100 are the platform's, so a full pack costs as little as can be.
pub const PACK_BYTES_MAX: usize = 63_800;
/// Bytes of a pack with one large event: a message may have 128,000, of which
/// the platform uses about 100.
pub const EVENT_BYTES_MAX: usize = 127_000;
/// Bytes that the events of one pack may stand for which travel without their
/// data: the consumer holds all of it while it applies the pack. One event may
/// have more.
pub const REFERENCED_BYTES_MAX: usize = 4_000_000;
/// Bytes handed to the queue at once: a batch may have 256,000.
pub const BATCH_BYTES_MAX: usize = 250_000;

/// Packs handed to the queue at once: a batch may have 100 messages.
pub const PACKS_MAX: usize = 100;

/// Events in one queue message: a JSON array of CloudEvents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// The first event's number.
    pub first: u64,
    /// The last event's number.
    pub last: u64,
    /// The message.
    pub text: String,
}

impl Pack {
    /// The range of its events.
    pub fn events(&self) -> SeqRange {
        SeqRange::new(self.first, self.last)
    }
}

/// Packs under construction.
#[derive(Default)]
pub(in crate::ledger) struct Packs {
    done: Vec<Pack>,
    done_bytes: usize,
    open: Option<Pack>,
    /// Bytes that the open one stands for.
    referenced: usize,
}

/// An event as it travels.
pub(in crate::ledger) struct Sendable {
    /// JSON.
    pub text: String,
    /// Bytes of its data, if it travels without.
    pub referenced: usize,
}

impl Packs {
    /// Adds an event; false if the batch is full.
    pub fn push(&mut self, seq: u64, event: &Sendable) -> bool {
        let Sendable { text, referenced } = event;
        let event = text.as_str();
        // A comma or the two brackets.
        let bytes = event.len().saturating_add(2);
        let open_bytes = self.open.as_ref().map_or(0, |pack| pack.text.len());
        let batch_bytes = self.done_bytes.saturating_add(open_bytes);
        if batch_bytes > 0 && batch_bytes.saturating_add(bytes) > BATCH_BYTES_MAX {
            return false;
        }
        if open_bytes > 0 && open_bytes.saturating_add(bytes) > PACK_BYTES_MAX {
            self.close();
        }
        if self.referenced > 0 && self.referenced.saturating_add(*referenced) > REFERENCED_BYTES_MAX
        {
            self.close();
        }
        if self.open.is_none() && self.done.len() >= PACKS_MAX {
            return false;
        }
        self.referenced = self.referenced.saturating_add(*referenced);
        match &mut self.open {
            Some(pack) => {
                pack.text.push(',');
                pack.text.push_str(event);
                pack.last = seq;
            }
            None => {
                let mut text = String::with_capacity(bytes);
                text.push('[');
                text.push_str(event);
                self.open = Some(Pack {
                    first: seq,
                    last: seq,
                    text,
                });
            }
        }
        true
    }

    /// Ends the pack at hand.
    pub fn close(&mut self) {
        self.referenced = 0;
        if let Some(mut pack) = self.open.take() {
            pack.text.push(']');
            self.done_bytes = self.done_bytes.saturating_add(pack.text.len());
            self.done.push(pack);
        }
    }

    /// All packs.
    pub fn finish(mut self) -> Vec<Pack> {
        self.close();
        self.done
    }
}
