//! What the API can be told to do: the input is the body of a command.

use leasewire::api::command::{REPLAY_EVENTS_MAX, redrive_range, replay_request};

/// Largest number that every reader of JSON gets right.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// A range has a first and a last event, in this order, and a replay an end.
pub fn check(input: &[u8]) {
    if let Ok(request) = replay_request(input) {
        assert!(1 <= request.from && request.from <= request.to && request.to <= NUMBER_MAX);
        assert!(request.to - request.from < REPLAY_EVENTS_MAX);
        let names = [&request.models, &request.events]
            .into_iter()
            .flatten()
            .flatten();
        names.for_each(|name| assert!(!name.is_empty()));
        assert_eq!(Ok(request), replay_request(input), "two readings differ");
    }
    if let Ok((from, to)) = redrive_range(input) {
        assert!(1 <= from && from <= to && to <= NUMBER_MAX);
    }
}
