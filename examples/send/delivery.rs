//! One POST, and what came back.

use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::Agent;

use crate::signing::Headers;

/// Longer than any provider waits, and than the gateway takes to give up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a URL's path segment may hold as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub struct Endpoint {
    pub url: String,
    pub origin: String,
    pub source: String,
    agent: Agent,
}

pub struct Answer {
    pub status: u16,
    pub body: String,
    pub took: Duration,
}

impl Endpoint {
    pub fn new(to: &str, source: &str) -> Result<Self, String> {
        let origin = to.trim_end_matches('/');
        if !origin.starts_with("http://") && !origin.starts_with("https://") {
            return Err(format!(
                "--to {to:?} is no URL of a gateway. One looks like http://localhost:8787"
            ));
        }
        // A webhook sender follows no redirect, and a status is an answer.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .user_agent("leasewire-send")
            .build();
        Ok(Self {
            url: format!("{origin}{}", path(&["webhooks", source])),
            origin: origin.to_owned(),
            source: source.to_owned(),
            agent: config.into(),
        })
    }

    /// Sends `body`; an error says why there was no answer.
    pub fn post(&self, headers: &Headers, body: &str) -> Result<Answer, String> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let started = Instant::now();
        let mut response = request.send(body).map_err(|error| error.to_string())?;
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|error| error.to_string())?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: text,
            took: started.elapsed(),
        })
    }

    /// The shell command that sends the same.
    pub fn curl(&self, headers: &Headers, body: &str) -> String {
        let mut command = format!("curl -sS {}", quoted(&self.url));
        command += " \\\n  -H 'content-type: application/json'";
        for (name, value) in headers {
            command += &format!(" \\\n  -H {}", quoted(&format!("{name}: {value}")));
        }
        command + &format!(" \\\n  --data-binary {}", quoted(body))
    }

    pub fn unreachable(&self, reason: &str) -> String {
        format!(
            "no answer from {}: {reason}.\nIs the gateway running? Start it here with `npm start`, \
             or name another with --to URL",
            self.origin
        )
    }
}

/// A path of these segments.
pub fn path(segments: &[&str]) -> String {
    let encoded = segments
        .iter()
        .map(|segment| utf8_percent_encode(segment, SEGMENT));
    encoded.map(|segment| format!("/{segment}")).collect()
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
