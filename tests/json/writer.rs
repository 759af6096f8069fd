//! Objects that are written.

use leasewire::json::{self, Writer};
use proptest::prelude::*;

use super::value;

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
}
