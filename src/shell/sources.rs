//! The API on sources: what is configured, and test events.

use wasm_bindgen::JsValue;

use super::environment::{self, NotReady};
use super::log::Line;
use super::webhook::{self, Inbound, Trigger};
use super::{database, glue, now, random};
use crate::dialect::sample::{Wanted, report};
use crate::edge::secret;
use crate::integration::encode_segment;
use crate::problem::Problem;
use crate::signature::sign;

/// Answers `GET /v1/sources`.
pub async fn list(env: &JsValue, line: &mut Line) -> Result<String, Problem> {
    let rows = database::select(env, &secret::select_uses()).await;
    let rows = rows.map_err(|why| {
        line.reason = Some(why);
        Problem::DatabaseUnavailable
    })?;
    environment::with_all(env, |listed, problem| secret::page(listed, problem, &rows))
        .ok_or(Problem::DatabaseUnavailable)
}

/// Answers `POST /v1/sources/{source}/test`, whose body is `asked`: makes a
/// webhook as the source's provider would, and takes it in as one.
pub async fn test(
    env: &JsValue,
    ctx: &JsValue,
    name: &str,
    asked: &[u8],
) -> Result<String, Problem> {
    let ready = environment::source(env, name).map_err(|not_ready| match not_ready {
        NotReady::Unknown => Problem::UnknownSource,
        NotReady::Misconfigured(why) => Problem::SourceUnusable(why),
    })?;
    let now = now();
    let unique = format!("{:x}{:08x}", now.ms(), random());
    let wanted = Wanted::parse(asked, &unique, now)?;
    let dialect = ready.source.dialect;
    let body = dialect.sample(&wanted)?;
    let secret = ready.secrets.first().map(String::as_bytes);
    let mut headers = vec![("content-type", "application/json".to_owned())];
    headers.extend(sign(
        dialect.scheme(),
        secret.unwrap_or_default(),
        body.as_bytes(),
        now,
    ));
    let path = format!("/webhooks/{}", encode_segment(name));
    let request = glue::new_request(&path, &headers, &body);
    let call = Inbound {
        method: request.method(),
        url: request.url(),
        request,
        trigger: Trigger::Test,
        at: now,
    };
    let answer = webhook::take_test(&call, env, ctx, name, &path).await;
    let signature = dialect.scheme().header;
    Ok(report(&path, &headers, signature, &body, &answer))
}
