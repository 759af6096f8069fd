//! How it stands, for whoever asks.

use super::Connector;
use super::Setups;
use super::owed::State;
use super::walks::{Class, Walk, WalkKey};
use crate::integration::IntegrationId;
use crate::json::{Writer, list};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// How many failures are shown.
const FAILURES_SHOWN: i64 = 20;

impl<S: Sql> Connector<S> {
    /// How it stands, as JSON: with everything, or with what concerns one
    /// integration.
    pub fn state(
        &self,
        of: Option<&IntegrationId>,
        setups: Setups,
        now: Timestamp,
    ) -> Result<String, SqlError> {
        let number = of.map(|of| self.books.integrations.number(of).unwrap_or(0));
        let is_meant = |one: u64| number.is_none_or(|number| number == one);
        let walks = self
            .books
            .walks
            .all
            .iter()
            .filter(|(key, _)| is_meant(key.1));
        let walks = list(walks.map(|(key, walk)| self.walk_json(key, walk, now)));
        Ok(Writer::default()
            .raw("owed", &self.owed_json(&is_meant))
            .raw("pace", &self.pace_json(now))
            .raw("sources", &self.sources_json(of, now))
            .raw("walks", &walks)
            .raw("change_logs", &self.change_logs_json(&is_meant, now))
            .raw("stopped", &self.stopped_json(of, now))
            .raw("unreachable", &unreachable_json(of, setups))
            .raw("failures", &self.failures_json(of)?)
            .end())
    }

    fn owed_json(&self, is_meant: &dyn Fn(u64) -> bool) -> String {
        let (mut counts, mut oldest) = ([0_u64; 4], None);
        let groups = self
            .books
            .debts
            .groups
            .iter()
            .filter(|(key, _)| is_meant(key.0));
        for debt in groups.flat_map(|(_, group)| group.debts.values()) {
            let at = match debt.state {
                State::Waiting => 0,
                State::Synced => 1,
                State::Unfetchable => 2,
                State::Failed => 3,
            };
            if let Some(count) = counts.get_mut(at) {
                *count = count.saturating_add(1);
            }
            if debt.is_open() {
                oldest = super::schedule::sooner(oldest, Some(debt.since));
            }
        }
        let active = |class: Class| {
            let active = self.books.walks.active.keys();
            let active = active.filter(|key| key.0 == class && is_meant(key.1));
            u64::try_from(active.count()).unwrap_or(0)
        };
        let [waiting, synced, unfetchable, failed] = counts;
        let owed = Writer::default()
            .number("records", waiting)
            .number("after_sync", synced)
            .number("unfetchable", unfetchable)
            .number("failed", failed)
            .time_or_null("oldest", oldest);
        let classes = Class::ALL.iter();
        classes
            .fold(owed, |owed, (class, label)| {
                owed.number(&["walks_", label].concat(), active(*class))
            })
            .end()
    }

    fn pace_json(&self, now: Timestamp) -> String {
        let (used, limit, remaining) = self.books.pace.figures();
        Writer::default()
            .number("used", used.into())
            .number("limit", limit.into())
            .number_or_null("remaining", remaining.map(u64::from))
            .number(
                "in_flight",
                u64::try_from(self.books.flights.all.len()).unwrap_or(0),
            )
            .time_or_null("paused_until", self.books.pace.paused_until(now))
            .end()
    }

    fn sources_json(&self, of: Option<&IntegrationId>, now: Timestamp) -> String {
        let sources = self.books.known.sources.iter();
        let sources = sources.filter(|(source, _)| of.is_none_or(|of| of.source == **source));
        list(sources.map(|(source, state)| {
            let until = Some(state.paused_until).filter(|until| *until > now);
            Writer::default()
                .text("source", source)
                .flag("refused", state.is_refused)
                .number("failures", state.failures.into())
                .time_or_null("paused_until", until)
                .text("reason", &state.why)
                .end()
        }))
    }

    fn walk_json(&self, (class, number, model): &WalkKey, walk: &Walk, now: Timestamp) -> String {
        let known = self.books.integrations.0.get(number);
        let integration = known.map_or("", |known| known.of.integration.as_str());
        let due_at = Some(walk.due_at).filter(|at| walk.ended_at.is_none() && *at > now);
        Writer::default()
            .text("integration", integration)
            .text("model", model)
            .text("class", class.label())
            .time_or_null("since", walk.since)
            .time_or_null("began_at", walk.began_at)
            .time_or_null("ended_at", walk.ended_at)
            .number("records", walk.records)
            .number("requests", walk.requests)
            .number("repaired", walk.repaired)
            .number("skipped", walk.skipped)
            .text_or_null("at", walk.cursor.from.as_deref())
            .number("offset", walk.cursor.offset)
            .number("failures", walk.failures.into())
            .time_or_null("due_at", due_at)
            .maybe_text(
                "reason",
                Some(walk.why.as_str()).filter(|why| !why.is_empty()),
            )
            .end()
    }

    fn change_logs_json(&self, is_meant: &dyn Fn(u64) -> bool, now: Timestamp) -> String {
        let logs = self.books.change_logs.0.iter();
        list(
            logs.filter(|(number, _)| is_meant(**number))
                .map(|(number, log)| {
                    let known = self.books.integrations.0.get(number);
                    log.to_json(known.map_or("", |known| known.of.integration.as_str()), now)
                }),
        )
    }

    fn stopped_json(&self, of: Option<&IntegrationId>, now: Timestamp) -> String {
        let models = self.books.known.models.iter();
        let stopped = models.filter(|((source, _), state)| {
            state.stopped_until > now && of.is_none_or(|of| of.source == *source)
        });
        list(stopped.map(|((source, model), state)| {
            Writer::default()
                .text("source", source)
                .text("model", model)
                .text("reason", &state.why)
                .time("until", state.stopped_until)
                .end()
        }))
    }

    fn failures_json(&self, of: Option<&IntegrationId>) -> Result<String, SqlError> {
        if !self.is_made {
            return Ok("[]".to_owned());
        }
        let rows = self.sql.query(
            "SELECT at, source, integration, model, record_id, why FROM failures
             WHERE ?1 IS NULL OR source = ?1 AND integration = ?2
             ORDER BY number DESC LIMIT ?3",
            &[
                of.map(|of| of.source.as_str()).into(),
                of.map(|of| of.integration.as_str()).into(),
                FAILURES_SHOWN.into(),
            ],
        )?;
        let failure = |row: &crate::sql::Row| {
            Ok(Writer::default()
                .time("at", Timestamp::from_us(row.integer(0)?))
                .text("source", row.text(1)?)
                .text("integration", row.text(2)?)
                .text("model", row.text(3)?)
                .text("record_id", row.text(4)?)
                .text("reason", row.text(5)?)
                .end())
        };
        let failures: Result<Vec<String>, SqlError> = rows.iter().map(failure).collect();
        Ok(list(failures?.into_iter()))
    }
}

/// Models that are wanted by name, and can't be asked for.
fn unreachable_json(of: Option<&IntegrationId>, setups: Setups) -> String {
    let Some(api) = of.and_then(|of| setups(&of.source)) else {
        return "[]".to_owned();
    };
    let models = api.kind.unreachable().into_iter();
    let wanted = models.filter(|model| api.hydrates(model) || api.backfills(model));
    list(wanted.map(|model| {
        let reach = api.kind.reach(model);
        Writer::default()
            .text("model", model)
            .text("reason", reach.why_not.unwrap_or_default())
            .end()
    }))
}
