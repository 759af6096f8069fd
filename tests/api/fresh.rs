//! Answers that whoever asks has already.

use leasewire::api::fresh::{etag, is_known};

/// Who has an answer needn't be sent it again; who has another one must be.
#[test]
fn an_answer_is_known_by_its_tag() {
    let (one, other) = (etag(r#"{"version":1}"#), etag(r#"{"version":2}"#));
    assert_ne!(one, other);
    assert_eq!(one, etag(r#"{"version":1}"#));
    assert!(one.len() == 34 && one.starts_with('"') && one.ends_with('"'));
    let bare = one.trim_matches('"');
    let table = [
        (one.clone(), true),
        (format!("W/{one}"), true),
        (format!("{other}, {one}"), true),
        (format!("\"a,b\" ,{one},{other}"), true),
        ("*".to_owned(), true),
        (" * ".to_owned(), true),
        (other.clone(), false),
        (bare.to_owned(), false),
        (format!("w/{one}"), false),
        (format!("\"{bare}"), false),
        (String::new(), false),
        ("\"\"".to_owned(), false),
    ];
    for (header, known) in table {
        assert_eq!(is_known(&header, &one), known, "{header}");
    }
}
