//! What the API can be told to do, and what it refuses.

use leasewire::api::Route;
use leasewire::api::command::{
    Command, backfill_models, discard_request, no_fields, redrive_range, replay_request,
};
use leasewire::integration::IntegrationId;
use leasewire::ledger::discard::{self, Held};
use leasewire::ledger::replay::Request;
use leasewire::problem::Problem;

#[test]
fn paths_of_commands() {
    let of = || IntegrationId {
        source: "propexo".to_owned(),
        integration: "int/1".to_owned(),
    };
    let parse = |method, path| Route::parse(method, path, "");
    for (path, command) in [
        (
            "/v1/integrations/propexo/int%2F1/replay",
            Command::Replay(of()),
        ),
        (
            "/v1/integrations/propexo/int%2F1/redrive",
            Command::Redrive(of()),
        ),
        (
            "/v1/integrations/propexo/int%2F1/rebuild",
            Command::Rebuild(of()),
        ),
        (
            "/v1/integrations/propexo/int%2F1/discard",
            Command::Discard(of()),
        ),
        (
            "/v1/integrations/propexo/int%2F1/backfill",
            Command::Backfill(of()),
        ),
        (
            "/v1/integrations/propexo/int%2F1/records/residents-to-lease/r%2F1/hydrate",
            Command::Hydrate(of(), "residents_to_leases".to_owned(), "r/1".to_owned()),
        ),
    ] {
        assert_eq!(parse("POST", path), Ok(Route::Command(command)));
        for method in ["GET", "PUT", "DELETE", "post"] {
            assert_eq!(parse(method, path), Err(Problem::MethodNotAllowed("POST")));
        }
    }
    let elsewhere = "/v1/integrations/propexo/int%2F1/replay/1";
    assert_eq!(parse("POST", elsewhere), Err(Problem::NotFound));
}

#[test]
fn requests_for_a_replay() {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let request = |from, to, models, events| Request {
        from,
        to,
        models,
        events,
    };
    let read = |body: &str| replay_request(body.as_bytes()).unwrap();
    assert_eq!(read(r#"{"from":1,"to":1}"#), request(1, 1, None, None));
    assert_eq!(
        read(r#"{"to":1000001,"from":2,"models":["leases","unit*"],"events":["*"]}"#),
        request(2, 1_000_001, names(&["leases", "unit*"]), names(&["*"]))
    );
    // Models as the provider writes them; its events are known by those names.
    let spelled = r#"{"from":1,"to":1,"models":["unit","residents-to-leases","Residents-to*","*"],"events":["A-b"]}"#;
    let known = names(&["units", "residents_to_leases", "residents_to*", "*"]);
    assert_eq!(read(spelled), request(1, 1, known, names(&["A-b"])));
}

#[test]
fn requests_for_a_backfill() {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    for body in ["", "{}", r#"{"models":null}"#] {
        assert_eq!(backfill_models(body.as_bytes()), Ok(None), "{body}");
    }
    let body = r#"{"models":["lease","Residents-to*"]}"#;
    let models = names(&["leases", "residents_to*"]);
    assert_eq!(backfill_models(body.as_bytes()), Ok(models));
    for (body, says) in [
        ("[]", "JSON object"),
        (r#"{"models":[]}"#, "`models` is empty"),
        (r#"{"models":["*a"]}"#, "`*` at its end only"),
        (r#"{"models":"leases"}"#, "`models`"),
        (r#"{"from":1}"#, "`from`"),
    ] {
        let problem = backfill_models(body.as_bytes()).unwrap_err();
        assert_eq!(problem.status(), 400);
        assert!(problem.to_json().contains(says), "{}", problem.to_json());
    }
}

/// Each refusal names the field that is wrong.
#[test]
fn requests_that_are_refused() {
    let detail = |problem: Problem| {
        assert_eq!(problem.status(), 400);
        problem.to_json()
    };
    for (body, names) in [
        ("", "JSON object"),
        ("[1,2]", "JSON object"),
        ("{", "JSON object"),
        ("\u{feff}{}", "JSON object"),
        (r#"{"to":5}"#, "missing field `from`"),
        (r#"{"from":5}"#, "missing field `to`"),
        (r#"{"from":"1","to":5}"#, "`from` must be a whole number"),
        (r#"{"from":-1,"to":5}"#, "`from` must be a whole number"),
        (r#"{"from":1.5,"to":5}"#, "`from` must be a whole number"),
        (r#"{"from":0,"to":5}"#, "`from` must be"),
        (r#"{"from":6,"to":5}"#, "`to` must be"),
        (
            r#"{"from":1,"to":1000001}"#,
            "`to` must be less than 1000000",
        ),
        (r#"{"from":1,"to":9007199254740992}"#, "`to` must be"),
        (
            r#"{"from":1,"to":5,"model":["a"]}"#,
            "unknown field `model`",
        ),
        (r#"{"from":1,"to":5,"models":[]}"#, "`models` is empty"),
        (
            r#"{"from":1,"to":5,"events":["a*b"]}"#,
            "`events` has the name",
        ),
        (
            r#"{"from":1,"to":5,"events":"a"}"#,
            "`events` must be a list of texts",
        ),
    ] {
        let why = detail(replay_request(body.as_bytes()).unwrap_err());
        assert!(why.contains(names), "{body}: {why}");
    }
    assert!(replay_request(b"{\"from\":1,\"to\":\xff}").is_err());
    for (body, names) in [
        (r#"{"from":6,"to":5}"#, "`to` must be"),
        (r#"{"from":0}"#, "`from` must be"),
        (r#"{"first":1}"#, "unknown field `first`"),
        ("null", "JSON object"),
    ] {
        let why = detail(redrive_range(body.as_bytes()).unwrap_err());
        assert!(why.contains(names), "{body}: {why}");
    }
    for body in [r#"{"from":1}"#, "null", "{"] {
        assert_eq!(no_fields(body.as_bytes()).unwrap_err().status(), 400);
    }
    assert_eq!(no_fields(b""), Ok(()));
    assert_eq!(no_fields(b"{}"), Ok(()));
    assert_eq!(redrive_range(b""), Ok((1, 9_007_199_254_740_991)));
    assert_eq!(
        redrive_range(br#"{"from":2}"#),
        Ok((2, 9_007_199_254_740_991))
    );
    assert_eq!(redrive_range(br#"{"from":2,"to":3}"#), Ok((2, 3)));
}

/// A range or all, said in so many words: nothing is discarded by a slip.
#[test]
fn what_is_to_be_discarded_is_said() {
    let read = |body: &str| discard_request(body.as_bytes());
    let request = |status, from, to| Ok(discard::Request { status, from, to });
    assert_eq!(
        read(r#"{"status":"dead","from":2,"to":3}"#),
        request(Held::Dead, 2, 3)
    );
    assert_eq!(
        read(r#"{"status":"quarantined","all":true}"#),
        request(Held::Quarantined, 1, 9_007_199_254_740_991)
    );
    assert_eq!(
        read(r#"{"status":"dead","from":2,"to":3,"all":false}"#),
        request(Held::Dead, 2, 3)
    );
    for body in [
        "",
        "{}",
        r#"{"status":"dead"}"#,
        r#"{"all":true}"#,
        r#"{"status":"confirmed","all":true}"#,
        r#"{"status":"dead","from":1}"#,
        r#"{"status":"dead","to":1}"#,
        r#"{"status":"dead","from":0,"to":1}"#,
        r#"{"status":"dead","from":2,"to":1}"#,
        r#"{"status":"dead","all":false}"#,
        r#"{"status":"dead","all":1}"#,
        r#"{"status":"dead","all":true,"from":1,"to":2}"#,
        r#"{"status":"dead","from":1,"to":2,"force":true}"#,
    ] {
        assert_eq!(read(body).unwrap_err().status(), 400, "{body}");
    }
}
