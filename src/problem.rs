//! Every refusal: whose fault it is, which status, in which words.
//!
//! Bodies are problem documents (RFC 9457). They name no secret and repeat no
//! payload; the label is also the outcome in the log.

use crate::json::Writer;

/// How long a sender should wait before it tries again.
pub const RETRY_AFTER_S: u32 = 30;

/// A request that is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A webhook that isn't authentic. One answer, whatever the reason.
    BadSignature,
    /// No such source is configured.
    UnknownSource,
    /// A body over the cap, which is this many bytes.
    TooLarge(usize),
    /// A body that took longer than a body may.
    TooSlow,
    /// The source has no usable secret, or its configuration is refused.
    SourceNotReady,
    /// The same, for who may know why.
    SourceUnusable(String),
    /// The ledger can't be reached, or didn't answer in time.
    LedgerUnavailable,
    /// The database can't be reached.
    DatabaseUnavailable,
    /// The database hasn't the tables that this code needs: what to do.
    DatabaseNotReady(&'static str),
    /// The source has no API that could be asked.
    NoApi,
    /// The connector can't be reached, or didn't answer in time.
    ConnectorUnavailable,
    /// The provider refuses what it is asked: why, and what to do.
    ProviderRefused(String),
    /// The provider can't be asked now: why.
    ProviderUnavailable(String),
    /// The source's webhooks can't be registered as it is set up: why, and what to
    /// do.
    NotRegistrable(String),
    /// No such path.
    NotFound,
    /// Nothing is known under this name: what, in a few words.
    Unknown(&'static str),
    /// The path exists, but not with this method: those it has.
    MethodNotAllowed(&'static str),
    /// A parameter that can't be used: its name, and what it must be.
    BadParameter(&'static str, &'static str),
    /// A command's body that can't be used: a sentence that says why.
    BadBody(String),
    /// A field that the request doesn't have: its name, and those there are.
    UnknownField(String, &'static str),
    /// No token, or not the right one.
    BadToken,
    /// The API has no token, so nobody can be let in.
    TokenNotConfigured,
}

impl Problem {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadParameter(..) | Self::UnknownField(..) | Self::BadBody(_) => 400,
            Self::BadSignature | Self::BadToken => 401,
            Self::UnknownSource | Self::NoApi | Self::NotFound | Self::Unknown(_) => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::TooSlow => 408,
            Self::NotRegistrable(_) => 409,
            Self::TooLarge(_) => 413,
            Self::ProviderRefused(_) => 502,
            Self::SourceNotReady
            | Self::SourceUnusable(_)
            | Self::LedgerUnavailable
            | Self::ConnectorUnavailable
            | Self::ProviderUnavailable(_)
            | Self::DatabaseUnavailable
            | Self::DatabaseNotReady(_)
            | Self::TokenNotConfigured => 503,
        }
    }

    /// The stable word for it, in the log and at the end of `type`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::UnknownSource => "unknown_source",
            Self::TooLarge(_) => "too_large",
            Self::TooSlow => "too_slow",
            Self::SourceNotReady | Self::SourceUnusable(_) => "source_not_ready",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::ConnectorUnavailable => "connector_unavailable",
            Self::NoApi => "no_api",
            Self::ProviderRefused(_) => "provider_refused",
            Self::ProviderUnavailable(_) => "provider_unavailable",
            Self::NotRegistrable(_) => "not_registrable",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::DatabaseNotReady(_) => "database_not_ready",
            Self::NotFound | Self::Unknown(_) => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::BadParameter(..) | Self::UnknownField(..) => "bad_parameter",
            Self::BadBody(_) => "bad_body",
            Self::BadToken => "bad_token",
            Self::TokenNotConfigured => "token_not_configured",
        }
    }

    /// A header that goes with the answer.
    pub fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Self::MethodNotAllowed(allow) => Some(("allow", (*allow).to_owned())),
            // A 401 has to say how to come in. For signed bodies no scheme is
            // registered; the word tells people, and is the same for all.
            Self::BadSignature => Some(("www-authenticate", "Signature".to_owned())),
            Self::BadToken => Some(("www-authenticate", "Bearer".to_owned())),
            Self::SourceNotReady
            | Self::SourceUnusable(_)
            | Self::LedgerUnavailable
            | Self::ConnectorUnavailable
            | Self::ProviderUnavailable(_)
            | Self::DatabaseUnavailable
            | Self::DatabaseNotReady(_) => Some(("retry-after", RETRY_AFTER_S.to_string())),
            _ => None,
        }
    }

    /// The problem document.
    pub fn to_json(&self) -> String {
        let name = self.label().replace('_', "-");
        Writer::default()
            .text("type", &format!("urn:leasewire:problem:{name}"))
            .text("title", self.title())
            .number("status", self.status().into())
            .text("detail", &self.detail())
            .end()
    }

    fn title(&self) -> &'static str {
        match self {
            Self::BadSignature => "Bad signature",
            Self::UnknownSource => "Unknown source",
            Self::TooLarge(_) => "Body too large",
            Self::TooSlow => "Body too slow",
            Self::SourceNotReady | Self::SourceUnusable(_) => "Source not ready",
            Self::LedgerUnavailable => "Ledger unavailable",
            Self::ConnectorUnavailable => "Connector unavailable",
            Self::NoApi => "No API",
            Self::ProviderRefused(_) => "Provider refused",
            Self::ProviderUnavailable(_) => "Provider unavailable",
            Self::NotRegistrable(_) => "Not registrable",
            Self::DatabaseUnavailable => "Database unavailable",
            Self::DatabaseNotReady(_) => "Database not ready",
            Self::NotFound | Self::Unknown(_) => "Not found",
            Self::MethodNotAllowed(_) => "Method not allowed",
            Self::BadParameter(..) | Self::UnknownField(..) => "Bad parameter",
            Self::BadBody(_) => "Bad body",
            Self::BadToken => "Bad token",
            Self::TokenNotConfigured => "Token not configured",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::BadSignature => {
                "The request is not signed with a secret of this source, or its signature is too old.".into()
            }
            Self::UnknownSource => "No source of this name is configured.".into(),
            Self::TooLarge(max) => format!("A body has at most {max} bytes."),
            Self::TooSlow => "The body took too long. Send it again.".into(),
            Self::SourceNotReady => {
                "This source is not fully configured: see the log for what is missing.".into()
            }
            Self::SourceUnusable(why) => format!("{why}."),
            Self::LedgerUnavailable => {
                "The ledger can't be reached now. Send it again; a repetition has no effect.".into()
            }
            Self::ConnectorUnavailable => "The connector can't be reached now. Try again.".into(),
            Self::NoApi => {
                "This source has no API to be asked: configure one under [vars.SOURCES.<name>.api].".into()
            }
            Self::ProviderRefused(why) | Self::ProviderUnavailable(why) | Self::NotRegistrable(why) => {
                why.clone()
            }
            Self::DatabaseUnavailable => "The records can't be read now. Try again.".into(),
            Self::DatabaseNotReady(what_to_do) => (*what_to_do).into(),
            Self::NotFound => "There is nothing at this path.".into(),
            Self::Unknown(what) => format!("There is no such {what}."),
            Self::MethodNotAllowed(allow) => {
                format!("This path takes {}.", allow.replace(", ", " and "))
            }
            Self::BadParameter(name, must_be) => format!("`{name}` must be {must_be}."),
            Self::BadBody(why) => why.clone(),
            Self::UnknownField(name, expected) => {
                const NAME_CHARS_MAX: usize = 64;
                let name: String = name.chars().take(NAME_CHARS_MAX).collect();
                format!("`{name}` is unknown; expected {expected}.")
            }
            Self::BadToken => {
                "Send the API's token in the header `authorization: Bearer <token>`.".into()
            }
            Self::TokenNotConfigured => {
                "Set the secret API_TOKEN to open the API: `wrangler secret put API_TOKEN`.".into()
            }
        }
    }
}
