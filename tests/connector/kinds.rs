//! Paths and answers of each kind of API.

use leasewire::dialect::event::model_name;
use leasewire::provider::{Order, Query, named};
use leasewire::time::Timestamp;

fn query(order: Order) -> Query {
    Query {
        seen: None,
        order,
        changed_from: Some("2026-03-02T08:00:00+00:00".to_owned()),
        offset: 3,
        limit: 250,
    }
}

#[test]
fn models_are_called_as_in_ledgers() {
    let kind = named("propexo").unwrap();
    let all = kind.listed().into_iter().chain(kind.unreachable());
    let all: Vec<&str> = all.collect();
    for model in &all {
        assert_eq!(model_name(model), *model);
        for parent in kind.reach(model).parents {
            assert!(
                kind.reach(parent.model).has_item,
                "{model}: {}",
                parent.model
            );
        }
    }
    // Those of the description.
    assert_eq!(all.len(), 112);
}

#[test]
fn each_model_has_its_paths() {
    let kind = named("propexo").unwrap();
    let table = [
        ("leases", Some("/v1/leases/"), Some("/v1/leases/a%2Fb")),
        (
            "service_request_vendors",
            Some("/v1/vendors/"),
            Some("/v1/vendors/a%2Fb"),
        ),
        (
            "unit_details",
            Some("/v1/units/details"),
            Some("/v1/units/details/a%2Fb"),
        ),
        (
            "resident_insurances",
            Some("/v1/resident-insurance/"),
            Some("/v1/resident-insurance/a%2Fb"),
        ),
        ("unit_pricings", Some("/v1/listings/pricing"), None),
        ("timezones", Some("/v1/timezones/"), None),
        ("screenings", None, None),
        ("contracts", None, None),
        ("transactions", None, None),
        ("unheard_of", None, None),
    ];
    for (model, list, item) in table {
        let page = kind.page(model, "int 1", &query(Order::Changed));
        let expected = list.map(|list| {
            format!(
                "{list}?order-by=updated_at:asc,id:asc&integration_id=int%201\
                 &updated_at_gte=2026-03-02T08%3A00%3A00%2B00%3A00&offset=3&limit=250"
            )
        });
        assert_eq!(page, expected);
        assert_eq!(kind.item(model, "a/b").as_deref(), item);
        let reach = kind.reach(model);
        assert_eq!(reach.why_not.is_some(), list.is_none(), "{model}");
    }
    let fees = kind.page("fees", "int_1", &query(Order::Created)).unwrap();
    assert!(!fees.contains("integration_id"), "{fees}");
    assert!(kind.reach("fees").is_shared);
}

#[test]
fn records_stay_as_they_were_sent() {
    let kind = named("propexo").unwrap();
    let body = r#"{"meta":{"hasMore":null},"results":[{"id":"l1","rent":750000.0,"updated_at":
        "2026-03-02T08:00:00.000Z"},{"integration_id":"i","id":7,"n":12345678901234567890}]}"#;
    let page = kind.read_page(body).unwrap();
    assert_eq!(page.has_more, None);
    assert_eq!(page.rows[0].json.matches("750000.0").count(), 1);
    assert_eq!(
        page.rows[0].changed(),
        Timestamp::parse("2026-03-02T08:00:00Z")
    );
    assert_eq!(page.rows[1].id, "7");
    assert_eq!(page.rows[1].integration.as_deref(), Some("i"));
    assert_eq!(page.rows[1].changed(), None);
    let others = [
        "",
        "[]",
        r#"{"results":{}}"#,
        r#"{"results":[7]}"#,
        r#"{"results":[{"ID":"l1"}]}"#,
        r#"{"results":[]"#,
    ];
    for body in others {
        assert!(kind.read_page(body).is_none(), "{body}");
    }
    assert_eq!(
        kind.read_item(r#"{"results":{"id":"l1"}}"#).unwrap().id,
        "l1"
    );
    assert!(kind.read_item(r#"{"results":[{"id":"l1"}]}"#).is_none());
}
