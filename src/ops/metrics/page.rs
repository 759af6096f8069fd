//! `GET /metrics`: the numbers in the text format of Prometheus, 0.0.4.

use super::connectors::Asked;
use super::{BOUNDS_S, COLUMNS, OUTCOMES};
use crate::json;
use crate::sql::Statement;
use crate::sql::Value;
use crate::time::Timestamp;

/// Type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An integration is shown by itself when its ledger has more bytes than half of
/// what it may have.
const LARGE_BYTES: u64 = 5_000_000_000;

/// What D1 has, each row as a kind, a source, an integration and numbers:
/// what was counted, what a source's connector and its integrations have reported, and
/// those of them that have reported trouble, or that they are large. Of these at
/// most 500, those first where something waits or is dead, or that are large.
/// The last of the numbers is a time, and times compare as texts.
const SELECT: &str = "
    SELECT 'counted' AS kind, source, '' AS integration, accepted || ' ' || duplicate || ' ' || quarantined || ' '
           || ignored || ' ' || pong || ' ' || bad_signature || ' ' || too_large || ' '
           || source_not_ready || ' ' || ledger_unavailable || ' ' || within_1_s || ' '
           || within_2_s || ' ' || within_5_s || ' ' || within_10_s || ' ' || within_30_s || ' '
           || within_60_s || ' ' || within_300_s || ' ' || within_1800_s || ' ' || later || ' '
           || confirmation_ms AS numbers
    FROM metrics
    UNION ALL
    SELECT 'source', source, '', count(*) || ' ' || sum(last_seq) || ' ' || sum(pending) || ' '
           || sum(unconfirmed) || ' ' || sum(dead) || ' ' || sum(quarantined) || ' '
           || max(bytes) || ' ' || coalesce(min(oldest_unconfirmed_at), '')
    FROM integrations GROUP BY source
    UNION ALL
    SELECT 'connector', source, '', answered || ' ' || not_found || ' ' || refused || ' '
           || limited || ' ' || failed || ' ' || repaired || ' ' || lost || ' ' || owed || ' '
           || given_up || ' ' || walks || ' ' || is_refused || ' ' || coalesce(owed_since, '') || ' '
           || coalesce(standing_since, '')
    FROM connectors
    UNION ALL
    SELECT * FROM (
      SELECT 'integration', source, integration, '1 ' || last_seq || ' ' || pending || ' '
             || unconfirmed || ' ' || dead || ' ' || quarantined || ' '
             || bytes || ' ' || coalesce(oldest_unconfirmed_at, '')
      FROM integrations WHERE pending + unconfirmed + dead + quarantined > 0 OR bytes > ?1
      ORDER BY pending + unconfirmed + dead = 0 AND bytes <= ?1, source, integration LIMIT 500)";

/// The D1 statement for [`page`]. Each of its columns has a name of its own.
pub fn select() -> Statement {
    Statement {
        sql: SELECT,
        params: vec![Value::Integer(LARGE_BYTES as i64)],
    }
}

/// What one integration has reported, or several together.
#[derive(Clone, Copy, Default)]
struct Reported {
    integrations: u64,
    events: u64,
    pending: u64,
    unconfirmed: u64,
    dead: u64,
    quarantined: u64,
    /// Of the ledger, or the largest of them.
    bytes: u64,
    /// For how many seconds the oldest has been waiting; `None` if none has.
    oldest_s: Option<u64>,
}

/// A source with its numbers.
struct Source<'a> {
    name: &'a str,
    counts: Vec<u64>,
    reported: Reported,
}

/// The page: every source that is configured or has numbers, from D1's rows of
/// [`select`] as JSON, and one of the kind `database` whose numbers are D1's
/// bytes, if these are known. What connectors have reported is shown of those
/// that are `connected`: configured with an API. `None` if the rows are not that.
pub fn page(configured: &[&str], connected: &[&str], rows: &str, now: Timestamp) -> Option<String> {
    let rows = json::rows(rows)?;
    let none_asked = connected.iter().map(|name| (*name, Asked::default()));
    let mut asked: Vec<_> = none_asked.collect();
    let mut sources = Vec::new();
    for name in configured {
        source(&mut sources, name)?;
    }
    let mut integrations = Vec::new();
    let mut database_bytes = None;
    for row in &rows {
        let [kind, name, integration, numbers] = row.as_slice() else {
            return None;
        };
        match kind.as_str() {
            "counted" => source(&mut sources, name)?.counts = counts(numbers)?,
            "database" => database_bytes = numbers.parse().ok(),
            "connector" => {
                let reported = Asked::parse(numbers, now)?;
                if let Some((_, asked)) = asked.iter_mut().find(|(known, _)| known == name) {
                    *asked = reported;
                }
            }
            "source" => source(&mut sources, name)?.reported = reported(numbers, now)?,
            _ => integrations.push((name.as_str(), integration.as_str(), reported(numbers, now)?)),
        }
    }
    let mut page = Page::default();
    page.build();
    page.deliveries(&sources);
    page.reported(&sources);
    page.database(database_bytes);
    page.confirmations(&sources);
    page.integrations(&integrations);
    page.asked(&asked);
    Some(page.0)
}

/// The source called `name`, made if it isn't there.
fn source<'s, 'a>(sources: &'s mut Vec<Source<'a>>, name: &'a str) -> Option<&'s mut Source<'a>> {
    if !sources.iter().any(|source| source.name == name) {
        sources.push(Source {
            name,
            counts: vec![0; COLUMNS],
            reported: Reported::default(),
        });
    }
    sources.iter_mut().find(|source| source.name == name)
}

fn counts(numbers: &str) -> Option<Vec<u64>> {
    let counts: Vec<u64> = numbers
        .split(' ')
        .map_while(|one| one.parse().ok())
        .collect();
    (counts.len() == COLUMNS).then_some(counts)
}

fn reported(numbers: &str, now: Timestamp) -> Option<Reported> {
    let mut parts = numbers.split(' ');
    let mut next = || parts.next()?.parse().ok();
    Some(Reported {
        integrations: next()?,
        events: next()?,
        pending: next()?,
        unconfirmed: next()?,
        dead: next()?,
        quarantined: next()?,
        bytes: next()?,
        oldest_s: parts.next().and_then(|oldest| age_s(oldest, now)),
    })
}

/// Seconds since a time; `None` if there is none.
pub(super) fn age_s(time: &str, now: Timestamp) -> Option<u64> {
    let ms = now.ms().saturating_sub(Timestamp::parse(time)?.ms());
    Some(u64::try_from(ms / 1_000).unwrap_or(0))
}

/// The page as far as it is written.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    fn write(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.0.push_str(part));
    }

    /// The lines before a metric's samples.
    pub(super) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        self.write(&[
            "# HELP ",
            name,
            " ",
            help,
            "\n# TYPE ",
            name,
            " ",
            kind,
            "\n",
        ]);
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.sample_of(name, labels, &value.to_string());
    }

    fn sample_of(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.write(&[name]);
        for (at, (label, value)) in labels.iter().enumerate() {
            self.write(&[if at == 0 { "{" } else { "," }, label, "=\""]);
            for sign in value.chars() {
                match sign {
                    '\\' => self.write(&["\\\\"]),
                    '"' => self.write(&["\\\""]),
                    '\n' => self.write(&["\\n"]),
                    sign => self.0.push(sign),
                }
            }
            self.write(&["\""]);
        }
        let end = if labels.is_empty() { " " } else { "} " };
        self.write(&[end, value, "\n"]);
    }

    fn build(&mut self) {
        let name = "leasewire_build_info";
        self.metric(name, "gauge", "The version that answers; always 1.");
        self.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    }

    fn deliveries(&mut self, sources: &[Source]) {
        let name = "leasewire_deliveries_total";
        self.metric(name, "counter", "Webhooks by what became of them.");
        for source in sources {
            for (outcome, count) in OUTCOMES.iter().zip(&source.counts) {
                let labels = [("source", source.name), ("outcome", outcome)];
                self.sample(name, &labels, *count);
            }
        }
    }

    fn reported(&mut self, sources: &[Source]) {
        type Of = fn(&Reported) -> u64;
        let metrics: [(&str, &str, &str, Of); 8] = [
            (
                "leasewire_events_total",
                "counter",
                "Numbers given to events.",
                |reported| reported.events,
            ),
            (
                "leasewire_integrations",
                "gauge",
                "Integrations that have a ledger.",
                |reported| reported.integrations,
            ),
            (
                "leasewire_events_pending",
                "gauge",
                "Events not handed to the queue, where some have waited for 45 s.",
                |reported| reported.pending,
            ),
            (
                "leasewire_events_unconfirmed",
                "gauge",
                "Events handed to the queue and not confirmed, where some have waited for 45 s.",
                |reported| reported.unconfirmed,
            ),
            (
                "leasewire_events_dead",
                "gauge",
                "Events in packs that could not be applied.",
                |reported| reported.dead,
            ),
            (
                "leasewire_events_quarantined",
                "gauge",
                "Events not understood, or that can't be applied.",
                |reported| reported.quarantined,
            ),
            (
                "leasewire_oldest_unconfirmed_seconds",
                "gauge",
                "Age of the oldest event that waits for its confirmation; 0 if none does.",
                |reported| reported.oldest_s.unwrap_or(0),
            ),
            (
                "leasewire_ledger_bytes",
                "gauge",
                "Bytes of the largest ledger, of the 10 GB that one may have.",
                |reported| reported.bytes,
            ),
        ];
        for (name, kind, help, of) in metrics {
            self.metric(name, kind, help);
            for source in sources {
                self.sample(name, &[("source", source.name)], of(&source.reported));
            }
        }
    }

    fn database(&mut self, bytes: Option<u64>) {
        let name = "leasewire_database_bytes";
        self.metric(name, "gauge", "Bytes of D1, of the 10 GB that it may have.");
        if let Some(bytes) = bytes {
            self.sample(name, &[], bytes);
        }
    }

    fn confirmations(&mut self, sources: &[Source]) {
        let name = "leasewire_confirmation_seconds";
        let help = "Seconds from receipt to confirmation, of the oldest event of each pack.";
        self.metric(name, "histogram", help);
        for source in sources {
            let labels = [("source", source.name)];
            let mut counts = source.counts.iter().skip(OUTCOMES.len()).copied();
            let mut sum = 0_u64;
            let mut bounds = BOUNDS_S.iter();
            for count in counts.by_ref().take(super::BUCKETS) {
                sum = sum.saturating_add(count);
                let bound = bounds.next().map_or("+Inf".to_owned(), u64::to_string);
                let labels = [("source", source.name), ("le", bound.as_str())];
                self.sample("leasewire_confirmation_seconds_bucket", &labels, sum);
            }
            let ms = counts.next().unwrap_or(0);
            self.sample_of("leasewire_confirmation_seconds_sum", &labels, &seconds(ms));
            self.sample("leasewire_confirmation_seconds_count", &labels, sum);
        }
    }

    fn integrations(&mut self, integrations: &[(&str, &str, Reported)]) {
        let name = "leasewire_integration_events";
        let help = "Events of an integration that are not as they should be, by their state.";
        self.metric(name, "gauge", help);
        for (source, integration, reported) in integrations {
            let states = [
                ("pending", reported.pending),
                ("unconfirmed", reported.unconfirmed),
                ("dead", reported.dead),
                ("quarantined", reported.quarantined),
            ];
            for (state, count) in states {
                if count > 0 {
                    let labels = [
                        ("source", *source),
                        ("integration", *integration),
                        ("state", state),
                    ];
                    self.sample(name, &labels, count);
                }
            }
        }
        let name = "leasewire_integration_oldest_unconfirmed_seconds";
        let help = "Age of an integration's oldest event that waits for its confirmation.";
        self.metric(name, "gauge", help);
        for (source, integration, reported) in integrations {
            if let Some(oldest_s) = reported.oldest_s {
                let labels = [("source", *source), ("integration", *integration)];
                self.sample(name, &labels, oldest_s);
            }
        }
        let name = "leasewire_integration_bytes";
        let help = "Bytes of an integration's ledger that has more than 5 GB.";
        self.metric(name, "gauge", help);
        for (source, integration, reported) in integrations {
            if reported.bytes > LARGE_BYTES {
                let labels = [("source", *source), ("integration", *integration)];
                self.sample(name, &labels, reported.bytes);
            }
        }
    }
}

/// Milliseconds in seconds, with all their digits.
fn seconds(ms: u64) -> String {
    let mut text = (ms / 1_000).to_string();
    let fraction = (ms % 1_000).to_string();
    text.push('.');
    text.push_str("000".get(fraction.len()..).unwrap_or_default());
    text.push_str(&fraction);
    text
}
