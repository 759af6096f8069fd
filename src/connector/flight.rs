//! Requests under way. Nothing of them is stored: what is lost with the memory
//! is asked for again, because it is owed as before.

use super::sorted::Sorted;
use std::rc::Rc;

use super::walks::{Walk, WalkKey};
use crate::provider::{Api, Logged, Query};
use crate::time::Timestamp;

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// One record.
    Item { model: String, id: String },
    /// A page of a walk.
    Page { key: WalkKey, query: Query },
    /// A page of the log of changes.
    Log,
    /// Whether the source works at all, for the sake of a page that fails.
    Probe { key: WalkKey },
}

impl Task {
    pub(super) fn model(&self) -> &str {
        match self {
            Self::Item { model, .. } => model,
            Self::Page { key, .. } | Self::Probe { key } => &key.2,
            Self::Log => "",
        }
    }

    /// The walk of which it is a page.
    pub(super) fn walk(&self) -> Option<&WalkKey> {
        match self {
            Self::Page { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// One that is under way.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) task: Task,
    /// Its integration's number.
    pub(super) integration: u64,
    pub(super) api: Rc<Api>,
    /// The ledger's last number as it was known before the request began: a
    /// debt that was told later isn't cleared by what comes back.
    pub(super) asked_seq: u64,
    pub(super) epoch: Option<u64>,
    pub(super) asked_at: Timestamp,
    /// What waits for the ledger.
    pub(super) pending: Option<Pending>,
}

/// What the ledger was given of an answer.
#[derive(Clone)]
pub(super) enum Pending {
    /// Records to merge.
    Merge(Box<Merging>),
    /// Records to mark as gone.
    Mark,
    /// A page of the log to compare.
    Compare(Comparing),
}

/// A page of the log that the ledger compares.
#[derive(Clone)]
pub(super) struct Comparing {
    pub(super) changes: Vec<Logged>,
    /// How many rows the page had.
    pub(super) rows: u64,
    /// Nothing is behind it.
    pub(super) is_last: bool,
}

/// What becomes true when the ledger has merged an answer.
#[derive(Clone)]
pub(super) struct Merging {
    /// The records, in the order in which the ledger has them.
    pub(super) ids: Vec<String>,
    /// The walk as it is then, and why it ends if it does.
    pub(super) walk: Option<(Walk, bool)>,
}

/// All of them, by ticket.
#[derive(Default)]
pub(super) struct Flights {
    pub(super) all: Sorted<u64, Flight>,
    last: u64,
}

impl Flights {
    /// Hands one out. No ticket of an earlier life comes again.
    pub(super) fn add(&mut self, flight: Flight) -> u64 {
        let now = u64::try_from(flight.asked_at.us()).unwrap_or(0);
        self.last = self.last.saturating_add(1).max(now);
        self.all.insert(self.last, flight);
        self.last
    }

    pub(super) fn has_item(&self, integration: u64, model: &str, id: &str) -> bool {
        self.all.values().any(|flight| {
            let item =
                matches!(&flight.task, Task::Item { model: m, id: i } if m == model && i == id);
            item && flight.integration == integration
        })
    }

    pub(super) fn has_walk(&self, walk: &WalkKey) -> bool {
        self.all.values().any(|flight| match &flight.task {
            Task::Page { key, .. } | Task::Probe { key } => key == walk,
            Task::Item { .. } | Task::Log => false,
        })
    }

    pub(super) fn has_log(&self, integration: u64) -> bool {
        let mut all = self.all.values();
        all.any(|flight| flight.task == Task::Log && flight.integration == integration)
    }

    /// True if a request to that source is under way.
    pub(super) fn has_source(&self, integrations: &[u64]) -> bool {
        let mut all = self.all.values();
        all.any(|flight| integrations.contains(&flight.integration))
    }
}
