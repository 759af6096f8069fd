//! Packs: events in queue messages, within the queue's limits.

/// Bytes of a pack. Queues are billed by 64,000 bytes begun, of which about
/// 100 are the platform's, so a full pack costs as little as can be.
pub const PACK_BYTES_MAX: usize = 63_800;
/// Bytes of a pack with one large event: a message may have 128,000, of which
/// the platform uses about 100.
pub const EVENT_BYTES_MAX: usize = 127_000;
/// Bytes handed to the queue at once: a batch may have 256,000.
pub const BATCH_BYTES_MAX: usize = 250_000;

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

/// Packs under construction.
#[derive(Default)]
pub(super) struct Packs {
    done: Vec<Pack>,
    done_bytes: usize,
    open: Option<Pack>,
}

impl Packs {
    /// Adds an event; false if the batch is full.
    pub fn push(&mut self, seq: u64, event: &str) -> bool {
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
