//! JSON that keeps its text: read, compared and written.

use leasewire::json::{self, Object, Unreadable, Value, Writer, pick, pick_each, same, too_deep};
use proptest::prelude::*;

fn object(text: &str) -> Object<'_> {
    Object::parse(text).unwrap()
}

fn value(text: &str) -> &Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn only_an_object_is_one() {
    let others = [
        "",
        " ",
        "null",
        "true",
        "7",
        "\"a\"",
        "[]",
        r#"[{"a":1}]"#,
        "{",
        "}",
        "{}{}",
        "{} 1",
        "{a:1}",
        "{'a':1}",
        r#"{"a":1,}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":.5}"#,
        r#"{"a":1.}"#,
        r#"{"a":NaN}"#,
        r#"{"a":undefined}"#,
        r#"{"a":1 /* one */}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":"\x41"}"#,
        r#"{1:2}"#,
        "\u{feff}{}",
    ];
    for text in others {
        assert!(Object::parse(text).is_none(), "{text}");
    }
    for text in ["{}", " { } ", "\t\r\n{}\n"] {
        assert!(object(text).is_empty(), "{text:?}");
    }
}

#[test]
fn fields_keep_order_and_text() {
    let table = [
        (
            r#"{"b":1,"a":2,"10":3,"9":4}"#,
            r#"{"b":1,"a":2,"10":3,"9":4}"#,
        ),
        // The last value counts, in the first place.
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"a":1,"b":2,"\u0061":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"\u0061":1,"b":2,"a":null}"#, r#"{"a":null,"b":2}"#),
        // White space between fields goes, values stay as they are.
        (
            r#" { "a" : 1 , "b" : [ 1,  2 ] } "#,
            r#"{"a":1,"b":[ 1,  2 ]}"#,
        ),
        (
            r#"{"a":750000.0,"b":1E+2,"c":-0.0,"d":1e400}"#,
            r#"{"a":750000.0,"b":1E+2,"c":-0.0,"d":1e400}"#,
        ),
        (
            r#"{"a":9007199254740993,"b":123456789012345678901234567890}"#,
            r#"{"a":9007199254740993,"b":123456789012345678901234567890}"#,
        ),
        (
            r#"{"a":"\u00e9\/\ud83c\udfe0","b":"é/🏠","c":"\ud83c"}"#,
            r#"{"a":"\u00e9\/\ud83c\udfe0","b":"é/🏠","c":"\ud83c"}"#,
        ),
        // Names are written anew.
        (
            r#"{"\u00e9":1,"a\/b":2,"\"":3,"\n":4,"":5}"#,
            r#"{"é":1,"a/b":2,"\"":3,"\n":4,"":5}"#,
        ),
        // Objects within are not touched, repeated names included.
        (r#"{"a":{"x":1,"x":2}}"#, r#"{"a":{"x":1,"x":2}}"#),
        ("{}", "{}"),
    ];
    for (text, expected) in table {
        assert_eq!(object(text).to_json(), expected);
    }
}

#[test]
fn fields_by_name() {
    let fields = object(
        r#"{"text":"a","empty":"","null":null,"zero":0,"no":false,"yes":true,"list":[],
            "object":{"x":1},"\u006eamed":"by escapes","dup":1,"dup":2}"#,
    );
    let names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "text", "empty", "null", "zero", "no", "yes", "list", "object", "named", "dup"
        ]
    );
    assert_eq!(fields.value("dup").map(Value::get), Some("2"));
    assert_eq!(fields.value("null").map(Value::get), Some("null"));
    assert_eq!(fields.value("missing").map(Value::get), None);
    assert_eq!(fields.value("Text").map(Value::get), None);
    for (name, has) in [
        ("text", true),
        ("empty", true),
        ("null", false),
        ("zero", true),
        ("no", true),
        ("list", true),
        ("missing", false),
    ] {
        assert_eq!(fields.has(name), has, "{name}");
    }
    for (name, flag) in [
        ("yes", Some(true)),
        ("no", Some(false)),
        ("null", None),
        ("zero", None),
        ("text", None),
        ("missing", None),
    ] {
        assert_eq!(fields.flag(name), flag, "{name}");
    }
    assert_eq!(object(r#"{"a":"true"}"#).flag("a"), None);
    assert_eq!(fields.text("named").as_deref(), Some("by escapes"));
    let within = fields.object("object").unwrap();
    assert_eq!(within.value("x").map(Value::get), Some("1"));
    for name in ["text", "null", "zero", "list", "missing"] {
        assert!(fields.object(name).is_none(), "{name}");
    }
}

#[test]
fn fields_can_be_set_and_removed() {
    let mut fields = object(r#"{"a":1,"b":2,"c":3}"#);
    fields.set("b", value("20"));
    fields.set("d", value("[ 4 ]"));
    fields.set("d", value("4.0"));
    assert_eq!(fields.to_json(), r#"{"a":1,"b":20,"c":3,"d":4.0}"#);
    fields.remove("a");
    fields.remove("missing");
    assert_eq!(fields.to_json(), r#"{"b":20,"c":3,"d":4.0}"#);
    fields.set("a", json::null());
    assert_eq!(fields.to_json(), r#"{"b":20,"c":3,"d":4.0,"a":null}"#);
    assert!(!fields.is_empty());
    assert_eq!(Object::default().to_json(), "{}");
}

#[test]
fn the_only_field() {
    let table = [
        (
            r#"{"property":{"id":1}}"#,
            Some(("property", r#"{"id":1}"#)),
        ),
        (r#"{"\u0061":null}"#, Some(("a", "null"))),
        (r#"{"a":1,"a":2}"#, Some(("a", "2"))),
        (r#"{"":0}"#, Some(("", "0"))),
        ("{}", None),
        (r#"{"a":1,"b":2}"#, None),
    ];
    for (text, expected) in table {
        let fields = object(text);
        let single = fields.single().map(|(name, value)| (name, value.get()));
        assert_eq!(single, expected, "{text}");
    }
}

#[test]
fn text_and_ids() {
    // Value, as text, as an id.
    let table: [(&str, Option<&str>, Option<&str>); 34] = [
        (r#""lease_9""#, Some("lease_9"), Some("lease_9")),
        (r#""""#, Some(""), Some("")),
        (r#"" ""#, Some(" "), Some(" ")),
        (r#""17""#, Some("17"), Some("17")),
        (r#""null""#, Some("null"), Some("null")),
        (r#""é🏠""#, Some("é🏠"), Some("é🏠")),
        (r#""\u00e9\ud83c\udfe0""#, Some("é🏠"), Some("é🏠")),
        (
            r#""\"\\\/\b\f\n\r\t""#,
            Some("\"\\/\u{8}\u{c}\n\r\t"),
            Some("\"\\/\u{8}\u{c}\n\r\t"),
        ),
        (r#""\\u0041""#, Some("\\u0041"), Some("\\u0041")),
        (r#""\u0000""#, Some("\0"), Some("\0")),
        (r#""a\"""#, Some("a\""), Some("a\"")),
        (r#""\"""#, Some("\""), Some("\"")),
        (r#""\\""#, Some("\\"), Some("\\")),
        // Half a pair is no character.
        (r#""\ud83c""#, None, None),
        (r#""\udfe0""#, None, None),
        (r#""\udfe0\ud83c""#, None, None),
        (r#""\ud83cx""#, None, None),
        (r#""\ud83c\u0041""#, None, None),
        // Integers name something, other numbers don't.
        ("0", None, Some("0")),
        ("17", None, Some("17")),
        ("9007199254740993", None, Some("9007199254740993")),
        (
            "123456789012345678901234567890",
            None,
            Some("123456789012345678901234567890"),
        ),
        ("-17", None, None),
        ("-0", None, None),
        ("17.0", None, None),
        ("17.5", None, None),
        ("17e0", None, None),
        ("1E3", None, None),
        ("true", None, None),
        ("false", None, None),
        ("null", None, None),
        ("[]", None, None),
        (r#"["lease_9"]"#, None, None),
        (r#"{"id":"lease_9"}"#, None, None),
    ];
    for (text, as_text, as_id) in table {
        let body = format!(r#"{{"a": {text} }}"#);
        let fields = object(&body);
        assert_eq!(fields.value("a").map(Value::get), Some(text));
        assert_eq!(fields.text("a").as_deref(), as_text, "{text}");
        assert_eq!(json::text(value(text)).as_deref(), as_text, "{text}");
        assert_eq!(fields.id("a").as_deref(), as_id, "{text}");
        assert_eq!(fields.text("missing"), None);
        assert_eq!(fields.id("missing"), None);
    }
}

#[test]
fn a_name_that_is_no_text_stays_as_it_is() {
    let table = [
        r#"{"\ud83c":1}"#,
        r#"{"a":1,"\udfe0":2}"#,
        r#"{"\ud83cx":1,"\uD83Cy":2}"#,
        r#"{"\ud83c":{"\udfe0":1}}"#,
        // What looks like one is a name of its own.
        r#"{"\"\\ud83c\"":1,"\ud83c":2,"\\ud83c":3}"#,
        r#"{"\"":1,"\"\"":2}"#,
    ];
    for text in table {
        let fields = object(text);
        assert_eq!(fields.to_json(), text);
        let mut copy = Object::default();
        for (name, value) in fields.iter() {
            assert!(fields.has(name), "{name}");
            copy.set(name, value);
        }
        assert_eq!(copy.to_json(), text);
        let picked = json::pick(text, &["a"]);
        assert_eq!(picked.is_some_and(|[a]| a.is_some()), fields.has("a"));
    }
    // The last value counts, under the first place.
    let twice = object(r#"{"\ud83c":1,"b":2,"\ud83c":3}"#);
    assert_eq!(twice.to_json(), r#"{"\ud83c":3,"b":2}"#);
    // A line feed can't stand in a name, nor an escape that is none.
    for text in ["{\"a\n\":1}", r#"{"\x":1}"#, r#"{"\ud8":1}"#, r#"{a:1}"#] {
        assert!(Object::parse(text).is_none(), "{text}");
    }
}

#[test]
fn what_is_there_and_unreadable_is_not_missing() {
    let fields = object(
        r#"{"text":"a","number":7,"object":{"b":1},"null":null,"list":[],"half":"\ud83c","is":true,"fraction":1.5}"#,
    );
    for name in ["null", "missing"] {
        assert_eq!(fields.stated_text(name), Ok(None));
        assert_eq!(fields.stated_id(name), Ok(None));
        assert!(fields.stated_object(name).is_ok_and(|it| it.is_none()));
    }
    for name in ["list", "half", "is", "fraction"] {
        assert_eq!(fields.stated_text(name), Err(Unreadable), "{name}");
        assert_eq!(fields.stated_id(name), Err(Unreadable), "{name}");
        assert!(fields.stated_object(name).is_err(), "{name}");
    }
    assert_eq!(fields.stated_text("text"), Ok(Some("a".into())));
    assert_eq!(fields.stated_text("number"), Err(Unreadable));
    assert_eq!(fields.stated_id("number"), Ok(Some("7".into())));
    let inner = fields.stated_object("object").unwrap().unwrap();
    assert_eq!(inner.to_json(), r#"{"b":1}"#);
    assert_eq!(fields.stated("is", json::flag), Ok(Some(true)));
    assert_eq!(fields.stated("text", json::flag), Err(Unreadable));
}

/// Asserts the same of both orders.
fn assert_same(a: &str, b: &str, expected: bool) {
    assert_eq!(same(value(a), value(b)), expected, "{a} and {b}");
    assert_eq!(same(value(b), value(a)), expected, "{b} and {a}");
}

#[test]
fn values_that_mean_the_same() {
    let table = [
        ("null", "null"),
        ("true", "true"),
        ("0", "0"),
        // Notations of a number.
        ("1", "1.0"),
        ("1", "1e0"),
        ("1.50", "1.5"),
        ("100", "1e2"),
        ("100", "1E+2"),
        ("0.01", "1e-2"),
        ("0", "-0"),
        ("0", "0.0"),
        ("0", "-0.0"),
        ("0", "0e9"),
        ("750000.0", "750000"),
        ("-3", "-3.0"),
        ("9007199254740993", "9007199254740993.0"),
        ("1e400", "1e400"),
        // Spellings of a text.
        (r#""é""#, r#""\u00e9""#),
        (r#""é""#, r#""\u00E9""#),
        (r#""a/b""#, r#""a\/b""#),
        (r#""🏠""#, r#""\ud83c\udfe0""#),
        (r#""\n""#, r#""\u000a""#),
        (r#""\ud83c""#, r#""\ud83c""#),
        // White space and order.
        ("[1,2]", "[ 1 ,\n2 ]"),
        ("[]", "[ ]"),
        ("{}", "{ }"),
        (r#"{"a":1,"b":2}"#, r#"{ "b": 2, "a": 1 }"#),
        (r#"{"é":1}"#, r#"{"\u00e9":1}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        // All of it, further down.
        (
            r#"{"a":[{"x":1.0,"y":"é"}],"b":{"c":null,"d":[]}}"#,
            r#"{"b":{"d":[ ],"c":null},"a":[{"y":"\u00e9","x":1}]}"#,
        ),
    ];
    for (a, b) in table {
        assert_same(a, b, true);
    }
}

#[test]
fn values_that_do_not() {
    let table = [
        ("null", "false"),
        ("null", "0"),
        ("null", r#""""#),
        ("null", r#""null""#),
        ("null", "{}"),
        ("null", "[]"),
        ("true", "false"),
        ("true", "1"),
        ("true", r#""true""#),
        ("0", "1"),
        ("1", "-1"),
        ("1", r#""1""#),
        ("1", "1.1"),
        ("1", "[1]"),
        ("0.1", "0.2"),
        ("1e2", "1e3"),
        (r#""a""#, r#""A""#),
        (r#""a""#, r#""a ""#),
        // One letter, or a letter and its accent.
        (r#""é""#, r#""e\u0301""#),
        (r#""\ud83c""#, r#""\ud83d""#),
        (r#""""#, "[]"),
        ("[]", "{}"),
        ("[1,2]", "[2,1]"),
        ("[1]", "[1,1]"),
        ("[1]", "[]"),
        ("[null]", "[]"),
        (r#"{"a":1}"#, r#"{"b":1}"#),
        (r#"{"a":1}"#, r#"{"a":2}"#),
        (r#"{"a":1}"#, r#"{"A":1}"#),
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":null}"#, r#"{"a":1,"c":null}"#),
        // `null` is not the same as nothing.
        (r#"{"a":null}"#, "{}"),
        (r#"{"a":{"b":[1,{"c":1}]}}"#, r#"{"a":{"b":[1,{"c":2}]}}"#),
        // Integers above 2^53 keep every digit.
        ("9007199254740992", "9007199254740993"),
        ("-9007199254740992", "-9007199254740993"),
        ("18446744073709551615", "18446744073709551616"),
        ("12345678901234567890123", "12345678901234567890124"),
        (r#"{"id":9007199254740992}"#, r#"{"id":9007199254740993}"#),
        ("[9007199254740992]", "[9007199254740993]"),
    ];
    for (a, b) in table {
        assert_same(a, b, false);
    }
}

#[test]
fn numbers_beyond_a_double_keep_their_meaning() {
    let different = [
        // Integers of more than 38 digits.
        (
            "1234567890123456789012345678901234567890",
            "1234567890123456789012345678901234567891",
        ),
        // With a fraction or an exponent.
        ("9007199254740992.0", "9007199254740993"),
        ("9007199254740992.0", "9007199254740993.0"),
        ("90071992547409.921", "90071992547409.922"),
        ("0.1", "0.10000000000000000001"),
        ("9007199254740993e1", "9007199254740992e1"),
        // Larger and smaller than any double.
        ("1e400", "1e401"),
        ("1e-400", "1e-401"),
        ("1e-400", "0"),
    ];
    for (a, b) in different {
        assert_same(a, b, false);
    }
    let equal = [
        ("1e400", "10e399"),
        ("1e-400", "0.1e-399"),
        ("1e40", "10000000000000000000000000000000000000000"),
        ("0e99999999999999999999", "0"),
    ];
    for (a, b) in equal {
        assert_same(a, b, true);
    }
}

#[test]
fn depth() {
    let nested =
        |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    for n in [0, 1, 99, 100] {
        assert!(!too_deep(&nested("[", "]", n)), "{n}");
        assert!(!too_deep(&nested("{", "}", n)), "{n}");
        // Without its end, too: a text may be cut off.
        assert!(!too_deep(&"[".repeat(n)), "{n}");
    }
    for n in [101, 128, 1_000, 100_000] {
        assert!(too_deep(&nested("[", "]", n)), "{n}");
        assert!(too_deep(&nested("{", "}", n)), "{n}");
        assert!(too_deep(&"[".repeat(n)), "{n}");
    }
    assert!(!too_deep(&nested(r#"{"a":"#, "}", 100)));
    assert!(too_deep(&nested(r#"{"a":"#, "}", 101)));
    assert!(!too_deep(&nested(r#"[{"a":"#, "}]", 50)));
    assert!(too_deep(&format!("[{}]", nested(r#"[{"a":"#, "}]", 50))));
    let table = [
        // Side by side isn't deep.
        ("[]".repeat(1_000), false),
        (format!("[{}0]", "[],{},".repeat(1_000)), false),
        // Within a string a bracket is a character.
        (format!(r#"{{"a":"{}"}}"#, "[{".repeat(1_000)), false),
        (format!(r#"{{"{}":1}}"#, "[{".repeat(1_000)), false),
        (format!(r#"["\"{}"]"#, "[".repeat(1_000)), false),
        (format!(r#"["\\\"{}"]"#, "[".repeat(1_000)), false),
        // A string that ends in a backslash ends there.
        (format!(r#"["\\",{}"#, "[".repeat(100)), true),
        (format!(r#"["\\",{}"#, "[".repeat(99)), false),
        (format!(r#"["a",{}"#, "[".repeat(100)), true),
        (format!(r#"["é🏠",{}"#, "[".repeat(100)), true),
        // Closing what isn't open gives no room.
        (format!("]]]]{}", "[".repeat(101)), true),
        (format!("]]]]{}", "[".repeat(100)), false),
        (String::new(), false),
    ];
    for (text, expected) in table {
        assert_eq!(too_deep(&text), expected, "{text:.60}");
    }
}

const NAMES: [&str; 3] = ["id", "data", "é"];

fn texts<'a, const N: usize>(picked: json::Picked<'a, N>) -> [Option<&'a str>; N] {
    picked.map(|value| value.map(Value::get))
}

#[test]
fn some_fields_of_an_object() {
    let table = [
        ("{}", [None; 3]),
        (r#"{"id":1}"#, [Some("1"), None, None]),
        // In any order, among others, with the last of several.
        (
            r#" { "x" : {"id":2}, "data":[ 1, {"id":3} ], "id":null, "id" : 4.50 } "#,
            [Some("4.50"), Some(r#"[ 1, {"id":3} ]"#), None],
        ),
        // By the name that is meant, however it is written.
        (
            r#"{"\u0069d":true,"\u00e9":"\"","\u00c9":1}"#,
            [Some("true"), None, Some(r#""\"""#)],
        ),
        (r#"{"ID":1,"id ":2,"i":3,"":4}"#, [None; 3]),
    ];
    for (text, expected) in table {
        assert_eq!(pick(text, &NAMES).map(texts), Some(expected), "{text}");
        let several = format!("[{text},{text} , {{}}]");
        let all = pick_each(&several, &NAMES).unwrap();
        let all: Vec<_> = all.into_iter().map(texts).collect();
        assert_eq!(all, [expected, expected, [None; 3]], "{several}");
    }
    assert_eq!(pick_each(" [ ] ", &NAMES).map(|all| all.len()), Some(0));
}

#[test]
fn nothing_is_picked_from_anything_else() {
    for text in [
        "",
        " ",
        "1",
        "-1",
        "1.5",
        "1e999",
        "true",
        "null",
        r#""id""#,
        "[]",
        "[{}]",
        "{",
        r#"{"id"}"#,
        r#"{"id":}"#,
        r#"{"id":1"#,
        r#"{"id":1}x"#,
        "{}{}",
        r#"{id:1}"#,
        r#"{"id":1,}"#,
    ] {
        assert!(pick(text, &NAMES).is_none(), "{text}");
        let list = format!("[{text}]");
        let is_list = text.trim().is_empty();
        assert_eq!(pick_each(&list, &NAMES).is_some(), is_list, "{list}");
        assert!(
            pick_each(&format!("[{{}},{text}]"), &NAMES).is_none(),
            "{text}"
        );
    }
    for text in [
        "{}", "1", "true", "null", r#""[]""#, "[", "[{}", "[{}]x", "[[]]", "[{}]]", "",
    ] {
        assert!(pick_each(text, &NAMES).is_none(), "{text}");
    }
}

#[test]
fn objects_are_written() {
    assert_eq!(Writer::default().end(), "{}");
    let json = Writer::default()
        .text("text", "a\"\\\n\u{1}é🏠/")
        .text("plain", "")
        .maybe_text("none", None)
        .maybe_text("some", Some("x"))
        .text_or_null("null", None)
        .number("most", u64::MAX)
        .maybe_number("none", None)
        .number_or_null("nothing", None)
        .flag("yes", true)
        .flag("no", false)
        .list("list", &["1", "{}"])
        .list("empty", &[""; 0])
        .raw("raw", r#"{"a":0.10}"#)
        .raw(
            "models",
            &json::texts_or_null(&Some(vec!["a\"".to_owned(), "b".to_owned()])),
        )
        .raw("events", &json::texts_or_null(&None))
        .end();
    assert_eq!(
        json,
        concat!(
            r#"{"text":"a\"\\\n\u0001é🏠/","plain":"","some":"x","null":null,"#,
            r#""most":18446744073709551615,"nothing":null,"yes":true,"no":false,"#,
            r#""list":[1,{}],"empty":[],"raw":{"a":0.10},"models":["a\"","b"],"events":null}"#,
        )
    );
}

/// Any JSON, in compact form.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (-1_000_000_i32..1_000_000, 1..5_u8).prop_map(|(n, e)| format!("{n}e-{e}")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        let fields = prop::collection::vec((any::<String>(), inner), 0..4);
        prop_oneof![
            items.prop_map(|items| format!("[{}]", items.join(","))),
            fields.prop_map(|fields| {
                let fields: Vec<String> = fields
                    .into_iter()
                    .map(|(name, value)| {
                        format!("{}:{value}", serde_json::to_string(&name).unwrap())
                    })
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is quoted is what serde_json writes, and is read as the same text.
    #[test]
    fn texts_survive_their_quotes(text in any::<String>()) {
        let quoted = json::quoted(&text);
        prop_assert_eq!(&quoted, &serde_json::to_string(&text).unwrap());
        let read = json::text(value(&quoted));
        prop_assert_eq!(read.as_deref(), Some(&*text));
    }

    /// What is picked from an object is what the object has.
    #[test]
    fn what_is_picked_is_what_is_there(text in any_json(), name in any::<String>()) {
        let object = Object::parse(&text);
        let all: Vec<String> = match &object {
            Some(object) => object.iter().map(|(name, _)| name.to_owned()).chain([name]).collect(),
            None => vec![name],
        };
        for name in &all {
            let picked = pick(&text, &[name]).map(texts);
            let there = object.as_ref().map(|object| [object.value(name).map(Value::get)]);
            prop_assert_eq!(picked, there);
            let list = format!("[{text}]");
            let each = pick_each(&list, &[name]);
            prop_assert_eq!(each.map(|all| all.into_iter().map(texts).collect::<Vec<_>>()), there.map(|there| vec![there]));
        }
    }

    /// A value is the same as itself, however it is laid out.
    #[test]
    fn layout_does_not_matter(text in any_json()) {
        prop_assert!(same(value(&text), value(&text)));
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pretty = serde_json::to_string_pretty(&parsed).unwrap();
        prop_assert!(same(value(&text), value(&pretty)));
        prop_assert!(same(value(&pretty), value(&text)));
    }

    /// Both orders of two values give one answer.
    #[test]
    fn same_is_symmetric(a in any_json(), b in any_json()) {
        prop_assert_eq!(same(value(&a), value(&b)), same(value(&b), value(&a)));
    }
}
