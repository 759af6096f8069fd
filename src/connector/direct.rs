//! A request that someone makes by hand, through the connector: so it has the
//! account's key, and counts in its pace. It waits for nothing else.

use std::borrow::Cow;

use super::Connector;
use super::answer::{Answer, Failure, Verdict};
use crate::json::{Object, Writer};
use crate::problem::Problem;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// A request to the API of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// The source.
    pub source: String,
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// Behind the API's URL.
    pub path: String,
    /// JSON; empty for none.
    pub body: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectAnswer {
    /// A response: its status and its body.
    Response(u16, String),
    /// None, and why.
    Failed(String),
    /// Nothing may be asked before then.
    Paused(String),
}

impl Direct {
    /// As it crosses to the connector.
    pub fn encode(&self) -> String {
        Writer::default()
            .text("call", "direct")
            .text("source", &self.source)
            .text("method", &self.method)
            .text("path", &self.path)
            .text("body", &self.body)
            .end()
    }

    /// Reads [`Direct::encode`]; `None` for any other call.
    pub fn decode(call: &str) -> Option<Self> {
        let fields = Object::parse(call)?;
        let text = |name| fields.text(name).map(Cow::into_owned);
        let is_direct = text("call")? == "direct";
        let direct = || {
            Some(Self {
                source: text("source")?,
                method: text("method")?,
                path: text("path")?,
                body: text("body")?,
            })
        };
        is_direct.then(direct)?
    }
}

impl DirectAnswer {
    /// What `answer` is for who asked.
    pub fn of(answer: Answer) -> Self {
        match answer {
            Answer::Response { status, body, .. } => {
                Self::Response(status, String::from_utf8(body).unwrap_or_default())
            }
            Answer::Failed(why) => Self::Failed(why.label().to_owned()),
        }
    }

    /// As it crosses back.
    pub fn encode(&self) -> String {
        let answer = Writer::default();
        match self {
            Self::Response(status, body) => {
                answer.number("status", (*status).into()).text("body", body)
            }
            Self::Failed(why) => answer.text("failed", why),
            Self::Paused(until) => answer.text("paused", until),
        }
        .end()
    }

    /// Reads [`DirectAnswer::encode`].
    pub fn decode(answer: &str) -> Option<Self> {
        let fields = Object::parse(answer)?;
        let text = |name| fields.text(name).map(Cow::into_owned);
        if let Some(status) = fields.number("status") {
            return Some(Self::Response(u16::try_from(status).ok()?, text("body")?));
        }
        let paused = || text("paused").map(Self::Paused);
        text("failed").map(Self::Failed).or_else(paused)
    }

    /// The body of a response that is as it should be; or what is wrong, and what
    /// to do.
    pub fn text(self) -> Result<String, Problem> {
        let refused = |why: &str| Err(Problem::ProviderRefused(why.to_owned()));
        let status = match self {
            Self::Response(200..=299, body) => return Ok(body),
            Self::Response(status, _) => status,
            Self::Failed(why) if why == Failure::NoKey.label() => {
                return refused("The key is missing: set the secret that `api.key` names.");
            }
            Self::Failed(why) => {
                let why = format!("The provider can't be asked now: {why}. Try again.");
                return Err(Problem::ProviderUnavailable(why));
            }
            Self::Paused(until) => {
                let why = format!("The provider's limit is used up. Try again after {until}.");
                return Err(Problem::ProviderUnavailable(why));
            }
        };
        match status {
            401 => {
                refused("The provider refuses the key: set the secret that `api.key` names anew.")
            }
            403 => refused(
                "The key may not do that: give it the right at the provider, or use one that has it.",
            ),
            408 | 429 | 500..=599 => Err(Problem::ProviderUnavailable(format!(
                "The provider answers with status {status}. Try again."
            ))),
            status => refused(&format!(
                "The provider answers with status {status}: see whether `api.url` is right."
            )),
        }
    }
}

impl<S: Sql> Connector<S> {
    /// Counts a request that is made by hand; or when it may be made, if it may
    /// not be now. It may use what of the limit is kept for the owner's programs.
    pub fn asks_directly(&mut self, now: Timestamp) -> Result<Option<Timestamp>, SqlError> {
        self.commit(now, |sql, books| {
            books.pace.roll(now);
            let opens_at = books.pace.opens_at(u32::MAX, now);
            if opens_at.is_none() {
                books.pace.ask(now);
                books.store_pace(sql, false)?;
            }
            Ok(opens_at)
        })
    }

    /// A request that was made by hand at `asked_at` has this answer.
    pub fn was_answered(
        &mut self,
        source: &str,
        answer: &Answer,
        [asked_at, now]: [Timestamp; 2],
        random: u32,
    ) -> Result<(), SqlError> {
        if let Answer::Response {
            limit: Some(limit),
            remaining: Some(remaining),
            ..
        } = answer
        {
            self.books.pace.note(*limit, *remaining, asked_at);
        }
        let verdict = Verdict::of(answer.clone());
        self.commit(now, |sql, books| {
            books.figures.request(source, verdict.outcome(), now);
            match verdict {
                Verdict::Limited => books.paused(sql, now, random),
                Verdict::Text(_) => books.known.works(sql, source),
                _ => Ok(()),
            }
        })
    }
}
