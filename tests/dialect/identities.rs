//! The keys by which repetitions are known.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use leasewire::dialect::Identity;
use leasewire::signature::DedupeKey;

#[test]
fn dedupe_keys_stay_what_they_are() {
    // The first 16 bytes of SHA-256 over tag, NUL and part, from Python's
    // hashlib. Ledgers keep these: another formula would forget them all.
    let table: [(&str, &[u8], &str); 4] = [
        ("body", br#"{"a":1}"#, "052b139a4092e9662a517f8ee6088c8d"),
        ("event", b"evt_1", "c61ac4d53f3523317a5e91827a7f1eed"),
        ("body", b"", "533efb51d04e310a7fb38f1446b42188"),
        (
            "sync",
            "sync_é".as_bytes(),
            "cea88d817be0fe75e48ca998ee08d484",
        ),
    ];
    for (tag, part, key) in table {
        assert_eq!(HEXLOWER.encode(&DedupeKey::of(tag, part).0), key);
    }
    // Tag and part don't run into each other.
    assert_ne!(DedupeKey::of("a", b"bc"), DedupeKey::of("ab", b"c"));
}

#[test]
fn an_identity_decides_what_is_hashed() {
    let body = br#"{"a":1}"#;
    let table = [
        (Identity::Body, "body", &body[..]),
        (Identity::RepeatableBody, "body", &body[..]),
        (Identity::EventId(Cow::Borrowed("evt_1")), "event", b"evt_1"),
        (Identity::SyncId(Cow::Borrowed("evt_1")), "sync", b"evt_1"),
    ];
    for (identity, tag, part) in table {
        assert_eq!(identity.key(body), DedupeKey::of(tag, part), "{identity:?}");
    }
}
