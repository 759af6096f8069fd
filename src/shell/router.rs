//! Every request, by its path, to who answers it.

use wasm_bindgen::JsValue;
use worker::web_sys::Response;

use super::http::{self, Answer, NO_CACHE, body};
use super::log::Line;
use super::webhook::{self, Inbound};
use super::{commands, glue, health, metrics, queries, sources, subscriptions};
use crate::api::{Query, Route, is_api};
use crate::edge::delivery::BODY_BYTES_MAX;
use crate::ops::metrics::CONTENT_TYPE;
use crate::problem::Problem;

/// Answers a request from outside.
pub async fn fetch(call: Inbound, env: JsValue, ctx: JsValue) -> Response {
    http::respond(handle(&call, &env, &ctx).await)
}

/// What a request is answered with; it is logged.
async fn handle(call: &Inbound, env: &JsValue, ctx: &JsValue) -> Result<Answer, Problem> {
    let mut line = Line::default();
    let mut answer = route(call, env, ctx, &mut line).await;
    match &mut answer {
        Ok(answer) => answer.status = *line.status.get_or_insert(answer.status),
        Err(problem) => line.refused(problem),
    }
    line.write_since(call.at);
    answer
}

async fn route(
    call: &Inbound,
    env: &JsValue,
    ctx: &JsValue,
    line: &mut Line,
) -> Result<Answer, Problem> {
    let Inbound {
        request, method, ..
    } = call;
    let (path, query) = split(&call.url);
    line.message = [method, " ", path].concat();
    let route = Route::parse(method, path, query);
    // Who has no token learns nothing of the API, not even what is a path.
    let wants_token = matches!(
        route,
        Ok(Route::Api(_)
            | Route::Command(_)
            | Route::Metrics
            | Route::Test { .. }
            | Route::Subscriptions { .. }
            | Route::Subscribe { .. })
    );
    if is_api(path) || wants_token {
        let authorization = glue::header(request, "authorization");
        queries::authorize(env, authorization.as_deref())?;
    }
    let json = match route? {
        Route::Metrics => {
            let page = Answer::json(metrics::metrics(env, line).await?);
            return Ok(Answer {
                content_type: CONTENT_TYPE,
                ..page
            });
        }
        Route::Webhook { source } => webhook::take(call, env, ctx, source, line).await,
        Route::Health => health::answer(env, line).await,
        Route::Description => {
            let description = Answer::json(glue::description());
            let caching = NO_CACHE;
            let open = Answer {
                caching,
                ..description
            };
            return Ok(open.tagged(request));
        }
        Route::Api(query @ Query::Record(..)) => {
            let record = queries::answer(env, query, line).await?;
            return Ok(Answer::json(record).tagged(request));
        }
        Route::Api(query) => queries::answer(env, query, line).await,
        Route::Command(command) => commands::run(request, env, command, line).await,
        Route::Subscriptions { source, url } => {
            subscriptions::show(call, env, &source, url, line).await
        }
        Route::Subscribe { source } => subscriptions::subscribe(call, env, &source, line).await,
        Route::Test { source } => {
            line.outcome = Some("tested");
            line.source = Some(source.clone());
            let asked = body(request, BODY_BYTES_MAX)
                .await
                .map_err(|problem| match problem {
                    Problem::TooLarge(_) | Problem::TooSlow => problem,
                    _ => Problem::BadParameter("body", "a JSON object"),
                })?;
            sources::test(env, ctx, &source, &asked).await
        }
    }?;
    Ok(Answer::json(json))
}

/// Path and query of a URL.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let rest = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    rest.split_once('?').unwrap_or((rest, ""))
}
