//! Notices into D1: when a unit was occupied or vacated.
//!
//! Their events say them, and what an event says is true for ever, until a
//! replay folds its record again: then the record's newest state has all that
//! hold, which replace those of older generations. An event of an older
//! generation than its record has nothing to add.

use super::{Data, Projection, Unreadable, integer, maybe_integer, text};
use crate::json;
use crate::record::occupancy::Noticed;
use crate::sql::Statement;
use crate::sql::Value;

/// `?3` is a JSON array of `[seq, kind, model, record_id, at, generation,
/// count]`.
const INSERT: &str = "
    INSERT INTO notices (source, integration, seq, kind, model, record_id, at, generation, count,
                         epoch)
    SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6, epoch
    FROM json_each(?3) AS notice,
      (SELECT coalesce(?4, (SELECT epoch FROM integrations
         WHERE source = ?1 AND integration = ?2), 0) AS epoch) AS of
    WHERE NOT EXISTS (SELECT 1 FROM records AS r
      WHERE r.source = ?1 AND r.integration = ?2 AND r.model = notice.value ->> 2
        AND r.record_id = notice.value ->> 3 AND r.epoch = of.epoch
        AND r.generation > notice.value ->> 5)
    ON CONFLICT (source, integration, seq, kind) DO UPDATE SET
      model = excluded.model, record_id = excluded.record_id, at = excluded.at,
      generation = excluded.generation, count = excluded.count, epoch = excluded.epoch
    WHERE (excluded.epoch, excluded.generation) > (notices.epoch, notices.generation)";

const DELETE_OLDER: &str = "
    DELETE FROM notices
    WHERE source = ?1 AND integration = ?2 AND seq BETWEEN ?3 AND ?4 AND model = ?5
      AND record_id = ?6
      AND (epoch, generation) < (coalesce(?8, (SELECT epoch FROM integrations
        WHERE source = ?1 AND integration = ?2), 0), ?7)";

/// What a probe has written. No event has the number 0.
const DELETE_PROBE: &str = "
    DELETE FROM notices WHERE source = ?1 AND integration = ?2 AND seq = 0";

/// The notices of a pack.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Notices {
    rows: Vec<Row>,
    /// Records with all that hold.
    whole: Vec<Whole>,
}

/// What one event says of one kind.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    seq: u64,
    kind: String,
    model: String,
    record_id: String,
    /// The first one's time.
    at: String,
    generation: u64,
    /// How many there are: events of one time, the order of which becomes
    /// known, can reveal several turns at once.
    count: u64,
}

impl Row {
    fn to_json(&self) -> String {
        let [kind, model, record_id, at] =
            [&self.kind, &self.model, &self.record_id, &self.at].map(|text| json::quoted(text));
        let (seq, generation, count) = (self.seq, self.generation, self.count);
        format!("[{seq},{kind},{model},{record_id},{at},{generation},{count}]")
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Whole {
    model: String,
    record_id: String,
    generation: u64,
    from: u64,
    to: u64,
}

impl Notices {
    /// Adds what the event `seq` says.
    pub fn add(&mut self, seq: u64, data: &Data) -> Result<(), Unreadable> {
        let unreadable = || Unreadable("notices that are none".to_owned());
        let names = || (data.model.to_string(), data.record_id.to_string());
        let others = self.rows.len();
        let mut add = |seq, kind: String, at| {
            let own = self.rows.iter_mut().skip(others);
            let mut alike = own.filter(|row| row.seq == seq && row.kind == kind);
            if let Some(row) = alike.next() {
                row.count = row.count.saturating_add(1);
                return;
            }
            let (model, record_id) = names();
            self.rows.push(Row {
                seq,
                kind,
                model,
                record_id,
                at,
                generation: data.generation,
                count: 1,
            });
        };
        // All that hold of a record are also what its event says itself.
        if let (Some(kinds), Some(times), None) = (data.notices, data.notices_at, data.noticed) {
            let (Some(kinds), Some(times)) = (json::texts(kinds), json::texts(times)) else {
                return Err(unreadable());
            };
            kinds
                .into_iter()
                .zip(times)
                .for_each(|(kind, at)| add(seq, kind, at));
        }
        if let Some(noticed) = data.noticed {
            let noticed = Noticed::parse(noticed.get()).ok_or_else(unreadable)?;
            for (seq, kind, at) in noticed.notices {
                add(seq, kind, at);
            }
            let (model, record_id) = names();
            self.whole.push(Whole {
                model,
                record_id,
                generation: data.generation,
                from: noticed.from,
                to: noticed.to,
            });
        }
        Ok(())
    }

    /// What is to be done once the records are written.
    pub fn statements(&self, pack: &Projection) -> Vec<Statement> {
        let mut statements: Vec<_> = self.whole.iter().map(|whole| older(pack, whole)).collect();
        if !self.rows.is_empty() {
            statements.push(insert(pack, &self.rows));
        }
        statements
    }
}

/// A notice that comes and goes.
pub(super) fn probe(pack: &Projection) -> [Statement; 2] {
    let row = Row {
        seq: 0,
        kind: String::new(),
        model: String::new(),
        record_id: String::new(),
        at: String::new(),
        generation: 0,
        count: 1,
    };
    let delete = Statement {
        sql: DELETE_PROBE,
        params: vec![text(&pack.of.source), text(&pack.of.integration)],
    };
    [insert(pack, &[row]), delete]
}

fn insert(pack: &Projection, rows: &[Row]) -> Statement {
    Statement {
        sql: INSERT,
        params: vec![
            text(&pack.of.source),
            text(&pack.of.integration),
            Value::Text(json::list(rows.iter().map(Row::to_json))),
            maybe_integer(pack.epoch),
        ],
    }
}

fn older(pack: &Projection, whole: &Whole) -> Statement {
    Statement {
        sql: DELETE_OLDER,
        params: vec![
            text(&pack.of.source),
            text(&pack.of.integration),
            integer(whole.from),
            integer(whole.to),
            text(&whole.model),
            text(&whole.record_id),
            integer(whole.generation),
            maybe_integer(pack.epoch),
        ],
    }
}
