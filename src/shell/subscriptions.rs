//! The API on the webhooks that are registered at a provider.

use wasm_bindgen::JsValue;

use super::connector_client::ask_directly;
use super::environment::{self, NotReady, Ready};
use super::http::body;
use super::log::Line;
use super::now;
use super::webhook::Inbound;
use crate::api::command::{self, BODY_BYTES_MAX};
use crate::api::subscriptions::{check_secret, wanted};
use crate::connector::Direct;
use crate::problem::Problem;
use crate::provider::Api;
use crate::provider::subscriptions::{Change, Compared, Subscription};
use std::rc::Rc;

/// For how long webhooks are registered at most, in milliseconds: who asks waits.
/// What is left the next request does.
const REGISTERING_MS_MAX: u32 = 20_000;
/// How many are looked at.
const SUBSCRIPTIONS_MAX: usize = 2_500;
const WRONG_SHAPE: &str = "The provider's answer has another shape than is known.";

/// A source whose provider is asked.
struct Asked<'a> {
    env: &'a JsValue,
    ready: Rc<Ready>,
    api: Rc<Api>,
}

impl<'a> Asked<'a> {
    fn of(env: &'a JsValue, name: &str, line: &mut Line) -> Result<Self, Problem> {
        let ready = environment::source(env, name).map_err(|not_ready| match not_ready {
            NotReady::Unknown => Problem::UnknownSource,
            NotReady::Misconfigured(why) => Problem::SourceUnusable(why),
        })?;
        line.source = Some(name.to_owned());
        let api = ready.source.api.clone().ok_or(Problem::NoApi)?;
        Ok(Self { env, ready, api })
    }

    async fn ask(&self, method: &str, path: String, body: String) -> Result<String, Problem> {
        let direct = Direct {
            source: self.ready.source.name.clone(),
            method: method.to_owned(),
            path,
            body,
        };
        let answer = ask_directly(self.env, &direct).await;
        let answer = answer.map_err(|_| Problem::ConnectorUnavailable)?;
        answer.ok_or(Problem::NoApi)?.text()
    }

    async fn registered(&self) -> Result<Vec<Subscription>, Problem> {
        let mut all = Vec::new();
        loop {
            let path = self.api.kind.subscriptions(all.len());
            let text = self.ask("GET", path, String::new()).await?;
            let page = self.api.kind.read_subscriptions(&text);
            let page = page.ok_or_else(|| Problem::ProviderRefused(WRONG_SHAPE.to_owned()))?;
            let is_last = !page.has_more || page.all.is_empty();
            all.extend(page.all);
            if is_last || all.len() >= SUBSCRIPTIONS_MAX {
                return Ok(all);
            }
        }
    }
}

/// Answers `GET /v1/sources/{source}/subscriptions`.
pub async fn show(
    call: &Inbound,
    env: &JsValue,
    name: &str,
    url: Option<String>,
    line: &mut Line,
) -> Result<String, Problem> {
    line.outcome = Some("read");
    let asked = Asked::of(env, name, line)?;
    let request = command::Subscription {
        url,
        ..Default::default()
    };
    let (source, secrets) = (&asked.ready.source, &asked.ready.secrets);
    let wanted = wanted(source, &asked.api, secrets, request, &call.url)?;
    let registered = asked.registered().await?;
    Ok(Compared::new(asked.api.kind, &registered, &wanted).to_json(0))
}

/// Answers `POST /v1/sources/{source}/subscriptions`.
pub async fn subscribe(
    call: &Inbound,
    env: &JsValue,
    name: &str,
    line: &mut Line,
) -> Result<String, Problem> {
    line.outcome = Some("asked");
    let request = command::subscription(&body(&call.request, BODY_BYTES_MAX).await?)?;
    let asked = Asked::of(env, name, line)?;
    let (source, secrets) = (&asked.ready.source, &asked.ready.secrets);
    let wanted = wanted(source, &asked.api, secrets, request, &call.url)?;
    check_secret(&asked.api, secrets)?;
    let registered = asked.registered().await?;
    let compared = Compared::new(asked.api.kind, &registered, &wanted);
    let changes = compared.changes(asked.api.kind);
    if changes.is_empty() {
        return Ok(compared.to_json(0));
    }
    let until = now().plus_ms(REGISTERING_MS_MAX);
    let mut changed = 0_u64;
    for Change { method, path, body } in changes {
        if now() >= until {
            break;
        }
        asked.ask(method, path, body).await?;
        changed = changed.saturating_add(1);
    }
    // As the provider has it now.
    let registered = asked.registered().await?;
    Ok(Compared::new(asked.api.kind, &registered, &wanted).to_json(changed))
}
