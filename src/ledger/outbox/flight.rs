//! What is on its way to the consumer, and how much may be.
//!
//! In normal times all goes out at once, as far as not too much is on its way
//! without an answer. What is lost there is sent again by the alarm. But where
//! nothing at all was heard since, nobody can answer: D1, the queue or the
//! consumer is away, and everything sent now is load for who comes back. So
//! then each alarm sends one pack, a probe, and all else waits, new events
//! included. The first answer to anything ends that, and the rest goes.
//!
//! A pack without an answer among others that have one is no outage: it is sent
//! again with growing pauses, and holds up nothing.

use super::packs::Pack;
use crate::ledger::SeqRange;
use crate::time::Timestamp;

/// Bytes that may be on their way without an answer: three of the consumer's
/// batches of 40 full packs, so that one can be in D1's hands, one in the
/// consumer's and one in the queue. 3 × 40 × 63,800 bytes are 7.7 MB.
pub const UNANSWERED_BYTES_MAX: usize = 8_000_000;

/// Shortest time between two batches, in milliseconds. The first event of a
/// quiet integration goes out at once; a busy one's share their messages.
const BATCH_INTERVAL_MS: u32 = 1_000;

/// Packs that were handed to the queue since the ledger was opened.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct Flight {
    /// Events and bytes of those without an answer.
    packs: Vec<(SeqRange, usize)>,
    bytes: usize,
    /// Whether the probe was sent, while nobody answers.
    probe: Option<bool>,
    /// The probe has had its answer, and nothing was made of that yet.
    has_ended: bool,
    /// Something was answered since all was taken for lost.
    is_answered: bool,
    /// What waits up to here in the log was overtaken by others.
    overtaken_seq: u64,
    /// When the next batch may go.
    next_at: Timestamp,
}

impl Flight {
    /// How long the next batch has to wait, in milliseconds. The pause stands
    /// before a batch: behind the last one it would keep the object awake for
    /// nothing.
    pub fn pause_ms(&self, now: Timestamp) -> Option<u32> {
        let ms = self.next_at.ms().saturating_sub(now.ms());
        // Where the clock went back, nobody waits for it to come round.
        let ms = u32::try_from(ms).ok()?;
        (1..=BATCH_INTERVAL_MS).contains(&ms).then_some(ms)
    }

    /// Notes that `packs` were handed to the queue. One that isn't full lets the
    /// next one fill.
    pub fn add(&mut self, packs: &[Pack], now: Timestamp) {
        if packs.len() == 1 {
            self.next_at = now.plus_ms(BATCH_INTERVAL_MS);
        }
        for pack in packs {
            let bytes = pack.text.len();
            self.packs.push((pack.events(), bytes));
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Nobody waits for an answer to `range` any more.
    pub fn land(&mut self, range: SeqRange) {
        let mut landed = 0_usize;
        self.packs.retain_mut(|(events, bytes)| {
            // What is applied of a pack in parts is so from its front.
            if range.first <= events.first {
                *events = events.behind(range.last);
            } else if range.last >= events.last {
                *events = events.before(range.first);
            }
            let is_on_its_way = !events.is_empty();
            if !is_on_its_way {
                landed = landed.saturating_add(*bytes);
            }
            is_on_its_way
        });
        self.bytes = self.bytes.saturating_sub(landed);
    }

    /// Notes that somebody has applied something, or says that it can't be.
    pub fn answer(&mut self) {
        self.is_answered = true;
        self.has_ended |= self.probe.take().is_some();
    }

    /// True once after a probe's answer.
    pub fn take_end(&mut self) -> bool {
        std::mem::take(&mut self.has_ended)
    }

    /// Begins with a probe.
    pub fn probe(&mut self) {
        self.probe = Some(false);
    }

    /// Notes that the probe was sent, or tried to be.
    pub fn probe_sent(&mut self) {
        self.probe = self.probe.map(|_| true);
    }

    /// While nobody answers, one pack at a time is sent.
    pub fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// True if more may go.
    pub fn has_room(&self) -> bool {
        match self.probe {
            Some(is_sent) => !is_sent,
            None => self.bytes < UNANSWERED_BYTES_MAX,
        }
    }

    /// Takes all for lost, of which the log's part went up to `sent_seq`. A
    /// probe comes first, if nothing was answered and one is needed.
    pub fn lose(&mut self, sent_seq: u64, needs_no_probe: bool) {
        let was_heard = self.is_answered || needs_no_probe;
        self.probe = (!was_heard).then_some(false);
        if was_heard {
            self.overtaken_seq = sent_seq;
        }
        self.is_answered = false;
        self.packs.clear();
        self.bytes = 0;
    }

    /// Others have overtaken the event `seq`.
    pub fn was_overtaken(&self, seq: u64) -> bool {
        seq <= self.overtaken_seq
    }
}
