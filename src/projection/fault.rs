//! Whose fault it is that D1 doesn't do what it was asked to.
//!
//! Only what the event itself makes impossible may be held against it. A
//! database that is away, busy, full or not migrated would refuse any event:
//! that is nobody's fault, and what it refuses is sent again until it works.
//! D1 tells them apart by text alone: its own sentences, and SQLite's message
//! with its code behind it.

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// D1's or the way's: any event would have failed, or may have.
    Nobodys,
    /// The event's, if the same fails with it alone and a probe works.
    Event,
    /// It can't be told from the error.
    Unknown,
}

/// What errors say, in lower case, that are no event's fault: D1's sentences
/// as Cloudflare lists them, SQLite's codes, and our own.
const NOBODYS: &[&str] = &[
    // It is away, or the way to it is.
    "network connection lost",
    "internal error",
    "transient issue",
    "client disconnected",
    "code was updated",
    "to be reset",
    "was reset",
    "reset because",
    "timeout",
    "timed out",
    "no answer within",
    "service unavailable",
    // It is busy.
    "overloaded",
    "too many requests",
    "rate limit",
    "sqlite_busy",
    "sqlite_locked",
    "is locked",
    "sqlite_interrupt",
    // What all together may use is used up.
    "exceeded its cpu",
    "exceeded its memory",
    "memory limit",
    "sqlite_nomem",
    "out of memory",
    "too many subrequests",
    "too many api requests",
    // It is full.
    "maximum db size",
    "storage limit",
    "disk is full",
    "sqlite_full",
    // It is broken, or may not be written to.
    "sqlite_ioerr",
    "disk i/o error",
    "sqlite_corrupt",
    "disk image is malformed",
    "sqlite_notadb",
    "sqlite_cantopen",
    "unable to open database",
    "sqlite_readonly",
    "readonly database",
    "sqlite_auth",
    "not authorized",
    // It isn't the database that this code knows: a migration is missing, or
    // the binding.
    "no such table",
    "no such column",
    "has no column named",
    "no such function",
    "does not match any primary key",
    "sqlite_schema",
    "cannot read properties of undefined",
    "could not be found",
];

/// What errors say that come of the values that were to be written.
const EVENTS: &[&str] = &[
    "sqlite_constraint",
    "constraint failed",
    "sqlite_toobig",
    "string or blob too big",
    "sqlite_mismatch",
    "datatype mismatch",
    "malformed json",
];

impl Fault {
    /// Whose fault the error is that says `text`.
    pub fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let says = |known: &[&str]| known.iter().any(|part| text.contains(part));
        if says(NOBODYS) {
            Self::Nobodys
        } else if says(EVENTS) {
            Self::Event
        } else {
            Self::Unknown
        }
    }
}
