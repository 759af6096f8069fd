//! JSON that keeps its text: read, compared and written.

mod objects;
mod pick;
mod same;
mod writer;

use leasewire::json::{Object, Value};
use proptest::prelude::*;

fn object(text: &str) -> Object<'_> {
    Object::parse(text).unwrap()
}

fn value(text: &str) -> &Value {
    serde_json::from_str(text).unwrap()
}

/// Any JSON, in compact form.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (-1_000_000_i32..1_000_000, 1..5_u8).prop_map(|(n, e)| format!("{n}e-{e}")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        let fields = prop::collection::vec((any::<String>(), inner), 0..4);
        prop_oneof![
            items.prop_map(|items| format!("[{}]", items.join(","))),
            fields.prop_map(|fields| {
                let fields: Vec<String> = fields
                    .into_iter()
                    .map(|(name, value)| {
                        format!("{}:{value}", serde_json::to_string(&name).unwrap())
                    })
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}
