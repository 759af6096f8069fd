//! Which secret was used, when: how often it is written down, and what
//! `GET /v1/sources` tells of it.

use leasewire::dialect::filter::Filter;
use leasewire::edge::secret::{
    Binding, Listed, NOTE_INTERVAL_S, Noted, missing, note, note_shared, page, select_uses, values,
};
use leasewire::edge::source::{Source, Sources};
use leasewire::signature::fingerprint;
use leasewire::time::Timestamp;

use crate::common::{Database, at, source};

const NOW: &str = "2026-03-25T15:00:00.000000000Z";

fn d1() -> Database {
    let d1 = Database::default();
    d1.migrate();
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
    let listed = Listed::new(&source.name, Ok(source), bindings);
    page(&[listed], None, &rows(d1)).unwrap()
}

/// The `secrets` of that page.
fn secrets(source: &Source, bindings: &[(&str, &str)], d1: &Database) -> String {
    let page = one(source, bindings, d1);
    let (_, secrets) = page.split_once(r#""secrets":"#).unwrap();
    secrets.strip_suffix("}]}").unwrap().to_owned()
}

/// A secret may be a phrase; only lines tell several apart.
#[test]
fn a_binding_is_one_secret_or_one_a_line() {
    let table: [(&str, &[&str]); 14] = [
        ("secret", &["secret"]),
        ("correct horse a staple", &["correct horse a staple"]),
        (
            "  two  blanks\twithin \u{a0}it ",
            &["two  blanks\twithin \u{a0}it"],
        ),
        ("old\nnew", &["old", "new"]),
        ("old\r\nnew\r\n", &["old", "new"]),
        ("old\rnew", &["old", "new"]),
        ("\n\n old \n \t \n\nnew\n", &["old", "new"]),
        ("an old one\na new one", &["an old one", "a new one"]),
        // No lines, though some call them so.
        (
            "a\u{85}b\u{2028}c\u{b}d\u{c}e",
            &["a\u{85}b\u{2028}c\u{b}d\u{c}e"],
        ),
        (r"a\nb", &[r"a\nb"]),
        ("same\nsame", &["same", "same"]),
        ("", &[]),
        (" \n\t\r\n", &[]),
        ("\u{3000}wide\u{3000}", &["wide"]),
    ];
    for (text, expected) in table {
        assert_eq!(values(text).collect::<Vec<_>>(), expected, "{text:?}");
        assert_eq!(Binding::new("S", text).values, expected, "{text:?}");
    }
}

/// Where a name belongs somebody may write the secret itself, and one of
/// letters and digits could be a name. What isn't set is told by its place,
/// unless it can only be meant as a name.
#[test]
fn a_missing_binding_is_named_if_that_is_its_name() {
    let named = |name: &str| missing("a", &[Binding::new("S", "x"), Binding::new(name, " ")]);
    for name in [
        "PROPEXO_SECRET",
        "PROPEXO_SECRET_2",
        "SECRET2_OF_X",
        "WEBHOOK_1",
    ] {
        let expected = format!(
            "source `a`: the secret {name} is missing or empty; set it with \
             `wrangler secret put {name}`, locally in .dev.vars"
        );
        assert_eq!(named(name), Some(expected));
    }
    let hidden = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "f3a9c1",
        "JBSWY3DPEHPK3PXP",
        "SECRET",
        "Propexo_Secret",
        "WHSEC_A1B2C3",
        "_",
        "A__B",
    ];
    let source = source("propexo");
    for name in hidden {
        let said = named(name).unwrap();
        assert_eq!(
            said,
            "source `a`: binding 2 of those that `secret` names is missing or empty; set it with \
             `wrangler secret put NAME`, locally in .dev.vars"
        );
        let page = one(&source, &[("GOOD", "x"), (name, "")], &d1());
        assert!(page.contains(r#"{"binding":null,"set":false,"values":[]}"#));
        assert!(!page.contains(&format!("{name}\"")), "{page}");
        // One that is set is the name of something.
        let page = one(&source, &[(name, "x")], &d1());
        assert!(page.contains(&format!(r#"{{"binding":"{name}","set":true"#)));
    }
    assert_eq!(missing("a", &[Binding::new("lower", "x")]), None);
}

/// Whoever can sign for one source must not be able to sign for another.
#[test]
fn a_secret_of_two_sources_is_a_problem() {
    let source = source("propexo");
    let listed = |name, texts: &[&str]| {
        let bindings = texts.iter().map(|text| Binding::new("S", text)).collect();
        Listed::new(name, Ok(&source), bindings)
    };
    let mut all = [
        listed("a", &["one\ntwo"]),
        listed("b", &["three", "two"]),
        listed("c", &["four\nfour"]),
        listed("d", &["one two"]),
        listed("e", &["three", ""]),
        listed("f", &["token"]),
    ];
    let tokens = ["other", "token"].map(str::to_owned);
    note_shared(&mut all, &tokens);
    let shares = |name: &str, with: &str| {
        Some(format!(
            "source `{name}`: it shares a secret with {with}, so that who can sign for one can \
             sign for both; give each its own"
        ))
    };
    assert_eq!(all[0].problem, shares("a", "source `b`"));
    assert_eq!(all[1].problem, shares("b", "source `e`"));
    assert_eq!(all[2].problem, None);
    assert_eq!(all[3].problem, None);
    // What keeps a source from being used comes first.
    assert!(all[4].problem.as_ref().unwrap().contains("is missing"));
    assert_eq!(all[5].problem, shares("f", "API_TOKEN"));
    let usable = all.each_ref().map(|listed| listed.usable);
    assert_eq!(usable, [true, true, true, true, false, true]);
    let page = page(&all, None, "[]").unwrap();
    assert!(page.contains(r#"{"name":"a","usable":true,"#), "{page}");
    assert!(!page.contains("three") && !page.contains("token"), "{page}");
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
    for (text, first, second) in [("old\nnew", was, is), ("new\nold", is, was)] {
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
            &[("A", "new"), ("SECRET_B", ""), ("C", " never\r\n old \n")],
            &d1
        ),
        format!(
            r#"[{{"binding":"A","set":true,"values":[{{"position":1,"last_used_at":"{is}"}}]}},{{"binding":"SECRET_B","set":false,"values":[]}},{{"binding":"C","set":true,"values":[{{"position":2,"last_used_at":null}},{{"position":3,"last_used_at":"{was}"}}]}}],"problem":"source `propexo`: the secret SECRET_B is missing or empty; set it with `wrangler secret put SECRET_B`, locally in .dev.vars""#
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
        one(&source, &[("A_SECRET", "")], &d1),
        r#"{"sources":[{"name":"real-estate","usable":false,"dialect":"real-estate","default_integration":"default","accepted_age_s":86400,"dedupe_window_s":172800,"retention_days":30,"filters":{"models":null,"events":null,"properties":null},"secrets":[{"binding":"A_SECRET","set":false,"values":[]}],"problem":"source `real-estate`: the secret A_SECRET is missing or empty; set it with `wrangler secret put A_SECRET`, locally in .dev.vars"}]}"#
    );
    let mut filtered = source.clone();
    let some = |name: &str| Some(vec![name.to_owned()]);
    filtered.filter = Filter::new(some("unit"), None, some("prop_*")).into();
    assert!(
        one(&filtered, &[("SECRET", "a")], &d1)
            .contains(r#""filters":{"models":["units"],"events":null,"properties":["prop_*"]}"#)
    );
    let sources = Sources::parse(r#"{"a":7}"#).unwrap();
    let why = sources.named("a").unwrap().as_ref().err().unwrap();
    let refused = Listed::new("a", Err(why), Vec::new());
    assert_eq!(
        page(&[refused], None, "[]").unwrap(),
        r#"{"sources":[{"name":"a","usable":false,"problem":"source `a`: its settings are not a table"}]}"#
    );
    assert_eq!(
        page(&[], Some("no table"), "[]").unwrap(),
        r#"{"sources":[],"problem":"no table"}"#
    );
    assert_eq!(page(&[], None, "oops"), None);
}
