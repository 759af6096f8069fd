//! The pace of one account: how many requests a minute may have.
//!
//! The provider counts what all programs of the account ask, and says with
//! each answer what is left of its minute. So what counts is that, and the own
//! count only until it is known.

use crate::time::Timestamp;

/// A minute, in seconds.
const WINDOW_S: u64 = 60;
/// What a contract allows, while no answer has said it.
const LIMIT: u32 = 150;
/// Half of what a minute usually may have.
const HALF: u32 = 59;
/// How often to look whether the provider's minute is over, where it seems to
/// begin at another time than ours.
const LOOK_S: u64 = 10;
/// Answers that overtake each other may differ by so many.
const JITTER: u32 = 8;
/// Longest pause at random behind a refusal, in milliseconds.
const JITTER_MS_MAX: u32 = 2_000;

/// Requests of the minute, and pauses.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// When this minute began.
    window_at: Timestamp,
    /// Requests in it, as far as they are known.
    used: u32,
    /// Our own.
    own: u32,
    /// What an answer has said: that to the request which was made last.
    told: Option<(u32, u32)>,
    told_at: Timestamp,
    /// Until when nothing may be asked.
    paused_until: Timestamp,
    asked_at: Timestamp,
    /// What the table has.
    stored_at: Timestamp,
    stored_used: u32,
}

impl Pace {
    /// As it was stored.
    pub(super) fn load(window_at: Timestamp, used: u32, paused_until: Timestamp) -> Self {
        Self {
            window_at,
            used,
            paused_until,
            stored_at: window_at,
            stored_used: used,
            ..Self::default()
        }
    }

    /// The same as [`roll`](Self::roll); first, if it was just loaded in a minute
    /// that had begun before, half of that counts as used: what was asked in it
    /// nobody knows any more.
    pub(super) fn roll_from(&mut self, now: Timestamp, is_fresh: &mut bool) {
        if std::mem::take(is_fresh) {
            self.used = self.used.max(HALF);
        }
        self.roll(now);
    }

    /// Begins a new minute if it is time for it.
    pub(super) fn roll(&mut self, now: Timestamp) {
        if now < self.window_at.plus_s(WINDOW_S) && now >= self.window_at {
            return;
        }
        // By the clock, or as the provider's minute was seen to begin.
        let us = i64::try_from(WINDOW_S.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let into = now
            .us()
            .saturating_sub(self.window_at.us())
            .checked_rem_euclid(us);
        self.window_at = Timestamp::from_us(now.us().saturating_sub(into.unwrap_or(0)));
        (self.used, self.own, self.told) = (0, 0, None);
    }

    /// When the next request may be made, of which a minute may have
    /// `per_minute`; `None` if it is now.
    pub(super) fn opens_at(&self, per_minute: u32, now: Timestamp) -> Option<Timestamp> {
        if self.paused_until > now {
            return Some(self.paused_until);
        }
        let most = self
            .told
            .map_or(per_minute, |(limit, _)| per_minute.min(limit));
        if self.used < most.max(1) {
            return None;
        }
        let end = self.window_at.plus_s(WINDOW_S);
        // Others may have used it up, or its minute isn't ours.
        let look = self.asked_at.plus_s(LOOK_S);
        let is_strange = self.own < most / 2 && self.told.is_some();
        match is_strange {
            true if look <= now => None,
            true => Some(end.min(look)),
            false => Some(end),
        }
    }

    /// Counts a request.
    pub(super) fn ask(&mut self, now: Timestamp) {
        self.used = self.used.saturating_add(1);
        self.own = self.own.saturating_add(1);
        self.asked_at = now;
    }

    /// True if there was a request after `then`, or in a minute that began after
    /// it.
    pub(super) fn asked_since(&self, then: Timestamp) -> bool {
        self.asked_at > then || self.window_at > then
    }

    /// Takes in what an answer says of the minute, to a request of `asked_at`.
    pub(super) fn note(&mut self, limit: u32, remaining: u32, asked_at: Timestamp) {
        // An answer may overtake others that were asked for before.
        if asked_at < self.window_at.max(self.told_at) {
            return;
        }
        self.told_at = asked_at;
        let counted = limit.saturating_sub(remaining);
        let before = self.told.map(|(limit, left)| limit.saturating_sub(left));
        self.told = Some((limit, remaining));
        if before.is_some_and(|before| counted.saturating_add(JITTER) < before) {
            // The provider's minute has begun anew since.
            (self.window_at, self.used, self.own) = (asked_at, counted, counted);
        } else {
            self.used = self.used.max(counted);
        }
    }

    /// Stops everything to the next full minute, and a bit more at random.
    pub(super) fn pause(&mut self, now: Timestamp, random: u32) {
        let end = self.window_at.plus_s(WINDOW_S);
        let jitter_ms = random.checked_rem(JITTER_MS_MAX).unwrap_or(0);
        self.paused_until = end.max(now).plus_ms(jitter_ms);
    }

    /// What is to be stored, if the table lags behind: once when a minute begins,
    /// and once when it `is_over` and more was used than counts in any case.
    pub(super) fn unstored(&mut self, is_over: bool) -> Option<[i64; 3]> {
        let is_more = is_over && self.used > HALF && self.stored_used != self.used;
        if self.stored_at == self.window_at && !is_more {
            return None;
        }
        (self.stored_at, self.stored_used) = (self.window_at, self.used);
        let paused_us = self.paused_until.us();
        Some([self.window_at.us(), i64::from(self.used), paused_us])
    }

    /// Requests of this minute: used, and the limit as the provider has said it.
    pub(super) fn figures(&self) -> (u32, u32, Option<u32>) {
        let limit = self.told.map_or(LIMIT, |(limit, _)| limit);
        (self.used, limit, self.told.map(|(_, left)| left))
    }

    /// Until when nothing may be asked, if that is so.
    pub(super) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.paused_until > now).then_some(self.paused_until)
    }
}
