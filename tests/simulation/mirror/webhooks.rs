//! Webhooks: parts of changes, in the envelopes of their dialects, on their way
//! to a ledger or lost.

use leasewire::edge::delivery::{Admitted, admit};
use leasewire::ledger::Call;
use leasewire::signature::Presented;

use super::truth::{Found, UNSHOWN};
use super::{Asked, Step};
use crate::clock::{HOUR, MINUTE, SECOND};
use crate::fact::{Fields, object};
use crate::sender::{SECRET, sign};
use crate::world::{self, World};

/// A webhook, until its ledger has it or it is given up.
#[derive(Clone)]
pub struct Webhook {
    of: usize,
    body: String,
    /// Which one of all there are.
    number: u64,
    /// The record that it is about.
    record: Option<usize>,
    /// It is sent until a ledger has it.
    is_sure: bool,
}

/// What a webhook says of its record.
pub enum Says {
    New(Fields),
    Changed { previous: Fields, new: Fields },
}

impl World {
    /// Tells of a record, unless that is lost on the way.
    pub fn tell_of(&mut self, record: usize, says: Says, is_sure: bool) {
        let mirror = self.mirror.as_mut().unwrap();
        mirror.truth.made += 1;
        let made = mirror.truth.made;
        let one = &mirror.truth.records[record];
        let (model, id, of) = (one.model.replace('_', "-"), &one.id, one.of);
        let integration = &mirror.truth.integrations[of];
        let meta = format!(
            r#""meta":{{"object":"{model}","integration_id":"{}"}}"#,
            integration.id
        );
        let (event, change) = match says {
            Says::New(fields) => ("DATA_NEW", format!(r#""payload":{}"#, object(&fields))),
            Says::Changed { previous, new } => {
                let (previous, new) = (object(&previous), object(&new));
                let diff = format!(r#""diff":{{"previous":{previous},"new":{new}}}"#);
                ("DATA_UPDATE", diff)
            }
        };
        // The short envelope, or the full one with a job.
        let is_short = integration.source == "propify" || mirror.plan.are_short;
        let body = match is_short {
            true => format!(r#"{{{meta},"record_id":"{id}",{change}}}"#),
            false => format!(
                r#"{{"trigger":"{event}","data":{{"job_id":"job_{made}","event":"{event}","record_id":"{id}",{change}}},{meta}}}"#
            ),
        };
        let of = one.of;
        self.send_webhook(Webhook {
            of,
            body,
            number: made,
            record: Some(record),
            is_sure,
        });
    }

    /// Tells that a synchronisation has ended, of these models.
    pub fn tell_end(&mut self, of: usize, name: &str, is_back: bool, is_sure: bool) {
        let mirror = self.mirror.as_mut().unwrap();
        mirror.truth.made += 1;
        let (made, integration) = (mirror.truth.made, mirror.truth.integrations[of].id);
        let models = match self.random.chance(300) {
            true => String::new(),
            false => {
                r#","models_synced":["leases","residents","units","fees","residents-to-leases"]"#
                    .to_owned()
            }
        };
        let body = format!(
            r#"{{"event":"{name}","integration_id":"{integration}","is_backsync":{is_back},"is_sync_finished":true,"failed_job_count":0,"successful_job_count":{made}{models}}}"#
        );
        self.send_webhook(Webhook {
            of,
            body,
            number: made,
            record: None,
            is_sure,
        });
    }

    fn send_webhook(&mut self, webhook: Webhook) {
        let plan = &self.mirror.as_ref().unwrap().plan;
        let (lost, repeated) = (plan.webhooks_lost, plan.webhooks_repeated);
        if !webhook.is_sure && self.random.chance(lost) {
            return self.say(|| format!("webhook lost: {}", webhook.body));
        }
        let delay_ms = match self.random.below(20) {
            0 if !webhook.is_sure => self.random.below(HOUR),
            0..3 => self.random.below(MINUTE),
            _ => self.random.below(2 * SECOND),
        };
        if self.random.chance(repeated) {
            let again_ms = delay_ms + self.random.below(2 * MINUTE);
            let again = Webhook {
                is_sure: false,
                ..webhook.clone()
            };
            self.after(again_ms, Step::Webhook(Box::new(again)));
        }
        self.after(delay_ms, Step::Webhook(Box::new(webhook)));
    }

    /// One attempt.
    pub fn attempt(&mut self, webhook: Webhook) {
        let source = self.mirror.as_ref().unwrap().truth.integrations[webhook.of].source;
        let body = webhook.body.clone().into_bytes();
        let headers = sign(source, &body, self.clock.true_time(), 0);
        let presented = Presented {
            signature: Some(&headers.signature),
            timestamp: None,
        };
        let now = self.clock.receiver();
        let Ok(Admitted::Delivery(delivery, _)) =
            admit(&self.sources[source], &[SECRET], presented, body, now)
        else {
            return self.complain("a webhook is refused".to_owned());
        };
        self.say(|| format!("webhook: {}", webhook.body));
        self.note_order(&webhook);
        let name = (delivery.of.source.clone(), delivery.of.integration.clone());
        let ledger = self.ledger(name);
        let asked = Asked::Webhook(Box::new(webhook));
        self.ask(ledger, Call::Intake(delivery), world::Asked::Mirror(asked));
    }

    /// Where an older one comes last, a replica that lags behind the newer one looks right.
    fn note_order(&mut self, webhook: &Webhook) {
        let mirror = self.mirror.as_mut().unwrap();
        let Some(record) = webhook.record else {
            return;
        };
        let record = &mut mirror.truth.records[record];
        if webhook.number < record.told && mirror.trouble.lags > 0 {
            record.found = record.found.max(Found::Daily);
        }
        record.told = record.told.max(webhook.number);
    }

    /// What became of it.
    pub fn attempted(&mut self, webhook: Webhook, is_taken: bool) {
        if is_taken {
            let mirror = self.mirror.as_mut().unwrap();
            mirror.taken += 1;
            if let Some(record) = webhook.record
                && webhook.body.contains(UNSHOWN)
            {
                mirror.truth.records[record].said = true;
            }
        } else if webhook.is_sure {
            self.after(20 * SECOND, Step::Webhook(Box::new(webhook)));
        }
    }
}
