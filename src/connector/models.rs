//! What is known of the sources and their models: what works, and what has
//! stopped.

use super::sorted::Sorted;
use crate::provider::Order;
use crate::sql::{Row, Sql, SqlError};
use crate::time::Timestamp;

/// How often a key that was refused is tried again, in seconds.
const REFUSED_S: u64 = 15 * 60;
/// Longest pause of a source that fails, in seconds.
const PAUSE_S_MAX: u64 = 300;
/// How many records of a model aren't found, and none ever was, until it isn't
/// asked for any more.
const MISSING_MAX: u32 = 20;
/// After how long a model that has stopped is tried again, in seconds.
const STOPPED_S: u64 = 86_400;

/// A source of which something went wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceState {
    pub(super) failures: u32,
    pub(super) paused_until: Timestamp,
    pub(super) is_refused: bool,
    pub(super) why: String,
}

impl SourceState {
    /// True if it is to be tried with one request at a time.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_refused || self.failures > 0
    }

    fn failed(&mut self, why: &str, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        let pause_s = 1_u64.checked_shl(self.failures).unwrap_or(PAUSE_S_MAX);
        self.paused_until = now.plus_s(pause_s.min(PAUSE_S_MAX));
        why.clone_into(&mut self.why);
    }

    fn refused(&mut self, why: &str, now: Timestamp) {
        self.is_refused = true;
        self.paused_until = now.plus_s(REFUSED_S);
        why.clone_into(&mut self.why);
    }
}

/// What a model's list can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Lists {
    /// Nobody has tried.
    #[default]
    Unknown,
    /// It can be limited to what has changed since.
    Since,
    /// It can't, and is ordered by the time of change.
    Ordered,
    /// It isn't even that.
    Plain,
}

impl Lists {
    const ALL: [Self; 4] = [Self::Unknown, Self::Since, Self::Ordered, Self::Plain];

    pub(super) fn number(self) -> i64 {
        let at = Self::ALL.iter().position(|lists| *lists == self);
        at.and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
    }

    pub(super) fn numbered(number: i64) -> Self {
        let lists = usize::try_from(number)
            .ok()
            .and_then(|at| Self::ALL.get(at));
        lists.copied().unwrap_or_default()
    }

    /// The order of a walk through all, or through what has changed since.
    pub(super) fn order(self, is_since: bool) -> Order {
        match self {
            Self::Unknown | Self::Since => Order::Changed,
            Self::Ordered if is_since => Order::ChangedLast,
            Self::Ordered | Self::Plain => Order::Created,
        }
    }
}

/// A model of a source.
#[derive(Debug, Clone, Default)]
pub(super) struct ModelState {
    pub(super) lists: Lists,
    is_found: bool,
    missing: u32,
    pub(super) stopped_until: Timestamp,
    pub(super) why: String,
}

/// All of them.
#[derive(Default)]
pub(super) struct Known {
    pub(super) sources: Sorted<String, SourceState>,
    pub(super) models: Sorted<(String, String), ModelState>,
}

impl Known {
    pub(super) fn load(sql: &impl Sql) -> Result<Self, SqlError> {
        let mut known = Self::default();
        let sources = "SELECT source, failures, paused_until, is_refused, why FROM sources";
        for row in sql.query(sources, &[])? {
            let state = SourceState {
                failures: small(&row, 1)?,
                paused_until: Timestamp::from_us(row.integer(2)?),
                is_refused: row.flag(3)?,
                why: row.text(4)?.to_owned(),
            };
            known.sources.insert(row.text(0)?.to_owned(), state);
        }
        let models =
            "SELECT source, model, lists, is_found, missing, stopped_until, why FROM models";
        for row in sql.query(models, &[])? {
            let state = ModelState {
                lists: Lists::numbered(row.integer(2)?),
                is_found: row.flag(3)?,
                missing: small(&row, 4)?,
                stopped_until: Timestamp::from_us(row.integer(5)?),
                why: row.text(6)?.to_owned(),
            };
            let key = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            known.models.insert(key, state);
        }
        Ok(known)
    }

    pub(super) fn model(&self, source: &str, model: &str) -> ModelState {
        let key = (source.to_owned(), model.to_owned());
        self.models.get(&key).cloned().unwrap_or_default()
    }

    /// The source has answered as it should.
    pub(super) fn works(&mut self, sql: &impl Sql, source: &str) -> Result<(), SqlError> {
        match self.sources.remove(source) {
            Some(_) => sql.execute("DELETE FROM sources WHERE source = ?1", &[source.into()]),
            None => Ok(()),
        }
    }

    /// Someone wants records of `model` at once: what has stopped them is to be
    /// tried again.
    pub(super) fn lift(
        &mut self,
        sql: &impl Sql,
        source: &str,
        model: &str,
    ) -> Result<(), SqlError> {
        self.works(sql, source)?;
        if self.model(source, model).stopped_until == Timestamp::default() {
            return Ok(());
        }
        self.change(sql, source, model, |state| {
            state.stopped_until = Timestamp::default();
            state.missing = 0;
            state.why.clear();
        })
    }

    /// The source could not be asked; it pauses for longer each time.
    pub(super) fn fails(
        &mut self,
        sql: &impl Sql,
        source: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let mut state = self.sources.get(source).cloned().unwrap_or_default();
        state.failed(why, now);
        self.store_source(sql, source, state)
    }

    /// The key of the source was refused, or is missing. True if that is news.
    pub(super) fn refuses(
        &mut self,
        sql: &impl Sql,
        source: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, SqlError> {
        let mut state = self.sources.get(source).cloned().unwrap_or_default();
        let is_news = !state.is_refused || state.why != why;
        state.refused(why, now);
        self.store_source(sql, source, state)?;
        Ok(is_news)
    }

    /// Changes what is known of a model.
    pub(super) fn change(
        &mut self,
        sql: &impl Sql,
        source: &str,
        model: &str,
        change: impl FnOnce(&mut ModelState),
    ) -> Result<(), SqlError> {
        let mut state = self.model(source, model);
        change(&mut state);
        sql.execute(
            "INSERT OR REPLACE INTO models
               (source, model, lists, is_found, missing, stopped_until, why)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            &[
                source.into(),
                model.into(),
                state.lists.number().into(),
                state.is_found.into(),
                u64::from(state.missing).into(),
                state.stopped_until.us().into(),
                state.why.as_str().into(),
            ],
        )?;
        let key = (source.to_owned(), model.to_owned());
        self.models.insert(key, state);
        Ok(())
    }

    /// Something of the model was found.
    pub(super) fn found(
        &mut self,
        sql: &impl Sql,
        source: &str,
        model: &str,
    ) -> Result<(), SqlError> {
        let state = self.model(source, model);
        if state.is_found && state.stopped_until == Timestamp::default() {
            return Ok(());
        }
        self.change(sql, source, model, |state| {
            state.is_found = true;
            state.stopped_until = Timestamp::default();
            state.why.clear();
        })
    }

    /// A record of the model was not found. True if the model stops with it.
    pub(super) fn missed(
        &mut self,
        sql: &impl Sql,
        source: &str,
        model: &str,
        now: Timestamp,
    ) -> Result<bool, SqlError> {
        if self.model(source, model).is_found {
            return Ok(false);
        }
        let mut stops = false;
        self.change(sql, source, model, |state| {
            state.missing = state.missing.saturating_add(1);
            stops = state.missing >= MISSING_MAX;
            if stops {
                state.stopped_until = now.plus_s(STOPPED_S);
                "many were asked for, and none was found".clone_into(&mut state.why);
            }
        })?;
        Ok(stops)
    }

    fn store_source(
        &mut self,
        sql: &impl Sql,
        source: &str,
        state: SourceState,
    ) -> Result<(), SqlError> {
        sql.execute(
            "INSERT OR REPLACE INTO sources (source, failures, paused_until, is_refused, why)
         VALUES (?1, ?2, ?3, ?4, ?5)",
            &[
                source.into(),
                u64::from(state.failures).into(),
                state.paused_until.us().into(),
                state.is_refused.into(),
                state.why.as_str().into(),
            ],
        )?;
        self.sources.insert(source.to_owned(), state);
        Ok(())
    }

    /// The model may not be asked for.
    pub(super) fn forbids(
        &mut self,
        sql: &impl Sql,
        source: &str,
        model: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.change(sql, source, model, |state| {
            state.stopped_until = now.plus_s(STOPPED_S);
            "the key may not ask for it".clone_into(&mut state.why);
        })
    }
}

/// Column `at` as a small number.
pub(super) fn small(row: &Row, at: usize) -> Result<u32, SqlError> {
    Ok(u32::try_from(row.number(at)?).unwrap_or(u32::MAX))
}

/// Column `at` as a time, or NULL.
pub(super) fn maybe_time(row: &Row, at: usize) -> Result<Option<Timestamp>, SqlError> {
    Ok(row.maybe_integer(at)?.map(Timestamp::from_us))
}
