//! The three ways of signing: an HMAC-SHA256 of what is sent, in hex.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub enum Signing {
    /// Propexo and Propify: the bare digest of the body.
    Hex(&'static str),
    /// MeterBase: the same, after `sha256=`.
    PrefixedHex(&'static str),
    /// Real estate: the digest of the timestamp header's text and the body,
    /// with nothing in between.
    TimestampedHex {
        signature: &'static str,
        timestamp: &'static str,
    },
}

/// Header names and values.
pub type Headers = Vec<(&'static str, String)>;

impl Signing {
    /// The headers that make `body` authentic, now.
    pub fn headers(&self, secret: &str, body: &str) -> Headers {
        match *self {
            Self::Hex(header) => vec![(header, hmac_hex(secret, &[body]))],
            Self::PrefixedHex(header) => {
                vec![(header, format!("sha256={}", hmac_hex(secret, &[body])))]
            }
            Self::TimestampedHex {
                signature,
                timestamp,
            } => {
                let now = unix_seconds().to_string();
                let digest = hmac_hex(secret, &[&now, body]);
                vec![(timestamp, now), (signature, digest)]
            }
        }
    }
}

impl fmt::Display for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hex(header) => write!(f, "{header}: <hex>"),
            Self::PrefixedHex(header) => write!(f, "{header}: sha256=<hex>"),
            Self::TimestampedHex {
                signature,
                timestamp,
            } => {
                write!(f, "{timestamp}: <seconds>, {signature}: <hex>")
            }
        }
    }
}

fn hmac_hex(secret: &str, parts: &[&str]) -> String {
    // HMAC takes keys of any length, so a default never comes to pass.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    for part in parts {
        mac.update(part.as_bytes());
    }
    let digest = mac.finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
