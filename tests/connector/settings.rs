//! The table `api` of a source.

use leasewire::edge::source::Sources;
use leasewire::provider::Backfill;

use crate::world::api;

#[test]
fn what_is_left_out_has_defaults() {
    let api = api(r#"{"kind":"propexo","key":"PROPEXO_KEY"}"#).unwrap();
    assert_eq!(api.url, "https://api.propexo.com");
    assert_eq!(api.requests_per_minute, 118);
    assert_eq!(api.hydrate, ["*"]);
    assert_eq!(api.backfill, Backfill::Wanted);
    assert!(api.reconcile);
    assert_eq!(api.gone_after_days, 30);
    assert_eq!(api.wanted().count(), 54);
    assert!(api.kind.reach("leases").has_item);
}

#[test]
fn each_setting_is_taken() {
    let api = api(
        r#"{"kind":"propexo","key":"K","url":"http://localhost:9100/","requests_per_minute":60,
            "hydrate":["lease*","units"],"backfill":["properties"],"reconcile":false,
            "gone_after_days":7}"#,
    )
    .unwrap();
    assert_eq!(api.url, "http://localhost:9100");
    let wanted: Vec<_> = api.wanted().collect();
    assert_eq!(wanted, ["lease_transfers", "leases", "properties", "units"]);
    assert!(api.hydrates("leases") && !api.hydrates("properties"));
    assert!(api.backfills("properties") && !api.backfills("units"));
    assert!(!api.reconcile);
}

#[test]
fn what_contradicts_itself_is_said() {
    let names = "must have models as Leasewire calls them, such as `leases`: lower-case letters \
                 and `_`, and `*` at the end only";
    let url = "`api.url` must begin with `https://`, or for trying with `http://localhost` or \
               `http://127.0.0.1`, and have neither user, query nor fragment";
    let key = "`api.key` must be the name of a secret binding: letters, digits and `_`, no digit \
               at first; the key itself is set with `wrangler secret put`";
    let table = [
        (r#"7"#, "`api` is not a table of settings".to_owned()),
        (r#"{"key":"K"}"#, "missing field `api.kind`".to_owned()),
        (
            r#"{"kind":"propexo"}"#,
            "missing field `api.key`".to_owned(),
        ),
        (
            r#"{"kind":"x","key":"K"}"#,
            "unknown `api.kind`; expected one of propexo".to_owned(),
        ),
        (r#"{"kind":"propexo","key":"sk-live-1"}"#, key.to_owned()),
        (r#"{"kind":"propexo","key":""}"#, key.to_owned()),
        (
            r#"{"kind":"propexo","key":"K","url":"http://api.propexo.com"}"#,
            url.to_owned(),
        ),
        (
            r#"{"kind":"propexo","key":"K","url":"http://localhost.evil.com"}"#,
            url.to_owned(),
        ),
        (
            r#"{"kind":"propexo","key":"K","url":"http://localhost@evil.com"}"#,
            url.to_owned(),
        ),
        (
            r#"{"kind":"propexo","key":"K","url":"https://"}"#,
            url.to_owned(),
        ),
        (
            r#"{"kind":"propexo","key":"K","requests_per_minute":0}"#,
            "`api.requests_per_minute` must be between 1 and 6000".to_owned(),
        ),
        (
            r#"{"kind":"propexo","key":"K","gone_after_days":9999}"#,
            "`api.gone_after_days` must be between 1 and 3660".to_owned(),
        ),
        (
            r#"{"kind":"propexo","key":"K","hydrate":["Leases"]}"#,
            format!("`api.hydrate` {names}"),
        ),
        (
            r#"{"kind":"propexo","key":"K","backfill":["a*b"]}"#,
            format!("`api.backfill` {names}"),
        ),
        (
            r#"{"kind":"propexo","key":"K","backfill":7}"#,
            "`api.backfill` must be true, false or a list of models".to_owned(),
        ),
        (
            r#"{"kind":"propexo","key":"K","reconcile":1}"#,
            "`api`: `reconcile` must be true or false".to_owned(),
        ),
    ];
    for (settings, expected) in table {
        assert_eq!(api(settings).err(), Some(expected), "{settings}");
    }
}

#[test]
fn a_source_has_it() {
    let sources = r#"{"p":{"dialect":"propify","secret":"S","api":{"kind":"propexo","key":"K"}},
                      "q":{"dialect":"propexo","secret":"S","api":{"kind":"none","key":"K"}},
                      "r":{"dialect":"propexo","secret":"S"}}"#;
    let sources = Sources::parse(sources).unwrap();
    let of = |name: &str| sources.named(name).unwrap().clone();
    assert_eq!(of("p").unwrap().api.unwrap().key, "K");
    assert!(of("r").unwrap().api.is_none());
    let why = of("q").err().unwrap().to_string();
    assert_eq!(
        why,
        "source `q`: unknown `api.kind`; expected one of propexo"
    );
}
