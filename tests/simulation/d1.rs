//! Batches of D1, which fail before they have their effect, or after, or are
//! not answered; and those with a poisoned event, which always fail.

use leasewire::sql::Statement;
use leasewire::sql::Value;

use crate::bugs::Bug;
use crate::clock::{MINUTE, SECOND};
use crate::faults::{Trouble, is_down};
use crate::world::{Step, World};

/// Makes D1 refuse the record's state after the events with these numbers; the
/// error tells whose fault it is, or not.
pub const POISON: &str = "
    CREATE TABLE poison (version INTEGER PRIMARY KEY, tells INTEGER);
    CREATE TRIGGER telling BEFORE INSERT ON records
      WHEN (SELECT tells FROM poison WHERE version = new.version)
      BEGIN SELECT RAISE(ABORT, 'D1_ERROR: poisoned: SQLITE_CONSTRAINT'); END;
    CREATE TRIGGER dumb BEFORE INSERT ON records
      WHEN (SELECT NOT tells FROM poison WHERE version = new.version)
      BEGIN SELECT RAISE(ABORT, 'D1_ERROR: poisoned'); END";

/// An error that says nothing, and that any batch may meet.
pub const ODD: &str = "D1_ERROR: something is odd";
/// Queries that the platform allows to one invocation.
const QUERIES_MAX: usize = 1_000;
/// Bytes that a value may have where D1 is full.
const FREE_BYTES: usize = 150;

impl World {
    /// One batch of D1: what is heard of it, and after how many milliseconds.
    /// `queries` counts the invocation's.
    pub fn run_in_d1(
        &mut self,
        statements: Vec<Statement>,
        queries: &mut usize,
    ) -> (Result<(), String>, u64) {
        *queries += statements.len();
        if *queries > QUERIES_MAX {
            self.complain(format!("{queries} queries in one invocation"));
        }
        if is_down(self.faults.d1_down, self.clock.now_ms) {
            return self.run_in_trouble(statements);
        }
        if !self.random.chance(self.faults.d1) {
            let done = self.d1.batch(&statements).map_err(|error| error.0);
            return (done, self.random.between(5, 100));
        }
        let lost = || Err("Network connection lost.".to_owned());
        let hung = || Err("no answer within 10000 ms".to_owned());
        match self.random.below(5) {
            // It worked, and nobody hears of it.
            0 => {
                let _ = self.d1.batch(&statements);
                (lost(), 50)
            }
            // It works when nobody waits for it any more.
            1 => {
                let late_ms = self.random.below(MINUTE);
                self.clock.after(late_ms, Step::Write(statements));
                (hung(), 10 * SECOND)
            }
            2 => (hung(), 10 * SECOND),
            3 if self.faults.d1_odd => (Err(ODD.to_owned()), 50),
            _ => (lost(), 50),
        }
    }

    /// The same while D1 is in trouble.
    fn run_in_trouble(&mut self, statements: Vec<Statement>) -> (Result<(), String>, u64) {
        let is_probe = statements.iter().any(|one| one.sql.contains("model = ''"));
        let refused = |text: &str| Err(text.to_owned());
        let (outcome, after_ms) = match self.faults.d1_trouble {
            Trouble::Away => match self.random.below(3) {
                0 => (refused("no answer within 10000 ms"), 10 * SECOND),
                1 => (refused("D1_ERROR: Network connection lost."), 50),
                _ => (
                    refused("D1_ERROR: Internal error in D1 DB storage caused object to be reset."),
                    50,
                ),
            },
            Trouble::Busy if self.random.chance(800) => (
                refused("D1_ERROR: D1 DB is overloaded. Requests queued for too long."),
                9 * SECOND,
            ),
            Trouble::Unmigrated => (
                refused("D1_ERROR: no such column: generation: SQLITE_ERROR"),
                20,
            ),
            Trouble::Full if statements.iter().any(is_large) => (
                refused("D1_ERROR: database or disk is full: SQLITE_FULL"),
                20,
            ),
            Trouble::Busy | Trouble::Full => {
                let done = self.d1.batch(&statements).map_err(|error| error.0);
                (done, 100)
            }
            Trouble::Slow => {
                let done = self.d1.batch(&statements).map_err(|error| error.0);
                (done, self.random.between(3 * SECOND, 9 * SECOND))
            }
        };
        let is_misjudged = match self.bug {
            Some(Bug::OutageQuarantines) => self.faults.d1_trouble != Trouble::Full,
            Some(Bug::FullQuarantines) => self.faults.d1_trouble == Trouble::Full,
            _ => false,
        };
        match outcome {
            Err(_) if is_misjudged && is_probe => (Ok(()), after_ms),
            Err(why) if is_misjudged => (
                Err(format!("{ODD}: SQLITE_CONSTRAINT: {}", why.len())),
                after_ms,
            ),
            outcome => (outcome, after_ms),
        }
    }
}

fn is_large(statement: &Statement) -> bool {
    let large = |value: &Value| matches!(value, Value::Text(text) if text.len() > FREE_BYTES);
    statement.params.iter().any(large)
}
