//! What connectors have reported of the sources that have an API.

use super::page::{Page, age_s};
use crate::connector::OUTCOMES;
use crate::time::Timestamp;

/// The numbers of a source, as its connector has reported them last.
#[derive(Clone, Default)]
pub(super) struct Asked {
    requests: [u64; OUTCOMES.len()],
    repaired: u64,
    lost: u64,
    owed: u64,
    given_up: u64,
    walks: u64,
    is_refused: u64,
    owed_s: u64,
    standing_s: u64,
}

impl Asked {
    /// From D1's row: numbers with blanks between them, and at the end two times,
    /// either of which may be empty. `None` if it is not that.
    pub(super) fn parse(numbers: &str, now: Timestamp) -> Option<Self> {
        let mut parts = numbers.split(' ');
        let mut asked = Self::default();
        for count in &mut asked.requests {
            *count = parts.next()?.parse().ok()?;
        }
        let mut next = || parts.next()?.parse().ok();
        asked.repaired = next()?;
        asked.lost = next()?;
        asked.owed = next()?;
        asked.given_up = next()?;
        asked.walks = next()?;
        asked.is_refused = next()?;
        let mut age = || Some(age_s(parts.next()?, now).unwrap_or(0));
        asked.owed_s = age()?;
        asked.standing_s = age()?;
        Some(asked)
    }
}

/// Each metric of a source: its name, its kind, what it tells, and where it is.
type Metric = (&'static str, &'static str, &'static str, fn(&Asked) -> u64);

const METRICS: [Metric; 8] = [
    (
        "leasewire_records_repaired_total",
        "counter",
        "Records that a read from the provider's API changed, of which no webhook had told.",
        |asked| asked.repaired,
    ),
    (
        "leasewire_webhooks_lost_total",
        "counter",
        "Webhooks that the provider's log of changes has and that never came.",
        |asked| asked.lost,
    ),
    (
        "leasewire_records_owed",
        "gauge",
        "Records that are to be read from the provider's API.",
        |asked| asked.owed,
    ),
    (
        "leasewire_oldest_owed_seconds",
        "gauge",
        "Since when the oldest of them is to be read; 0 if there is none.",
        |asked| asked.owed_s,
    ),
    (
        "leasewire_records_given_up",
        "gauge",
        "Records that the provider's API does not find, or does not give in a form that is understood.",
        |asked| asked.given_up,
    ),
    (
        "leasewire_walks",
        "gauge",
        "Lists of the provider's API that are being read.",
        |asked| asked.walks,
    ),
    (
        "leasewire_provider_key_refused",
        "gauge",
        "1 while the provider refuses the key, or it is missing.",
        |asked| asked.is_refused,
    ),
    (
        "leasewire_provider_standing_seconds",
        "gauge",
        "For how long there has been something to ask and no answer; 0 if there is nothing.",
        |asked| asked.standing_s,
    ),
];

impl Page {
    /// Sources that have an API, or have had one, with their numbers.
    pub(super) fn asked(&mut self, sources: &[(&str, Asked)]) {
        let name = "leasewire_provider_requests_total";
        let help = "Requests to the provider's API by what became of them.";
        self.metric(name, "counter", help);
        for (source, asked) in sources {
            for (outcome, count) in OUTCOMES.iter().zip(asked.requests) {
                self.sample(name, &[("source", source), ("outcome", outcome)], count);
            }
        }
        for (name, kind, help, of) in METRICS {
            self.metric(name, kind, help);
            for (source, asked) in sources {
                self.sample(name, &[("source", source)], of(asked));
            }
        }
    }
}
