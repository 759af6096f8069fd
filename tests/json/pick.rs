//! A few fields picked out of a text.

use leasewire::json::{self, Object, Value, pick, pick_each};
use proptest::prelude::*;

use super::any_json;

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

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
}
