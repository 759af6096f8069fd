//! When a webhook was signed: how its header says so, and how old it may be.

use leasewire::dialect;
use leasewire::signature::Unauthorized::{
    FromTheFuture, SignatureWrong, TimestampMalformed, TimestampMissing, TimestampUnseparated,
    TooOld,
};
use leasewire::signature::{Presented, Unauthorized, check_age, verify};
use leasewire::time::Timestamp;

use super::signatures::{BODY, NOW, SECRET, SIGNATURE, SIGNATURE_WITH_TIME, scheme, sign};

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
