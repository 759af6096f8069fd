//! What `/healthz` says of the database, with the tables as they are.

use leasewire::ops::health::{D1_VERSION, Database as Found, select_tables, select_version};
use leasewire::problem::Problem;

use crate::common::{Database, MIGRATIONS};

fn found(d1: &Database) -> Found {
    let tables = d1.select(&select_tables());
    Found::of_tables(&tables).unwrap_or_else(|| Found::of_version(&d1.select(&select_version())))
}

fn says(found: Found) -> String {
    match found.answer() {
        Ok(answer) => answer,
        Err(problem) => {
            assert_eq!(problem.status(), 503);
            problem.to_json()
        }
    }
}

#[test]
fn the_database_is_ready_once_it_is_migrated() {
    let d1 = Database::default();
    assert_eq!(found(&d1), Found::Empty);
    assert!(says(Found::Empty).contains("wrangler d1 migrations apply leasewire --remote"));
    d1.migrate();
    assert_eq!(found(&d1), Found::Ready);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        says(Found::Ready),
        format!(r#"{{"status":"ok","version":"{version}","database":"ready"}}"#)
    );
    assert!(says(Found::Away).contains(r#""status":"ok""#));
    assert!(says(Found::Away).contains(r#""database":"away""#));
}

#[test]
fn older_and_newer_tables_are_told_apart() {
    let d1 = Database::default();
    let older = include_str!("../golden/stores/0.1.0/d1.sql");
    d1.connection.execute_batch(older).unwrap();
    assert_eq!(found(&d1), Found::Old);
    assert!(says(Found::Old).contains("--file upgrade/0.1.0.sql"));
    let upgrade = include_str!("../../upgrade/0.1.0.sql");
    d1.connection.execute_batch(upgrade).unwrap();
    assert_eq!(found(&d1), Found::Behind);
    assert!(says(Found::Behind).contains("wrangler d1 migrations apply leasewire --remote"));
    assert!(says(Found::Behind).contains("Nothing is lost"));
    d1.connection.execute_batch(MIGRATIONS[1]).unwrap();
    assert_eq!(found(&d1), Found::Ready);
    let newer = format!("UPDATE schema_version SET version = {}", D1_VERSION + 1);
    d1.connection.execute_batch(&newer).unwrap();
    assert_eq!(found(&d1), Found::Newer);
    assert!(matches!(
        Found::Newer.answer(),
        Err(Problem::DatabaseNotReady(_))
    ));
    d1.connection
        .execute_batch("DELETE FROM schema_version")
        .unwrap();
    assert_eq!(found(&d1), Found::Old);
}
