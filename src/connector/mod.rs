//! The connector: it asks a provider's API for what webhooks don't tell.
//!
//! There is one for each account key. What it owns: which records are owed, how
//! far each walk through a list is, and the account's pace. What makes the
//! mirror converge is one invariant: a record is owed from its last event until
//! a read that began after that event has been merged. So the number that a
//! read is compared with is kept when the request is handed out, never when the
//! answer comes; and nothing moves on before the ledger has merged what was read.
//!
//! Like a ledger it moves no bytes and knows no clock: it returns which request
//! is next, is told the answer, and returns what the ledger is to merge. What is
//! under way is lost with the memory, and asked for again.
//!
//! After an error of the storage its memory may say something else than the
//! tables: it is to be opened anew.

mod answer;
mod call;
mod change_log;
mod comparing;
mod direct;
mod failing;
mod figures;
mod flight;
mod hand_out;
mod integrations;
mod merged;
mod models;
mod owed;
mod pace;
mod read;
mod report;
mod schedule;
mod sorted;
mod told;
mod unseen;
mod walk;
mod walks;

use std::rc::Rc;

pub use answer::{Answer, Failure, Then};
pub use call::{Call, name};
use change_log::ChangeLogs;
pub use direct::{Direct, DirectAnswer};
use figures::Figures;
pub use figures::OUTCOMES;
use flight::Flights;
use integrations::Integrations;
use models::Known;
use owed::Debts;
use pace::Pace;
use schedule::Turns;
pub use schedule::{Next, Request};
use unseen::Gathered;
pub use walks::Class;
use walks::Walks;

use crate::provider::Api;
use crate::sql::{Param, Sql, SqlError};
use crate::time::Timestamp;

/// Version of the tables that this code makes.
const SCHEMA_VERSION: u64 = 1;
/// The oldest version whose code may go on with them.
const MIN_VERSION: u64 = 1;
/// How many of the last failures are kept.
const FAILURES_KEPT: i64 = 100;
/// Longest body that is read.
pub const BODY_BYTES_MAX: usize = 8_000_000;
/// Requests that are under way at once. The platform allows six.
pub const IN_FLIGHT_MAX: usize = 4;

/// How the sources are set up today: the API of the one of that name.
pub type Setups<'a> = &'a dyn Fn(&str) -> Option<Rc<Api>>;

/// The connector of one account key on the storage `S`.
pub struct Connector<S> {
    sql: S,
    is_made: bool,
    books: Books,
}

/// All that it knows, as the tables have it.
#[derive(Default)]
struct Books {
    /// Its own; empty until it is called for the first time.
    name: String,
    /// It was opened, and has asked for nothing since.
    is_fresh: bool,
    pace: Pace,
    integrations: Integrations,
    known: Known,
    debts: Debts,
    walks: Walks,
    gathered: Option<Gathered>,
    change_logs: ChangeLogs,
    flights: Flights,
    turns: Turns,
    figures: Figures,
}

impl<S: Sql> Connector<S> {
    /// Opens the connector on `sql`. Nothing is written before it has something
    /// to do. An error also if a newer version has made its tables.
    pub fn open(sql: S) -> Result<Self, SqlError> {
        let made = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'connector'";
        let is_made = !sql.query(made, &[])?.is_empty();
        let books = match is_made {
            true => Books::load(&sql)?,
            false => Books::default(),
        };
        Ok(Self {
            sql,
            is_made,
            books,
        })
    }

    /// Runs `work` in one transaction, on tables that it makes if there are none.
    fn commit<T>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&S, &mut Books) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let Self {
            sql,
            is_made,
            books,
        } = self;
        let is_new = !*is_made;
        let done = sql.transaction(|| {
            if is_new {
                sql.execute(include_str!("schema.sql"), &[])?;
                sql.execute(
                    "INSERT INTO connector (id, schema_version, min_version, name)
                     VALUES (1, ?1, ?2, ?3)",
                    &[
                        SCHEMA_VERSION.into(),
                        MIN_VERSION.into(),
                        books.name.as_str().into(),
                    ],
                )?;
            }
            work(sql, books)
        })?;
        *is_made = true;
        books.figures.outdate(now);
        Ok(done)
    }
}

impl Books {
    fn load(sql: &impl Sql) -> Result<Self, SqlError> {
        let one = "SELECT schema_version, min_version, window_at, used, paused_until, name
                   FROM connector";
        let rows = sql.query(one, &[])?;
        let Some(row) = rows.first() else {
            return Ok(Self::default());
        };
        if row.number(1)? > SCHEMA_VERSION {
            let version = row.number(0)?;
            return Err(SqlError(format!(
                "the connector's tables have version {version}, this code knows {SCHEMA_VERSION}"
            )));
        }
        let time = |at| row.integer(at).map(Timestamp::from_us);
        let debts = Debts::load(sql)?;
        let mut integrations = Integrations::load(sql)?;
        for (number, known) in integrations.0.iter_mut() {
            known.seq = known.seq.max(debts.told_seq(*number));
        }
        Ok(Self {
            name: row.text(5)?.to_owned(),
            is_fresh: true,
            pace: Pace::load(time(2)?, models::small(row, 3)?, time(4)?),
            integrations,
            known: Known::load(sql)?,
            debts,
            walks: Walks::load(sql)?,
            gathered: None,
            change_logs: ChangeLogs::load(sql)?,
            flights: Flights::default(),
            turns: Turns::default(),
            figures: Figures::load(sql)?,
        })
    }

    /// The API of a source. One that has got another key is another connector's.
    fn api(&self, setups: Setups, source: &str) -> Option<Rc<Api>> {
        let is_own = |api: &Rc<Api>| self.name.is_empty() || self.name == name(api);
        setups(source).filter(is_own)
    }

    /// Notes what went wrong, for whoever looks.
    fn note(
        &self,
        sql: &impl Sql,
        integration: u64,
        model: &str,
        id: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let Some(known) = self.integrations.0.get(&integration) else {
            return Ok(());
        };
        let of: [Param; 6] = [
            now.us().into(),
            known.of.source.as_str().into(),
            known.of.integration.as_str().into(),
            model.into(),
            id.into(),
            why.into(),
        ];
        sql.execute(
            "INSERT INTO failures (at, source, integration, model, record_id, why)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &of,
        )?;
        sql.execute(
            "DELETE FROM failures WHERE number <= (SELECT max(number) FROM failures) - ?1",
            &[FAILURES_KEPT.into()],
        )
    }
}
