//! A provider's log of changes beside the events that came: of which changes
//! did no webhook tell?
//!
//! Only webhooks count as telling. What was asked for may have repaired a record
//! long before; its webhook was lost all the same. And only what was surely sent
//! counts as lost: of a model that has brought such events before, by a job, by
//! no synchronisation that goes by in silence, to a filter that lets it through.

use super::log::Log;
use super::log::kept::Kept;
use super::log::segments::QUARANTINED;
use super::{Changes, Compared, Ledger, Owed, SeqRange, Setup, Verdict};
use crate::dialect::event::{Change, Content, Event, Kind, RecordKey, Subject};
use crate::dialect::{Dialect, Meaning};
use crate::json::{Object, Value, same};
use crate::provider::{Api, Logged, Reach};
use crate::record::merge::{LAST_SEEN, UPDATED_AT};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// Two clocks may differ by so much, in seconds.
const SKEW_S: u64 = 600;
/// How many events of a record are gone back through.
const STEPS_MAX: usize = 256;
/// In how many events before a change one of its model is looked for.
const BROUGHT_MAX: u64 = 20_000;
/// How many ends of synchronisations are looked at, and quarantined events.
const SYNCS_MAX: usize = 64;
const QUARANTINED_MAX: u64 = 100;

/// Ends of synchronisations.
const ENDS_SYNC: &str = "AND kind IN ('sync.completed', 'sync.first_completed')
     AND quarantine IS NULL AND coalesce(ignored, '') NOT LIKE 'discarded:%'";

/// An event about a record that a webhook brought.
struct Heard {
    is_new: bool,
    job: Option<String>,
    /// What it says the record is, JSON.
    values: String,
    /// It is the one of a change.
    is_used: bool,
}

/// Those about one record, and whether these are all.
struct OfRecord {
    model: String,
    id: String,
    heard: Vec<Heard>,
    is_all: bool,
}

/// What is looked up for a page of changes, each once.
struct Comparison<'a, S> {
    log: &'a Log<S>,
    last_seq: u64,
    dialect: &'a dyn Dialect,
    setup: &'a Setup,
    api: &'a Api,
    /// Events before this time are those of earlier changes.
    since: Timestamp,
    records: Vec<OfRecord>,
    /// Models that have brought such an event before, or haven't.
    brought: Vec<(String, bool, bool)>,
    /// When synchronisations ended, and whether they were silent.
    syncs: Option<Vec<(Timestamp, bool)>>,
    quarantined: Option<Vec<String>>,
    owed: Owed,
}

impl<S: Sql> Ledger<S> {
    /// Compares a page of the provider's log with the events that came. Nothing
    /// is written.
    pub(in crate::ledger) fn compare(
        &self,
        read: &Changes,
        setup: &Setup,
    ) -> Result<Compared, SqlError> {
        let unusable = || SqlError("no such source, or no API of it".to_owned());
        let dialect = setup.dialect.ok_or_else(unusable)?;
        let api = setup.api.as_deref().ok_or_else(unusable)?;
        let first = read.changes.iter().map(|change| change.at).min();
        let mut comparison = Comparison {
            log: &self.log,
            last_seq: self.sequence.last(),
            dialect,
            setup,
            api,
            since: first.unwrap_or_default().minus_s(SKEW_S),
            records: Vec::new(),
            brought: Vec::new(),
            syncs: None,
            quarantined: None,
            owed: Owed::default(),
        };
        let verdicts = read.changes.iter().map(|change| comparison.judge(change));
        let verdicts = verdicts.collect::<Result<_, _>>()?;
        Ok(Compared {
            seq: self.sequence.last(),
            epoch: self.epoch,
            verdicts,
            owed: comparison.owed.records,
        })
    }
}

impl<S: Sql> Comparison<'_, S> {
    fn judge(&mut self, change: &Logged) -> Result<Verdict, SqlError> {
        let key = RecordKey {
            model: &change.model,
            id: &change.id,
        };
        let stored = self.log.stored_record(key)?;
        let known = stored
            .as_ref()
            .and_then(|stored| Object::parse(&stored.known.fields));
        let values = change.values.as_deref().and_then(Object::parse);
        if self.is_left_out(change, values.as_ref(), known.as_ref()) {
            return Ok(Verdict::Ignored);
        }
        let last_seq = stored.as_ref().map(|stored| stored.last_seq);
        let at = self.of_record(key, last_seq)?;
        let Some(of) = self.records.get_mut(at) else {
            return Ok(Verdict::Known);
        };
        if of.take(change, values.as_ref()) {
            return Ok(Verdict::Known);
        }
        let is_all = of.is_all;
        let reach = self.api.kind.reach(&change.model);
        self.owe(change, &reach, values.as_ref(), known.as_ref());
        // A part may be called otherwise by its webhook.
        let is_sure = is_all && reach.has_list && values.is_some() && change.job.is_some();
        let is_lost = is_sure
            && self.has_brought(change)?
            && !self.is_silent(change.at)?
            && !self.is_quarantined(change)?;
        Ok(match is_lost {
            true => Verdict::Lost,
            false => Verdict::Untold,
        })
    }

    /// True if no webhook was to tell of it, or its owner doesn't want to hear it.
    fn is_left_out(
        &self,
        change: &Logged,
        values: Option<&Object>,
        known: Option<&Object>,
    ) -> bool {
        let is_seen = |name: &str| [LAST_SEEN, UPDATED_AT].contains(&name);
        let mut names = values.into_iter().flat_map(Object::iter);
        if values.is_some() && !change.is_new && names.all(|(name, _)| is_seen(name)) {
            return true;
        }
        let new = values.cloned().unwrap_or_default();
        let [created, updated] = self.dialect.names();
        let (kind, name, content) = match change.is_new {
            true => (Kind::RecordCreated, created, Change::Sparse(new)),
            false => (
                Kind::RecordUpdated,
                updated,
                Change::Diff {
                    previous: Object::default(),
                    new,
                    rest: Object::default(),
                },
            ),
        };
        let subject = Subject {
            model: change.model.clone(),
            record_id: change.id.as_str().into(),
        };
        let event = Event {
            kind,
            name: Some(name.into()),
            occurred_at: None,
            property: None,
            content: Content::Record(subject, content),
        };
        let ignored = self.setup.filter.ignores(&event, || known.cloned());
        ignored.is_some()
    }

    /// Where the events about a record stand, of which `last_seq` is the last.
    fn of_record(&mut self, key: RecordKey, last_seq: Option<u64>) -> Result<usize, SqlError> {
        let is = |of: &OfRecord| of.model == key.model && of.id == key.id;
        if let Some(at) = self.records.iter().position(is) {
            return Ok(at);
        }
        let (heard, is_all) = self.heard(last_seq)?;
        self.records.push(OfRecord {
            model: key.model.to_owned(),
            id: key.id.to_owned(),
            heard,
            is_all,
        });
        Ok(self.records.len().saturating_sub(1))
    }

    /// The events that webhooks brought, back from `last_seq`, and whether these
    /// are all since the first change.
    fn heard(&self, last_seq: Option<u64>) -> Result<(Vec<Heard>, bool), SqlError> {
        let columns = format!("{}, prev_seq, received_at", Kept::COLUMNS);
        let (mut heard, mut is_all, mut next) = (Vec::new(), true, last_seq);
        for _ in 0..STEPS_MAX {
            let Some(seq) = next else {
                return Ok((heard, is_all));
            };
            let Some(row) = self.log.one(&columns, seq)? else {
                return Ok((heard, false));
            };
            let received_at = Timestamp::from_us(row.integer(5)?);
            if received_at < self.since {
                return Ok((heard, is_all));
            }
            let kept = Kept::of(&row)?;
            if kept.asked_seq().is_none() {
                let event = self.heard_one(&kept, received_at);
                is_all &= event.is_some();
                heard.extend(event);
            }
            next = row.maybe_number(4)?.filter(|prev| *prev < seq);
        }
        Ok((heard, false))
    }

    /// One of them; `None` if it can't be read any more.
    fn heard_one(&self, kept: &Kept, now: Timestamp) -> Option<Heard> {
        let reading = kept.read(self.dialect, now);
        let Meaning::Event(event) = &reading.meaning else {
            return None;
        };
        let Content::Record(_, change) = &event.content else {
            return None;
        };
        let values = match change {
            Change::Diff { new, rest, .. } => {
                let mut values = new.clone();
                rest.iter()
                    .for_each(|(name, value)| values.set(name, value));
                values
            }
            Change::Sparse(fields) | Change::Read(fields) | Change::Whole { fields, .. } => {
                fields.clone()
            }
            Change::Gone(_) => return None,
        };
        Some(Heard {
            is_new: event.kind == Kind::RecordCreated,
            job: self.job(kept.body),
            values: values.to_json(),
            is_used: false,
        })
    }

    fn job(&self, body: &[u8]) -> Option<String> {
        let body = Object::parse(std::str::from_utf8(body).ok()?)?;
        self.dialect.job(&body).map(Into::into)
    }

    /// Notes that records are to be asked for, unless what is known is as the
    /// change left it.
    fn owe(
        &mut self,
        change: &Logged,
        reach: &Reach,
        values: Option<&Object>,
        known: Option<&Object>,
    ) {
        let is_as_left = match (values, known) {
            (Some(values), Some(known)) => {
                let own = |name: &str, value: &Value| {
                    known.value(name).is_some_and(|own| same(own, value))
                };
                told_fields(values).all(|(name, value)| own(name, value))
            }
            _ => false,
        };
        if is_as_left {
            return;
        }
        let wants = |model: &str| self.api.hydrates(model) || self.api.backfills(model);
        if reach.has_item && (known.is_some() || wants(&change.model)) {
            let key = RecordKey {
                model: &change.model,
                id: &change.id,
            };
            self.owed.add(key, change.at);
        }
        for parent in reach.parents.iter().filter(|parent| wants(parent.model)) {
            let id = |fields: Option<&Object>| {
                let id = fields.and_then(|fields| fields.id(parent.field));
                id.map(|id| id.into_owned())
            };
            if let Some(id) = id(known).or_else(|| id(values)) {
                let key = RecordKey {
                    model: parent.model,
                    id: &id,
                };
                self.owed.add(key, change.at);
            }
        }
    }

    /// True if a webhook, with a job, has told of such a change of the model
    /// before. Else nobody may have asked for them.
    fn has_brought(&mut self, change: &Logged) -> Result<bool, SqlError> {
        let known = self
            .brought
            .iter()
            .find(|(model, is_new, _)| *model == change.model && *is_new == change.is_new);
        if let Some((.., has_brought)) = known {
            return Ok(*has_brought);
        }
        let before = self.seq_since(change.at)?.saturating_sub(1);
        let range = SeqRange::new(before.saturating_sub(BROUGHT_MAX), before);
        let kind = match change.is_new {
            true => Kind::RecordCreated,
            false => Kind::RecordUpdated,
        };
        let body = self.log.last_body(&change.model, kind, range)?;
        let has_brought = body.is_some_and(|body| self.job(&body).is_some());
        self.brought
            .push((change.model.clone(), change.is_new, has_brought));
        Ok(has_brought)
    }

    /// True if the synchronisation of that time was one that goes by in silence:
    /// the next one that ended was.
    fn is_silent(&mut self, at: Timestamp) -> Result<bool, SqlError> {
        if self.syncs.is_none() {
            self.syncs = Some(self.sync_ends()?);
        }
        let mut ends = self.syncs.iter().flatten();
        let next = ends.find(|(ended_at, _)| *ended_at >= at);
        Ok(next.is_some_and(|(_, is_whole)| *is_whole))
    }

    fn sync_ends(&self) -> Result<Vec<(Timestamp, bool)>, SqlError> {
        let mut ends = Vec::new();
        let mut next = self.seq_since(self.since)?;
        while ends.len() < SYNCS_MAX {
            let range = SeqRange::new(next, self.last_seq);
            let rows = self.log.scan("seq, received_at", ENDS_SYNC, range, 1)?;
            let Some(row) = rows.first() else {
                break;
            };
            let (seq, at) = (row.number(0)?, Timestamp::from_us(row.integer(1)?));
            let end = self.log.sync_end(self.dialect, seq, at)?;
            ends.extend(
                end.filter(|end| end.is_finished)
                    .map(|end| (at, end.is_whole)),
            );
            next = seq.saturating_add(1);
        }
        Ok(ends)
    }

    /// True if an event that names the record came and wasn't understood.
    fn is_quarantined(&mut self, change: &Logged) -> Result<bool, SqlError> {
        if self.quarantined.is_none() {
            let range = SeqRange::new(self.seq_since(self.since)?, self.last_seq);
            let rows = self.log.scan("body", QUARANTINED, range, QUARANTINED_MAX)?;
            let text = |row: &crate::sql::Row| {
                let body = row.blob(0)?;
                Ok(String::from_utf8_lossy(body).into_owned())
            };
            self.quarantined = Some(rows.iter().map(text).collect::<Result<_, SqlError>>()?);
        }
        let mut bodies = self.quarantined.iter().flatten();
        Ok(bodies.any(|body| body.contains(&change.id)))
    }

    /// The number of the first event that was received at that time or later.
    fn seq_since(&self, time: Timestamp) -> Result<u64, SqlError> {
        let mut low = self.log.segments.kept_from();
        let mut high = self.last_seq.saturating_add(1);
        while low < high {
            let middle = low.midpoint(high);
            let row = self.log.one("received_at", middle)?;
            let is_later = match row {
                Some(row) => row.integer(0)? >= time.us(),
                None => false,
            };
            if is_later {
                high = middle;
            } else {
                low = middle.saturating_add(1);
            }
        }
        Ok(low)
    }
}

impl OfRecord {
    /// Finds the event of a change, which no other change may have: by its job,
    /// or where one of them states none, by what it says. True if there is one.
    fn take(&mut self, change: &Logged, values: Option<&Object>) -> bool {
        let free = |heard: &Heard| !heard.is_used && heard.is_new == change.is_new;
        let by_job =
            |heard: &&mut Heard| free(heard) && heard.job.is_some() && heard.job == change.job;
        let by_values = |heard: &&mut Heard| {
            let is_blind = heard.job.is_none() || change.job.is_none();
            free(heard) && is_blind && values.is_some_and(|values| heard.says(values))
        };
        let at = match self.heard.iter_mut().find(by_job) {
            Some(heard) => Some(heard),
            None => self.heard.iter_mut().find(by_values),
        };
        at.map(|heard| heard.is_used = true).is_some()
    }
}

impl Heard {
    /// True if it says the same of all fields that both have, and there is one.
    fn says(&self, values: &Object) -> bool {
        let Some(own) = Object::parse(&self.values) else {
            return false;
        };
        let both = told_fields(values).filter_map(|(name, value)| {
            let own = own.value(name)?;
            Some(same(own, value))
        });
        let both: Vec<bool> = both.collect();
        !both.is_empty() && both.iter().all(|is_same| *is_same)
    }
}

/// The fields of a record that a change is about.
fn told_fields<'o>(values: &'o Object<'_>) -> impl Iterator<Item = (&'o str, &'o Value)> {
    let fields = values.iter();
    fields.filter(|(name, _)| ![LAST_SEEN, UPDATED_AT].contains(name))
}

impl<S: Sql> Log<S> {
    /// The body of the last event of a kind in `range` about a record of `model`.
    /// What was asked for is of another kind than webhooks.
    fn last_body(
        &self,
        model: &str,
        kind: Kind,
        range: SeqRange,
    ) -> Result<Option<Vec<u8>>, SqlError> {
        let parts: Vec<_> = self.segments.within(range).collect();
        for (segment, part) in parts.into_iter().rev() {
            let statement = format!(
                "SELECT body FROM {} WHERE seq BETWEEN ?1 AND ?2 AND model = ?3 AND kind = ?4
                   AND quarantine IS NULL
                 ORDER BY seq DESC LIMIT 1",
                segment.table()
            );
            let params = [
                part.first.into(),
                part.last.into(),
                Param::Text(model),
                Param::Text(kind.name()),
            ];
            if let Some(row) = self.sql.query(&statement, &params)?.first() {
                return Ok(Some(row.blob(0)?.to_vec()));
            }
        }
        Ok(None)
    }
}
