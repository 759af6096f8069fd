//! A SQLite database as text that can be read, compared and run again.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// Runs of one letter from this length on are written as what makes them.
const RUN_MIN: usize = 1_000;

/// All tables with their rows, then indexes, views and triggers, as SQL.
pub fn dump(connection: &Connection) -> String {
    let mut text = String::new();
    let tables = column(
        connection,
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
    );
    for table in &tables {
        let made = format!("SELECT sql FROM sqlite_master WHERE name = '{table}'");
        text.push_str(&format!("{};\n", column(connection, &made).concat()));
        text.push_str(&rows(connection, table));
    }
    let others = "SELECT sql FROM sqlite_master WHERE type != 'table' AND sql IS NOT NULL
                  ORDER BY type = 'trigger', type, name";
    for made in column(connection, others) {
        text.push_str(&format!("{made};\n"));
    }
    text
}

fn rows(connection: &Connection, table: &str) -> String {
    let names = column(
        connection,
        &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
    );
    let mut statement = connection
        .prepare(&format!("SELECT * FROM {table}"))
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut text = String::new();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<_> = (0..names.len())
            .map(|at| literal(row.get_ref(at).unwrap()))
            .collect();
        let (names, values) = (names.join(", "), values.join(", "));
        text.push_str(&format!(
            "INSERT INTO {table} ({names}) VALUES ({values});\n"
        ));
    }
    text
}

fn literal(value: ValueRef) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => quoted(std::str::from_utf8(text).unwrap()),
        ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => format!("CAST({} AS BLOB)", quoted(text)),
            _ => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                format!("X'{digits}'")
            }
        },
    }
}

fn quoted(text: &str) -> String {
    let text = text.replace('\'', "''");
    let mut quoted = String::from("'");
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        let mut count = 1;
        while rest.next_if_eq(&letter).is_some() {
            count += 1;
        }
        if count >= RUN_MIN && letter != '\'' {
            // `hex` of so many zero bytes has two digits for each.
            let (pairs, odd) = (
                count / 2,
                if count % 2 == 1 {
                    letter.to_string()
                } else {
                    String::new()
                },
            );
            quoted.push_str(&format!(
                "{odd}' || replace(hex(zeroblob({pairs})), '0', '{letter}') || '"
            ));
        } else {
            quoted.extend(std::iter::repeat_n(letter, count));
        }
    }
    quoted.push('\'');
    quoted
}

fn column(connection: &Connection, statement: &str) -> Vec<String> {
    let mut statement = connection.prepare(statement).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
