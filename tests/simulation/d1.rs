//! Batches of D1, which fail before they have their effect, or after, or are
//! not answered; and those with a poisoned event, which always fail.

use leasewire::projection::Statement;

use crate::clock::{MINUTE, SECOND};
use crate::faults::is_down;
use crate::world::{Step, World};

/// Makes D1 refuse the record's state after the events with these numbers.
pub const POISON: &str = "
    CREATE TABLE poison (version INTEGER PRIMARY KEY);
    CREATE TRIGGER poisoned BEFORE INSERT ON records
      WHEN new.version IN (SELECT version FROM poison)
      BEGIN SELECT RAISE(ABORT, 'poisoned'); END";

impl World {
    /// One batch of D1: whether it is heard to have worked, and after how
    /// many milliseconds.
    pub fn run_in_d1(&mut self, statements: Vec<Statement>) -> (bool, u64) {
        let down = is_down(self.faults.d1_down, self.clock.now_ms);
        if !down && !self.random.chance(self.faults.d1) {
            let worked = self.d1.batch(&statements).is_ok();
            return (worked, self.random.between(5, 100));
        }
        match self.random.below(4) {
            // It worked, and nobody hears of it.
            0 if !down => {
                let _ = self.d1.batch(&statements);
                (false, 50)
            }
            // It works when nobody waits for it any more.
            1 if !down => {
                let late_ms = self.random.below(MINUTE);
                self.clock.after(late_ms, Step::Write(statements));
                (false, 10 * SECOND)
            }
            2 => (false, 10 * SECOND),
            _ => (false, 50),
        }
    }
}
