//! Conditional requests (RFC 9110, section 13): who has an answer already
//! needn't be sent it again.

use crate::encoding;
use crate::signature::DedupeKey;

/// What an answer with this body is known by: a strong validator, as the header
/// `etag` has it.
pub fn etag(body: &str) -> String {
    let DedupeKey(key) = DedupeKey::of("etag", body.as_bytes());
    format!("\"{}\"", encoding::hex(&key))
}

/// True if the header `if-none-match` has `etag`, or whatever there is. A weak
/// one will do: an intermediary that compresses an answer makes its tag one.
pub fn is_known(if_none_match: &str, etag: &str) -> bool {
    let mut tags = if_none_match.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
