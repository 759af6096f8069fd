//! The provider's API: right answers in their shapes, of a replica that may lag,
//! and all that may come in their place.

use leasewire::connector::{Answer, Failure, Request};
use leasewire::provider::{Kind, named};
use leasewire::time::Timestamp;

use super::truth::{PART, Record, Truth};
use super::{Generation, Step};
use crate::bugs::Bug;
use crate::clock::SECOND;
use crate::random::Random;
use crate::world::World;

/// When nobody waits any more.
const TIMEOUT_MS: u64 = 15 * SECOND;
/// Who may read records may not read the log of changes.
const LOG: &str = "/v1/admin/data-diffs/";
/// The life of who asks and doesn't wait.
const NOBODY: u32 = u32::MAX;
/// How long a deliberate bug keeps answers.
const KEPT_MS: u64 = 300 * SECOND;

/// What may go wrong, in a thousand.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// It never comes back.
    pub lost: u64,
    /// The server fails.
    pub broken: u64,
    /// The answer is no JSON, or has another shape, or another record.
    pub nonsense: u64,
    /// A record isn't found that is there.
    pub missing: u64,
    /// The model may not be asked for.
    pub forbidden: u64,
    /// It takes seconds.
    pub slow: u64,
    /// It comes from a replica that lags, by this long at the most.
    pub lags: u64,
    pub lag_ms: u64,
    /// When the key is refused.
    pub refused: Option<(u64, u64)>,
    /// The record whose pages fail.
    pub broken_record: Option<usize>,
}

pub fn kind() -> &'static dyn Kind {
    named("propexo").unwrap()
}

impl World {
    /// A request has reached the provider, or is lost on the way.
    pub fn fetch(&mut self, connector: usize, life: u32, request: Request) {
        let path = self.bent_path(&request.path_and_query);
        if life == NOBODY {
            self.mirror.as_mut().unwrap().limit.all += 1;
            return;
        }
        let (answer, after_ms) = self.respond(&path);
        let path = &request.path_and_query;
        self.say(|| {
            format!(
                "connector {connector}: {} {path}: {answer:?}",
                request.ticket
            )
            .chars()
            .take(700)
            .collect()
        });
        let is_heard = matches!(answer, Answer::Response { limit: Some(_), .. });
        let mirror = self.mirror.as_mut().unwrap();
        if !is_heard {
            mirror.limit.unheard();
        }
        let ticket = request.ticket;
        let step = Step::Answered(connector, life, ticket, Box::new(answer));
        if self.bug == Some(Bug::AskedTwice) {
            // Nobody waits for its answer.
            let again = Step::Fetch(connector, NOBODY, Box::new(request));
            self.after(after_ms, again);
        }
        self.after(after_ms, step);
    }

    fn respond(&mut self, path: &str) -> (Answer, u64) {
        let now_ms = self.clock.now_ms;
        let latency_ms = self.random.between(30, 800);
        let mirror = self.mirror.as_mut().unwrap();
        let trouble = mirror.trouble.clone();
        let left = match mirror.limit.take(now_ms, &mut self.random) {
            Ok(left) => left,
            Err(why) => {
                self.complain(why);
                return (Answer::Failed(Failure::Network), latency_ms);
            }
        };
        if self.random.chance(trouble.lost) {
            let failures = [
                (Failure::Network, latency_ms),
                (Failure::Timeout, TIMEOUT_MS),
            ];
            let (failure, after_ms) = self.random.pick(&failures);
            return (Answer::Failed(failure), after_ms);
        }
        let mirror = self.mirror.as_ref().unwrap();
        let per_minute = mirror.limit.per_minute;
        if left.is_some() && (path.contains("last_seen_") || path.starts_with(LOG)) {
            self.mirror.as_mut().unwrap().aside += 1;
        }
        let Some(left) = left else {
            return (response(429, Some((per_minute, 0)), ""), latency_ms);
        };
        let mut after_ms = latency_ms;
        if self.random.chance(trouble.slow) {
            after_ms = self.random.between(SECOND, TIMEOUT_MS - SECOND);
        }
        if trouble
            .refused
            .is_some_and(|(from, to)| (from..to).contains(&now_ms))
        {
            return (response(401, None, ""), after_ms);
        }
        let (status, body) = self.content(path, &trouble);
        (response(status, Some((per_minute, left)), &body), after_ms)
    }

    /// Status and body.
    fn content(&mut self, path: &str, trouble: &Trouble) -> (u16, String) {
        if self.random.chance(trouble.broken) {
            return (self.random.pick(&[500, 502, 503, 504]), "<html>".to_owned());
        }
        if path.starts_with(LOG) || self.random.chance(trouble.forbidden) {
            return (403, "{}".to_owned());
        }
        let lag_ms = match self.random.chance(trouble.lags) {
            true => self.random.below(trouble.lag_ms + 1),
            false => 0,
        };
        let mut at_ms = self.clock.now_ms.saturating_sub(lag_ms);
        if self.bug == Some(Bug::AnswersKept) && !path.contains('?') {
            // As it was when it was asked for first.
            at_ms -= at_ms % KEPT_MS;
        }
        let is_item = !path.contains('?');
        if is_item && self.random.chance(trouble.missing) {
            return (404, "{}".to_owned());
        }
        let mirror = self.mirror.as_ref().unwrap();
        let clock = &self.clock;
        let time = |ms: u64| clock.true_time_at(ms);
        let (status, mut body) = match path.split_once('?') {
            None => item(&mirror.truth, path, at_ms, time),
            Some((path, query)) => {
                let query = Query::parse(query);
                let view = View {
                    truth: &mirror.truth,
                    generation: mirror.plan.generation,
                    cap: mirror.plan.cap,
                    says_more: mirror.plan.says_more,
                    broken: trouble.broken_record,
                };
                view.page(path, &query, at_ms, time)
            }
        };
        if status == 200 && self.random.chance(trouble.nonsense) {
            body = nonsense(&body, is_item, &mut self.random);
        }
        if status == 404 && is_item && self.bug == Some(Bug::NotFoundIsEmpty) {
            let id = path.rsplit('/').next().unwrap_or_default();
            return (200, format!(r#"{{"meta":{{}},"results":{{"id":"{id}"}}}}"#));
        }
        if self.bug == Some(Bug::LastRowsDropped) && !is_item && body.contains(r#""hasMore":false"#)
        {
            let (meta, _) = body.split_once(r#","results""#).unwrap_or_default();
            body = format!(r#"{meta},"results":[]}}"#);
        }
        (status, body)
    }
}

fn response(status: u16, limit: Option<(u32, u32)>, body: &str) -> Answer {
    Answer::Response {
        status,
        limit: limit.map(|(limit, _)| limit),
        remaining: limit.map(|(_, left)| left),
        body: body.as_bytes().to_vec(),
    }
}

fn item(truth: &Truth, path: &str, ms: u64, time: impl Fn(u64) -> Timestamp) -> (u16, String) {
    let is = |record: &&Record| kind().item(record.model, &record.id).as_deref() == Some(path);
    let found = truth.records.iter().find(is);
    let Some(record) = found.filter(|record| record.at(ms).is_some()) else {
        return (404, r#"{"error":{"code":"not_found"}}"#.to_owned());
    };
    let shown = truth.json(record, ms, time);
    let meta = r#"{"offset":0,"limit":100,"orderBy":[],"hasMore":false,"total":0}"#;
    (200, format!(r#"{{"meta":{meta},"results":{shown}}}"#))
}

/// What a list was asked for.
struct Query {
    order: String,
    integration: Option<String>,
    changed_from: Option<Timestamp>,
    seen_from: Option<Timestamp>,
    seen_until: Option<Timestamp>,
    offset: usize,
    limit: usize,
}

impl Query {
    fn parse(text: &str) -> Self {
        let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
        let value = |name: &str| {
            let found = pairs.iter().find(|(of, _)| of == name);
            found.map(|(_, value)| value.to_string())
        };
        let number = |name| value(name).and_then(|text| text.parse().ok());
        let time = |name| value(name).and_then(|text| Timestamp::parse(&text));
        Self {
            order: value("order-by").unwrap_or_default(),
            integration: value("integration_id"),
            changed_from: time("updated_at_gte"),
            seen_from: time("last_seen_gte"),
            seen_until: time("last_seen_lte"),
            offset: number("offset").unwrap_or(0),
            limit: number("limit").unwrap_or(100),
        }
    }
}

struct View<'a> {
    truth: &'a Truth,
    generation: Generation,
    cap: usize,
    says_more: bool,
    broken: Option<usize>,
}

impl View<'_> {
    fn page(
        &self,
        path: &str,
        query: &Query,
        ms: u64,
        time: impl Fn(u64) -> Timestamp,
    ) -> (u16, String) {
        let is_new = query.changed_from.or(query.seen_from).or(query.seen_until);
        if is_new.is_some() && self.generation != Generation::New {
            let why = r#"{"error":{"code":"invalid_request","details":{"name":"ZodError","issues":[{"code":"unrecognized_keys"}]}}}"#;
            return (400, why.to_owned());
        }
        let model = path
            .trim_start_matches("/v1/")
            .trim_end_matches('/')
            .replace('-', "_");
        let all = self.truth.records.iter().enumerate();
        let mut rows: Vec<_> = all
            .filter(|(_, record)| record.model == model && model != PART)
            .filter_map(|(at, record)| Some((at, record, record.at(ms)?)))
            .filter(|(_, record, _)| {
                let of = self.truth.integrations[record.of].id;
                query.integration.as_deref().is_none_or(|id| id == of)
            })
            .filter(|(.., state)| {
                query
                    .changed_from
                    .is_none_or(|from| state.updated_at >= from)
            })
            .filter(|(_, record, _)| {
                let seen_at = self.truth.seen_at(record, ms, &time);
                query.seen_from.is_none_or(|from| seen_at >= from)
                    && query.seen_until.is_none_or(|until| seen_at <= until)
            })
            .collect();
        let is_ordered =
            self.generation != Generation::Plain && query.order.starts_with("updated_at");
        let by = if is_ordered {
            "updated_at"
        } else {
            "created_at"
        };
        rows.sort_by_key(|(_, record, state)| {
            let at = if is_ordered {
                state.updated_at
            } else {
                record.created_at()
            };
            (at, record.id.clone())
        });
        if is_ordered && query.order.contains("desc") {
            rows.reverse();
        }
        let count = query.limit.min(self.cap);
        let page = rows.iter().skip(query.offset).take(count);
        if page.clone().any(|(at, ..)| Some(*at) == self.broken) {
            return (500, String::new());
        }
        let shown: Vec<String> = page
            .map(|(_, record, _)| self.truth.json(record, ms, &time))
            .collect();
        let has_more = match self.says_more {
            true => (query.offset + shown.len() < rows.len()).to_string(),
            false => "null".to_owned(),
        };
        let (offset, limit) = (query.offset, query.limit);
        let meta = format!(
            r#"{{"offset":{offset},"limit":{limit},"orderBy":[{{"field":"{by}","direction":"asc"}}],"hasMore":{has_more},"total":0}}"#
        );
        (
            200,
            format!(r#"{{"meta":{meta},"results":[{}]}}"#, shown.join(",")),
        )
    }
}

/// A body that says something else than it should. Of a page nobody could tell that its records are
/// others than those that were asked for.
fn nonsense(body: &str, is_item: bool, random: &mut Random) -> String {
    match random.below(if is_item { 5 } else { 3 }) {
        0 => body.chars().take(body.len() / 2).collect(),
        1 => "<html>busy</html>".to_owned(),
        2 => r#"{"meta":{},"results":"none"}"#.to_owned(),
        3 => body.replace(r#""integration_id":"int"#, r#""integration_id":"other"#),
        _ => body.replacen(r#""id":""#, r#""id":"another_"#, 1),
    }
}
