//! Parts of lists: their limits, and what the next one begins behind.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::problem::Problem;

/// Entries on a page unless the request says otherwise.
pub const LIMIT_DEFAULT: u64 = 100;
/// Entries on a page at the most.
pub const LIMIT_MAX: u64 = 500;
/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What the page before ended with.
    pub after: Option<T>,
    /// At most this many, 1 to [`LIMIT_MAX`]; fewer, if they are large.
    pub limit: u64,
}

/// Largest number that every JSON reader gets right.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

pub(super) fn number(name: &'static str, text: &str) -> Result<u64, Problem> {
    whole(text)
        .filter(|number| *number <= NUMBER_MAX)
        .ok_or(Problem::BadParameter(
            name,
            "a whole number from 0 to 9007199254740991",
        ))
}

/// A whole number in digits alone: `+5` is none.
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The cursor of lists in the order of names.
pub(super) fn text_cursor(after: &str) -> Result<String, Problem> {
    Ok(after.to_owned())
}

/// The cursor of lists in the order of numbers.
pub(super) fn seq_cursor(after: &str) -> Result<u64, Problem> {
    number("after", after)
}

/// The cursor of the list of notices: `17/unit.vacated`, as `next` has it, or
/// the number of an event, for what comes behind all of its notices.
pub(super) fn notice_cursor(after: &str) -> Result<(u64, String), Problem> {
    const BEHIND_ALL: &str = "\u{7f}";
    let (seq, kind) = after.split_once('/').unwrap_or((after, BEHIND_ALL));
    let must_be = "a number of an event, or the `next` of the page before";
    match whole(seq) {
        Some(seq) if seq <= NUMBER_MAX => Ok((seq, kind.to_owned())),
        _ => Err(Problem::BadParameter("after", must_be)),
    }
}

/// The cursor of the list of integrations: both names, percent-encoded.
pub(super) fn integration_cursor(after: &str) -> Result<(String, String), Problem> {
    let bad = Problem::BadParameter("after", "the `next` of the page before");
    let (source, integration) = after.split_once('/').ok_or(bad.clone())?;
    let decode = |part| percent_decode_str(part).decode_utf8().map(Cow::into_owned);
    match (decode(source), decode(integration)) {
        (Ok(source), Ok(integration)) => Ok((source, integration)),
        _ => Err(bad),
    }
}

/// The last value of a parameter of `query`.
pub(super) fn parameter(query: &str, wanted: &str) -> Option<String> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let all = form_urlencoded::parse(query.as_bytes());
    all.filter(|(name, _)| name == wanted)
        .last()
        .map(|(_, value)| value.into_owned())
}

pub(super) fn page<T>(
    query: &str,
    read: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Page<T>, Problem> {
    let mut page = Page {
        after: None,
        limit: LIMIT_DEFAULT,
    };
    let query = query.strip_prefix('?').unwrap_or(query);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "after" => page.after = Some(read(&value)?),
            "limit" => {
                page.limit = whole(&value)
                    .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                    .ok_or(Problem::BadParameter(
                        "limit",
                        "a whole number from 1 to 500",
                    ))?;
            }
            _ => {}
        }
    }
    Ok(page)
}
