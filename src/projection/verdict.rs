//! What becomes of a message that the consumer has had in its hands.
//!
//! No message is left to die: the queue's dead-letter queue takes what is
//! retried once too often, and what is in there comes back by hand alone. So
//! the queue is asked to retry a few times, with growing pauses, for what passes
//! in a minute; behind that the message is given up, and its ledger, which has
//! heard of no confirmation, sends the events again at its own pace. What does
//! die is a message over which the consumer itself died each time.

use super::Fault;
use super::bisect::GUILTY_ATTEMPT;

/// Attempts at a message that fails by nobody's fault: with the pauses between
/// them, they outlast half a minute.
pub const NOBODYS_ATTEMPTS: u32 = 4;
/// Attempts at a message that fails otherwise: one more than may find an event
/// guilty, in case that this one comes to no end. `max_retries` in
/// `wrangler.toml` is not less than what comes before the last.
pub const ATTEMPTS_MAX: u32 = GUILTY_ATTEMPT + 1;
/// Pause before the second attempt, in seconds; before each further one it is
/// twice as long, up to a minute.
const RETRY_S: u32 = 5;
const RETRY_S_MAX: u32 = 60;

/// What is to be done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Acknowledge it: all of its events are applied and confirmed, or
    /// reported.
    Applied,
    /// Acknowledge it: it is no pack, and never will be.
    Unreadable,
    /// Have the queue deliver it again in so many seconds.
    Retry(u32),
    /// Acknowledge it: its ledger sends what isn't confirmed again.
    Leave,
    /// Acknowledge it: it was dead, and its ledger has noted that.
    Dead,
    /// Have the queue deliver the dead one again, when it pleases: each time is
    /// tried for more than an hour.
    RetryLater,
}

impl Verdict {
    /// What becomes of a message whose attempt numbered `attempt`, from 1, has
    /// failed by `fault`.
    pub fn failed(attempt: u32, fault: Fault) -> Self {
        let most = match fault {
            Fault::Nobodys => NOBODYS_ATTEMPTS,
            Fault::Event | Fault::Unknown => ATTEMPTS_MAX,
        };
        if attempt >= most {
            return Self::Leave;
        }
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1));
        let pause_s = RETRY_S.saturating_mul(doubled.unwrap_or(u32::MAX));
        Self::Retry(pause_s.min(RETRY_S_MAX))
    }

    /// In one word, for the log.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unreadable => "unreadable",
            Self::Retry(_) | Self::RetryLater => "retry",
            Self::Leave => "left",
            Self::Dead => "dead",
        }
    }
}
