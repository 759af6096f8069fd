//! What earlier versions have stored and sent, and what this one makes of it.

#[path = "../common/mod.rs"]
mod common;
mod dump;
mod everything;

use std::fs;

use common::Database;
use everything::fill;

#[test]
fn make() {
    let Ok(folder) = std::env::var("MAKE_STORES") else {
        return;
    };
    fs::create_dir_all(&folder).unwrap();
    let d1 = Database::default();
    d1.migrate();
    let (mut packs, mut calls) = (String::new(), String::new());
    for dialect in ["propexo", "meterbase"] {
        let ledger = Database::default();
        let all = fill(dialect, &ledger, &d1);
        fs::write(
            format!("{folder}/ledger-{dialect}.sql"),
            dump::dump(&ledger.connection),
        )
        .unwrap();
        for pack in &all.packs {
            packs.push_str(&pack.text);
            packs.push('\n');
        }
        for call in &all.calls {
            calls.push_str(&call.iter().map(|b| format!("{b:02x}")).collect::<String>());
            calls.push('\n');
        }
    }
    fs::write(format!("{folder}/d1.sql"), dump::dump(&d1.connection)).unwrap();
    fs::write(format!("{folder}/packs.jsonl"), packs).unwrap();
    fs::write(format!("{folder}/calls.txt"), calls).unwrap();
}
