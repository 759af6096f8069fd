//! What the list of integrations is known to have of a ledger: its last number,
//! its trouble and its size.
//!
//! The alarm finds what is new, about once a minute; a ledger that never had any
//! trouble, and is small, reports nothing and writes nothing. A report is stored
//! before it is sent, and again when it has arrived: one that may have arrived,
//! or may arrive late, is followed by another, of a later time, until the list is
//! known to have what is. The list refuses what is older than what it has.

use super::outbox::state::PATIENCE_S;
use super::{Announcement, Ledger, Numbers, Report, State};
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

/// What the list has, and what is known of that.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    /// The last number that the list is known to have.
    announced_seq: u64,
    /// It was asked for since the ledger was opened.
    asked_to_announce: bool,
    /// The last report.
    report: Option<Report>,
    /// The list has it.
    is_known: bool,
    /// What is dead or quarantined, or the size, may have changed since.
    is_outdated: bool,
    /// When the ledger looked last.
    looked_at: Option<Timestamp>,
    /// Since when the ledger has been open.
    awake_since: Option<Timestamp>,
}

impl Health {
    /// As the tables have it: the last report, if there was one.
    pub fn load(text: Option<&str>) -> Result<Self, SqlError> {
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

    /// Notes that the ledger is open `now`.
    pub fn awake(&mut self, now: Timestamp) {
        self.awake_since.get_or_insert(now);
    }

    /// The ledger has been open since `then`, or longer.
    fn was_awake(&self, then: Timestamp) -> bool {
        self.awake_since.is_some_and(|since| since <= then)
    }

    /// Notes that what is to be reported may have changed.
    pub fn outdate(&mut self) {
        self.is_outdated = true;
    }

    /// Notes that the list has the ledger up to `seq`.
    pub fn announced(&mut self, seq: u64) {
        self.announced_seq = self.announced_seq.max(seq);
    }

    /// The list has the ledger up to `last_seq`.
    pub fn is_announced(&self, last_seq: u64) -> bool {
        self.announced_seq >= last_seq
    }

    /// True where the list may not know the ledger at all, and was not asked to
    /// take it since the ledger was opened.
    pub fn is_unheard_of(&self) -> bool {
        !self.asked_to_announce && self.announced_seq == 0
    }

    /// Notes that the list was asked to take the ledger.
    pub fn asked_to_announce(&mut self) {
        self.asked_to_announce = true;
    }

    /// Notes that the list has lost all it had of the ledger.
    pub fn forget(&mut self) {
        self.announced_seq = 0;
        self.is_known = false;
    }

    /// The list may have something else than what is, of a ledger with numbers
    /// up to `last_seq`.
    pub fn waits(&self, last_seq: u64) -> bool {
        let is_unknown = self.report.is_some() && !self.is_known;
        !self.is_announced(last_seq) || self.is_outdated || is_unknown || self.says_waiting()
    }

    /// According to the list, something is waiting.
    pub fn says_waiting(&self) -> bool {
        let report = self.report.as_ref();
        report.is_some_and(|report| report.numbers.oldest_unconfirmed_at.is_some())
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

    /// It is time to look for something to report.
    fn is_to_look(&self, now: Timestamp) -> bool {
        let recently = |at: Timestamp| (at..at.plus_s(LOOK_S)).contains(&now);
        !self.looked_at.is_some_and(recently)
    }

    /// Notes that the list has what is, as of `now`.
    fn looked(&mut self, now: Timestamp) {
        self.looked_at = Some(now);
        self.is_outdated = false;
    }

    /// When the next report was found, if that is `now`: later than the one
    /// before.
    fn next_at(&self, now: Timestamp) -> Timestamp {
        let before = self.report.as_ref().map(|report| report.at.us());
        before.map_or(now, |us| now.max(Timestamp::from_us(us.saturating_add(1))))
    }

    /// Notes that the tables have `report`, and the list is to get it.
    fn reports(&mut self, report: Report, now: Timestamp) {
        self.report = Some(report);
        self.is_known = false;
        self.looked(now);
    }

    /// `report` is the last one, and the list isn't known to have it.
    fn awaits(&self, report: &Report) -> bool {
        self.report.as_ref() == Some(report) && !self.is_known
    }
}

impl<S: Sql> Ledger<S> {
    /// What to tell the list of integrations when the alarm goes off, if
    /// anything.
    pub(super) fn news(&mut self, now: Timestamp) -> Result<Option<Announcement>, SqlError> {
        let looks = self.health.is_to_look(now);
        let is_unannounced = !self.health.is_announced(self.sequence.last());
        // Or the next look might be a day away.
        if !looks && !self.health.says_size(self.log.sql.size()?) {
            self.health.outdate();
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
        if self.health.says(&numbers, state.bytes) {
            self.health.looked(now);
            return Ok(None);
        }
        let report = Report {
            numbers,
            bytes: state.bytes,
            at: self.health.next_at(now),
        };
        self.store_report(&report, false)?;
        self.health.reports(report.clone(), now);
        Ok(Some(report))
    }

    /// The ledger's trouble. An object that has slept has forgotten what was
    /// confirmed meanwhile, and takes it for waiting: so something waits for
    /// too long only if the ledger was awake all the time, or has sent again
    /// without an answer.
    fn numbers(&self, state: &State, now: Timestamp) -> Numbers {
        let long_ago = now.minus_s(PATIENCE_S);
        let is_sure = self.health.was_awake(long_ago) || self.outbox.attempts() > 0;
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
        if let Some(state) = self.state()?
            && !self.health.says(&self.numbers(&state, now), state.bytes)
        {
            self.health.outdate();
        }
        Ok(())
    }

    /// Notes that the list has `report`.
    pub(super) fn reported(&mut self, report: &Report) -> Result<(), SqlError> {
        if self.health.awaits(report) {
            self.store_report(report, true)?;
            self.health.is_known = true;
        }
        Ok(())
    }

    /// Makes what was reported be reported again.
    pub(super) fn forget_report(&self) -> Result<(), SqlError> {
        match &self.health.report {
            Some(report) => self.store_report(report, false),
            None => Ok(()),
        }
    }

    fn store_report(&self, report: &Report, is_known: bool) -> Result<(), SqlError> {
        let text = report.to_text(is_known);
        let statement = "UPDATE ledger SET reported = ?1";
        self.log.sql.execute(statement, &[text.as_str().into()])
    }
}
