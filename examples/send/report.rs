//! What is told of a run: each answer of a short one, the progress and the
//! summary of a long one.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::process;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::delivery::{Answer, Endpoint};
use crate::plan::Plan;
use crate::secret::Secret;

/// A longer run shows its progress instead of each answer.
pub const ANSWERS_SHOWN_MAX: u64 = 20;
/// Of a long run's failures, the first few say enough.
const FAILURES_SHOWN_MAX: usize = 5;
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Prints a line. A reader that has gone, such as `head`, ends the run.
pub fn say(line: &str) {
    if writeln!(io::stdout(), "{line}").is_err() {
        process::exit(1);
    }
}

pub struct Report {
    pub started: Instant,
    count: u64,
    sent: u64,
    outcomes: BTreeMap<String, u64>,
    times: Vec<Duration>,
    /// The first failure's status.
    failed: Option<u16>,
    failures_shown: usize,
    /// The number the gateway gave last.
    seq: Option<u64>,
    progress_due: Duration,
    colour: bool,
}

impl Report {
    pub fn new(count: u64) -> Self {
        Self {
            started: Instant::now(),
            count,
            sent: 0,
            outcomes: BTreeMap::new(),
            times: Vec::new(),
            failed: None,
            failures_shown: 0,
            seq: None,
            progress_due: PROGRESS_EVERY,
            colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    pub fn answered(&mut self, answer: Answer) {
        let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let good = answer.status == 200;
        let outcome = match json.get("status").and_then(Value::as_str) {
            Some(status) => format!("{} {status}", answer.status),
            None => answer.status.to_string(),
        };
        if good {
            self.seq = json.get("seq").and_then(Value::as_u64).or(self.seq);
        } else {
            self.failed = self.failed.or(Some(answer.status));
        }
        let status = self.painted(&answer.status.to_string(), good);
        let line = format!(
            "{status}  {}  {:.1} ms",
            answer.body.trim(),
            millis(answer.took)
        );
        self.times.push(answer.took);
        self.count_and_show(outcome, good, &line);
    }

    pub fn unanswered(&mut self, reason: &str) {
        let line = format!("{}  {reason}", self.painted("---", false));
        self.count_and_show("no answer".to_owned(), false, &line);
    }

    pub fn ever_answered(&self) -> bool {
        !self.times.is_empty()
    }

    /// Whether every delivery was answered with 200.
    pub fn all_kept(&self) -> bool {
        self.outcomes
            .keys()
            .all(|outcome| outcome == "200" || outcome.starts_with("200 "))
    }

    /// The summary of a long run.
    pub fn finish(&mut self) {
        if !self.is_long() || !self.ever_answered() {
            return;
        }
        self.times.sort_unstable();
        let seconds = self.started.elapsed().as_secs_f64();
        say(&format!(
            "{} sent in {seconds:.1} s: {:.0}/s",
            self.sent,
            self.rate()
        ));
        for (outcome, count) in &self.outcomes {
            say(&format!("  {outcome:<20} {count:>8}"));
        }
        say(&format!(
            "  p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
            millis(self.percentile(50)),
            millis(self.percentile(99)),
            millis(self.percentile(100)),
        ));
    }

    /// What to do next, as far as the answers tell.
    pub fn advice(&self, secret: &Secret, endpoint: &Endpoint, plan: &Plan) -> Option<String> {
        let source = &endpoint.source;
        match (self.failed, self.seq) {
            (None, Some(seq)) => Some(format!(
                "See it:  curl -H \"Authorization: Bearer $API_TOKEN\" {}{}",
                endpoint.origin,
                plan.api_path(source, seq)
            )),
            (None, None) => None,
            (Some(401), _) => Some(format!(
                "401: the gateway has another secret for {source} than the one used here, \
                 which is from {}. Or the two clocks differ.",
                secret.origin
            )),
            (Some(404), _) => Some(format!(
                "404: no source is named {source}. wrangler.toml has the names; choose one with --source."
            )),
            (Some(503), _) => Some(format!(
                "503: the secret of {source} isn't set there, or the ledger can't be reached. \
                 The gateway's log says which."
            )),
            (Some(_), _) => None,
        }
    }

    fn count_and_show(&mut self, outcome: String, good: bool, line: &str) {
        self.sent = self.sent.saturating_add(1);
        let count = self.outcomes.entry(outcome).or_default();
        *count = count.saturating_add(1);
        let show_failure = !good && self.failures_shown < FAILURES_SHOWN_MAX;
        if show_failure {
            self.failures_shown = self.failures_shown.saturating_add(1);
        }
        if !self.is_long() || show_failure {
            say(line);
        }
        if self.is_long() && self.started.elapsed() >= self.progress_due {
            self.progress_due = self.started.elapsed().saturating_add(PROGRESS_EVERY);
            self.show_progress();
        }
    }

    fn show_progress(&self) {
        let outcomes: Vec<_> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{outcome}: {count}"))
            .collect();
        say(&format!(
            "{:>4} s  {:>7} of {}  {:>5.0}/s   {}",
            self.started.elapsed().as_secs(),
            self.sent,
            self.count,
            self.rate(),
            outcomes.join(", ")
        ));
    }

    fn is_long(&self) -> bool {
        self.count > ANSWERS_SHOWN_MAX
    }

    fn rate(&self) -> f64 {
        self.sent as f64 / self.started.elapsed().as_secs_f64().max(f64::EPSILON)
    }

    /// The time that `percent` of the answers took at the most. Needs them in order.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = self.times.len().saturating_mul(percent).div_ceil(100);
        self.times
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    fn painted(&self, text: &str, good: bool) -> String {
        let colour = if good { "32" } else { "31" };
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
