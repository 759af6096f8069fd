//! Which values mean the same.

use leasewire::json::same;
use proptest::prelude::*;

use super::{any_json, value};

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

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
