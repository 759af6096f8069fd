//! The queue: it refuses, loses, repeats and delays messages, and puts those
//! that can't be handled into its dead-letter queue.

use leasewire::ledger::Pack;
use leasewire::time::Timestamp;

use crate::clock::{HOUR, MINUTE, SECOND};
use crate::faults::is_down;
use crate::world::{Step, World};

/// Limits of the platform: a message, a batch of messages, their number.
const MESSAGE_BYTES_MAX: usize = 128_000 - 100;
const BATCH_BYTES_MAX: usize = 256_000;
const BATCH_MESSAGES_MAX: usize = 100;

/// `max_retries` of both queues, and `retry_delay` of each where nobody says
/// otherwise, as wrangler.toml has them.
const RETRIES: (u32, u64) = (5, 5 * SECOND);
const DEAD_RETRIES: (u32, u64) = (100, 60 * SECOND);

#[derive(Clone)]
pub struct Message {
    pub text: String,
    pub sent_at: Timestamp,
    pub attempts: u32,
    /// It is in the dead-letter queue.
    pub dead: bool,
    /// The queue has repeated it. It does so once: else a message that fails
    /// all day would end as millions of copies of copies.
    repeated: bool,
    /// It was sent when the faults were over.
    in_peace: bool,
}

impl World {
    /// Hands packs to the queue: whether it says that it took them, and after
    /// how many milliseconds.
    pub fn send_packs(&mut self, ledger: usize, packs: Vec<Pack>) -> (bool, u64) {
        let bytes: usize = packs.iter().map(|pack| pack.text.len()).sum();
        let longest = packs.iter().map(|pack| pack.text.len()).max();
        if longest > Some(MESSAGE_BYTES_MAX)
            || bytes > BATCH_BYTES_MAX
            || packs.len() > BATCH_MESSAGES_MAX
        {
            self.complain(format!(
                "a batch that no queue takes: {} messages, {bytes} bytes, the longest {longest:?}",
                packs.len()
            ));
            return (false, 10);
        }
        let down = is_down(self.faults.queue_down, self.clock.now_ms);
        let refuses = down || self.random.chance(self.faults.queue_refuses);
        if refuses && (down || self.random.chance(500)) {
            return (false, self.random.pick(&[10, 10 * SECOND]));
        }
        let sent_at = Timestamp::from_ms(self.clock.receiver().ms());
        for pack in packs {
            self.hosts[ledger].handed.extend(pack.first..=pack.last);
            let message = Message {
                text: pack.text,
                sent_at,
                attempts: 0,
                dead: false,
                repeated: false,
                in_peace: self.is_healed,
            };
            self.enqueue(message, 0);
        }
        let after_ms = if refuses {
            10 * SECOND
        } else {
            self.random.between(5, 100)
        };
        (!refuses, after_ms)
    }

    fn enqueue(&mut self, mut message: Message, delay_ms: u64) {
        if self
            .random
            .chance(self.faults.queue_loses / if message.attempts > 0 { 10 } else { 1 })
        {
            self.say(|| format!("queue: lost {}", head(&message.text)));
            return;
        }
        let repeats = !message.repeated && self.random.chance(self.faults.queue_repeats);
        message.repeated |= repeats;
        let copies = if repeats { 2 } else { 1 };
        for _ in 0..copies {
            let wait_ms = if self.random.chance(self.faults.queue_delays) {
                let most = self.random.pick(&[10 * SECOND, 10 * MINUTE, 5 * HOUR]);
                self.random.below(most)
            } else {
                self.random.below(SECOND)
            };
            let step = Step::Deliver(Box::new(message.clone()));
            self.clock.after(delay_ms + wait_ms, step);
        }
    }

    /// The consumer asks for the message again.
    pub fn retry(&mut self, mut message: Message, delay_ms: u64) {
        message.attempts += 1;
        if message.attempts > RETRIES.0 {
            self.complain(format!("retried once too often: {}", head(&message.text)));
        }
        self.enqueue(message, delay_ms);
    }

    /// A dead message could not be noted: later again, or lost.
    pub fn retry_dead(&mut self, mut message: Message) {
        let (retries, delay_ms) = DEAD_RETRIES;
        message.attempts += 1;
        if message.attempts <= retries {
            self.enqueue(message, delay_ms);
        }
    }

    /// The consumer died over the message: later again, or dead.
    pub fn died_over(&mut self, mut message: Message) {
        let (retries, delay_ms) = RETRIES;
        message.attempts += 1;
        if message.attempts <= retries {
            return self.enqueue(message, delay_ms);
        }
        self.say(|| format!("queue: dead {}", head(&message.text)));
        if message.in_peace {
            self.complain(format!(
                "everything works, and a pack died: {}",
                head(&message.text)
            ));
        }
        message.dead = true;
        message.attempts = 0;
        self.enqueue(message, 0);
    }
}

/// Where a pack comes from and begins, for the trace.
pub fn head(text: &str) -> String {
    let mut ids = text
        .split(r#""id":""#)
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let first = ids.next().unwrap_or_default().to_owned();
    let source = text
        .split(r#""source":""#)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    format!(
        "{} from {first}, {} bytes",
        source.unwrap_or_default(),
        text.len()
    )
}
