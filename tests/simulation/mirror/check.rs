//! What must be true at the end of a round.

use std::collections::BTreeMap;

use leasewire::json::Object;
use leasewire::sql::Row;

use super::plan::Round;
use super::truth::{PART, Record, UNSHOWN};
use super::{Generation, Step};
use crate::clock::MINUTE;
use crate::world::World;

type Verdict = Result<(), String>;

/// What a record that is given up stands as among those that are owed.
const GIVEN_UP: &str = "state <> 0";

impl World {
    /// A round is over.
    pub fn end_round(&mut self, round: Round) {
        let mirror = self.mirror.as_ref().unwrap();
        if !mirror.desks.iter().all(|desk| desk.rests()) {
            return self.after(MINUTE, Step::Check(round));
        }
        match self.check_mirror(round) {
            Ok(()) => self.next_round(),
            Err(why) => self.complain(format!("{round:?}: {why}")),
        }
    }

    fn check_mirror(&mut self, round: Round) -> Verdict {
        self.check_ledgers()?;
        let given_up = self.check_owed(round)?;
        self.check_records(round, &given_up)?;
        if round == Round::Silent {
            self.check_requests()?;
        }
        Ok(())
    }

    /// All that ledgers have is in D1, and told.
    fn check_ledgers(&mut self) -> Verdict {
        for ledger in 0..self.hosts.len() {
            let setup = self.setup(ledger);
            let core = self.hosts[ledger].core().map_err(|why| why.to_string())?;
            let state = core.state().map_err(|why| why.to_string())?;
            if let Some(state) = state
                && (state.confirmed_seq != state.last_seq
                    || state.dead > 0
                    || state.quarantined > 0)
            {
                return Err(format!("ledger {ledger}: {}", state.to_json()));
            }
            let owed = core.next_owed(&setup).map_err(|why| why.to_string())?;
            if let Some(owed) = owed {
                return Err(format!("ledger {ledger} hasn't told {}", owed.to_json()));
            }
        }
        Ok(())
    }

    /// Nothing is owed but what was given up, and all walks have ended. Gives
    /// what was given up, by model and id.
    fn check_owed(&mut self, round: Round) -> Result<Vec<(String, String)>, String> {
        let mut given_up = Vec::new();
        for desk in &self.mirror.as_ref().unwrap().desks {
            let text = |row: &Row, at| row.text(at).unwrap().to_owned();
            let tables = desk
                .database
                .rows("SELECT name FROM sqlite_master WHERE name = 'owed'");
            if tables.is_empty() {
                continue;
            }
            let is_all = round == Round::Silent;
            let open = if is_all { "true" } else { "state = 0" };
            let owed = format!("SELECT model, record_id, why FROM owed WHERE {open}");
            if let Some(row) = desk.database.rows(&owed).first() {
                let (model, id, why) = (text(row, 0), text(row, 1), text(row, 2));
                return Err(format!("{model} {id} is owed: {why}"));
            }
            let walks = "SELECT class, integration, model FROM walks WHERE ended_at IS NULL";
            if let Some(row) = desk.database.rows(walks).first() {
                let (class, of) = (row.number(0).unwrap(), row.number(1).unwrap());
                return Err(format!(
                    "a walk of class {class} hasn't ended: {of} {}",
                    text(row, 2)
                ));
            }
            let rows = format!("SELECT model, record_id FROM owed WHERE {GIVEN_UP}");
            let rows = desk.database.rows(&rows);
            given_up.extend(rows.iter().map(|row| (text(row, 0), text(row, 1))));
        }
        Ok(given_up)
    }

    fn check_records(&self, round: Round, given_up: &[(String, String)]) -> Verdict {
        let mirror = self.mirror.as_ref().unwrap();
        let rows = self.d1.rows(
            "SELECT source, integration, model, record_id, fields, partial, drift,
                    gone_since FROM records",
        );
        let name = |row: &Row| [0, 1, 2, 3].map(|at| row.text(at).unwrap().to_owned());
        let mut rows: BTreeMap<_, _> = rows.iter().map(|row| (name(row), row)).collect();
        let is_whole = round == Round::Silent || round == Round::Back;
        for record in &mirror.truth.records {
            let of = &mirror.truth.integrations[record.of];
            let name = [of.source, of.id, record.model, &record.id].map(str::to_owned);
            let row = rows.remove(&name);
            let was_given_up = given_up
                .iter()
                .any(|(model, id)| (model.as_str(), id) == (record.model, &record.id));
            let is_exempt = record.found > round.finds() || was_given_up;
            let is_known =
                self.knows(of.source, of.id) && (of.tells_ends() || round != Round::Back);
            if record.model == PART || !is_known || is_exempt && !is_whole {
                continue;
            }
            let row = row.ok_or_else(|| format!("{name:?} is missing"))?;
            self.check_record(round, record, row)
                .map_err(|why| format!("{name:?}: {why}"))?;
        }
        match rows.first_key_value() {
            Some((name, _)) => Err(format!("the provider has no {name:?}")),
            None => Ok(()),
        }
    }

    /// True if the gateway has heard of an integration.
    fn knows(&self, source: &str, integration: &str) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|host| {
            (host.name.0.as_str(), host.name.1.as_str()) == (source, integration)
                && !host
                    .database
                    .rows("SELECT 1 FROM sqlite_master WHERE name = 'ledger'")
                    .is_empty()
                && !host.database.rows("SELECT 1 FROM ledger").is_empty()
        })
    }

    fn check_record(&self, round: Round, record: &Record, row: &Row) -> Verdict {
        let mirror = self.mirror.as_ref().unwrap();
        let time = |ms| self.clock.true_time_at(ms);
        let shown = mirror.truth.shown(record, self.clock.now_ms, time);
        let text = row.text(4).unwrap();
        let fields = Object::parse(text).ok_or("no fields")?;
        for (name, value) in &shown {
            // Where a record is again what it was, a replica that lags looks right.
            let is_time = name == "last_seen" || name == "updated_at" && round == Round::Prompt;
            if is_time {
                continue;
            }
            let is = fields.value(name).map(|value| value.get());
            if is != Some(value) {
                return Err(format!("{name} is {is:?}, not {value}, in {text}"));
            }
        }
        let odd = fields.iter().map(|(name, _)| name);
        let odd: Vec<_> = odd
            .filter(|name| !shown.contains_key(*name) && *name != UNSHOWN)
            .collect();
        if !odd.is_empty() {
            return Err(format!("it has {odd:?} in {text}"));
        }
        let unshown = fields.value(UNSHOWN).map(|value| value.get());
        if record.said && unshown.is_none_or(|value| value == "null") {
            return Err(format!("what only webhooks tell is lost: {text}"));
        }
        // Each synchronisation sees all of them, or none because of a job that fails.
        if let Some(since) = row.maybe_text(7).unwrap() {
            return Err(format!("it counts as gone since {since}"));
        }
        match (row.flag(5).unwrap(), row.flag(6).unwrap()) {
            (false, false) => Ok(()),
            marks => Err(format!("partial and drift: {marks:?}")),
        }
    }

    /// No more was asked in a week of peace than there was to ask.
    fn check_requests(&self) -> Verdict {
        let mirror = self.mirror.as_ref().unwrap();
        let (requests, taken) = mirror.before;
        let aside = mirror.aside - mirror.aside_before;
        let asked = mirror.limit.answered() - requests - aside;
        let told = mirror.taken - taken;
        let most_aside = self.most_aside();
        if aside > most_aside {
            return Err(format!(
                "{aside} requests for what is gone and the log, and there may be {most_aside}"
            ));
        }
        let most = self.most_requests(told);
        self.say(|| format!("{asked} requests, {most} at the most"));
        if asked <= most {
            return Ok(());
        }
        Err(format!(
            "{asked} requests for {told} webhooks, and there may be {most}"
        ))
    }

    /// What is gone is asked for after a synchronisation: a list of each model, and
    /// what was seen. The log, which nobody may read, is tried daily.
    fn most_aside(&self) -> u64 {
        let mirror = self.mirror.as_ref().unwrap();
        let of_log = 9 * mirror.truth.integrations.len();
        let rows = mirror.truth.records.len();
        let of_gone = 4 * mirror.truth.integrations.len() * (pages_of(rows, mirror.plan.cap) + 1);
        (of_log + of_gone) as u64
    }

    /// A request for each webhook, and for each page: of what is read after a
    /// synchronisation, daily and weekly, of each model of each integration.
    fn most_requests(&self, told: u64) -> u64 {
        let mirror = self.mirror.as_ref().unwrap();
        let truth = &mirror.truth;
        let mut pages = 0;
        for (of, integration) in truth.integrations.iter().enumerate() {
            if !self.knows(integration.source, integration.id) {
                continue;
            }
            for model in ["leases", "residents", "units", "fees"] {
                let is = |record: &&Record| {
                    record.model == model && (record.of == of || model == "fees")
                };
                let rows = truth.records.iter().filter(is).count();
                // What is read by creation is followed by what has changed meanwhile.
                let deep = match mirror.plan.generation {
                    Generation::New => 2,
                    _ => 4,
                };
                let walks = 8 + 1 + deep;
                pages += walks * pages_of(rows, mirror.plan.cap);
            }
        }
        told + pages as u64
    }
}

/// Requests of a walk through so many records, with pages that overlap by one.
fn pages_of(rows: usize, cap: usize) -> usize {
    match rows.checked_sub(cap) {
        None | Some(0) => 1,
        // And its end once more.
        Some(more) => 2 + more.div_ceil(cap - 1),
    }
}
