//! ISO 8601, as senders write instants.
//!
//! A calendar date with a time of day: with separators or without, cut off
//! behind the hour or the minute, a fraction of a second of any length behind
//! a point or a comma, and an offset of hours or of hours and minutes. Week
//! and day numbers, years of more than four digits and 24:00 are not read:
//! nobody is known to send them.

use chrono::NaiveDate;

use super::Timestamp;

/// What a text states.
pub(super) struct Stated {
    pub time: Timestamp,
    /// Seconds ahead of UTC; `None` if none are stated, which is UTC.
    pub offset_s: Option<i64>,
    /// RFC 3339 has this form too.
    pub is_rfc3339: bool,
}

/// Reads `text`. `None` also where the offset leads out of the years 0 to
/// 9999: nobody could read it back.
pub(super) fn parse(text: &str) -> Option<Stated> {
    let mut rest = Rest(text);
    let (date, date_is_extended) = date(&mut rest)?;
    rest.one_of(&['T', 't', ' '])?;
    let clock = clock(&mut rest)?;
    let (offset_s, offset_is_extended) = offset(&mut rest)?;
    if !rest.0.is_empty() {
        return None;
    }
    // A leap second is the first one behind it.
    let (second, leap) = match clock.second {
        60 => (59, 1),
        second => (second, 0),
    };
    let local = date.and_hms_opt(clock.hour, clock.minute, second)?;
    let s = local.and_utc().timestamp().checked_add(leap)?;
    let s = s.checked_sub(offset_s.unwrap_or(0))?;
    let us = s
        .checked_mul(1_000_000)?
        .checked_add(i64::from(clock.ns.checked_div(1_000)?))?;
    let ns = u16::try_from(clock.ns.checked_rem(1_000)?).ok()?;
    let time = Timestamp::from_us(us).with_ns(ns);
    (Timestamp::YEAR_0..Timestamp::YEAR_10000)
        .contains(&time)
        .then_some(Stated {
            time,
            offset_s,
            is_rfc3339: date_is_extended && clock.is_rfc3339 && offset_is_extended,
        })
}

/// `2026-03-25` or `20260325`, and whether it is the first form.
fn date(rest: &mut Rest) -> Option<(NaiveDate, bool)> {
    let year = rest.digits(4)?;
    let is_extended = rest.one_of(&['-']).is_some();
    let month = rest.digits(2)?;
    if is_extended {
        rest.one_of(&['-'])?;
    }
    let day = rest.digits(2)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some((date, is_extended))
}

struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    /// The fraction of the second, cut off behind the nanoseconds.
    ns: u32,
    is_rfc3339: bool,
}

/// `15`, `15:00`, `1500`, `15:00:00` or `150000`; with seconds, a fraction.
fn clock(rest: &mut Rest) -> Option<Clock> {
    let hour = rest.digits(2)?;
    let mut clock = Clock {
        hour,
        minute: 0,
        second: 0,
        ns: 0,
        is_rfc3339: false,
    };
    let is_extended = rest.one_of(&[':']).is_some();
    match rest.digits(2) {
        Some(minute) => clock.minute = minute,
        None => return (!is_extended).then_some(clock),
    }
    if is_extended && rest.one_of(&[':']).is_none() {
        return Some(clock);
    }
    match rest.digits(2) {
        Some(second) => clock.second = second,
        None => return (!is_extended).then_some(clock),
    }
    let point = rest.one_of(&['.', ',']);
    if point.is_some() {
        clock.ns = rest.fraction_ns()?;
    }
    clock.is_rfc3339 = is_extended && point != Some(',');
    Some(clock)
}

/// Seconds of `Z`, `+01`, `+0100` or `+01:00`, and whether RFC 3339 has the
/// form; a space may stand before it. The sign may be a typographic minus.
fn offset(rest: &mut Rest) -> Option<(Option<i64>, bool)> {
    if rest.0.is_empty() {
        return Some((None, false));
    }
    let is_apart = rest.one_of(&[' ']).is_some();
    if rest.one_of(&['Z', 'z']).is_some() {
        return Some((Some(0), !is_apart));
    }
    let sign = match rest.one_of(&['+', '-', '\u{2212}'])? {
        '+' => 1,
        _ => -1,
    };
    let hours = rest.digits(2)?;
    let is_extended = rest.one_of(&[':']).is_some();
    let minutes = match rest.digits(2) {
        None if is_extended => return None,
        minutes => minutes.unwrap_or(0),
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    let s = i64::from(minutes).checked_mul(60)?.checked_mul(sign)?;
    Some((Some(s), is_extended && !is_apart))
}

/// What of a text was not read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// The number that the next `count` digits are.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    /// The next character, if it is among `wanted`.
    fn one_of(&mut self, wanted: &[char]) -> Option<char> {
        let next = self.0.chars().next()?;
        self.0 = self.0.strip_prefix(wanted)?;
        Some(next)
    }

    /// Nanoseconds of a fraction, of which at least one digit is there.
    fn fraction_ns(&mut self) -> Option<u32> {
        let behind = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = self.0.strip_suffix(behind).filter(|it| !it.is_empty())?;
        self.0 = behind;
        let padded = [digits, "00000000"].concat();
        padded.get(..9)?.parse().ok()
    }
}
