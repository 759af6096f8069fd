//! Which page of a list is asked for.

use leasewire::api::Route;
use leasewire::problem::Problem;

use super::routes::{LIMIT, dead, event, events, get, integrations, quarantine, records};

const AFTER_NUMBER: Problem =
    Problem::BadParameter("after", "a whole number from 0 to 9007199254740991");
const AFTER_NAMES: Problem = Problem::BadParameter("after", "the `next` of the page before");
const SEQ: Problem = Problem::BadParameter("seq", "a whole number from 0 to 9007199254740991");

#[test]
fn limits() {
    let table = [
        ("1", Ok(1)),
        ("2", Ok(2)),
        ("100", Ok(100)),
        ("499", Ok(499)),
        ("500", Ok(500)),
        ("%35%30", Ok(50)),
        ("0", Err(LIMIT)),
        ("501", Err(LIMIT)),
        ("-1", Err(LIMIT)),
        ("1.0", Err(LIMIT)),
        ("1e2", Err(LIMIT)),
        ("0x10", Err(LIMIT)),
        (" 5", Err(LIMIT)),
        ("5%20", Err(LIMIT)),
        ("+5", Err(LIMIT)),
        ("", Err(LIMIT)),
        ("many", Err(LIMIT)),
        ("NaN", Err(LIMIT)),
        ("٥", Err(LIMIT)),
        ("%FF", Err(LIMIT)),
        ("18446744073709551616", Err(LIMIT)),
    ];
    for (text, expected) in table {
        let query = format!("limit={text}");
        let lists = [
            ("/v1/integrations", integrations as fn(_, _) -> _),
            ("/v1/integrations/s/i/records/leases", |_, limit| {
                records("leases", None, limit)
            }),
            ("/v1/integrations/s/i/events", |_, limit| {
                events(None, limit)
            }),
            ("/v1/integrations/s/i/quarantine", |_, limit| {
                quarantine(None, limit)
            }),
            ("/v1/integrations/s/i/dead", |_, limit| dead(None, limit)),
        ];
        for (path, route) in lists {
            let expected = expected.clone().map(|limit| route(None, limit));
            assert_eq!(get(path, &query), expected, "{path} {query}");
        }
    }
    let repeated = [
        ("limit=5&limit=6", Ok(integrations(None, 6))),
        ("limit=5&limit=0", Err(LIMIT)),
        ("limit=0&limit=5", Err(LIMIT)),
        ("limit", Err(LIMIT)),
        ("?limit=7", Ok(integrations(None, 7))),
        ("x=1&limit=7&y=2", Ok(integrations(None, 7))),
    ];
    for (query, expected) in repeated {
        assert_eq!(get("/v1/integrations", query), expected, "{query}");
    }
}

#[test]
fn records_after_an_id() {
    let table = [
        ("after=lease_9", "lease_9"),
        ("after=", ""),
        ("after=a%2Fb", "a/b"),
        ("after=a/b", "a/b"),
        ("after=a+b", "a b"),
        ("after=a%2Bb", "a+b"),
        ("after=%26%3D%3F", "&=?"),
        ("after=a=b", "a=b"),
        ("after=%F0%9F%8F%A0", "🏠"),
        ("after=%22%27", "\"'"),
        ("after=17", "17"),
        ("after=1&after=2", "2"),
    ];
    for (query, after) in table {
        assert_eq!(
            get("/v1/integrations/s/i/records/leases", query),
            Ok(records("leases", Some(after), 100)),
            "{query}"
        );
    }
    assert_eq!(
        get(
            "/v1/integrations/s/i/records/leases",
            "after=lease_9&limit=2"
        ),
        Ok(records("leases", Some("lease_9"), 2))
    );
}

#[test]
fn events_after_a_number() {
    let table = [
        ("0", Ok(0)),
        ("17", Ok(17)),
        ("9007199254740991", Ok(9_007_199_254_740_991)),
        ("9007199254740992", Err(())),
        ("18446744073709551615", Err(())),
        ("18446744073709551616", Err(())),
        ("-1", Err(())),
        ("1.0", Err(())),
        ("1e3", Err(())),
        ("", Err(())),
        ("last", Err(())),
        ("%FF", Err(())),
    ];
    for (text, expected) in table {
        let lists = [
            ("events", events as fn(_, _) -> _),
            ("quarantine", quarantine),
            ("dead", dead),
        ];
        for (list, route) in lists {
            assert_eq!(
                get(
                    &format!("/v1/integrations/s/i/{list}"),
                    &format!("after={text}")
                ),
                expected
                    .map(|seq| route(Some(seq), 100))
                    .map_err(|()| AFTER_NUMBER),
                "{list} {text}"
            );
        }
        if !text.is_empty() {
            let bad = if text == "%FF" {
                Problem::NotFound
            } else {
                SEQ
            };
            assert_eq!(
                get(&format!("/v1/integrations/s/i/events/{text}"), ""),
                expected.map(event).map_err(|()| bad),
                "{text}"
            );
        }
    }
    assert_eq!(
        get("/v1/integrations/s/i/events", "limit=1&after=2"),
        Ok(events(Some(2), 1))
    );
}

#[test]
fn integrations_after_a_name() {
    let table = [
        ("after=propexo/int_1", Ok(("propexo", "int_1"))),
        ("after=propexo%2Fint_1", Ok(("propexo", "int_1"))),
        // Encoded once for the cursor, and once more for the query.
        ("after=propexo%2Fa%252Fb", Ok(("propexo", "a/b"))),
        ("after=propexo/a%252Fb", Ok(("propexo", "a/b"))),
        // A client that forgets the second one is understood.
        ("after=propexo/a%2Fb", Ok(("propexo", "a/b"))),
        ("after=propexo/100%25", Ok(("propexo", "100%"))),
        ("after=propexo/", Ok(("propexo", ""))),
        ("after=/", Ok(("", ""))),
        ("after=", Err(AFTER_NAMES)),
        ("after=propexo", Err(AFTER_NAMES)),
        ("after=17", Err(AFTER_NAMES)),
        ("after=propexo/%25FF", Err(AFTER_NAMES)),
        ("after=%25FF/int_1", Err(AFTER_NAMES)),
    ];
    for (query, expected) in table {
        assert_eq!(
            get("/v1/integrations", query),
            expected.map(|after| integrations(Some(after), 100)),
            "{query}"
        );
    }
}

#[test]
fn a_number_is_written_in_digits() {
    for text in ["%2B5", "5.0", "0x5", " 5"] {
        let refused = Route::parse("GET", "/v1/integrations", &format!("limit={text}"));
        assert!(matches!(refused, Err(Problem::BadParameter("limit", _))));
    }
}
