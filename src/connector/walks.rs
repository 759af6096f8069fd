//! The walks: which there are, and how far each is.

use super::models::{Lists, maybe_time, small};
use super::sorted::Sorted;
use super::walk::{Cursor, LIMIT, beginning};
use crate::json::{self, list, quoted};
use crate::provider::Order;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// How many classes there are.
pub(super) const CLASSES: usize = 5;

/// What a request is for, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// What is owed.
    Hydrate,
    /// What has changed since.
    Reconcile,
    /// All records, for the first time.
    Backfill,
    /// What no synchronisation has seen for long.
    Gone,
    /// All records, to be sure.
    Deep,
}

impl Class {
    /// All, in their order, with the words for them.
    pub(super) const ALL: [(Self, &'static str); CLASSES] = [
        (Self::Hydrate, "hydrate"),
        (Self::Reconcile, "reconcile"),
        (Self::Backfill, "backfill"),
        (Self::Gone, "gone"),
        (Self::Deep, "deep"),
    ];

    /// Its place among them.
    pub(super) fn at(self) -> usize {
        let at = Self::ALL.iter().position(|(class, _)| *class == self);
        at.unwrap_or(0)
    }

    /// The word for it.
    pub fn label(self) -> &'static str {
        Self::ALL.get(self.at()).map_or("", |(_, label)| label)
    }
}

/// Which walk: its class, its integration's number, its model.
pub(super) type WalkKey = (Class, u64, String);

/// A walk, or the last one of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) since: Option<Timestamp>,
    pub(super) lists: Lists,
    pub(super) cursor: Cursor,
    pub(super) limit: u32,
    pub(super) began_at: Option<Timestamp>,
    pub(super) began_seq: u64,
    pub(super) began_epoch: Option<u64>,
    pub(super) is_last: bool,
    pub(super) due_at: Timestamp,
    pub(super) failures: u32,
    pub(super) records: u64,
    pub(super) requests: u64,
    pub(super) repaired: u64,
    pub(super) skipped: u64,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) why: String,
    pub(super) covered_at: Option<Timestamp>,
    /// Another is to follow, from then on.
    pub(super) again: Option<Option<Timestamp>>,
}

impl Walk {
    pub(super) fn new(since: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            since,
            lists: Lists::Unknown,
            cursor: Cursor::default(),
            limit: LIMIT,
            began_at: None,
            began_seq: 0,
            began_epoch: None,
            is_last: false,
            due_at: now,
            failures: 0,
            records: 0,
            requests: 0,
            repaired: 0,
            skipped: 0,
            ended_at: None,
            why: String::new(),
            covered_at: None,
            again: None,
        }
    }

    pub(super) fn order(&self) -> Order {
        self.lists.order(self.since.is_some())
    }

    /// Begins anew by what the list can do.
    pub(super) fn begin(&mut self, lists: Lists) {
        self.lists = lists;
        self.cursor = beginning(self.order(), self.since);
        self.is_last = false;
        self.failures = 0;
    }

    /// It has ended; the one that is to follow is at its beginning.
    pub(super) fn end(&mut self, why: &str, now: Timestamp) {
        if why.is_empty() {
            self.covered_at = self.began_at;
        }
        why.clone_into(&mut self.why);
        self.ended_at = Some(now);
        if let Some(since) = self.again.take() {
            let next = Self::new(since, now);
            let covered_at = self.covered_at;
            *self = Self { covered_at, ..next };
        }
    }

    /// The same walk is wanted once more.
    pub(super) fn wanted_again(&self, since: Option<Timestamp>, now: Timestamp) -> Self {
        if self.ended_at.is_some() {
            let covered_at = self.covered_at;
            return Self {
                covered_at,
                ..Self::new(since, now)
            };
        }
        let mut walk = self.clone();
        if walk.began_at.is_none() {
            walk.since = earlier(walk.since, since);
        } else {
            let other = walk.again.unwrap_or(since);
            walk.again = Some(earlier(other, since));
        }
        walk
    }
}

/// The earlier of two times since which something is wanted; `None` is ever.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.min(other?))
}

/// All walks.
#[derive(Debug, Default)]
pub(super) struct Walks {
    pub(super) all: Sorted<WalkKey, Walk>,
    /// Those that haven't ended.
    pub(super) active: Sorted<WalkKey, ()>,
}

impl Walks {
    pub(super) fn load(sql: &impl Sql) -> Result<Self, SqlError> {
        let all =
            "SELECT class, integration, model, since, lists, changed_from, \"offset\", anchors,
                          \"limit\", began_at, began_seq, began_epoch, is_last, due_at, failures,
                          records, requests, repaired, skipped, ended_at, why, covered_at, is_again,
                          again_since FROM walks";
        let mut walks = Self::default();
        for row in sql.query(all, &[])? {
            let class = usize::try_from(row.number(0)?).unwrap_or(usize::MAX);
            let Some((class, _)) = Class::ALL.get(class) else {
                continue;
            };
            let anchors = json::value(row.text(7)?).and_then(json::texts);
            let cursor = Cursor {
                from: row.maybe_text(5)?.map(str::to_owned),
                offset: row.number(6)?,
                anchors: anchors.unwrap_or_default(),
            };
            let again_since = maybe_time(&row, 23)?;
            let walk = Walk {
                since: maybe_time(&row, 3)?,
                lists: Lists::numbered(row.integer(4)?),
                cursor,
                limit: small(&row, 8)?,
                began_at: maybe_time(&row, 9)?,
                began_seq: row.number(10)?,
                began_epoch: row.maybe_number(11)?,
                is_last: row.flag(12)?,
                due_at: Timestamp::from_us(row.integer(13)?),
                failures: small(&row, 14)?,
                records: row.number(15)?,
                requests: row.number(16)?,
                repaired: row.number(17)?,
                skipped: row.number(18)?,
                ended_at: maybe_time(&row, 19)?,
                why: row.text(20)?.to_owned(),
                covered_at: maybe_time(&row, 21)?,
                again: row.flag(22)?.then_some(again_since),
            };
            walks.keep((*class, row.number(1)?, row.text(2)?.to_owned()), walk);
        }
        Ok(walks)
    }

    fn keep(&mut self, key: WalkKey, walk: Walk) {
        if walk.ended_at.is_none() {
            self.active.insert(key.clone(), ());
        } else {
            self.active.remove(&key);
        }
        self.all.insert(key, walk);
    }

    /// True if this walk hasn't ended.
    pub(super) fn is_active(&self, key: &WalkKey) -> bool {
        self.active.has(key)
    }

    /// Since when changes are not known yet, by the walks that have ended.
    pub(super) fn covered_at(&self, integration: u64, model: &str) -> Option<Timestamp> {
        // What is owed covers nothing else, nor does what is gone.
        let is_of_all = |class: Class| !matches!(class, Class::Hydrate | Class::Gone);
        let classes = Class::ALL.iter().filter(|(class, _)| is_of_all(*class));
        let covered = classes.filter_map(|(class, _)| {
            let walk = self.all.get(&(*class, integration, model.to_owned()))?;
            walk.covered_at
        });
        covered.max()
    }

    /// Stores a walk as it is now.
    pub(super) fn put(&mut self, sql: &impl Sql, key: WalkKey, walk: Walk) -> Result<(), SqlError> {
        if self.all.get(&key) == Some(&walk) {
            return Ok(());
        }
        let class = u64::try_from(key.0.at()).unwrap_or(0);
        let anchors = list(walk.cursor.anchors.iter().map(|id| quoted(id)));
        let us = |time: Option<Timestamp>| time.map(Timestamp::us).into();
        sql.execute(
            "INSERT OR REPLACE INTO walks
               (class, integration, model, since, lists, changed_from, \"offset\", anchors, \"limit\",
                began_at, began_seq, began_epoch, is_last, due_at, failures, records, requests,
                repaired, skipped, ended_at, why, covered_at, is_again, again_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                     ?19, ?20, ?21, ?22, ?23, ?24)",
            &[
                class.into(),
                key.1.into(),
                key.2.as_str().into(),
                us(walk.since),
                walk.lists.number().into(),
                walk.cursor.from.as_deref().into(),
                walk.cursor.offset.into(),
                anchors.as_str().into(),
                u64::from(walk.limit).into(),
                us(walk.began_at),
                walk.began_seq.into(),
                walk.began_epoch.into(),
                walk.is_last.into(),
                walk.due_at.us().into(),
                u64::from(walk.failures).into(),
                walk.records.into(),
                walk.requests.into(),
                walk.repaired.into(),
                walk.skipped.into(),
                us(walk.ended_at),
                walk.why.as_str().into(),
                us(walk.covered_at),
                walk.again.is_some().into(),
                us(walk.again.flatten()),
            ],
        )?;
        self.keep(key, walk);
        Ok(())
    }

    /// Asks for a walk; one that is under way is followed by another.
    pub(super) fn want(
        &mut self,
        sql: &impl Sql,
        key: WalkKey,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let walk = match self.all.get(&key) {
            Some(walk) => walk.wanted_again(since, now),
            None => Walk::new(since, now),
        };
        self.put(sql, key, walk)
    }

    /// Forgets a walk.
    pub(super) fn forget(&mut self, sql: &impl Sql, key: &WalkKey) -> Result<(), SqlError> {
        self.active.remove(key);
        self.all.remove(key);
        let class = u64::try_from(key.0.at()).unwrap_or(0);
        sql.execute(
            "DELETE FROM walks WHERE class = ?1 AND integration = ?2 AND model = ?3",
            &[class.into(), key.1.into(), key.2.as_str().into()],
        )
    }
}
