//! What the API can be told to do.

use serde::Deserialize;

use crate::api::{NUMBER_MAX, Of};
use crate::filter;
use crate::json::Object;
use crate::ledger::replay::Request;
use crate::problem::Problem;

/// Largest body of a command.
pub const BODY_BYTES_MAX: usize = 64 * 1_024;
/// Events of one replay.
pub const REPLAY_EVENTS_MAX: u64 = 1_000_000;

/// A command to an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `POST …/replay`: read kept bodies again.
    Replay(Of),
    /// `POST …/redrive`: send dead packs again.
    Redrive(Of),
}

/// Reads the body of a replay:
/// `{"from":1,"to":500,"models":["leases"],"events":["DATA_*"]}`, of which the
/// last two may be left out.
pub fn replay_request(body: &[u8]) -> Result<Request, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        from: u64,
        to: u64,
        models: Option<Vec<String>>,
        events: Option<Vec<String>>,
    }
    let Fields {
        from,
        to,
        models,
        events,
    } = fields(body)?;
    check_range(from, to)?;
    if to.saturating_sub(from) >= REPLAY_EVENTS_MAX {
        return Err(Problem::BadParameter(
            "to",
            "less than 1000000 greater than `from`: replay more in several parts",
        ));
    }
    for (field, names) in [("models", &models), ("events", &events)] {
        if let Some(names) = names {
            filter::check(field, names).map_err(Problem::BadBody)?;
        }
    }
    Ok(Request {
        from,
        to,
        models,
        events,
    })
}

/// Reads the body of a redrive: `{"from":1,"to":500}`, the dead packs with
/// events in this range, or nothing for all of them.
pub fn redrive_range(body: &[u8]) -> Result<(u64, u64), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        from: Option<u64>,
        to: Option<u64>,
    }
    if body.is_empty() {
        return Ok((1, NUMBER_MAX));
    }
    let Fields { from, to } = fields(body)?;
    let (from, to) = (from.unwrap_or(1), to.unwrap_or(NUMBER_MAX));
    check_range(from, to)?;
    Ok((from, to))
}

/// No event has the number `to` yet.
pub fn unknown_end() -> Problem {
    Problem::BadParameter("to", "the number of an event that there is")
}

fn check_range(from: u64, to: u64) -> Result<(), Problem> {
    if from == 0 || from > NUMBER_MAX {
        return Err(Problem::BadParameter("from", "a whole number from 1 on"));
    }
    if to < from || to > NUMBER_MAX {
        return Err(Problem::BadParameter("to", "a whole number from `from` on"));
    }
    Ok(())
}

/// Reads a JSON object. serde names the field that is wrong.
fn fields<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(body).ok();
    let text = text.filter(|text| Object::parse(text).is_some());
    let not_an_object = || Problem::BadBody("The body must be a JSON object.".to_owned());
    serde_json::from_str(text.ok_or_else(not_an_object)?)
        .map_err(|error| Problem::BadBody(format!("The body can't be used: {error}.")))
}
