//! The table `api` of a source.

use leasewire::edge::source::Sources;
use leasewire::provider::Backfill;

use crate::world::{World, api, of};

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
    assert_eq!(wanted, ["properties", "units", "leases", "lease_transfers"]);
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

/// What a filter would leave out is not asked for, nor is an integration that only
/// stands for none.
#[test]
fn a_source_asks_for_what_it_takes() {
    let source = |more: &str| {
        let json = format!(
            r#"{{"p":{{"dialect":"propexo","secret":"S","api":{{"kind":"propexo","key":"K",
                "backfill":["units","fees"]}}{more}}}}}"#
        );
        let sources = Sources::parse(&json).unwrap();
        let source = sources.named("p").unwrap().clone().unwrap();
        source.api.unwrap()
    };
    let all = source("");
    assert!(all.hydrates("fees") && all.takes("fees") && all.backfills("fees"));
    assert!(all.knows("int_1") && !all.knows("default") && !all.knows("leasewire-test"));
    let some = source(r#","models":["lease*","units"],"default_integration":"int_1""#);
    assert!(some.knows("int_1") && some.knows("default") && !some.knows("leasewire-unaddressed"));
    assert!(!some.hydrates("fees") && !some.backfills("fees") && some.backfills("units"));
    assert_eq!(
        some.wanted().collect::<Vec<_>>(),
        ["units", "leases", "lease_transfers"]
    );
    let mut world = World::new("{\"kind\":\"propexo\",\"key\":\"K\"}");
    world.api = some;
    let mut connector = world.open();
    let owed = world.owed("int_1", &[("fees", "f1"), ("leases", "l1")]);
    world.tell(&mut connector, &owed);
    let api = world.api.clone();
    let of = of("int_1");
    let fees = vec!["fees".to_owned()];
    assert_eq!(
        connector.backfill(&of, Some(&fees), &api, world.now),
        Ok(vec![])
    );
    assert_eq!(
        connector.hydrate(&of, "fees", "f1", &api, world.now),
        Ok(false)
    );
    world.run(&mut connector, 60);
    let asked: Vec<_> = world
        .requests
        .iter()
        .map(|it| it.path_and_query.as_str())
        .collect();
    assert!(!asked.is_empty());
    assert!(
        asked.iter().all(|path| path.starts_with("/v1/leases/l1")),
        "{asked:?}"
    );
    let owed = world.owed("default", &[("leases", "l1")]);
    let (mut world, mut connector) = (World::new(r#"{"kind":"propexo","key":"K"}"#), connector);
    world.api = source("");
    connector.told(&owed, &world.api, world.now).unwrap();
    assert!(!world.state(&connector).contains("default"));
}

#[test]
fn the_main_models_are_read_first() {
    let mut world = World::new(r#"{"kind":"propexo","key":"K"}"#);
    let mut connector = world.open();
    let api = world.api.clone();
    connector
        .backfill(&of("int_1"), None, &api, world.now)
        .unwrap();
    world.run(&mut connector, 60);
    let asked = world.requests.iter();
    let mut models: Vec<_> = asked
        .map(|request| request.path_and_query.split(['/', '?']).nth(2).unwrap())
        .collect();
    models.dedup();
    assert_eq!(
        models[..5],
        [
            "properties",
            "units",
            "leases",
            "residents",
            "accounting-entities"
        ]
    );
}
