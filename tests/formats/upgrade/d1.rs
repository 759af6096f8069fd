//! D1 of 0.1.0, brought up by the scripts in `upgrade`.

use leasewire::dialect;
use leasewire::dialect::filter::Filter;
use leasewire::ledger::Ledger;
use leasewire::ledger::replay::Reader;
use leasewire::projection::{Fault, Projection, announcement};

use super::ledgers::forward;
use super::stores::{DIALECTS, opened, stored};
use crate::common::{Database, MIGRATIONS, at, params};
use leasewire::sql::Sql;

const UPGRADE: &str = include_str!("../../../upgrade/0.1.0.sql");
const TIMES: &str = include_str!("../../../upgrade/0.1.0-times.sql");

/// Brings up a database of 0.1.0, as operating.md says.
fn bring_up(d1: &Database) {
    for step in [UPGRADE, MIGRATIONS[1]] {
        d1.connection.execute_batch(step).unwrap();
    }
}

fn columns(d1: &Database) -> Vec<String> {
    d1.dump(
        "SELECT m.name, p.name, p.type, p.pk, p.\"notnull\", p.dflt_value
         FROM sqlite_master AS m, pragma_table_info(m.name) AS p
         WHERE m.type = 'table' AND m.name NOT IN ('d1_migrations', 'sqlite_sequence')
         ORDER BY m.name, p.name",
    )
}

#[test]
fn an_older_database_becomes_like_a_new_one() {
    let (old, new) = (opened("0.1.0", "d1.sql"), Database::default());
    new.migrate();
    let rows = "SELECT source, integration, model, record_id, version, fields FROM records";
    let before = old.dump(rows);
    bring_up(&old);
    assert_eq!(columns(&old), columns(&new));
    assert_eq!(old.dump(rows), before);
    assert_eq!(
        old.dump("SELECT name FROM d1_migrations"),
        ["0001_leasewire.sql"]
    );
    // A second run is refused at its first statement.
    let again = old.connection.execute_batch(UPGRADE).unwrap_err();
    assert!(
        again.to_string().contains("duplicate column name: epoch"),
        "{again}"
    );
}

/// A record's row of 0.2.0 is as it was, and of one that isn't gone.
#[test]
fn a_database_of_0_2_0_is_migrated() {
    let (old, new) = (opened("0.2.0", "d1.sql"), Database::default());
    new.migrate();
    let rows = "SELECT source, integration, model, record_id, version, fields FROM records";
    let before = old.dump(rows);
    assert!(!before.is_empty());
    old.connection.execute_batch(MIGRATIONS[1]).unwrap();
    assert_eq!(columns(&old), columns(&new));
    assert_eq!(old.dump(rows), before);
    assert_eq!(
        old.dump("SELECT DISTINCT gone_since FROM records"),
        ["NULL"]
    );
    let version = "SELECT * FROM schema_version";
    assert_eq!(old.dump(version), new.dump(version));
}

/// Before its migration a pack is refused as a whole, and goes in behind it.
#[test]
fn a_pack_waits_for_the_migration() {
    let d1 = opened("0.2.0", "d1.sql");
    let now = at("2026-04-22T12:00:00Z");
    let packs = stored("0.2.0", "packs.jsonl");
    let read = Projection::read(packs.lines().next().unwrap()).unwrap();
    let refused = read
        .statements(now, now)
        .iter()
        .find_map(|statement| (&d1).execute(statement.sql, &params(statement)).err());
    let why = refused.unwrap().0;
    assert!(why.contains("gone_since"), "{why}");
    assert_eq!(
        Fault::of(&format!("D1_ERROR: {why}: SQLITE_ERROR")),
        Fault::Nobodys
    );
    d1.connection.execute_batch(MIGRATIONS[1]).unwrap();
    for statement in read.statements(now, now) {
        d1.run(&statement);
    }
}

#[test]
fn times_get_nine_digits_once() {
    let d1 = opened("0.1.0", "d1.sql");
    bring_up(&d1);
    let odd = "UPDATE records SET occurred_at = '2026-03-25T15:00:02.25Z' WHERE record_id = 'r1'";
    d1.connection.execute_batch(odd).unwrap();
    d1.connection.execute_batch(TIMES).unwrap();
    let times = "SELECT occurred_at FROM records UNION ALL SELECT updated_at FROM records
                 UNION ALL SELECT at FROM notices UNION ALL SELECT began_at FROM sweep
                 UNION ALL SELECT last_used_at FROM secrets_used
                 UNION ALL SELECT coalesce(first_synced_at, last_event_at) FROM integrations
                 UNION ALL SELECT last_event_at FROM integrations
                 UNION ALL SELECT coalesce(reported_at, last_event_at) FROM integrations";
    let times = d1.dump(times);
    assert!(times.len() > 20);
    for time in &times {
        assert_eq!(&at(time).to_string(), time);
    }
    assert!(times.contains(&"2026-03-25T15:00:02.250000000Z".to_owned()));
    let changes = d1.connection.total_changes();
    d1.connection.execute_batch(TIMES).unwrap();
    assert_eq!(d1.connection.total_changes(), changes);
}

/// Before and after the upgrade, with packs of both versions: the newest state
/// wins, and the list of integrations is right.
#[test]
fn both_versions_packs_go_into_one_database() {
    let d1 = opened("0.1.0", "d1.sql");
    bring_up(&d1);
    let now = at("2026-04-22T12:00:00Z");
    for pack in stored("0.1.0", "packs.jsonl").lines() {
        let read = Projection::read(pack).unwrap();
        for statement in read.statements(now, now) {
            d1.run(&statement);
        }
    }
    let epochs = "SELECT DISTINCT epoch FROM records UNION SELECT epoch FROM integrations";
    assert_eq!(d1.dump(epochs), ["0"]);
    for dialect in DIALECTS {
        let database = opened("0.1.0", &format!("ledger-{dialect}.sql"));
        let mut ledger = Ledger::open(&database).unwrap();
        let reader = Reader {
            dialect: dialect::named(dialect).unwrap(),
            filter: &Filter::default(),
        };
        while ledger.has_replay() {
            ledger.replay(&reader, now).unwrap();
        }
        forward(&mut ledger, &d1);
        let told = ledger.wake(now.plus_s(120), 0).unwrap().announce.unwrap();
        for statement in announcement(&told) {
            d1.run(&statement);
        }
        let here = "SELECT model, record_id, version, fields, generation FROM records
                    WHERE version > 30 ORDER BY 1, 2";
        let there = format!(
            "SELECT model, record_id, version, fields, generation FROM records
             WHERE source = '{dialect}' AND version > 30 ORDER BY 1, 2"
        );
        assert_eq!(d1.dump(&there), database.dump(here));
        let listed =
            format!("SELECT last_seq, reported_at FROM integrations WHERE source = '{dialect}'");
        let expected = [format!("{}|{}", ledger.last_seq(), told.report.unwrap().at)];
        assert_eq!(d1.dump(&listed), expected);
    }
}
