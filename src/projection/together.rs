//! The packs of a batch in one transaction.
//!
//! D1 does one thing at a time, and the way there takes longer than most of
//! what a pack has it do. So the packs of many integrations, each with an
//! event or two, share the way. A pack that brings an event without its data
//! goes by itself: what it stands for may be megabytes.

use super::{Budget, Message, Pack, TOGETHER_QUERIES_MAX, Unreadable};
use crate::integration::IntegrationId;
use crate::ledger::Call;
use crate::sql::Statement;
use crate::time::Timestamp;

/// What applies all packs that need nothing but D1.
#[derive(Debug, Default)]
pub struct Together {
    statements: Vec<Statement>,
}

/// A message that is a pack.
pub struct Read {
    /// Whose they are.
    pub of: IntegrationId,
    /// The pack's last event.
    pub last: u64,
    /// What its ledger is to be told once all packs are applied together, or of
    /// one that is dead; none if it is to go by itself.
    pub confirm: Option<Call>,
}

impl Together {
    /// Adds the pack of `message`, if it can be applied with others.
    pub fn add(&mut self, message: &Message, now: Timestamp) -> Result<Read, Unreadable> {
        let pack = Pack::read(&message.text)?;
        let all = pack.all();
        let statements = pack.part(&message.text, &all).ok().and_then(|projection| {
            let needs_data = !projection.missing().is_empty();
            let statements = projection.statements(message.sent_at, now);
            let total = self.statements.len().saturating_add(statements.len());
            (!needs_data && total <= TOGETHER_QUERIES_MAX).then_some(statements)
        });
        let named = pack.named(&all);
        let confirm = statements.zip(named).map(|(statements, named)| {
            self.statements.extend(statements);
            Call::Confirm {
                pack: named,
                epoch: pack.epoch,
            }
        });
        Ok(Read {
            of: pack.of,
            last: named.map_or(0, |named| named.events.last),
            confirm,
        })
    }

    /// The transaction; empty if there is nothing to apply.
    pub fn statements(self, budget: &mut Budget) -> Vec<Statement> {
        budget.take(self.statements.len());
        self.statements
    }
}
