//! Pages are bounded by bytes as well as by entries, and none of them is lost.

use leasewire::api::{LIMIT_MAX, PAGE_BYTES_MAX, Page, lists};
use leasewire::dialect::filter::Filter;
use leasewire::integration::IntegrationId;
use leasewire::ledger::Ledger;
use leasewire::sql::Statement;
use leasewire::sql::Value;
use serde_json::Value as Json;

use crate::common::{Database, at, delivery};

const NOW: &str = "2026-03-25T15:00:00Z";
const LIMITS: [u64; 4] = [1, 7, 100, LIMIT_MAX];

/// Follows `next` from page to page; gives the items of each.
fn walk(name: &str, mut page: impl FnMut(&Json) -> String) -> Vec<Vec<Json>> {
    let (mut pages, mut after) = (Vec::new(), Json::Null);
    loop {
        let text = page(&after);
        let mut read: Json = serde_json::from_str(&text).unwrap();
        let items = read[name].as_array().unwrap().clone();
        let largest = items.iter().map(|item| item.to_string().len()).max();
        let bytes = text.len() - largest.unwrap_or(0);
        assert!(bytes as u64 <= PAGE_BYTES_MAX, "{bytes} and one more");
        after = read["next"].take();
        pages.push(items);
        if after.is_null() {
            return pages;
        }
    }
}

fn of() -> IntegrationId {
    IntegrationId {
        source: "real-estate".to_owned(),
        integration: "default".to_owned(),
    }
}

fn numbers(pages: &[Vec<Json>], name: &str) -> Vec<u64> {
    let items = pages.iter().flatten();
    items.map(|item| item[name].as_u64().unwrap()).collect()
}

#[test]
fn records() {
    let d1 = Database::default();
    d1.migrate();
    let sizes = (0..60_usize).map(|n| match n % 6 {
        0 => 1_900_000,
        1 | 2 => 700_000,
        _ => 100 * n,
    });
    for (n, size) in sizes.enumerate() {
        d1.run(&Statement {
            sql: "INSERT INTO records (source, integration, model, record_id, version, fields,
                                       partial, drift, occurred_at, updated_at)
                  VALUES ('real-estate', 'default', 'units', ?1, ?2, ?3, 0, 0, ?4, ?4)",
            params: vec![
                Value::Text(format!("unit_{n:02}")),
                Value::Integer(n as i64 + 1),
                Value::Text(format!(r#"{{"note":"{}"}}"#, "é".repeat(size / 2))),
                Value::Text(NOW.to_owned()),
            ],
        });
    }
    for limit in LIMITS {
        let pages = walk("records", |after| {
            let after = after.as_str().map(str::to_owned);
            let rows = d1.select(&lists::select_records(
                &of(),
                "units",
                &Page { after, limit },
            ));
            // D1 gives no more than that either.
            assert!(rows.len() as u64 <= PAGE_BYTES_MAX + 2_000_000 + 100_000);
            lists::records_page(&rows).unwrap()
        });
        assert_eq!(numbers(&pages, "version"), (1..=60).collect::<Vec<_>>());
        assert!(pages.iter().all(|page| page.len() as u64 <= limit));
        assert_eq!(pages.len() == 60, limit == 1);
    }
}

/// Deliveries whose events have names of that many bytes.
fn named(sizes: &[usize]) -> (Database, u64) {
    let database = Database::default();
    let mut ledger = Ledger::open(&database).unwrap();
    for (n, size) in sizes.iter().enumerate() {
        let kind = "x".repeat(*size);
        let body = match n % 2 {
            // Not understood: an event about a property that names none.
            1 => {
                format!(r#"{{"id":"e{n}","type":"property.{kind}","created":"{NOW}","data":{{}}}}"#)
            }
            _ => format!(r#"{{"id":"e{n}","type":"other.{kind}","created":"{NOW}","data":{{}}}}"#),
        };
        let delivery = delivery("real-estate", "default", &body);
        ledger.intake(&delivery, at(NOW)).unwrap();
    }
    (database, sizes.len() as u64)
}

#[test]
fn events_and_quarantine() {
    let sizes: Vec<_> = (0..24)
        .map(|n| [1_000_000, 20, 600_000, 300, 900_000, 5][n % 6])
        .collect();
    let (database, count) = named(&sizes);
    let ledger = Ledger::open(&database).unwrap();
    for limit in LIMITS {
        let after = |after: &Json| after.as_u64().unwrap_or(0);
        let pages = walk("events", |json| ledger.events(after(json), limit).unwrap());
        assert_eq!(numbers(&pages, "seq"), (1..=count).collect::<Vec<_>>());
        assert!(pages.iter().all(|page| page.len() as u64 <= limit));
        let pages = walk("events", |json| {
            ledger.quarantined(after(json), limit).unwrap()
        });
        let quarantined = database.dump("SELECT seq FROM events_1 WHERE quarantine IS NOT NULL");
        let seen = numbers(&pages, "seq")
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>();
        assert_eq!(seen, quarantined);
    }
}

#[test]
fn unlinked_properties() {
    let (database, _) = named(&[10]);
    for n in 0..12_u32 {
        let size = [400_000, 10, 900_000][n as usize % 3];
        database
            .connection
            .execute(
                "INSERT INTO unlinked (property_id, first_seq, first_seen_at) VALUES (?1, ?2, 0)",
                (format!("{n:02}{}", "p".repeat(size)), n + 1),
            )
            .unwrap();
    }
    let ledger = Ledger::open(&database).unwrap();
    let every_other = (0..12).filter(|n| n % 4 == 0).map(|n| format!("{n:02}*"));
    let filter = Filter::new(None, None, Some(every_other.collect()));
    for limit in LIMITS {
        let pages = walk("properties", |after| {
            let after = after.as_str().unwrap_or_default();
            ledger.unlinked(after, limit, &filter).unwrap()
        });
        let expected: Vec<u64> = (1..=12).filter(|n| (n - 1) % 4 != 0).collect();
        assert_eq!(numbers(&pages, "first_seq"), expected, "{limit}");
    }
}

/// Integrations and notices have no bytes that they aren't made of: the largest
/// that there can be are within the bound by their number alone.
#[test]
fn names_alone_fill_no_page() {
    let d1 = Database::default();
    d1.migrate();
    let odd = |n: u64| format!("{n:04}{}", "\"".repeat(1_020));
    for n in 0..LIMIT_MAX {
        let names = [odd(n), odd(0)].map(Value::Text);
        let [integration, model] = names;
        let params = vec![integration, model, Value::Integer(1 << 52)];
        d1.run(&Statement {
            sql: "INSERT INTO integrations (source, integration, last_seq, first_synced_at)
                  VALUES ('s', ?1, ?3, ?2)",
            params: params.clone(),
        });
        d1.run(&Statement {
            sql: "INSERT INTO notices (source, integration, seq, kind, model, record_id, at)
                  VALUES ('s', ?2, ?3, ?1, ?2, ?1, ?3)",
            params,
        });
    }
    let limit = LIMIT_MAX;
    let rows = d1.select(&lists::select_integrations(&Page { after: None, limit }));
    assert!(lists::integrations_page(&rows, limit).unwrap().len() as u64 <= PAGE_BYTES_MAX);
    let of = IntegrationId {
        source: "s".to_owned(),
        integration: odd(0),
    };
    let rows = d1.select(&lists::select_notices(&of, &Page { after: None, limit }));
    // Its kind is a short word, not a name.
    let page = lists::notices_page(&rows, limit).unwrap();
    assert!(page.len() as u64 <= PAGE_BYTES_MAX + LIMIT_MAX * 2_048);
}
