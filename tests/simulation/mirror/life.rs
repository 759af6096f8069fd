//! What happens at the provider: synchronisations find what is new and what has
//! changed, and tell of it in parts, or not at all.

use leasewire::time::Timestamp;

use super::Step;
use super::truth::{Found, PART, Record, State, UNSHOWN, part_fields};
use super::webhooks::Says;
use crate::clock::{MINUTE, SECOND};
use crate::fact::Fields;
use crate::world::World;

/// Something that happens in an integration.
#[derive(Debug, Clone, Copy)]
pub enum Happening {
    /// Records are read for the first time, and no webhook tells of them.
    First(usize),
    /// A synchronisation with so many changes.
    Sync(usize, u64, Heard),
    /// One that reads everything anew, without webhooks of its changes.
    Back(usize, u64, Heard),
    /// Its end is told.
    End(usize, bool, Heard),
    /// A record is changed, and nothing tells of it but the record itself.
    Unheard(usize),
    /// Not even that.
    Silent(usize),
    /// A part changes; its parents do, and their times stay.
    Part(usize),
}

/// Whether webhooks arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Some are lost.
    Perhaps,
    Surely,
}

impl World {
    pub fn happen(&mut self, happening: Happening) {
        self.say(|| format!("provider: {happening:?}"));
        match happening {
            Happening::First(of) => {
                for _ in 0..self.mirror.as_ref().unwrap().plan.records {
                    self.make(of, None);
                }
                self.synced(of);
                if self.tells_ends(of) {
                    self.tell_end(of, "FIRST_SYNC_COMPLETE", false, false);
                }
            }
            Happening::Sync(of, changes, heard) => {
                // One stamp for all.
                let stamp = self.stamp();
                for _ in 0..changes {
                    self.change(of, stamp, heard);
                }
                self.synced(of);
                let after_ms = match heard {
                    Heard::Surely => 2 * MINUTE,
                    Heard::Perhaps => self.random.below(20 * SECOND),
                };
                self.after(after_ms, Step::Happen(Happening::End(of, false, heard)));
            }
            Happening::Back(of, changes, heard) => {
                for _ in 0..changes {
                    let stamp = self.random.chance(500).then(|| self.stamp());
                    self.change_unheard(of, stamp);
                }
                self.synced(of);
                // What is read at once may be of a replica that lags.
                let end = Step::Happen(Happening::End(of, true, heard));
                self.after(2 * MINUTE, end);
            }
            Happening::End(of, is_back, heard) if self.tells_ends(of) => {
                if heard == Heard::Surely {
                    self.is_found(of, is_back);
                }
                self.tell_end(of, "SYNC_COMPLETE", is_back, heard == Heard::Surely);
            }
            Happening::End(..) => {}
            Happening::Unheard(of) => {
                let stamp = self.stamp();
                self.change_unheard(of, Some(stamp));
            }
            Happening::Silent(of) => self.change_unheard(of, None),
            Happening::Part(of) => self.change_part(of),
        }
    }

    pub fn tells_ends(&self, of: usize) -> bool {
        self.mirror.as_ref().unwrap().truth.integrations[of].tells_ends()
    }

    /// Who hears of the end of a synchronisation looks for what has changed, or for
    /// everything.
    fn is_found(&mut self, of: usize, is_back: bool) {
        for record in &mut self.mirror.as_mut().unwrap().truth.records {
            if record.of == of && (is_back || record.found == Found::Daily) {
                record.found = Found::Soon;
            }
        }
    }

    fn synced(&mut self, of: usize) {
        let now_ms = self.clock.now_ms;
        let integration = &mut self.mirror.as_mut().unwrap().truth.integrations[of];
        integration.seen_ms.push(now_ms);
    }

    /// When a synchronisation stamps what it finds: some time before it is shown.
    fn stamp(&mut self) -> Timestamp {
        let before_ms = self.random.below(20 * SECOND).min(self.clock.now_ms);
        self.clock.true_time_at(self.clock.now_ms - before_ms)
    }

    /// A new record, of which a webhook may tell.
    fn make(&mut self, of: usize, told: Option<(Timestamp, Heard)>) {
        let stamp = told.map_or(self.clock.true_time(), |(stamp, _)| stamp);
        let mirror = self.mirror.as_mut().unwrap();
        let model = self.random.pick(mirror.plan.models);
        let at = mirror.truth.records.len();
        let parents = mirror.truth.of(of);
        let parent = |model: &str| {
            let records = &mirror.truth.records;
            let mut found = parents.iter().filter(|at| records[**at].model == model);
            found.next().map(|at| records[*at].id.clone())
        };
        let mut fields = Fields::new();
        if model == PART {
            let (Some(lease), Some(resident)) = (parent("leases"), parent("residents")) else {
                return;
            };
            fields.insert("lease_id".to_owned(), format!("\"{lease}\""));
            fields.insert("resident_id".to_owned(), format!("\"{resident}\""));
            fields.insert("role".to_owned(), "\"a\"".to_owned());
        } else {
            for name in ["status", "rent_in_cents", "note"] {
                fields.insert(name.to_owned(), "null".to_owned());
            }
        }
        if let Some((_, shown_as)) = part_fields(model) {
            fields.insert(shown_as.to_owned(), "[]".to_owned());
        }
        // A name may need to be encoded in a path.
        let id = match self.random.below(8) {
            0 => format!("{} {at}/é", &model[..2]),
            _ => format!("{}{at}", &model[..2]),
        };
        let now_ms = self.clock.now_ms;
        let state = State::new(stamp, fields.clone());
        let mut record = Record::new(of, model, id, now_ms, state);
        record.found = found(
            Some(stamp),
            told.is_some_and(|(_, heard)| heard == Heard::Surely),
        );
        self.mirror.as_mut().unwrap().truth.records.push(record);
        if model == PART {
            self.show_parts(at, Some(stamp), Heard::Perhaps);
        }
        let Some((_, heard)) = told else {
            return;
        };
        // What the API alone shows no webhook tells.
        fields.retain(|name, _| !name.ends_with("meta_data"));
        let mut payload = fields;
        if model != PART && self.random.chance(300) {
            payload.retain(|name, _| name == "status");
        }
        payload.insert(UNSHOWN.to_owned(), "\"new\"".to_owned());
        self.tell_of(at, Says::New(payload), heard == Heard::Surely);
    }

    /// Something is new or changes, and a webhook tells of it, if it isn't lost.
    fn change(&mut self, of: usize, stamp: Timestamp, heard: Heard) {
        let records = self.mirror.as_ref().unwrap().truth.of(of);
        if records.is_empty() || self.random.chance(200) {
            return self.make(of, Some((stamp, heard)));
        }
        let at = self.random.pick(&records);
        let is_unheard = heard == Heard::Perhaps && self.random.chance(50);
        let (previous, mut new) = self.change_record(at, Some(stamp), heard);
        if heard == Heard::Surely {
            self.say_whose_part(at, &mut new);
        }
        if is_unheard || new.is_empty() {
            return;
        }
        self.tell_of(at, Says::Changed { previous, new }, heard == Heard::Surely);
        // It is the same again: what comes late looks like nothing.
        if self.random.chance(100) {
            let (previous, new) = self.change_record(at, Some(stamp), heard);
            self.tell_of(at, Says::Changed { previous, new }, heard == Heard::Surely);
        }
    }

    fn change_unheard(&mut self, of: usize, stamp: Option<Timestamp>) {
        let truth = &self.mirror.as_ref().unwrap().truth;
        let mut records = truth.of(of);
        records.retain(|at| truth.records[*at].model != PART);
        if !records.is_empty() {
            let at = self.random.pick(&records);
            self.change_record(at, stamp, Heard::Perhaps);
        }
    }

    fn change_part(&mut self, of: usize) {
        let truth = &self.mirror.as_ref().unwrap().truth;
        let mut parts = truth.of(of);
        parts.retain(|at| truth.records[*at].model == PART);
        if parts.is_empty() {
            return;
        }
        let at = self.random.pick(&parts);
        let (previous, mut new) = self.change_record(at, None, Heard::Surely);
        self.say_whose_part(at, &mut new);
        self.tell_of(at, Says::Changed { previous, new }, true);
    }

    /// A difference may lack whose part it is, and then nobody knows; where it is
    /// to be known, it has that.
    fn say_whose_part(&self, at: usize, new: &mut Fields) {
        let record = &self.mirror.as_ref().unwrap().truth.records[at];
        if record.model == PART {
            for name in ["lease_id", "resident_id"] {
                new.insert(name.to_owned(), record.now().fields[name].clone());
            }
        }
    }

    /// Changes a record: the fields before and after, as webhooks tell of them.
    fn change_record(
        &mut self,
        at: usize,
        stamp: Option<Timestamp>,
        heard: Heard,
    ) -> (Fields, Fields) {
        let now_ms = self.clock.now_ms;
        let record = &self.mirror.as_ref().unwrap().truth.records[at];
        let before = record.now().clone();
        let is_part = record.model == PART;
        let mut fields = before.fields.clone();
        let names: &[&str] = match is_part {
            true => &["role"],
            false => &["status", "rent_in_cents", "note"],
        };
        let (first, count) = (self.random.below(3), self.random.between(1, 2));
        for at in first..first + count.min(names.len() as u64) {
            let name = names[at as usize % names.len()];
            let others = values(name).iter().filter(|value| **value != fields[name]);
            let others: Vec<&str> = others.copied().collect();
            let value = self.random.pick(&others);
            fields.insert(name.to_owned(), value.to_owned());
        }
        let mirror = self.mirror.as_mut().unwrap();
        let record = &mut mirror.truth.records[at];
        record.found = found(stamp, heard == Heard::Surely);
        record.change(now_ms, stamp, fields.clone());
        if is_part {
            self.show_parts(at, stamp, heard);
        }
        let is = |name: &String, of: &Fields| of.get(name).cloned();
        let changed = fields
            .keys()
            .filter(|name| is(name, &before.fields) != is(name, &fields));
        let changed: Vec<String> = changed.cloned().collect();
        let of = |from: &Fields| -> Fields {
            let said = changed
                .iter()
                .map(|name| (name.clone(), from[name].clone()));
            said.collect()
        };
        let (mut previous, mut new) = (of(&before.fields), of(&fields));
        let mirror = self.mirror.as_ref().unwrap();
        if let (true, Some(stamp)) = (mirror.plan.are_dated, stamp) {
            let time = |time| format!("\"{}\"", leasewire::provider::written(time));
            previous.insert("updated_at".to_owned(), time(before.updated_at));
            new.insert("updated_at".to_owned(), time(stamp));
        }
        if self.random.chance(200) && !new.is_empty() {
            let made = self.random.below(3);
            new.insert(UNSHOWN.to_owned(), format!("\"{made}\""));
        }
        (previous, new)
    }

    /// The parents of the part at `at` show it as it is now; whether their times
    /// move is the provider's secret.
    fn show_parts(&mut self, at: usize, stamp: Option<Timestamp>, heard: Heard) {
        let now_ms = self.clock.now_ms;
        let mirror = self.mirror.as_mut().unwrap();
        let stamp = stamp.filter(|_| mirror.plan.parts_touch);
        // Nothing shows that a parent is one of a replica that lags.
        let is_soon = heard == Heard::Surely && mirror.trouble.lags == 0;
        for parent in mirror.truth.parents_of(at) {
            let Some((name, value)) = mirror.truth.parts_of(parent) else {
                continue;
            };
            let record = &mut mirror.truth.records[parent];
            let mut fields = record.now().fields.clone();
            fields.insert(name.to_owned(), value);
            record.found = found(stamp, is_soon);
            record.change(now_ms, stamp, fields);
        }
    }
}

/// When a change of that time is found, of which a webhook tells or not.
fn found(stamp: Option<Timestamp>, is_told: bool) -> Found {
    match (is_told, stamp) {
        (true, _) => Found::Soon,
        (false, Some(_)) => Found::Daily,
        (false, None) => Found::Weekly,
    }
}

fn values(name: &str) -> &'static [&'static str] {
    match name {
        "status" | "role" => &["\"a\"", "\"b\"", "null"],
        "rent_in_cents" => &["750000.0", "18014398509481985", "null"],
        _ => &["[\"é\",{\"n\":1}]", "\"x\"", "null"],
    }
}
