//! Deliberate bugs: proof that the simulation can fail. Each is put into the
//! simulated host, into a statement's text, or into a message; the core
//! itself knows nothing of them.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    AnswerBeforeCommit,
    ConfirmBeforeApply,
    SentIsConfirmed,
    BuriedIsConfirmed,
    WatermarkOffByOne,
    WindowTooShort,
    AnyAge,
    EveryRequestIsNew,
    RepetitionIsDuplicate,
    NoticesLast,
    DuplicateGetsLastNumber,
    NoRollback,
    LateEventsWin,
    TiesByArrival,
    CreationsOverride,
    AnyVersionOverwrites,
    DriftForgotten,
    DriftForEver,
    AlarmSetLater,
    AlarmNotRepeated,
    LargeEventsSkipped,
    OneLedgerForAll,
    JunkNotKept,
    HistoryTooShort,
    KeysGoEarly,
    HeldGoesToo,
    NeighbourQuarantined,
    OutageQuarantines,
    FullQuarantines,
    OutageBuries,
    ProbesGoOn,
    ConfirmTooWide,
    LateTurnsUnnoticed,
    LastStateForgotten,
    ReplayOfTheLastAlone,
    FilterForgotten,
    NoSweep,
    ReportForgotten,
    AnswersMixedUp,
    FailedIsAnswered,
    NobodyLeavesTheLine,
    RebuildPassesRefused,
    RebuildInTheOldEpoch,
    RebuildNeverEnds,
    NoticesGoWithHistory,
    DriftGoesWithHistory,
    LateGoesWithHistory,
    DiscardedComesBack,
    DiscardTakesNeighbours,
    DiscardIsUndone,
    UnplacedStaysOut,
    StaleOverwrites,
    CursorFirst,
    OwedForgotten,
    AskedWhenAnswered,
    PaceForEach,
    NotFoundIsEmpty,
    ToldTooEarly,
    LostIsMerged,
    OutcomesMixedUp,
    AnswersKept,
    JobsBelieved,
    SyncEndsForgotten,
    BacksyncIgnored,
    DailyNever,
    DeepNever,
    NoOverlap,
    LastRowsDropped,
    WebhookFieldsDropped,
    NoAlarmUnderWay,
    AskedTwice,
}

impl Bug {
    /// Name, and what is done wrong.
    pub const ALL: &[(Self, &'static str, &'static str)] = &[
        (
            Self::AnswerBeforeCommit,
            "answer-before-commit",
            "the sender gets its 200 before the writes are durable",
        ),
        (
            Self::ConfirmBeforeApply,
            "confirm-before-apply",
            "the consumer confirms a pack and then applies it",
        ),
        (
            Self::SentIsConfirmed,
            "sent-is-confirmed",
            "a pack counts as confirmed once the queue took it",
        ),
        (
            Self::BuriedIsConfirmed,
            "buried-is-confirmed",
            "a pack from the dead-letter queue is confirmed",
        ),
        (
            Self::WatermarkOffByOne,
            "watermark-off-by-one",
            "the watermark goes over the first event that isn't confirmed",
        ),
        (
            Self::WindowTooShort,
            "window-too-short",
            "a repetition counts as one for half an hour only",
        ),
        (
            Self::AnyAge,
            "any-age",
            "a signed time may be as old as it likes",
        ),
        (
            Self::EveryRequestIsNew,
            "every-request-is-new",
            "the dedupe key differs from request to request",
        ),
        (
            Self::RepetitionIsDuplicate,
            "repetition-is-duplicate",
            "the second of two identical and real changes is dropped",
        ),
        (
            Self::NoticesLast,
            "notices-last",
            "the end of a sync like the one before is dropped as its repetition",
        ),
        (
            Self::DuplicateGetsLastNumber,
            "duplicate-gets-last-number",
            "a duplicate is answered with the ledger's last number",
        ),
        (
            Self::NoRollback,
            "no-rollback",
            "a transaction that fails leaves its first writes behind",
        ),
        (
            Self::LateEventsWin,
            "late-events-win",
            "events are folded in the order of arrival, whatever their time",
        ),
        (
            Self::TiesByArrival,
            "ties-by-arrival",
            "of events of the same time the last to come is the newest, whatever they say",
        ),
        (
            Self::CreationsOverride,
            "creations-override",
            "a creation that comes late brings its old values back",
        ),
        (
            Self::AnyVersionOverwrites,
            "any-version-overwrites",
            "an older version overwrites a newer one in D1",
        ),
        (
            Self::DriftForgotten,
            "drift-forgotten",
            "the next change that agrees takes the mark `drift` away",
        ),
        (
            Self::DriftForEver,
            "drift-for-ever",
            "which fields the mark `drift` is about is forgotten, so that it never goes",
        ),
        (
            Self::AlarmSetLater,
            "alarm-set-later",
            "the alarm is set in a step of its own, after the writes",
        ),
        (
            Self::AlarmNotRepeated,
            "alarm-not-repeated",
            "the alarm goes off once and is not set again",
        ),
        (
            Self::LargeEventsSkipped,
            "large-events-skipped",
            "the consumer doesn't ask for records that didn't fit",
        ),
        (
            Self::OneLedgerForAll,
            "one-ledger-for-all",
            "all integrations of a source share a ledger",
        ),
        (
            Self::JunkNotKept,
            "junk-not-kept",
            "what isn't understood is answered and thrown away",
        ),
        (
            Self::HistoryTooShort,
            "history-too-short",
            "history goes an hour after it was confirmed",
        ),
        (
            Self::KeysGoEarly,
            "keys-go-early",
            "history that goes early takes along what repetitions are known by",
        ),
        (
            Self::HeldGoesToo,
            "held-goes-too",
            "what is dead or quarantined goes with the rest of its segment",
        ),
        (
            Self::NeighbourQuarantined,
            "neighbour-quarantined",
            "not the event that can't be applied is quarantined, but the one before it",
        ),
        (
            Self::OutageQuarantines,
            "outage-quarantines",
            "while D1 is down, events count as guilty",
        ),
        (
            Self::FullQuarantines,
            "full-quarantines",
            "while D1 is full, the large events count as guilty",
        ),
        (
            Self::ProbesGoOn,
            "probes-go-on",
            "while nobody answers, one pack after the other is sent to see whether anybody does",
        ),
        (
            Self::OutageBuries,
            "outage-buries",
            "the consumer retries what fails by nobody's fault until it dies",
        ),
        (
            Self::ConfirmTooWide,
            "confirm-too-wide",
            "a part of a pack that was applied confirms all of it",
        ),
        (
            Self::LateTurnsUnnoticed,
            "late-turns-unnoticed",
            "of a unit only what it was last is known",
        ),
        (
            Self::LastStateForgotten,
            "last-state-forgotten",
            "where events carry no time, what a unit was last is not known",
        ),
        (
            Self::ReplayOfTheLastAlone,
            "replay-of-the-last-alone",
            "a replay folds the last event of a record, and not those before",
        ),
        (
            Self::FilterForgotten,
            "filter-forgotten",
            "a ledger takes in what its filter leaves out",
        ),
        (
            Self::NoSweep,
            "no-sweep",
            "nobody looks for ledgers that have lost their alarm",
        ),
        (
            Self::ReportForgotten,
            "report-forgotten",
            "a ledger that is opened anew takes it that it never reported anything",
        ),
        (
            Self::AnswersMixedUp,
            "answers-mixed-up",
            "deliveries that went to a ledger together get each other's answers",
        ),
        (
            Self::FailedIsAnswered,
            "failed-is-answered",
            "a delivery that failed gets the answer of the one that went with it",
        ),
        (
            Self::NobodyLeavesTheLine,
            "nobody-leaves-the-line",
            "whose sender has hung up is taken along, however much later",
        ),
        (
            Self::RebuildPassesRefused,
            "rebuild-passes-refused",
            "a rebuild goes on behind records that D1 didn't get",
        ),
        (
            Self::RebuildInTheOldEpoch,
            "rebuild-in-the-old-epoch",
            "what a rebuild writes is no newer than what D1 has",
        ),
        (
            Self::RebuildNeverEnds,
            "rebuild-never-ends",
            "a rebuild whose end failed to be noted keeps its alarm for ever",
        ),
        (
            Self::NoticesGoWithHistory,
            "notices-go-with-history",
            "a replay forgets which turns events revealed, where what a unit was is gone",
        ),
        (
            Self::DriftGoesWithHistory,
            "drift-goes-with-history",
            "a replay forgets what the provider has contradicted, where that is gone",
        ),
        (
            Self::LateGoesWithHistory,
            "late-goes-with-history",
            "a replay takes what came late for new, where what was newer is gone",
        ),
        (
            Self::DiscardedComesBack,
            "discarded-comes-back",
            "a replay reads what was discarded",
        ),
        (
            Self::DiscardTakesNeighbours,
            "discard-takes-neighbours",
            "a discard of what is quarantined takes all between as well",
        ),
        (
            Self::DiscardIsUndone,
            "discard-is-undone",
            "who says late that an event can't be applied takes it back into quarantine",
        ),
        (
            Self::UnplacedStaysOut,
            "unplaced-stays-out",
            "what was ignored before its record was known to be wanted stays out",
        ),
    ];

    /// Those of both kinds of worlds.
    pub fn all() -> impl Iterator<Item = (Self, &'static str, &'static str)> {
        Self::ALL.iter().chain(Self::OF_MIRROR).copied()
    }

    pub fn named(name: &str) -> Option<Self> {
        let found = Self::all().find(|(_, known, _)| *known == name);
        found.map(|(bug, _, _)| bug)
    }
}
