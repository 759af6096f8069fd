//! What a filter leaves out is kept, not forwarded, and costs no record.

use std::rc::Rc;

use leasewire::dialect::filter::Filter;
use leasewire::edge::delivery::Delivery;
use leasewire::edge::source::Sources;
use leasewire::ledger::{Ledger, Outcome};

use crate::common::{Database, at, delivery, named};

/// The filter of a source with these settings.
fn filter(settings: &str) -> Result<Rc<Filter>, String> {
    let json = format!(r#"{{"s":{{"dialect":"propexo","secret":"S",{settings}}}}}"#);
    let sources = Sources::parse(&json).unwrap();
    match sources.named("s").unwrap() {
        Ok(source) => Ok(source.filter.clone()),
        Err(why) => Err(why.to_string()),
    }
}

fn sent(settings: &str, body: &str) -> Delivery {
    Delivery {
        filter: filter(settings).unwrap(),
        ..delivery("propexo", "i", body)
    }
}

fn diff(model: &str, id: &str, more: &str) -> String {
    format!(
        r#"{{"event":"DATA_UPDATE","object":"{model}","record_id":"{id}","diff":{{"previous":{{}},"new":{{{more}}}}}}}"#
    )
}

/// What becomes of `body`, as the only one.
fn outcome(settings: &str, body: &str) -> &'static str {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-03-01T00:00:00Z");
    let taken = ledger.intake(&sent(settings, body), now).unwrap();
    match taken.outcome {
        Outcome::Ignored(why) => why.label(),
        other => other.label(),
    }
}

#[test]
fn by_model_event_and_property() {
    let lease = diff("leases", "l1", r#""property_id":"p1""#);
    let job = r#"{"event":"JOB_SUCCESS","job_id":"j1"}"#;
    let property = diff("property", "p1", r#""name":"x""#);
    let in_context = r#"{"event":"DATA_NEW","object":"units","record_id":"u1","payload":{"a":1},"context":{"property_id":"p1"},"meta":{"object":"units"}}"#;
    let left = r#"{"meta":{"object":"units"},"record_id":"u1","diff":{"previous":{"property_id":"p1"},"new":{"property_id":"p2"}}}"#;
    let number = diff("leases", "l1", r#""property_id":17"#);
    let cases: &[(&str, &str, &str)] = &[
        (r#""models":["leases"]"#, &lease, "accepted"),
        (r#""models":["lease"]"#, &lease, "accepted"),
        (r#""models":["lea*"]"#, &lease, "accepted"),
        (r#""models":["*"]"#, &lease, "accepted"),
        (r#""models":["units","resid*"]"#, &lease, "model"),
        (r#""models":["units"]"#, job, "accepted"),
        (r#""events":["DATA_*"]"#, &lease, "accepted"),
        (r#""events":["record.updated"]"#, &lease, "accepted"),
        (r#""events":["JOB_FAILURE"]"#, &lease, "event"),
        (r#""events":["JOB_FAILURE"]"#, job, "event"),
        (r#""events":["data_update"]"#, &lease, "event"),
        (r#""properties":["p1"]"#, &lease, "accepted"),
        (r#""properties":["p*"]"#, &lease, "accepted"),
        (r#""properties":["p2"]"#, &lease, "property"),
        (r#""properties":["17"]"#, &number, "accepted"),
        (r#""properties":["p1"]"#, &property, "accepted"),
        (r#""properties":["p2"]"#, &property, "property"),
        (r#""properties":["p1"]"#, in_context, "accepted"),
        (r#""properties":["p2"]"#, in_context, "property"),
        (r#""properties":["p1"]"#, left, "accepted"),
        (r#""properties":["p2"]"#, left, "accepted"),
        (r#""properties":["p3"]"#, left, "property"),
        (r#""properties":["p1"]"#, job, "accepted"),
        (r#""properties":["p1"]"#, "junk", "quarantined"),
    ];
    for (settings, body, expected) in cases {
        assert_eq!(outcome(settings, body), *expected, "{settings}: {body}");
    }
    let unknown = diff("residents", "r1", r#""name":"x""#);
    assert_eq!(outcome(r#""properties":["p1"]"#, &unknown), "no_property");
}

/// The event that takes a record out of a linked property is let through, or
/// it would stay there for ever; what comes after it is not.
#[test]
fn a_record_that_leaves_a_linked_property_is_seen_leaving() {
    let whole = |n: u8, fields: &str, more: &str| {
        format!(
            r#"{{"event":"data.update","timestamp":"2026-02-28T10:00:0{n}Z","connection_id":"i","resource_type":"lease","data":{{"id":"l1",{fields}}}{more}}}"#
        )
    };
    let in_context = |n: u8, property: &str| {
        format!(
            r#"{{"event":"DATA_UPDATE","job_id":"j{n}","object":"leases","record_id":"l1","diff":{{"previous":{{}},"new":{{"n":{n}}}}},"context":{{"property_id":"{property}"}},"meta":{{"object":"leases"}}}}"#
        )
    };
    let property = |id: &str| format!(r#""property_id":"{id}""#);
    let cases: [(&str, Vec<(String, &str)>); 4] = [
        (
            "meterbase",
            vec![
                (whole(1, &property("p1"), ""), "accepted"),
                (whole(2, &property("p2"), ""), "accepted"),
                (whole(3, &property("p2"), ""), "property"),
                (whole(4, &property("p1"), ""), "accepted"),
                // What states none leaves it as well.
                (whole(5, r#""rent":1"#, ""), "accepted"),
                (whole(6, r#""rent":2"#, ""), "no_property"),
            ],
        ),
        // The record isn't known, and the event says where it was.
        (
            "meterbase",
            vec![(
                whole(
                    1,
                    &property("p2"),
                    r#","changes":{"property_id":{"old":"p1","new":"p2"}}"#,
                ),
                "accepted",
            )],
        ),
        (
            "propexo",
            vec![
                (diff("leases", "l1", &property("p1")), "accepted"),
                (diff("leases", "l1", &property("p2")), "accepted"),
                (
                    diff("leases", "l1", r#""property_id":"p2","a":1"#),
                    "property",
                ),
            ],
        ),
        (
            "propexo",
            vec![
                (in_context(1, "p1"), "accepted"),
                (diff("leases", "l1", &property("p1")), "accepted"),
                (in_context(2, "p2"), "accepted"),
            ],
        ),
    ];
    for (dialect, events) in cases {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        for (body, expected) in events {
            let delivery = Delivery {
                filter: filter(r#""properties":["p1"]"#).unwrap(),
                ..delivery(dialect, "i", &body)
            };
            let taken = ledger
                .intake(&delivery, at("2026-03-01T00:00:00Z"))
                .unwrap();
            let outcome = match taken.outcome {
                Outcome::Ignored(why) => why.label(),
                other => other.label(),
            };
            assert_eq!(outcome, expected, "{body}");
        }
    }
}

#[test]
fn filters_that_can_not_be_meant_are_refused() {
    for (settings, field) in [
        (r#""models":[]"#, "`models` is empty"),
        (r#""events":["a",""]"#, "`events` has the name \"\""),
        (
            r#""properties":["a*b"]"#,
            "`properties` has the name \"a*b\"",
        ),
        (r#""models":["a**"]"#, "`models` has the name \"a**\""),
        (r#""models":"leases""#, "`models` must be a list of texts"),
        (r#""model":["leases"]"#, "unknown field `model`"),
    ] {
        let why = filter(settings).unwrap_err();
        assert!(why.contains(field), "{settings}: {why}");
    }
}

/// An ignored event has a row of the log and its key, and nothing else.
#[test]
fn what_is_ignored_is_kept_and_not_forwarded() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-03-01T00:00:00Z");
    let only_p1 = r#""properties":["p1"]"#;
    let take = |ledger: &mut Ledger<&Database>, body: &str| {
        let taken = ledger.intake(&sent(only_p1, body), now).unwrap();
        (taken.outcome.label(), taken.seq)
    };
    let foreign = diff("leases", "l2", r#""property_id":"p2""#);
    assert_eq!(take(&mut ledger, &foreign), ("ignored", 1));
    assert!(!ledger.has_unsettled());
    assert_eq!(take(&mut ledger, &foreign), ("duplicate", 1));
    let own = diff("leases", "l1", r#""property_id":"p1""#);
    assert_eq!(take(&mut ledger, &own), ("accepted", 2));
    // The change alone doesn't say to which property the record belongs.
    assert_eq!(
        take(&mut ledger, &diff("leases", "l1", r#""a":1"#)),
        ("accepted", 3)
    );
    assert_eq!(
        take(&mut ledger, &diff("leases", "l2", r#""a":1"#)),
        ("ignored", 4)
    );
    let other = diff("leases", "l3", r#""property_id":"p3""#);
    assert_eq!(take(&mut ledger, &other), ("ignored", 5));
    let mut ledger = Ledger::open(&database).unwrap();
    assert_eq!(take(&mut ledger, &foreign), ("duplicate", 1));

    assert_eq!(database.dump("SELECT record_id FROM records"), ["l1"]);
    let batch = ledger.next_batch().unwrap();
    let numbers: Vec<_> = batch
        .packs
        .iter()
        .map(|pack| (pack.first, pack.last))
        .collect();
    assert_eq!(numbers, [(2, 3)]);
    ledger.confirm(named(2, 3, 0), now).unwrap();
    let state = ledger.state().unwrap().unwrap();
    assert_eq!(
        (state.confirmed_seq, state.pending, state.unconfirmed),
        (5, 0, 0)
    );
    assert_eq!(ledger.data(1).unwrap(), None);

    let page = ledger.events(0, 10).unwrap();
    let statuses: Vec<_> = page.match_indices(r#""status":"ignored""#).collect();
    assert_eq!(statuses.len(), 3);
    assert!(page.contains(r#""reason":"property""#) && page.contains(r#""reason":"no_property""#));
}

#[test]
fn unlinked_properties_are_listed_until_they_are_linked() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-03-01T00:00:00Z");
    for (n, property) in ["p3", "p2", "p3", "p1", "p4"].into_iter().enumerate() {
        let body = diff(
            "leases",
            &format!("l{n}"),
            &format!(r#""property_id":"{property}""#),
        );
        ledger
            .intake(&sent(r#""properties":["p1"]"#, &body), now)
            .unwrap();
    }
    let page = |filter: &str, after, limit| {
        let filter = self::filter(filter).unwrap();
        ledger.unlinked(after, limit, &filter).unwrap()
    };
    let entry = |id: &str, seq: u64| {
        format!(
            r#"{{"property_id":"{id}","first_seq":{seq},"first_seen_at":"2026-03-01T00:00:00.000000000Z"}}"#
        )
    };
    let (p2, p3, p4) = (entry("p2", 2), entry("p3", 1), entry("p4", 5));
    let only = |id| format!(r#""properties":["{id}"]"#);
    assert_eq!(
        page(&only("p1"), "", 10),
        format!(r#"{{"properties":[{p2},{p3},{p4}],"next":null}}"#)
    );
    assert_eq!(
        page(&only("p1"), "", 1),
        format!(r#"{{"properties":[{p2}],"next":"p2"}}"#)
    );
    assert_eq!(
        page(&only("p2"), "", 1),
        format!(r#"{{"properties":[{p3}],"next":"p3"}}"#)
    );
    assert_eq!(
        page(&only("p2"), "p3", 2),
        format!(r#"{{"properties":[{p4}],"next":null}}"#)
    );
}
