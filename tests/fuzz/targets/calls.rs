//! Calls to a ledger: the input is a call as it crosses to the object.

use leasewire::ledger::Call;

/// Whatever is read as a call is written and read back as the same.
pub fn check(input: &[u8]) {
    let Some(call) = Call::decode(input.to_vec()) else {
        return;
    };
    let written = call.encode();
    let again = Call::decode(written.clone()).expect("a call that was written is not read");
    assert_eq!(again.encode(), written, "a call changes when it's read");
    if let (Call::Intake(sent), Call::Intake(read)) = (&call, &again) {
        assert!(input.ends_with(&sent.body));
        assert_eq!(
            (&sent.of.source, &sent.of.integration),
            (&read.of.source, &read.of.integration)
        );
        assert_eq!((&sent.body, sent.key), (&read.body, read.key));
        assert_eq!(sent.dialect.name(), read.dialect.name());
        assert_eq!(sent.dedupe_window_s, read.dedupe_window_s);
    }
}
