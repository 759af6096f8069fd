//! The pages that the API makes from D1, on a real database.

use leasewire::api::{Page, Query, Route, lists};
use leasewire::integration::IntegrationId;
use leasewire::problem::Problem;
use leasewire::sql::Statement;
use leasewire::sql::Value;
use proptest::prelude::*;

use crate::common::Database;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn page<T>(after: Option<T>, limit: u64) -> Page<T> {
    Page { after, limit }
}

fn of() -> IntegrationId {
    IntegrationId {
        source: "propexo".to_owned(),
        integration: "int_1".to_owned(),
    }
}

fn migrated() -> Database {
    let d1 = Database::default();
    d1.migrate();
    d1
}

/// Keeps an integration; gives it as the API does.
fn integration(d1: &Database, names: [&str; 2], last_seq: i64, times: [Option<&str>; 3]) -> String {
    let [source, integration] = names;
    let mut params = vec![text(source), text(integration), Value::Integer(last_seq)];
    params.extend(times.map(|time| time.map_or(Value::Null, text)));
    d1.run(&Statement {
        sql: "INSERT INTO integrations (source, integration, last_seq, first_synced_at,
                                        last_synced_at, last_event_at, bytes)
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, min(?3, 90112))",
        params,
    });
    let json = |value: &Option<&str>| serde_json::to_string(value).unwrap();
    format!(
        r#"{{"source":{},"integration":{},"epoch":0,"last_seq":{last_seq},"first_synced_at":{},"last_synced_at":{},"last_event_at":{},"bytes":{}}}"#,
        json(&Some(source)),
        json(&Some(integration)),
        json(&times[0]),
        json(&times[1]),
        json(&times[2]),
        last_seq.min(90_112),
    )
}

fn integrations(d1: &Database, after: Option<(&str, &str)>, limit: u64) -> String {
    let after = after.map(|(source, name)| (source.to_owned(), name.to_owned()));
    let rows = d1.select(&lists::select_integrations(&page(after, limit)));
    lists::integrations_page(&rows, limit).unwrap()
}

#[test]
fn a_page_of_integrations() {
    let d1 = migrated();
    let none = r#"{"integrations":[],"next":null}"#;
    assert_eq!(integrations(&d1, None, 1), none);
    let times = [
        Some("2026-03-25T15:00:00Z"),
        Some("2026-03-25T15:00:01Z"),
        Some("2026-03-25T15:00:02.000003Z"),
    ];
    let one = integration(&d1, ["propexo", "int_1"], 17, times);
    let odd = "Büro 1/2 \"%\"";
    let two = integration(&d1, ["real-estate", odd], 9_007_199_254_740_991, [None; 3]);
    for limit in [2, 500] {
        let both = format!(r#"{{"integrations":[{one},{two}],"next":null}}"#);
        assert_eq!(integrations(&d1, None, limit), both);
    }
    let first = format!(r#"{{"integrations":[{one}],"next":"propexo/int_1"}}"#);
    assert_eq!(integrations(&d1, None, 1), first);
    let second = format!(r#"{{"integrations":[{two}],"next":null}}"#);
    assert_eq!(integrations(&d1, Some(("propexo", "int_1")), 1), second);
    integration(&d1, ["z", "z"], 1, [None; 3]);
    let second =
        format!(r#"{{"integrations":[{two}],"next":"real-estate/B%C3%BCro%201%2F2%20%22%25%22"}}"#);
    assert_eq!(integrations(&d1, Some(("propexo", "int_1")), 1), second);
}

/// Keeps a record; gives it as the API does, with these fields.
fn record(
    d1: &Database,
    id: &str,
    version: i64,
    [fields, shown]: [&str; 2],
    flags: [bool; 2],
) -> String {
    let [partial, drift] = flags;
    d1.run(&Statement {
        sql: "INSERT INTO records (source, integration, model, record_id, version, fields, partial,
                                   drift, occurred_at, updated_at, gone_since)
              VALUES ('propexo', 'int_1', 'leases', ?1, ?2, ?3, ?4, ?5,
                      '2026-03-25T15:00:00Z', '2026-03-25T15:00:05.123Z',
                      iif(?5, '2026-02-01T00:00:00Z', NULL))
              ON CONFLICT DO UPDATE SET fields = excluded.fields, partial = excluded.partial,
                                        drift = excluded.drift, gone_since = excluded.gone_since",
        params: vec![
            text(id),
            Value::Integer(version),
            text(fields),
            Value::Integer(partial.into()),
            Value::Integer(drift.into()),
        ],
    });
    let gone = match drift {
        true => "\"2026-02-01T00:00:00Z\"",
        false => "null",
    };
    format!(
        r#"{{"source":"propexo","integration":"int_1","model":"leases","record_id":{},"version":{version},"generation":0,"epoch":0,"fields":{shown},"partial":{partial},"drift":{drift},"gone_since":{gone},"occurred_at":"2026-03-25T15:00:00Z","updated_at":"2026-03-25T15:00:05.123Z"}}"#,
        serde_json::to_string(id).unwrap(),
    )
}

/// Fields whose text must not change on its way.
const FIELDS: [&str; 5] = [
    "{}",
    r#"{"status":"approved","rent_in_cents":210000}"#,
    r#"{"price":750000.0,"tiny":1E-7,"id":9007199254740993,"huge":123456789012345678901234567890,"minus":-0,"far":1e999}"#,
    r#"{"b":1,"a":{"d":[],"c":null},"":true}"#,
    r#"{"name":"Jos\u00e9 \ud83c\udfe0","also":"José 🏠","half":"\ud83c","path":"a\/b","nul":"\u0000"}"#,
];

#[test]
fn one_record() {
    let d1 = migrated();
    let stored = |id: &str| lists::record(&d1.select(&lists::select_record(&of(), "leases", id)));
    for fields in FIELDS {
        for flags in [[false, false], [false, true], [true, false], [true, true]] {
            let shown = record(&d1, "lease_9", 17, [fields; 2], flags);
            assert_eq!(stored("lease_9"), Some(Ok(shown)));
        }
    }
    // White space means nothing.
    let spaced = [r#"{ "spaced" : [ 1 , 2 ] }"#, r#"{"spaced":[1,2]}"#];
    let shown = record(&d1, "lease_9", 17, spaced, [false; 2]);
    assert_eq!(stored("lease_9"), Some(Ok(shown)));
    let odd = "a/b \"🏠\"";
    let shown = record(&d1, odd, 9_007_199_254_740_991, ["{}"; 2], [false; 2]);
    assert_eq!(stored(odd), Some(Ok(shown)));
    assert_eq!(stored("lease"), Some(Err(Problem::Unknown("record"))));
}

#[test]
fn a_page_of_records() {
    let d1 = migrated();
    let records = |after: Option<&str>, limit| {
        let page = page(after.map(str::to_owned), limit);
        let rows = d1.select(&lists::select_records(&of(), "leases", &page));
        lists::records_page(&rows).unwrap()
    };
    assert_eq!(records(None, 1), r#"{"records":[],"next":null}"#);
    let a = record(&d1, "a", 1, [FIELDS[1]; 2], [true, false]);
    for limit in [1, 500] {
        let only = format!(r#"{{"records":[{a}],"next":null}}"#);
        assert_eq!(records(None, limit), only);
    }
    let b = record(&d1, "b/\"🏠\"", 2, [FIELDS[2]; 2], [false, true]);
    let c = record(&d1, "c", 3, [FIELDS[4]; 2], [false; 2]);
    let first = format!(r#"{{"records":[{a}],"next":"a"}}"#);
    assert_eq!(records(None, 1), first);
    let two = format!(r#"{{"records":[{a},{b}],"next":"b/\"🏠\""}}"#);
    assert_eq!(records(None, 2), two);
    let rest = format!(r#"{{"records":[{c}],"next":null}}"#);
    assert_eq!(records(Some("b/\"🏠\""), 2), rest);
    let all = format!(r#"{{"records":[{a},{b},{c}],"next":null}}"#);
    assert_eq!(records(None, 3), all);
}

#[test]
fn a_page_of_notices() {
    let d1 = migrated();
    let notices = |after: Option<(u64, &str)>, limit| {
        let page = page(after.map(|(seq, kind)| (seq, kind.to_owned())), limit);
        let rows = d1.select(&lists::select_notices(&of(), &page));
        lists::notices_page(&rows, limit).unwrap()
    };
    assert_eq!(notices(None, 1), r#"{"notices":[],"next":null}"#);
    let shown = [(9, "unit.occupied"), (9, "unit.vacated"), (10, "unit.vacated")].map(|(seq, kind)| {
        d1.run(&Statement {
            sql: "INSERT INTO notices (source, integration, seq, kind, model, record_id, at)
                  VALUES ('propexo', 'int_1', ?1, ?2, 'units', 'u', '2026-03-25T15:00:00Z')",
            params: vec![Value::Integer(seq), text(kind)],
        });
        format!(
            r#"{{"source":"propexo","integration":"int_1","seq":{seq},"kind":"{kind}","model":"units","record_id":"u","at":"2026-03-25T15:00:00Z","count":1}}"#
        )
    });
    let [a, b, c] = &shown;
    let first = format!(r#"{{"notices":[{a},{b}],"next":"9/unit.vacated"}}"#);
    assert_eq!(notices(None, 2), first);
    let rest = format!(r#"{{"notices":[{c}],"next":null}}"#);
    assert_eq!(notices(Some((9, "unit.vacated")), 2), rest);
    let behind = format!(r#"{{"notices":[{b},{c}],"next":null}}"#);
    assert_eq!(notices(Some((9, "unit.occupied")), 2), behind);
}

#[test]
fn rows_that_are_none() {
    for rows in ["", "null", "{}", "[{}]", "[[]]", "[[1]]", r#"[["{}"]"#] {
        assert_eq!(lists::integrations_page(rows, 1), None, "{rows}");
        assert_eq!(lists::records_page(rows), None, "{rows}");
        assert_eq!(lists::notices_page(rows, 1), None, "{rows}");
        assert_eq!(lists::record(rows), None, "{rows}");
    }
    assert!(lists::is_empty("[]"));
    assert!(!lists::is_empty("[[]]"));
}

/// Any name there can be.
fn name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("is usable", |name| {
        leasewire::dialect::event::is_usable_id(name)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What `next` says leads on from there, once encoded for the query and
    /// also where a client forgot that.
    #[test]
    fn the_next_page_of_integrations_starts_there(source in name(), name in name()) {
        let d1 = migrated();
        integration(&d1, [&source, &name], 1, [None; 3]);
        integration(&d1, [&format!("{source}~"), &name], 1, [None; 3]);
        let answer = integrations(&d1, None, 1);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        prop_assert_eq!(&answer["integrations"][0]["integration"], &name);
        let next = answer["next"].as_str().unwrap();
        let encoded: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("after", next)
            .finish();
        let expected = Route::Api(Query::Integrations(page(Some((source, name)), 100)));
        let parsed = Route::parse("GET", "/v1/integrations", &encoded);
        prop_assert_eq!(parsed, Ok(expected));
    }
}
