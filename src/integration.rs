//! Which integration something is of.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What may stand unencoded in one segment of a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// `id` as one segment of a path.
pub fn encode_segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

/// An integration: the source that sends for it, and its id there.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntegrationId {
    /// The source.
    pub source: String,
    /// The integration.
    pub integration: String,
}

impl IntegrationId {
    /// The integration of that name of a source.
    pub fn new(source: impl Into<String>, integration: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            integration: integration.into(),
        }
    }

    /// As a path, `/propexo/int_1`, each part percent-encoded: the `source` of
    /// its CloudEvents.
    pub fn path(&self) -> String {
        let (source, integration) = (&self.source, &self.integration);
        [
            "/",
            &encode_segment(source),
            "/",
            &encode_segment(integration),
        ]
        .concat()
    }

    /// Reads such a path.
    pub fn from_path(path: &str) -> Option<Self> {
        let (source, integration) = path.strip_prefix('/')?.split_once('/')?;
        let decode = |part| percent_decode_str(part).decode_utf8().ok();
        Some(Self::new(decode(source)?, decode(integration)?))
    }
}

/// The name of its ledger: a source has no slash in its name, so no two
/// integrations share one.
impl fmt::Display for IntegrationId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.integration)
    }
}
