//! Packs within the queue's limits, events that are too large for a message,
//! and messages that are no packs.

use std::rc::Rc;

use leasewire::dialect::event::model_name;
use leasewire::json::Object;
use leasewire::ledger::replay::Request;
use leasewire::ledger::{Call, Ledger, Outcome, Reply, Rewrite, SeqRange};
use leasewire::projection::Projection;
use leasewire::sql::{Row, Sql, Value};

use crate::common::{Database, at, delivery, named};

/// Limits of the platform: a message, and a batch of messages.
const MESSAGE_BYTES_MAX: usize = 128_000 - 100;
const BATCH_BYTES_MAX: usize = 256_000;
const BATCH_MESSAGES_MAX: usize = 100;

fn whole(record: usize, bytes: usize) -> String {
    let notes = "n".repeat(bytes);
    format!(
        r#"{{"event":"data.update","timestamp":"2026-01-01T00:00:00Z","connection_id":"i","resource_type":"unit","data":{{"id":"u{record}","notes":"{notes}","rent":750000.0}}}}"#
    )
}

fn diff(record: &str, field: &str, value: &str) -> String {
    format!(
        r#"{{"meta":{{"object":"leases"}},"record_id":"{record}","diff":{{"new":{{"{field}":"{value}"}}}}}}"#
    )
}

/// Sends everything there is; the packs, batch by batch.
fn drain(ledger: &mut Ledger<&Database>) -> Vec<Vec<(u64, u64, String)>> {
    let mut batches = Vec::new();
    while ledger.may_send() {
        let batch = ledger.next_batch().unwrap();
        ledger.sent(batch.through, at("2026-01-01T00:00:00Z"));
        let packs = batch.packs.into_iter();
        batches.push(
            packs
                .map(|pack| (pack.first, pack.last, pack.text))
                .collect(),
        );
    }
    batches
}

/// What the queue lost is sent again, and what came in behind it is sent,
/// however much between them was confirmed already.
#[test]
fn a_gap_far_behind_does_not_hide_what_is_new() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-01-01T00:00:00Z");
    let take = |ledger: &mut Ledger<&Database>, record| {
        let delivery = delivery("meterbase", "i", &whole(record, 10));
        ledger.intake(&delivery, now).unwrap();
    };
    (0..2_000).for_each(|record| take(&mut ledger, record));
    drain(&mut ledger);
    ledger.confirm(named(2, 2_000, 0), now).unwrap();
    ledger.wake(now.plus_s(3_600), 0).unwrap();
    (2_000..2_010).for_each(|record| take(&mut ledger, record));
    let packs = drain(&mut ledger).concat();
    let ranges: Vec<_> = packs
        .iter()
        .map(|(first, last, _)| (*first, *last))
        .collect();
    assert_eq!(ranges, [(1, 1), (2_001, 2_010)]);
}

#[test]
fn packs_and_batches_keep_within_the_limits() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let sizes = [
        10, 60_000, 10, 100_000, 100_000, 100_000, 130_000, 20, 5_000, 70_000,
    ];
    let mut count = 0;
    for round in 0..30 {
        for size in sizes {
            let body = whole(count, size + round);
            let delivery = delivery("meterbase", "i", &body);
            ledger
                .intake(&delivery, at("2026-01-01T00:00:00Z"))
                .unwrap();
            count += 1;
        }
    }
    let batches = drain(&mut ledger);
    let mut next = 1;
    for batch in &batches {
        assert!(batch.len() <= BATCH_MESSAGES_MAX);
        let bytes: usize = batch.iter().map(|(_, _, text)| text.len()).sum();
        assert!(bytes <= BATCH_BYTES_MAX, "a batch of {bytes} bytes");
        for (first, last, text) in batch {
            assert!(text.len() <= MESSAGE_BYTES_MAX, "{} bytes", text.len());
            assert_eq!(*first, next, "packs are in order, without gaps");
            let projection = Projection::read(text).unwrap();
            assert_eq!(projection.pack.events, SeqRange::new(*first, *last));
            next = last + 1;
        }
    }
    assert_eq!(next, count as u64 + 1);
}

/// An object has little memory, and SQLite copies what it gives.
#[test]
fn a_batch_reads_little_more_than_it_sends() {
    let now = at("2026-01-01T00:00:00Z");
    // So many that their lengths are looked at before, and so few that not.
    for (count, bytes, most) in [
        (40, 100_000, 350_000),
        (9, 126_000, 380_000),
        (8, 126_000, 1_020_000),
        (30, 1_000_000, 1_010_000),
    ] {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        for record in 0..count {
            let delivery = delivery("meterbase", "i", &whole(record, bytes));
            ledger.intake(&delivery, now).unwrap();
        }
        database.most_read.set(0);
        ledger.next_batch().unwrap();
        let read = database.most_read.get();
        assert!(
            read <= most,
            "{count} events of {bytes} bytes: {read} bytes read"
        );
        let batches = drain(&mut ledger);
        let packs = batches.concat();
        assert_eq!(packs.last().unwrap().1, count as u64);
    }
}

/// Whatever lies between them, each event that is sent is sent once, in order.
#[test]
fn events_of_every_kind_and_size_go_out() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-01-01T00:00:00.000001Z");
    let mut expected = Vec::new();
    for n in 0..1_500_usize {
        let (source, body) = match n % 7 {
            // Quarantined.
            0 => ("meterbase", format!("junk {n}")),
            // About no record.
            1 => (
                "propexo",
                format!(r#"{{"event":"JOB_FAILURE","job_id":"j{n}","text":"a\u001e b\n"}}"#),
            ),
            // Pretty, as its sender likes it.
            2 => (
                "propify",
                format!(
                    "{{\n\"meta\": {{\"object\": \"leases\"}},\n\"record_id\": \"l/{n} é\", \"payload\": {{\"a\":\n [ 1,\t2 ]}}}}"
                ),
            ),
            3 => ("meterbase", whole(n, 3_000)),
            // By reference.
            4 if n % 100 == 4 => ("meterbase", whole(n, 130_000)),
            _ => ("meterbase", whole(n, n % 50)),
        };
        let taken = ledger.intake(&delivery(source, "i", &body), now).unwrap();
        if n % 7 != 0 {
            expected.push(taken.seq);
        }
    }
    let sent: Vec<u64> = drain(&mut ledger)
        .concat()
        .iter()
        .flat_map(|(_, _, text)| {
            let events: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
            events
                .into_iter()
                .map(|event| event["id"].as_str().unwrap().parse().unwrap())
                .collect::<Vec<u64>>()
        })
        .collect();
    assert_eq!(sent, expected);
}

/// Names and times of every form come out of D1 as they went into the ledger.
#[test]
fn odd_records_reach_d1_as_they_are() {
    let database = Database::default();
    let d1 = Database::default();
    d1.migrate();
    let mut ledger = Ledger::open(&database).unwrap();
    let names = [
        "a", "a\"b", "\\", "\\u0041", " a ", "a  ", "é", "🏠", "a/b", "'", "%", "{}", "0", "1e3",
        "\u{2028}", "null", "a\u{301}",
    ];
    let times = [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01T00:00:00.000001Z",
    ];
    let mut expected = Vec::new();
    for (n, name) in names.iter().enumerate() {
        for (m, model) in ["leases", "x", "été 🏠 \"q\" \\"].iter().enumerate() {
            let quoted = [
                serde_json::to_string(name).unwrap(),
                serde_json::to_string(model).unwrap(),
            ];
            let body = format!(
                r#"{{"meta":{{"object":{}}},"record_id":{},"payload":{{"n":1.50,"é\"":"\"\\","o":{{"a":[1,null]}}}}}}"#,
                quoted[1], quoted[0],
            );
            let now = at(times[(n + m) % 3]).plus_s((n * 3 + m) as u64 * 10);
            let taken = ledger
                .intake(&delivery("propify", "i", &body), now)
                .unwrap();
            assert_eq!(taken.outcome, Outcome::Accepted, "{body}");
            expected.push([
                model_name(model),
                (*name).to_owned(),
                taken.seq.to_string(),
                r#"{"n":1.50,"é\"":"\"\\","o":{"a":[1,null]}}"#.to_owned(),
                "1".to_owned(),
                "0".to_owned(),
                now.to_string(),
                "0".to_owned(),
            ]);
        }
    }
    for (_, _, text) in drain(&mut ledger).concat() {
        let projection = Projection::read(&text).unwrap();
        for statement in projection.statements(at(times[0]), at(times[0])) {
            d1.run(&statement);
        }
    }
    let columns = "model, record_id, CAST(version AS TEXT), fields, CAST(partial AS TEXT),
                   CAST(drift AS TEXT), occurred_at, CAST(generation AS TEXT)";
    let query = format!("SELECT {columns} FROM records ORDER BY version");
    let rows = (&d1).query(&query, &[]).unwrap();
    let found: Vec<[String; 8]> = rows
        .iter()
        .map(|row| std::array::from_fn(|at| row.text(at).unwrap().to_owned()))
        .collect();
    assert_eq!(found, expected);
    // SQLite compares numbers with numbers.
    let types = "SELECT DISTINCT typeof(version), typeof(partial), typeof(drift), typeof(generation) FROM records";
    let types = (&d1).query(types, &[]).unwrap();
    assert_eq!(types, [Row(vec![Value::Text("integer".to_owned()); 4])]);
}

#[test]
fn small_events_share_a_message() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for record in 0..100 {
        let delivery = delivery("meterbase", "i", &whole(record, 10));
        ledger
            .intake(&delivery, at("2026-01-01T00:00:00Z"))
            .unwrap();
    }
    let batches = drain(&mut ledger);
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].len(), 1, "100 events of 500 bytes fit in 64 KB");
}

#[test]
fn an_event_too_large_for_a_message_travels_by_reference() {
    for bytes in [127_000, 600_000, 1_000_000] {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        let body = whole(7, bytes);
        let taken = ledger
            .intake(
                &delivery("meterbase", "a b", &body),
                at("2026-01-01T00:00:00Z"),
            )
            .unwrap();
        assert_eq!(taken.outcome, Outcome::Accepted);
        let batches = drain(&mut ledger);
        let text = &batches[0][0].2;
        assert!(text.len() < 1_000, "{} bytes", text.len());
        let event = Object::parse(&text[1..text.len() - 1]).unwrap();
        let path = "/v1/integrations/meterbase/a%20b/events/1";
        assert_eq!(event.text("dataref").unwrap(), path);
        let data = event.object("data").unwrap();
        assert!(!data.has("record") && !data.has("changes"));
        assert_eq!(data.text("record_id").unwrap(), "u7");
        // The consumer asks the ledger for the rest.
        let mut projection = Projection::read(text).unwrap();
        assert_eq!(projection.missing(), [1]);
        let answer = ledger.answer(
            Call::Data {
                seq: 1,
                epoch: None,
            },
            at("2026-01-01T00:00:00Z"),
        );
        let Ok(Reply::Json(whole)) = answer else {
            panic!("no data");
        };
        projection.supply(1, &whole).unwrap();
        assert!(projection.missing().is_empty());
        let now = at("2026-01-01T00:00:00Z");
        let statements = projection.statements(now, now);
        let fields = statements
            .iter()
            .flat_map(|statement| &statement.params)
            .find_map(|param| match param {
                Value::Text(text) if text.starts_with('{') => Some(text),
                _ => None,
            });
        let fields = Object::parse(fields.unwrap()).unwrap();
        assert_eq!(fields.text("notes").unwrap().len(), bytes);
        assert_eq!(fields.value("rent").unwrap().get(), "750000.0");
        // And the API gives the event whole.
        let event = ledger.event(1).unwrap().unwrap();
        assert!(event.len() > 2 * bytes, "raw body and record");
    }
}

#[test]
fn a_row_never_outgrows_the_platform() {
    // Diffs of large fields make a record grow beyond what a row may have;
    // the one too many is kept in quarantine.
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let value = "v".repeat(900_000);
    let outcomes: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|field| {
            let body = diff("r1", field, &value);
            let delivery = delivery("propexo", "i", &body);
            ledger
                .intake(&delivery, at("2026-01-01T00:00:00Z"))
                .unwrap()
                .outcome
                .label()
        })
        .collect();
    assert_eq!(outcomes, ["accepted", "accepted", "quarantined"]);
    for sql in [
        "SELECT coalesce(length(data), 0) + length(body) FROM events_1",
        "SELECT length(data) FROM large",
        "SELECT length(fields) FROM records",
    ] {
        let rows = (&database).query(sql, &[]).unwrap();
        for row in rows {
            assert!(row.integer(0).unwrap() < 2_000_000);
        }
    }
}

#[test]
fn a_message_that_is_no_pack_is_told_from_one() {
    let event = |source: &str, id: &str, time: &str| {
        format!(
            r#"{{"id":"{id}","source":"{source}","type":"leasewire.event","time":"{time}","data":{{}}}}"#
        )
    };
    let good = event("/propexo/i", "1", "2026-01-01T00:00:00Z");
    assert!(Projection::read(&format!("[{good}]")).is_ok());
    let bad = [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "[1]".to_owned(),
        format!("[{good}"),
        format!("[{}]", event("propexo/i", "1", "2026-01-01T00:00:00Z")),
        format!("[{}]", event("/propexo", "1", "2026-01-01T00:00:00Z")),
        format!("[{}]", event("/propexo/%ff", "1", "2026-01-01T00:00:00Z")),
        format!("[{}]", event("/propexo/i", "x", "2026-01-01T00:00:00Z")),
        format!("[{}]", event("/propexo/i", "1", "yesterday")),
        format!(
            "[{good},{}]",
            event("/propexo/other", "2", "2026-01-01T00:00:00Z")
        ),
        format!(
            "[{}]",
            good.replace("leasewire.event", "leasewire.record.updated")
        ),
    ];
    for text in bad {
        assert!(Projection::read(&text).is_err(), "{text}");
    }
}

#[test]
fn calls_cross_as_they_are() {
    let body = whole(1, 10);
    let calls = [
        Call::Intake(delivery("meterbase", "a/b \"😀\n", &body)),
        Call::Confirm {
            epoch: Some(17),
            pack: named(1, 9, 3),
        },
        Call::DeadLetter {
            epoch: Some(17),
            pack: named(1, 9, 0),
            reason: "line\nbreak".to_owned(),
        },
        Call::Quarantine {
            epoch: None,
            seq: 3,
            rewrite: Rewrite(2),
            reason: "not_applied".to_owned(),
        },
        Call::Quarantined { after: 7, limit: 5 },
        Call::Dead { after: 7, limit: 5 },
        Call::State,
        Call::Events { after: 0, limit: 5 },
        Call::Event { seq: 3 },
        Call::Data {
            seq: 3,
            epoch: None,
        },
        Call::Replay(Request {
            from: 1,
            to: 9,
            models: Some(vec!["a\"b".to_owned(), "*".to_owned()]),
            events: None,
        }),
        Call::Redrive(SeqRange::new(1, 9)),
        Call::Sweep {
            listed_seq: 7,
            listed_epoch: None,
        },
        Call::Sweep {
            listed_seq: 7,
            listed_epoch: Some(8),
        },
        Call::Unlinked {
            source: "propexo".to_owned(),
            after: "\\".to_owned(),
            limit: 5,
            filter: Rc::default(),
        },
    ];
    for call in calls {
        let bytes = call.encode();
        let again = Call::decode(bytes.clone()).expect("a call");
        assert_eq!(again.encode(), bytes);
    }
    for bytes in [
        "",
        "\n",
        "{}",
        "{\"call\":\"nonsense\"}",
        "{\"call\":\"state\"}more",
        "{\"call\":\"event\"}",
        "{\"call\":\"event\",\"seq\":-1}",
        "{\"call\":\"confirm\",\"first\":1,\"last\":1,\"replay\":\"1\"}",
        "intake",
        "intake propexo 00000000000000000000000000000000 1 1 1",
        "intake propexo 00000000000000000000000000000000 1 1 1\ns",
        "intake propexo 0000 1 1 1\nsi{}",
        "intake nobody 00000000000000000000000000000000 1 1 1\nsi{}",
        "intake propexo 00000000000000000000000000000000 -1 1 1\nsi{}",
        "INTAKE propexo 00000000000000000000000000000000 1 1 1\nsi{}",
    ] {
        assert!(
            Call::decode(bytes.as_bytes().to_vec()).is_none(),
            "{bytes:?}"
        );
    }
}

/// Events that travel without their data count as what travels: many of them
/// share a pack, as far as the consumer can hold what they stand for.
#[test]
fn large_events_share_packs_by_what_is_sent() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-01-01T00:00:00Z");
    let event = |id: String, bytes: usize| {
        let text = "x".repeat(bytes);
        let body = format!(
            r#"{{"meta":{{"object":"documents"}},"record_id":"{id}","diff":{{"new":{{"text":"{text}"}}}}}}"#
        );
        delivery("propexo", "i", &body)
    };
    for n in 0..48 {
        ledger
            .intake(&event(format!("large_{n}"), 200 * 1_024), now)
            .unwrap();
    }
    ledger.intake(&event("small".to_owned(), 10), now).unwrap();
    let (mut batches, mut packs) = (0, Vec::new());
    while ledger.may_send() {
        let batch = ledger.next_batch().unwrap();
        ledger.sent(&batch, now);
        batches += 1;
        packs.extend(batch.packs);
    }
    // 48 × (two times 200 KiB, once in `changes`) are some 20 MB: two batches of what may be read,
    // and packs of what may be held.
    assert_eq!(batches, 2);
    let events: Vec<u64> = packs
        .iter()
        .map(|pack| pack.last - pack.first + 1)
        .collect();
    assert_eq!(events.iter().sum::<u64>(), 49);
    assert!(packs.len() <= 8, "{events:?}");
    for pack in &packs {
        let whole: usize = (pack.first..=pack.last)
            .map(|seq| ledger.data(seq).unwrap().unwrap().len())
            .sum();
        assert!(whole <= 4_000_000, "{whole} bytes");
    }
}
