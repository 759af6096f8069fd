//! Webhooks as they are registered, beside what is wanted: what differs, and what
//! puts it right.

use leasewire::api::command::{Subscription as Request, subscription};
use leasewire::api::subscriptions::{check_secret, wanted};
use leasewire::connector::{Answer, Direct, DirectAnswer, Failure};
use leasewire::edge::source::{Source, Sources};
use leasewire::problem::Problem;
use leasewire::provider::subscriptions::{Change, Compared, Subscription, Wanted};
use leasewire::provider::{Kind, named};

use crate::world::{World, status};

const OWN: &str = "https://gateway.example/webhooks/propexo";
const ASKED_AT: &str = "https://gateway.example/v1/sources/propexo/subscriptions?x=1";

fn kind() -> &'static dyn Kind {
    named("propexo").unwrap()
}

fn source(more: &str) -> Source {
    let sources = format!(
        r#"{{"propexo":{{"dialect":"propexo","secret":"S","api":{{"kind":"propexo","key":"K"}}{more}}}}}"#
    );
    let sources = Sources::parse(&sources).unwrap();
    sources.named("propexo").unwrap().clone().unwrap()
}

/// What is wanted of a source with these settings by a request with this body.
fn asked<'a>(more: &str, body: &str, secrets: &'a [String]) -> Result<Wanted<'a>, Problem> {
    let source = source(more);
    let api = source.api.clone().unwrap();
    let request = subscription(body.as_bytes())?;
    wanted(&source, &api, secrets, request, ASKED_AT)
}

fn secrets() -> Vec<String> {
    vec!["the new secret".to_owned(), "the old secret".to_owned()]
}

/// Webhooks as the provider shows them.
fn registered(hooks: &[String]) -> Vec<Subscription> {
    let body = format!(
        r#"{{"meta":{{"hasMore":false}},"results":[{}]}}"#,
        hooks.join(",")
    );
    kind().read_subscriptions(&body).unwrap().all
}

fn hook(id: &str, url: &str, active: bool, secret: &str, triggers: &[(&str, &str)]) -> String {
    let trigger = |(name, model): &(&str, &str)| {
        let model = if *model == "null" {
            "null".to_owned()
        } else {
            format!("{model:?}")
        };
        format!(r#"{{"id":"t","trigger":"{name}","model":{model}}}"#)
    };
    let triggers: Vec<String> = triggers.iter().map(trigger).collect();
    format!(
        r#"{{"id":"{id}","url":"{url}","active":{active},"secret":"{secret}","system":"SANDBOX",
            "headers":[{{"header":"a","value":"b"}}],"triggers":[{}]}}"#,
        triggers.join(",")
    )
}

const USUAL: [(&str, &str); 4] = [
    ("DATA_NEW", "null"),
    ("DATA_UPDATE", "null"),
    ("FIRST_SYNC_COMPLETE", "null"),
    ("SYNC_COMPLETE", "null"),
];

/// `missing; changes`
fn compared(hooks: &[String], wanted: &Wanted) -> (String, Vec<Change>) {
    let registered = registered(hooks);
    let compared = Compared::new(kind(), &registered, wanted);
    let json = compared.to_json(0);
    for secret in ["the new secret", "the old secret", "another's"] {
        assert!(!json.contains(secret), "{json}");
    }
    let missing = compared.missing.iter();
    let missing = missing.map(|one| match &one.model {
        Some(model) => format!("{} {model}", one.name),
        None => one.name.clone(),
    });
    (
        missing.collect::<Vec<_>>().join(", "),
        compared.changes(kind()),
    )
}

fn said(changes: &[Change]) -> Vec<String> {
    let said = changes.iter().map(|change| {
        let body: serde_json::Value = serde_json::from_str(&change.body).unwrap();
        assert_eq!((&body["url"], &body["active"]), (&OWN.into(), &true.into()));
        assert_eq!(body["secret"], "the new secret");
        let model = body
            .get("model")
            .map(ToString::to_string)
            .unwrap_or_default();
        let triggers = body["triggers"].to_string().replace('"', "");
        format!("{} {} {triggers} {model}", change.method, change.path)
    });
    said.collect()
}

#[test]
fn nothing_is_registered_yet() {
    let secrets = secrets();
    let wanted = asked("", "", &secrets).unwrap();
    assert_eq!(wanted.url, OWN);
    let (missing, changes) = compared(&[], &wanted);
    assert_eq!(
        missing,
        "DATA_NEW, DATA_UPDATE, FIRST_SYNC_COMPLETE, SYNC_COMPLETE"
    );
    let all = "POST /v1/webhooks/ [DATA_NEW,DATA_UPDATE,FIRST_SYNC_COMPLETE,SYNC_COMPLETE] ";
    assert_eq!(said(&changes), [all]);
    // Another one's is nobody's business.
    let other = hook(
        "h",
        "https://other.example/webhooks/propexo",
        true,
        "another's",
        &USUAL,
    );
    let (missing, changes) = compared(&[other], &wanted);
    assert!(missing.contains("SYNC_COMPLETE"));
    assert_eq!(said(&changes), [all]);
}

#[test]
fn what_is_right_stays_as_it_is() {
    let secrets = secrets();
    let wanted = asked("", "", &secrets).unwrap();
    for secret in &secrets {
        // With a slash at its end it is the same address.
        let own = hook("h", &format!("{OWN}/"), true, secret, &USUAL);
        assert_eq!(compared(&[own], &wanted), (String::new(), Vec::new()));
    }
    let parts = [
        hook("h1", OWN, true, "the old secret", &USUAL[..2]),
        hook("h2", OWN, true, "the new secret", &USUAL[2..]),
    ];
    assert_eq!(compared(&parts, &wanted), (String::new(), Vec::new()));
    let registered = registered(&parts);
    let json = Compared::new(kind(), &registered, &wanted).to_json(3);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["complete"], &json["changed"]),
        (&true.into(), &3.into())
    );
    assert_eq!(json["own"][1]["secret_matches"], true);
}

#[test]
fn an_own_one_that_is_wrong_is_changed() {
    let secrets = secrets();
    let wanted = asked("", "", &secrets).unwrap();
    let all = "DATA_NEW, DATA_UPDATE, FIRST_SYNC_COMPLETE, SYNC_COMPLETE";
    let put = "PUT /v1/webhooks/h%2F1 [DATA_NEW,DATA_UPDATE,FIRST_SYNC_COMPLETE,SYNC_COMPLETE] ";
    for (active, secret) in [(false, "the new secret"), (true, "another's")] {
        let own = hook("h/1", OWN, active, secret, &USUAL);
        let (missing, changes) = compared(&[own], &wanted);
        assert_eq!(
            (missing.as_str(), said(&changes)),
            (all, vec![put.to_owned()])
        );
        // What else it has stays.
        assert!(
            changes[0]
                .body
                .contains(r#""headers":[{"header":"a","value":"b"}]"#)
        );
    }
    // Of several models nothing can be said to the provider: another one is made.
    let mixed = [("DATA_NEW", "leases"), ("DATA_NEW", "units")];
    let own = hook("h", OWN, false, "the new secret", &mixed);
    let (missing, changes) = compared(std::slice::from_ref(&own), &wanted);
    assert_eq!(missing, all);
    assert_eq!(said(&changes).len(), 1);
    assert_eq!(changes[0].method, "POST");
    let registered = registered(&[own]);
    let json = Compared::new(kind(), &registered, &wanted).to_json(0);
    assert!(json.contains(r#""changeable":false"#) && json.contains(r#""complete":false"#));
    // What it doesn't tell of is made besides.
    let own = hook("h", OWN, false, "the new secret", &USUAL[..3]);
    let (_, changes) = compared(&[own], &wanted);
    let [put, post] = said(&changes).try_into().unwrap();
    assert!(put.starts_with("PUT") && post == "POST /v1/webhooks/ [SYNC_COMPLETE] ");
}

#[test]
fn each_model_has_its_own() {
    let secrets = secrets();
    let body = r#"{"models":["Lease","unit-pricing"]}"#;
    let wanted = asked("", body, &secrets).unwrap();
    let own = hook(
        "h",
        OWN,
        true,
        "the new secret",
        &[("DATA_NEW", "leases"), ("SYNC_COMPLETE", "leases")],
    );
    let (missing, changes) = compared(&[own], &wanted);
    assert_eq!(
        missing,
        "DATA_NEW unit_pricings, DATA_UPDATE leases, DATA_UPDATE unit_pricings, FIRST_SYNC_COMPLETE"
    );
    assert_eq!(
        said(&changes),
        [
            // As the provider calls it.
            r#"POST /v1/webhooks/ [DATA_NEW,DATA_UPDATE] "unit_pricing""#,
            r#"POST /v1/webhooks/ [DATA_UPDATE] "leases""#,
            "POST /v1/webhooks/ [FIRST_SYNC_COMPLETE] ",
        ]
    );
    // One of all models tells of each; one of a model, not of all.
    let all = hook("h", OWN, true, "the new secret", &USUAL);
    assert_eq!(compared(&[all], &wanted).0, "");
    let wanted = asked("", "", &secrets).unwrap();
    let one = hook("h", OWN, true, "the new secret", &[("DATA_NEW", "leases")]);
    assert!(compared(&[one], &wanted).0.starts_with("DATA_NEW,"));
}

#[test]
fn what_a_source_takes_is_what_is_wanted() {
    let secrets = secrets();
    let of = |more: &str, body: &str| {
        let wanted = asked(more, body, &secrets).unwrap();
        (wanted.events.join(" "), wanted.models)
    };
    let usual = "DATA_NEW DATA_UPDATE FIRST_SYNC_COMPLETE SYNC_COMPLETE";
    let models = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(of("", ""), (usual.to_owned(), None));
    let filter = r#","models":["leases","unit*"]"#;
    let units = [
        "leases",
        "units",
        "unit_details",
        "unit_pricings",
        "units_to_amenities",
    ];
    let (events, mut found) = of(filter, "");
    found.as_mut().unwrap().sort();
    let mut expected: Vec<String> = models(&units).unwrap();
    expected.sort();
    assert_eq!((events.as_str(), found), (usual, Some(expected)));
    assert_eq!(of(filter, r#"{"models":["*"]}"#).1, None);
    // One that no list has.
    assert_eq!(
        of("", r#"{"models":["new things"]}"#).1,
        models(&["new_things"])
    );
    let events = r#","events":["record.created","JOB_FAILURE"]"#;
    let taken = "DATA_NEW FIRST_SYNC_COMPLETE SYNC_COMPLETE JOB_FAILURE";
    assert_eq!(
        of(events, "").0,
        taken,
        "the ends of synchronisations in any case"
    );
    assert_eq!(
        of(events, r#"{"events":["DATA_*"]}"#).0,
        "DATA_NEW DATA_UPDATE"
    );
    assert_eq!(
        of("", r#"{"events":["write.failed"]}"#).0,
        "WRITE_OPERATION_FAILURE"
    );
    let other = asked("", r#"{"url":"https://proxy.example/a/"}"#, &secrets).unwrap();
    assert_eq!(other.url, "https://proxy.example/a");
}

#[test]
fn what_cannot_be_registered_is_said() {
    let secrets = secrets();
    let refused = |body: &str| asked("", body, &secrets).err().unwrap();
    for body in [
        "[]",
        "{",
        r#"{"model":"leases"}"#,
        r#"{"models":[]}"#,
        r#"{"models":"leases"}"#,
        r#"{"events":["NOTHING"]}"#,
        r#"{"events":["DATA_NEW","NOTHING*"]}"#,
        r#"{"models":["nothing*"]}"#,
        r#"{"url":7}"#,
    ] {
        let problem = refused(body);
        assert_eq!(
            (problem.status(), problem.label()),
            (400, "bad_body"),
            "{body}"
        );
    }
    let problem = refused(r#"{"url":"http://gateway.example"}"#);
    assert_eq!(problem.label(), "bad_parameter");
    let source = source("");
    let api = source.api.clone().unwrap();
    let at = |url: &str| wanted(&source, &api, &secrets, Request::default(), url);
    assert_eq!(
        at("http://10.0.0.1/v1/x").err().unwrap().label(),
        "not_registrable"
    );
    assert_eq!(
        at("http://localhost:8787/v1/x").unwrap().url,
        "http://localhost:8787/webhooks/propexo"
    );
    let short = |secret: &str| check_secret(&api, &[secret.to_owned()]);
    assert_eq!(short("éééééééééé"), Ok(()));
    let problem = short("123456789").unwrap_err();
    assert_eq!(
        (problem.status(), problem.label()),
        (409, "not_registrable")
    );
    assert!(!problem.to_json().contains("123456789"));
}

#[test]
fn registrations_are_read_as_they_are_shown() {
    let body = r#"{"meta":{"hasMore":true},"results":[{"id":"h","url":"u","active":true}]}"#;
    let page = kind().read_subscriptions(body).unwrap();
    assert!(page.has_more && page.all[0].triggers.is_empty() && page.all[0].secret.is_none());
    assert_eq!(page.all[0].headers, "[]");
    for body in ["", "{}", r#"{"results":{}}"#, r#"{"results":[{"id":"h"}]}"#] {
        assert!(kind().read_subscriptions(body).is_none(), "{body}");
    }
    assert_eq!(
        kind().subscriptions(250),
        "/v1/webhooks/?order-by=created_at:asc,id:asc&limit=250&offset=250"
    );
}

#[test]
fn a_request_by_hand_counts_in_the_pace_and_waits_for_nothing() {
    let mut world = World::new(r#"{"kind":"propexo","key":"KEY","requests_per_minute":2}"#);
    let mut connector = world.open();
    for _ in 0..4 {
        assert_eq!(
            connector.asks_directly(world.now),
            Ok(None),
            "beyond the own share"
        );
    }
    assert!(world.state(&connector).contains(r#""used":4"#));
    let owed = world.owed("int_1", &[("leases", "l1")]);
    world.tell(&mut connector, &owed);
    world.now = world.now.plus_s(20);
    assert!(!matches!(
        world.next(&mut connector),
        leasewire::connector::Next::Fetch(_)
    ));
    let times = |world: &World| [world.now, world.now];
    assert_eq!(connector.asks_directly(world.now), Ok(None));
    let left = Answer::Response {
        status: 200,
        limit: Some(150),
        remaining: Some(0),
        body: b"{}".to_vec(),
    };
    connector
        .was_answered("propexo", &left, times(&world), 0)
        .unwrap();
    assert!(
        connector.asks_directly(world.now).unwrap().is_some(),
        "nothing is left"
    );
    world.now = world.now.plus_s(60);
    assert_eq!(connector.asks_directly(world.now), Ok(None));
    connector
        .was_answered("propexo", &status(429, ""), times(&world), 0)
        .unwrap();
    let until = connector.asks_directly(world.now).unwrap().unwrap();
    assert!(until > world.now);
    assert!(
        world
            .state(&connector)
            .contains(&format!(r#""paused_until":"{until}""#))
    );
}

#[test]
fn answers_say_what_to_do() {
    let of = |answer: Answer| {
        let answer = DirectAnswer::of(answer);
        assert_eq!(DirectAnswer::decode(&answer.encode()), Some(answer.clone()));
        answer
            .text()
            .map_err(|problem| (problem.label(), problem.to_json()))
    };
    assert_eq!(
        of(status(200, r#"{"a":"é"}"#)),
        Ok(r#"{"a":"é"}"#.to_owned())
    );
    let table = [
        (status(400, "secret"), "provider_refused", "status 400"),
        (status(401, "secret"), "provider_refused", "`api.key`"),
        (status(403, "secret"), "provider_refused", "right"),
        (status(404, "secret"), "provider_refused", "`api.url`"),
        (status(429, "secret"), "provider_unavailable", "429"),
        (status(503, "secret"), "provider_unavailable", "503"),
        (
            Answer::Failed(Failure::Timeout),
            "provider_unavailable",
            "in time",
        ),
        (
            Answer::Failed(Failure::NoKey),
            "provider_refused",
            "missing",
        ),
    ];
    for (answer, label, what) in table {
        let (found, json) = of(answer).unwrap_err();
        assert_eq!(found, label);
        assert!(json.contains(what) && !json.contains("\"secret"), "{json}");
    }
    let paused = DirectAnswer::Paused("2026-03-02T08:00:00Z".to_owned());
    assert_eq!(DirectAnswer::decode(&paused.encode()), Some(paused.clone()));
    assert_eq!(paused.text().unwrap_err().label(), "provider_unavailable");
    let direct = Direct {
        source: "propexo".to_owned(),
        method: "POST".to_owned(),
        path: "/v1/webhooks/".to_owned(),
        body: r#"{"a":1}"#.to_owned(),
    };
    assert_eq!(Direct::decode(&direct.encode()), Some(direct));
    assert_eq!(Direct::decode(r#"{"call":"state"}"#), None);
}
