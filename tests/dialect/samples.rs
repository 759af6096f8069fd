//! Test events: what can be asked for, and that every sample is what its
//! provider could send, goes to the integration of tests, and is never taken
//! for a repetition.

use leasewire::dialect::event::TEST_INTEGRATION;
use leasewire::dialect::sample::{Wanted, report};
use leasewire::dialect::{self, DIALECTS};
use leasewire::edge::delivery::{Admitted, BODY_BYTES_MAX, Delivery, admit};
use leasewire::ledger::{Ledger, Outcome, Taken};
use leasewire::problem::Problem;
use leasewire::signature::{Presented, sign};
use leasewire::time::Timestamp;

use crate::common::{Database, at, source};

const SECRET: &str = "secret";
const BODY: Problem = Problem::BadParameter("body", "a JSON object");
const EVENT: Problem = Problem::BadParameter("event", "a string of 1 to 256 bytes");
const PAYLOAD: Problem = Problem::BadParameter("payload", "a JSON object");

fn now() -> Timestamp {
    at("2026-03-25T15:00:00.250Z")
}

fn sample(dialect: &str, asked: &str, unique: &str) -> Result<String, Problem> {
    let wanted = Wanted::parse(asked.as_bytes(), unique, now())?;
    dialect::named(dialect).unwrap().sample(&wanted)
}

/// Lets a sample in as the front door does, a moment later.
fn let_in(dialect: &str, body: &str) -> Admitted {
    let source = source(dialect);
    let scheme = source.dialect.scheme();
    let headers = sign(scheme, SECRET.as_bytes(), body.as_bytes(), now());
    let header = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let presented = Presented {
        signature: header(scheme.header),
        timestamp: scheme.timestamp_header.and_then(header),
    };
    let later = now().plus_s(1);
    admit(&source, &[SECRET], presented, body.into(), later).unwrap()
}

fn delivery(dialect: &str, body: &str) -> Delivery {
    match let_in(dialect, body) {
        Admitted::Delivery(delivery, _) => delivery,
        Admitted::Ping(_) => panic!("{dialect}: {body} is a ping"),
    }
}

fn take(ledger: &mut Ledger<&Database>, delivery: &Delivery) -> Taken {
    ledger.intake(delivery, now()).unwrap()
}

/// Every documented event, and one that isn't; with the kind it is of.
const EVENTS: [(&str, &str, &str); 21] = [
    ("propexo", "DATA_NEW", "record.created leases"),
    ("propexo", "DATA_UPDATE", "record.updated leases"),
    (
        "propexo",
        "FIRST_SYNC_COMPLETE",
        "sync.first_completed NULL",
    ),
    ("propexo", "SYNC_COMPLETE", "sync.completed NULL"),
    ("propexo", "JOB_FAILURE", "job.failed NULL"),
    ("propexo", "JOB_SUCCESS", "job.succeeded NULL"),
    ("propexo", "WRITE_OPERATION_FAILURE", "write.failed NULL"),
    ("propexo", "NEWS \"€\"", "record.created leases"),
    ("propify", "DATA_NEW", "record.created leases"),
    ("propify", "DATA_UPDATE", "record.updated leases"),
    ("meterbase", "data.new", "record.created units"),
    ("meterbase", "data.update", "record.updated units"),
    ("meterbase", "sync.complete", "sync.completed NULL"),
    ("meterbase", "news \\", "record.snapshot units"),
    (
        "real-estate",
        "property.created",
        "record.created properties",
    ),
    ("real-estate", "property.sold", "record.updated properties"),
    (
        "real-estate",
        "appointment.scheduled",
        "record.created appointments",
    ),
    (
        "real-estate",
        "appointment.cancelled",
        "record.updated appointments",
    ),
    ("real-estate", "user.registered", "record.created users"),
    (
        "real-estate",
        "feedback.submitted",
        "record.created feedback",
    ),
    ("real-estate", "news", "record.snapshot news"),
];

#[test]
fn every_event_of_every_dialect() {
    for (dialect, event, expected) in EVENTS {
        let database = Database::default();
        let mut ledger = Ledger::open(&database).unwrap();
        for (number, payload) in [
            (1, ""),
            (2, ""),
            (3, r#","payload":{"id":"mine","status":"new"}"#),
            (4, r#","payload":{"id":"mine","status":"new"}"#),
            (
                5,
                r#","payload":{"integration_id":"int_1","connection_id":"int_1","event":"x","job_id":"x","job_schedule_id":"x","root_job_id":"x"}"#,
            ),
            (
                6,
                r#","payload":{"integration_id":"int_1","connection_id":"int_1","event":"x","job_id":"x","job_schedule_id":"x","root_job_id":"x"}"#,
            ),
        ] {
            let name = serde_json::to_string(event).unwrap();
            let asked = format!(r#"{{"event":{name}{payload}}}"#);
            let body = sample(dialect, &asked, &format!("u{number}")).unwrap();
            let delivery = delivery(dialect, &body);
            assert_eq!(delivery.of.integration, TEST_INTEGRATION, "{body}");
            let taken = take(&mut ledger, &delivery);
            assert_eq!(
                (taken.outcome, taken.seq),
                (Outcome::Accepted, number),
                "{body}"
            );
            assert_eq!(
                take(&mut ledger, &delivery).outcome,
                Outcome::Duplicate,
                "{body}"
            );
        }
        let name = if dialect == "propify" { "NULL" } else { event };
        let events = database.events("name || '', kind || ' ' || coalesce(model, 'NULL')");
        assert_eq!(
            events,
            vec![format!("{name}|{expected}"); 6],
            "{dialect} {event}"
        );
        let history = ledger.events(0, 500).unwrap();
        assert_eq!(history.matches(r#""test":true"#).count(), 6, "{history}");
    }
}

#[test]
fn an_event_is_no_test_elsewhere() {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    let mut delivery = delivery("propexo", &sample("propexo", "{}", "u").unwrap());
    delivery.of.integration = "int_1".to_owned();
    take(&mut ledger, &delivery);
    assert!(!ledger.events(0, 500).unwrap().contains("test\""));
    assert_eq!(delivery.into_test().of.integration, TEST_INTEGRATION);
}

#[test]
fn the_usual_event() {
    let table = [
        (
            "propexo",
            r#"{"trigger":"DATA_NEW","data":{"job_id":"job_u","root_job_id":"job_u","integration_id":"leasewire-test","job_type":"READ_LEASES","vendor":"LEASEWIRE","event":"DATA_NEW","record_id":"test_u","object":"leases","payload":{"status":"pending","rent_in_cents":210000}},"meta":{"object":"leases","integration_id":"leasewire-test"}}"#,
        ),
        (
            "propify",
            r#"{"meta":{"object":"leases","integration_id":"leasewire-test","test":"u"},"record_id":"test_u","payload":{"status":"pending","rent_in_cents":210000}}"#,
        ),
        (
            "meterbase",
            r#"{"event":"data.new","timestamp":"2026-03-25T15:00:00.250000000Z","connection_id":"leasewire-test","test":"u","resource_type":"unit","data":{"unit_number":"305","status":"vacant","id":"test_u"}}"#,
        ),
        (
            "real-estate",
            r#"{"id":"evt_leasewire-test_u","type":"property.created","created":"2026-03-25T15:00:00.250000000Z","data":{"property":{"address":"1 Test Street","price":750000.0,"status":"listed","id":"test_u"}}}"#,
        ),
    ];
    assert_eq!(table.len(), DIALECTS.len());
    for (dialect, body) in table {
        assert_eq!(sample(dialect, "{}", "u").as_deref(), Ok(body));
    }
}

#[test]
fn a_payload_is_carried_as_the_dialect_does() {
    // Numbers keep their text.
    let payload = r#"{"id":"mine","price":750000.0,"big":9007199254740993}"#;
    let table = [
        ("propexo", "DATA_NEW", format!(r#""payload":{payload}"#)),
        (
            "propexo",
            "DATA_UPDATE",
            format!(r#""diff":{{"previous":{{}},"new":{payload}}}"#),
        ),
        (
            "propexo",
            "SYNC_COMPLETE",
            payload.trim_end_matches('}').to_owned(),
        ),
        (
            "propify",
            "DATA_NEW",
            format!(r#""record_id":"mine","payload":{payload}"#),
        ),
        (
            "propify",
            "DATA_UPDATE",
            format!(r#""diff":{{"previous":{{}},"new":{payload}}}"#),
        ),
        ("meterbase", "data.update", format!(r#""data":{payload}"#)),
        (
            "meterbase",
            "sync.complete",
            format!(r#""stats":{payload}"#),
        ),
        ("meterbase", "test.ping", format!(r#""data":{payload}"#)),
        (
            "real-estate",
            "property.sold",
            format!(r#""data":{{"property":{payload}}}"#),
        ),
        (
            "real-estate",
            "user.registered",
            format!(r#""data":{{"user":{payload}}}"#),
        ),
    ];
    for (dialect, event, expected) in table {
        let asked = format!(r#"{{"payload": {payload} ,"event":"{event}"}}"#);
        let body = sample(dialect, &asked, "u").unwrap();
        assert!(body.contains(&expected), "{body}");
    }
    let asked = r#"{"payload":{"id":5,"a":1}}"#;
    assert!(
        sample("meterbase", asked, "u")
            .unwrap()
            .contains(r#""data":{"id":5,"a":1}"#)
    );
    assert!(
        sample("propexo", asked, "u")
            .unwrap()
            .contains(r#""record_id":"5""#)
    );
    for none in ["null", r#""""#, "{}", "-1", "1.5"] {
        let asked = format!(r#"{{"payload":{{"id":{none}}}}}"#);
        let body = sample("real-estate", &asked, "u").unwrap();
        assert!(body.contains(r#"{"id":"test_u"}"#), "{body}");
    }
}

#[test]
fn a_ping_is_a_ping() {
    let body = sample("meterbase", r#"{"event":"test.ping"}"#, "u").unwrap();
    assert!(matches!(let_in("meterbase", &body), Admitted::Ping(_)));
}

#[test]
fn what_cannot_be_asked_for() {
    let unknown = |name: &str| Problem::UnknownField(name.to_owned(), "`event` or `payload`");
    let long = |bytes| format!(r#"{{"event":"{}"}}"#, "x".repeat(bytes));
    let table = [
        ("", BODY),
        (" ", BODY),
        ("null", BODY),
        ("[]", BODY),
        ("\"DATA_NEW\"", BODY),
        ("{", BODY),
        ("{} {}", BODY),
        (r#"{"event":"#, BODY),
        (r#"{"event":null}"#, EVENT),
        (r#"{"event":5}"#, EVENT),
        (r#"{"event":["DATA_NEW"]}"#, EVENT),
        (r#"{"event":""}"#, EVENT),
        (r#"{"event":"\ud800"}"#, EVENT),
        (&long(257), EVENT),
        (r#"{"payload":null}"#, PAYLOAD),
        (r#"{"payload":[]}"#, PAYLOAD),
        (r#"{"payload":"{}"}"#, PAYLOAD),
        (r#"{"events":"DATA_NEW"}"#, unknown("events")),
        (r#"{"event":5,"Payload":{}}"#, unknown("Payload")),
        (r#"{"":{}}"#, unknown("")),
    ];
    for (asked, problem) in table {
        assert_eq!(sample("propexo", asked, "u"), Err(problem), "{asked}");
    }
    let not_utf_8 = Wanted::parse(b"{\"event\":\"\xff\"}", "u", now());
    assert_eq!(not_utf_8.err(), Some(BODY));
    assert!(sample("propexo", &long(256), "u").is_ok());
    let these = "`DATA_NEW` or `DATA_UPDATE` for this source";
    assert_eq!(
        sample("propify", r#"{"event":"SYNC_COMPLETE"}"#, "u"),
        Err(Problem::BadParameter("event", these))
    );
}

#[test]
fn what_is_told_of_it() {
    let headers = ["b", "signature", "a"].map(|name| (name, format!("of-{name}")));
    let answer = Ok(r#"{"status":"pong"}"#.to_owned());
    assert_eq!(
        report("/webhooks/x", &headers, "signature", "{\"a\":1}", &answer),
        r#"{"request":{"method":"POST","path":"/webhooks/x","headers":{"b":"of-b","signature":null,"a":"of-a"},"body":"{\"a\":1}"},"response":{"status":200,"body":{"status":"pong"}}}"#
    );
    let refused = report("/", &[], "", "", &Err(Problem::TooLarge(BODY_BYTES_MAX)));
    assert!(
        refused.contains(r#""response":{"status":413,"body":{"type":"#),
        "{refused}"
    );
}
