//! Names of models, records and kinds of events.

use leasewire::dialect::event::{ID_BYTES_MAX, Kind, Subject, Unclear, is_usable_id, model_name};
use proptest::prelude::*;

#[test]
fn model_names() {
    let table = [
        // Singular and plural.
        ("unit", "units"),
        ("units", "units"),
        ("lease", "leases"),
        ("leases", "leases"),
        ("resident", "residents"),
        ("appointment", "appointments"),
        ("user", "users"),
        ("property", "properties"),
        ("properties", "properties"),
        ("amenity", "amenities"),
        ("employee", "employees"),
        ("key", "keys"),
        ("survey", "surveys"),
        ("day", "days"),
        ("tax", "taxes"),
        ("taxes", "taxes"),
        ("branch", "branches"),
        ("dish", "dishes"),
        ("address", "addresses"),
        ("addresses", "addresses"),
        ("y", "ys"),
        // Without a plural.
        ("feedback", "feedback"),
        ("history", "history"),
        ("metadata", "metadata"),
        ("data", "data"),
        ("status", "status"),
        ("lease_history", "lease_history"),
        ("unit-status", "unit_status"),
        // Kebab case, spaces, capitals.
        ("work-order", "work_orders"),
        ("work_order", "work_orders"),
        ("work order", "work_orders"),
        ("Work Order", "work_orders"),
        ("WORK-ORDERS", "work_orders"),
        ("residents-to-leases", "residents_to_leases"),
        ("residents_to_leases", "residents_to_leases"),
        ("residents-to-lease", "residents_to_leases"),
        ("charge-code", "charge_codes"),
        ("lease-property", "lease_properties"),
        (" unit ", "units"),
        // Unknown ones are handled alike.
        ("gizmo", "gizmos"),
        ("wohnung-1", "wohnung_1s"),
        ("büro", "büros"),
    ];
    for (name, expected) in table {
        assert_eq!(model_name(name), expected, "{name:?}");
        assert_eq!(model_name(expected), expected, "{name:?}");
    }
}

#[test]
fn subjects() {
    let subject =
        |model, id: &'static str| Subject::new(model, id.into()).map(|s| (s.model, s.record_id));
    assert_eq!(
        subject("work-order", "a/b 🏠"),
        Ok(("work_orders".to_owned(), "a/b 🏠".into()))
    );
    let table = [
        ("", "1", Unclear::NoModel),
        ("a\nb", "1", Unclear::NoModel),
        ("unit", "", Unclear::BadRecordId),
        ("unit", "a\0", Unclear::BadRecordId),
        ("", "", Unclear::NoModel),
    ];
    for (model, id, why) in table {
        assert_eq!(subject(model, id), Err(why), "{model:?} {id:?}");
    }
}

#[test]
fn a_model_of_nothing_but_space_is_none() {
    for model in [" ", "  ", "\u{a0}", "\u{2003}"] {
        let subject = Subject::new(model, "1".into()).map(|s| s.model);
        assert_eq!(subject, Err(Unclear::NoModel), "{model:?}");
    }
}

#[test]
fn kinds() {
    let table = [
        (Kind::RecordCreated, "record.created", false),
        (Kind::RecordUpdated, "record.updated", false),
        (Kind::RecordSnapshot, "record.snapshot", false),
        (Kind::FirstSyncCompleted, "sync.first_completed", true),
        (Kind::SyncCompleted, "sync.completed", true),
        (Kind::JobFailed, "job.failed", false),
        (Kind::JobSucceeded, "job.succeeded", false),
        (Kind::WriteFailed, "write.failed", false),
        (Kind::Other, "event", false),
    ];
    for (kind, name, is_sync) in table {
        assert_eq!(kind.name(), name);
        assert_eq!(Kind::named(name), Some(kind));
        assert_eq!(kind.is_sync(), is_sync, "{name}");
    }
    for name in [
        "",
        "Event",
        "event ",
        "other",
        "record",
        "leasewire.event",
        "record.deleted",
    ] {
        assert_eq!(Kind::named(name), None, "{name:?}");
    }
}

#[test]
fn reasons_for_quarantine() {
    let table = [
        (Unclear::NotUtf8, "not_utf8"),
        (Unclear::NotJson, "not_json"),
        (Unclear::NotAnObject, "not_an_object"),
        (Unclear::TooDeep, "too_deep"),
        (Unclear::UnknownEnvelope, "unknown_envelope"),
        (Unclear::NoRecordId, "no_record_id"),
        (Unclear::BadRecordId, "bad_record_id"),
        (Unclear::NoModel, "no_model"),
        (Unclear::BadIntegration, "bad_integration"),
        (Unclear::BadEventId, "bad_event_id"),
        (Unclear::BadField, "bad_field"),
        (Unclear::BadTime, "bad_time"),
        (Unclear::FutureTime, "future_time"),
        (Unclear::TooLarge, "too_large"),
    ];
    for (why, label) in table {
        assert_eq!(why.label(), label);
    }
    let labels: Vec<&str> = Unclear::labels().collect();
    assert_eq!(labels, table.map(|(_, label)| label));
}

#[test]
fn usable_ids() {
    let usable = [
        "1", "lease_9", " ", "a b", "a/b", "...", ".a", "\"'`", "%", "é", "🏠", "e\u{301}",
        "\u{a0}", "\u{2028}", "\u{feff}", "null",
    ];
    for id in usable {
        assert!(is_usable_id(id), "{id:?}");
    }
    let unusable = [
        "",
        // A URL resolves these, encoded or not.
        ".",
        "..",
        "\0",
        "\t",
        "\n",
        "a\r\n",
        "\u{1b}[0m",
        "a\u{7f}",
        "\u{80}",
        "\u{85}",
        "a\u{9f}b",
    ];
    for id in unusable {
        assert!(!is_usable_id(id), "{id:?}");
    }
    // By bytes, not by letters.
    assert_eq!(ID_BYTES_MAX, 1_024);
    assert!(is_usable_id(&"a".repeat(1_024)));
    assert!(!is_usable_id(&"a".repeat(1_025)));
    assert!(is_usable_id(&"é".repeat(512)));
    assert!(!is_usable_id(&format!("{}a", "é".repeat(512))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A normalised model name is its own normal form.
    #[test]
    fn model_names_stay(name in any::<String>()) {
        let once = model_name(&name);
        prop_assert_eq!(model_name(&once), once);
    }

    /// The same for names made of the letters and endings that count.
    #[test]
    fn model_names_of_likely_parts_stay(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "s", "ss", "y", "ys", "a", "e", "x", "z", "ch", "sh", "ies", "data", "status",
                "history", "feedback", "unit", "-", "_", " ", "S", "Y", "ſ", "Σ", "İ", "ß", "\u{a0}",
            ]),
            0..6,
        )
    ) {
        let name = parts.concat();
        let once = model_name(&name);
        prop_assert_eq!(model_name(&once), once);
    }
}
