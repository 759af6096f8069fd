//! What comes back from the API, and what of it the ledger is to merge.
//!
//! Whether the key, the limit or the server is at fault the status says alone,
//! whatever the body is.

use super::figures::Outcome;
use super::flight::{Flight, Task};
use super::{BODY_BYTES_MAX, Books, Connector};
use crate::ledger::{Changes, Snapshots, Unseen};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A response.
    Response {
        /// Its status.
        status: u16,
        /// `x-ratelimit-limit`, if it has one.
        limit: Option<u32>,
        /// `x-ratelimit-remaining`, if it has one.
        remaining: Option<u32>,
        /// Its body.
        body: Vec<u8>,
    },
    /// None.
    Failed(Failure),
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It took too long.
    Timeout,
    /// The API can't be reached.
    Network,
    /// It is longer than [`BODY_BYTES_MAX`].
    TooLarge,
    /// It leads somewhere else, where nobody goes with a key.
    Redirected,
    /// The key is not there.
    NoKey,
}

impl Failure {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Timeout => "no answer in time",
            Self::Network => "not reached",
            Self::TooLarge => "the answer is too large",
            Self::Redirected => "redirected",
            Self::NoKey => "the key is missing",
        }
    }
}

/// What the host is to do with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Give this to the ledger, and tell [`Connector::merged`] what it says.
    Merge(Snapshots),
    /// Give this to the ledger, and tell [`Connector::marked`] what it says.
    Mark(Unseen),
    /// Give this to the ledger, and tell [`Connector::compared`] what it says.
    Compare(Changes),
    /// Nothing.
    Done,
}

/// What an answer is.
pub(super) enum Verdict {
    Text(String),
    Unknown(String),
    NotFound,
    Forbidden,
    /// The key is refused, or missing.
    NoKey(&'static str),
    Limited,
    /// It concerns this request alone.
    Refused(String),
    /// The server, or the way there, doesn't work.
    Broken(String),
}

impl Verdict {
    pub(super) fn of(answer: Answer) -> Self {
        let (status, body) = match answer {
            Answer::Response { status, body, .. } => (status, body),
            Answer::Failed(Failure::TooLarge) => {
                return Self::Refused(Failure::TooLarge.label().to_owned());
            }
            Answer::Failed(Failure::NoKey) => return Self::NoKey(Failure::NoKey.label()),
            Answer::Failed(failure) => return Self::Broken(failure.label().to_owned()),
        };
        let text = |body| String::from_utf8(body).unwrap_or_default();
        match status {
            200..=299 if body.len() > BODY_BYTES_MAX => {
                Self::Refused(Failure::TooLarge.label().to_owned())
            }
            200..=299 => Self::Text(text(body)),
            300..=399 => Self::Broken(Failure::Redirected.label().to_owned()),
            400 => Self::Unknown(text(body)),
            401 => Self::NoKey("the key is refused"),
            403 => Self::Forbidden,
            404 => Self::NotFound,
            429 => Self::Limited,
            405..=499 if status != 408 => Self::Refused(format!("status {status}")),
            _ => Self::Broken(format!("status {status}")),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Text(_) => Outcome::Answered,
            Self::NotFound => Outcome::NotFound,
            Self::Forbidden | Self::NoKey(_) => Outcome::Refused,
            Self::Limited => Outcome::Limited,
            Self::Unknown(_) | Self::Refused(_) | Self::Broken(_) => Outcome::Failed,
        }
    }
}

impl<S: Sql> Connector<S> {
    /// An answer has come. `random` spreads what comes after a pause.
    pub fn answered(
        &mut self,
        ticket: u64,
        answer: Answer,
        now: Timestamp,
        random: u32,
    ) -> Result<Then, SqlError> {
        let Some(flight) = self.books.flights.all.remove(&ticket) else {
            return Ok(Then::Done);
        };
        if flight.pending.is_some() {
            // The ledger has it, and doesn't answer.
            return self.commit(now, |sql, books| books.not_merged(sql, &flight, now));
        }
        if let Answer::Response {
            limit: Some(limit),
            remaining: Some(remaining),
            ..
        } = &answer
        {
            self.books.pace.note(*limit, *remaining, flight.asked_at);
        }
        let (then, flight) = self.commit(now, |sql, books| {
            let mut flight = flight;
            let then = books.answered(sql, &mut flight, answer, now, random)?;
            Ok((then, flight))
        })?;
        if then != Then::Done {
            self.books.flights.all.insert(ticket, flight);
        }
        Ok(then)
    }
}

impl Books {
    /// The limit is used up: nothing is asked before the next minute.
    pub(super) fn paused(
        &mut self,
        sql: &impl Sql,
        now: Timestamp,
        random: u32,
    ) -> Result<(), SqlError> {
        self.pace.pause(now, random);
        let us = self.pace.paused_until(now).unwrap_or(now).us();
        sql.execute("UPDATE connector SET paused_until = ?1", &[us.into()])
    }

    fn answered(
        &mut self,
        sql: &impl Sql,
        flight: &mut Flight,
        answer: Answer,
        now: Timestamp,
        random: u32,
    ) -> Result<Then, SqlError> {
        let source = match self.integrations.0.get(&flight.integration) {
            Some(known) => known.of.source.clone(),
            None => return Ok(Then::Done),
        };
        let model = flight.task.model().to_owned();
        let number = flight.integration;
        let verdict = Verdict::of(answer);
        self.figures.request(&source, verdict.outcome(), now);
        // Whatever is wrong with the log is nothing of a model's.
        let is_of_all = matches!(verdict, Verdict::NoKey(_) | Verdict::Limited);
        if flight.task == Task::Log && !is_of_all {
            return self.log_answered(sql, flight, verdict, &source, now);
        }
        match verdict {
            Verdict::Text(text) => {
                self.known.works(sql, &source)?;
                self.known.found(sql, &source, &model)?;
                return self.read(sql, flight, &text, now);
            }
            Verdict::Unknown(text) => {
                self.known.works(sql, &source)?;
                self.unknown(sql, flight, &source, &text, now)?;
            }
            Verdict::NotFound => {
                self.known.works(sql, &source)?;
                if self.known.missed(sql, &source, &model, now)? {
                    self.note(
                        sql,
                        number,
                        &model,
                        "",
                        "none is found: no more is asked for",
                        now,
                    )?;
                }
                self.missing(sql, flight, now)?;
            }
            Verdict::Forbidden => {
                self.known.works(sql, &source)?;
                self.known.forbids(sql, &source, &model, now)?;
                self.note(sql, number, &model, "", "the key may not ask for it", now)?;
            }
            Verdict::NoKey(why) => {
                if self.known.refuses(sql, &source, why, now)? {
                    self.note(sql, number, "", "", why, now)?;
                }
            }
            Verdict::Limited => {
                self.paused(sql, now, random)?;
            }
            Verdict::Refused(why) => {
                self.known.works(sql, &source)?;
                self.fails(sql, flight, &why, now)?;
            }
            Verdict::Broken(why) => {
                // Of a source that is down nobody can say what else is wrong.
                let was_well = !self.known.sources.has(&source);
                self.known.fails(sql, &source, &why, now)?;
                if was_well || !matches!(flight.task, Task::Item { .. }) {
                    self.fails(sql, flight, &why, now)?;
                }
            }
        }
        Ok(Then::Done)
    }
}
