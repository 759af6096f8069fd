//! Which secret was used, when: how often it is written down, and what
//! `GET /v1/sources` tells of it.

mod common;

use common::{Database, at, source};
use leasewire::filter::Filter;
use leasewire::secret::{
    Binding, Listed, NOTE_INTERVAL_S, Noted, missing, note, page, select_uses,
};
use leasewire::signature::fingerprint;
use leasewire::source::Source;
use leasewire::time::Timestamp;

const NOW: &str = "2026-03-25T15:00:00.000000000Z";

fn d1() -> Database {
    let d1 = Database::default();
    let migration = include_str!("../migrations/0003_secrets.sql");
    d1.connection.execute_batch(migration).unwrap();
    d1
}

/// What D1 gives for the page.
fn rows(d1: &Database) -> String {
    let rows: Vec<Vec<String>> = d1
        .dump(select_uses().sql)
        .iter()
        .map(|row| row.split('|').map(str::to_owned).collect())
        .collect();
    serde_json::to_string(&rows).unwrap()
}

/// The page on one source with these bindings.
fn one(source: &Source, bindings: &[(&str, &str)], d1: &Database) -> String {
    let bindings: Vec<_> = bindings
        .iter()
        .map(|(name, text)| Binding::new(name, text))
        .collect();
    let listed = Listed {
        name: &source.name,
        source: Some(source),
        problem: missing(&source.name, &bindings),
        bindings,
    };
    page(&[listed], None, &rows(d1)).unwrap()
}

/// The `secrets` of that page.
fn secrets(source: &Source, bindings: &[(&str, &str)], d1: &Database) -> String {
    let page = one(source, bindings, d1);
    let (_, secrets) = page.split_once(r#""secrets":"#).unwrap();
    secrets.strip_suffix("}]}").unwrap().to_owned()
}

#[test]
fn a_use_is_written_down_seldom() {
    let mut noted = Noted::default();
    let start = at(NOW);
    let table = [
        (1, 0, true),
        (1, 0, false),
        (2, 0, true),
        (1, NOTE_INTERVAL_S - 1, false),
        (2, NOTE_INTERVAL_S, true),
        (1, NOTE_INTERVAL_S, true),
        (1, NOTE_INTERVAL_S + 1, false),
        (1, 2 * NOTE_INTERVAL_S, true),
    ];
    for (position, after_s, due) in table {
        let now = start.plus_s(after_s);
        assert_eq!(noted.is_due(position, now), due, "{position} {after_s}");
    }
    // A clock that was ahead doesn't silence it for longer than that.
    assert!(noted.is_due(1, start.minus_s(86_400)));
    assert!(!noted.is_due(1, start.minus_s(86_399)));
}

#[test]
fn the_page_of_a_rotation() {
    let (d1, source) = (d1(), source("propexo"));
    let used = |at: Timestamp, value| d1.run(&note("propexo", value, at));
    let show = |text| secrets(&source, &[("SECRET", text)], &d1);
    assert_eq!(
        show("old"),
        r#"[{"binding":"SECRET","set":true,"values":[{"position":1,"last_used_at":null}]}]"#
    );
    used(at(NOW), "old");
    used(at("2026-03-25T15:10:00Z"), "new");
    // The last use goes with the value, whatever its position.
    let (was, is) = (NOW, "2026-03-25T15:10:00.000000000Z");
    for (text, first, second) in [("old new", was, is), ("new old", is, was)] {
        assert_eq!(
            show(text),
            format!(
                r#"[{{"binding":"SECRET","set":true,"values":[{{"position":1,"last_used_at":"{first}"}},{{"position":2,"last_used_at":"{second}"}}]}}]"#
            )
        );
    }
    assert_eq!(
        secrets(
            &source,
            &[("A", "new"), ("B", ""), ("C", " never old")],
            &d1
        ),
        format!(
            r#"[{{"binding":"A","set":true,"values":[{{"position":1,"last_used_at":"{is}"}}]}},{{"binding":"B","set":false,"values":[]}},{{"binding":"C","set":true,"values":[{{"position":2,"last_used_at":null}},{{"position":3,"last_used_at":"{was}"}}]}}],"problem":"source `propexo`: the secret B is missing or empty; set it with `wrangler secret put B`, locally in .dev.vars""#
        )
    );
    // Not another source's.
    let mut other = source.clone();
    other.name = "other".to_owned();
    assert!(secrets(&other, &[("SECRET", "old")], &d1).contains("null"));
}

#[test]
fn a_use_never_becomes_older() {
    let d1 = d1();
    for time in [
        "15:00:00Z",
        "14:00:00Z",
        "15:00:00.5Z",
        "15:00:00.25Z",
        "15:00:00Z",
    ] {
        d1.run(&note("s", "value", at(&format!("2026-03-25T{time}"))));
    }
    let latest = d1.dump("SELECT last_used_at FROM secrets_used");
    assert_eq!(latest, ["2026-03-25T15:00:00.500000000Z"]);
}

#[test]
fn what_d1_has_is_no_secret() {
    let d1 = d1();
    d1.run(&note("propexo", "a-secret", at(NOW)));
    assert_eq!(
        d1.dump("SELECT * FROM secrets_used"),
        [format!(
            "propexo|{}|{NOW}",
            fingerprint("propexo", b"a-secret")
        )]
    );
    // 8 digits, whatever the secret, and others for each source.
    let long = "x".repeat(1_000);
    let prints: Vec<_> = [("s", "a"), ("s", "b"), ("t", "a"), ("s", &long)]
        .iter()
        .map(|(source, secret)| fingerprint(source, secret.as_bytes()))
        .collect();
    for (n, print) in prints.iter().enumerate() {
        assert!(print.len() == 8 && print.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(!prints.iter().take(n).any(|other| other == print));
    }
    // They stay what they are: D1 keeps them. From Python's hmac.
    assert_eq!(fingerprint("propexo", b"development-only-propexo"), PYTHONS);
}

const PYTHONS: &str = "f3735807";

#[test]
fn settings_and_problems() {
    let d1 = d1();
    let source = source("real-estate");
    assert_eq!(
        one(&source, &[("SECRET", "")], &d1),
        r#"{"sources":[{"name":"real-estate","dialect":"real-estate","default_integration":"default","accepted_age_s":86400,"dedupe_window_s":172800,"retention_days":30,"filters":{"models":null,"events":null,"properties":null},"secrets":[{"binding":"SECRET","set":false,"values":[]}],"problem":"source `real-estate`: the secret SECRET is missing or empty; set it with `wrangler secret put SECRET`, locally in .dev.vars"}]}"#
    );
    let mut filtered = source.clone();
    let some = |name: &str| Some(vec![name.to_owned()]);
    filtered.filter = Filter::new(some("unit"), None, some("prop_*")).into();
    assert!(
        one(&filtered, &[("SECRET", "a")], &d1)
            .contains(r#""filters":{"models":["units"],"events":null,"properties":["prop_*"]}"#)
    );
    let refused = Listed {
        name: "a",
        source: None,
        bindings: Vec::new(),
        problem: Some("why".to_owned()),
    };
    assert_eq!(
        page(&[refused], None, "[]").unwrap(),
        r#"{"sources":[{"name":"a","problem":"why"}]}"#
    );
    assert_eq!(
        page(&[], Some("no table"), "[]").unwrap(),
        r#"{"sources":[],"problem":"no table"}"#
    );
    assert_eq!(page(&[], None, "oops"), None);
}
