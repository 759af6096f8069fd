//! Points in time. The core never asks a clock: `now` is always a parameter.

use std::fmt;

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

/// Microseconds since 1970-01-01T00:00:00Z. Microseconds, because providers
/// state fractions and two events must not become simultaneous by rounding;
/// not nanoseconds, because the platform's numbers are exact to 2^53 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    const YEAR_0: Self = Self::from_s(-62_167_219_200);
    const YEAR_10000: Self = Self::from_s(253_402_300_800);

    /// From microseconds since 1970.
    pub const fn from_us(us: i64) -> Self {
        Self(us)
    }

    /// From milliseconds since 1970, as the platform's clock gives them.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// From seconds since 1970.
    pub const fn from_s(s: i64) -> Self {
        Self(s.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    pub const fn us(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn ms(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This many seconds later.
    pub const fn plus_s(self, s: u64) -> Self {
        Self(self.0.saturating_add(span_us(s)))
    }

    /// This many milliseconds later.
    pub const fn plus_ms(self, ms: u32) -> Self {
        Self(self.0.saturating_add((ms as i64).saturating_mul(1_000)))
    }

    /// This many seconds earlier.
    pub const fn minus_s(self, s: u64) -> Self {
        Self(self.0.saturating_sub(span_us(s)))
    }

    /// Reads ISO 8601 date and time as RFC 3339 has it, with any offset.
    /// Without an offset the time is taken as UTC: it's what a sender means
    /// who formats its UTC clock and forgets the `Z`. `None` also where the
    /// offset leads out of the years 0 to 9999: nobody could read it back.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")))
            .ok()
            .and_then(Self::readable)
    }

    /// Reads a signed timestamp header (decision 4 of the dialects): Unix
    /// seconds, Unix milliseconds, or RFC 3339 in UTC.
    pub fn parse_header(text: &str) -> Option<Self> {
        // Unix seconds stay below 12 digits until the year 5138, and
        // milliseconds have had 12 or more since 1973.
        const SECONDS_DIGITS_MAX: usize = 11;
        const MILLISECONDS_DIGITS_MAX: usize = 14;
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = text.parse().ok()?;
            return match text.len() {
                1..=SECONDS_DIGITS_MAX => Some(Self::from_s(number)),
                ..=MILLISECONDS_DIGITS_MAX => Some(Self::from_ms(number)),
                _ => None,
            };
        }
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Self::readable(time).filter(|_| time.offset().local_minus_utc() == 0)
    }

    /// Only the years 0 to 9999 can be written so that they can be read.
    fn readable(time: DateTime<FixedOffset>) -> Option<Self> {
        let time = Self(time.timestamp_micros());
        (Self::YEAR_0..Self::YEAR_10000)
            .contains(&time)
            .then_some(time)
    }
}

const fn span_us(s: u64) -> i64 {
    let us = s.saturating_mul(1_000_000);
    if us > i64::MAX as u64 {
        i64::MAX
    } else {
        us as i64
    }
}

/// RFC 3339 in UTC, with as many digits of a second as it takes.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let time: DateTime<Utc> = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}
