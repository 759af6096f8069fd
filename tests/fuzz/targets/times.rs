//! The timestamp parsers: the input is a text.

use leasewire::time::Timestamp;

/// Both parsers agree with naive ones, and a time survives its text.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let in_body = Timestamp::parse(&text);
    let in_header = Timestamp::parse_header(&text);
    let times = [in_body, in_header].into_iter().flatten();
    for time in times {
        let written = time.to_string();
        assert_eq!(Timestamp::parse(&written), Some(time), "{written}");
        assert_eq!(Timestamp::parse_header(&written), Some(time), "{written}");
        assert_eq!(Timestamp::from_ms(time.ms()).ms(), time.ms());
    }
    let naive = rewritten(text.trim()).and_then(|text| naive(&text));
    assert_eq!(in_body.map(ns), naive.map(|(ns, _)| ns), "in a body");
    let header = digits(&text).or_else(|| naive_utc(&text));
    assert_eq!(in_header.map(ns), header, "in a header");
}

/// Nanoseconds since 1970.
fn ns(time: Timestamp) -> i128 {
    i128::from(time.us()) * 1_000 + i128::from(time.ns())
}

/// `text` in RFC 3339, if it is a date and time in ISO 8601: what stands
/// between two marks is put into place, and what was left out is added.
fn rewritten(text: &str) -> Option<String> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (date, behind) = text.split_once(['T', 't', ' '])?;
    let date = match date.len() {
        8 if is_number(date) => format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]),
        _ => date.to_owned(),
    };
    let clock_end = behind.find([' ', 'Z', 'z', '+', '-', '\u{2212}']);
    let (clock, offset) = behind.split_at(clock_end.unwrap_or(behind.len()));
    let (whole, fraction) = match clock.find(['.', ',']) {
        Some(at) => (&clock[..at], Some(&clock[at + 1..])),
        None => (clock, None),
    };
    let whole = match whole.len() {
        2 => format!("{whole}:00:00"),
        5 => format!("{whole}:00"),
        4 if is_number(whole) => format!("{}:{}:00", &whole[..2], &whole[2..]),
        6 if is_number(whole) => format!("{}:{}:{}", &whole[..2], &whole[2..4], &whole[4..]),
        8 => whole.to_owned(),
        _ => return None,
    };
    if fraction.is_some() && !matches!(clock.find(['.', ',']), Some(6 | 8)) {
        return None;
    }
    let fraction = fraction.map_or(String::new(), |digits| format!(".{digits}"));
    let offset = match offset.strip_prefix(' ') {
        Some(offset) => offset,
        None if offset.is_empty() => "Z",
        None => offset,
    };
    offset.strip_prefix(['Z', 'z', '+', '-', '\u{2212}'])?;
    let digits = offset.trim_start_matches(['+', '-', '\u{2212}']);
    let sign = offset.strip_suffix(digits)?;
    let offset = match digits.len() {
        2 if is_number(digits) => format!("{sign}{digits}:00"),
        4 if is_number(digits) => format!("{sign}{}:{}", &digits[..2], &digits[2..]),
        _ => offset.to_owned(),
    };
    Some(format!("{date}T{whole}{fraction}{offset}"))
}

/// Unix seconds of up to 11 digits, milliseconds of up to 14: nanoseconds.
fn digits(text: &str) -> Option<i128> {
    let number: i128 = text
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())??;
    match text.len() {
        ..=11 => Some(number * 1_000_000_000),
        12..=14 => Some(number * 1_000_000),
        _ => None,
    }
}

fn naive_utc(text: &str) -> Option<i128> {
    naive(text)
        .filter(|(_, offset_s)| *offset_s == 0)
        .map(|(ns, _)| ns)
}

/// RFC 3339, digit by digit: nanoseconds since 1970, and the offset.
fn naive(text: &str) -> Option<(i128, i64)> {
    let text = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = std::str::from_utf8(text.get(from..to)?).ok()?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let is = |at: usize, any: &[u8]| text.get(at).is_some_and(|byte| any.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let days_in_month = [
        31,
        28 + i64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days = *days_in_month.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    // 60 is a leap second.
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ns, offset_at) = fraction(text)?;
    let offset_s = offset(text.get(offset_at..)?)?;
    let years: i64 = (0..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let before = days_in_month.iter().take(month as usize - 1).sum::<i64>();
    // From the year 0 to 1970.
    let days = years + before + day - 1 - 719_528;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset_s;
    // An offset or a leap second may lead out of the years 0 to 9999, which are
    // all that can be written.
    if !(-62_167_219_200..253_402_300_800).contains(&seconds) {
        return None;
    }
    Some((i128::from(seconds) * 1_000_000_000 + fraction_ns, offset_s))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Nanoseconds behind the point, and where the offset begins.
fn fraction(text: &[u8]) -> Option<(i128, usize)> {
    if text.get(19) != Some(&b'.') {
        return Some((0, 19));
    }
    let digits = text[20..].iter().take_while(|byte| byte.is_ascii_digit());
    let digits: Vec<i128> = digits.map(|byte| i128::from(byte - b'0')).collect();
    let ns = (0..9).fold(0, |ns, at| ns * 10 + digits.get(at).unwrap_or(&0));
    (!digits.is_empty()).then_some((ns, 20 + digits.len()))
}

/// Seconds of `Z` or `+hh:mm`; the sign may be a typographic minus.
fn offset(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('+') { 1 } else { -1 };
    let (hours, minutes) = text.strip_prefix(['+', '-', '−'])?.split_once(':')?;
    let number = |text: &str| -> Option<i64> {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60)
}
