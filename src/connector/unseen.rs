//! The walks for what is gone: after a synchronisation, what it hasn't seen.
//!
//! A list of all that wasn't seen since the synchronisation began is read page by
//! page. What none has seen for long are the candidates; for each property that
//! has some, one more page tells how many of its records were seen. The ledger
//! gets all of it at once, and judges.
//!
//! What is gathered is in memory alone, of one walk at a time. If that is lost, a
//! page fails or the list moves, the walk begins anew: from a part of a list
//! nothing follows.

use super::flight::{Flight, Pending};
use super::models::Lists;
use super::walk::{LIMIT, Step};
use super::walks::{Walk, WalkKey};
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
/// A walk that has come no further for so long makes room for another, in seconds.
const IDLE_S: u64 = 600;
/// More records that weren't seen don't fit into the memory beside all else.
const UNSEEN_MAX: usize = 50_000;

/// Why a model can't tell what is gone.
pub(super) const UNLIMITED: &str = "its list can't be limited by when records were last seen";

/// What a walk has gathered so far.
#[derive(Debug)]
pub(super) struct Gathered {
    key: WalkKey,
    /// When it came further last.
    moved_at: Timestamp,
    /// What wasn't seen, by property.
    groups: Vec<UnseenGroup>,
    /// Rows of the list.
    rows: usize,
    /// The list is through, and so are the groups before this one.
    at: Option<usize>,
}

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
    pub fn marked(
        &mut self,
        ticket: u64,
        marked: Option<&Marked>,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let Some(flight) = self.books.flights.all.remove(&ticket) else {
            return Ok(());
        };
        self.commit(now, |sql, books| match marked {
            Some(marked) => books.marked(sql, &flight, marked, now),
            None => books.not_merged(sql, &flight, now).map(drop),
        })
    }
}

impl Books {
    /// Until when what another walk gathers is in the way of this one; a time that
    /// is past if nothing is.
    pub(super) fn waits_for_gathering(&self, key: &WalkKey) -> Timestamp {
        let other = self.gathered.as_ref().filter(|it| it.key != *key);
        other.map_or(Timestamp::default(), |it| it.moved_at.plus_s(IDLE_S))
    }

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
        let walk = Walk {
            began_seq: sync.seq,
            began_epoch: epoch,
            ..Walk::new(Some(sync.at.minus_s(SYNC_S)), now)
        };
        self.walks.put(sql, key, walk)
    }

    /// The page to ask for of a walk, which begins if nothing of it is gathered.
    pub(super) fn set_out_for_gone(&mut self, key: &WalkKey, now: Timestamp) -> Option<Query> {
        let walk = self.walks.all.get_mut(key)?;
        let since = written(walk.since?);
        let own = self.gathered.take().filter(|it| it.key == *key);
        let mut gathered = own.unwrap_or_else(|| {
            let failures = walk.failures;
            walk.began_at = Some(now);
            walk.begin(Lists::Plain);
            walk.failures = failures;
            Gathered {
                key: key.clone(),
                moved_at: now,
                groups: Vec::new(),
                rows: 0,
                at: None,
            }
        });
        gathered.moved_at = now;
        let page = walk.cursor.query(Order::Created, LIMIT);
        let query = match gathered.group() {
            None => Query {
                seen: Some(Seen::Until(since)),
                ..page
            },
            Some(group) => Query {
                seen: Some(Seen::From(since, group.property.clone())),
                offset: 0,
                ..page
            },
        };
        self.gathered = Some(gathered);
        Some(query)
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
        let gathered = self.gathered.take().filter(|it| it.key == *key);
        let (Some(mut walk), Some(mut gathered)) = (self.walks.all.get(key).cloned(), gathered)
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
            Ok(()) => self.gathered_page(sql, flight, walk, gathered, now),
            Err(Failed::Anew(why)) => self.begins_anew(sql, key, why, now).map(|()| Then::Done),
            Err(Failed::Ever(why)) => self.break_off(sql, key, why, now).map(|()| Then::Done),
        }
    }

    /// What follows from a page: the next one, or all is the ledger's to judge.
    fn gathered_page(
        &mut self,
        sql: &impl Sql,
        flight: &mut Flight,
        mut walk: Walk,
        gathered: Gathered,
        now: Timestamp,
    ) -> Result<Then, SqlError> {
        let key = gathered.key.clone();
        walk.records = gathered.rows as u64;
        walk.due_at = now;
        let is_through = gathered.at.is_some() && gathered.group().is_none();
        if !is_through {
            self.gathered = Some(gathered);
            self.walks.put(sql, key, walk)?;
            return Ok(Then::Done);
        }
        let known = self.integrations.0.get(&key.1);
        let Some(known) = known.filter(|_| !gathered.groups.is_empty()) else {
            walk.end("", now);
            self.walks.put(sql, key, walk)?;
            return Ok(Then::Done);
        };
        flight.pending = Some(Pending::Mark);
        let unseen = Unseen {
            of: known.of.clone(),
            model: key.2.clone(),
            asked_seq: walk.began_seq,
            epoch: walk.began_epoch,
            groups: gathered.groups,
        };
        self.walks.put(sql, key, walk)?;
        Ok(Then::Mark(unseen))
    }

    fn marked(
        &mut self,
        sql: &impl Sql,
        flight: &Flight,
        marked: &Marked,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.integrations
            .heard(flight.integration, marked.epoch, marked.seq);
        let Some(key) = flight.task.walk() else {
            return Ok(());
        };
        let Some(mut walk) = self.walks.all.get(key).cloned() else {
            return Ok(());
        };
        walk.repaired = walk.repaired.saturating_add(marked.marked);
        walk.skipped = marked.passed_over;
        if marked.has_more {
            // Once more: what is marked is no candidate any more.
            return self.walks.put(sql, key.clone(), walk);
        }
        let why = why_not(marked);
        if marked.refused.is_some() {
            self.note(sql, key.1, &key.2, "", &why, now)?;
        }
        walk.end(&why, now);
        self.walks.put(sql, key.clone(), walk)
    }

    /// What a walk has gathered is good for nothing.
    pub(super) fn let_go(&mut self, key: &WalkKey) {
        self.gathered.take_if(|it| it.key == *key);
    }

    /// Something of a walk has failed: nothing of what it has gathered counts.
    pub(super) fn begins_anew(
        &mut self,
        sql: &impl Sql,
        key: &WalkKey,
        why: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        self.let_go(key);
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
