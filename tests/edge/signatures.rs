//! Who gets in, and how everybody else is refused.

use data_encoding::{BASE64, HEXLOWER};
use leasewire::dialect;
use leasewire::signature::Unauthorized::{
    FromTheFuture, SignatureMalformed, SignatureMissing, SignatureWrong, TimestampMalformed,
    TimestampMissing, TimestampUnseparated, TooOld,
};
use leasewire::signature::{Presented, Scheme, Unauthorized, hmac, sign as sign_headers, verify};
use leasewire::time::Timestamp;
use proptest::prelude::*;

/// 2026-03-25T15:00:00Z.
pub const NOW: Timestamp = Timestamp::from_s(1_774_450_800);

pub const SECRET: &str = "secret";

pub const BODY: &[u8] = br#"{"record_id":"1"}"#;

/// Of `BODY` with `SECRET`, from Python's hmac.
pub const SIGNATURE: &str = "21f9c5c4ab1e46a6eedab5021594b7301c57f91b8b184cea81072ff4f4a9c4a5";

/// Of `1774450800` and `BODY` with `SECRET`, from Python's hmac.
pub const SIGNATURE_WITH_TIME: &str =
    "8b40d1ac53eb506ff61d113e50b784a979b651a4f05db6fac494c926ddfed599";

pub fn scheme(dialect: &str) -> &'static Scheme {
    dialect::named(dialect).unwrap().scheme()
}

pub fn sign(secret: &[u8], parts: &[&[u8]]) -> String {
    HEXLOWER.encode(&hmac(secret, parts).unwrap())
}

/// What becomes of a request that has only the signature header.
pub fn check(
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
