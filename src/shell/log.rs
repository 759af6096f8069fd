//! One JSON object a line, for `wrangler tail`. Never a secret, a signature
//! or a body.

use serde::Serialize;
use worker::web_sys::console;

use crate::delivery::Label;
use crate::json;
use crate::problem::Problem;
use crate::time::Timestamp;

/// A line of the log.
#[derive(Default, Serialize)]
pub struct Line {
    pub level: Level,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Which of the source's secrets a webhook is signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// Of a sweep: how many ledgers were looked at, had lost their alarm, and
    /// could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledgers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub woken: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<usize>,
    /// Why, in words for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    #[default]
    Info,
    /// Someone outside did something wrong, or it will be tried again.
    Warn,
    /// An operator should look.
    Error,
}

impl Line {
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
        self.duration_ms = Some(super::now().ms().saturating_sub(started.ms()));
        self.write();
    }

    /// Writes the line.
    pub fn write(&self) {
        let json = json::to_json(self).into();
        match self.level {
            Level::Info => console::log_1(&json),
            Level::Warn => console::warn_1(&json),
            Level::Error => console::error_1(&json),
        }
    }
}
