//! Objects that keep the order and the text of their fields.

use leasewire::json::{self, Object, Unreadable, Value, too_deep};

use super::{object, value};

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
