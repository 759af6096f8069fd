//! Times in the forms that providers write them in.

use leasewire::json;
use leasewire::time::Timestamp;
use proptest::prelude::*;

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
        ("2026-03-25T15:00:00.5", S, 500_000_000),
        // ISO 8601 beyond RFC 3339: offsets as Java, Ruby and PostgreSQL write
        // them, no seconds, a comma, no separators.
        ("2026-03-25T15:00:00+0000", S, 0),
        ("2026-03-25T16:00:00+0100", S, 0),
        ("2026-03-25T10:00:00-0500", S, 0),
        ("2026-03-25T10:00:00\u{2212}05:00", S, 0),
        ("2026-03-25T20:30:00+0530", S, 0),
        ("2026-03-25T15:00:00+00", S, 0),
        ("2026-03-25T10:00:00-05", S, 0),
        ("2026-03-25 16:00:00 +0100", S, 0),
        ("2026-03-25 15:00:00.5+00", S, 500_000_000),
        ("2026-03-25T15:00Z", S, 0),
        ("2026-03-25T15:00", S, 0),
        ("2026-03-25t15:00z", S, 0),
        ("2026-03-25T16:00+0100", S, 0),
        ("2026-03-25T15Z", S, 0),
        ("2026-03-25T10-05", S, 0),
        ("2026-03-25T15:00:00,5Z", S, 500_000_000),
        ("2026-03-25T16:00:00,250+01", S, 250_000_000),
        ("20260325T150000Z", S, 0),
        ("20260325t150000.25z", S, 250_000_000),
        ("20260325T150000,123456789+0000", S, 123_456_789),
        ("20260325T1600+0100", S, 0),
        ("20260325T15Z", S, 0),
        ("20260325T150000", S, 0),
        ("20260325 15:00:00Z", S, 0),
        ("2026-03-25T150000Z", S, 0),
        ("20161231T235960Z", 1_483_228_800, 0),
        ("2016-12-31T23:59:60.5Z", 1_483_228_800, 500_000_000),
        // Fractions, down to nanoseconds.
        ("2026-03-25T15:00:00.0Z", S, 0),
        ("2026-03-25T15:00:00.1Z", S, 100_000_000),
        ("2026-03-25T15:00:00.12Z", S, 120_000_000),
        ("2026-03-25T15:00:00.123Z", S, 123_000_000),
        ("2026-03-25T15:00:00.1234Z", S, 123_400_000),
        ("2026-03-25T15:00:00.123456Z", S, 123_456_000),
        ("2026-03-25T15:00:00.1234567Z", S, 123_456_700),
        ("2026-03-25T15:00:00.123456789Z", S, 123_456_789),
        ("2026-03-25T15:00:00.999999999999Z", S, 999_999_999),
        ("2026-03-25T16:00:00.123+01:00", S, 123_000_000),
        // Before 1970 too.
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1969-12-31T23:59:59.999999Z", 0, -1_000),
        ("1969-12-31T23:59:59.9999999Z", 0, -100),
        // Days that are rare.
        ("2024-02-29T00:00:00Z", 1_709_164_800, 0),
        ("2000-02-29T00:00:00Z", 951_782_400, 0),
        ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
        ("0000-01-01T00:00:00Z", -62_167_219_200, 0),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799, 999_999_000),
    ];
    for (text, s, ns) in table {
        let (us, ns) = (i64::div_euclid(ns, 1_000), i64::rem_euclid(ns, 1_000));
        let expected = Timestamp::from_us(s * 1_000_000 + us).with_ns(ns as u16);
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
        "2026-03-25T15:00:00,Z",
        "2026-03-25T15:00:00.5.5Z",
        "2026-03-25T15:00:00.5,5Z",
        "2026-03-25T15:00.5Z",
        "2026-03-25T15,5Z",
        "2026-03-25T15:Z",
        "2026-03-25T15:00:Z",
        "2026-03-25T15:0000Z",
        "2026-03-25T1500:00Z",
        "2026-0325T15:00:00Z",
        "202603-25T15:00:00Z",
        "20260325150000Z",
        "20260325T15000Z",
        "2026-03-25T15:00:00+01:",
        "2026-03-25T15:00:00+010",
        "2026-03-25T15:00:00+2400",
        "2026-03-25T15:00:00+0060",
        "2026-03-25T15:00:00+",
        "2026-03-25T15:00:00  +0100",
        "2026-03-25  15:00:00Z",
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
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000001000Z"),
        (10, "1970-01-01T00:00:00.000010000Z"),
        (1_000, "1970-01-01T00:00:00.001000000Z"),
        (1_001, "1970-01-01T00:00:00.001001000Z"),
        (100_000, "1970-01-01T00:00:00.100000000Z"),
        (999_999, "1970-01-01T00:00:00.999999000Z"),
        (1_000_000, "1970-01-01T00:00:01.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999000Z"),
        (-1_000_000, "1969-12-31T23:59:59.000000000Z"),
        (1_774_450_800_000_000, "2026-03-25T15:00:00.000000000Z"),
        (1_774_450_800_123_000, "2026-03-25T15:00:00.123000000Z"),
        (1_709_251_199_000_000, "2024-02-29T23:59:59.000000000Z"),
        (-62_167_219_200_000_000, "0000-01-01T00:00:00.000000000Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999000Z"),
    ];
    for (us, text) in table {
        let time = Timestamp::from_us(us);
        assert_eq!(time.to_string(), text);
        assert_eq!(
            json::Writer::default().time("at", time).end(),
            format!(r#"{{"at":"{text}"}}"#)
        );
    }
}

#[test]
fn nanoseconds_are_kept() {
    let us = Timestamp::from_us(1_774_450_800_123_456);
    let first = us.with_ns(7);
    assert_eq!((first.us(), first.ns(), first.ms()), (us.us(), 7, us.ms()));
    assert_eq!(us.ns(), 0);
    assert_eq!(us.with_ns(1_000), us.with_ns(999));
    // In the order of time, as values and as texts.
    let times = [
        Timestamp::from_us(-1).with_ns(999),
        Timestamp::from_us(0),
        us,
        first,
        us.with_ns(999),
        Timestamp::from_us(us.us() + 1),
    ];
    assert!(times.is_sorted_by(|a, b| a < b));
    let texts = times.map(|time| time.to_string());
    assert!(texts.is_sorted_by(|a, b| a < b));
    assert_eq!(texts[0], "1969-12-31T23:59:59.999999999Z");
    assert_eq!(texts[3], "2026-03-25T15:00:00.123456007Z");
    // Arithmetic leaves them alone.
    assert_eq!(first.plus_s(1).minus_s(1), first);
    assert_eq!(first.plus_ms(1).us(), us.us() + 1_000);
    assert_eq!(first.plus_ms(1).ns(), 7);
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
        ("2026-03-25 15:00:00z", Some(1_774_450_800_000_000)),
        // Decision 4: of ISO 8601 RFC 3339's part alone.
        ("2026-03-25T15:00:00+0000", None),
        ("2026-03-25T15:00:00+00", None),
        ("2026-03-25T15:00:00 Z", None),
        ("2026-03-25T15:00Z", None),
        ("2026-03-25T15:00:00,5Z", None),
        ("20260325T150000Z", None),
        ("20260325T15:00:00Z", None),
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A time's text is read as that time, in records and in headers.
    #[test]
    fn times_survive_their_text(
        us in -62_167_219_200_000_000..=253_402_300_799_999_999_i64,
        ns in 0..1_000_u16,
    ) {
        let time = Timestamp::from_us(us).with_ns(ns);
        let text = time.to_string();
        prop_assert_eq!(Timestamp::parse(&text), Some(time));
        prop_assert_eq!(Timestamp::parse_header(&text), Some(time));
        prop_assert_eq!(Timestamp::parse(text.trim_end_matches('Z')), Some(time));
    }
}
