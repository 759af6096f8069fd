//! Test events: what is asked for, and what is told of it.
//!
//! A dialect writes the sample, the gateway signs it, and it comes in through
//! the front door like any webhook. All of them go to the integration
//! [`TEST_INTEGRATION`](super::event::TEST_INTEGRATION): their bodies name it,
//! so that one that is signed and sent again from outside is a duplicate there
//! and touches no real record.

use std::borrow::Cow;

use crate::json::{self, Object, Writer};
use crate::problem::Problem;
use crate::time::Timestamp;

/// Longest name of an event: far beyond any provider's.
const EVENT_BYTES_MAX: usize = 256;

/// A test event that is wanted.
pub struct Wanted<'a> {
    event: Option<Cow<'a, str>>,
    /// The fields it is to carry.
    pub payload: Option<Object<'a>>,
    /// Letters and digits that no other test event has, so that none is taken
    /// for a repetition.
    pub unique: &'a str,
    /// When it happens.
    pub now: Timestamp,
}

impl<'a> Wanted<'a> {
    /// Reads the body of a request, `{"event": …, "payload": …}`.
    pub fn parse(body: &'a [u8], unique: &'a str, now: Timestamp) -> Result<Self, Problem> {
        let body = std::str::from_utf8(body).ok().and_then(Object::parse);
        let body = body.ok_or(Problem::BadParameter("body", "a JSON object"))?;
        if let Some((name, _)) = body
            .iter()
            .find(|(name, _)| !matches!(*name, "event" | "payload"))
        {
            let expected = "`event` or `payload`";
            return Err(Problem::UnknownField(name.to_owned(), expected));
        }
        let event = body.value("event").map(event).transpose()?;
        let payload = body
            .value("payload")
            .map(|value| Object::parse(value.get()))
            .map(|object| object.ok_or(Problem::BadParameter("payload", "a JSON object")))
            .transpose()?;
        Ok(Self {
            event,
            payload,
            unique,
            now,
        })
    }

    /// The name of the event: the one asked for, or the `usual` one.
    pub fn event_or<'b>(&'b self, usual: &'b str) -> &'b str {
        self.event.as_deref().unwrap_or(usual)
    }

    /// The id of the record that it is about: the payload's, or a new one.
    pub fn record_id(&self) -> String {
        let id = self.payload.as_ref().and_then(|payload| payload.id("id"));
        id.filter(|id| !id.is_empty())
            .map_or_else(|| format!("test_{}", self.unique), Cow::into_owned)
    }

    /// The payload, or the `usual` fields.
    pub fn fields_or(&self, usual: &str) -> String {
        let payload = self.payload.as_ref().map(Object::to_json);
        payload.unwrap_or_else(|| usual.to_owned())
    }

    /// The same as a whole record, with its id among the fields.
    pub fn record_or(&self, usual: &str) -> String {
        let id = json::quoted(&self.record_id());
        let fields = self.fields_or(usual);
        let mut fields = Object::parse(&fields).unwrap_or_default();
        let has_id = fields.id("id").is_some_and(|id| !id.is_empty());
        if let Some(id) = json::value(&id).filter(|_| !has_id) {
            fields.set("id", id);
        }
        fields.to_json()
    }
}

fn event(value: &json::Value) -> Result<Cow<'_, str>, Problem> {
    json::text(value)
        .filter(|name| (1..=EVENT_BYTES_MAX).contains(&name.len()))
        .ok_or(Problem::BadParameter("event", "a string of 1 to 256 bytes"))
}

/// What was sent and what came back, as the API's answer. Of the header
/// `signature` it tells the name alone: with the value, who has the API's token
/// could have anything signed, and send it wherever that secret counts.
pub fn report(
    path: &str,
    headers: &[(&'static str, String)],
    signature: &str,
    body: &str,
    answer: &Result<String, Problem>,
) -> String {
    let (status, json) = match answer {
        Ok(json) => (200, json.clone()),
        Err(problem) => (problem.status(), problem.to_json()),
    };
    let headers = headers
        .iter()
        .fold(Writer::default(), |all, (name, value)| {
            let shown = (*name != signature).then_some(value.as_str());
            all.text_or_null(name, shown)
        });
    let request = Writer::default()
        .text("method", "POST")
        .text("path", path)
        .raw("headers", &headers.end())
        .text("body", body);
    let response = Writer::default()
        .number("status", status.into())
        .raw("body", &json);
    Writer::default()
        .raw("request", &request.end())
        .raw("response", &response.end())
        .end()
}
