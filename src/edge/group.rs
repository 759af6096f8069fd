//! Webhooks for one ledger share a call.
//!
//! The way to a ledger takes longer than what is done there, and it does one
//! thing at a time. So every webhook stands in line, and who finds hardly
//! anybody under way takes the head of the line there: itself alone and at
//! once if it meets no other, some dozens under load.
//!
//! Each looks for its answer from time to time, because requests share nothing
//! but memory: one that waits for a promise which another request settles was
//! seen to go on in that one's place, or not at all.

use crate::time::Timestamp;

/// Groups under way to one ledger at the most. With a single one, a webhook that
/// meets just one other would wait for it.
pub const UNDER_WAY_MAX: usize = 2;
/// Calls that go together at the most: some milliseconds of work.
pub const CALLS_MAX: usize = 64;
/// Bytes that go together at the most, if not a single call has more: an
/// isolate has 128 MB for everything.
pub const BYTES_MAX: usize = 4 << 20;
/// How long a ledger may take, in milliseconds: senders give up after 5 s.
pub const LEDGER_MS_MAX: u32 = 4_000;
/// How long it may take at the least, however long who asks has waited in line.
const LEDGER_MS_MIN: u32 = 1_000;
/// How long a webhook waits before it looks for its answer, in milliseconds:
/// first, and at the most.
const LOOKS_MS: (u32, u32) = (1, 16);
/// After so long whoever is under way is lost, and who still stands in line has
/// gone: a call ends within 4 s, and nobody waits for longer.
pub const LOST_S: u64 = 10;

/// The lines before all ledgers. `W` is where a request finds its answer.
pub struct Groups<W> {
    /// They are looked through: an isolate has some dozens at most.
    lines: Vec<Line<W>>,
    last_ticket: u64,
}

struct Line<W> {
    ledger: String,
    /// When each group set out that is under way.
    under_way: Vec<Timestamp>,
    waiting: Vec<Waiting<W>>,
}

impl<W> Line<W> {
    /// Forgets who set out or joined at `lost` or before. The platform ends the
    /// request of a sender that hangs up, wherever it stands; taken along days
    /// later, its webhook would be older than any repetition that is known.
    fn forget(&mut self, lost: Timestamp) {
        self.under_way.retain(|since| *since > lost);
        self.waiting.retain(|waiting| waiting.since > lost);
    }
}

/// A webhook that stands in line.
pub struct Waiting<W> {
    /// Its number: no other has it.
    pub ticket: u64,
    /// What the ledger is asked.
    pub call: Vec<u8>,
    /// Where the answer is wanted.
    pub answer: W,
    since: Timestamp,
}

/// Who waits for an answer.
pub struct Waiter {
    ledger: String,
    ticket: u64,
    since: Timestamp,
    /// When it looked.
    at: Timestamp,
    pause_ms: u32,
    /// It has taken a group to the ledger since then.
    is_back: bool,
}

impl Waiter {
    /// Its number: no other has it.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    fn left_ms(&self) -> u32 {
        let waited_ms = self.at.ms().saturating_sub(self.since.ms());
        LEDGER_MS_MAX.saturating_sub(u32::try_from(waited_ms).unwrap_or(0))
    }
}

/// What who waits is to do.
pub enum Look<W> {
    /// Take these to the ledger, and put each answer in its place; then
    /// [`Groups::end`], and look again.
    Take(Group<W>),
    /// Look again in so many milliseconds.
    Wait(u32),
    /// Nothing: the answer is there, or time is up.
    End,
}

/// Webhooks that share a call.
pub struct Group<W> {
    /// The webhooks, in order.
    pub waiting: Vec<Waiting<W>>,
    /// When they set out.
    pub since: Timestamp,
    /// How long the ledger may take, in milliseconds.
    pub ms: u32,
}

impl<W> Default for Groups<W> {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            last_ticket: 0,
        }
    }
}

impl<W> Groups<W> {
    /// Stands in line from `now` on; returns who waits, to [`Self::look`] at once.
    pub fn wait(&mut self, ledger: &str, call: Vec<u8>, answer: W, now: Timestamp) -> Waiter {
        Waiter {
            ledger: ledger.to_owned(),
            ticket: self.join(ledger, call, answer, now),
            since: now,
            at: now,
            pause_ms: LOOKS_MS.0,
            is_back: false,
        }
    }

    /// What `waiter` is to do, whose answer may be there.
    pub fn look(&mut self, waiter: &mut Waiter, is_answered: bool, now: Timestamp) -> Look<W> {
        if !std::mem::take(&mut waiter.is_back) {
            waiter.at = now;
            if let Some(waiting) = self.set_out(&waiter.ledger, now) {
                waiter.is_back = true;
                return Look::Take(Group {
                    waiting,
                    since: now,
                    ms: waiter.left_ms().max(LEDGER_MS_MIN),
                });
            }
        }
        if is_answered {
            return Look::End;
        }
        if waiter.left_ms() == 0 {
            self.leave(&waiter.ledger, waiter.ticket);
            return Look::End;
        }
        let (_, most_ms) = LOOKS_MS;
        let pause_ms = waiter.pause_ms;
        waiter.pause_ms = pause_ms.saturating_mul(2).min(most_ms);
        Look::Wait(pause_ms)
    }

    /// Stands in line from `now` on; returns the ticket.
    pub fn join(&mut self, ledger: &str, call: Vec<u8>, answer: W, now: Timestamp) -> u64 {
        self.last_ticket = self.last_ticket.saturating_add(1);
        let ticket = self.last_ticket;
        let waiting = Waiting {
            ticket,
            call,
            answer,
            since: now,
        };
        match self.line(ledger) {
            Some(line) => line.waiting.push(waiting),
            None => self.lines.push(Line {
                ledger: ledger.to_owned(),
                under_way: Vec::new(),
                waiting: vec![waiting],
            }),
        }
        ticket
    }

    /// The first of the line, in order, for who asks to take to the ledger;
    /// nothing if enough are under way. The group has to [`Self::end`], with
    /// the same `now`.
    pub fn set_out(&mut self, ledger: &str, now: Timestamp) -> Option<Vec<Waiting<W>>> {
        let line = self.line(ledger)?;
        line.forget(now.minus_s(LOST_S));
        if line.under_way.len() >= UNDER_WAY_MAX {
            return None;
        }
        let mut bytes = 0_usize;
        let fits = line.waiting.iter().take(CALLS_MAX).take_while(|waiting| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(waiting.call.len());
            is_first || bytes <= BYTES_MAX
        });
        let count = fits.count();
        if count == 0 {
            return None;
        }
        line.under_way.push(now);
        Some(line.waiting.drain(..count).collect())
    }

    /// A group that set out at `since` is back.
    pub fn end(&mut self, ledger: &str, since: Timestamp) {
        if let Some(line) = self.line(ledger)
            && let Some(at) = line.under_way.iter().position(|one| *one == since)
        {
            line.under_way.swap_remove(at);
        }
        for line in &mut self.lines {
            line.forget(since.minus_s(LOST_S));
        }
        self.tidy();
    }

    /// Leaves the line: time is up. True if it hadn't set out.
    pub fn leave(&mut self, ledger: &str, ticket: u64) -> bool {
        let mut waited = false;
        if let Some(line) = self.line(ledger) {
            let before = line.waiting.len();
            line.waiting.retain(|waiting| waiting.ticket != ticket);
            waited = line.waiting.len() < before;
        }
        self.tidy();
        waited
    }

    /// How many lines there are: one for each ledger that is being called.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    fn tidy(&mut self) {
        self.lines
            .retain(|line| !line.under_way.is_empty() || !line.waiting.is_empty());
    }

    fn line(&mut self, ledger: &str) -> Option<&mut Line<W>> {
        self.lines.iter_mut().find(|line| line.ledger == ledger)
    }
}
