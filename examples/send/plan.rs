//! What each delivery of a run is about: which record, in which state, when.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};

use crate::Arguments;
use crate::catalogue::{Dialect, Event, Record};
use crate::report::ANSWERS_SHOWN_MAX;
use crate::sample::{Moment, random_id};

/// A long run of changes goes round this many records, as real traffic does. A
/// short one stays with one record, whose states can be followed by eye.
const RECORDS_OF_LONG_RUN: usize = 25;

pub struct Plan {
    event: &'static Event,
    integration_id: String,
    /// Empty where every delivery is about a record of its own.
    record_ids: Vec<String>,
    /// The time of the last event: each is later than the one before it.
    last: DateTime<Utc>,
    same: bool,
    body: Option<String>,
}

impl Plan {
    pub fn new(
        dialect: &Dialect,
        event: &'static Event,
        arguments: &Arguments,
    ) -> Result<Self, String> {
        if arguments.integration.is_some() && !event.names_integration() {
            return Err(format!(
                "{}'s body names no integration, so the source's default one takes it: \
                 leave out --integration",
                event.name
            ));
        }
        if arguments.record.is_some() && event.record.is_none() {
            return Err(format!(
                "{} is about no record: leave out --record",
                event.name
            ));
        }
        Ok(Self {
            event,
            integration_id: arguments
                .integration
                .clone()
                .unwrap_or_else(|| dialect.integration.to_owned()),
            record_ids: record_ids(event.record.as_ref(), arguments)?,
            last: DateTime::UNIX_EPOCH,
            same: arguments.same,
            body: None,
        })
    }

    /// The body of the delivery after `number` others.
    pub fn body(&mut self, number: u64) -> Result<String, String> {
        if self.same
            && let Some(body) = &self.body
        {
            return Ok(body.clone());
        }
        let body = self.next(number)?;
        if self.same {
            self.body = Some(body.clone());
        }
        Ok(body)
    }

    fn next(&mut self, number: u64) -> Result<String, String> {
        let records = self.record_ids.len() as u64;
        let turn = number.checked_rem(records).unwrap_or(0) as usize;
        let own;
        let record_id = match (self.record_ids.get(turn), &self.event.record) {
            (Some(id), _) => id,
            (None, Some(record)) => {
                own = new_id(record)?;
                &own
            }
            (None, None) => "",
        };
        self.last = later_than(self.last);
        let moment = Moment {
            integration_id: &self.integration_id,
            record_id,
            now: self.last,
            number,
            step: number.checked_div(records).unwrap_or(0),
        };
        moment.fill(self.event.template)
    }

    /// Where the API has what was sent: the record if there is one, else the
    /// event with the number `seq`.
    pub fn api_path(&self, source: &str, seq: u64) -> String {
        let mut path = vec!["v1", "integrations", source, &self.integration_id];
        let seq = seq.to_string();
        match (self.record_ids.as_slice(), &self.event.record) {
            ([id], Some(record)) => path.extend(["records", record.model.name, id]),
            (_, Some(record)) => path.extend(["records", record.model.name]),
            (_, None) => path.extend(["events", &seq]),
        }
        crate::delivery::path(&path)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.event.names_integration() {
            write!(f, "integration {}", self.integration_id)?;
        } else {
            write!(f, "no integration named")?;
        }
        let Some(record) = &self.event.record else {
            return Ok(());
        };
        let model = record.model.name;
        match self.record_ids.as_slice() {
            [] => write!(f, ", new {model} each time"),
            [id] => write!(f, ", record {model}/{id}"),
            ids => write!(f, ", {} records of {model}", ids.len()),
        }
    }
}

fn record_ids(record: Option<&Record>, arguments: &Arguments) -> Result<Vec<String>, String> {
    if let Some(id) = &arguments.record {
        return Ok(vec![id.clone()]);
    }
    let Some(record) = record else {
        return Ok(Vec::new());
    };
    if arguments.count == 1 || arguments.same {
        return Ok(vec![new_id(record)?]);
    }
    if record.creates {
        return Ok(Vec::new());
    }
    let long = arguments.count > ANSWERS_SHOWN_MAX;
    let records = if long { RECORDS_OF_LONG_RUN } else { 1 };
    (0..records).map(|_| new_id(record)).collect()
}

fn new_id(record: &Record) -> Result<String, String> {
    Ok(format!("{}{}", record.model.id_prefix, random_id()?))
}

/// The clock's time, or a millisecond after the last event's: states that
/// follow each other must not carry one time.
fn later_than(last: DateTime<Utc>) -> DateTime<Utc> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    let clock = DateTime::from_timestamp_millis(i64::try_from(millis).unwrap_or(0));
    let next = last.checked_add_signed(TimeDelta::milliseconds(1));
    clock.max(next).unwrap_or(last)
}
