//! When units turned from vacant to occupied, or back, computed the slow way.

use leasewire::record::occupancy::POINTS_MAX;

use crate::fact::{Change, Fact, Fields};
use crate::reference::State;

/// Time and key of an event, and whether the unit was occupied before it and
/// is since, where it says so.
type Said = (i64, [u8; 16], Option<bool>, Option<bool>);

/// Events, each with what was before it, that a ledger is sure to remember.
const EVENTS_MAX: usize = POINTS_MAX / 2;

/// All that was ever said of a unit: where events have a time, in its order.
#[derive(Default)]
pub struct Unit {
    said: Vec<Said>,
}

impl Unit {
    /// The notices that an event brings, unless nobody has to know: `known` is the record before it,
    /// `next` with it folded in, unless it is late. `among` are the keys of the
    /// events of its time, the oldest first.
    pub fn add(
        &mut self,
        fact: &Fact,
        change: &Change,
        known: Option<&State>,
        next: Option<&State>,
        among: &[[u8; 16]],
    ) -> Option<Vec<&'static str>> {
        let is_new = self
            .said
            .iter()
            .all(|said| (said.2, said.3) == (None, None));
        let known = known.map(|known| known.fields.clone()).unwrap_or_default();
        let folded = next.and_then(|next| occupied(&next.fields));
        let (before, now) = match change {
            Change::Whole { fields, before, .. } => {
                let mut was = fields.clone();
                was.extend(before.clone());
                let before = occupied(&was).filter(|_| concerns(before));
                (before, occupied(fields))
            }
            // It says nothing of it, whatever a creation that came late has
            // filled in.
            Change::Diff { previous, new } if !concerns(previous) && !concerns(new) => (None, None),
            Change::Diff { previous, .. } => {
                let mut was = known;
                was.extend(previous.clone());
                let stated = says(&was).filter(|(by, _)| previous.contains_key(*by));
                (stated.map(|(_, is)| is), folded)
            }
            // Whatever is known came after it.
            Change::Sparse(_) => (None, folded.filter(|_| is_new)),
        };
        let Some(us) = fact.occurred_us else {
            let last = self.said.iter().rev().find_map(|said| said.3.or(said.2));
            self.said.push((0, [0; 16], before, now));
            let turned = now.filter(|now| before.or(last).is_some_and(|before| before != *now));
            return Some(turned.map(name).into_iter().collect());
        };
        let (occupied, vacated) = self.turns();
        let has = |said: &Said| (said.0, said.1) == (us, fact.identity.key);
        if !self.said.iter().any(has) {
            self.said.push((us, fact.identity.key, before, now));
        }
        // What nothing is said of is older.
        let place = |key: &[u8; 16]| among.iter().position(|of| of == key);
        self.said.sort_by_key(|(at, key, ..)| {
            let place = (*at == us).then(|| place(key)).flatten();
            (*at, place)
        });
        let (occupied_now, vacated_now) = self.turns();
        let new = |is: bool, count: usize| vec![name(is); count];
        let notices = [
            new(true, occupied_now.saturating_sub(occupied)),
            new(false, vacated_now.saturating_sub(vacated)),
        ];
        (self.said.len() <= EVENTS_MAX).then(|| notices.concat())
    }

    /// How often it was occupied and vacated, with all that was said in the
    /// order of time.
    fn turns(&self) -> (usize, usize) {
        let states: Vec<bool> = self
            .said
            .iter()
            .flat_map(|(_, _, before, now)| [*before, *now])
            .flatten()
            .collect();
        let turns = |to: bool| {
            let pairs = states.windows(2);
            pairs
                .filter(|pair| pair[0] != pair[1] && pair[1] == to)
                .count()
        };
        (turns(true), turns(false))
    }
}

fn name(occupied: bool) -> &'static str {
    if occupied {
        "unit.occupied"
    } else {
        "unit.vacated"
    }
}

/// True if any of the fields that can say it is there.
fn concerns(fields: &Fields) -> bool {
    let mut names = ["status", "is_vacant", "current_lease"].iter();
    names.any(|name| fields.contains_key(*name))
}

fn occupied(fields: &Fields) -> Option<bool> {
    says(fields).map(|(_, is)| is)
}

/// Which field says whether it is occupied, and what it says.
fn says(fields: &Fields) -> Option<(&'static str, bool)> {
    let value = |name: &str| fields.get(name).map(String::as_str);
    match (value("status"), value("is_vacant")) {
        (Some("\"vacant\"" | "\"Vacant-Ready\""), _) => Some(("status", false)),
        (Some("\"occupied\""), _) => Some(("status", true)),
        (_, Some("true")) => Some(("is_vacant", false)),
        (_, Some("false")) => Some(("is_vacant", true)),
        _ => Some(("current_lease", value("current_lease")? != "null")),
    }
}
