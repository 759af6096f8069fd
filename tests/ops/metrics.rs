//! The numbers: what is counted, when counts are written, and the page.

use leasewire::ops::metrics::{BOUNDS_S, CONTENT_TYPE, Meter, OUTCOMES, page, select};
use leasewire::time::Timestamp;

use crate::common::{Database, at};

const NOW: &str = "2026-02-01T00:00:00Z";

fn d1() -> Database {
    let d1 = Database::default();
    d1.migrate();
    d1
}

/// Writes what was counted; gives the rows that this took.
fn flush(meter: &mut Meter, d1: &Database) -> u64 {
    meter
        .take(at(NOW))
        .map_or(0, |counts| d1.written_by(&counts.statement()))
}

fn page_of(configured: &[&str], d1: &Database, now: Timestamp) -> String {
    page(configured, &[], &d1.select(&select()), now).unwrap()
}

/// The samples of a page whose name begins so.
fn samples<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.starts_with(name)).collect()
}

#[test]
fn every_outcome_and_bucket_has_its_own_column() {
    let d1 = d1();
    let mut meter = Meter::default();
    for (times, outcome) in (1..).zip(OUTCOMES) {
        for _ in 0..times {
            meter.delivery("propexo", outcome);
        }
    }
    // On a bound, it is within.
    for (times, bound_s) in (1..).zip(BOUNDS_S) {
        for _ in 0..times {
            meter.confirmation("propexo", bound_s * 1_000);
        }
    }
    for _ in 0..9 {
        meter.confirmation("propexo", 1_800_001);
    }
    meter.confirmation("propexo", 0);
    assert_eq!(flush(&mut meter, &d1), 1);
    let ms: u64 = (1..)
        .zip(BOUNDS_S)
        .map(|(times, s)| times * s * 1_000)
        .sum();
    let expected = format!(
        "propexo|1|2|3|4|5|6|7|8|9|2|2|3|4|5|6|7|8|9|{}",
        ms + 9 * 1_800_001
    );
    assert_eq!(d1.dump("SELECT * FROM metrics"), [expected.as_str()]);
    // Twice as much of everything.
    let mut again = Meter::default();
    for (times, outcome) in (1..).zip(OUTCOMES) {
        for _ in 0..times {
            again.delivery("propexo", outcome);
        }
    }
    flush(&mut again, &d1);
    let (columns, _) = expected.split_at("propexo|1|2|3|4|5|6|7|8|9".len());
    assert_eq!(columns, "propexo|1|2|3|4|5|6|7|8|9");
    let sums = d1.dump(&format!("SELECT {} FROM metrics", OUTCOMES.join(", ")));
    assert_eq!(sums, ["2|4|6|8|10|12|14|16|18"]);
}

#[test]
fn buckets_and_sums_add_up_over_writes() {
    let d1 = d1();
    for _ in 0..3 {
        let mut meter = Meter::default();
        for ms in [
            0, 1_001, 2_001, 5_001, 10_001, 30_001, 60_001, 300_001, 1_800_001,
        ] {
            meter.confirmation("propexo", ms);
        }
        flush(&mut meter, &d1);
    }
    let row = d1.dump("SELECT * FROM metrics");
    assert_eq!(row, ["propexo|0|0|0|0|0|0|0|0|0|3|3|3|3|3|3|3|3|3|6624024"]);
}

#[test]
fn many_deliveries_are_one_row_a_source() {
    let d1 = d1();
    let mut meter = Meter::default();
    for _ in 0..500 {
        for source in ["propexo", "meterbase"] {
            meter.delivery(source, "accepted");
            meter.confirmation(source, 900);
        }
    }
    assert_eq!(flush(&mut meter, &d1), 2);
    assert_eq!(flush(&mut meter, &d1), 0, "nothing is left");
    let rows = d1.dump("SELECT source, accepted, within_1_s, confirmation_ms FROM metrics");
    assert_eq!(rows, ["meterbase|500|500|450000", "propexo|500|500|450000"]);
}

#[test]
fn what_is_no_outcome_is_not_counted() {
    let mut meter = Meter::default();
    for outcome in ["unknown_source", "method_not_allowed", "", "Accepted"] {
        meter.delivery("propexo", outcome);
    }
    assert!(meter.take(at(NOW)).is_none());
}

#[test]
fn what_could_not_be_written_comes_with_the_next() {
    let d1 = d1();
    let mut meter = Meter::default();
    meter.delivery("propexo", "accepted");
    meter.confirmation("propexo", 1_200);
    let counts = meter.take(at(NOW)).unwrap();
    meter.delivery("propexo", "accepted");
    meter.delivery("propify", "pong");
    meter.put_back(counts);
    flush(&mut meter, &d1);
    let rows = d1.dump("SELECT source, accepted, pong, within_2_s, confirmation_ms FROM metrics");
    assert_eq!(rows, ["propexo|2|0|1|1200", "propify|0|1|0|0"]);
}

/// Steps of a second at which something is counted, and what is planned:
/// `None` for nothing, else in how many seconds.
fn plans(meter: &mut Meter, table: &[(u64, Option<u64>)]) {
    for (after_s, expected) in table {
        let now = at(NOW).plus_s(*after_s);
        meter.delivery("propexo", "accepted");
        let planned = meter.plan(now).map(u64::from);
        assert_eq!(planned, expected.map(|s| s * 1_000), "after {after_s} s");
    }
}

#[test]
fn a_burst_is_written_once_and_what_follows_once_a_minute() {
    let mut meter = Meter::default();
    let start = at(NOW);
    plans(&mut meter, &[(0, Some(5)), (0, None), (1, None), (4, None)]);
    assert!(meter.take(start.plus_s(5)).is_some());
    // Due at 65; it can be planned 25 s ahead.
    plans(
        &mut meter,
        &[
            (5, None),
            (6, None),
            (39, None),
            (40, Some(25)),
            (41, None),
            (64, None),
        ],
    );
    assert!(meter.take(start.plus_s(65)).is_some());
    plans(&mut meter, &[(99, None), (110, Some(15))]);
    assert!(meter.take(start.plus_s(125)).is_some());
    // After a silence, as at first.
    plans(&mut meter, &[(185, Some(5)), (186, None)]);
    assert!(meter.take(start.plus_s(190)).is_some());
    plans(&mut meter, &[(10_000, Some(5))]);
}

/// Whatever the pace, an isolate writes once a minute and nothing waits for
/// longer than that while webhooks come.
#[test]
fn steady_traffic_is_written_once_a_minute() {
    for pace_s in [1, 2, 7, 10, 24] {
        let mut meter = Meter::default();
        let (mut due, mut writes, mut flushed_s) = (None, 0, 0);
        for second in 0..3_600_u64 {
            let now = at(NOW).plus_s(second);
            if due == Some(second) {
                due = None;
                assert!(meter.take(now).is_some());
                assert!(
                    second - flushed_s <= 61,
                    "{pace_s}: {flushed_s} to {second}"
                );
                (writes, flushed_s) = (writes + 1, second);
            }
            if second % pace_s == 0 {
                meter.delivery("propexo", "accepted");
                if let Some(ms) = meter.plan(now) {
                    assert!(ms <= 25_000, "a Worker has 30 s");
                    assert_eq!(due, None, "one at a time");
                    due = Some(second + u64::from(ms) / 1_000);
                }
            }
        }
        assert!((59..=61).contains(&writes), "{pace_s}: {writes} writes");
    }
}

#[test]
fn a_write_that_never_began_is_planned_anew() {
    let mut meter = Meter::default();
    plans(
        &mut meter,
        &[(0, Some(5)), (34, None), (35, Some(5)), (36, None)],
    );
}

/// A page is read in between.
#[test]
fn a_write_out_of_turn_leaves_the_plan() {
    let mut meter = Meter::default();
    plans(&mut meter, &[(0, Some(5))]);
    assert!(meter.take(at(NOW).plus_s(1)).is_some());
    plans(&mut meter, &[(2, None)]);
    assert!(meter.take(at(NOW).plus_s(5)).is_some());
    plans(&mut meter, &[(41, Some(24))]);
}

#[test]
fn a_write_that_failed_is_not_tried_with_every_webhook() {
    let mut meter = Meter::default();
    plans(&mut meter, &[(0, Some(5))]);
    let counts = meter.take(at(NOW).plus_s(5)).unwrap();
    meter.put_back(counts);
    plans(&mut meter, &[(6, None), (30, None), (41, Some(24))]);
}

#[test]
fn a_clock_that_goes_back_stops_nothing() {
    let mut meter = Meter::default();
    let day_s = 86_400;
    plans(&mut meter, &[(day_s, Some(5))]);
    plans(&mut meter, &[(0, Some(5)), (1, None)]);
    assert!(meter.take(at(NOW).plus_s(day_s)).is_some());
    plans(&mut meter, &[(10, Some(5))]);
}

#[test]
fn every_source_has_its_series_from_the_beginning() {
    let page = page_of(&["meterbase", "propexo"], &d1(), at(NOW));
    for name in ["meterbase", "propexo"] {
        for outcome in OUTCOMES {
            let line =
                format!("leasewire_deliveries_total{{source=\"{name}\",outcome=\"{outcome}\"}} 0");
            assert_eq!(samples(&page, &line), [line.as_str()]);
        }
    }
    let by_source = [
        "leasewire_events_total",
        "leasewire_integrations",
        "leasewire_events_pending",
        "leasewire_events_unconfirmed",
        "leasewire_events_dead",
        "leasewire_events_quarantined",
        "leasewire_oldest_unconfirmed_seconds",
        "leasewire_ledger_bytes",
        "leasewire_confirmation_seconds_count",
    ];
    for name in by_source {
        let (one, other) = (
            format!("{name}{{source=\"meterbase\"}} 0"),
            format!("{name}{{source=\"propexo\"}} 0"),
        );
        assert_eq!(samples(&page, &format!("{name}{{")), [one.as_str(), &other]);
    }
    assert_eq!(samples(&page, "leasewire_integration_").len(), 0);
    let build = format!(
        "leasewire_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(samples(&page, "leasewire_build_info"), [build.as_str()]);
    assert_eq!(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
}

#[test]
fn a_histogram_is_cumulative() {
    let d1 = d1();
    let mut meter = Meter::default();
    for ms in [12, 990, 1_500, 61_000, 3_600_000] {
        meter.confirmation("propexo", ms);
    }
    flush(&mut meter, &d1);
    let page = page_of(&[], &d1, at(NOW));
    let bucket = |bound, count| {
        format!(
            "leasewire_confirmation_seconds_bucket{{source=\"propexo\",le=\"{bound}\"}} {count}"
        )
    };
    let bounds = ["1", "2", "5", "10", "30", "60", "300", "1800", "+Inf"];
    let counts = [2, 3, 3, 3, 3, 3, 4, 4, 5];
    let mut expected: Vec<_> = bounds
        .into_iter()
        .zip(counts)
        .map(|(b, n)| bucket(b, n))
        .collect();
    expected.push("leasewire_confirmation_seconds_sum{source=\"propexo\"} 3663.502".to_owned());
    expected.push("leasewire_confirmation_seconds_count{source=\"propexo\"} 5".to_owned());
    assert_eq!(samples(&page, "leasewire_confirmation_seconds_"), expected);
}

/// An integration as D1 has it: pending, unconfirmed, dead, quarantined, and
/// since when something waits.
fn add(d1: &Database, source: &str, integration: &str, numbers: [u64; 4], oldest: Option<&str>) {
    let insert = "INSERT INTO integrations (source, integration, last_seq, pending, unconfirmed,
                                            dead, quarantined, oldest_unconfirmed_at)
                  VALUES (?1, ?2, 10, ?3, ?4, ?5, ?6, ?7)";
    let [pending, unconfirmed, dead, quarantined] = numbers.map(|number| number.to_string());
    let params = rusqlite::params![
        source,
        integration,
        pending,
        unconfirmed,
        dead,
        quarantined,
        oldest
    ];
    d1.connection.execute(insert, params).unwrap();
}

#[test]
fn what_ledgers_have_reported_is_added_up() {
    let d1 = d1();
    add(&d1, "propexo", "healthy", [0; 4], None);
    add(
        &d1,
        "propexo",
        "int_1",
        [1, 2, 3, 4],
        Some("2026-01-31T23:59:00.000000000Z"),
    );
    add(
        &d1,
        "propexo",
        "int_2",
        [10, 20, 0, 0],
        Some("2026-01-31T23:59:00.500000000Z"),
    );
    add(&d1, "gone", "int_1", [0, 0, 0, 5], None);
    let page = page_of(&["propexo"], &d1, at(NOW));
    let of = |name: &str, value: u64| {
        let line = format!("leasewire_{name}{{source=\"propexo\"}} {value}");
        assert_eq!(samples(&page, &line), [line.as_str()]);
    };
    of("events_total", 30);
    of("integrations", 3);
    of("events_pending", 11);
    of("events_unconfirmed", 22);
    of("events_dead", 3);
    of("events_quarantined", 4);
    of("oldest_unconfirmed_seconds", 60);
    assert_eq!(
        samples(&page, "leasewire_events_quarantined{source=\"gone\"} 5").len(),
        1
    );
    let labels = |integration: &str, state: &str| {
        format!(
            "leasewire_integration_events{{source=\"propexo\",integration=\"{integration}\",state=\"{state}\"}}"
        )
    };
    assert_eq!(
        samples(&page, "leasewire_integration_events{source=\"propexo\""),
        [
            format!("{} 1", labels("int_1", "pending")),
            format!("{} 2", labels("int_1", "unconfirmed")),
            format!("{} 3", labels("int_1", "dead")),
            format!("{} 4", labels("int_1", "quarantined")),
            format!("{} 10", labels("int_2", "pending")),
            format!("{} 20", labels("int_2", "unconfirmed")),
        ]
    );
    assert_eq!(
        samples(&page, "leasewire_integration_oldest_unconfirmed_seconds"),
        [
            "leasewire_integration_oldest_unconfirmed_seconds{source=\"propexo\",integration=\"int_1\"} 60",
            "leasewire_integration_oldest_unconfirmed_seconds{source=\"propexo\",integration=\"int_2\"} 59",
        ]
    );
    // It grows by itself, and is never negative.
    let later = page_of(&[], &d1, at("2026-02-01T01:00:00Z"));
    let oldest = "leasewire_oldest_unconfirmed_seconds{source=\"propexo\"}";
    assert_eq!(samples(&later, oldest), [format!("{oldest} 3660")]);
    let earlier = page_of(&[], &d1, at("2026-01-01T00:00:00Z"));
    assert_eq!(samples(&earlier, oldest), [format!("{oldest} 0")]);
}

fn grow(d1: &Database, integration: &str, bytes: i64) {
    let sql = "UPDATE integrations SET bytes = ?2 WHERE integration = ?1";
    let params = rusqlite::params![integration, bytes];
    assert_eq!(d1.connection.execute(sql, params), Ok(1));
}

#[test]
fn the_largest_ledger_is_told_and_each_that_is_half_full() {
    let d1 = d1();
    for (source, integration, bytes) in [
        ("propexo", "small", 90_112),
        ("propexo", "half", 5_000_000_000),
        ("propexo", "large", 7_500_000_000),
        ("propexo", "larger", 9_007_199_254_740_991),
        ("meterbase", "smallest", 4_096),
    ] {
        add(&d1, source, integration, [0; 4], None);
        grow(&d1, integration, bytes);
    }
    let page = page_of(&["real-estate"], &d1, at(NOW));
    assert_eq!(
        samples(&page, "leasewire_ledger_bytes{"),
        [
            "leasewire_ledger_bytes{source=\"real-estate\"} 0",
            "leasewire_ledger_bytes{source=\"meterbase\"} 4096",
            "leasewire_ledger_bytes{source=\"propexo\"} 9007199254740991",
        ]
    );
    assert_eq!(
        samples(&page, "leasewire_integration_"),
        [
            "leasewire_integration_bytes{source=\"propexo\",integration=\"large\"} 7500000000",
            "leasewire_integration_bytes{source=\"propexo\",integration=\"larger\"} 9007199254740991",
        ]
    );
}

/// The host puts a row behind the others.
#[test]
fn the_bytes_of_the_database_are_told_if_they_are_known() {
    let samples_of = |bytes: &str| {
        let page = page(
            &[],
            &[],
            &format!(r#"[["database","","","{bytes}"]]"#),
            at(NOW),
        )
        .unwrap();
        samples(&page, "leasewire_database_bytes").join("\n")
    };
    assert_eq!(samples_of("4096"), "leasewire_database_bytes 4096");
    assert_eq!(samples_of("undefined"), "");
    let untold = page(&[], &[], "[]", at(NOW)).unwrap();
    assert_eq!(samples(&untold, "leasewire_database_bytes").len(), 0);
}

/// By these names the host puts a row's columns in order.
#[test]
fn each_column_has_a_name_of_its_own() {
    let d1 = d1();
    let statement = d1.connection.prepare(select().sql).unwrap();
    let names: Vec<_> = statement.column_names().collect();
    assert_eq!(names, ["kind", "source", "integration", "numbers"]);
}

#[test]
fn of_many_integrations_those_that_wait_died_or_are_large_are_shown() {
    let d1 = d1();
    for n in 0..600 {
        add(&d1, "a", &format!("int_{n:03}"), [0, 0, 0, 1], None);
    }
    for n in 0..10 {
        add(&d1, "z", &format!("int_{n}"), [0, 0, 1, 0], None);
    }
    add(&d1, "zz", "large", [0; 4], None);
    grow(&d1, "large", 6_000_000_000);
    let page = page_of(&[], &d1, at(NOW));
    assert_eq!(samples(&page, "leasewire_integration_events{").len(), 499);
    assert_eq!(samples(&page, "leasewire_integration_bytes{").len(), 1);
    assert_eq!(
        samples(&page, "leasewire_integration_events{source=\"z\"").len(),
        10
    );
    assert_eq!(
        samples(&page, "leasewire_events_quarantined{source=\"a\"} 600").len(),
        1
    );
}

#[test]
fn names_can_not_break_out_of_their_label() {
    let d1 = d1();
    add(&d1, "propexo", "a\"b\\c\nd} 1", [0, 0, 1, 0], None);
    let page = page_of(&[], &d1, at(NOW));
    assert_eq!(
        samples(&page, "leasewire_integration_events{"),
        [
            r#"leasewire_integration_events{source="propexo",integration="a\"b\\c\nd} 1",state="dead"} 1"#
        ]
    );
}

/// Every sample stands below the lines on its metric, which come once.
#[test]
fn the_page_is_in_the_text_format() {
    let d1 = d1();
    add(
        &d1,
        "propexo",
        "int_1",
        [1, 2, 3, 4],
        Some("2026-01-31T23:59:00.000000000Z"),
    );
    grow(&d1, "int_1", 6_000_000_000);
    let page = page_of(&["propexo"], &d1, at(NOW));
    assert!(page.ends_with('\n'));
    let mut metrics = Vec::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(!metrics.contains(&name), "{name} comes twice");
            assert!(text.ends_with('.'), "{line}");
            metrics.push(name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(metrics.last(), Some(&name));
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        } else {
            let metric = metrics.last().unwrap();
            let rest = line.strip_prefix(metric).unwrap();
            let rest = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| rest.strip_prefix(end))
                .unwrap_or(rest);
            assert!(rest.starts_with(['{', ' ']), "{line}");
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert_eq!(metrics.len(), 24);
}

#[test]
fn what_is_no_answer_of_the_database_makes_no_page() {
    let broken = [
        "",
        "{}",
        "[[1]]",
        r#"[["counted","a",""]]"#,
        r#"[["counted","a","","1 2 3"]]"#,
        r#"[["source","a","","1 2 3 4 5 6 x"]]"#,
        r#"[["integration","a","b","1 2 3 4 5 6"]]"#,
        r#"[["connector","a","","1 2 3 4 5 6 60 7 8 9 1"]]"#,
        r#"[["connector","a","","1 2 3 4 x 6 60 7 8 9 1  "]]"#,
    ];
    for rows in broken {
        assert_eq!(page(&[], &[], rows, at(NOW)), None, "{rows}");
    }
    assert!(page(&[], &[], "[]", at(NOW)).is_some());
}

/// What a connector reports, with a request for each count.
fn connected(d1: &Database) {
    let numbers = "('propexo', '2026-02-01T00:00:00Z', 1, 2, 3, 4, 5, 6, 60, 7, 8, 9, 1,
                    '2026-01-31T23:59:00Z', NULL)";
    let insert = ["INSERT INTO connectors VALUES ", numbers].concat();
    d1.connection.execute(&insert, []).unwrap();
}

#[test]
fn what_a_connector_has_reported_is_shown_of_sources_with_an_api() {
    let d1 = d1();
    connected(&d1);
    let rows = d1.select(&select());
    let page = |connected: &[&str]| page(&["propexo", "other"], connected, &rows, at(NOW)).unwrap();
    let text = page(&["propexo", "other"]);
    let names = [
        (
            "leasewire_provider_requests_total",
            "outcome=\"answered\"",
            1,
        ),
        (
            "leasewire_provider_requests_total",
            "outcome=\"not_found\"",
            2,
        ),
        (
            "leasewire_provider_requests_total",
            "outcome=\"refused\"",
            3,
        ),
        (
            "leasewire_provider_requests_total",
            "outcome=\"limited\"",
            4,
        ),
        ("leasewire_provider_requests_total", "outcome=\"failed\"", 5),
        ("leasewire_records_repaired_total", "", 6),
        ("leasewire_webhooks_lost_total", "", 60),
        ("leasewire_records_owed", "", 7),
        ("leasewire_records_given_up", "", 8),
        ("leasewire_walks", "", 9),
        ("leasewire_provider_key_refused", "", 1),
        ("leasewire_oldest_owed_seconds", "", 60),
        ("leasewire_provider_standing_seconds", "", 0),
    ];
    for (name, label, value) in names {
        let comma = if label.is_empty() { "" } else { "," };
        let start = format!("{name}{{source=\"propexo\"{comma}{label}}} ");
        assert_eq!(samples(&text, &start), [format!("{start}{value}")]);
        // One that has reported nothing has its series, too.
        let start = format!("{name}{{source=\"other\"{comma}{label}}} ");
        assert_eq!(samples(&text, &start), [format!("{start}0")]);
    }
    let without = page(&[]);
    assert_eq!(samples(&without, "leasewire_provider"), [""; 0]);
    assert_eq!(samples(&without, "leasewire_records"), [""; 0]);
}
