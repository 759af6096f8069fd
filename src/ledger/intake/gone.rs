//! Marking records as gone that no synchronisation has seen for long.
//!
//! A provider that never deletes doesn't say that a record is gone: it only sees
//! it no more. So each rule here is for one way in which that means something
//! else, and in doubt a record stays. Of a property of which a synchronisation
//! has seen less than half, its job has failed, or it is switched off. Where more
//! than a fifth of a model would go at once, something else is wrong; a single
//! record may go whatever a fifth is. And what was heard of since is there.

use super::append::Arrival;
use super::merge::is_left_out;
use crate::dialect::event::{Change, Content, RecordKey};
use crate::json::{self, Object};
use crate::ledger::Ledger;
use crate::ledger::log::Log;
use crate::ledger::log::kept::{asked_for, gone_body};
use crate::ledger::setup::Setup;
use crate::ledger::unseen::{LastSeen, Marked, Unseen, UnseenGroup};
use crate::record::fold::{Incoming, fold};
use crate::record::merge::seen_at;
use crate::signature::DedupeKey;
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// One of so many may go at once.
const SHARE: u64 = 5;
/// Records that one call marks. Each is an event.
const MARKED_MAX: u64 = 500;
/// Ids that are looked up at once.
const LOOKED_UP: usize = 1_000;
/// Properties that are named of those that were passed over.
const NAMED_MAX: usize = 5;

impl<S: Sql> Ledger<S> {
    /// Marks those of `unseen` that are gone, as many as one call may. An error
    /// means that some may have been: once more, they are known.
    pub(in crate::ledger) fn mark_gone(
        &mut self,
        unseen: &Unseen,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<Marked, SqlError> {
        let mut answer = Marked {
            epoch: self.epoch,
            ..Marked::default()
        };
        // Another epoch's number says nothing here.
        if self.name.is_some() && unseen.epoch == Some(self.epoch) {
            let candidates = self.candidates(unseen, &mut answer)?;
            let would_go = candidates.len() as u64;
            let of = match would_go {
                0 => 0,
                _ => self.log.count_present(&unseen.model)?,
            };
            if would_go > (of / SHARE).max(1) {
                answer.refused = Some([would_go, of]);
            } else {
                self.mark_all(unseen, &candidates, setup, now, &mut answer)?;
            }
        }
        answer.seq = self.sequence.last();
        Ok(answer)
    }

    fn mark_all(
        &mut self,
        unseen: &Unseen,
        candidates: &[&LastSeen],
        setup: &Setup,
        now: Timestamp,
        answer: &mut Marked,
    ) -> Result<(), SqlError> {
        for item in candidates {
            if answer.marked >= MARKED_MAX {
                answer.has_more = true;
                break;
            }
            let is_marked = self.mark_one(unseen, item, setup, now)?;
            answer.marked = answer.marked.saturating_add(u64::from(is_marked));
        }
        Ok(())
    }

    /// Those of which the ledger knows nothing that speaks against it.
    fn candidates<'a>(
        &self,
        unseen: &'a Unseen,
        answer: &mut Marked,
    ) -> Result<Vec<&'a LastSeen>, SqlError> {
        let mut candidates = Vec::new();
        for group in &unseen.groups {
            let mut of_group = Vec::new();
            let mut gone = 0_u64;
            for items in group.items.chunks(LOOKED_UP) {
                for (at, is_gone) in self.log.look_up(unseen, items)? {
                    gone = gone.saturating_add(u64::from(is_gone));
                    of_group.extend(items.get(at).filter(|_| !is_gone));
                }
            }
            if group.was_seen(gone) {
                candidates.extend(of_group);
            } else if !of_group.is_empty() {
                let passed_over = of_group.len() as u64;
                answer.passed_over = answer.passed_over.saturating_add(passed_over);
                if answer.properties.len() < NAMED_MAX {
                    answer.properties.extend(group.property.clone());
                }
            }
        }
        Ok(candidates)
    }

    /// Marks one record, as an event; false if something speaks against it.
    fn mark_one(
        &mut self,
        unseen: &Unseen,
        item: &LastSeen,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<bool, SqlError> {
        let key = RecordKey {
            model: &unseen.model,
            id: &item.id,
        };
        let body = gone_body(&item.id, &item.last_seen);
        let (Some(stored), Ok(event)) = (
            self.log.stored_record(key)?,
            asked_for(key, body.as_bytes()),
        ) else {
            return Ok(false);
        };
        let Content::Record(_, change @ Change::Gone(since)) = &event.content else {
            return Ok(false);
        };
        let fields = Object::parse(&stored.known.fields);
        let known_at = fields.as_ref().and_then(seen_at);
        if known_at > Some(*since) || is_left_out(setup, &event, fields.as_ref()) {
            return Ok(false);
        }
        let arrival = Arrival {
            of: &unseen.of,
            key: DedupeKey::of("gone", body.as_bytes()),
            body: body.as_bytes(),
            asked_seq: Some(unseen.asked_seq),
        };
        let incoming = Incoming {
            seq: self.sequence.next(),
            key: arrival.key,
            occurred_at: None,
            received_at: self.sequence.received_at(now),
            model: key.model,
            is_creation: false,
            change,
            newer: &[],
        };
        let folded = fold(Some(&stored.known), &incoming, Vec::new());
        let kept = self.keep(arrival, now, (key, &event), Some(&stored), &folded)?;
        Ok(kept.is_none())
    }
}

impl<S: Sql> Log<S> {
    /// Which of `items` are known and were not heard of since: where each is, and
    /// whether it is gone already.
    fn look_up(&self, unseen: &Unseen, items: &[LastSeen]) -> Result<Vec<(usize, bool)>, SqlError> {
        let ids = items.iter().map(|item| item.id.clone()).collect();
        let ids = json::texts_or_null(&Some(ids));
        let rows = self.sql.query(
            "SELECT id.key, record.gone_since IS NOT NULL
             FROM json_each(?2) AS id CROSS JOIN records AS record
             WHERE record.model = ?1 AND record.record_id = id.value
               AND (record.last_seq <= ?3 OR record.gone_since IS NOT NULL)",
            &[
                Param::Text(&unseen.model),
                Param::Text(&ids),
                unseen.asked_seq.into(),
            ],
        )?;
        let found = |row: &crate::sql::Row| {
            let at = usize::try_from(row.number(0)?).unwrap_or(usize::MAX);
            Ok((at, row.flag(1)?))
        };
        rows.iter().map(found).collect()
    }

    /// How many records of a model aren't gone.
    fn count_present(&self, model: &str) -> Result<u64, SqlError> {
        let count = "SELECT count(*) FROM records WHERE model = ?1 AND gone_since IS NULL";
        let rows = self.sql.query(count, &[Param::Text(model)])?;
        rows.first().map_or(Ok(0), |row| row.number(0))
    }
}

impl UnseenGroup {
    /// True if the synchronisation has seen most of its records, without so many
    /// that were `gone` already.
    fn was_seen(&self, gone: u64) -> bool {
        let unseen = (self.items.len() as u64).saturating_add(self.missed);
        self.seen > unseen.saturating_sub(gone)
    }
}
