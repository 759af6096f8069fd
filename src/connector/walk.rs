//! A walk through a list: which page is next, and what a page says about that.
//!
//! A walk must meet every record that is there from its beginning to its end,
//! while records change and come. By time of change, oldest first, what changes
//! goes to the end and is met again; the offset only counts within one equal
//! time, since a synchronisation stamps thousands alike. By time of change,
//! newest first, whatever changes goes to the front, and only moves others
//! away from it: a page may repeat records, and lacks none. By time of creation
//! nothing moves, unless a record goes.
//!
//! Where a record may leave its place before the offset, pages overlap by a
//! row: if none of the last rows is met again, the walk steps back a page.

use crate::provider::{Order, Page, Query, Row, written};
use crate::time::Timestamp;

/// Records of a page.
pub(super) const LIMIT: u32 = 250;
/// How many of the last rows are known again.
const ANCHORS: usize = 4;
/// How far before its beginning a walk begins, in seconds: clocks differ, and
/// what was stamped early may be there late.
pub(super) const OVERLAP_S: u64 = 600;

/// How far a walk is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// By time of change, oldest first: that of the last row, as it was sent.
    pub(super) from: Option<String>,
    /// Rows passed: of all, or of those at that time and later.
    pub(super) offset: u64,
    /// Ids of the last rows.
    pub(super) anchors: Vec<String>,
}

/// What a page means for its walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes on here.
    Next(Cursor),
    /// It is through. With the time of the last row, if that is known.
    End(Option<Timestamp>),
    /// The list isn't in the order that was asked for.
    Unordered,
    /// There is more, and the page has brought nothing.
    Stuck,
}

/// Where a walk through what has changed since then begins.
pub(super) fn beginning(order: Order, since: Option<Timestamp>) -> Cursor {
    let since = since.map_or(Timestamp::default(), |since| since.minus_s(OVERLAP_S));
    Cursor {
        // Also in a walk through all: so it shows at once whether it can be said.
        from: (order == Order::Changed).then(|| written(since)),
        ..Cursor::default()
    }
}

impl Cursor {
    /// True if this was one of the last rows.
    pub(super) fn has_met(&self, id: &str) -> bool {
        self.anchors.iter().any(|anchor| anchor == id)
    }

    /// The page to ask for. Also the shortest one has a row more than it overlaps.
    pub(super) fn query(&self, order: Order, limit: u32) -> Query {
        let overlap = u32::from(!self.anchors.is_empty());
        Query {
            order,
            changed_from: self.from.clone(),
            seen: None,
            offset: self.offset.saturating_sub(overlap.into()),
            limit: limit.max(overlap.saturating_add(1)),
        }
    }

    /// What `page`, which `asked` has brought, means. `since` ends a walk that
    /// goes back in time.
    pub(super) fn step(&self, asked: &Query, page: &Page, since: Option<Timestamp>) -> Step {
        let rows = &page.rows;
        // Where all times are equal, nothing else shows it.
        if asked.order != Order::Created && page.is_by_change == Some(false) {
            return Step::Unordered;
        }
        let Some(times) = self.times(asked.order, rows) else {
            return Step::Unordered;
        };
        let is_checked = asked.order != Order::ChangedLast && asked.offset < self.offset;
        if is_checked && asked.offset > 0 && !self.knows_one_of(rows, &times) {
            return Step::Next(self.back(asked));
        }
        let last = times.last().copied().flatten();
        let usual = usize::try_from(asked.limit).unwrap_or(usize::MAX);
        let has_more = page.has_more.unwrap_or(rows.len() >= usual);
        let is_old =
            asked.order == Order::ChangedLast && last < since.map(|it| it.minus_s(OVERLAP_S));
        if rows.is_empty() || !has_more || is_old {
            return Step::End(last);
        }
        let next = self.behind(asked, rows, &times);
        if next == *self {
            return Step::Stuck;
        }
        Step::Next(next)
    }

    /// The time of each row; `None` if they aren't in order.
    fn times(&self, order: Order, rows: &[Row]) -> Option<Vec<Option<Timestamp>>> {
        let times: Vec<_> = rows.iter().map(Row::changed).collect();
        let is_ordered = match order {
            Order::Created => true,
            Order::Changed => {
                let from = self.from.as_deref().and_then(Timestamp::parse);
                times.first().is_none_or(|first| *first >= from)
                    && times.iter().all(Option::is_some)
                    && times.is_sorted()
            }
            Order::ChangedLast => {
                times.iter().all(Option::is_some) && times.iter().rev().is_sorted()
            }
        };
        is_ordered.then_some(times)
    }

    /// True if one of the last rows is still where it was. Then all before it
    /// was met.
    fn knows_one_of(&self, rows: &[Row], times: &[Option<Timestamp>]) -> bool {
        let from = self.from.as_deref().and_then(Timestamp::parse);
        let mut both = rows.iter().zip(times);
        both.any(|(row, time)| {
            let is_unmoved = from.is_none() || *time == from;
            is_unmoved && self.has_met(&row.id)
        })
    }

    /// A page further back than the one that was asked for.
    fn back(&self, asked: &Query) -> Self {
        let offset = asked.offset.saturating_sub(u64::from(asked.limit));
        Self {
            // The overlap is taken off again.
            offset: offset.saturating_add(u64::from(offset > 0)),
            ..self.clone()
        }
    }

    fn behind(&self, asked: &Query, rows: &[Row], times: &[Option<Timestamp>]) -> Self {
        let behind_all = asked
            .offset
            .saturating_add(u64::try_from(rows.len()).unwrap_or(0));
        let (mut from, mut offset, mut alike) = (None, behind_all, rows.len());
        if asked.order == Order::Changed {
            let last = times.last().copied().flatten();
            alike = times.iter().rev().take_while(|time| **time == last).count();
            from = rows
                .last()
                .and_then(|row| row.changed_at.as_deref().map(str::to_owned));
            if self.from.as_deref().and_then(Timestamp::parse) != last {
                offset = u64::try_from(alike).unwrap_or(0);
            } else {
                from.clone_from(&self.from);
            }
        }
        let anchors = rows.iter().rev().take(alike.min(ANCHORS));
        Self {
            from,
            offset,
            anchors: anchors.map(|row| row.id.to_string()).collect(),
        }
    }

    /// Past a row that can't be had: what stands before can't be known again.
    pub(super) fn skipped(&self) -> Self {
        Self {
            from: self.from.clone(),
            offset: self.offset.saturating_add(1),
            anchors: Vec::new(),
        }
    }
}
