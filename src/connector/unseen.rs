//! The walks for what is gone: after a synchronisation, what it hasn't seen.
//!
//! A list of all that wasn't seen since the synchronisation began is read page by
//! page. What none has seen for long are the candidates; for each property that
//! has some, one more page tells how many of its records were seen. The ledger
//! gets all of it at once, and judges.
//!
//! What is gathered is in memory alone. If that is lost, a page fails or the list
//! moves, the walk begins anew: from a part of a list nothing follows.

use super::flight::{Flight, Merging};
use super::models::Lists;
use super::sorted::Sorted;
use super::walk::{LIMIT, Step};
use super::walks::{Class, Walk, WalkKey};
use super::{Books, Connector, Then};
use crate::ledger::{LastSeen, Marked, SyncEnd, Unseen, UnseenGroup};
use crate::provider::{Order, Page, Query, Row, Seen, written};
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// A day, in seconds.
const DAY_S: u64 = 86_400;
/// When a synchronisation began isn't told. By then it did: so long before its
/// end, in seconds.
const SYNC_S: u64 = DAY_S;
/// Not sooner after the last one a walk begins, in seconds: what is gone has been
/// for days.
const PAUSE_S: u64 = 20 * 3_600;
/// So long a walk may take, in seconds: what it has read first is old by then.
const LONGEST_S: u64 = 6 * 3_600;
/// When it begins anew, in seconds; then after twice as long.
const AGAIN_S: u64 = 10;
/// So often a walk begins before it breaks off.
const TRIES: u32 = 3;
/// More records that weren't seen don't fit into the memory beside all else.
const UNSEEN_MAX: usize = 50_000;

/// Why a model can't tell what is gone.
pub(super) const UNLIMITED: &str = "its list can't be limited by when records were last seen";

/// What a walk has gathered so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// What wasn't seen, by property.
    groups: Vec<UnseenGroup>,
    /// Rows of the list.
    rows: usize,
    /// The list is through, and so are the groups before this one.
    at: Option<usize>,
}

/// Of each walk.
pub(super) type Sightings = Sorted<WalkKey, Gathered>;

impl Gathered {
    fn add(&mut self, property: Option<&str>, item: LastSeen, is_gone: bool) {
        self.rows = self.rows.saturating_add(1);
        let mut groups = self.groups.iter().rev();
        let found = groups.position(|group| group.property.as_deref() == property);
        if found.is_none() {
            self.groups.push(UnseenGroup {
                property: property.map(str::to_owned),
                ..UnseenGroup::default()
            });
        }
        let Some(group) = self.groups.iter_mut().rev().nth(found.unwrap_or(0)) else {
            return;
        };
        if is_gone {
            group.items.push(item);
        } else {
            group.missed = group.missed.saturating_add(1);
        }
    }

    /// Takes a page of the list, up to those rows that were met before.
    fn take(&mut self, rows: &[&Row], walk: &Walk, gone_s: u64) -> Result<(), Failed> {
        let since = walk.since.unwrap_or_default();
        for row in rows.iter().filter(|row| !walk.cursor.has_met(&row.id)) {
            let seen = row.last_seen.as_deref().unwrap_or_default();
            let at = Timestamp::parse(seen).filter(|at| *at <= since);
            let at = at.ok_or(Failed::Ever(UNLIMITED))?;
            let item = LastSeen {
                id: row.id.to_string(),
                last_seen: seen.to_owned(),
            };
            let property = row.property.as_deref();
            self.add(property, item, at <= since.minus_s(gone_s));
        }
        match self.rows > UNSEEN_MAX {
            true => Err(Failed::Ever("more weren't seen than can be gathered")),
            false => Ok(()),
        }
    }

    /// The list is through: only where something may be gone, more is asked.
    fn end(&mut self) {
        self.groups.retain(|group| !group.items.is_empty());
        self.at = Some(0);
    }

    /// Notes how many records of the next group `rows` show as seen, or of all
    /// that are left where a list can't be limited to one.
    fn count(&mut self, rows: &[&Row], since: Option<Timestamp>, is_of_all: bool) {
        let at = self.at.unwrap_or(0);
        let many = if is_of_all { usize::MAX } else { 1 };
        let mut counted = 0_usize;
        for group in self.groups.iter_mut().skip(at).take(many) {
            let is_seen = |row: &&&Row| {
                let at = row.last_seen.as_deref().and_then(Timestamp::parse);
                row.property.as_deref() == group.property.as_deref() && at.is_some() && at >= since
            };
            group.seen = rows.iter().filter(is_seen).count() as u64;
            counted = counted.saturating_add(1);
        }
        self.at = Some(at.saturating_add(counted));
    }

    /// The group of which it is asked what was seen.
    fn group(&self) -> Option<&UnseenGroup> {
        self.groups.get(self.at?)
    }
}

/// Why a page leads nowhere.
enum Failed {
    /// The walk may begin anew.
    Anew(&'static str),
    /// It can't end well.
    Ever(&'static str),
}

impl<S: Sql> Connector<S> {
    /// The ledger has marked what [`Then::Mark`] gave; `None` if it could not.
    /// Returns what is to be done then.
    pub fn marked(
        &mut self,
        ticket: u64,
        marked: Option<&Marked>,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        let Some(mut flight) = self.books.flights.all.remove(&ticket) else {
            return Ok(Then::Done);
        };
        let then = self.commit(now, |sql, books| match marked {
            Some(marked) => books.marked(sql, &flight, marked, now),
            None => books.not_merged(sql, &flight, now),
        })?;
        if let Then::Mark(_) = then {
            flight.asked_at = now;
            self.books.flights.all.insert(ticket, flight);
        }
        Ok(then)
    }
}

impl Books {
    /// After the synchronisation that is told: what it hasn't seen is to be known.
    pub(super) fn look_for_gone(
        &mut self,
        sql: &impl Sql,
        key: WalkKey,
        sync: &SyncEnd,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let epoch = self.integrations.0.get(&key.1).and_then(|it| it.epoch);
        let last = self.walks.all.get(&key);
        let is_soon = last.is_some_and(|last| match last.ended_at {
            Some(at) => at.plus_s(PAUSE_S) > now,
            None => last.began_at.is_some(),
        });
        if is_soon {
            return Ok(());
        }
        self.sightings.remove(&key);
        let walk = Walk {
            began_seq: sync.seq,
            began_epoch: epoch,
            ..Walk::new(Some(sync.at.minus_s(SYNC_S)), now)
        };
        self.walks.put(sql, key, walk)
    }

    /// The page to ask for of a walk, which begins if nothing is gathered.
    pub(super) fn set_out_for_gone(&mut self, key: &WalkKey, now: Timestamp) -> Option<Query> {
        let walk = self.walks.all.get_mut(key)?;
        let since = written(walk.since?);
        if !self.sightings.has(key) {
            let failures = walk.failures;
            walk.began_at = Some(now);
            walk.begin(Lists::Plain);
            walk.failures = failures;
            self.sightings.insert(key.clone(), Gathered::default());
        }
        let gathered = self.sightings.get(key)?;
        Some(match gathered.group() {
            None => Query {
                seen: Some(Seen::Until(since)),
                ..walk.cursor.query(Order::Created, LIMIT)
            },
            Some(group) => Query {
                order: Order::Created,
                changed_from: None,
                seen: Some(Seen::From(since, group.property.clone())),
                offset: 0,
                limit: LIMIT,
            },
        })
    }

    /// Reads a page of such a walk: `rows` are those of its integration.
    pub(super) fn read_unseen(
        &mut self,
        sql: &impl Sql,
        flight: &mut Flight,
        (key, query): (&WalkKey, &Query),
        page: &Page,
        rows: &[&Row],
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        let (Some(mut walk), Some(mut gathered)) =
            (self.walks.all.get(key).cloned(), self.sightings.remove(key))
        else {
            return Ok(Then::Done);
        };
        walk.requests = walk.requests.saturating_add(1);
        let api = &flight.api;
        let is_of_all = !api.kind.reach(&key.2).is_by_property;
        let gone_s = api.gone_after_days.saturating_mul(DAY_S);
        let read = match gathered.group() {
            _ if walk.began_at.is_none_or(|at| at.plus_s(LONGEST_S) < now) => {
                Err(Failed::Anew("it took too long"))
            }
            Some(_) => {
                gathered.count(rows, walk.since, is_of_all);
                Ok(())
            }
            None => gathered
                .take(rows, &walk, gone_s)
                .and_then(|()| go_on(&mut walk, &mut gathered, query, page)),
        };
        match read {
            Ok(()) => {}
            Err(Failed::Anew(why)) => {
                self.begins_anew(sql, key, why, now)?;
                return Ok(Then::Done);
            }
            Err(Failed::Ever(why)) => {
                self.break_off(sql, key, why, now)?;
                return Ok(Then::Done);
            }
        }
        walk.records = gathered.rows as u64;
        walk.due_at = now;
        let is_through = gathered.at.is_some() && gathered.group().is_none();
        let has_any = !gathered.groups.is_empty();
        if is_through && !has_any {
            walk.end("", now);
        }
        self.walks.put(sql, key.clone(), walk)?;
        if !is_through || has_any {
            self.sightings.insert(key.clone(), gathered);
        }
        if !(is_through && has_any) {
            return Ok(Then::Done);
        }
        flight.merging = Some(Merging {
            ids: Vec::new(),
            walk: None,
        });
        Ok(self.to_mark(key).map_or(Then::Done, Then::Mark))
    }

    /// What the ledger is to judge.
    fn to_mark(&self, key: &WalkKey) -> Option<Unseen> {
        let walk = self.walks.all.get(key)?;
        Some(Unseen {
            of: self.integrations.0.get(&key.1)?.of.clone(),
            model: key.2.clone(),
            asked_seq: walk.began_seq,
            epoch: walk.began_epoch,
            groups: self.sightings.get(key)?.groups.clone(),
        })
    }

    fn marked(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        marked: &Marked,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        self.integrations
            .heard(flight.integration, marked.epoch, marked.seq);
        let Some(key) = flight.task.walk().filter(|key| key.0 == Class::Gone) else {
            return Ok(Then::Done);
        };
        let Some(mut walk) = self.walks.all.get(key).cloned() else {
            return Ok(Then::Done);
        };
        walk.repaired = walk.repaired.saturating_add(marked.marked);
        walk.skipped = marked.passed_over;
        if marked.has_more {
            self.walks.put(sql, key.clone(), walk)?;
            return Ok(self.to_mark(key).map_or(Then::Done, Then::Mark));
        }
        self.sightings.remove(key);
        let why = why_not(marked);
        if marked.refused.is_some() {
            self.note(sql, key.1, &key.2, "", &why, now)?;
        }
        walk.end(&why, now);
        self.walks.put(sql, key.clone(), walk)?;
        Ok(Then::Done)
    }

    /// Something of a walk has failed: nothing of what it has gathered counts.
    pub(super) fn begins_anew(
        &mut self,
        sql: &impl Sql,
        key: &WalkKey,
        why: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.sightings.remove(key);
        let Some(mut walk) = self.walks.all.get(key).cloned() else {
            return Ok(());
        };
        walk.failures = walk.failures.saturating_add(1);
        let failures = walk.failures;
        walk.due_at = now.plus_s(u64::from(failures).saturating_mul(AGAIN_S));
        self.walks.put(sql, key.clone(), walk)?;
        if failures < TRIES {
            return Ok(());
        }
        self.break_off(sql, key, why, now)
    }
}

/// Goes on behind a page of the list.
fn go_on(
    walk: &mut Walk,
    gathered: &mut Gathered,
    query: &Query,
    page: &Page,
) -> Result<(), Failed> {
    match walk.cursor.step(query, page, None) {
        Step::Next(cursor) if cursor.offset > walk.cursor.offset => walk.cursor = cursor,
        Step::End(_) => gathered.end(),
        // What stood before was seen meanwhile.
        _ => return Err(Failed::Anew("its list moves")),
    }
    Ok(())
}

/// What has been left as it was, and why; empty if nothing.
fn why_not(marked: &Marked) -> String {
    if let Some([would_go, of]) = marked.refused {
        return format!("{would_go} of {of} records would go at once: none is marked");
    }
    if marked.passed_over == 0 {
        return String::new();
    }
    let records = marked.passed_over;
    let of = marked.properties.join(", ");
    format!("{records} records stay, for most of their property weren't seen either: {of}")
}
