//! An authenticated webhook on its way to a ledger.
//!
//! The only way to a [`Delivery`] from outside leads through [`admit`], and
//! so through a verified signature.

use std::borrow::Cow;
use std::rc::Rc;

use super::source::Source;
use crate::dialect::event::{Content, Event, TEST_INTEGRATION};
use crate::dialect::filter::Filter;
use crate::dialect::{self, Dialect, Meaning};
use crate::integration::IntegrationId;
use crate::signature::{self, Authentic, DedupeKey, Presented, Unauthorized};
use crate::time::Timestamp;

/// Largest body of a webhook: 1 MiB. Real ones have some kilobytes; with this
/// a body and what it became fit in one row of 2 MB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// A verified webhook, addressed to its ledger.
#[derive(Clone)]
pub struct Delivery {
    /// The integration it belongs to.
    pub of: IntegrationId,
    /// How to read it.
    pub dialect: &'static dyn Dialect,
    /// What makes it the same as another delivery.
    pub key: DedupeKey,
    /// How long a repetition counts as one, in seconds.
    pub dedupe_window_s: u64,
    /// What the source's owner wants to have.
    pub filter: Rc<Filter>,
    /// The raw body, as received.
    pub body: Vec<u8>,
}

impl Delivery {
    /// Turns it to where test events go, whatever its body names.
    pub fn into_test(mut self) -> Self {
        TEST_INTEGRATION.clone_into(&mut self.of.integration);
        self
    }
}

/// What is known of an admitted webhook, for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// The provider's name of the event.
    pub event: Option<String>,
    /// The record's model.
    pub model: Option<String>,
    /// The record's id.
    pub record_id: Option<String>,
    /// Which of the source's secrets it is signed with: 1 for the first.
    pub secret: u32,
}

/// A verified webhook.
pub enum Admitted {
    /// A connectivity test: answered, not kept.
    Ping(Label),
    /// To be handed to its ledger.
    Delivery(Delivery, Label),
}

/// Verifies a webhook for `source` and reads what its ledger must know.
///
/// `secrets` are the values of the source's secret bindings.
pub fn admit(
    source: &Source,
    secrets: &[impl AsRef<[u8]>],
    presented: Presented,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<Admitted, Unauthorized> {
    let scheme = source.dialect.scheme();
    let age_s = source.accepted_age_s;
    let authentic = signature::verify(scheme, secrets, presented, body, age_s, now)?;
    address(source, authentic, now)
}

fn address(source: &Source, body: Authentic, now: Timestamp) -> Result<Admitted, Unauthorized> {
    let reading = dialect::read(source.dialect, body.body(), now);
    if let Some(time) = reading.signed_at {
        signature::check_age(time, source.accepted_age_s, now)?;
    }
    let mut label = match &reading.meaning {
        Meaning::Event(event) => label(event),
        Meaning::Ping => {
            return Ok(Admitted::Ping(Label {
                event: Some("test.ping".to_owned()),
                secret: body.secret(),
                ..Label::default()
            }));
        }
        Meaning::Unclear(_) => Label::default(),
    };
    label.secret = body.secret();
    let key = reading.identity.key(body.body());
    let integration = reading.integration.map_or_else(
        || source.default_integration.clone(),
        |integration| integration.into_owned(),
    );
    let delivery = Delivery {
        of: IntegrationId::new(&source.name, integration),
        dialect: source.dialect,
        key,
        dedupe_window_s: source.dedupe_window_s,
        filter: source.filter.clone(),
        body: body.into_body(),
    };
    Ok(Admitted::Delivery(delivery, label))
}

fn label(event: &Event) -> Label {
    let (model, record_id) = match &event.content {
        Content::Record(subject, _) => (
            Some(subject.model.clone()),
            Some(subject.record_id.clone().into_owned()),
        ),
        Content::Control(_) => (None, None),
    };
    Label {
        event: event.name.clone().map(Cow::into_owned),
        model,
        record_id,
        ..Label::default()
    }
}
