//! How a provider's webhooks are sent: signed, tried again by the provider's
//! own schedule, repeated, delayed and replayed.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use leasewire::edge::delivery::{Admitted, BODY_BYTES_MAX, admit};
use leasewire::ledger::Taken;
use leasewire::signature::Presented;
use leasewire::time::Timestamp;
use sha2::Sha256;

use crate::bugs::Bug;
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::world::{Step, World};

/// One delivery of a fact, until it is answered with 200 or given up.
pub struct Dispatch {
    pub fact: usize,
    attempts: usize,
    /// Each attempt is signed anew.
    resigns: bool,
    signed: Option<Signed>,
}

/// The headers of a request.
#[derive(Clone)]
pub struct Signed {
    pub signature: String,
    timestamp: Option<String>,
}

/// A 200 that left the edge.
pub struct Answer {
    pub fact: usize,
    pub status: &'static str,
    /// None for a connectivity test.
    pub seq: Option<u64>,
}

/// Pauses between attempts, as each provider documents them.
fn pauses_ms(dialect: &str) -> Vec<u64> {
    match dialect {
        "meterbase" => vec![MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 24 * HOUR],
        "real-estate" => vec![5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR],
        _ => vec![15 * MINUTE; 10],
    }
}

pub const SECRET: &str = "whsec_simulation";

impl World {
    /// The provider has something to say, and says so at least once.
    pub fn create(&mut self, provider: usize) {
        let now = self.clock.true_time();
        let fact = self.providers[provider].next(now, &mut self.random);
        let index = self.facts.len();
        self.say(|| format!("fact {index}: {}", fact.show()));
        self.facts.push(fact);
        let delay_ms = match self.random.below(10) {
            0 => self.random.below(10 * MINUTE),
            1..4 => self.random.below(10 * SECOND),
            _ => self.random.below(50),
        };
        let copies = if self.random.chance(50) { 2 } else { 1 };
        for _ in 0..copies {
            let resigns = self.random.chance(500);
            self.dispatches.push(Dispatch {
                fact: index,
                attempts: 0,
                resigns,
                signed: None,
            });
            let dispatch = self.dispatches.len() - 1;
            self.clock.after(delay_ms, Step::Send(dispatch));
        }
    }

    /// One attempt: through the edge to the ledger.
    pub fn send(&mut self, dispatch: usize) {
        let now = self.clock.true_time();
        let Dispatch {
            fact,
            resigns,
            signed,
            ..
        } = &mut self.dispatches[dispatch];
        let fact = *fact;
        let (dialect, body) = (self.facts[fact].dialect, self.facts[fact].body.clone());
        if signed.is_none() || *resigns {
            *signed = Some(sign(dialect, &body, now, fact));
        }
        let Some(headers) = signed.clone() else {
            return;
        };
        if self.random.chance(self.faults.call_lost) || body.len() > BODY_BYTES_MAX {
            return self.refused(dispatch, "never reached the edge");
        }
        let mut source = self.sources[dialect].clone();
        if self.bug == Some(Bug::AnyAge) {
            source.accepted_age_s = None;
        }
        let presented = Presented {
            signature: Some(&headers.signature),
            timestamp: headers.timestamp.as_deref(),
        };
        match admit(&source, &[SECRET], presented, body, self.clock.receiver()) {
            Err(why) => self.refused(dispatch, why.label()),
            Ok(Admitted::Ping(_)) => {
                self.say(|| format!("fact {fact}: pong"));
                let status = "pong";
                self.answers.push(Answer {
                    fact,
                    status,
                    seq: None,
                });
            }
            Ok(Admitted::Delivery(mut delivery, _)) => {
                match self.bug {
                    Some(Bug::WindowTooShort) => delivery.dedupe_window_s = 1_800,
                    Some(Bug::EveryRequestIsNew) => {
                        delivery.key.0[..8].copy_from_slice(&self.random.next().to_be_bytes());
                    }
                    Some(Bug::OneLedgerForAll) => delivery.of.integration = "default".to_owned(),
                    _ => {}
                }
                let name = (delivery.of.source.clone(), delivery.of.integration.clone());
                let ledger = self.ledger(name);
                self.stand_in_line(ledger, delivery, dispatch);
            }
        }
    }

    /// What the ledger made of it, as the edge hears it.
    pub fn taken(&mut self, dispatch: usize, reply: Option<String>) {
        let fact = self.dispatches[dispatch].fact;
        let Some((status, seq)) = reply.as_deref().and_then(Taken::parse) else {
            return self.refused(dispatch, "503");
        };
        self.say(|| format!("fact {fact}: 200 {status} {seq}"));
        self.answers.push(Answer {
            fact,
            status,
            seq: Some(seq),
        });
        if self.random.chance(self.faults.sender_deaf) {
            return self.refused(dispatch, "the answer was not heard");
        }
        self.repeat(dispatch);
    }

    /// The same request again, although it was answered: soon, or around the
    /// end of the dedupe window.
    fn repeat(&mut self, dispatch: usize) {
        if !self.random.chance(150) {
            return;
        }
        let after_ms = match self.random.below(4) {
            0 => self.random.below(MINUTE),
            1 => self.random.below(DAY),
            2 => self.random.between(47 * HOUR, 49 * HOUR),
            _ => self.random.between(2 * DAY, 4 * DAY),
        };
        let Dispatch { fact, signed, .. } = &self.dispatches[dispatch];
        let (fact, signed) = (*fact, signed.clone());
        self.dispatches.push(Dispatch {
            fact,
            attempts: usize::MAX,
            resigns: false,
            signed,
        });
        let again = self.dispatches.len() - 1;
        self.clock.after(after_ms, Step::Send(again));
    }

    /// No 200: again after a while, unless that was the last time.
    pub fn refused(&mut self, dispatch: usize, why: &str) {
        let Dispatch { fact, attempts, .. } = &mut self.dispatches[dispatch];
        let fact = *fact;
        let pauses = pauses_ms(self.facts[fact].dialect);
        let pause_ms = pauses.get(*attempts);
        *attempts = attempts.saturating_add(1);
        self.say(|| format!("fact {fact}: {why}"));
        if let Some(pause_ms) = pause_ms {
            let jitter_ms = self.random.below(SECOND);
            self.clock.after(pause_ms + jitter_ms, Step::Send(dispatch));
        }
    }
}

pub fn sign(dialect: &str, body: &[u8], now: Timestamp, fact: usize) -> Signed {
    let timestamp = (dialect == "real-estate").then(|| match fact % 3 {
        0 => (now.ms() / 1_000).to_string(),
        1 => now.ms().to_string(),
        _ => now.to_string(),
    });
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(timestamp.as_deref().unwrap_or_default().as_bytes());
    mac.update(body);
    let hex = HEXLOWER.encode(&mac.finalize().into_bytes());
    let prefix = if dialect == "meterbase" {
        "sha256="
    } else {
        ""
    };
    Signed {
        signature: format!("{prefix}{hex}"),
        timestamp,
    }
}
