//! Who may get in. The only user of hmac and sha2.
//!
//! A body becomes [`Authentic`] here and nowhere else, and only an authentic
//! body can be read or reach a ledger. Everything fails closed: without a
//! usable secret nothing verifies.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::encoding;
use crate::time::Timestamp;

/// How far a signed time may lie ahead of our clock: 5 minutes (decision 4).
pub const FUTURE_S: u64 = 5 * 60;

/// How a dialect signs: HMAC-SHA256 over the raw body, in hexadecimal digits.
#[derive(Debug, Clone, Copy)]
pub struct Scheme {
    /// Name of the header with the signature, in lower case.
    pub header: &'static str,
    /// What stands before the digits.
    pub prefix: &'static str,
    /// Header whose text is signed in front of the body, in lower case.
    pub timestamp_header: Option<&'static str>,
}

/// The headers that a [`Scheme`] names, as the request had them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'a> {
    /// Text of [`Scheme::header`].
    pub signature: Option<&'a str>,
    /// Text of [`Scheme::timestamp_header`].
    pub timestamp: Option<&'a str>,
}

/// A body whose signature was verified. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic {
    body: Vec<u8>,
    secret: u32,
}

impl Authentic {
    /// The raw body, as it was signed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Which of the secrets it is signed with: 1 for the first.
    pub fn secret(&self) -> u32 {
        self.secret
    }

    /// Takes the raw body out.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// Why a request was refused. The sender gets one answer for all of them;
/// the log says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unauthorized {
    /// No signature header.
    SignatureMissing,
    /// Not exactly one well-formed signature.
    SignatureMalformed,
    /// A well-formed signature that no secret explains.
    SignatureWrong,
    /// No timestamp, where one must be signed.
    TimestampMissing,
    /// A timestamp in none of the accepted forms.
    TimestampMalformed,
    /// A timestamp of digits before a body that begins with one: nothing tells
    /// where the one ends and the other begins.
    TimestampUnseparated,
    /// Signed longer ago than the source accepts.
    TooOld,
    /// Signed for a time ahead of ours.
    FromTheFuture,
}

impl Unauthorized {
    /// The word for it in the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::SignatureMissing => "signature_missing",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureWrong => "signature_wrong",
            Self::TimestampMissing => "timestamp_missing",
            Self::TimestampMalformed => "timestamp_malformed",
            Self::TimestampUnseparated => "timestamp_unseparated",
            Self::TooOld => "too_old",
            Self::FromTheFuture => "from_the_future",
        }
    }
}

/// What the headers of a request say, once each is well-formed.
struct Claim<'a> {
    signature: [u8; 32],
    /// What is signed in front of the body, and the time it means.
    signed: Option<(&'a str, Timestamp)>,
}

impl Presented<'_> {
    fn claim(&self, scheme: &Scheme) -> Result<Claim<'_>, Unauthorized> {
        let signature = self
            .signature
            .ok_or(Unauthorized::SignatureMissing)
            .and_then(|text| digits(scheme.prefix, text))?;
        if scheme.timestamp_header.is_none() {
            return Ok(Claim {
                signature,
                signed: None,
            });
        }
        let text = self
            .timestamp
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .ok_or(Unauthorized::TimestampMissing)?;
        let time = Timestamp::parse_header(text).ok_or(Unauthorized::TimestampMalformed)?;
        Ok(Claim {
            signature,
            signed: Some((text, time)),
        })
    }

    /// Refuses what no body can make authentic at `now` or later, so that the
    /// body of such a request needn't be read: headers that are missing or
    /// malformed, and a time of which [`verify`] would say that it is too old.
    pub fn check(
        &self,
        scheme: &Scheme,
        accepted_age_s: Option<u64>,
        now: Timestamp,
    ) -> Result<(), Unauthorized> {
        match self.claim(scheme)?.signed {
            // Not that it is ahead: it may be right once the body is here.
            Some((_, time)) => check_age(time.min(now), accepted_age_s, now),
            None => Ok(()),
        }
    }
}

/// True if digits could move between `time` and `body`, and what is signed
/// would stay the same: `1774450800000` and `{…` is also `1774450800` and
/// `000{…`, a body of its own. No body that can be read begins so.
fn is_unseparated(time: &str, body: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    body.first().is_some_and(is_digit) && time.as_bytes().iter().all(is_digit)
}

/// Verifies `body` and makes it [`Authentic`].
///
/// All `secrets` are tried, in constant time and without stopping at a match
/// (decision 3). `accepted_age_s` applies where `scheme` signs a header's
/// time; `None` sets no limit.
pub fn verify(
    scheme: &Scheme,
    secrets: &[impl AsRef<[u8]>],
    presented: Presented,
    body: Vec<u8>,
    accepted_age_s: Option<u64>,
    now: Timestamp,
) -> Result<Authentic, Unauthorized> {
    let Claim { signature, signed } = presented.claim(scheme)?;
    let signed_text = signed.map_or("", |(text, _)| text);
    if signed.is_some() && is_unseparated(signed_text, &body) {
        return Err(Unauthorized::TimestampUnseparated);
    }
    // The position of the first that matches; 0 while none has.
    let mut matched = 0_u32;
    for (position, secret) in (1_u32..).zip(secrets) {
        let secret = secret.as_ref();
        let Some(expected) = hmac(secret, &[signed_text.as_bytes(), &body]) else {
            continue;
        };
        // An empty secret is a key anybody knows.
        let matches = expected.ct_eq(&signature) & Choice::from(u8::from(!secret.is_empty()));
        matched.conditional_assign(&position, matches & matched.ct_eq(&0));
    }
    if matched == 0 {
        return Err(Unauthorized::SignatureWrong);
    }
    if let Some((_, time)) = signed {
        check_age(time, accepted_age_s, now)?;
    }
    Ok(Authentic {
        body,
        secret: matched,
    })
}

/// The headers with which [`verify`] takes `body` for authentic at `now`, as
/// its provider would send them.
pub fn sign(
    scheme: &Scheme,
    secret: &[u8],
    body: &[u8],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let timestamp = (now.ms() / 1_000).to_string();
    let time = scheme.timestamp_header.map(|header| (header, timestamp));
    let signed_text = time.as_ref().map_or("", |(_, text)| text);
    let digits = hmac(secret, &[signed_text.as_bytes(), body])
        .map(|digest| encoding::hex(&digest))
        .unwrap_or_default();
    let signature = (scheme.header, format!("{}{digits}", scheme.prefix));
    time.into_iter().chain([signature]).collect()
}

/// What a secret of the source `source` is known by where it must not be
/// told: 32 bits, enough to tell the few of one source apart, and far too few
/// to find it by. Two sources with the same secret show nothing of it.
pub fn fingerprint(source: &str, secret: &[u8]) -> String {
    let digest = hmac(secret, &[b"leasewire secret id\0", source.as_bytes()]);
    let hex = digest.map(|digest| encoding::hex(&digest));
    hex.unwrap_or_default().chars().take(8).collect()
}

/// Refuses a signed `time` older than `accepted_age_s` or more than
/// [`FUTURE_S`] ahead.
pub fn check_age(
    time: Timestamp,
    accepted_age_s: Option<u64>,
    now: Timestamp,
) -> Result<(), Unauthorized> {
    let Some(age_s) = accepted_age_s else {
        return Ok(());
    };
    if time < now.minus_s(age_s) {
        Err(Unauthorized::TooOld)
    } else if time > now.plus_s(FUTURE_S) {
        Err(Unauthorized::FromTheFuture)
    } else {
        Ok(())
    }
}

/// Reads exactly one signature, in either case (decision 2).
fn digits(prefix: &str, text: &str) -> Result<[u8; 32], Unauthorized> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Unauthorized::SignatureMissing);
    }
    text.strip_prefix(prefix)
        .and_then(encoding::from_hex)
        .ok_or(Unauthorized::SignatureMalformed)
}

/// HMAC-SHA256 of `parts`, one after the other. HMAC takes a key of any
/// length, so there always is one; the type leaves no other way to say so.
pub fn hmac(secret: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

/// True if `presented` is one of the API's `tokens`, compared in constant time
/// and without stopping at a match. An empty token is none.
pub fn token_matches(tokens: &[impl AsRef<str>], presented: &str) -> bool {
    // Comparing digests makes the time independent of the lengths.
    let presented = Sha256::digest(presented);
    let mut matches = Choice::from(0);
    for token in tokens {
        let token = token.as_ref();
        let is_equal = Sha256::digest(token).as_slice().ct_eq(presented.as_slice());
        matches |= is_equal & Choice::from(u8::from(!token.is_empty()));
    }
    bool::from(matches)
}

/// Two deliveries are the same delivery if their keys are equal: 16 bytes of
/// the SHA-256 over a tag that names what was hashed, and the thing itself.
/// 128 bits keep chance collisions out of reach: 2^64 deliveries for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupeKey(pub [u8; 16]);

impl DedupeKey {
    /// The key of `parts` under `tag`.
    pub fn of(tag: &str, part: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(tag.as_bytes());
        hash.update([0]);
        hash.update(part);
        let digest: [u8; 32] = hash.finalize().into();
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(digest) {
            *to = from;
        }
        Self(key)
    }
}
