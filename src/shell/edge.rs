//! The front door: a stateless look at every request.
//!
//! A webhook is verified before anything of it is read, and reaches a ledger
//! only when it is authentic.

use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::{ArrayBuffer, Uint8Array};
use worker::web_sys::{Request, Response};

use super::environment::{self, NotReady, Ready};
use super::log::{Level, Line};
use super::{database, glue, health, ledgers, now, numbers, operate, read, sources};
use crate::api::{Query, Route, fresh, is_api};
use crate::delivery::{Admitted, BODY_BYTES_MAX, Delivery, admit};
use crate::ledger::Taken;
use crate::metrics;
use crate::problem::Problem;
use crate::secret;
use crate::signature::{Presented, Unauthorized};
use crate::time::Timestamp;

/// Who sends a request. No request can say so itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Somebody out there.
    Outside,
    /// This Worker: a test event.
    Test,
}

/// A request, and what the platform says of it.
pub struct Incoming {
    pub request: Request,
    pub method: String,
    pub url: String,
    pub origin: Origin,
    /// When it came in.
    pub at: Timestamp,
}

/// What a request that isn't refused is answered with.
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    /// For answers that can be asked for on condition that they have changed.
    etag: Option<String>,
    /// Who may keep it.
    caching: &'static str,
}

/// For whatever may tell of somebody.
const NO_STORE: &str = "no-store";
/// For what is open to all, to be asked for again each time.
const NO_CACHE: &str = "no-cache";

impl Answer {
    fn json(body: String) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            body,
            etag: None,
            caching: NO_STORE,
        }
    }

    /// With its tag; without a body, if the sender of `request` has it.
    fn tagged(mut self, request: &Request) -> Self {
        let etag = fresh::etag(&self.body);
        let known = glue::header(request, "if-none-match");
        if known.is_some_and(|known| fresh::is_known(&known, &etag)) {
            self.status = 304;
            self.body = String::new();
        }
        self.etag = Some(etag);
        self
    }
}

/// Answers a request from outside.
pub async fn fetch(call: Incoming, env: JsValue, ctx: JsValue) -> Response {
    match handle(&call, &env, &ctx).await {
        Ok(Answer {
            status,
            content_type,
            body,
            etag: None,
            ..
        }) => glue::respond(status, content_type, &body, None, None),
        Ok(Answer {
            status,
            content_type,
            body,
            etag: Some(etag),
            caching,
        }) => glue::respond_tagged(status, content_type, &body, &etag, caching),
        Err(problem) => refuse(&problem),
    }
}

/// What a request is answered with; it is logged.
pub async fn handle(call: &Incoming, env: &JsValue, ctx: &JsValue) -> Result<Answer, Problem> {
    let mut line = Line {
        test: call.origin == Origin::Test,
        ..Line::default()
    };
    let mut answer = route(call, env, ctx, &mut line).await;
    match &mut answer {
        Ok(answer) => answer.status = *line.status.get_or_insert(answer.status),
        Err(problem) => line.refused(problem),
    }
    line.write_since(call.at);
    answer
}

async fn route(
    call: &Incoming,
    env: &JsValue,
    ctx: &JsValue,
    line: &mut Line,
) -> Result<Answer, Problem> {
    let Incoming {
        request, method, ..
    } = call;
    let (path, query) = split(&call.url);
    line.message = [method, " ", path].concat();
    let route = Route::parse(method, path, query);
    // Who has no token learns nothing of the API, not even what is a path.
    let wants_token = matches!(
        route,
        Ok(Route::Api(_) | Route::Command(_) | Route::Metrics | Route::Test { .. })
    );
    if is_api(path) || wants_token {
        let authorization = glue::header(request, "authorization");
        read::authorize(env, authorization.as_deref())?;
    }
    let json = match route? {
        Route::Metrics => {
            let page = Answer::json(numbers::metrics(env, line).await?);
            return Ok(Answer {
                content_type: metrics::CONTENT_TYPE,
                ..page
            });
        }
        Route::Webhook { source } => {
            let answer = webhook(call, env, ctx, source, line).await;
            if call.origin == Origin::Outside {
                let now = now();
                count(env, ctx, &answer, line, now);
                line.ended = Some(now);
            }
            answer
        }
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
            let record = read::answer(env, query, line).await?;
            return Ok(Answer::json(record).tagged(request));
        }
        Route::Api(query) => read::answer(env, query, line).await,
        Route::Command(command) => operate::obey(request, env, command, line).await,
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

/// Counts what became of a webhook, if it was one to a configured source:
/// anybody can make up names.
fn count(
    env: &JsValue,
    ctx: &JsValue,
    answer: &Result<String, Problem>,
    line: &Line,
    now: Timestamp,
) {
    let outcome = match answer {
        Ok(_) => line.outcome,
        Err(problem) => Some(problem.label()),
    };
    if let (Some(source), Some(outcome)) = (&line.source, outcome) {
        numbers::delivery(env, ctx, source, outcome, now);
    }
}

/// Path and query of a URL.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let rest = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    rest.split_once('?').unwrap_or((rest, ""))
}

async fn webhook(
    call: &Incoming,
    env: &JsValue,
    ctx: &JsValue,
    name: String,
    line: &mut Line,
) -> Result<String, Problem> {
    let ready = environment::source(env, &name).map_err(|not_ready| match not_ready {
        NotReady::Unknown => Problem::UnknownSource,
        NotReady::Misconfigured(why) => {
            line.source = environment::is_configured(env, &name).then(|| name.clone());
            line.reason = Some(why);
            Problem::SourceNotReady
        }
    })?;
    line.source = Some(name);
    let scheme = ready.source.dialect.scheme();
    let header = |name| glue::header(&call.request, name);
    let signature = header(scheme.header);
    let timestamp = scheme.timestamp_header.and_then(header);
    let presented = Presented {
        signature: signature.as_deref(),
        timestamp: timestamp.as_deref(),
    };
    // Anybody can send a body, and take their time over it: it is read only
    // where it may be authentic.
    let checked = presented.check(scheme, ready.source.accepted_age_s, call.at);
    checked.map_err(|why| unauthorized(why, line))?;
    let body = body(&call.request, BODY_BYTES_MAX).await?;
    line.bytes = Some(body.len());
    // By the clock once the body is here, as the ledger's: a body that took its
    // time must not make a replayed request younger than its dedupe window.
    let admitted = admit(&ready.source, &ready.secrets, presented, body, now());
    let (label, delivery) = match admitted.map_err(|why| unauthorized(why, line))? {
        Admitted::Ping(label) => (label, None),
        Admitted::Delivery(delivery, label) => (label, Some(delivery)),
    };
    if call.origin == Origin::Outside {
        note_use(env, ctx, &ready, label.secret, call.at);
    }
    line.label(label);
    match delivery {
        None => {
            line.outcome = Some("pong");
            Ok(r#"{"status":"pong"}"#.to_owned())
        }
        Some(mut delivery) => {
            if call.origin == Origin::Test {
                delivery = delivery.into_test();
            }
            line.integration = Some(delivery.integration.clone());
            hand_over(env, ctx, delivery, line).await
        }
    }
}

/// Writes down, behind the answer and seldom, that a secret was used. Our own
/// test events don't count: they would keep an old secret looking alive.
fn note_use(env: &JsValue, ctx: &JsValue, ready: &Ready, position: u32, now: Timestamp) {
    if let Some(secret) = ready.to_note(position, now) {
        let note = secret::note(&ready.source.name, secret, now);
        database::run_behind(env, ctx, note, "use of a secret not noted");
    }
}

/// One answer for every reason, which the log has.
fn unauthorized(why: Unauthorized, line: &mut Line) -> Problem {
    line.reason = Some(why.label().to_owned());
    Problem::BadSignature
}

/// The body, read under its cap and within its time. A connection that breaks
/// off is the sender's; what it sent so far can't be verified.
pub async fn body(request: &Request, max: usize) -> Result<Vec<u8>, Problem> {
    let most = u32::try_from(max).unwrap_or(u32::MAX);
    match glue::read_body(request, most).await {
        Ok(bytes) if bytes.is_null() => Err(Problem::TooLarge(max)),
        Ok(bytes) if bytes.is_undefined() => Err(Problem::TooSlow),
        Ok(bytes) => Ok(Uint8Array::new(bytes.unchecked_ref::<ArrayBuffer>()).to_vec()),
        Err(_) => Err(Problem::BadSignature),
    }
}

async fn hand_over(
    env: &JsValue,
    ctx: &JsValue,
    delivery: Delivery,
    line: &mut Line,
) -> Result<String, Problem> {
    let answer = match ledgers::hand_over(env, ctx, delivery).await {
        Ok(answer) => answer.unwrap_or_default(),
        Err(why) => {
            line.reason = Some(why);
            return Err(Problem::LedgerUnavailable);
        }
    };
    let (status, seq) = Taken::parse(&answer).ok_or(Problem::LedgerUnavailable)?;
    line.outcome = Some(status);
    line.seq = Some(seq);
    if status == "quarantined" {
        line.level = Level::Warn;
    }
    Ok(answer)
}

fn refuse(problem: &Problem) -> Response {
    let header = problem.header();
    let (name, value) = header
        .as_ref()
        .map(|(name, value)| (*name, value.as_str()))
        .unzip();
    let json = problem.to_json();
    glue::respond(
        problem.status(),
        "application/problem+json",
        &json,
        name,
        value,
    )
}
