//! One JSON object a line, for `wrangler tail`. Never a secret, a signature
//! or a body.

use worker::web_sys::console;

use crate::edge::delivery::Label;
use crate::integration::IntegrationId;
use crate::json::Writer;
use crate::problem::Problem;
use crate::time::Timestamp;

/// A line of the log.
#[derive(Default)]
pub struct Line {
    pub level: Level,
    pub message: String,
    pub source: Option<String>,
    pub integration: Option<String>,
    pub status: Option<u16>,
    pub outcome: Option<&'static str>,
    pub seq: Option<u64>,
    /// Which of the source's secrets a webhook is signed with.
    pub secret: Option<u32>,
    pub test: bool,
    pub event: Option<String>,
    pub model: Option<String>,
    pub record_id: Option<String>,
    pub bytes: Option<usize>,
    pub duration_ms: Option<i64>,
    /// When it was over, if somebody has asked the clock already.
    pub ended: Option<Timestamp>,
    /// Of a sweep: how many ledgers were looked at, had lost their alarm, and
    /// could not be asked.
    pub ledgers: Option<usize>,
    pub woken: Option<usize>,
    pub failed: Option<usize>,
    /// Why, in words for the operator.
    pub reason: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    #[default]
    Info,
    /// Someone outside did something wrong, or it will be tried again.
    Warn,
    /// An operator should look.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Line {
    /// Says which integration it is about.
    pub fn of(&mut self, of: &IntegrationId) {
        self.source = Some(of.source.clone());
        self.integration = Some(of.integration.clone());
    }

    /// A line that says `message`.
    pub fn new(level: Level, message: &str) -> Self {
        Self {
            level,
            message: message.to_owned(),
            ..Self::default()
        }
    }

    /// A refused request.
    pub fn refused(&mut self, problem: &Problem) {
        self.status = Some(problem.status());
        self.outcome = Some(problem.label());
        self.level = if problem.status() >= 500 {
            Level::Error
        } else {
            Level::Warn
        };
    }

    /// What is known of the delivery.
    pub fn label(&mut self, label: Label) {
        self.event = label.event;
        self.model = label.model;
        self.record_id = label.record_id;
        self.secret = Some(label.secret);
    }

    /// Writes the line for a request that came in at `started`.
    pub fn write_since(mut self, started: Timestamp) {
        let ended = self.ended.unwrap_or_else(super::now);
        self.duration_ms = Some(ended.ms().saturating_sub(started.ms()));
        self.write();
    }

    /// Writes the line.
    pub fn write(&self) {
        let json = self.to_json().into();
        match self.level {
            Level::Info => console::log_1(&json),
            Level::Warn => console::warn_1(&json),
            Level::Error => console::error_1(&json),
        }
    }

    fn to_json(&self) -> String {
        let number = |count: Option<usize>| count.map(|count| count as u64);
        let mut json = Writer::default()
            .text("level", self.level.name())
            .text("message", &self.message)
            .maybe_text("source", self.source.as_deref())
            .maybe_text("integration", self.integration.as_deref())
            .maybe_number("status", self.status.map(u64::from))
            .maybe_text("outcome", self.outcome)
            .maybe_number("seq", self.seq)
            .maybe_number("secret", self.secret.map(u64::from));
        if self.test {
            json = json.flag("test", true);
        }
        json = json
            .maybe_text("event", self.event.as_deref())
            .maybe_text("model", self.model.as_deref())
            .maybe_text("record_id", self.record_id.as_deref())
            .maybe_number("bytes", number(self.bytes));
        if let Some(ms) = self.duration_ms {
            json = json.raw("duration_ms", &ms.to_string());
        }
        json.maybe_number("ledgers", number(self.ledgers))
            .maybe_number("woken", number(self.woken))
            .maybe_number("failed", number(self.failed))
            .maybe_text("reason", self.reason.as_deref())
            .end()
    }
}
