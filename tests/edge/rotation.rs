//! Which of several secrets or tokens lets in, and which never does.

use leasewire::signature::Unauthorized::SignatureWrong;
use leasewire::signature::{Presented, token_matches, verify};

use super::signatures::{BODY, NOW, SECRET, SIGNATURE, check, scheme, sign};

#[test]
fn every_secret_of_a_rotation_counts() {
    let secrets = ["one", "two", "three"];
    for secret in secrets {
        let signature = sign(secret.as_bytes(), &[BODY]);
        assert_eq!(
            check("propexo", &secrets, Some(&signature), BODY),
            Ok(BODY.to_vec()),
            "{secret}"
        );
    }
    // What was once a secret, or looks like one, is none.
    for other in ["four", "One", "one ", " one", "onetwo", "one two three", ""] {
        let signature = sign(other.as_bytes(), &[BODY]);
        assert_eq!(
            check("propexo", &secrets, Some(&signature), BODY),
            Err(SignatureWrong),
            "{other:?}"
        );
    }
}

#[test]
fn it_is_told_which_secret_matched() {
    let position = |secrets: &[&str]| {
        let presented = Presented {
            signature: Some(SIGNATURE),
            timestamp: None,
        };
        verify(
            scheme("propexo"),
            secrets,
            presented,
            BODY.to_vec(),
            None,
            NOW,
        )
        .map(|authentic| authentic.secret())
    };
    let table = [
        (vec![SECRET], Ok(1)),
        (vec![SECRET, "new"], Ok(1)),
        (vec!["old", SECRET], Ok(2)),
        (vec!["old", "older", SECRET, "new"], Ok(3)),
        // The first of two that are the same.
        (vec!["old", SECRET, SECRET], Ok(2)),
        (vec!["", SECRET], Ok(2)),
        (vec!["old", "new"], Err(SignatureWrong)),
    ];
    for (secrets, expected) in table {
        assert_eq!(position(&secrets), expected, "{secrets:?}");
    }
}

#[test]
fn an_empty_secret_never_matches() {
    let of_empty = sign(b"", &[BODY]);
    let of_one = sign(b"one", &[BODY]);
    let sets: [&[&str]; 5] = [
        &[""],
        &["", ""],
        &["", "one"],
        &["one", ""],
        &["two", "", "one"],
    ];
    for secrets in sets {
        assert_eq!(
            check("propexo", secrets, Some(&of_empty), BODY),
            Err(SignatureWrong),
            "{secrets:?}"
        );
        // It doesn't stand in the way of the others either.
        let expected = if secrets.contains(&"one") {
            Ok(BODY.to_vec())
        } else {
            Err(SignatureWrong)
        };
        assert_eq!(
            check("propexo", secrets, Some(&of_one), BODY),
            expected,
            "{secrets:?}"
        );
    }
}

#[test]
fn without_secrets_nothing_matches() {
    for signature in [sign(b"", &[BODY]), SIGNATURE.into(), "0".repeat(64)] {
        assert_eq!(
            check("propexo", &[], Some(&signature), BODY),
            Err(SignatureWrong)
        );
    }
}

#[test]
fn a_prefix_of_the_secret_is_part_of_it() {
    let signature = |secret: &str| format!("sha256={}", sign(secret.as_bytes(), &[BODY]));
    let secrets = ["whsec_c2VjcmV0"];
    assert_eq!(
        check(
            "meterbase",
            &secrets,
            Some(&signature("whsec_c2VjcmV0")),
            BODY
        ),
        Ok(BODY.to_vec())
    );
    for other in ["c2VjcmV0", "secret", "whsec_secret"] {
        assert_eq!(
            check("meterbase", &secrets, Some(&signature(other)), BODY),
            Err(SignatureWrong),
            "{other}"
        );
    }
}

#[test]
fn tokens() {
    let table = [
        ("token", "token", true),
        ("token", "Token", false),
        ("token", "token ", false),
        ("token", " token", false),
        ("token", "toke", false),
        ("token", "tokens", false),
        ("token", "", false),
        ("", "", false),
        ("", "token", false),
        (" ", " ", true),
        ("té", "té", true),
        // One letter, or a letter and its accent: not the same bytes.
        ("té", "te\u{301}", false),
    ];
    for (token, presented, expected) in table {
        assert_eq!(
            token_matches(&[token], presented),
            expected,
            "{token:?} {presented:?}"
        );
        // Whatever else is a token.
        for tokens in [[token, "other"], ["other", token], [token, ""]] {
            assert_eq!(
                token_matches(&tokens, presented),
                expected,
                "{tokens:?} {presented:?}"
            );
        }
    }
    assert!(!token_matches(&[""; 0], ""));
    assert!(!token_matches(&["a", "b"], "ab"));
}
