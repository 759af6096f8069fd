//! The golden stores of this version and of those before.

use std::fs;
use std::path::PathBuf;

use super::dump::dump;
use super::everything::fill;
use crate::common::Database;

/// Whose ledgers are kept.
pub const DIALECTS: [&str; 2] = ["propexo", "meterbase"];

/// Released versions before this one.
pub const OLDER: [&str; 2] = ["0.1.0", "0.2.0"];

/// What the version has of `name`.
pub fn stored(version: &str, name: &str) -> String {
    let path = path(version, name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn path(version: &str, name: &str) -> PathBuf {
    ["tests/golden/stores", version, name].iter().collect()
}

/// A database as the version has left it.
pub fn opened(version: &str, name: &str) -> Database {
    let database = Database::default();
    let statements = stored(version, name);
    database.connection.execute_batch(&statements).unwrap();
    database
}

fn golden(name: &str, got: &str) {
    let path = path(env!("CARGO_PKG_VERSION"), name);
    assert!(!OLDER.contains(&env!("CARGO_PKG_VERSION")));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, got).unwrap();
    }
    // Kept from the release on.
    if !path.parent().unwrap().exists() {
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == got,
        "{} is not as it was: what is stored has changed. If this version isn't released yet, run \
         `UPDATE_GOLDEN=1 cargo test --test formats upgrade` and look at the diff.",
        path.display()
    );
}

/// What this version leaves is kept for the next one.
#[test]
fn this_version_leaves_what_is_kept_of_it() {
    let d1 = Database::default();
    d1.migrate();
    let (mut packs, mut calls) = (String::new(), String::new());
    for dialect in DIALECTS {
        let ledger = Database::default();
        let all = fill(dialect, &ledger, &d1);
        golden(&format!("ledger-{dialect}.sql"), &dump(&ledger.connection));
        for pack in &all.packs {
            packs.push_str(&format!("{}\n", pack.text));
        }
        for call in &all.calls {
            calls.push_str(&format!("{}\n", hex(call)));
        }
    }
    golden("d1.sql", &dump(&d1.connection));
    golden("packs.jsonl", &packs);
    golden("calls.txt", &calls);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a line of `calls.txt`.
pub fn bytes(line: &str) -> Vec<u8> {
    let digits = (0..line.len()).step_by(2);
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    digits.map(byte).collect()
}
