//! Whose fault an error of D1 is, and what becomes of a message by it.

use std::collections::BTreeSet;

use leasewire::projection::{ATTEMPTS_MAX, Fault, NOBODYS_ATTEMPTS, Verdict, is_dead_letter_queue};

use super::{consumers, records_retries};

/// What D1, SQLite within it, the runtime and our own limits say.
const ERRORS: &[(&str, Fault)] = &[
    ("D1_ERROR: Network connection lost.", Fault::Nobodys),
    (
        "D1_ERROR: D1 DB reset because its code was updated.",
        Fault::Nobodys,
    ),
    (
        "Internal error while starting up D1 DB storage caused object to be reset.",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
        Fault::Nobodys,
    ),
    (
        "Cannot resolve D1 DB due to transient issue on remote node.",
        Fault::Nobodys,
    ),
    (
        "Can't read from request stream because client disconnected.",
        Fault::Nobodys,
    ),
    (
        "D1 DB storage operation exceeded timeout which caused object to be reset.",
        Fault::Nobodys,
    ),
    (
        "D1 DB exceeded its CPU time limit and was reset.",
        Fault::Nobodys,
    ),
    (
        "D1 DB's isolate exceeded its memory limit and was reset.",
        Fault::Nobodys,
    ),
    ("Memory limit would be exceeded before EOF.", Fault::Nobodys),
    (
        "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
        Fault::Nobodys,
    ),
    (
        "D1 DB is overloaded. Too many requests queued.",
        Fault::Nobodys,
    ),
    ("D1_ERROR: Exceeded maximum DB size.", Fault::Nobodys),
    (
        "Your account has exceeded D1's maximum account storage limit, please contact Cloudflare to raise your limit",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: database or disk is full: SQLITE_FULL",
        Fault::Nobodys,
    ),
    ("D1_ERROR: database is locked: SQLITE_BUSY", Fault::Nobodys),
    (
        "D1_ERROR: disk I/O error: SQLITE_IOERR (extended: SQLITE_IOERR_WRITE)",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: database disk image is malformed: SQLITE_CORRUPT",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: no such table: notices: SQLITE_ERROR",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: no such column: generation at offset 12: SQLITE_ERROR",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: table records has no column named epoch: SQLITE_ERROR",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint: SQLITE_ERROR",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: attempt to write a readonly database: SQLITE_READONLY",
        Fault::Nobodys,
    ),
    (
        "Too many API requests by single worker invocation.",
        Fault::Nobodys,
    ),
    ("Too many subrequests.", Fault::Nobodys),
    ("no answer within 10000 ms", Fault::Nobodys),
    (
        "Cannot read properties of undefined (reading 'prepare')",
        Fault::Nobodys,
    ),
    (
        "D1_ERROR: NOT NULL constraint failed: records.fields: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)",
        Fault::Event,
    ),
    (
        "D1_ERROR: refused: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_TRIGGER)",
        Fault::Event,
    ),
    (
        "D1_ERROR: string or blob too big: SQLITE_TOOBIG",
        Fault::Event,
    ),
    ("D1_ERROR: malformed JSON: SQLITE_ERROR", Fault::Event),
    ("D1_ERROR: datatype mismatch: SQLITE_MISMATCH", Fault::Event),
    ("D1_ERROR: something new", Fault::Unknown),
    (
        "D1_ERROR: near \"FORM\": syntax error: SQLITE_ERROR",
        Fault::Unknown,
    ),
    ("unknown error", Fault::Unknown),
    ("", Fault::Unknown),
];

#[test]
fn errors_are_told_apart() {
    for (text, fault) in ERRORS {
        assert_eq!(Fault::of(text), *fault, "{text}");
    }
}

/// Whatever fails, no message is retried until it is dead, and none is left to
/// its ledger before half a minute is over.
#[test]
fn no_message_is_retried_to_death() {
    let retries = records_retries();
    assert!(retries >= i64::from(ATTEMPTS_MAX) - 1);
    for (fault, attempts) in [
        (Fault::Nobodys, NOBODYS_ATTEMPTS),
        (Fault::Event, ATTEMPTS_MAX),
        (Fault::Unknown, ATTEMPTS_MAX),
    ] {
        let mut pauses_s = Vec::new();
        for attempt in 1..attempts {
            match Verdict::failed(attempt, fault) {
                Verdict::Retry(pause_s) => pauses_s.push(pause_s),
                verdict => panic!("{fault:?}, attempt {attempt}: {verdict:?}"),
            }
        }
        assert!(pauses_s.is_sorted() && pauses_s.iter().sum::<u32>() > 30);
        for attempt in [attempts, attempts + 1, u32::MAX] {
            assert_eq!(Verdict::failed(attempt, fault), Verdict::Leave);
        }
    }
}

/// The names in the configuration, and those of a second environment.
#[test]
fn the_dead_letter_queue_is_known_by_its_name() {
    let consumers = consumers();
    let dead: BTreeSet<&str> = consumers
        .iter()
        .filter_map(|consumer| consumer.get("dead_letter_queue")?.as_str())
        .collect();
    for consumer in &consumers {
        let queue = consumer["queue"].as_str().unwrap();
        assert_eq!(
            is_dead_letter_queue(queue, None),
            dead.contains(queue),
            "{queue}"
        );
    }
    for queue in [
        "leasewire-staging-dead",
        "leasewire-dead-staging",
        "eu_leasewire_DLQ",
    ] {
        assert!(is_dead_letter_queue(queue, None), "{queue}");
    }
    for queue in ["leasewire-staging-records", "deadline-records", "records"] {
        assert!(!is_dead_letter_queue(queue, None), "{queue}");
    }
    assert!(is_dead_letter_queue("graveyard", Some("graveyard")));
    assert!(!is_dead_letter_queue("leasewire-dead", Some("graveyard")));
}
