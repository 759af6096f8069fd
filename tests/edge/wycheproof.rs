//! Project Wycheproof's vectors for HMAC-SHA-256, through the front door: a
//! vector's message is a body, its tag the signature, its key the secret.

use leasewire::dialect;
use leasewire::signature::{Presented, Unauthorized, hmac, verify};
use leasewire::time::Timestamp;
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

/// Bits of a whole HMAC-SHA-256.
const WHOLE: usize = 256;

fn check(key: &[u8], body: &[u8], tag: &[u8]) -> Result<(), Unauthorized> {
    let signature: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let presented = Presented {
        signature: Some(&signature),
        timestamp: None,
    };
    let scheme = dialect::named("propexo").unwrap().scheme();
    let now = Timestamp::default();
    verify(scheme, &[key], presented, body.to_vec(), None, now)
        .map(|authentic| assert_eq!(authentic.body(), body))
}

#[test]
fn every_vector_ends_as_it_says() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let (mut valid, mut invalid, mut truncated) = (0, 0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let (key, body, tag) = (&*test.key, &*test.msg, &*test.tag);
            let got = check(key, body, tag);
            let is_right = hmac(key, &[body]).unwrap().starts_with(tag);
            assert_eq!(is_right, test.result == TestResult::Valid, "{}", test.tc_id);
            // Part of a signature is none, also where it's right.
            let expected = match (group.tag_size, is_right) {
                (WHOLE, true) => Ok(()),
                (WHOLE, false) => Err(Unauthorized::SignatureWrong),
                _ => Err(Unauthorized::SignatureMalformed),
            };
            assert_eq!(got, expected, "{}: {}", test.tc_id, test.comment);
            match expected {
                Ok(()) => valid += 1,
                Err(Unauthorized::SignatureWrong) => invalid += 1,
                Err(_) => truncated += 1,
            }
        }
    }
    assert!(
        valid > 30 && invalid > 30 && truncated > 50,
        "{valid} {invalid} {truncated}"
    );
}
