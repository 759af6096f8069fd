//! The account's limit: so many requests a minute, those of other programs
//! included, and what may be asked of it at the most.

use crate::clock::MINUTE;
use crate::random::Random;

/// Requests that may be under way when an answer says what is left.
const UNDER_WAY: u32 = leasewire::connector::IN_FLIGHT_MAX as u32;
/// Who finds the minute used up, and not by itself, looks every ten seconds whether it is over.
const LOOKS: u32 = 6;

pub struct Limit {
    pub per_minute: u32,
    /// At which the connector is to stop.
    pub stop_at: u32,
    /// When the provider's minutes begin.
    pub phase_ms: u64,
    /// How much of a request others make while we make one, in tenths at the most.
    pub others: u64,
    minute: u64,
    used: u32,
    own: u32,
    /// Own requests of which nobody learns what is left.
    unheard: u32,
    /// Until when what a lost memory knew may be asked once more.
    forgotten_until_ms: u64,
    /// Own requests, ever, and those of them for which nothing was left.
    pub all: u64,
    refused: u64,
}

impl Limit {
    pub fn new(per_minute: u32, phase_ms: u64, others: u64) -> Self {
        Self {
            per_minute,
            stop_at: per_minute * 4 / 5,
            phase_ms,
            others,
            minute: 0,
            used: 0,
            own: 0,
            unheard: 0,
            forgotten_until_ms: 0,
            all: 0,
            refused: 0,
        }
    }

    /// A request has come: what is left of the minute, or `None` if nothing is. An
    /// error if there were more than there may be.
    pub fn take(&mut self, now_ms: u64, random: &mut Random) -> Result<Option<u32>, String> {
        let minute = (now_ms + self.phase_ms) / MINUTE;
        if minute != self.minute {
            self.minute = minute;
            (self.used, self.own, self.unheard) = (0, 0, 0);
        }
        self.own += 1;
        self.all += 1;
        let others = u32::from(random.below(10) < self.others);
        self.used = (self.used + others).min(self.per_minute);
        let forgotten = match now_ms < self.forgotten_until_ms {
            true => self.stop_at,
            false => 0,
        };
        if self.own > self.stop_at + UNDER_WAY + LOOKS + self.unheard + forgotten {
            return Err(format!(
                "{} requests in a minute that may have {}",
                self.own, self.stop_at
            ));
        }
        if self.used >= self.per_minute {
            self.refused += 1;
            return Ok(None);
        }
        self.used += 1;
        Ok(Some(self.per_minute - self.used))
    }

    /// Own requests that counted.
    pub fn answered(&self) -> u64 {
        self.all - self.refused
    }

    /// Nobody learns what the last answer says.
    pub fn unheard(&mut self) {
        self.unheard += 1;
    }

    /// The memory of who asks is lost.
    pub fn forgotten(&mut self, now_ms: u64) {
        self.forgotten_until_ms = now_ms + 2 * MINUTE;
    }
}
