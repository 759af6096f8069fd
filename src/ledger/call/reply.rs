//! A ledger's answers: as values, as the text that crosses back, and as who
//! asked reads it.

use crate::json;
use crate::ledger::Taken;
use crate::time::Timestamp;

/// Answers to [`Call::Sweep`](super::Call::Sweep).
const WOKEN: &str = r#"{"woken":true}"#;
const LEFT_ALONE: &str = r#"{"woken":false}"#;

/// The answer of a ledger that never took in an event to who asks about its
/// integration.
const NOBODYS: &str = r#"{"integration":null}"#;

/// A ledger's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What became of a delivery.
    Taken(Taken),
    /// A pack is settled: when the oldest of its events was received that nobody
    /// had settled before, if there was one.
    Confirmed(Option<Timestamp>),
    /// Whether it had work and no alarm.
    Swept(bool),
    /// It never took in an event.
    Nobodys,
    /// JSON.
    Json(String),
    /// There is no such thing.
    Nothing,
    /// Done.
    Done,
}

impl Reply {
    /// JSON, or that there is no such thing.
    pub(super) fn found(json: Option<String>) -> Self {
        json.map_or(Self::Nothing, Self::Json)
    }

    /// What crosses back: text, or `None` where there is no such thing.
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Taken(taken) => Some(taken.to_json()),
            Self::Confirmed(received_at) => received_at.map(|at| at.us().to_string()),
            Self::Swept(was_woken) => Some(if was_woken { WOKEN } else { LEFT_ALONE }.to_owned()),
            Self::Nobodys => Some(NOBODYS.to_owned()),
            Self::Json(json) => Some(json),
            Self::Done => Some(String::new()),
            Self::Nothing => None,
        }
    }
}

/// Whether a ledger's answer to [`Call::Sweep`](super::Call::Sweep) says that it
/// had work and no alarm.
pub fn was_woken(answer: &str) -> bool {
    answer == WOKEN
}

/// A ledger's answer to [`Call::Confirm`](super::Call::Confirm): when the oldest
/// event was received that nobody had settled before; `None` if there was none.
pub fn received_at(answer: &str) -> Option<Timestamp> {
    answer.parse().ok().map(Timestamp::from_us)
}

/// Whether a ledger's answer to a question of the API says that there is no
/// such integration.
pub fn is_nobodys(answer: &str) -> bool {
    answer == NOBODYS
}

impl Taken {
    /// The answer to the sender.
    pub fn to_json(self) -> String {
        format!(
            r#"{{"status":"{}","seq":{}}}"#,
            self.outcome.label(),
            self.seq
        )
    }

    /// Reads the answer: its status and number.
    pub fn parse(json: &str) -> Option<(&'static str, u64)> {
        let [status, seq] = json::pick(json, &["status", "seq"])?;
        let named = json::text(status?)?;
        let statuses = ["accepted", "duplicate", "quarantined", "ignored"];
        let status = statuses.into_iter().find(|status| *status == named);
        Some((status?, json::number(seq?)?))
    }
}
