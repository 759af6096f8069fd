//! The deliberate bugs of the mirror.

use crate::bugs::Bug;

impl Bug {
    /// Name, and what is done wrong.
    pub const OF_MIRROR: &[(Self, &'static str, &'static str)] = &[
        (
            Self::StaleOverwrites,
            "stale-overwrites",
            "a read that is older than what is known is believed at once",
        ),
        (
            Self::CursorFirst,
            "cursor-first",
            "a walk goes on, and a debt is cleared, before the ledger has what was read",
        ),
        (
            Self::OwedForgotten,
            "owed-forgotten",
            "what is owed is known in memory alone",
        ),
        (
            Self::AskedWhenAnswered,
            "asked-when-answered",
            "the number that a read is compared with is taken when its answer comes",
        ),
        (
            Self::PaceForEach,
            "pace-for-each",
            "each integration has a pace of its own",
        ),
        (
            Self::NotFoundIsEmpty,
            "not-found-is-empty",
            "a record that isn't found counts as one without fields",
        ),
        (
            Self::ToldTooEarly,
            "told-too-early",
            "a ledger takes it that the connector knows, before it does",
        ),
        (
            Self::LostIsMerged,
            "lost-is-merged",
            "what a ledger doesn't answer counts as merged",
        ),
        (
            Self::OutcomesMixedUp,
            "outcomes-mixed-up",
            "reads that are merged at the same time get each other's outcomes",
        ),
        (
            Self::AnswersKept,
            "answers-kept",
            "a record is answered as it was up to five minutes before",
        ),
        (
            Self::SyncEndsForgotten,
            "sync-ends-forgotten",
            "nobody hears that a synchronisation has ended",
        ),
        (
            Self::BacksyncIgnored,
            "backsync-ignored",
            "the end of a backsync is one like any other",
        ),
        (
            Self::DailyNever,
            "daily-never",
            "what has changed is never read by the clock",
        ),
        (Self::DeepNever, "deep-never", "the deep walk never comes"),
        (
            Self::NoOverlap,
            "no-overlap",
            "a walk begins where the last one began, and no earlier",
        ),
        (
            Self::LastRowsDropped,
            "last-rows-dropped",
            "the rows of a list's last page are dropped",
        ),
        (
            Self::WebhookFieldsDropped,
            "webhook-fields-dropped",
            "what the API doesn't show of a record counts as nothing",
        ),
        (
            Self::NoAlarmUnderWay,
            "no-alarm-under-way",
            "while requests are under way, no alarm is set",
        ),
        (
            Self::JobsBelieved,
            "jobs-believed",
            "what a synchronisation hasn't seen is gone, though its job has failed",
        ),
        (
            Self::AskedTwice,
            "asked-twice",
            "each request is made twice",
        ),
    ];

    /// True if it shows in the worlds of the mirror.
    pub fn is_of_mirror(self) -> bool {
        Self::OF_MIRROR.iter().any(|(bug, ..)| *bug == self)
    }
}
