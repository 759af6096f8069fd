//! The API's paths and queries: the input has lines, a method, a path and a
//! query, as a URL has them.

use leasewire::api::command::Command;
use leasewire::api::{self, LIMIT_MAX, Page, Query, Route, lists};
use leasewire::integration::IntegrationId;
use leasewire::integration::encode_segment;
use leasewire::sql::Statement;

use super::lines;

/// Largest number that every reader of JSON gets right.
const NUMBER_MAX: u64 = (1 << 53) - 1;

pub fn check(input: &[u8]) {
    let ([method, path, query], _) = lines(input);
    let route = Route::parse(&method, &path, &query);
    assert_eq!(
        route,
        Route::parse(&method, &path, &query),
        "two readings differ"
    );
    match route {
        Err(problem) => {
            assert!((400..500).contains(&problem.status()), "{problem:?}");
            let _: serde_json::Value = serde_json::from_str(&problem.to_json()).unwrap();
        }
        Ok(Route::Webhook { source }) => {
            let again = Route::parse(
                "POST",
                &format!("/webhooks/{}", encode_segment(&source)),
                "",
            );
            assert_eq!(again, Ok(Route::Webhook { source }));
            assert_eq!(method, "POST");
        }
        Ok(Route::Health | Route::Description) => assert!(reads(&method)),
        Ok(Route::Metrics) => {
            assert!(reads(&method));
            assert!(api::is_api(&path) || !path.starts_with('/'));
        }
        Ok(Route::Test { source }) => {
            assert_eq!(method, "POST");
            let path = format!("/v1/sources/{}/test", encode_segment(&source));
            assert_eq!(Route::parse("POST", &path, ""), Ok(Route::Test { source }));
        }
        Ok(Route::Subscriptions { source, url }) => {
            assert!(reads(&method));
            let path = format!("/v1/sources/{}/subscriptions", encode_segment(&source));
            assert!(api::is_api(&path), "no token for {path}");
            let query = url.as_deref().map(encode_segment);
            let query = query.map_or_else(String::new, |url| format!("url={url}"));
            let again = Route::parse("GET", &path, &query);
            assert_eq!(again, Ok(Route::Subscriptions { source, url }));
        }
        Ok(Route::Subscribe { source }) => {
            assert_eq!(method, "POST");
            let path = format!("/v1/sources/{}/subscriptions", encode_segment(&source));
            assert_eq!(
                Route::parse("POST", &path, ""),
                Ok(Route::Subscribe { source })
            );
        }
        Ok(Route::Command(Command::Replay(of))) => check_command(&method, &of, "replay"),
        Ok(Route::Command(Command::Redrive(of))) => check_command(&method, &of, "redrive"),
        Ok(Route::Command(Command::Rebuild(of))) => check_command(&method, &of, "rebuild"),
        Ok(Route::Command(Command::Discard(of))) => check_command(&method, &of, "discard"),
        Ok(Route::Command(Command::Backfill(of))) => check_command(&method, &of, "backfill"),
        Ok(Route::Command(Command::Hydrate(of, model, id))) => {
            let (model, id) = (encode_segment(&model), encode_segment(&id));
            check_command(&method, &of, &format!("records/{model}/{id}/hydrate"));
        }
        Ok(Route::Command(Command::RedriveSource(source, page))) => {
            assert_eq!(method, "POST");
            let path = format!("/v1/sources/{}/redrive", encode_segment(&source));
            assert!(api::is_api(&path), "no token for {path}");
            let query = write_page(&page, String::clone);
            let again = Command::RedriveSource(source, page);
            assert_eq!(
                Route::parse("POST", &path, &query),
                Ok(Route::Command(again)),
                "{path}?{query}"
            );
        }
        Ok(Route::Api(asked)) => {
            assert!(reads(&method));
            // What asks for a token looks at the path alone. The URL of a
            // request always begins it with a slash.
            assert!(
                api::is_api(&path) || !path.starts_with('/'),
                "no token for {path}"
            );
            check_query(&asked);
            let (path, query) = write(&asked);
            assert_eq!(
                Route::parse("GET", &path, &query),
                Ok(Route::Api(asked)),
                "{path}?{query}"
            );
        }
    }
}

fn reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

fn check_command(method: &str, of: &IntegrationId, name: &str) {
    assert_eq!(method, "POST");
    let path = format!("{}/{name}", base(of));
    assert!(api::is_api(&path), "no token for {path}");
    let again = Route::parse("POST", &path, "");
    assert!(matches!(again, Ok(Route::Command(_))), "{path}");
}

/// A page has a limit, and what goes to D1 has as many parameters as it names.
fn check_query(query: &Query) {
    let limit = |limit: u64| assert!((1..=LIMIT_MAX).contains(&limit), "a limit of {limit}");
    match query {
        Query::Sources | Query::Connector(_) => {}
        Query::Integrations(page) => {
            limit(page.limit);
            check_statement(&lists::select_integrations(page));
        }
        Query::Integration(of) => check_statement(&lists::select_integration(of)),
        Query::Records(of, model, page) => {
            limit(page.limit);
            check_statement(&lists::select_records(of, model, page));
        }
        Query::Record(of, model, id) => check_statement(&lists::select_record(of, model, id)),
        Query::Events(_, page) | Query::Quarantine(_, page) | Query::Dead(_, page) => {
            limit(page.limit);
            assert!(page.after.unwrap_or(0) <= NUMBER_MAX);
        }
        Query::Notices(of, page) => {
            limit(page.limit);
            check_statement(&lists::select_notices(of, page));
        }
        Query::Unlinked(_, page) => limit(page.limit),
        Query::Event(_, seq) => assert!(*seq <= NUMBER_MAX),
    }
}

fn check_statement(statement: &Statement) {
    let count = statement.params.len();
    assert!(statement.sql.contains(&format!("?{count}")));
    assert!(!statement.sql.contains(&format!("?{}", count + 1)));
}

/// The path of an integration.
fn base(of: &IntegrationId) -> String {
    let (source, integration) = (encode_segment(&of.source), encode_segment(&of.integration));
    format!("/v1/integrations/{source}/{integration}")
}

/// The path and query that ask this.
fn write(query: &Query) -> (String, String) {
    let none = String::new;
    match query {
        Query::Sources => ("/v1/sources".to_owned(), none()),
        Query::Integrations(page) => {
            let cursor = |(source, integration): &(String, String)| {
                format!("{}/{}", encode_segment(source), encode_segment(integration))
            };
            ("/v1/integrations".to_owned(), write_page(page, cursor))
        }
        Query::Integration(of) => (base(of), none()),
        Query::Connector(of) => (format!("{}/connector", base(of)), none()),
        Query::Records(of, model, page) => {
            let path = format!("{}/records/{}", base(of), encode_segment(model));
            (path, write_page(page, String::clone))
        }
        Query::Record(of, model, id) => {
            let path = format!(
                "{}/records/{}/{}",
                base(of),
                encode_segment(model),
                encode_segment(id)
            );
            (path, none())
        }
        Query::Events(of, page) => (
            format!("{}/events", base(of)),
            write_page(page, u64::to_string),
        ),
        Query::Quarantine(of, page) => (
            format!("{}/quarantine", base(of)),
            write_page(page, u64::to_string),
        ),
        Query::Dead(of, page) => (
            format!("{}/dead", base(of)),
            write_page(page, u64::to_string),
        ),
        Query::Unlinked(of, page) => (
            format!("{}/unlinked", base(of)),
            write_page(page, String::clone),
        ),
        Query::Notices(of, page) => {
            let cursor = |(seq, kind): &(u64, String)| format!("{seq}/{kind}");
            (format!("{}/notices", base(of)), write_page(page, cursor))
        }
        Query::Event(of, seq) => (format!("{}/events/{seq}", base(of)), none()),
    }
}

fn write_page<T>(page: &Page<T>, cursor: impl Fn(&T) -> String) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &page.limit.to_string());
    if let Some(after) = &page.after {
        query.append_pair("after", &cursor(after));
    }
    query.finish()
}
