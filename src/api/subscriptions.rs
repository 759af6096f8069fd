//! Registering webhooks at a provider: what is wanted, as a source is set up and
//! as it is asked.

use super::command::Subscription;
use crate::edge::source::Source;
use crate::integration::encode_segment;
use crate::problem::Problem;
use crate::provider::subscriptions::{Wanted, events, models};
use crate::provider::{Api, URL_MUST, checked_url};

/// What is wanted of the webhooks of `source`, whose `secrets` are valid. Where
/// nobody says otherwise they come to where this was asked, `request_url`.
pub fn wanted<'a>(
    source: &Source,
    api: &Api,
    secrets: &'a [String],
    asked: Subscription,
    request_url: &str,
) -> Result<Wanted<'a>, Problem> {
    let url = match &asked.url {
        Some(url) => checked_url(url).ok_or(Problem::BadParameter("url", URL_MUST))?,
        None => &address(request_url, &source.name),
    };
    let url = checked_url(url).ok_or_else(|| {
        Problem::NotRegistrable(
            "Webhooks come over https. Ask at the gateway's own address, or say it with `url`."
                .to_owned(),
        )
    })?;
    let nothing = |field: &str| {
        let why = format!("The body can't be used: `{field}` names none that the provider has.");
        Problem::BadBody(why)
    };
    let events = events(api.kind, asked.events.as_deref(), &source.filter)
        .filter(|events| !events.is_empty())
        .ok_or_else(|| nothing("events"))?;
    let taken = asked.models.as_ref().or(source.filter.models.as_ref());
    let models = models(api.kind, taken.map(Vec::as_slice));
    if models.as_ref().is_some_and(Vec::is_empty) {
        return Err(nothing("models"));
    }
    Ok(Wanted {
        url: url.to_owned(),
        secrets,
        events,
        models,
    })
}

/// Refuses a secret that the provider doesn't take: that which is registered is
/// the first one.
pub fn check_secret(api: &Api, secrets: &[String]) -> Result<(), Problem> {
    let fewest = api.kind.secret_chars_min();
    let chars = secrets.first().map_or(0, |secret| secret.chars().count());
    if chars >= fewest {
        return Ok(());
    }
    Err(Problem::NotRegistrable(format!(
        "The provider takes secrets of {fewest} characters and more, and the source's first one is \
         shorter: set a longer one with `wrangler secret put`."
    )))
}

/// Where webhooks of a source come to, at the host of a request.
fn address(request_url: &str, source: &str) -> String {
    let host_at = request_url.find("://").map_or(0, |at| at.saturating_add(3));
    let path_at = request_url
        .get(host_at..)
        .and_then(|rest| rest.find('/'))
        .map_or(request_url.len(), |at| host_at.saturating_add(at));
    let host = request_url.get(..path_at).unwrap_or_default();
    [host, "/webhooks/", &encode_segment(source)].concat()
}
