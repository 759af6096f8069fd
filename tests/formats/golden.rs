//! Everything that is stored or forwarded, pinned by golden files: the queue
//! messages, the ledger's tables and rows, D1's tables and rows, the API's
//! answers, and the calls to ledgers with theirs. A change to one of them is a change to a promise, and shows
//! in the diff. `UPDATE_GOLDEN=1 cargo test --test formats golden` writes them anew.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use leasewire::edge::secret;
use leasewire::integration::IntegrationId;
use leasewire::json;
use leasewire::ledger::replay::Request;
use leasewire::ledger::{
    Announcement, CALL_FORMAT, Call, Changes, Fetched, LastSeen, Ledger, Numbers, Reply, Report,
    Retention, Rewrite, SeqRange, Setup, Snapshots, State, Unseen, UnseenGroup, check_format,
    discard,
};
use leasewire::ops::metrics::Meter;
use leasewire::projection::{Projection, announcement};
use leasewire::provider::Logged;

use crate::common::{Database, at, delivery, named};

/// One of everything, as it came in, a second apart.
const DELIVERIES: [(&str, &str); 12] = [
    (
        "propexo",
        r#"{"trigger":"DATA_NEW","data":{"job_id":"j1","integration_id":"int 1","event":"DATA_NEW","record_id":"lease_9","object":"leases","payload":{"status":"pending","rent_in_cents":210000,"deposit":750000.0}}}"#,
    ),
    (
        "propexo",
        r#"{"meta":{"object":"leases","integration_id":"int 1"},"record_id":"lease_9","diff":{"previous":{"status":"pending"},"new":{"status":"approved"}}}"#,
    ),
    (
        "propexo",
        r#"{"meta":{"object":"leases","integration_id":"int 1"},"record_id":"lease_9","diff":{"previous":{"status":"approved"},"new":{"status":"pending"}}}"#,
    ),
    (
        "propexo",
        r#"{"meta":{"object":"leases","integration_id":"int 1"},"record_id":"lease_9","diff":{"previous":{"status":"pending"},"new":{"status":"approved"}}}"#,
    ),
    (
        "propexo",
        r#"{"meta":{"object":"leases","integration_id":"int 1"},"record_id":"lease_9","diff":{"previous":{"rent_in_cents":1},"new":{"rent_in_cents":9007199254740993}}}"#,
    ),
    (
        "propexo",
        r#"{"event":"FIRST_SYNC_COMPLETE","integration_id":"int 1","vendor":"YARDI","successful_job_count":3,"failed_job_count":0,"is_sync_finished":true}"#,
    ),
    (
        "propexo",
        r#"{"event":"JOB_FAILURE","integration_id":"int 1","job_id":"j2","job_type":"READ","root_job_id":"j0","vendor":"YARDI"}"#,
    ),
    ("propexo", r#"{"results":[]}"#),
    ("propexo", "not json\u{1}"),
    (
        "meterbase",
        r#"{"event":"data.update","timestamp":"2026-03-25T15:00:00.250Z","connection_id":"int 1","resource_type":"unit","data":{"id":"unit/3 \"é😀","status":"occupied","current_lease":{"occupant_count":2}},"changes":{"status":{"old":"vacant","new":"occupied"},"current_lease":{"old":null,"new":"lease_abc"}}}"#,
    ),
    (
        "meterbase",
        r#"{"event":"data.update","timestamp":"2026-03-25T14:00:00Z","connection_id":"int 1","resource_type":"unit","data":{"id":"unit/3 \"é😀","status":"vacant"}}"#,
    ),
    (
        "real-estate",
        r#"{"id":"evt_1","type":"property.sold","created":"2026-03-25T15:00:00Z","data":{"property":{"id":"prop_1","price":750000.0}}}"#,
    ),
];

fn filled(database: &Database) -> Ledger<&Database> {
    let mut ledger = Ledger::open(database).unwrap();
    let start = at("2026-03-25T15:00:01Z");
    for (second, (dialect, body)) in (0..).zip(DELIVERIES) {
        let mut delivery = delivery(dialect, "int 1", body);
        // All of them into one ledger, to have one of each golden file.
        delivery.of.source = "propexo".to_owned();
        ledger.intake(&delivery, start.plus_s(second)).unwrap();
    }
    ledger
}

fn golden(name: &str, got: &str) {
    let path = Path::new("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all("tests/golden").unwrap();
        fs::write(&path, got).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        got == want,
        "{} is not as it was; if that is meant, run `UPDATE_GOLDEN=1 cargo test --test formats golden` \
         and look at the diff.\n{got}",
        path.display()
    );
}

/// A line for each event of a pack.
fn lines(pack: &str) -> String {
    let events: Vec<&json::Value> = serde_json::from_str(pack).unwrap();
    events
        .iter()
        .map(|event| format!("{}\n", event.get()))
        .collect()
}

#[test]
fn queue_messages() {
    let database = Database::default();
    let packs = filled(&database).next_batch().unwrap().packs;
    assert_eq!(packs.len(), 1);
    assert_eq!((packs[0].first, packs[0].last), (1, 12));
    golden("pack.jsonl", &lines(&packs[0].text));
}

#[test]
fn ledger_tables_and_rows() {
    let database = Database::default();
    filled(&database);
    let mut text = database
        .dump("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        .join("\n");
    for table in [
        "ledger", "segments", "events_0", "events_1", "records", "large", "dead", "unlinked",
    ] {
        text.push_str(&format!("\n\n-- {table}\n"));
        text.push_str(&database.dump(&format!("SELECT * FROM {table}")).join("\n"));
    }
    golden("ledger.txt", &(text + "\n"));
}

#[test]
fn d1_tables_and_rows() {
    let (database, d1) = (Database::default(), Database::default());
    d1.migrate();
    let ledger = filled(&database);
    let pack = ledger.next_batch().unwrap().packs.remove(0);
    let projection = Projection::read(&pack.text).unwrap();
    let now = at("2026-03-25T15:01:00Z");
    let mut statements = projection.statements(at("2026-03-25T15:00:20Z"), now);
    let numbers = Numbers {
        pending: 3,
        unconfirmed: 4,
        dead: 1,
        quarantined: 2,
        oldest_unconfirmed_at: Some(at("2026-03-25T15:00:01.500Z")),
    };
    statements.extend(announcement(&Announcement {
        state: ledger.state().unwrap().unwrap(),
        report: Some(Report {
            numbers,
            bytes: 1_000_000,
            at: now,
        }),
    }));
    let mut meter = Meter::default();
    meter.delivery("propexo", "accepted");
    meter.confirmation("propexo", 1_500);
    statements.extend(meter.take(now).map(|counts| counts.statement()));
    statements.push(secret::note("propexo", "a secret", now));
    for statement in statements {
        d1.run(&statement);
    }
    let mut text = d1
        .dump("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        .join("\n");
    for table in ["integrations", "metrics", "records", "secrets_used"] {
        text.push_str(&format!("\n\n-- {table}\n"));
        text.push_str(&d1.dump(&format!("SELECT * FROM {table}")).join("\n"));
    }
    golden("d1.txt", &(text + "\n"));
}

#[test]
fn history_and_state() {
    let database = Database::default();
    let mut ledger = filled(&database);
    let now = at("2026-03-25T15:01:00Z");
    ledger.sent(4, now);
    ledger.confirm(named(1, 2, 0), now).unwrap();
    ledger.dead_letter(named(4, 4, 0), "test", now).unwrap();
    let state = State {
        bytes: 90_112,
        ..ledger.state().unwrap().unwrap()
    };
    let state = state.to_json();
    let mut text = format!("{state}\n{}\n", ledger.events(0, 500).unwrap());
    text.push_str(&format!("{}\n", ledger.events(3, 2).unwrap()));
    for seq in [1, 6, 9, 10] {
        text.push_str(&format!("{}\n", ledger.event(seq).unwrap().unwrap()));
    }
    golden("history.jsonl", &text);
}

/// Of a property and of none, records that weren't seen.
fn unseen(asked_seq: u64, epoch: Option<u64>, id: &str) -> Call {
    let group = |property: Option<&str>, items| UnseenGroup {
        property: property.map(str::to_owned),
        seen: 9,
        missed: 2,
        items,
    };
    let item = LastSeen {
        id: id.to_owned(),
        last_seen: "2026-01-20T06:00:00.000Z".to_owned(),
    };
    Call::Gone {
        unseen: Unseen {
            of: IntegrationId::new("propexo", "int 1"),
            model: "leases".to_owned(),
            asked_seq,
            epoch,
            groups: vec![group(Some("prop_1"), vec![item]), group(None, Vec::new())],
        },
        setup: None,
    }
}

/// A record that is gone: its event on the way, in the history, and what the
/// ledger answers.
#[test]
fn a_record_that_is_gone() {
    let database = Database::default();
    let mut ledger = filled(&database);
    let last = ledger.last_seq();
    let epoch = ledger.state().unwrap().map(|state| state.epoch);
    let mut call = unseen(last, epoch, "lease_9");
    call.set_up(|_| Setup {
        dialect: None,
        filter: Rc::default(),
        retention: Retention::new(2_592_000, 172_800),
        api: None,
    });
    let answer = ledger.answer(call, at("2026-03-25T15:01:00Z")).unwrap();
    let pack = ledger.next_batch().unwrap().packs.remove(0).text;
    let text = [
        answer.into_text().unwrap(),
        lines(&pack).lines().last().unwrap().to_owned(),
        ledger.event(last + 1).unwrap().unwrap(),
    ];
    golden("gone.jsonl", &(text.join("\n") + "\n"));
}

/// One of each.
fn calls() -> Vec<Call> {
    let (after, limit) = (7, 5);
    let (first, last, replay) = (3, 9, 2);
    let (from, to) = (1, 500);
    let reason = "no \"é😀\"".to_owned();
    let mut intake = delivery("propexo", "int/é", "{\"raw\":1}\n\u{1}");
    intake.dedupe_window_s = 172_800;
    vec![
        Call::Intake(intake),
        Call::Merge {
            read: Snapshots {
                of: IntegrationId::new("propexo", "int 1"),
                model: "leases".to_owned(),
                asked_seq: first,
                epoch: Some(7),
                is_believed: true,
                items: vec![Fetched {
                    id: "lease \"9\"".to_owned(),
                    json: r#"{"id":"lease \"9\"","rent":750000.0}"#.to_owned(),
                }],
            },
            setup: None,
        },
        unseen(first, Some(7), "lease \"9\""),
        unseen(first, None, "lease_9"),
        Call::Compare {
            read: Changes {
                of: IntegrationId::new("propexo", "int 1"),
                changes: vec![Logged {
                    model: "leases".to_owned(),
                    id: "lease \"9\"".to_owned(),
                    is_new: false,
                    at: at("2026-03-25T15:00:01.250Z"),
                    job: Some("j1".to_owned()),
                    values: Some(r#"{"rent":750000.0}"#.to_owned()),
                }],
            },
            setup: None,
        },
        Call::Confirm {
            epoch: Some(1_774_450_800_000),
            pack: named(first, last, replay),
        },
        Call::DeadLetter {
            epoch: Some(1_774_450_800_000),
            pack: named(first, last, replay),
            reason: reason.clone(),
        },
        Call::Quarantine {
            epoch: None,
            seq: first,
            rewrite: Rewrite(replay),
            reason,
        },
        Call::State,
        Call::Events { after, limit },
        Call::Quarantined { after, limit },
        Call::Dead { after, limit },
        Call::Event { seq: first },
        Call::Data {
            seq: first,
            epoch: None,
        },
        Call::Replay(Request {
            from,
            to,
            models: Some(vec!["leases".to_owned(), "*".to_owned()]),
            events: None,
        }),
        Call::Rebuild,
        Call::Redrive(SeqRange::new(from, to)),
        Call::Discard(discard::Request {
            status: discard::Held::Quarantined,
            from,
            to,
        }),
        Call::Sweep {
            listed_seq: 7,
            listed_epoch: None,
        },
        Call::Sweep {
            listed_seq: 7,
            listed_epoch: Some(1_774_450_801_000),
        },
        Call::Unlinked {
            source: "propexo".to_owned(),
            after: "prop_1".to_owned(),
            limit,
            filter: Rc::default(),
        },
    ]
}

/// What crosses between the Worker and a ledger. A change that an older version
/// would take for something else needs a greater format.
#[test]
fn calls_and_answers() {
    let mut text = format!("format {CALL_FORMAT}\n\n-- calls\n");
    for call in calls() {
        let bytes = call.encode();
        text.push_str(&format!("{}\n", bytes.escape_ascii()));
        assert_eq!(Call::decode(bytes.clone()).unwrap().encode(), bytes);
    }
    text.push_str("\n-- answers that the Worker reads\n");
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let now = at("2026-03-25T15:00:01Z");
    let intake = |body| Call::Intake(delivery("propexo", "int 1", body));
    let confirm = || Call::Confirm {
        epoch: None,
        pack: named(1, 1, 0),
    };
    let sweep = |listed_seq| Call::Sweep {
        listed_seq,
        listed_epoch: None,
    };
    for call in [
        Call::State,
        intake(DELIVERIES[0].1),
        intake(DELIVERIES[0].1),
        intake("not json\u{1}"),
        Call::Data {
            seq: 1,
            epoch: None,
        },
        Call::Data {
            seq: 2,
            epoch: None,
        },
        sweep(0),
        confirm(),
        confirm(),
        Call::DeadLetter {
            epoch: None,
            pack: named(2, 2, 0),
            reason: "test".to_owned(),
        },
    ] {
        let asked = call.encode();
        let asked = String::from_utf8_lossy(&asked)
            .lines()
            .next()
            .unwrap()
            .to_owned();
        ledger.sent(ledger.last_seq(), now);
        let answer = ledger.answer(call, now).unwrap().into_text();
        text.push_str(&format!("{asked}\n  {answer:?}\n"));
    }
    golden("calls.txt", &text);
}

#[test]
fn a_format_that_is_not_known_is_refused() {
    assert_eq!(check_format(None), Ok(()), "0.1.0 states none");
    assert_eq!(check_format(Some(1.0)), Ok(()));
    for unknown in [0.0, 2.0, 1.5, -1.0, f64::NAN, f64::INFINITY] {
        let why = check_format(Some(unknown)).unwrap_err().to_string();
        let expected = format!("format {} of calls is unknown, 1 is known", unknown as i64);
        assert_eq!(why, expected);
    }
}

#[test]
fn what_there_is_not_has_no_text() {
    assert_eq!(Reply::Nothing.into_text(), None);
    assert_eq!(Reply::Done.into_text().as_deref(), Some(""));
}
