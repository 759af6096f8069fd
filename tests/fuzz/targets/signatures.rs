//! The signature header and what it protects. The input has lines: a dialect,
//! its signature header, its timestamp header; behind them is the body. In
//! the header, `{sign}` and `{SIGN}` stand for the right signature in either
//! case, `{other}` for one with another secret. `-` is no header.

use leasewire::dialect;
use leasewire::signature::{FUTURE_S, Presented, Scheme, verify};
use leasewire::time::Timestamp;
use sha2::{Digest, Sha256};

use super::lines;

const SECRETS: [&str; 2] = ["first", "second"];
/// 2026-03-25T15:00:00Z.
const NOW: Timestamp = Timestamp::from_s(1_774_450_800);
const AGE_S: u64 = 86_400;

/// What verifies was signed, and what was signed verifies.
pub fn check(input: &[u8]) {
    let ([name, signature, timestamp], body) = lines(input);
    let Some(dialect) = dialect::named(&name) else {
        return;
    };
    let scheme = dialect.scheme();
    let signed_text = scheme.timestamp_header.map_or("", |_| timestamp.trim());
    let signed = [signed_text.as_bytes(), body].concat();
    let [right, also_right] = SECRETS.map(|secret| hmac(secret.as_bytes(), &signed));
    let signature = signature
        .replace("{sign}", &right)
        .replace("{SIGN}", &also_right.to_uppercase())
        .replace("{other}", &hmac(b"other", &signed));
    let presented = Presented {
        signature: Some(&*signature).filter(|text| *text != "-"),
        timestamp: Some(&*timestamp).filter(|text| *text != "-"),
    };
    let verified = verify(scheme, &SECRETS, presented, body.to_vec(), Some(AGE_S), NOW);
    let expected = is_signed(scheme, presented, &[right, also_right])
        && is_timely(scheme, presented)
        && is_cut(signed_text, body);
    assert_eq!(verified.is_ok(), expected, "{verified:?}");
    if let Ok(authentic) = verified {
        assert_eq!(authentic.body(), body, "the body changes");
    }
    // Without a secret nothing verifies, and an empty one is none.
    let empty = format!("{}{}", scheme.prefix, hmac(b"", &signed));
    for signature in [&*empty, &*signature] {
        for secrets in [&[][..], &[""]] {
            let presented = Presented {
                signature: Some(signature),
                ..presented
            };
            assert!(verify(scheme, secrets, presented, body.to_vec(), None, NOW).is_err());
        }
    }
}

/// The header holds one of `right` and nothing else.
fn is_signed(scheme: &Scheme, presented: Presented, right: &[String]) -> bool {
    let Some(hex) = presented
        .signature
        .map(str::trim)
        .and_then(|text| text.strip_prefix(scheme.prefix))
    else {
        return false;
    };
    right.iter().any(|right| right.eq_ignore_ascii_case(hex))
}

fn is_timely(scheme: &Scheme, presented: Presented) -> bool {
    let time = presented
        .timestamp
        .and_then(|text| Timestamp::parse_header(text.trim()));
    let timely = |time| NOW.minus_s(AGE_S) <= time && time <= NOW.plus_s(FUTURE_S);
    scheme.timestamp_header.is_none() || time.is_some_and(timely)
}

/// What is signed can be cut in one place only: no digit could stand on either
/// side of it.
fn is_cut(timestamp: &str, body: &[u8]) -> bool {
    let is_number = timestamp.parse::<u64>().is_ok();
    !is_number || !body.starts_with(b"0") && !(b'1'..=b'9').contains(body.first().unwrap_or(&0))
}

/// HMAC-SHA256 as RFC 2104 words it, in hexadecimal digits.
pub fn hmac(secret: &[u8], message: &[u8]) -> String {
    const BLOCK: usize = 64;
    let mut key = match secret.len() {
        0..=BLOCK => secret.to_vec(),
        _ => Sha256::digest(secret).to_vec(),
    };
    key.resize(BLOCK, 0);
    let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::digest([&padded(0x36), message].concat());
    let outer = Sha256::digest([&padded(0x5c)[..], &inner].concat());
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}
