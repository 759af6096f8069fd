//! What can be asked of a connector from outside its object, as text.

use std::borrow::Cow;

use super::{Connector, Setups};
use crate::integration::IntegrationId;
use crate::json::{self, Object, Writer, texts_or_null};
use crate::ledger::{Owed, Reply};
use crate::provider::Api;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// The name of the connector of an API's key. A binding has no blank in its name,
/// so no two keys share one.
pub fn name(api: &Api) -> String {
    [api.kind.name(), " ", &api.key].concat()
}

/// A question or a message to a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A ledger tells what it owes.
    Told(Owed),
    /// Ask for all records of an integration: of these models, or of all that
    /// are wanted.
    Backfill(IntegrationId, Option<Vec<String>>),
    /// Ask for one record, by its model and id.
    Hydrate(IntegrationId, String, String),
    /// How are things, as far as they concern an integration?
    State(IntegrationId),
    /// Of a source: has it lost its alarm?
    Sweep(String),
}

impl Call {
    /// The call as text.
    pub fn encode(&self) -> String {
        let about = |name: &str, of: &IntegrationId| {
            Writer::default()
                .text("call", name)
                .text("source", &of.source)
                .text("integration", &of.integration)
        };
        match self {
            Self::Told(owed) => {
                let call = Writer::default().text("call", "told");
                call.raw("owed", &owed.to_json()).end()
            }
            Self::Backfill(of, models) => {
                let call = about("backfill", of);
                call.raw("models", &texts_or_null(models)).end()
            }
            Self::Hydrate(of, model, id) => {
                let call = about("hydrate", of);
                call.text("model", model).text("id", id).end()
            }
            Self::State(of) => about("state", of).end(),
            Self::Sweep(source) => {
                let call = Writer::default().text("call", "sweep");
                call.text("source", source).end()
            }
        }
    }

    /// Reads what [`Call::encode`] wrote; `None` for anything else.
    pub fn decode(call: &str) -> Option<Self> {
        let fields = Object::parse(call)?;
        let text = |name| fields.text(name).map(Cow::into_owned);
        let of = || Some(IntegrationId::new(text("source")?, text("integration")?));
        Some(match &*fields.text("call")? {
            "told" => Self::Told(Owed::parse(fields.value("owed")?.get())?),
            "backfill" => {
                let models = fields.value("models").and_then(json::texts);
                Self::Backfill(of()?, models)
            }
            "hydrate" => Self::Hydrate(of()?, text("model")?, text("id")?),
            "state" => Self::State(of()?),
            "sweep" => Self::Sweep(text("source")?),
            _ => return None,
        })
    }

    fn source(&self) -> &str {
        match self {
            Self::Told(owed) => &owed.of.source,
            Self::Backfill(of, _) | Self::Hydrate(of, ..) | Self::State(of) => &of.source,
            Self::Sweep(source) => source,
        }
    }
}

impl<S: Sql> Connector<S> {
    /// Answers `call`, JSON; `None` if its source has no API. What is asked for is
    /// durable when this returns.
    pub fn answer(
        &mut self,
        call: Call,
        setups: Setups,
        now: Timestamp,
    ) -> Result<Option<String>, SqlError> {
        let Some(api) = setups(call.source()) else {
            return Ok(None);
        };
        if self.books.name.is_empty() {
            self.books.name = name(&api);
        }
        let answer = match call {
            Call::Told(owed) => {
                self.told(&owed, &api, now)?;
                "{}".to_owned()
            }
            Call::Backfill(of, models) => {
                let models = self.backfill(&of, models.as_deref(), &api, now)?;
                Writer::default()
                    .raw("models", &texts_or_null(&Some(models)))
                    .end()
            }
            Call::Hydrate(of, model, id) => {
                let can_be_asked = self.hydrate(&of, &model, &id, &api, now)?;
                Writer::default().flag("asked", can_be_asked).end()
            }
            Call::State(of) => self.state(Some(&of), setups, now)?,
            Call::Sweep(_) => {
                let was_woken = self.sweep(setups, now)?;
                Reply::Swept(was_woken).into_text().unwrap_or_default()
            }
        };
        Ok(Some(answer))
    }
}
