//! Which of the two queues a batch comes from.
//!
//! A batch says its queue's name, and a dead message looks like any other. But
//! names are one space per account, so each environment has its own.

/// Words in a queue's name by which it is a dead-letter queue.
const WORDS: [&str; 4] = ["dead", "deadletter", "deadletters", "dlq"];

/// True if `queue` is the dead-letter queue: the one that is `configured`, or
/// if none is, one with a word for it in its name, as in `leasewire-dead` or
/// `staging-leasewire-dlq`.
pub fn is_dead_letter_queue(queue: &str, configured: Option<&str>) -> bool {
    match configured {
        Some(name) => queue == name,
        None => queue
            .split(['-', '_', '.'])
            .any(|word| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))),
    }
}
