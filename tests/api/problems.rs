//! Every refusal, word for word: senders and programs read them.

use std::collections::BTreeSet;

use leasewire::problem::Problem;
use leasewire::signature::Unauthorized;

/// Each refusal with status, label, header and document.
type Row = (
    Problem,
    u16,
    &'static str,
    Option<(&'static str, &'static str)>,
    &'static str,
);

fn table() -> Vec<Row> {
    vec![
        (
            Problem::BadSignature,
            401,
            "bad_signature",
            Some(("www-authenticate", "Signature")),
            r#"{"type":"urn:leasewire:problem:bad-signature","title":"Bad signature","status":401,"detail":"The request is not signed with a secret of this source, or its signature is too old."}"#,
        ),
        (
            Problem::UnknownSource,
            404,
            "unknown_source",
            None,
            r#"{"type":"urn:leasewire:problem:unknown-source","title":"Unknown source","status":404,"detail":"No source of this name is configured."}"#,
        ),
        (
            Problem::TooLarge(1_048_576),
            413,
            "too_large",
            None,
            r#"{"type":"urn:leasewire:problem:too-large","title":"Body too large","status":413,"detail":"A body has at most 1048576 bytes."}"#,
        ),
        (
            Problem::SourceNotReady,
            503,
            "source_not_ready",
            Some(("retry-after", "30")),
            r#"{"type":"urn:leasewire:problem:source-not-ready","title":"Source not ready","status":503,"detail":"This source is not fully configured: see the log for what is missing."}"#,
        ),
        (
            Problem::LedgerUnavailable,
            503,
            "ledger_unavailable",
            Some(("retry-after", "30")),
            r#"{"type":"urn:leasewire:problem:ledger-unavailable","title":"Ledger unavailable","status":503,"detail":"The ledger can't be reached now. Send it again; a repetition has no effect."}"#,
        ),
        (
            Problem::DatabaseUnavailable,
            503,
            "database_unavailable",
            Some(("retry-after", "30")),
            r#"{"type":"urn:leasewire:problem:database-unavailable","title":"Database unavailable","status":503,"detail":"The records can't be read now. Try again."}"#,
        ),
        (
            Problem::NotFound,
            404,
            "not_found",
            None,
            r#"{"type":"urn:leasewire:problem:not-found","title":"Not found","status":404,"detail":"There is nothing at this path."}"#,
        ),
        (
            Problem::Unknown("record"),
            404,
            "not_found",
            None,
            r#"{"type":"urn:leasewire:problem:not-found","title":"Not found","status":404,"detail":"There is no such record."}"#,
        ),
        (
            Problem::MethodNotAllowed("POST"),
            405,
            "method_not_allowed",
            Some(("allow", "POST")),
            r#"{"type":"urn:leasewire:problem:method-not-allowed","title":"Method not allowed","status":405,"detail":"This path takes POST."}"#,
        ),
        (
            Problem::MethodNotAllowed("GET, HEAD"),
            405,
            "method_not_allowed",
            Some(("allow", "GET, HEAD")),
            r#"{"type":"urn:leasewire:problem:method-not-allowed","title":"Method not allowed","status":405,"detail":"This path takes GET and HEAD."}"#,
        ),
        (
            Problem::BadParameter("limit", "a whole number from 1 to 500"),
            400,
            "bad_parameter",
            None,
            r#"{"type":"urn:leasewire:problem:bad-parameter","title":"Bad parameter","status":400,"detail":"`limit` must be a whole number from 1 to 500."}"#,
        ),
        (
            Problem::BadToken,
            401,
            "bad_token",
            Some(("www-authenticate", "Bearer")),
            r#"{"type":"urn:leasewire:problem:bad-token","title":"Bad token","status":401,"detail":"Send the API's token in the header `authorization: Bearer <token>`."}"#,
        ),
        (
            Problem::TokenNotConfigured,
            503,
            "token_not_configured",
            None,
            r#"{"type":"urn:leasewire:problem:token-not-configured","title":"Token not configured","status":503,"detail":"Set the secret API_TOKEN to open the API: `wrangler secret put API_TOKEN`."}"#,
        ),
        (
            Problem::SourceUnusable("source `a`: the secret A is missing".to_owned()),
            503,
            "source_not_ready",
            Some(("retry-after", "30")),
            r#"{"type":"urn:leasewire:problem:source-not-ready","title":"Source not ready","status":503,"detail":"source `a`: the secret A is missing."}"#,
        ),
        (
            Problem::UnknownField("events".to_owned(), "`event` or `payload`"),
            400,
            "bad_parameter",
            None,
            r#"{"type":"urn:leasewire:problem:bad-parameter","title":"Bad parameter","status":400,"detail":"`events` is unknown; expected `event` or `payload`."}"#,
        ),
        (
            Problem::BadBody("The body must be a JSON object.".to_owned()),
            400,
            "bad_body",
            None,
            r#"{"type":"urn:leasewire:problem:bad-body","title":"Bad body","status":400,"detail":"The body must be a JSON object."}"#,
        ),
        (
            Problem::DatabaseNotReady("Do something."),
            503,
            "database_not_ready",
            Some(("retry-after", "30")),
            r#"{"type":"urn:leasewire:problem:database-not-ready","title":"Database not ready","status":503,"detail":"Do something."}"#,
        ),
        (
            Problem::TooSlow,
            408,
            "too_slow",
            None,
            r#"{"type":"urn:leasewire:problem:too-slow","title":"Body too slow","status":408,"detail":"The body took too long. Send it again."}"#,
        ),
        (
            Problem::NoApi,
            404,
            "no_api",
            None,
            r#"{"type":"urn:leasewire:problem:no-api","title":"No API","status":404,"detail":"This source has no API to be asked: configure one under [vars.SOURCES.<name>.api]."}"#,
        ),
        (
            Problem::ConnectorUnavailable,
            503,
            "connector_unavailable",
            Some(("retry-after", "30")),
            r#"{"type":"urn:leasewire:problem:connector-unavailable","title":"Connector unavailable","status":503,"detail":"The connector can't be reached now. Try again."}"#,
        ),
        (
            Problem::ProviderRefused("Do something.".to_owned()),
            502,
            "provider_refused",
            None,
            r#"{"type":"urn:leasewire:problem:provider-refused","title":"Provider refused","status":502,"detail":"Do something."}"#,
        ),
        (
            Problem::ProviderUnavailable("Try again.".to_owned()),
            503,
            "provider_unavailable",
            Some(("retry-after", "30")),
            r#"{"type":"urn:leasewire:problem:provider-unavailable","title":"Provider unavailable","status":503,"detail":"Try again."}"#,
        ),
        (
            Problem::NotRegistrable("Do something.".to_owned()),
            409,
            "not_registrable",
            None,
            r#"{"type":"urn:leasewire:problem:not-registrable","title":"Not registrable","status":409,"detail":"Do something."}"#,
        ),
    ]
}

/// Where a refusal stands in the table. It doesn't compile until a new one
/// gets a place, and `every_refusal_is_in_the_table` wants its row.
fn place(problem: &Problem) -> usize {
    match problem {
        Problem::BadSignature => 0,
        Problem::UnknownSource => 1,
        Problem::TooLarge(_) => 2,
        Problem::SourceNotReady => 3,
        Problem::LedgerUnavailable => 4,
        Problem::DatabaseUnavailable => 5,
        Problem::NotFound => 6,
        Problem::Unknown(_) => 7,
        Problem::MethodNotAllowed("POST") => 8,
        Problem::MethodNotAllowed(_) => 9,
        Problem::BadParameter(..) => 10,
        Problem::BadToken => 11,
        Problem::TokenNotConfigured => 12,
        Problem::SourceUnusable(_) => 13,
        Problem::UnknownField(..) => 14,
        Problem::BadBody(_) => 15,
        Problem::DatabaseNotReady(_) => 16,
        Problem::TooSlow => 17,
        Problem::NoApi => 18,
        Problem::ConnectorUnavailable => 19,
        Problem::ProviderRefused(_) => 20,
        Problem::ProviderUnavailable(_) => 21,
        Problem::NotRegistrable(_) => 22,
    }
}

#[test]
fn every_refusal_is_in_the_table() {
    let places: Vec<usize> = table().iter().map(|row| place(&row.0)).collect();
    assert_eq!(places, (0..=22).collect::<Vec<_>>());
}

#[test]
fn refusals() {
    for (problem, status, label, header, document) in table() {
        assert_eq!(problem.status(), status, "{problem:?}");
        assert_eq!(problem.label(), label, "{problem:?}");
        let header = header.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(problem.header(), header, "{problem:?}");
        assert_eq!(problem.to_json(), document);
    }
}

#[test]
fn the_description_has_them_all() {
    let description = include_str!("../../src/api/openapi.json");
    let description: serde_json::Value = serde_json::from_str(description).unwrap();
    let types = &description["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    let types: BTreeSet<&str> = types
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|t| t.as_str())
        .collect();
    let documents: Vec<serde_json::Value> = table()
        .iter()
        .map(|row| serde_json::from_str(row.4).unwrap())
        .collect();
    let ours = documents
        .iter()
        .flat_map(|document| document["type"].as_str());
    // The last one is the Worker's when its wasm has ended.
    assert_eq!(types, ours.chain(["about:blank"]).collect());
}

#[test]
fn the_answer_does_not_say_why_a_signature_was_refused() {
    // `BadSignature` has no fields, so it has one document; none of the
    // reasons, which only the log has, is a part of it.
    let answer = Problem::BadSignature.to_json();
    let reasons = [
        Unauthorized::SignatureMissing,
        Unauthorized::SignatureMalformed,
        Unauthorized::SignatureWrong,
        Unauthorized::TimestampMissing,
        Unauthorized::TimestampMalformed,
        Unauthorized::TooOld,
        Unauthorized::FromTheFuture,
    ];
    for why in reasons {
        assert!(!answer.contains(why.label()), "{why:?}");
    }
    for word in ["timestamp", "missing", "malformed", "hex", "header"] {
        assert!(!answer.contains(word), "{word}");
    }
}
