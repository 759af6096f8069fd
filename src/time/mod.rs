//! Points in time. The core never asks a clock: `now` is always a parameter.

mod iso;

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// An instant, in microseconds since 1970-01-01T00:00:00Z and the nanoseconds
/// beyond them. Nanoseconds, because providers state fractions and two events
/// must not become simultaneous by rounding; two parts, because the platform's
/// numbers are exact to 2^53 only, which microseconds stay below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    us: i64,
    /// 0 to 999. Behind the microseconds, so that the order is that of time.
    ns: u16,
}

impl Timestamp {
    const YEAR_0: Self = Self::from_s(-62_167_219_200);
    const YEAR_10000: Self = Self::from_s(253_402_300_800);

    /// From microseconds since 1970.
    pub const fn from_us(us: i64) -> Self {
        Self { us, ns: 0 }
    }

    /// The same microsecond, and so many nanoseconds of it: 0 to 999, and
    /// what is more counts as 999.
    pub const fn with_ns(self, ns: u16) -> Self {
        let ns = if ns > NS_MAX { NS_MAX } else { ns };
        Self { us: self.us, ns }
    }

    /// From milliseconds since 1970, as the platform's clock gives them.
    pub const fn from_ms(ms: i64) -> Self {
        Self::from_us(ms.saturating_mul(1_000))
    }

    /// From seconds since 1970.
    pub const fn from_s(s: i64) -> Self {
        Self::from_us(s.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970, rounded down.
    pub const fn us(self) -> i64 {
        self.us
    }

    /// Nanoseconds beyond [`Timestamp::us`], 0 to 999.
    pub const fn ns(self) -> u16 {
        self.ns
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn ms(self) -> i64 {
        self.us.div_euclid(1_000)
    }

    /// This many seconds later.
    pub const fn plus_s(self, s: u64) -> Self {
        self.plus_us(span_us(s))
    }

    /// This many milliseconds later.
    pub const fn plus_ms(self, ms: u32) -> Self {
        self.plus_us((ms as i64).saturating_mul(1_000))
    }

    /// This many seconds earlier.
    pub const fn minus_s(self, s: u64) -> Self {
        self.plus_us(span_us(s).saturating_neg())
    }

    const fn plus_us(self, us: i64) -> Self {
        let us = self.us.saturating_add(us);
        Self { us, ns: self.ns }
    }

    /// Reads an instant in ISO 8601 (see the module `iso`), with any offset. Without an
    /// offset the time is taken as UTC: it's what a sender means who formats
    /// its UTC clock and forgets the `Z`. White space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        iso::parse(text.trim()).map(|stated| stated.time)
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
        let stated = iso::parse(text).filter(|stated| stated.is_rfc3339)?;
        (stated.offset_s == Some(0)).then_some(stated.time)
    }
}

/// Nanoseconds that are no microsecond yet.
const NS_MAX: u16 = 999;

const fn span_us(s: u64) -> i64 {
    let us = s.saturating_mul(1_000_000);
    if us > i64::MAX as u64 {
        i64::MAX
    } else {
        us as i64
    }
}

/// RFC 3339 in UTC, always with nine digits of a second: 30 characters, so
/// that texts compare as their times do.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let time: DateTime<Utc> = DateTime::from_timestamp_micros(self.us).unwrap_or_default();
        let time = time.checked_add_signed(TimeDelta::nanoseconds(self.ns.into()));
        let time = time.unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Nanos, true))
    }
}
