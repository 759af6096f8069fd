//! How far each integration's log of changes was compared with what webhooks
//! told, and what they have lost.
//!
//! The provider's log is read a stretch at a time, which lies so far back that
//! no webhook of it is on its way any more, and nothing comes into it: so its
//! pages stay where they are. What a stretch has lost counts when all its pages
//! are through, and no sooner: one that breaks off is read again.

use super::models::{maybe_time, small};
use super::sorted::Sorted;
use super::walk::LIMIT;
use crate::json::{self, Writer, list};
use crate::ledger::{Compared, Verdict};
use crate::provider::{Logged, Stretch};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// After so long no webhook is tried again, in seconds: eleven tries take two
/// hours and a half.
const FINAL_S: u64 = 3 * 3_600;
/// How far a stretch reaches back into the one before, in seconds: what was
/// stamped early may be there late.
const OVERLAP_S: u64 = 600;
/// A shorter stretch waits for more.
const SHORTEST_S: u64 = 3_600;
/// A provider whose synchronisations are silent for longer has lost their ends,
/// too.
const SYNC_S_MAX: u64 = 27 * 3_600;
/// The provider keeps 30 days of it. Where they end, pages don't stay.
const KEPT_S: u64 = 29 * 86_400;
/// When to try again a log that can't be had.
const STOPPED_S: u64 = 86_400;
/// After so many failures of a page it waits for the next time.
const FAILURES_MAX: u32 = 8;
/// Longest pause between two of them, in seconds.
const PAUSE_S_MAX: u64 = 600;
/// How many lost webhooks are shown.
const EXAMPLES_MAX: usize = 5;

/// The log of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangeLog {
    /// All before this time has been compared.
    pub(super) read_until: Timestamp,
    /// The stretch that is being read, which ends here.
    before: Option<Timestamp>,
    offset: u64,
    /// When the next page is to be read; `None` if none is.
    pub(super) due_at: Option<Timestamp>,
    failures: u32,
    stopped_until: Timestamp,
    /// Why it can't be read.
    why: String,
    /// The end of the last synchronisation.
    synced_at: Timestamp,
    /// Webhooks that were lost: ever, in the last stretch, in the present one.
    pub(super) lost: u64,
    last_lost: u64,
    now_lost: u64,
    compared_at: Option<Timestamp>,
    /// The last ones that were lost, JSON each: counted, and of the present
    /// stretch.
    examples: Vec<String>,
    now_examples: Vec<String>,
}

impl ChangeLog {
    fn new(since: Timestamp) -> Self {
        Self {
            read_until: since,
            before: None,
            offset: 0,
            due_at: None,
            failures: 0,
            stopped_until: Timestamp::default(),
            why: String::new(),
            synced_at: Timestamp::default(),
            lost: 0,
            last_lost: 0,
            now_lost: 0,
            compared_at: None,
            examples: Vec::new(),
            now_examples: Vec::new(),
        }
    }

    /// Begins a stretch, if there is one to read and none is begun.
    fn want(&mut self, now: Timestamp) {
        if self.stopped_until > now {
            return;
        }
        if self.before.is_none() {
            let sure = now.minus_s(FINAL_S);
            // Of one that goes on, nobody knows yet whether it is silent.
            let is_heard = self.synced_at > now.minus_s(SYNC_S_MAX);
            let before = if is_heard {
                sure.min(self.synced_at)
            } else {
                sure
            };
            if before < self.read_until.plus_s(SHORTEST_S) {
                return;
            }
            self.read_until = self.read_until.max(now.minus_s(KEPT_S));
            self.before = Some(before);
        }
        self.due_at = self.due_at.or(Some(now));
        self.failures = 0;
    }

    /// The page to ask for.
    pub(super) fn page(&self) -> Stretch {
        Stretch {
            after: self.read_until.minus_s(OVERLAP_S),
            before: self.before.unwrap_or(self.read_until),
            offset: self.offset,
            limit: LIMIT.checked_shr(self.failures).unwrap_or(0).max(1),
        }
    }

    /// It could not be read; it is tried again, for a while.
    pub(super) fn fails(&mut self, why: &str, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        why.clone_into(&mut self.why);
        let pause_s = 2_u64.checked_shl(self.failures).unwrap_or(PAUSE_S_MAX);
        let at = now.plus_s(pause_s.min(PAUSE_S_MAX));
        self.due_at = Some(at).filter(|_| self.failures < FAILURES_MAX);
    }

    /// It can't be had, and is asked for again in a day.
    pub(super) fn stops(&mut self, why: &str, now: Timestamp) {
        self.stopped_until = now.plus_s(STOPPED_S);
        self.due_at = None;
        why.clone_into(&mut self.why);
    }

    /// The same page is to be read once more.
    pub(super) fn again_at(&mut self, at: Timestamp) {
        self.due_at = Some(at);
    }

    /// A page was compared: its changes, how many rows it had, and whether it was the
    /// last one. Returns how many the stretch has lost, if it is through with it.
    pub(super) fn compared(
        &mut self,
        page: (&[Logged], u64, bool),
        compared: &Compared,
        now: Timestamp,
    ) -> Option<u64> {
        let (changes, rows, is_last) = page;
        for (change, verdict) in changes.iter().zip(&compared.verdicts) {
            // The overlap was counted before.
            if *verdict == Verdict::Lost && change.at > self.read_until {
                self.now_lost = self.now_lost.saturating_add(1);
                push_last(&mut self.now_examples, example(change));
            }
        }
        self.offset = self.offset.saturating_add(rows);
        (self.failures, self.due_at) = (0, Some(now));
        self.why.clear();
        if !is_last {
            return None;
        }
        let lost = std::mem::take(&mut self.now_lost);
        self.lost = self.lost.saturating_add(lost);
        self.last_lost = lost;
        for example in std::mem::take(&mut self.now_examples) {
            push_last(&mut self.examples, example);
        }
        self.read_until = self.before.take().unwrap_or(self.read_until);
        (self.offset, self.due_at, self.compared_at) = (0, None, Some(now));
        Some(lost)
    }

    /// How it stands, JSON.
    pub(super) fn to_json(&self, integration: &str, now: Timestamp) -> String {
        let stopped = Some(self.stopped_until).filter(|until| *until > now);
        Writer::default()
            .text("integration", integration)
            .number("lost", self.lost)
            .number("last_lost", self.last_lost)
            .time_or_null("compared_at", self.compared_at)
            .time("read_until", self.read_until)
            .time_or_null("reading_until", self.before)
            .number("failures", self.failures.into())
            .time_or_null("due_at", self.due_at.filter(|at| *at > now))
            .time_or_null("stopped_until", stopped)
            .maybe_text(
                "reason",
                Some(self.why.as_str()).filter(|why| !why.is_empty()),
            )
            .list("examples", &self.examples)
            .end()
    }
}

/// A webhook that was lost, JSON.
fn example(change: &Logged) -> String {
    Writer::default()
        .text("model", &change.model)
        .text("record_id", &change.id)
        .text(
            "kind",
            if change.is_new {
                "record.created"
            } else {
                "record.updated"
            },
        )
        .time("at", change.at)
        .text_or_null("job_id", change.job.as_deref())
        .end()
}

fn push_last(examples: &mut Vec<String>, example: String) {
    if examples.len() >= EXAMPLES_MAX {
        examples.remove(0);
    }
    examples.push(example);
}

/// All of them, by the integration's number.
#[derive(Debug, Default)]
pub(super) struct ChangeLogs(pub(super) Sorted<u64, ChangeLog>);

impl ChangeLogs {
    pub(super) fn load(sql: &impl Sql) -> Result<Self, SqlError> {
        let all =
            "SELECT integration, read_until, before, \"offset\", due_at, failures, stopped_until,
                          why, synced_at, lost, last_lost, now_lost, compared_at, examples,
                          now_examples FROM change_logs";
        let mut logs = Self::default();
        for row in sql.query(all, &[])? {
            let time = |at| row.integer(at).map(Timestamp::from_us);
            let examples = |at| {
                let all = json::items(row.text(at)?).unwrap_or_default().into_iter();
                Ok::<_, SqlError>(all.map(|one| one.get().to_owned()).collect())
            };
            let log = ChangeLog {
                read_until: time(1)?,
                before: maybe_time(&row, 2)?,
                offset: row.number(3)?,
                due_at: maybe_time(&row, 4)?,
                failures: small(&row, 5)?,
                stopped_until: time(6)?,
                why: row.text(7)?.to_owned(),
                synced_at: time(8)?,
                lost: row.number(9)?,
                last_lost: row.number(10)?,
                now_lost: row.number(11)?,
                compared_at: maybe_time(&row, 12)?,
                examples: examples(13)?,
                now_examples: examples(14)?,
            };
            logs.0.insert(row.number(0)?, log);
        }
        Ok(logs)
    }

    /// Stores one as it is now.
    pub(super) fn put(
        &mut self,
        sql: &impl Sql,
        integration: u64,
        log: ChangeLog,
    ) -> Result<(), SqlError> {
        if self.0.get(&integration) == Some(&log) {
            return Ok(());
        }
        let us = |time: Option<Timestamp>| time.map(Timestamp::us).into();
        let texts = |all: &[String]| list(all.iter().map(String::as_str));
        let (examples, now_examples) = (texts(&log.examples), texts(&log.now_examples));
        sql.execute(
            "INSERT OR REPLACE INTO change_logs
               (integration, read_until, before, \"offset\", due_at, failures, stopped_until, why,
                synced_at, lost, last_lost, now_lost, compared_at, examples, now_examples)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            &[
                integration.into(),
                log.read_until.us().into(),
                us(log.before),
                log.offset.into(),
                us(log.due_at),
                u64::from(log.failures).into(),
                log.stopped_until.us().into(),
                log.why.as_str().into(),
                log.synced_at.us().into(),
                log.lost.into(),
                log.last_lost.into(),
                log.now_lost.into(),
                us(log.compared_at),
                examples.as_str().into(),
                now_examples.as_str().into(),
            ],
        )?;
        self.0.insert(integration, log);
        Ok(())
    }

    /// Wants what has come to the log of an integration that is known since then.
    /// A synchronisation of it may have ended.
    pub(super) fn want(
        &mut self,
        sql: &impl Sql,
        integration: u64,
        known_at: Timestamp,
        synced_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let known = self.0.get(&integration).cloned();
        let mut log = known.unwrap_or_else(|| ChangeLog::new(known_at));
        log.synced_at = log.synced_at.max(synced_at.unwrap_or_default());
        log.want(now);
        self.put(sql, integration, log)
    }
}
