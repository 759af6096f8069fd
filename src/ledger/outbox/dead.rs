//! Dead packs: noted, sent again, and forgotten once they have arrived.
//!
//! They stay in the log below the watermark, which goes over them. What of them
//! outlives its segment is kept in `events_0`.

use crate::ledger::log::Log;
use crate::ledger::log::segments::FORWARDED;
use crate::ledger::{Ledger, PackRef, Ranges, Rewrite, SeqRange};
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// More than a pack has events.
const MANY: u64 = 1_000_000;

impl<S: Sql> Ledger<S> {
    /// Notes that `pack` could not be applied. It stays in the log and is not
    /// sent again until it is redriven.
    pub fn dead_letter(
        &mut self,
        pack: PackRef,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let PackRef { events, rewrite } = pack;
        if !self.sequence.has(events) {
            return Err(SqlError("no such pack".to_owned()));
        }
        for part in self.outbox.unsettled_within(events, rewrite).iter() {
            if self.log.count(FORWARDED, part)? == 0 {
                continue;
            }
            self.log.sql.execute(
                "INSERT INTO dead (first_seq, last_seq, reason, died_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (first_seq) DO UPDATE SET last_seq = max(last_seq, excluded.last_seq)",
                &[
                    part.first.into(),
                    part.last.into(),
                    Param::Text(reason),
                    now.us().into(),
                ],
            )?;
            self.outbox.dead_letter(part);
            self.health.outdate();
        }
        self.confirm_resent(events, rewrite)?;
        self.outbox.land(events);
        self.settle(now)
    }

    /// Takes those of `range` out of the dead packs that no replay after
    /// `rewrite` has written: what died then was another state of the event.
    pub(in crate::ledger) fn restore_written(
        &mut self,
        range: SeqRange,
        rewrite: Rewrite,
    ) -> Result<(), SqlError> {
        let mut alive = Ranges::of(range);
        let later = format!("AND replay > {}", rewrite.0);
        for row in self.log.scan("seq", &later, range, MANY)? {
            let seq = row.number(0)?;
            alive.remove(SeqRange::one(seq));
        }
        for range in alive.iter() {
            if self.outbox.dead().touches(range) {
                self.restore(range)?;
            }
        }
        Ok(())
    }

    /// Takes `range` out of the dead packs, whole or in part: first what
    /// is behind it gets a row of its own, then what is before it ends there.
    pub(in crate::ledger) fn restore(&mut self, range: SeqRange) -> Result<(), SqlError> {
        let mut dead = self.outbox.dead().clone();
        dead.remove(range);
        self.log.sql.transaction(|| {
            self.log.end_dead(range)?;
            self.forget_kept(range, None, &dead)
        })?;
        self.outbox.restore(range);
        self.health.outdate();
        Ok(())
    }

    /// Forgets those events of `range` that outlived their segment, have
    /// arrived, and neither wait nor are `dead`. What waits by a replay up to
    /// `confirmed` has arrived just now.
    pub(in crate::ledger) fn forget_kept(
        &self,
        range: SeqRange,
        confirmed: Option<Rewrite>,
        dead: &Ranges,
    ) -> Result<(), SqlError> {
        let mut arrived = Ranges::of(range);
        for one in self.outbox.redelivery().waiting(range) {
            if confirmed.is_none_or(|rewrite| one.rewrite > rewrite) {
                arrived.remove(one.events);
            }
        }
        for dead in dead.within(range) {
            arrived.remove(dead);
        }
        arrived.iter().try_for_each(|range| {
            self.log.sql.execute(
                "DELETE FROM events_0 WHERE seq BETWEEN ?1 AND ?2 AND quarantine IS NULL",
                &[range.first.into(), range.last.into()],
            )
        })
    }
}

impl<S: Sql> Log<S> {
    /// What the tables have of dead packs.
    pub(in crate::ledger) fn load_dead(&self) -> Result<Ranges, SqlError> {
        let mut dead = Ranges::default();
        for row in self
            .sql
            .query("SELECT first_seq, last_seq FROM dead", &[])?
        {
            dead.insert(SeqRange::new(row.number(0)?, row.number(1)?));
        }
        Ok(dead)
    }

    /// Takes `range` out of the dead packs in the table, but not what outlived its
    /// segment: see [`Ledger::restore`]. To be called in a transaction.
    pub(in crate::ledger) fn end_dead(&self, range: SeqRange) -> Result<(), SqlError> {
        self.sql.execute(
            "INSERT INTO dead (first_seq, last_seq, reason, died_at)
                 SELECT ?1 + 1, last_seq, reason, died_at FROM dead
                   WHERE first_seq <= ?1 AND last_seq > ?1 ORDER BY last_seq DESC LIMIT 1
                 ON CONFLICT (first_seq) DO UPDATE SET
                   last_seq = max(last_seq, excluded.last_seq)",
            &[range.last.into()],
        )?;
        self.sql.execute(
            "UPDATE dead SET last_seq = ?1 - 1 WHERE first_seq < ?1 AND last_seq >= ?1",
            &[range.first.into()],
        )?;
        self.sql.execute(
            "DELETE FROM dead WHERE first_seq BETWEEN ?1 AND ?2",
            &[range.first.into(), range.last.into()],
        )
    }
}
