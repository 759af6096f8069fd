//! Who gets in, and how everybody else is refused.
use std::borrow::Cow;

use data_encoding::{BASE64, HEXLOWER};
use leasewire::dialect::{self, Identity};
use leasewire::signature::Unauthorized::{
    FromTheFuture, SignatureMalformed, SignatureMissing, SignatureWrong, TimestampMalformed,
    TimestampMissing, TimestampUnseparated, TooOld,
};
use leasewire::signature::{
    DedupeKey, Presented, Scheme, Unauthorized, check_age, hmac, sign as sign_headers,
    token_matches, verify,
};
use leasewire::time::Timestamp;
use proptest::prelude::*;

/// 2026-03-25T15:00:00Z.
const NOW: Timestamp = Timestamp::from_s(1_774_450_800);
const SECRET: &str = "secret";
const BODY: &[u8] = br#"{"record_id":"1"}"#;
/// Of `BODY` with `SECRET`, from Python's hmac.
const SIGNATURE: &str = "21f9c5c4ab1e46a6eedab5021594b7301c57f91b8b184cea81072ff4f4a9c4a5";
/// Of `1774450800` and `BODY` with `SECRET`, from Python's hmac.
const SIGNATURE_WITH_TIME: &str =
    "8b40d1ac53eb506ff61d113e50b784a979b651a4f05db6fac494c926ddfed599";

fn scheme(dialect: &str) -> &'static Scheme {
    dialect::named(dialect).unwrap().scheme()
}

fn sign(secret: &[u8], parts: &[&[u8]]) -> String {
    HEXLOWER.encode(&hmac(secret, parts).unwrap())
}

/// What becomes of a request that has only the signature header.
fn check(
    dialect: &str,
    secrets: &[&str],
    signature: Option<&str>,
    body: &[u8],
) -> Result<Vec<u8>, Unauthorized> {
    let presented = Presented {
        signature,
        timestamp: None,
    };
    verify(
        scheme(dialect),
        secrets,
        presented,
        body.to_vec(),
        None,
        NOW,
    )
    .map(|authentic| authentic.into_body())
}

/// What becomes of a request of `real-estate` whose timestamp header was
/// signed as `signed` and sent as `sent`.
fn check_time(signed: &str, sent: Option<&str>) -> Result<(), Unauthorized> {
    let signature = sign(SECRET.as_bytes(), &[signed.as_bytes(), BODY]);
    let presented = Presented {
        signature: Some(&signature),
        timestamp: sent,
    };
    let age_s = dialect::named("real-estate").unwrap().accepted_age_s();
    verify(
        scheme("real-estate"),
        &[SECRET],
        presented,
        BODY.to_vec(),
        age_s,
        NOW,
    )
    .map(|authentic| assert_eq!(authentic.body(), BODY))
}

/// RFC 4231, section 4: key, data, HMAC-SHA-256.
fn vectors() -> Vec<(Vec<u8>, Vec<u8>, &'static str)> {
    vec![
        (
            vec![0x0b; 20],
            b"Hi There".to_vec(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 20],
            vec![0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            (0x01..=0x19).collect(),
            vec![0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than \
              block-size data. The key needs to be hashed before being used by the HMAC \
              algorithm."
                .to_vec(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ]
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    for (key, data, digest) in vectors() {
        assert_eq!(sign(&key, &[&data]), digest);
        // In parts it is the same as in one piece.
        for at in 0..=data.len() {
            assert_eq!(sign(&key, &[&data[..at], &data[at..]]), digest);
        }
        let presented = Presented {
            signature: Some(digest),
            timestamp: None,
        };
        let authentic = verify(
            scheme("propexo"),
            &[&key],
            presented,
            data.clone(),
            None,
            NOW,
        );
        assert_eq!(authentic.map(|a| a.into_body()), Ok(data));
    }
}

#[test]
fn the_truncated_vector_of_rfc_4231_is_no_signature() {
    let (key, data) = ([0x0c; 20], b"Test With Truncation");
    let digest = sign(&key, &[data]);
    let truncated = "a3b6167473100ee06e0c796c2955552b";
    assert_eq!(&digest[..32], truncated);
    let presented = Presented {
        signature: Some(truncated),
        timestamp: None,
    };
    assert_eq!(
        verify(
            scheme("propexo"),
            &[&key],
            presented,
            data.to_vec(),
            None,
            NOW
        ),
        Err(SignatureMalformed)
    );
}

#[test]
fn headers_of_bare_digits() {
    let upper = SIGNATURE.to_uppercase();
    let mixed: String = SIGNATURE
        .chars()
        .zip([false, true].into_iter().cycle())
        .map(|(c, up)| if up { c.to_ascii_uppercase() } else { c })
        .collect();
    assert_ne!(mixed, upper);
    let pairs: Vec<&str> = (0..32).map(|i| &SIGNATURE[2 * i..2 * i + 2]).collect();
    let rest = |n: usize| &SIGNATURE[n..];
    let table: Vec<(&str, String, Result<(), Unauthorized>)> = vec![
        ("as it is", SIGNATURE.into(), Ok(())),
        ("upper case", upper, Ok(())),
        ("mixed case", mixed, Ok(())),
        ("space before", format!(" {SIGNATURE}"), Ok(())),
        ("space after", format!("{SIGNATURE} "), Ok(())),
        (
            "tabs and lines around",
            format!("\t\r\n{SIGNATURE}\n\t "),
            Ok(()),
        ),
        ("empty", String::new(), Err(SignatureMissing)),
        ("blank", " \t ".into(), Err(SignatureMissing)),
        ("one digit", "2".into(), Err(SignatureMalformed)),
        ("odd length", rest(1).into(), Err(SignatureMalformed)),
        ("a byte short", rest(2).into(), Err(SignatureMalformed)),
        ("half", rest(32).into(), Err(SignatureMalformed)),
        (
            "a digit more",
            format!("{SIGNATURE}0"),
            Err(SignatureMalformed),
        ),
        (
            "a byte more",
            format!("{SIGNATURE}00"),
            Err(SignatureMalformed),
        ),
        ("very long", "0".repeat(1 << 16), Err(SignatureMalformed)),
        (
            "not hex at the start",
            format!("g{}", rest(1)),
            Err(SignatureMalformed),
        ),
        (
            "not hex at the end",
            format!("{}g", &SIGNATURE[..63]),
            Err(SignatureMalformed),
        ),
        ("words", "not a signature".into(), Err(SignatureMalformed)),
        (
            "words of 64 letters",
            "x".repeat(64),
            Err(SignatureMalformed),
        ),
        (
            "two bytes a letter",
            "é".repeat(32),
            Err(SignatureMalformed),
        ),
        (
            "digits of another script",
            format!("{}٣", rest(2)),
            Err(SignatureMalformed),
        ),
        ("NUL", format!("{}\0", rest(1)), Err(SignatureMalformed)),
        (
            "twice",
            format!("{SIGNATURE}{SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (
            "twice, \", \"",
            format!("{SIGNATURE}, {SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (
            "twice, \",\"",
            format!("{SIGNATURE},{SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (
            "twice, \" \"",
            format!("{SIGNATURE} {SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (
            "a comma after",
            format!("{SIGNATURE},"),
            Err(SignatureMalformed),
        ),
        (
            "a comma before",
            format!(",{SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (
            "pairs with spaces",
            pairs.join(" "),
            Err(SignatureMalformed),
        ),
        (
            "pairs with colons",
            pairs.join(":"),
            Err(SignatureMalformed),
        ),
        (
            "64 characters with a space",
            format!("{} {}", &SIGNATURE[..31], rest(32)),
            Err(SignatureMalformed),
        ),
        (
            "64 characters with a line break",
            format!("{}\n{}", &SIGNATURE[..32], rest(33)),
            Err(SignatureMalformed),
        ),
        (
            "a prefix of another dialect",
            format!("sha256={SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        ("0x", format!("0x{SIGNATURE}"), Err(SignatureMalformed)),
        (
            "0x instead of a byte",
            format!("0x{}", rest(2)),
            Err(SignatureMalformed),
        ),
        (
            "in quotes",
            format!("\"{SIGNATURE}\""),
            Err(SignatureMalformed),
        ),
        (
            "Base64",
            BASE64.encode(&hmac(SECRET.as_bytes(), &[BODY]).unwrap()),
            Err(SignatureMalformed),
        ),
        (
            "another digit at the start",
            format!("3{}", rest(1)),
            Err(SignatureWrong),
        ),
        (
            "another digit at the end",
            format!("{}4", &SIGNATURE[..63]),
            Err(SignatureWrong),
        ),
        ("all zero", "0".repeat(64), Err(SignatureWrong)),
        (
            "of another secret",
            sign(b"Secret", &[BODY]),
            Err(SignatureWrong),
        ),
        (
            "of no body",
            sign(SECRET.as_bytes(), &[]),
            Err(SignatureWrong),
        ),
    ];
    for dialect in ["propexo", "propify"] {
        assert_eq!(check(dialect, &[SECRET], None, BODY), Err(SignatureMissing));
        for (what, header, expected) in &table {
            assert_eq!(
                check(dialect, &[SECRET], Some(header), BODY),
                expected.map(|()| BODY.to_vec()),
                "{dialect}: {what}"
            );
        }
    }
}

#[test]
fn headers_with_a_prefix() {
    let upper = SIGNATURE.to_uppercase();
    let rest = |n: usize| &SIGNATURE[n..];
    let table = [
        (format!("sha256={SIGNATURE}"), Ok(())),
        (format!("sha256={upper}"), Ok(())),
        (format!(" \tsha256={SIGNATURE}\t "), Ok(())),
        (String::new(), Err(SignatureMissing)),
        (" ".into(), Err(SignatureMissing)),
        (SIGNATURE.into(), Err(SignatureMalformed)),
        ("sha256=".into(), Err(SignatureMalformed)),
        ("sha256".into(), Err(SignatureMalformed)),
        (format!("SHA256={SIGNATURE}"), Err(SignatureMalformed)),
        (format!("Sha256={SIGNATURE}"), Err(SignatureMalformed)),
        (format!("sha256:{SIGNATURE}"), Err(SignatureMalformed)),
        (format!("sha256{SIGNATURE}"), Err(SignatureMalformed)),
        (format!("=sha256={SIGNATURE}"), Err(SignatureMalformed)),
        (format!("sha1={SIGNATURE}"), Err(SignatureMalformed)),
        (format!("sha512={SIGNATURE}"), Err(SignatureMalformed)),
        (format!("v1={SIGNATURE}"), Err(SignatureMalformed)),
        (format!("sha256= {SIGNATURE}"), Err(SignatureMalformed)),
        (format!("sha256 ={SIGNATURE}"), Err(SignatureMalformed)),
        (
            format!("sha256=sha256={SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (format!("sha256={}", rest(1)), Err(SignatureMalformed)),
        (format!("sha256={}", rest(2)), Err(SignatureMalformed)),
        (format!("sha256={}", rest(7)), Err(SignatureMalformed)),
        (format!("sha256={SIGNATURE}00"), Err(SignatureMalformed)),
        (format!("sha256=g{}", rest(1)), Err(SignatureMalformed)),
        (format!("sha256={SIGNATURE},"), Err(SignatureMalformed)),
        (
            format!("sha256={SIGNATURE}, sha256={SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (
            format!("sha256={SIGNATURE},sha256={SIGNATURE}"),
            Err(SignatureMalformed),
        ),
        (format!("sha256={}", "0".repeat(64)), Err(SignatureWrong)),
    ];
    assert_eq!(
        check("meterbase", &[SECRET], None, BODY),
        Err(SignatureMissing)
    );
    for (header, expected) in table {
        assert_eq!(
            check("meterbase", &[SECRET], Some(&header), BODY),
            expected.map(|()| BODY.to_vec()),
            "{header}"
        );
    }
}

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
fn our_own_signature_is_what_a_provider_sends() {
    for dialect in dialect::DIALECTS {
        let scheme = dialect.scheme();
        let headers = sign_headers(scheme, SECRET.as_bytes(), BODY, NOW);
        let (digits, time) = match dialect.name() {
            "real-estate" => (SIGNATURE_WITH_TIME, Some("1774450800")),
            _ => (SIGNATURE, None),
        };
        let mut expected = vec![(scheme.header, format!("{}{digits}", scheme.prefix))];
        if let Some((header, time)) = scheme.timestamp_header.zip(time) {
            expected.insert(0, (header, time.to_owned()));
        }
        assert_eq!(headers, expected);
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
fn a_changed_body_fails() {
    for at in 0..BODY.len() {
        for bit in 0..8 {
            let mut body = BODY.to_vec();
            body[at] ^= 1 << bit;
            assert_eq!(
                check("propexo", &[SECRET], Some(SIGNATURE), &body),
                Err(SignatureWrong),
                "bit {bit} of byte {at}"
            );
        }
        let mut without = BODY.to_vec();
        without.remove(at);
        let cut_off = BODY[..at].to_vec();
        for body in [without, cut_off] {
            assert_eq!(
                check("propexo", &[SECRET], Some(SIGNATURE), &body),
                Err(SignatureWrong),
                "without byte {at}"
            );
        }
    }
    for at in 0..=BODY.len() {
        for byte in [b' ', b'\n', 0] {
            let mut body = BODY.to_vec();
            body.insert(at, byte);
            assert_eq!(
                check("propexo", &[SECRET], Some(SIGNATURE), &body),
                Err(SignatureWrong),
                "{byte} before byte {at}"
            );
        }
    }
}

#[test]
fn any_bytes_can_be_signed() {
    let bodies: [&[u8]; 5] = [b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{ }\r\n"];
    for body in bodies {
        let signature = sign(SECRET.as_bytes(), &[body]);
        assert_eq!(
            check("propexo", &[SECRET], Some(&signature), body),
            Ok(body.to_vec())
        );
    }
}

#[test]
fn the_timestamp_header_is_signed_in_front_of_the_body() {
    let check = |signature: &str, timestamp| {
        let presented = Presented {
            signature: Some(signature),
            timestamp,
        };
        let (scheme, body) = (scheme("real-estate"), BODY.to_vec());
        verify(scheme, &[SECRET], presented, body, Some(60), NOW).map(|a| a.into_body())
    };
    let time = Some("1774450800");
    assert_eq!(check(SIGNATURE_WITH_TIME, time), Ok(BODY.to_vec()));
    // The same time in other words, another time, no time.
    for other in [
        "1774450800000",
        "2026-03-25T15:00:00Z",
        "01774450800",
        "1774450801",
    ] {
        assert_eq!(
            check(SIGNATURE_WITH_TIME, Some(other)),
            Err(SignatureWrong),
            "{other}"
        );
    }
    assert_eq!(check(SIGNATURE_WITH_TIME, None), Err(TimestampMissing));
    assert_eq!(check(SIGNATURE, time), Err(SignatureWrong));
    for separator in [".", ":", "\n", " "] {
        let parts: [&[u8]; 3] = [b"1774450800", separator.as_bytes(), BODY];
        assert_eq!(
            check(&sign(SECRET.as_bytes(), &parts), time),
            Err(SignatureWrong),
            "{separator:?}"
        );
    }
    let after = sign(SECRET.as_bytes(), &[BODY, b"1774450800"]);
    assert_eq!(check(&after, time), Err(SignatureWrong));
    // A time that nobody signed says nothing: neither too old nor too early.
    for unsigned in ["1", "99999999999"] {
        assert_eq!(
            check(SIGNATURE_WITH_TIME, Some(unsigned)),
            Err(SignatureWrong),
            "{unsigned}"
        );
    }
    // Dialects that sign no header don't look at one.
    for timestamp in [None, time, Some("words"), Some("1")] {
        let presented = Presented {
            signature: Some(SIGNATURE),
            timestamp,
        };
        let (scheme, body) = (scheme("propexo"), BODY.to_vec());
        assert!(verify(scheme, &[SECRET], presented, body, Some(60), NOW).is_ok());
    }
}

#[test]
fn timestamp_headers() {
    let table = [
        // Seconds.
        ("1774450800", Ok(())),
        ("1774450799", Ok(())),
        // Milliseconds.
        ("1774450800000", Ok(())),
        ("1774450799999", Ok(())),
        // RFC 3339 in UTC, in each of its spellings.
        ("2026-03-25T15:00:00Z", Ok(())),
        ("2026-03-25t15:00:00z", Ok(())),
        ("2026-03-25T15:00:00+00:00", Ok(())),
        ("2026-03-25T15:00:00-00:00", Ok(())),
        ("2026-03-25T14:59:59.9Z", Ok(())),
        ("2026-03-25T14:59:59.999Z", Ok(())),
        ("2026-03-25T14:59:59.999999999Z", Ok(())),
        // The same moment, but not in UTC.
        ("2026-03-25T16:00:00+01:00", Err(TimestampMalformed)),
        ("2026-03-25T10:00:00-05:00", Err(TimestampMalformed)),
        ("2026-03-25T20:30:00+05:30", Err(TimestampMalformed)),
        ("2026-03-25T15:01:00+00:01", Err(TimestampMalformed)),
        // Not quite RFC 3339.
        ("2026-03-25T15:00:00", Err(TimestampMalformed)),
        ("2026-03-25T15:00Z", Err(TimestampMalformed)),
        ("2026-03-25T15:00:00+0000", Err(TimestampMalformed)),
        ("2026-03-25", Err(TimestampMalformed)),
        ("20260325T150000Z", Err(TimestampMalformed)),
        ("2026-02-29T15:00:00Z", Err(TimestampMalformed)),
        ("2026-03-25T24:00:00Z", Err(TimestampMalformed)),
        ("2026-03-25T15:00:00ZZ", Err(TimestampMalformed)),
        ("Wed, 25 Mar 2026 15:00:00 GMT", Err(TimestampMalformed)),
        // Not quite numbers.
        ("-1774450800", Err(TimestampMalformed)),
        ("+1774450800", Err(TimestampMalformed)),
        ("-1", Err(TimestampMalformed)),
        ("1774450800.0", Err(TimestampMalformed)),
        ("1774450800s", Err(TimestampMalformed)),
        ("1.7744508e9", Err(TimestampMalformed)),
        ("0x69c3f9b0", Err(TimestampMalformed)),
        ("1_774_450_800", Err(TimestampMalformed)),
        ("1774 450800", Err(TimestampMalformed)),
        ("1774450800,1774450800", Err(TimestampMalformed)),
        ("1774450800, 1774450800", Err(TimestampMalformed)),
        ("t=1774450800", Err(TimestampMalformed)),
        ("\"1774450800\"", Err(TimestampMalformed)),
        ("١٧٧٤٤٥٠٨٠٠", Err(TimestampMalformed)),
        ("now", Err(TimestampMalformed)),
        ("NaN", Err(TimestampMalformed)),
        ("null", Err(TimestampMalformed)),
        // By the number of digits: up to 11 are seconds, up to 14 milliseconds.
        ("0", Err(TooOld)),
        ("1", Err(TooOld)),
        ("177445080", Err(TooOld)),
        ("01774450800", Ok(())),
        ("17744508000", Err(FromTheFuture)),
        ("177445080000", Err(TooOld)),
        ("01774450800000", Ok(())),
        ("17744508000000", Err(FromTheFuture)),
        ("99999999999999", Err(FromTheFuture)),
        ("001774450800000", Err(TimestampMalformed)),
        ("177445080000000", Err(TimestampMalformed)),
        ("1774450800000000", Err(TimestampMalformed)),
        ("1774450800000000000", Err(TimestampMalformed)),
        ("18446744073709551616", Err(TimestampMalformed)),
        (
            "1774450800000000000000000000000000000000",
            Err(TimestampMalformed),
        ),
        // 24 h ago, to the smallest unit of each form.
        ("1774364400", Ok(())),
        ("1774364399", Err(TooOld)),
        ("1774364400000", Ok(())),
        ("1774364399999", Err(TooOld)),
        ("2026-03-24T15:00:00Z", Ok(())),
        ("2026-03-24T14:59:59.999999Z", Err(TooOld)),
        ("2026-03-24T14:59:59.999999999Z", Err(TooOld)),
        // 5 min ahead.
        ("1774451100", Ok(())),
        ("1774451101", Err(FromTheFuture)),
        ("1774451100000", Ok(())),
        ("1774451100001", Err(FromTheFuture)),
        ("2026-03-25T15:05:00Z", Ok(())),
        ("2026-03-25T15:05:00.000001Z", Err(FromTheFuture)),
    ];
    for (text, expected) in table {
        assert_eq!(check_time(text, Some(text)), expected, "{text}");
        // White space around a header is not part of it.
        let padded = format!(" \t{text} ");
        assert_eq!(check_time(text, Some(&padded)), expected, "{padded:?}");
    }
    for sent in [None, Some(""), Some(" "), Some("\t \t")] {
        assert_eq!(check_time("", sent), Err(TimestampMissing), "{sent:?}");
        assert_eq!(
            check_time("1774450800", sent),
            Err(TimestampMissing),
            "{sent:?}"
        );
    }
}

#[test]
fn the_accepted_age_ends_where_it_says() {
    let at = |offset_us: i64| Timestamp::from_us(NOW.us() + offset_us);
    let s = |seconds: i64| at(seconds * 1_000_000);
    // An hour, MeterBase's 48 h, no time at all.
    for age_s in [3_600, 172_800, 0] {
        let age = Some(age_s);
        let oldest = -(age_s as i64) * 1_000_000;
        assert_eq!(check_age(NOW, age, NOW), Ok(()));
        assert_eq!(check_age(at(oldest), age, NOW), Ok(()));
        assert_eq!(check_age(at(oldest - 1), age, NOW), Err(TooOld));
        assert_eq!(check_age(s(300), age, NOW), Ok(()));
        assert_eq!(check_age(at(300_000_001), age, NOW), Err(FromTheFuture));
        assert_eq!(check_age(s(301), age, NOW), Err(FromTheFuture));
    }
    for time in [Timestamp::from_us(i64::MIN), Timestamp::from_us(i64::MAX)] {
        assert_eq!(check_age(time, None, NOW), Ok(()));
    }
    let always = Some(u64::MAX);
    assert_eq!(check_age(Timestamp::from_s(0), always, NOW), Ok(()));
    assert_eq!(check_age(s(301), always, NOW), Err(FromTheFuture));
    let defaults = ["propexo", "propify", "meterbase", "real-estate"]
        .map(|name| dialect::named(name).unwrap().accepted_age_s());
    assert_eq!(defaults, [None, None, Some(172_800), Some(86_400)]);
}

#[test]
fn schemes_are_as_documented() {
    let table = [
        ("propexo", "propexo-signature", "", None),
        ("propify", "propify-signature", "", None),
        ("meterbase", "x-propexo-signature", "sha256=", None),
        (
            "real-estate",
            "x-webhook-signature",
            "",
            Some("x-webhook-timestamp"),
        ),
    ];
    for (name, header, prefix, timestamp_header) in table {
        let scheme = scheme(name);
        assert_eq!(
            (scheme.header, scheme.prefix, scheme.timestamp_header),
            (header, prefix, timestamp_header),
            "{name}"
        );
    }
    assert_eq!(table.len(), dialect::DIALECTS.len());
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

/// Digits that move between a timestamp and its body leave what is signed as it
/// was, so that no signature tells them apart.
#[test]
fn no_digit_moves_between_timestamp_and_body() {
    let sent = |signed: &[u8], timestamp: &str, body: &[u8]| {
        let signature = sign(SECRET.as_bytes(), &[signed]);
        let presented = Presented {
            signature: Some(&signature),
            timestamp: Some(timestamp),
        };
        let scheme = scheme("real-estate");
        verify(
            scheme,
            &[SECRET],
            presented,
            body.to_vec(),
            Some(86_400),
            NOW,
        )
        .map(|_| ())
    };
    let signed = br#"1774450800000{"a":1}"#;
    let table: [(&str, &[u8], _); 6] = [
        ("1774450800000", br#"{"a":1}"#, Ok(())),
        ("1774450800", br#"000{"a":1}"#, Err(TimestampUnseparated)),
        ("17744508000", br#"00{"a":1}"#, Err(TimestampUnseparated)),
        ("177445080000", br#"0{"a":1}"#, Err(TimestampUnseparated)),
        ("1", br#"774450800000{"a":1}"#, Err(TimestampUnseparated)),
        ("1774450800000{", br#""a":1}"#, Err(TimestampMalformed)),
    ];
    for (timestamp, body, expected) in table {
        assert_eq!(sent(signed, timestamp, body), expected, "{timestamp}");
    }
    // A time with an end of its own may stand before anything.
    let iso = "2026-03-25T15:00:00Z";
    assert_eq!(sent(format!("{iso}17").as_bytes(), iso, b"17"), Ok(()));
    assert_eq!(sent(b"1774450800", "1774450800", b""), Ok(()));
}

/// What the headers alone give away needs no body to be refused.
#[test]
fn headers_are_looked_at_before_the_body() {
    let zeros = "0".repeat(64);
    let prefixed = format!("sha256={zeros}");
    let table = [
        ("propexo", None, None, Err(SignatureMissing)),
        ("propexo", Some(""), None, Err(SignatureMissing)),
        ("propexo", Some("zeros"), None, Err(SignatureMalformed)),
        ("propexo", Some(&*prefixed), None, Err(SignatureMalformed)),
        ("propexo", Some(&*zeros), None, Ok(())),
        ("meterbase", Some(&*zeros), None, Err(SignatureMalformed)),
        ("meterbase", Some(&*prefixed), None, Ok(())),
        ("real-estate", Some(&*zeros), None, Err(TimestampMissing)),
        (
            "real-estate",
            Some(&*zeros),
            Some("soon"),
            Err(TimestampMalformed),
        ),
        (
            "real-estate",
            Some(&*zeros),
            Some("1774364399"),
            Err(TooOld),
        ),
        ("real-estate", Some(&*zeros), Some("1774364400"), Ok(())),
        // By then the time may have come.
        ("real-estate", Some(&*zeros), Some("1774459999"), Ok(())),
    ];
    for (dialect, signature, timestamp, expected) in table {
        let presented = Presented {
            signature,
            timestamp,
        };
        let age_s = dialect::named(dialect).unwrap().accepted_age_s();
        let seen = presented.check(scheme(dialect), age_s, NOW);
        assert_eq!(seen, expected, "{dialect} {signature:?} {timestamp:?}");
    }
}

#[test]
fn dedupe_keys_stay_what_they_are() {
    // The first 16 bytes of SHA-256 over tag, NUL and part, from Python's
    // hashlib. Ledgers keep these: another formula would forget them all.
    let table: [(&str, &[u8], &str); 4] = [
        ("body", br#"{"a":1}"#, "052b139a4092e9662a517f8ee6088c8d"),
        ("event", b"evt_1", "c61ac4d53f3523317a5e91827a7f1eed"),
        ("body", b"", "533efb51d04e310a7fb38f1446b42188"),
        (
            "sync",
            "sync_é".as_bytes(),
            "cea88d817be0fe75e48ca998ee08d484",
        ),
    ];
    for (tag, part, key) in table {
        assert_eq!(HEXLOWER.encode(&DedupeKey::of(tag, part).0), key);
    }
    // Tag and part don't run into each other.
    assert_ne!(DedupeKey::of("a", b"bc"), DedupeKey::of("ab", b"c"));
}

#[test]
fn an_identity_decides_what_is_hashed() {
    let body = br#"{"a":1}"#;
    let table = [
        (Identity::Body, "body", &body[..]),
        (Identity::RepeatableBody, "body", &body[..]),
        (Identity::EventId(Cow::Borrowed("evt_1")), "event", b"evt_1"),
        (Identity::SyncId(Cow::Borrowed("evt_1")), "sync", b"evt_1"),
    ];
    for (identity, tag, part) in table {
        assert_eq!(identity.key(body), DedupeKey::of(tag, part), "{identity:?}");
    }
}

#[test]
fn the_log_tells_reasons_apart() {
    let table = [
        (SignatureMissing, "signature_missing"),
        (SignatureMalformed, "signature_malformed"),
        (SignatureWrong, "signature_wrong"),
        (TimestampMissing, "timestamp_missing"),
        (TimestampMalformed, "timestamp_malformed"),
        (TimestampUnseparated, "timestamp_unseparated"),
        (TooOld, "too_old"),
        (FromTheFuture, "from_the_future"),
    ];
    for (why, label) in table {
        assert_eq!(why.label(), label);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What was signed with a secret gets in with it, and not with another.
    #[test]
    fn the_signer_gets_in(
        secret in any::<[u8; 16]>(),
        other in any::<[u8; 16]>(),
        body in any::<Vec<u8>>(),
    ) {
        let signature = sign(&secret, &[&body]);
        let check = |secrets: &[[u8; 16]]| {
            let presented = Presented { signature: Some(&signature), timestamp: None };
            verify(scheme("propexo"), secrets, presented, body.clone(), None, NOW)
                .map(|authentic| authentic.into_body())
        };
        prop_assert_eq!(check(&[secret]), Ok(body.clone()));
        prop_assert_eq!(check(&[other, secret]), Ok(body.clone()));
        prop_assert_eq!(check(&[other]), Err(SignatureWrong));
    }
}
