//! The paths there are, and what they mean.

use leasewire::api::command::Command;
use leasewire::api::{self, Page, Query, Route};
use leasewire::dialect::event::{is_usable_id, model_name};
use leasewire::edge::source;
use leasewire::integration::{IntegrationId, encode_segment};
use leasewire::problem::Problem;
use proptest::prelude::*;

pub const LIMIT: Problem = Problem::BadParameter("limit", "a whole number from 1 to 500");

const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get", "",
];

pub fn get(path: &str, query: &str) -> Result<Route, Problem> {
    Route::parse("GET", path, query)
}

fn of(source: &str, integration: &str) -> IntegrationId {
    IntegrationId {
        source: source.to_owned(),
        integration: integration.to_owned(),
    }
}

fn page<T>(after: Option<T>, limit: u64) -> Page<T> {
    Page { after, limit }
}

pub fn integrations(after: Option<(&str, &str)>, limit: u64) -> Route {
    let after = after.map(|(source, integration)| (source.to_owned(), integration.to_owned()));
    Route::Api(Query::Integrations(page(after, limit)))
}

pub fn records(model: &str, after: Option<&str>, limit: u64) -> Route {
    let page = page(after.map(str::to_owned), limit);
    Route::Api(Query::Records(of("s", "i"), model.to_owned(), page))
}

fn record(model: &str, id: &str) -> Route {
    Route::Api(Query::Record(of("s", "i"), model.to_owned(), id.to_owned()))
}

pub fn events(after: Option<u64>, limit: u64) -> Route {
    Route::Api(Query::Events(of("s", "i"), page(after, limit)))
}

pub fn quarantine(after: Option<u64>, limit: u64) -> Route {
    Route::Api(Query::Quarantine(of("s", "i"), page(after, limit)))
}

pub fn dead(after: Option<u64>, limit: u64) -> Route {
    Route::Api(Query::Dead(of("s", "i"), page(after, limit)))
}

pub fn event(seq: u64) -> Route {
    Route::Api(Query::Event(of("s", "i"), seq))
}

fn webhook(source: &str) -> Route {
    Route::Webhook {
        source: source.to_owned(),
    }
}

fn test_of(source: &str) -> Route {
    Route::Test {
        source: source.to_owned(),
    }
}

fn redrive_of(source: &str, after: Option<&str>, limit: u64) -> Route {
    let page = page(after.map(str::to_owned), limit);
    Route::Command(Command::RedriveSource(source.to_owned(), page))
}

#[test]
fn a_redrive_of_a_source_goes_on_behind_an_integration() {
    let post = |query| Route::parse("POST", "/v1/sources/propexo/redrive", query);
    assert_eq!(post(""), Ok(redrive_of("propexo", None, 100)));
    let query = "?after=a%2Fb%20c&limit=3";
    assert_eq!(post(query), Ok(redrive_of("propexo", Some("a/b c"), 3)));
    assert_eq!(post("?limit=0"), Err(LIMIT));
}

#[test]
fn paths_and_their_methods() {
    let table = [
        ("POST", "/webhooks/propexo", webhook("propexo")),
        ("POST", "/webhooks/real-estate", webhook("real-estate")),
        ("POST", "/webhooks/no such", webhook("no such")),
        ("GET", "/healthz", Route::Health),
        ("GET", "/metrics", Route::Metrics),
        ("GET", "/openapi.json", Route::Description),
        ("GET", "/v1/integrations", integrations(None, 100)),
        (
            "GET",
            "/v1/integrations/s/i",
            Route::Api(Query::Integration(of("s", "i"))),
        ),
        (
            "GET",
            "/v1/integrations/s/i/records/leases",
            records("leases", None, 100),
        ),
        (
            "GET",
            "/v1/integrations/s/i/records/leases/lease_9",
            record("leases", "lease_9"),
        ),
        ("GET", "/v1/integrations/s/i/events", events(None, 100)),
        ("GET", "/v1/integrations/s/i/events/17", event(17)),
        ("GET", "/v1/sources", Route::Api(Query::Sources)),
        ("POST", "/v1/sources/propexo/test", test_of("propexo")),
        ("POST", "/v1/sources/no%20such/test", test_of("no such")),
        (
            "POST",
            "/v1/sources/redrive/redrive",
            redrive_of("redrive", None, 100),
        ),
        (
            "GET",
            "/v1/integrations/s/i/quarantine",
            quarantine(None, 100),
        ),
        ("GET", "/v1/integrations/s/i/dead", dead(None, 100)),
        // Words of the path as names.
        ("POST", "/v1/sources/test/test", test_of("test")),
        ("POST", "/webhooks/webhooks", webhook("webhooks")),
        (
            "GET",
            "/v1/integrations/s/i/records/events",
            records("events", None, 100),
        ),
        (
            "GET",
            "/v1/integrations/s/i/records/events/records",
            record("events", "records"),
        ),
        (
            "GET",
            "/v1/integrations/records/events",
            Route::Api(Query::Integration(of("records", "events"))),
        ),
    ];
    for (method, path, route) in table {
        // What is asked by GET can be asked by HEAD.
        let (methods, allow) = match method {
            "GET" => (&["GET", "HEAD"][..], "GET, HEAD"),
            method => (&[method][..], method),
        };
        for method in METHODS {
            let found = Route::parse(method, path, "");
            if methods.contains(&method) {
                assert_eq!(found, Ok(route.clone()), "{method} {path}");
                continue;
            }
            let problem = found.unwrap_err();
            assert_eq!(problem, Problem::MethodNotAllowed(allow), "{method} {path}");
            assert_eq!(problem.header(), Some(("allow", allow.to_owned())));
        }
    }
}

#[test]
fn queries_that_are_not_for_a_path_are_ignored() {
    for query in ["", "?", "limit=0", "after=x", "a=b&c", "%FF", "&&=&"] {
        assert_eq!(get("/healthz", query), Ok(Route::Health), "{query}");
        assert_eq!(
            get("/v1/integrations/s/i/events/1", query),
            Ok(event(1)),
            "{query}"
        );
        let route = Route::parse("POST", "/webhooks/propexo", query);
        assert_eq!(route, Ok(webhook("propexo")), "{query}");
    }
    for query in ["", "?", "a=b", "Limit=5", "limits=5", "=5", "&", "%FF=%FF"] {
        assert_eq!(
            get("/v1/integrations", query),
            Ok(integrations(None, 100)),
            "{query}"
        );
    }
}

#[test]
fn paths_that_there_are_not() {
    let paths = [
        "",
        "/",
        "//",
        "/webhooks",
        "/webhook/propexo",
        "/webhooks/propexo/extra",
        "/Webhooks/propexo",
        "/v1/webhooks/propexo",
        "/health",
        "/HEALTHZ",
        "/healthz/extra",
        "/metrics/extra",
        "/Metrics",
        "/v1/metrics",
        "/v1",
        "/v2/integrations",
        "/V1/integrations",
        "/v1/integration",
        "/integrations",
        "/v1/integrations/s",
        "/v1/integrations/s/i/other",
        "/v1/integrations/s/i/records",
        "/v1/integrations/s/i/Records/leases",
        "/v1/integrations/s/i/records/leases/1/2",
        "/v1/integrations/s/i/events/1/2",
        "/v1/source",
        "/v1/sources/propexo",
        "/v1/sources/test",
        "/v1/sources/propexo/tests",
        "/v1/sources/propexo/test/1",
        "/v1/sources/propexo/redrive/1",
        "/v1/sources/propexo/replay",
        "/v1/integrations/propexo/test/test",
        "/v1/integrations/s/i/quarantine/1",
        "/v1/integrations/s/i/dead/1",
        "/favicon.ico",
        "/.env",
        // An encoded slash doesn't separate.
        "/webhooks%2Fpropexo",
        "/v1%2Fintegrations",
        "/v1/integrations/s%2Fi",
    ];
    for path in paths {
        for method in METHODS {
            assert_eq!(
                Route::parse(method, path, ""),
                Err(Problem::NotFound),
                "{method} {path}"
            );
        }
    }
}

/// Whoever puts a base address and a path together may have a slash too many,
/// and mean the same. An empty name is another thing: there is none.
#[test]
fn a_slash_too_many_says_nothing_where_no_name_can_stand() {
    let table = [
        ("POST", "/webhooks/propexo", webhook("propexo")),
        ("GET", "/healthz", Route::Health),
        ("GET", "/metrics", Route::Metrics),
        ("GET", "/openapi.json", Route::Description),
        ("GET", "/v1/sources", Route::Api(Query::Sources)),
        ("POST", "/v1/sources/propexo/test", test_of("propexo")),
        ("GET", "/v1/integrations", integrations(None, 100)),
        ("GET", "/v1/integrations/s/i/events", events(None, 100)),
        ("GET", "/v1/integrations/s/i/events/1", event(1)),
        (
            "GET",
            "/v1/integrations/s/i/records/leases",
            records("leases", None, 100),
        ),
        (
            "GET",
            "/v1/integrations/s/i/records/leases/1",
            record("leases", "1"),
        ),
    ];
    for (method, path, route) in table {
        let (first, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let mut same = vec![
            format!("{path}/"),
            format!("{path}///"),
            format!("/{path}"),
            format!("///{path}/"),
        ];
        if !rest.is_empty() {
            same.push(format!("/{first}//{rest}"));
            same.push(format!("//{first}///{rest}/"));
        }
        for path in same {
            let found = Route::parse(method, &path, "");
            assert_eq!(found, Ok(route.clone()), "{path}");
            // It is no way around the token.
            assert_eq!(
                api::is_api(&path),
                matches!(route, Route::Api(_) | Route::Metrics | Route::Test { .. })
            );
        }
    }
    let empty_names = [
        "/webhooks/",
        "/webhooks//",
        "/v1/",
        "/v1/integrations/s/",
        "/v1/sources//test",
        "/v1/integrations/s/i/records/",
        "/v1/integrations//i",
        "/v1/integrations//i/events",
        "/v1/integrations/s//events",
        "/v1/integrations/s//records/leases",
        "/v1/integrations/s/i//events",
        "/v1/integrations/s/i/records//1",
        "/v1/integrations/s/i/events//1",
    ];
    for path in empty_names {
        for method in METHODS {
            let found = Route::parse(method, path, "");
            assert_eq!(found, Err(Problem::NotFound), "{method} {path}");
        }
    }
}

#[test]
fn names_are_percent_encoded() {
    let table = [
        ("lease_9", "lease_9"),
        ("a%2Fb", "a/b"),
        ("a%2fb", "a/b"),
        ("%2F", "/"),
        ("..%2F..%2Fhealthz", "../../healthz"),
        ("%22%27%60", "\"'`"),
        ("\"'", "\"'"),
        ("a%20b", "a b"),
        // Plus is a space in queries only.
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("%3F%23%26%3D", "?#&="),
        ("%25", "%"),
        ("%2525", "%25"),
        ("%F0%9F%8F%A0", "🏠"),
        ("🏠", "🏠"),
        ("%C3%A9%CC%81", "é\u{301}"),
        ("%5C%3B%3A%40", "\\;:@"),
        ("%00%0A", "\0\n"),
        ("%27%20OR%201=1--", "' OR 1=1--"),
        // Not an encoding, so it stands for itself.
        ("%", "%"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%2", "%2"),
    ];
    for (text, name) in table {
        let path = format!("/v1/integrations/s/i/records/leases/{text}");
        assert_eq!(get(&path, ""), Ok(record("leases", name)), "{text}");
        let path = format!("/v1/integrations/s/i/records/{text}");
        let model = model_name(name);
        assert_eq!(get(&path, ""), Ok(records(&model, None, 100)), "{text}");
        let path = format!("/v1/integrations/{text}/{text}");
        let integration = Route::Api(Query::Integration(of(name, name)));
        assert_eq!(get(&path, ""), Ok(integration), "{text}");
        let path = format!("/webhooks/{text}");
        assert_eq!(Route::parse("POST", &path, ""), Ok(webhook(name)), "{text}");
    }
    // The fixed words too: an encoded path is the same path.
    let path = "/%76%31/integrations/s/i/%65vents/%31";
    assert_eq!(get(path, ""), Ok(event(1)));
}

/// A model is found by each spelling that a provider has for it.
#[test]
fn models_are_spelled_as_anybody_likes() {
    let table = [
        ("leases", "leases"),
        ("lease", "leases"),
        ("Unit", "units"),
        ("residents-to-leases", "residents_to_leases"),
        ("Residents%20to%20leases", "residents_to_leases"),
        ("property", "properties"),
        ("feedback", "feedback"),
    ];
    for (spelled, model) in table {
        let path = format!("/v1/integrations/s/i/records/{spelled}");
        assert_eq!(get(&path, ""), Ok(records(model, None, 100)), "{spelled}");
        let path = format!("{path}/Id-1");
        assert_eq!(get(&path, ""), Ok(record(model, "Id-1")), "{spelled}");
    }
}

#[test]
fn names_that_are_not_utf_8_are_nowhere() {
    // A lone byte, an overlong slash, a surrogate, half an emoji, too large.
    for bytes in [
        "%FF",
        "%C0%AF",
        "%ED%A0%80",
        "%F0%9F",
        "a%80b",
        "%F4%90%80%80",
    ] {
        for path in [
            format!("/webhooks/{bytes}"),
            format!("/v1/integrations/{bytes}/i"),
            format!("/v1/integrations/s/i/records/leases/{bytes}"),
            format!("/{bytes}"),
        ] {
            for method in METHODS {
                assert_eq!(
                    Route::parse(method, &path, ""),
                    Err(Problem::NotFound),
                    "{method} {path}"
                );
            }
        }
    }
}

/// Any name: there are no empty ones.
fn name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("names something", |name| !name.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A record's own model is a spelling of itself.
    #[test]
    fn a_model_that_is_known_stays_as_it_is(name in name()) {
        let model = model_name(&name);
        prop_assert_eq!(model_name(&model), model);
    }

    /// What an integration can be called, its ledger can; nothing else is asked.
    #[test]
    fn an_integration_has_a_usable_name(source in ".{0,70}", id in name()) {
        let of = of(&source, &id);
        let is_source = (1..=64).contains(&source.len())
            && source.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'));
        prop_assert_eq!(source::is_usable(&of), is_source && is_usable_id(&id));
    }

    /// Every name finds its way through a path.
    #[test]
    fn names_survive_a_path(source in name(), integration in name(), model in name(), id in name()) {
        let path = format!(
            "/v1/integrations/{}/{}/records/{}/{}",
            encode_segment(&source), encode_segment(&integration), encode_segment(&model), encode_segment(&id)
        );
        let expected = Query::Record(of(&source, &integration), model_name(&model), id);
        let expected = Route::Api(expected);
        prop_assert_eq!(get(&path, ""), Ok(expected));
    }
}

#[test]
fn a_wrong_method_comes_before_a_bad_parameter() {
    for (method, path, query) in [
        ("POST", "/v1/integrations", "limit=0"),
        ("DELETE", "/v1/integrations/s/i/events/x", ""),
    ] {
        let refused = Route::parse(method, path, query);
        assert_eq!(refused, Err(Problem::MethodNotAllowed("GET, HEAD")));
    }
}

/// Whatever is answered by the API is recognised as its path.
#[test]
fn every_way_to_write_an_api_path_is_recognised() {
    for path in ["/v1/integrations", "/%761/integrations", "/v%31/x", "/v1"] {
        assert!(api::is_api(path), "{path}");
    }
    for path in [
        "/metrics",
        "/%6Detrics",
        "/metrics/",
        "/metrics/x",
        "//v1",
        "//v1//x",
        "v1",
    ] {
        assert!(api::is_api(path), "{path}");
    }
    for path in [
        "/",
        "/healthz",
        "/webhooks/v1",
        "/v1x",
        "/metric",
        "/metricsx",
        "/%ff",
        "//webhooks/v1",
        "/webhooks//v1",
    ] {
        assert!(!api::is_api(path), "{path}");
        assert!(!matches!(Route::parse("GET", path, ""), Ok(Route::Api(_))));
    }
}
