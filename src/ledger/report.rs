//! What a ledger tells the list of integrations of its trouble: how many
//! events wait, are dead or quarantined, and since when; and how large it is.
//!
//! The alarm finds it, about once a minute; a ledger that never had any, and is
//! small, tells nothing and writes nothing. A report is kept before it is sent, and again
//! when it has arrived: one that may have arrived, or may arrive late, is
//! followed by another, of a later time, until the list is known to have what
//! is. The list refuses what is older than what it has.

use super::alarm::PATIENCE_S;
use super::{Ledger, State};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// A ledger looks for something to report at most this often: a replay wakes
/// it every second.
const LOOK_S: u64 = 30;

/// Bytes by which a ledger must have changed to report for that alone: a tenth
/// of what it told, but no less than this, and no more than that. On its way to
/// the 10 GB that it may have it does so about a hundred times, and is never
/// known to be smaller by more than a fortieth of them.
const BYTES_STEP: (u64, u64) = (1_000_000, 250_000_000);

/// What a ledger tells the list of integrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its state.
    pub state: State,
    /// Its trouble and size, where these are not known to be in the list.
    pub report: Option<Report>,
}

/// A ledger's trouble and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What there is of trouble.
    pub numbers: Numbers,
    /// Bytes that the ledger has in use.
    pub bytes: u64,
    /// When it was found. Each report's is later than that of the one before,
    /// whatever the clock does.
    pub at: Timestamp,
}

/// How many events are not as they should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Not handed to the queue. 0 unless one of these or the unconfirmed has
    /// been waiting for too long, as some always wait for a moment.
    pub pending: u64,
    /// Handed to the queue and not confirmed. 0 likewise.
    pub unconfirmed: u64,
    /// In packs that could not be applied.
    pub dead: u64,
    /// Not understood, or not to be applied.
    pub quarantined: u64,
    /// Since when the oldest of those has been waiting.
    pub oldest_unconfirmed_at: Option<Timestamp>,
}

/// The last report, and what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Reported {
    report: Option<Report>,
    /// The list has it.
    is_known: bool,
    /// What is dead or quarantined, or the size, may have changed since.
    pub is_outdated: bool,
    /// When the ledger looked last.
    looked_at: Option<Timestamp>,
}

impl Report {
    /// As the tables have it: numbers, times in microseconds, `-` for none, 1
    /// if the list has it, and the bytes.
    fn to_text(&self, is_known: bool) -> String {
        let numbers = &self.numbers;
        let oldest = numbers.oldest_unconfirmed_at;
        format!(
            "{} {} {} {} {} {} {} {}",
            numbers.pending,
            numbers.unconfirmed,
            numbers.dead,
            numbers.quarantined,
            oldest.map_or("-".to_owned(), |at| at.us().to_string()),
            self.at.us(),
            u8::from(is_known),
            self.bytes,
        )
    }

    /// Reads that; `None` if it is anything else. 0.1.0 told no bytes, and
    /// doesn't look for them behind the rest.
    fn parse(text: &str) -> Option<(Self, bool)> {
        let mut parts = text.split(' ');
        let mut next = || parts.next()?.parse().ok();
        let (pending, unconfirmed, dead, quarantined) = (next()?, next()?, next()?, next()?);
        let time = |part: &str| part.parse().ok().map(Timestamp::from_us);
        let numbers = Numbers {
            pending,
            unconfirmed,
            dead,
            quarantined,
            oldest_unconfirmed_at: parts.next().and_then(time),
        };
        let at = parts.next().and_then(time)?;
        let is_known = parts.next()? == "1";
        let bytes = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        Some((Self { numbers, bytes, at }, is_known))
    }
}

impl Reported {
    /// Reads what the tables have.
    pub fn parse(text: Option<&str>) -> Result<Self, SqlError> {
        let Some(text) = text else {
            return Ok(Self::default());
        };
        let (report, is_known) =
            Report::parse(text).ok_or_else(|| SqlError("the last report is broken".to_owned()))?;
        Ok(Self {
            report: Some(report),
            is_known,
            ..Self::default()
        })
    }

    /// The list may have something else than what is.
    pub fn waits(&self) -> bool {
        let is_unknown = self.report.is_some() && !self.is_known;
        self.is_outdated || is_unknown || self.says_waiting()
    }

    /// According to the list, something is waiting.
    pub fn says_waiting(&self) -> bool {
        let report = self.report.as_ref();
        report.is_some_and(|report| report.numbers.oldest_unconfirmed_at.is_some())
    }

    /// The list has lost it.
    pub fn forget(&mut self) {
        self.is_known = false;
    }

    /// Whether the list is known to say this, the bytes about.
    fn says(&self, numbers: &Numbers, bytes: u64) -> bool {
        self.says_size(bytes)
            && match &self.report {
                Some(report) => self.is_known && report.numbers == *numbers,
                None => *numbers == Numbers::default(),
            }
    }

    /// Whether these are about the bytes that were told last.
    fn says_size(&self, bytes: u64) -> bool {
        let (min, max) = BYTES_STEP;
        let told = self.report.as_ref().map_or(0, |report| report.bytes);
        bytes.abs_diff(told) < (told / 10).clamp(min, max)
    }
}

impl<S: Sql> Ledger<S> {
    /// What to tell the list of integrations when the alarm goes off, if
    /// anything.
    pub(super) fn news(&mut self, now: Timestamp) -> Result<Option<Announcement>, SqlError> {
        let recently = |at: Timestamp| (at..at.plus_s(LOOK_S)).contains(&now);
        let looks = !self.mark.reported.looked_at.is_some_and(recently);
        let is_unannounced = self.mark.announced_seq < self.mark.last_seq;
        if !looks {
            // Or the next look might be a day away.
            let is_known = self.mark.reported.says_size(self.sql.size()?);
            self.mark.reported.is_outdated |= !is_known;
        }
        if !looks && !is_unannounced {
            return Ok(None);
        }
        let Some(state) = self.state()? else {
            return Ok(None);
        };
        let report = match looks {
            true => self.report(&state, now)?,
            false => None,
        };
        let is_news = is_unannounced || report.is_some();
        Ok(is_news.then_some(Announcement { state, report }))
    }

    /// What is to be reported, if that is not known to be in the list.
    fn report(&mut self, state: &State, now: Timestamp) -> Result<Option<Report>, SqlError> {
        let numbers = self.numbers(state, now);
        let reported = &self.mark.reported;
        if reported.says(&numbers, state.bytes) {
            self.mark.reported.looked_at = Some(now);
            self.mark.reported.is_outdated = false;
            return Ok(None);
        }
        let before = reported.report.as_ref().map(|report| report.at.us());
        let at = before.map_or(now, |us| now.max(Timestamp::from_us(us.saturating_add(1))));
        let bytes = state.bytes;
        let report = Report { numbers, bytes, at };
        self.keep_report(&report, false)?;
        self.mark.reported = Reported {
            report: Some(report.clone()),
            looked_at: Some(now),
            ..Reported::default()
        };
        Ok(Some(report))
    }

    /// The ledger's trouble. An object that has slept has forgotten what was
    /// confirmed meanwhile, and takes it for waiting: so something waits for
    /// too long only if the ledger was awake all the time, or has sent again
    /// without an answer.
    fn numbers(&self, state: &State, now: Timestamp) -> Numbers {
        let long_ago = now.minus_s(PATIENCE_S);
        let was_awake = self.mark.awake_since.is_some_and(|since| since <= long_ago);
        let is_sure = was_awake || self.mark.attempts > 0;
        let oldest = state.oldest_unconfirmed_at;
        let oldest = oldest.filter(|at| is_sure && *at <= long_ago);
        let waiting = |count: u64| oldest.map_or(0, |_| count);
        Numbers {
            pending: waiting(state.pending),
            unconfirmed: waiting(state.unconfirmed),
            dead: state.dead,
            quarantined: state.quarantined,
            oldest_unconfirmed_at: oldest,
        }
    }

    /// Looks whether the list may have something else, as far as can be told
    /// at once.
    pub(super) fn check_report(&mut self, now: Timestamp) -> Result<(), SqlError> {
        if let Some(state) = self.state()? {
            let numbers = self.numbers(&state, now);
            self.mark.reported.is_outdated |= !self.mark.reported.says(&numbers, state.bytes);
        }
        Ok(())
    }

    /// Notes that the list has `report`.
    pub(super) fn reported(&mut self, report: &Report) -> Result<(), SqlError> {
        let last = self.mark.reported.report.as_ref();
        if last == Some(report) && !self.mark.reported.is_known {
            self.keep_report(report, true)?;
            self.mark.reported.is_known = true;
        }
        Ok(())
    }

    /// Makes what was reported be reported again.
    pub(super) fn forget_report(&self) -> Result<(), SqlError> {
        match &self.mark.reported.report {
            Some(report) => self.keep_report(report, false),
            None => Ok(()),
        }
    }

    fn keep_report(&self, report: &Report, is_known: bool) -> Result<(), SqlError> {
        let text = report.to_text(is_known);
        let statement = "UPDATE ledger SET reported = ?1";
        self.sql.execute(statement, &[text.as_str().into()])
    }
}
