//! The API's description has every route, and every word that answers use.
//! That answers match it is tested on the running Worker.

use std::collections::BTreeSet;

use leasewire::api::command::Command;
use leasewire::api::redrive::INTEGRATIONS_MAX;
use leasewire::api::{LIMIT_DEFAULT, LIMIT_MAX, NUMBER_MAX, Query, Route};
use leasewire::dialect::DIALECTS;
use leasewire::dialect::event::{Kind, Unclear};
use leasewire::dialect::filter::Ignored;
use leasewire::edge::delivery::BODY_BYTES_MAX;
use leasewire::ledger::NOT_APPLIED;
use leasewire::record::occupancy::Occupancy;
use serde_json::Value;

fn description() -> Value {
    serde_json::from_str(include_str!("../../src/api/openapi.json")).unwrap()
}

fn at<'a>(description: &'a Value, pointer: &str) -> &'a Value {
    let found = description.pointer(pointer);
    found.unwrap_or_else(|| panic!("the description has no {pointer}"))
}

/// The strings of the enumeration at `pointer`.
fn words(pointer: &str) -> BTreeSet<String> {
    let description = description();
    let all = at(&description, pointer).as_array().unwrap().iter();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

const OF: &str = "/v1/integrations/{source}/{integration}";

/// Every path but the ones below [`OF`], with its method.
const PATHS: [(&str, &str); 10] = [
    ("post", "/webhooks/{source}"),
    ("get", "/healthz"),
    ("get", "/openapi.json"),
    ("get", "/v1/sources"),
    ("post", "/v1/sources/{source}/test"),
    ("get", "/v1/integrations"),
    ("get", "/metrics"),
    ("post", "/v1/sources/{source}/redrive"),
    ("get", "/v1/sources/{source}/subscriptions"),
    ("post", "/v1/sources/{source}/subscriptions"),
];

/// What stands behind [`OF`], with its method.
const BEHIND: [(&str, &str); 16] = [
    ("get", ""),
    ("get", "/records/{model}"),
    ("get", "/records/{model}/{record_id}"),
    ("get", "/events"),
    ("get", "/events/{seq}"),
    ("get", "/unlinked"),
    ("get", "/quarantine"),
    ("get", "/dead"),
    ("post", "/replay"),
    ("post", "/redrive"),
    ("get", "/notices"),
    ("post", "/rebuild"),
    ("post", "/discard"),
    ("get", "/connector"),
    ("post", "/backfill"),
    ("post", "/records/{model}/{record_id}/hydrate"),
];

fn all_paths() -> BTreeSet<(String, String)> {
    let behind = BEHIND.map(|(method, path)| (method.to_owned(), format!("{OF}{path}")));
    let paths = PATHS.map(|(method, path)| (method.to_owned(), path.to_owned()));
    behind.into_iter().chain(paths).collect()
}

/// Where a route stands in the tables above. It doesn't compile until a new
/// one gets a place.
fn place(route: &Route) -> String {
    let behind = |index: usize| format!("{OF}{}", BEHIND[index].1);
    match route {
        Route::Webhook { .. } => PATHS[0].1.to_owned(),
        Route::Health => PATHS[1].1.to_owned(),
        Route::Description => PATHS[2].1.to_owned(),
        Route::Api(Query::Sources) => PATHS[3].1.to_owned(),
        Route::Test { .. } => PATHS[4].1.to_owned(),
        Route::Api(Query::Integrations(_)) => PATHS[5].1.to_owned(),
        Route::Metrics => PATHS[6].1.to_owned(),
        Route::Subscriptions { .. } => PATHS[8].1.to_owned(),
        Route::Subscribe { .. } => PATHS[9].1.to_owned(),
        Route::Api(Query::Integration(_)) => behind(0),
        Route::Api(Query::Records(..)) => behind(1),
        Route::Api(Query::Record(..)) => behind(2),
        Route::Api(Query::Events(..)) => behind(3),
        Route::Api(Query::Event(..)) => behind(4),
        Route::Api(Query::Unlinked(..)) => behind(5),
        Route::Api(Query::Quarantine(..)) => behind(6),
        Route::Api(Query::Dead(..)) => behind(7),
        Route::Command(Command::Replay(_)) => behind(8),
        Route::Command(Command::Redrive(_)) => behind(9),
        Route::Command(Command::Rebuild(_)) => behind(11),
        Route::Command(Command::RedriveSource(..)) => PATHS[7].1.to_owned(),
        Route::Api(Query::Notices(..)) => behind(10),
        Route::Command(Command::Discard(_)) => behind(12),
        Route::Api(Query::Connector(_)) => behind(13),
        Route::Command(Command::Backfill(_)) => behind(14),
        Route::Command(Command::Hydrate(..)) => behind(15),
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let description = description();
    let mut described = BTreeSet::new();
    for (path, item) in at(&description, "/paths").as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
        {
            let filled = path.replace("{seq}", "17").replace(['{', '}'], "");
            let route = Route::parse(&method.to_uppercase(), &filled, "").unwrap();
            assert_eq!(place(&route), *path, "{method} {filled}");
            described.insert((method.clone(), path.clone()));
        }
    }
    assert_eq!(described, all_paths());
}

#[test]
fn the_version_is_ours() {
    let description = description();
    assert_eq!(at(&description, "/info/version"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn numbers_are_ours() {
    let description = description();
    let number = |pointer: &str| at(&description, pointer).as_u64();
    let parameters = "/components/parameters";
    let limit = |key: &str| number(&format!("{parameters}/limit/schema/{key}"));
    assert_eq!(limit("minimum"), Some(1));
    assert_eq!(limit("maximum"), Some(LIMIT_MAX));
    assert_eq!(limit("default"), Some(LIMIT_DEFAULT));
    for name in ["seq", "afterSeq"] {
        let schema = format!("{parameters}/{name}/schema");
        assert_eq!(number(&format!("{schema}/minimum")), Some(0));
        assert_eq!(number(&format!("{schema}/maximum")), Some(NUMBER_MAX));
    }
    for request in ["ReplayRequest", "RedriveRequest"] {
        for field in ["from", "to"] {
            let schema = format!("/components/schemas/{request}/properties/{field}");
            assert_eq!(number(&format!("{schema}/minimum")), Some(1));
            assert_eq!(number(&format!("{schema}/maximum")), Some(NUMBER_MAX));
        }
    }
    let asked = "/components/schemas/RedrivenSource/properties/integrations/maxItems";
    assert_eq!(number(asked), Some(INTEGRATIONS_MAX));
    let bytes = "/components/schemas/Entry/properties/bytes/maximum";
    assert_eq!(number(bytes), Some(BODY_BYTES_MAX as u64));
    let pages = at(&description, "/components/schemas").as_object().unwrap();
    let lists = pages.iter().filter(|(name, _)| name.ends_with("Page"));
    for (name, page) in lists {
        let properties = page["properties"].as_object().unwrap().values();
        let most: Vec<_> = properties
            .filter_map(|list| list["maxItems"].as_u64())
            .collect();
        assert_eq!(most, [LIMIT_MAX], "{name}");
    }
}

#[test]
fn words_are_ours() {
    let kinds = words("/components/schemas/Entry/properties/kind/enum");
    assert!(kinds.iter().all(|kind| Kind::named(kind).is_some()));
    let types = kinds.iter().map(|kind| format!("leasewire.{kind}"));
    let described = words("/components/schemas/CloudEvent/properties/type/enum");
    assert_eq!(described, types.collect());
    let all = [
        Kind::RecordCreated,
        Kind::RecordUpdated,
        Kind::RecordSnapshot,
        Kind::RecordGone,
        Kind::FirstSyncCompleted,
        Kind::SyncCompleted,
        Kind::JobFailed,
        Kind::JobSucceeded,
        Kind::WriteFailed,
        Kind::Other,
    ];
    assert_eq!(kinds, set(all.map(Kind::name)));

    let ignored = [
        Ignored::Model,
        Ignored::Event,
        Ignored::Property,
        Ignored::NoProperty,
    ];
    let ignored = ignored.map(Ignored::label);
    let reasons = Unclear::labels().chain([NOT_APPLIED]).chain(ignored);
    let described = words("/components/schemas/Entry/properties/reason/enum");
    assert_eq!(described, set(reasons));

    let notices = set([Occupancy::Vacant, Occupancy::Occupied].map(Occupancy::notice));
    for place in [
        "Notice/properties/kind",
        "RecordData/properties/notices/items",
    ] {
        assert_eq!(words(&format!("/components/schemas/{place}/enum")), notices);
    }
}

#[test]
fn dialects_and_their_headers_are_ours() {
    let names = DIALECTS.iter().map(|dialect| dialect.name());
    let described = words("/components/schemas/Source/properties/dialect/enum");
    assert_eq!(described, set(names));

    let description = description();
    let schemes = at(&description, "/components/securitySchemes");
    let headers = schemes.as_object().unwrap().values();
    let headers: BTreeSet<_> = headers
        .filter_map(|scheme| scheme["name"].as_str())
        .collect();
    let ours = DIALECTS.iter().map(|dialect| dialect.scheme());
    let ours = ours.flat_map(|scheme| [Some(scheme.header), scheme.timestamp_header]);
    assert_eq!(headers, ours.flatten().collect());
}
