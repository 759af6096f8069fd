//! A record's chain: its events, of which each knows the one before, and the
//! record the last one.
//!
//! SQLite walks it, a segment at a time: a walk of 10,000 events takes some
//! milliseconds, and only the numbers that are asked for come over here.

use crate::dialect::event::RecordKey;
use crate::ledger::log::Log;
use crate::sql::{Param, Sql, SqlError};

/// A part of a record's chain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Numbers, in order.
    pub seqs: Vec<u64>,
    /// The record has no events behind them.
    pub reaches_end: bool,
    /// The event before the first one that is kept, if it is gone, or its body
    /// is.
    pub gone: Option<u64>,
}

/// One segment's part of a chain, from `?1` on back to what is behind `?2`:
/// pairs of numbers, each event's and the one before it, at most `?3` of them,
/// the oldest. What is ignored has no part in it, or has lost its body.
fn walk(table: &str) -> String {
    format!(
        "WITH RECURSIVE chain (seq, prev_seq) AS (
           SELECT seq, prev_seq FROM {table} WHERE seq = ?1 AND ignored IS NULL
           UNION ALL
           SELECT e.seq, e.prev_seq FROM chain JOIN {table} AS e ON e.seq = chain.prev_seq
           WHERE chain.prev_seq < chain.seq AND chain.prev_seq > ?2 AND e.ignored IS NULL)
         SELECT group_concat(seq || ' ' || coalesce(prev_seq, 0), ' ')
         FROM (SELECT seq, prev_seq FROM chain ORDER BY seq LIMIT ?3)"
    )
}

impl<S: Sql> Log<S> {
    /// Of the chain that ends with `last`, the first `limit` events behind the
    /// number `after`.
    pub(super) fn chain(
        &self,
        last: Option<u64>,
        after: u64,
        limit: usize,
    ) -> Result<Chain, SqlError> {
        let mut parts: Vec<Vec<u64>> = Vec::new();
        let mut next = last.filter(|seq| *seq > after);
        let mut gone = None;
        // One more than asked for tells whether there are more.
        let most = limit.saturating_add(1);
        while let Some(seq) = next {
            let part = self.part_of_chain(seq, after, most)?;
            let Some((first, before)) = part.first().copied() else {
                gone = Some(seq);
                break;
            };
            parts.push(part.into_iter().map(|(seq, _)| seq).collect());
            next = Some(before).filter(|before| *before < first && *before > after);
        }
        let mut seqs: Vec<u64> = parts.into_iter().rev().flatten().take(most).collect();
        let reaches_end = seqs.len() <= limit;
        seqs.truncate(limit);
        Ok(Chain {
            seqs,
            reaches_end,
            gone,
        })
    }

    /// The same of the segment that has `seq`, each event with the one before.
    fn part_of_chain(
        &self,
        seq: u64,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, u64)>, SqlError> {
        let mut numbers = Vec::new();
        if let Some(segment) = self.segments.of(seq) {
            let params = [seq.into(), after.into(), (most as u64).into()];
            let rows = self.sql.query(&walk(&segment.table()), &params)?;
            if let Some(text) = rows
                .first()
                .map(|row| row.maybe_text(0))
                .transpose()?
                .flatten()
            {
                numbers.extend(text.split(' ').map(str::parse));
            }
        }
        let numbers: Vec<u64> = numbers
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|_| SqlError("a chain of events is broken".to_owned()))?;
        let (pairs, _) = numbers.as_chunks();
        Ok(pairs.iter().map(|[seq, before]| (*seq, *before)).collect())
    }

    /// Takes the event `seq`, before which `prev_seq` comes, out of a record's
    /// chain.
    pub(super) fn unlink(
        &self,
        seq: u64,
        prev_seq: Option<u64>,
        key: RecordKey,
    ) -> Result<(), SqlError> {
        let Some(last_seq) = self.last_of(key)? else {
            return Ok(());
        };
        if last_seq != seq {
            let next = self.chain(Some(last_seq), seq, 1)?.seqs;
            return match next.first() {
                Some(next) if self.comes_after(*next, seq)? => self.link(*next, prev_seq),
                _ => Ok(()),
            };
        }
        self.sql.execute(
            "UPDATE records SET last_seq = ?3 WHERE model = ?1 AND record_id = ?2",
            &[
                Param::Text(key.model),
                Param::Text(key.id),
                prev_seq.unwrap_or(0).into(),
            ],
        )
    }

    fn comes_after(&self, next: u64, seq: u64) -> Result<bool, SqlError> {
        let row = self.one("prev_seq", next)?;
        Ok(row.map(|row| row.maybe_number(0)).transpose()?.flatten() == Some(seq))
    }

    /// Makes `prev_seq` the event before `seq`.
    pub(super) fn link(&self, seq: u64, prev_seq: Option<u64>) -> Result<(), SqlError> {
        let Some(segment) = self.segments.of(seq) else {
            return Ok(());
        };
        let statement = format!(
            "UPDATE {} SET prev_seq = ?2 WHERE seq = ?1",
            segment.table()
        );
        self.sql.execute(&statement, &[seq.into(), prev_seq.into()])
    }

    fn last_of(&self, key: RecordKey) -> Result<Option<u64>, SqlError> {
        let statement = "SELECT last_seq FROM records WHERE model = ?1 AND record_id = ?2";
        let params = [Param::Text(key.model), Param::Text(key.id)];
        let rows = self.sql.query(statement, &params)?;
        rows.first().map(|row| row.number(0)).transpose()
    }
}
