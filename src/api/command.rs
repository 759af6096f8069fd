//! What the API can be told to do.

use super::page::{NUMBER_MAX, Page};
use crate::dialect::filter;
use crate::integration::IntegrationId;
use crate::json::Object;
use crate::json::form::{Form, required};
use crate::ledger::discard::{self, Held};
use crate::ledger::replay::Request;
use crate::problem::Problem;

/// Largest body of a command.
pub const BODY_BYTES_MAX: usize = 64 * 1_024;
/// Events of one replay.
pub const REPLAY_EVENTS_MAX: u64 = 1_000_000;

/// A command to an integration, or to all of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `POST …/replay`: read kept bodies again.
    Replay(IntegrationId),
    /// `POST …/redrive`: send dead packs again, and what could not be applied.
    Redrive(IntegrationId),
    /// `POST /v1/sources/{source}/redrive`: the same for a page of the source's
    /// integrations, whose cursor is the last one's name.
    RedriveSource(String, Page<String>),
    /// `POST …/rebuild`: write all records into D1 again.
    Rebuild(IntegrationId),
    /// `POST …/backfill`: ask the provider's API for all records.
    Backfill(IntegrationId),
    /// `POST …/records/{model}/{record_id}/hydrate`: ask it for one, the model as
    /// records have it.
    Hydrate(IntegrationId, String, String),
    /// `POST …/discard`: let bodies of quarantined or dead events go.
    Discard(IntegrationId),
}

/// Reads the body of a replay:
/// `{"from":1,"to":500,"models":["leases"],"events":["DATA_*"]}`, of which the
/// last two may be left out. Models may be written as the provider does.
pub fn replay_request(body: &[u8]) -> Result<Request, Problem> {
    let form = form(body, &["from", "to", "models", "events"])?;
    let number = |name| form.number(name).and_then(|number| required(name, number));
    let (from, to) = (
        number("from").map_err(refuse)?,
        number("to").map_err(refuse)?,
    );
    let models = form.texts("models").map_err(refuse)?;
    let events = form.texts("events").map_err(refuse)?;
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
        models: models.map(filter::model_patterns),
        events,
    })
}

/// Reads the body of a redrive: `{"from":1,"to":500}`, what has events in this
/// range, or nothing for all.
pub fn redrive_range(body: &[u8]) -> Result<(u64, u64), Problem> {
    if body.is_empty() {
        return Ok((1, NUMBER_MAX));
    }
    let form = form(body, &["from", "to"])?;
    let from = form.number("from").map_err(refuse)?.unwrap_or(1);
    let to = form.number("to").map_err(refuse)?.unwrap_or(NUMBER_MAX);
    check_range(from, to)?;
    Ok((from, to))
}

/// Reads the body of a backfill: `{"models":["leases"]}`, written as the provider
/// does, or nothing for all that are wanted.
pub fn backfill_models(body: &[u8]) -> Result<Option<Vec<String>>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let models = form(body, &["models"])?.texts("models").map_err(refuse)?;
    if let Some(names) = &models {
        filter::check("models", names).map_err(Problem::BadBody)?;
    }
    Ok(models.map(filter::model_patterns))
}

/// What webhooks are to be registered for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Models, as records have them; `None` for what the source takes.
    pub models: Option<Vec<String>>,
    /// Events, by the provider's name or ours; `None` for the usual ones.
    pub events: Option<Vec<String>>,
    /// Our own address, where it isn't the one that was asked.
    pub url: Option<String>,
}

/// Reads the body of a registration of webhooks:
/// `{"models":["leases"],"events":["DATA_*"],"url":"https://…"}`, of which any may
/// be left out, or nothing.
pub fn subscription(body: &[u8]) -> Result<Subscription, Problem> {
    if body.is_empty() {
        return Ok(Subscription::default());
    }
    let form = form(body, &["models", "events", "url"])?;
    let models = form.texts("models").map_err(refuse)?;
    let events = form.texts("events").map_err(refuse)?;
    for (field, names) in [("models", &models), ("events", &events)] {
        if let Some(names) = names {
            filter::check(field, names).map_err(Problem::BadBody)?;
        }
    }
    Ok(Subscription {
        models: models.map(filter::model_patterns),
        events,
        url: form.text("url").map_err(refuse)?,
    })
}

/// Checks the body of a command that has no fields: an empty object, or nothing.
pub fn no_fields(body: &[u8]) -> Result<(), Problem> {
    match body {
        [] => Ok(()),
        body => form(body, &[]).map(drop),
    }
}

/// Reads the body of a discard: `{"status":"quarantined","from":1,"to":500}`, or
/// `"all":true` in place of the range. Nothing of it is taken for granted, as
/// what is discarded doesn't come back.
pub fn discard_request(body: &[u8]) -> Result<discard::Request, Problem> {
    let form = form(body, &["status", "from", "to", "all"])?;
    let status = form
        .text("status")
        .and_then(|text| required("status", text));
    let status = Held::named(&status.map_err(refuse)?)
        .ok_or_else(|| refuse("`status` must be `quarantined` or `dead`".to_owned()))?;
    let number = |name| form.number(name).map_err(refuse);
    let (from, to) = (number("from")?, number("to")?);
    let (from, to) = match (form.flag("all").map_err(refuse)?, from, to) {
        (Some(true), None, None) => (1, NUMBER_MAX),
        (None | Some(false), Some(from), Some(to)) => (from, to),
        _ => {
            let why = "there must be `from` and `to`, or `all` with true";
            return Err(refuse(why.to_owned()));
        }
    };
    check_range(from, to)?;
    Ok(discard::Request { status, from, to })
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

/// Reads a JSON object with fields among `known`.
fn form<'a>(body: &'a [u8], known: &[&str]) -> Result<Form<'a>, Problem> {
    let object = std::str::from_utf8(body).ok().and_then(Object::parse);
    let not_an_object = || Problem::BadBody("The body must be a JSON object.".to_owned());
    Form::new(object.ok_or_else(not_an_object)?, known).map_err(refuse)
}

fn refuse(why: String) -> Problem {
    Problem::BadBody(format!("The body can't be used: {why}."))
}
