//! The configuration of sources: the one that is shipped, what stands in for
//! what is left out, and every refusal word for word.
use leasewire::edge::source::{Source, Sources};

/// Reads one source called `a`.
fn read(settings: &str) -> Result<Source, String> {
    read_named("a", settings)
}

fn read_named(name: &str, settings: &str) -> Result<Source, String> {
    let name_json = serde_json::to_string(name).unwrap();
    let sources = Sources::parse(&format!("{{{name_json}:{settings}}}")).unwrap();
    let source = sources.named(name).unwrap();
    source.clone().map_err(|why| why.to_string())
}

/// What is said about a source called `a`; `None` if it is accepted.
fn refusal(settings: &str) -> Option<String> {
    read(settings).err()
}

/// Settings of `dialect`, and `more` behind the required ones.
fn with(dialect: &str, more: &str) -> String {
    format!(r#"{{"dialect":"{dialect}","secret":"S"{more}}}"#)
}

/// Accepted age, dedupe window, retention.
fn spans(source: Source) -> (Option<u64>, u64, u64) {
    (
        source.accepted_age_s,
        source.dedupe_window_s,
        source.retention_days,
    )
}

#[test]
fn the_shipped_sources() {
    let config: toml::Table = toml::from_str(include_str!("../../wrangler.toml")).unwrap();
    let vars = config.get("vars").unwrap();
    let json = serde_json::to_string(vars.get("SOURCES").unwrap()).unwrap();
    let sources = Sources::parse(&json).unwrap();
    let shipped: Vec<_> = sources
        .iter()
        .map(|(name, source)| {
            let source = source.clone().map_err(|why| why.to_string()).unwrap();
            assert_eq!(source.name, name);
            assert_eq!(source.default_integration, "default", "{name}");
            let dialect = source.dialect.name();
            (
                name.to_owned(),
                dialect,
                source.secrets.join(" "),
                spans(source),
            )
        })
        .collect();
    let expected = [
        (
            "meterbase",
            "METERBASE_SECRET",
            (Some(172_800), 173_100, 30),
        ),
        ("propexo", "PROPEXO_SECRET", (None, 172_800, 30)),
        ("propify", "PROPIFY_SECRET", (None, 172_800, 30)),
        (
            "real-estate",
            "REAL_ESTATE_SECRET",
            (Some(86_400), 172_800, 30),
        ),
    ]
    .map(|(name, secret, spans)| (name.to_owned(), name, secret.to_owned(), spans));
    assert_eq!(shipped, expected);
}

#[test]
fn every_setting_counts() {
    let source = read_named(
        "a-1_b",
        r#"{"dialect":"real-estate","secret":"OLD\tNEW\n  NEWER ","default_integration":"Büro 1/2",
            "accepted_age_s":60,"dedupe_window_s":360,"retention_days":1}"#,
    )
    .map_err(|why| panic!("{why}"))
    .unwrap();
    assert_eq!(source.name, "a-1_b");
    assert_eq!(source.dialect.name(), "real-estate");
    assert_eq!(source.secrets, ["OLD", "NEW", "NEWER"]);
    assert_eq!(source.default_integration, "Büro 1/2");
    assert_eq!(spans(source), (Some(60), 360, 1));
}

#[test]
fn what_is_left_out() {
    let table = [
        ("propexo", "", (None, 172_800, 30)),
        ("propify", "", (None, 172_800, 30)),
        ("meterbase", "", (Some(172_800), 173_100, 30)),
        ("real-estate", "", (Some(86_400), 172_800, 30)),
        // `null` is the same as nothing.
        (
            "real-estate",
            r#","default_integration":null,"accepted_age_s":null,"dedupe_window_s":null,"retention_days":null"#,
            (Some(86_400), 172_800, 30),
        ),
        // The window follows a longer age, and the history a longer window.
        (
            "real-estate",
            r#","accepted_age_s":1"#,
            (Some(1), 172_800, 30),
        ),
        (
            "real-estate",
            r#","accepted_age_s":172500"#,
            (Some(172_500), 172_800, 30),
        ),
        (
            "real-estate",
            r#","accepted_age_s":172501"#,
            (Some(172_501), 172_801, 30),
        ),
        (
            "meterbase",
            r#","accepted_age_s":2592000"#,
            (Some(2_592_000), 2_592_300, 31),
        ),
        (
            "propexo",
            r#","dedupe_window_s":2592000"#,
            (None, 2_592_000, 30),
        ),
        (
            "propexo",
            r#","dedupe_window_s":2592001"#,
            (None, 2_592_001, 31),
        ),
        // The shortest of each.
        ("propexo", r#","dedupe_window_s":1"#, (None, 1, 30)),
        (
            "propexo",
            r#","dedupe_window_s":1,"retention_days":1"#,
            (None, 1, 1),
        ),
        (
            "meterbase",
            r#","dedupe_window_s":173100"#,
            (Some(172_800), 173_100, 30),
        ),
        (
            "real-estate",
            r#","accepted_age_s":1,"dedupe_window_s":301,"retention_days":1"#,
            (Some(1), 301, 1),
        ),
        ("propexo", r#","retention_days":2"#, (None, 172_800, 2)),
        (
            "meterbase",
            r#","retention_days":3"#,
            (Some(172_800), 173_100, 3),
        ),
        // The longest: ten years.
        (
            "propexo",
            r#","dedupe_window_s":316224000"#,
            (None, 316_224_000, 3_660),
        ),
        (
            "propexo",
            r#","retention_days":3660"#,
            (None, 172_800, 3_660),
        ),
        (
            "meterbase",
            r#","accepted_age_s":316223700"#,
            (Some(316_223_700), 316_224_000, 3_660),
        ),
    ];
    for (dialect, more, expected) in table {
        let source = read(&with(dialect, more));
        assert_eq!(source.map(spans), Ok(expected), "{dialect}{more}");
    }
    let source = read(&with("propexo", r#","default_integration":null"#));
    assert_eq!(source.map(|s| s.default_integration), Ok("default".into()));
}

#[test]
fn refusals_of_dialect_and_secret() {
    let table = [
        (
            r#"{"dialect":"stripe","secret":"S"}"#,
            "unknown dialect; expected one of propexo, propify, meterbase, real-estate",
        ),
        (
            r#"{"dialect":"","secret":"S"}"#,
            "unknown dialect; expected one of propexo, propify, meterbase, real-estate",
        ),
        (
            r#"{"dialect":"Propexo","secret":"S"}"#,
            "unknown dialect; expected one of propexo, propify, meterbase, real-estate",
        ),
        (
            r#"{"dialect":"real_estate","secret":"S"}"#,
            "unknown dialect; expected one of propexo, propify, meterbase, real-estate",
        ),
        (
            r#"{"dialect":"propexo","secret":""}"#,
            "`secret` names no secret binding",
        ),
        (
            r#"{"dialect":"propexo","secret":" \t\n"}"#,
            "`secret` names no secret binding",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","default_integration":""}"#,
            "`default_integration` is not a usable id",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","default_integration":"a\nb"}"#,
            "`default_integration` is not a usable id",
        ),
    ];
    for (settings, expected) in table {
        assert_eq!(
            refusal(settings),
            Some(format!("source `a`: {expected}")),
            "{settings}"
        );
    }
    let named = |bytes| {
        with(
            "propexo",
            &format!(r#","default_integration":"{}""#, "i".repeat(bytes)),
        )
    };
    assert_eq!(refusal(&named(1_024)), None);
    assert_eq!(
        refusal(&named(1_025)),
        Some("source `a`: `default_integration` is not a usable id".into())
    );
}

/// What stands where a name belongs may be the secret itself: no refusal
/// repeats it.
#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let no_names = [
        "whsec_not+a/binding=",
        "whsec-1",
        "1f5c",
        "a.b",
        "sécret",
        "PROPEXO_SECRET, OTHER",
        "PROPEXO_SECRET=value",
        "OTHER 12",
    ];
    for secret in no_names {
        let refused = refusal(&format!(r#"{{"dialect":"propexo","secret":"{secret}"}}"#)).unwrap();
        assert!(
            refused.starts_with("source `a`: `secret` must have names of secret bindings"),
            "{secret}: {refused}"
        );
        assert!(!refused.contains(secret), "{secret}: {refused}");
        let refused = refusal(&format!(r#"{{"dialect":"{secret}","secret":"S"}}"#)).unwrap();
        assert!(!refused.contains(secret), "{secret}: {refused}");
    }
    for names in ["S", "_", "s_1", "PROPEXO_SECRET  propexoSecret2\\n_3"] {
        let settings = format!(r#"{{"dialect":"propexo","secret":"{names}"}}"#);
        assert_eq!(refusal(&settings), None, "{names}");
    }
}

#[test]
fn refusals_of_keys_and_types() {
    let table = [
        (r#"{}"#, "missing field `dialect`"),
        (r#"{"dialect":"propexo"}"#, "missing field `secret`"),
        (r#"{"secret":"S"}"#, "missing field `dialect`"),
        (
            r#"{"dialect":"propexo","secrets":"S"}"#,
            "unknown field `secrets`; expected one of KNOWN",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","Secret":"S"}"#,
            "unknown field `Secret`; expected one of KNOWN",
        ),
        (
            r#"{"dialect":"propexo","secret":["S"]}"#,
            "`secret` must be a text",
        ),
        (
            r#"{"dialect":"propexo","secret":null}"#,
            "missing field `secret`",
        ),
        (r#"{"dialect":7,"secret":"S"}"#, "`dialect` must be a text"),
        (
            r#"{"dialect":"propexo","secret":"S","default_integration":1}"#,
            "`default_integration` must be a text",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","models":"leases"}"#,
            "`models` must be a list of texts",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","models":["leases",1]}"#,
            "`models` must be a list of texts",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","retention_days":"30"}"#,
            "`retention_days` must be a whole number, not below 0",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","retention_days":30.0}"#,
            "`retention_days` must be a whole number, not below 0",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","retention_days":true}"#,
            "`retention_days` must be a whole number, not below 0",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","dedupe_window_s":-1}"#,
            "`dedupe_window_s` must be a whole number, not below 0",
        ),
        (
            r#"{"dialect":"propexo","secret":"S","dedupe_window_s":18446744073709551616}"#,
            "`dedupe_window_s` must be a whole number, not below 0",
        ),
    ];
    let known = "`dialect`, `secret`, `default_integration`, `accepted_age_s`, `dedupe_window_s`, \
                 `retention_days`, `models`, `events`, `properties`, `api`";
    for (settings, expected) in table {
        let expected = expected.replace("KNOWN", known);
        assert_eq!(
            refusal(settings),
            Some(format!("source `a`: {expected}")),
            "{settings}"
        );
    }
}

#[test]
fn settings_are_a_table() {
    let others = [
        "null",
        "true",
        "7",
        r#""propexo""#,
        "[]",
        r#"["propexo","S","default",null,2,3]"#,
    ];
    for settings in others {
        assert_eq!(
            refusal(settings),
            Some("source `a`: its settings are not a table".into()),
            "{settings}"
        );
    }
}

#[test]
fn integrations_of_our_own_are_nobodys_default() {
    let table = [
        ("leasewire-test", "for test events"),
        (
            "leasewire-unaddressed",
            "for what names an integration that can't be read",
        ),
    ];
    for (own, what) in table {
        let settings = format!(r#","default_integration":"{own}""#);
        let expected =
            format!("source `a`: `default_integration` can't be `{own}`, which is {what}");
        assert_eq!(refusal(&with("propexo", &settings)), Some(expected));
    }
}

#[test]
fn refusals_of_spans() {
    let window = "accepted age and 300 s of clock difference, or a request could be replayed";
    let history = "the history is what duplicates are recognised by";
    let too_long = "no span may be longer than ten years";
    let table = [
        // An age where no time is signed.
        (
            "propexo",
            r#","accepted_age_s":60"#,
            "`accepted_age_s` has no meaning for dialect `propexo`, which signs no time".to_owned(),
        ),
        (
            "propify",
            r#","accepted_age_s":0"#,
            "`accepted_age_s` has no meaning for dialect `propify`, which signs no time".to_owned(),
        ),
        // Zero.
        (
            "meterbase",
            r#","accepted_age_s":0"#,
            "`accepted_age_s` must be at least 1".to_owned(),
        ),
        (
            "propexo",
            r#","dedupe_window_s":0"#,
            "`dedupe_window_s` must be at least 1".to_owned(),
        ),
        (
            "propexo",
            r#","retention_days":0"#,
            format!("`retention_days` is 0, but must be at least 2: {history}"),
        ),
        // A window shorter than what is accepted.
        (
            "meterbase",
            r#","dedupe_window_s":173099"#,
            format!("`dedupe_window_s` is 173099, but must be at least 173100: {window}"),
        ),
        (
            "real-estate",
            r#","dedupe_window_s":86400"#,
            format!("`dedupe_window_s` is 86400, but must be at least 86700: {window}"),
        ),
        (
            "real-estate",
            r#","accepted_age_s":1,"dedupe_window_s":300"#,
            format!("`dedupe_window_s` is 300, but must be at least 301: {window}"),
        ),
        (
            "real-estate",
            r#","accepted_age_s":18446744073709551615,"dedupe_window_s":86700"#,
            format!(
                "`dedupe_window_s` is 86700, but must be at least 18446744073709551615: {window}"
            ),
        ),
        // A history shorter than the window.
        (
            "propexo",
            r#","retention_days":1"#,
            format!("`retention_days` is 1, but must be at least 2: {history}"),
        ),
        (
            "meterbase",
            r#","retention_days":2"#,
            format!("`retention_days` is 2, but must be at least 3: {history}"),
        ),
        (
            "propexo",
            r#","dedupe_window_s":86401,"retention_days":1"#,
            format!("`retention_days` is 1, but must be at least 2: {history}"),
        ),
        (
            "propexo",
            r#","dedupe_window_s":18446744073709551615,"retention_days":30"#,
            format!("`retention_days` is 30, but must be at least 213503982334602: {history}"),
        ),
        // Enormous ones.
        (
            "propexo",
            r#","dedupe_window_s":316224001"#,
            too_long.to_owned(),
        ),
        (
            "propexo",
            r#","dedupe_window_s":18446744073709551615"#,
            too_long.to_owned(),
        ),
        ("propexo", r#","retention_days":3661"#, too_long.to_owned()),
        (
            "propexo",
            r#","retention_days":18446744073709551615"#,
            too_long.to_owned(),
        ),
        (
            "real-estate",
            r#","accepted_age_s":316223701"#,
            too_long.to_owned(),
        ),
        (
            "real-estate",
            r#","accepted_age_s":18446744073709551615"#,
            too_long.to_owned(),
        ),
        (
            "real-estate",
            r#","accepted_age_s":18446744073709551615,"dedupe_window_s":18446744073709551615"#,
            too_long.to_owned(),
        ),
    ];
    for (dialect, more, expected) in table {
        assert_eq!(
            refusal(&with(dialect, more)),
            Some(format!("source `a`: {expected}")),
            "{dialect}{more}"
        );
    }
}

#[test]
fn names() {
    let settings = with("propexo", "");
    let longest = "n".repeat(64);
    for name in ["a", "0", "-", "_", "real-estate", "a_1", &longest] {
        assert_eq!(
            read_named(name, &settings).map(|s| s.name),
            Ok(name.to_owned())
        );
    }
    let too_long = "n".repeat(65);
    let bad = [
        "", "A", "Propexo", "a b", " a", "a/b", "a.b", "a%62", "a:b", "é", "ä", "a\n", "🏠",
        &too_long,
    ];
    for name in bad {
        assert_eq!(
            read_named(name, &settings).err(),
            Some(format!(
                "source `{name}`: a name has 1 to 64 lower-case letters, digits, `-` and `_`"
            ))
        );
    }
}

#[test]
fn sources_are_a_table() {
    let others = [
        "",
        " ",
        "null",
        "undefined",
        "true",
        "7",
        "\"propexo\"",
        "[]",
        "{",
        "{} {}",
        "{a:1}",
        r#"{"a":}"#,
    ];
    for text in others {
        assert_eq!(
            Sources::parse(text).err().map(|why| why.to_string()),
            Some(
                "SOURCES is not a table of sources: configure each under [vars.SOURCES.<name>]"
                    .into()
            ),
            "{text:?}"
        );
    }
    assert_eq!(Sources::parse("{}").unwrap().iter().count(), 0);
    assert_eq!(Sources::default().iter().count(), 0);
}

#[test]
fn a_broken_source_does_not_hurt_the_others() {
    let good = with("propexo", "");
    let bad = with("stripe", "");
    let sources = Sources::parse(&format!(
        r#"{{"d":{good},"c":7,"Z":{good},"b":{bad},"a":{good}}}"#
    ))
    .unwrap();
    let usable: Vec<(&str, bool)> = sources.iter().map(|(name, s)| (name, s.is_ok())).collect();
    assert_eq!(
        usable,
        [
            ("Z", false),
            ("a", true),
            ("b", false),
            ("c", false),
            ("d", true)
        ]
    );
    assert!(sources.named("a").is_some_and(Result::is_ok));
    assert!(sources.named("b").is_some_and(Result::is_err));
    for unknown in ["", "e", "A", "a ", "a/"] {
        assert!(sources.named(unknown).is_none(), "{unknown:?}");
    }
}
