//! The integrations of which the connector has heard, each with a number.

use super::models::maybe_time;
use super::sorted::Sorted;
use crate::integration::IntegrationId;
use crate::sql::{Sql, SqlError};
use crate::time::Timestamp;

/// How often what has changed is read by the clock, and everything, in seconds.
pub(super) const DAILY_S: u64 = 86_400;
pub(super) const DEEP_S: u64 = 7 * 86_400;

/// When to ask again for what a ledger could not take, in seconds: twice as late
/// each time.
const UNMERGED_S: u64 = 10;
const UNMERGED_S_MAX: u64 = 600;
/// By then it is that.
const UNMERGED_MAX: u32 = 6;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Integration {
    pub(super) of: IntegrationId,
    /// Of the numbers of its ledger; `None` if none is known.
    pub(super) epoch: Option<u64>,
    /// The last number that is known.
    pub(super) seq: u64,
    /// That of the last end of a synchronisation.
    pub(super) synced_seq: u64,
    pub(super) known_at: Timestamp,
    pub(super) daily_at: Option<Timestamp>,
    pub(super) deep_at: Option<Timestamp>,
    /// How often in a row its ledger has merged nothing. It isn't stored.
    pub(super) unmerged: u32,
}

/// All of them, by number.
#[derive(Debug, Default)]
pub(super) struct Integrations(pub(super) Sorted<u64, Integration>);

impl Integrations {
    pub(super) fn load(sql: &impl Sql) -> Result<Self, SqlError> {
        let all = "SELECT number, source, integration, epoch, seq, synced_seq, known_at, daily_at,
                          deep_at FROM integrations";
        let mut integrations = Self::default();
        for row in sql.query(all, &[])? {
            let integration = Integration {
                of: IntegrationId::new(row.text(1)?, row.text(2)?),
                epoch: row.maybe_number(3)?,
                seq: row.number(4)?,
                synced_seq: row.number(5)?,
                known_at: Timestamp::from_us(row.integer(6)?),
                daily_at: maybe_time(&row, 7)?,
                deep_at: maybe_time(&row, 8)?,
                unmerged: 0,
            };
            integrations.0.insert(row.number(0)?, integration);
        }
        Ok(integrations)
    }

    /// The number of one that is known.
    pub(super) fn number(&self, of: &IntegrationId) -> Option<u64> {
        let mut all = self.0.iter();
        all.find(|(_, known)| known.of == *of)
            .map(|(number, _)| *number)
    }

    /// The number of one, and what is known of it; a new one gets the next.
    pub(super) fn known(&self, of: &IntegrationId, now: Timestamp) -> (u64, Integration) {
        let number = self.number(of).unwrap_or_else(|| {
            let last = self.0.keys().next_back();
            last.map_or(1, |number| number.saturating_add(1))
        });
        let known = self.0.get(&number).cloned().unwrap_or(Integration {
            of: of.clone(),
            epoch: None,
            seq: 0,
            synced_seq: 0,
            known_at: now,
            daily_at: None,
            deep_at: None,
            unmerged: 0,
        });
        (number, known)
    }

    /// Stores one, if more is new than the last number: that can be too small, and
    /// what is owed remembers it too.
    pub(super) fn put(
        &mut self,
        sql: &impl Sql,
        number: u64,
        one: Integration,
    ) -> Result<(), SqlError> {
        if let Some(known) = self.0.get_mut(&number) {
            known.seq = one.seq;
            if *known == one {
                return Ok(());
            }
        }
        sql.execute(
            "INSERT OR REPLACE INTO integrations
               (number, source, integration, epoch, seq, synced_seq, known_at, daily_at, deep_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            &[
                number.into(),
                one.of.source.as_str().into(),
                one.of.integration.as_str().into(),
                one.epoch.into(),
                one.seq.into(),
                one.synced_seq.into(),
                one.known_at.us().into(),
                one.daily_at.map(Timestamp::us).into(),
                one.deep_at.map(Timestamp::us).into(),
            ],
        )?;
        self.0.insert(number, one);
        Ok(())
    }

    /// The number of a ledger's last event, as it has answered. It isn't
    /// stored: one that is too small is safe.
    pub(super) fn heard(&mut self, number: u64, epoch: u64, seq: u64) {
        if let Some(known) = self.0.get_mut(&number) {
            known.unmerged = 0;
            if known.epoch == Some(epoch) {
                known.seq = known.seq.max(seq);
            }
        }
    }

    /// The ledger of `number` could not take what was read: for how long to ask
    /// for nothing of that again, in seconds.
    pub(super) fn unheard(&mut self, number: u64) -> u64 {
        let Some(known) = self.0.get_mut(&number) else {
            return UNMERGED_S;
        };
        let pause_s = UNMERGED_S
            .checked_shl(known.unmerged)
            .unwrap_or(UNMERGED_S_MAX);
        known.unmerged = known.unmerged.saturating_add(1).min(UNMERGED_MAX);
        pause_s.min(UNMERGED_S_MAX)
    }
}
