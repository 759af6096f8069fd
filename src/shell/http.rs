//! Requests and responses, as bytes and headers.

use wasm_bindgen::JsCast;
use worker::js_sys::{ArrayBuffer, Uint8Array};
use worker::web_sys::{Request, Response};

use super::glue;
use crate::api::fresh;
use crate::problem::Problem;

/// What a request that isn't refused is answered with.
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    /// For answers that can be asked for on condition that they have changed.
    pub etag: Option<String>,
    /// Who may keep it.
    pub caching: &'static str,
}

/// For whatever may tell of somebody.
const NO_STORE: &str = "no-store";
/// For what is open to all, to be asked for again each time.
pub const NO_CACHE: &str = "no-cache";

impl Answer {
    /// One of JSON, that nobody may keep.
    pub fn json(body: String) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            body,
            etag: None,
            caching: NO_STORE,
        }
    }

    /// With its tag; without a body, if the sender of `request` has it.
    pub fn tagged(mut self, request: &Request) -> Self {
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

/// The response of `answer`.
pub fn respond(answer: Result<Answer, Problem>) -> Response {
    match answer {
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
