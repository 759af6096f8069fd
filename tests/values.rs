//! The small things everything else is made of: JSON that keeps its text,
//! time, and names.
use leasewire::event::{ID_BYTES_MAX, Kind, Subject, Unclear, is_usable_id, model_name};
use leasewire::json::{self, Object, Value, same, too_deep};
use leasewire::time::Timestamp;
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
fn half_a_pair_in_a_name_is_no_name() {
    for text in [
        r#"{"\ud83c":1}"#,
        r#"{"a":1,"\udfe0":2}"#,
        r#"{"\ud83cx":1}"#,
    ] {
        assert!(Object::parse(text).is_none(), "{text}");
    }
    // Further down nobody asks for names.
    assert!(Object::parse(r#"{"a":{"\ud83c":1}}"#).is_some());
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

#[test]
fn times_that_can_be_read() {
    // 2026-03-25T15:00:00Z.
    const S: i64 = 1_774_450_800;
    let table = [
        ("2026-03-25T15:00:00Z", S, 0),
        ("2026-03-25t15:00:00z", S, 0),
        (" 2026-03-25T15:00:00Z\n", S, 0),
        // Offsets.
        ("2026-03-25T15:00:00+00:00", S, 0),
        ("2026-03-25T15:00:00-00:00", S, 0),
        ("2026-03-25T16:00:00+01:00", S, 0),
        ("2026-03-25T10:00:00-05:00", S, 0),
        ("2026-03-25T20:30:00+05:30", S, 0),
        ("2026-03-26T05:00:00+14:00", S, 0),
        ("2026-03-25T03:00:00-12:00", S, 0),
        ("2026-03-26T14:59:00+23:59", S, 0),
        // None: UTC.
        ("2026-03-25T15:00:00", S, 0),
        ("2026-03-25T15:00:00.5", S, 500_000),
        // Fractions, down to microseconds.
        ("2026-03-25T15:00:00.0Z", S, 0),
        ("2026-03-25T15:00:00.1Z", S, 100_000),
        ("2026-03-25T15:00:00.12Z", S, 120_000),
        ("2026-03-25T15:00:00.123Z", S, 123_000),
        ("2026-03-25T15:00:00.1234Z", S, 123_400),
        ("2026-03-25T15:00:00.123456Z", S, 123_456),
        ("2026-03-25T15:00:00.1234567Z", S, 123_456),
        ("2026-03-25T15:00:00.123456789Z", S, 123_456),
        ("2026-03-25T15:00:00.999999999999Z", S, 999_999),
        ("2026-03-25T16:00:00.123+01:00", S, 123_000),
        // Before 1970 too.
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1969-12-31T23:59:59.999999Z", 0, -1),
        ("1969-12-31T23:59:59.9999999Z", 0, -1),
        // Days that are rare.
        ("2024-02-29T00:00:00Z", 1_709_164_800, 0),
        ("2000-02-29T00:00:00Z", 951_782_400, 0),
        ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
        ("0000-01-01T00:00:00Z", -62_167_219_200, 0),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799, 999_999),
    ];
    for (text, s, us) in table {
        let expected = Timestamp::from_us(s * 1_000_000 + us);
        assert_eq!(Timestamp::parse(text), Some(expected), "{text}");
    }
}

#[test]
fn times_that_can_not() {
    let table = [
        "",
        " ",
        "now",
        "null",
        "Z",
        "T",
        "1774450800",
        "2026",
        "2026-03",
        "2026-03-25",
        "2026-03-25Z",
        "15:00:00Z",
        "2026-03-25T15Z",
        "2026-03-25T15:00Z",
        "2026-03-25T15:00",
        "20260325T150000Z",
        "2026-3-25T15:00:00Z",
        "26-03-25T15:00:00Z",
        "02026-03-25T15:00:00Z",
        "+02026-03-25T15:00:00Z",
        "-2026-03-25T15:00:00Z",
        "2026-W13-3T15:00:00Z",
        "2026-084T15:00:00Z",
        "2026/03/25T15:00:00Z",
        "2026-03-25T15.00.00Z",
        "2026-03-25_15:00:00Z",
        // No such day or hour.
        "2026-02-29T15:00:00Z",
        "2100-02-29T15:00:00Z",
        "2026-04-31T15:00:00Z",
        "2026-13-01T15:00:00Z",
        "2026-00-01T15:00:00Z",
        "2026-03-00T15:00:00Z",
        "2026-03-25T24:00:00Z",
        "2026-03-25T15:60:00Z",
        "2026-03-25T15:00:61Z",
        "2026-03-25T-1:00:00Z",
        // Fractions and offsets.
        "2026-03-25T15:00:00.Z",
        "2026-03-25T15:00:00,5Z",
        "2026-03-25T15:00:00.5.5Z",
        "2026-03-25T15:00:00+01",
        "2026-03-25T15:00:00+0100",
        "2026-03-25T15:00:00+1:00",
        "2026-03-25T15:00:00+24:00",
        "2026-03-25T15:00:00+00:60",
        "2026-03-25T15:00:00 CET",
        "2026-03-25T15:00:00ZZ",
        "2026-03-25T15:00:00Z+01:00",
        "2026-03-25T15:00:00Z[Europe/Berlin]",
        "2026-03-25T15:00:00Z, 2026-03-25T15:00:00Z",
        "Wed, 25 Mar 2026 15:00:00 GMT",
        "Wed Mar 25 2026 15:00:00 GMT+0000",
        "3/25/2026, 3:00:00 PM",
        "２０２６-03-25T15:00:00Z",
    ];
    for text in table {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
}

#[test]
fn times_as_text() {
    let table = [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (10, "1970-01-01T00:00:00.000010Z"),
        (1_000, "1970-01-01T00:00:00.001Z"),
        (1_001, "1970-01-01T00:00:00.001001Z"),
        (100_000, "1970-01-01T00:00:00.100Z"),
        (999_999, "1970-01-01T00:00:00.999999Z"),
        (1_000_000, "1970-01-01T00:00:01Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-1_000_000, "1969-12-31T23:59:59Z"),
        (1_774_450_800_000_000, "2026-03-25T15:00:00Z"),
        (1_774_450_800_123_000, "2026-03-25T15:00:00.123Z"),
        (1_709_251_199_000_000, "2024-02-29T23:59:59Z"),
        (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ];
    for (us, text) in table {
        let time = Timestamp::from_us(us);
        assert_eq!(time.to_string(), text);
        assert_eq!(json::to_json(&time), format!("\"{text}\""));
    }
}

#[test]
fn units_of_time() {
    assert_eq!(Timestamp::from_s(1), Timestamp::from_us(1_000_000));
    assert_eq!(Timestamp::from_ms(1), Timestamp::from_us(1_000));
    assert_eq!(Timestamp::from_us(7).us(), 7);
    // Rounded down, before 1970 as well.
    for (us, ms) in [
        (0, 0),
        (999, 0),
        (1_000, 1),
        (1_999, 1),
        (-1, -1),
        (-1_000, -1),
        (-1_001, -2),
    ] {
        assert_eq!(Timestamp::from_us(us).ms(), ms, "{us}");
    }
    let time = Timestamp::from_s(1_000);
    assert_eq!(time.plus_s(300), Timestamp::from_s(1_300));
    assert_eq!(time.minus_s(300), Timestamp::from_s(700));
    assert_eq!(time.minus_s(1_300), Timestamp::from_s(-300));
    // Beyond what there is, the end of it.
    let (first, last) = (Timestamp::from_us(i64::MIN), Timestamp::from_us(i64::MAX));
    assert_eq!(time.plus_s(u64::MAX), last);
    assert_eq!(last.plus_s(1), last);
    assert_eq!(first.minus_s(1), first);
    assert_eq!(Timestamp::from_s(-1).minus_s(u64::MAX), first);
    assert_eq!(Timestamp::from_s(i64::MAX), last);
    assert_eq!(Timestamp::from_s(i64::MIN), first);
    assert_eq!(Timestamp::from_ms(i64::MAX), last);
    assert_eq!(Timestamp::from_ms(i64::MIN), first);
}

#[test]
fn timestamp_headers_as_time() {
    let table = [
        ("0", Some(0)),
        ("1774450800", Some(1_774_450_800_000_000)),
        ("99999999999", Some(99_999_999_999_000_000)),
        ("100000000000", Some(100_000_000_000_000)),
        ("1774450800123", Some(1_774_450_800_123_000)),
        ("99999999999999", Some(99_999_999_999_999_000)),
        ("100000000000000", None),
        ("2026-03-25T15:00:00.123456Z", Some(1_774_450_800_123_456)),
        ("2026-03-25T15:00:00+00:00", Some(1_774_450_800_000_000)),
        ("2026-03-25T16:00:00+01:00", None),
        ("2026-03-25T15:00:00", None),
        ("-1", None),
        ("", None),
        (" ", None),
        (" 1774450800", None),
        ("soon", None),
    ];
    for (text, us) in table {
        let expected = us.map(Timestamp::from_us);
        assert_eq!(Timestamp::parse_header(text), expected, "{text:?}");
    }
}

#[test]
fn model_names() {
    let table = [
        // Singular and plural.
        ("unit", "units"),
        ("units", "units"),
        ("lease", "leases"),
        ("leases", "leases"),
        ("resident", "residents"),
        ("appointment", "appointments"),
        ("user", "users"),
        ("property", "properties"),
        ("properties", "properties"),
        ("amenity", "amenities"),
        ("employee", "employees"),
        ("key", "keys"),
        ("survey", "surveys"),
        ("day", "days"),
        ("tax", "taxes"),
        ("taxes", "taxes"),
        ("branch", "branches"),
        ("dish", "dishes"),
        ("address", "addresses"),
        ("addresses", "addresses"),
        ("y", "ys"),
        // Without a plural.
        ("feedback", "feedback"),
        ("history", "history"),
        ("metadata", "metadata"),
        ("data", "data"),
        ("status", "status"),
        ("lease_history", "lease_history"),
        ("unit-status", "unit_status"),
        // Kebab case, spaces, capitals.
        ("work-order", "work_orders"),
        ("work_order", "work_orders"),
        ("work order", "work_orders"),
        ("Work Order", "work_orders"),
        ("WORK-ORDERS", "work_orders"),
        ("residents-to-leases", "residents_to_leases"),
        ("residents_to_leases", "residents_to_leases"),
        ("residents-to-lease", "residents_to_leases"),
        ("charge-code", "charge_codes"),
        ("lease-property", "lease_properties"),
        (" unit ", "units"),
        // Unknown ones are handled alike.
        ("gizmo", "gizmos"),
        ("wohnung-1", "wohnung_1s"),
        ("büro", "büros"),
    ];
    for (name, expected) in table {
        assert_eq!(model_name(name), expected, "{name:?}");
        assert_eq!(model_name(expected), expected, "{name:?}");
    }
}

#[test]
fn subjects() {
    let subject =
        |model, id: &'static str| Subject::new(model, id.into()).map(|s| (s.model, s.record_id));
    assert_eq!(
        subject("work-order", "a/b 🏠"),
        Ok(("work_orders".to_owned(), "a/b 🏠".into()))
    );
    let table = [
        ("", "1", Unclear::NoModel),
        ("a\nb", "1", Unclear::NoModel),
        ("unit", "", Unclear::BadRecordId),
        ("unit", "a\0", Unclear::BadRecordId),
        ("", "", Unclear::NoModel),
    ];
    for (model, id, why) in table {
        assert_eq!(subject(model, id), Err(why), "{model:?} {id:?}");
    }
}

#[test]
fn a_model_of_nothing_but_space_is_none() {
    for model in [" ", "  ", "\u{a0}", "\u{2003}"] {
        let subject = Subject::new(model, "1".into()).map(|s| s.model);
        assert_eq!(subject, Err(Unclear::NoModel), "{model:?}");
    }
}

#[test]
fn kinds() {
    let table = [
        (Kind::RecordCreated, "record.created", false),
        (Kind::RecordUpdated, "record.updated", false),
        (Kind::RecordSnapshot, "record.snapshot", false),
        (Kind::FirstSyncCompleted, "sync.first_completed", true),
        (Kind::SyncCompleted, "sync.completed", true),
        (Kind::JobFailed, "job.failed", false),
        (Kind::JobSucceeded, "job.succeeded", false),
        (Kind::WriteFailed, "write.failed", false),
        (Kind::Other, "event", false),
    ];
    for (kind, name, is_sync) in table {
        assert_eq!(kind.name(), name);
        assert_eq!(Kind::named(name), Some(kind));
        assert_eq!(kind.is_sync(), is_sync, "{name}");
    }
    for name in [
        "",
        "Event",
        "event ",
        "other",
        "record",
        "leasewire.event",
        "record.deleted",
    ] {
        assert_eq!(Kind::named(name), None, "{name:?}");
    }
}

#[test]
fn reasons_for_quarantine() {
    let table = [
        (Unclear::NotUtf8, "not_utf8"),
        (Unclear::NotJson, "not_json"),
        (Unclear::NotAnObject, "not_an_object"),
        (Unclear::TooDeep, "too_deep"),
        (Unclear::UnknownEnvelope, "unknown_envelope"),
        (Unclear::NoRecordId, "no_record_id"),
        (Unclear::BadRecordId, "bad_record_id"),
        (Unclear::NoModel, "no_model"),
        (Unclear::BadIntegration, "bad_integration"),
        (Unclear::BadTime, "bad_time"),
        (Unclear::FutureTime, "future_time"),
        (Unclear::TooLarge, "too_large"),
    ];
    for (why, label) in table {
        assert_eq!(why.label(), label);
    }
    let labels: Vec<&str> = Unclear::labels().collect();
    assert_eq!(labels, table.map(|(_, label)| label));
}

#[test]
fn usable_ids() {
    let usable = [
        "1", "lease_9", " ", "a b", "a/b", "...", ".a", "\"'`", "%", "é", "🏠", "e\u{301}",
        "\u{a0}", "\u{2028}", "\u{feff}", "null",
    ];
    for id in usable {
        assert!(is_usable_id(id), "{id:?}");
    }
    let unusable = [
        "",
        // A URL resolves these, encoded or not.
        ".",
        "..",
        "\0",
        "\t",
        "\n",
        "a\r\n",
        "\u{1b}[0m",
        "a\u{7f}",
        "\u{80}",
        "\u{85}",
        "a\u{9f}b",
    ];
    for id in unusable {
        assert!(!is_usable_id(id), "{id:?}");
    }
    // By bytes, not by letters.
    assert_eq!(ID_BYTES_MAX, 1_024);
    assert!(is_usable_id(&"a".repeat(1_024)));
    assert!(!is_usable_id(&"a".repeat(1_025)));
    assert!(is_usable_id(&"é".repeat(512)));
    assert!(!is_usable_id(&format!("{}a", "é".repeat(512))));
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

    /// A time's text is read as that time, in records and in headers.
    #[test]
    fn times_survive_their_text(us in -62_167_219_200_000_000..=253_402_300_799_999_999_i64) {
        let time = Timestamp::from_us(us);
        let text = time.to_string();
        prop_assert_eq!(Timestamp::parse(&text), Some(time));
        prop_assert_eq!(Timestamp::parse_header(&text), Some(time));
        prop_assert_eq!(Timestamp::parse(text.trim_end_matches('Z')), Some(time));
    }

    /// A text survives being quoted.
    #[test]
    fn texts_survive_their_quotes(text in any::<String>()) {
        let quoted = serde_json::to_string(&text).unwrap();
        let read = json::text(value(&quoted));
        prop_assert_eq!(read.as_deref(), Some(&*text));
    }

    /// A normalised model name is its own normal form.
    #[test]
    fn model_names_stay(name in any::<String>()) {
        let once = model_name(&name);
        prop_assert_eq!(model_name(&once), once);
    }

    /// The same for names made of the letters and endings that count.
    #[test]
    fn model_names_of_likely_parts_stay(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "s", "ss", "y", "ys", "a", "e", "x", "z", "ch", "sh", "ies", "data", "status",
                "history", "feedback", "unit", "-", "_", " ", "S", "Y", "ſ", "Σ", "İ", "ß", "\u{a0}",
            ]),
            0..6,
        )
    ) {
        let name = parts.concat();
        let once = model_name(&name);
        prop_assert_eq!(model_name(&once), once);
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
