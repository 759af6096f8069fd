//! Occupancy: when a unit goes from vacant to occupied, or back.
//!
//! Each such turn is noticed once, whatever is repeated, late or replayed.
//! Where events carry their own time, a unit's known states stand in the order
//! of that time, and within one time in the order in which the events change
//! the record (decision 7). An event adds what it says: how the unit is, and
//! how it was right before, where the provider states that. A turn is where two
//! neighbours differ, so a late event between two equal states reveals two
//! turns, and one between two different ones none: they were noticed already.
//! The same events make the same number of turns in any order.
//!
//! Where events carry no time, a change that the provider states, from vacant
//! to occupied, is a turn, in whichever order it comes. Where it states none,
//! the state is compared with the last one that was known, whatever says
//! neither in between.

use std::borrow::Cow;

use crate::json::{self, Object, Value, Writer};
use crate::signature::DedupeKey;
use crate::sql::SqlError;
use crate::time::Timestamp;

/// The model of records that are vacant or occupied.
pub const MODEL: &str = "units";

/// Fields that say it, in the order in which they are believed.
const FIELDS: [&str; 3] = ["status", "is_vacant", "current_lease"];

/// Known states of a unit. An event that is older than all of them, of a unit
/// that had more, reveals no turn.
pub const POINTS_MAX: usize = 256;

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// Nobody lives there.
    Vacant,
    /// Somebody does.
    Occupied,
}

impl Occupancy {
    /// What a unit's `fields` say: `status` where its first word is `vacant`,
    /// `unoccupied` or `occupied`; else `is_vacant`; else whether there is a
    /// `current_lease`. `None` if they don't say.
    pub fn of(fields: &Object) -> Option<Self> {
        Self::said(fields).map(|(_, state)| state)
    }

    /// The same, where one of the fields in `stated` is what says it.
    pub fn of_stated(fields: &Object, stated: &Object) -> Option<Self> {
        let (name, state) = Self::said(fields)?;
        stated.value(name).map(|_| state)
    }

    /// Which field says it, and what.
    fn said(fields: &Object) -> Option<(&'static str, Self)> {
        let [status, is_vacant, lease] = FIELDS;
        let by_status = fields.text(status).and_then(|word| Self::named(&word));
        let by_flag = || fields.flag(is_vacant).map(Self::vacant_if);
        let by_lease = || {
            let lease = fields.value(lease)?;
            Some(Self::vacant_if(matches!(lease.get(), "null" | "\"\"")))
        };
        by_status
            .map(|state| (status, state))
            .or_else(|| Some((is_vacant, by_flag()?)))
            .or_else(|| Some((lease, by_lease()?)))
    }

    /// What a unit was before an event, where `changes`, fields with their
    /// `old` values, say anything of it; `fields` are those after it.
    pub fn before(fields: &Object, changes: &Object) -> Option<Self> {
        let mut before = Object::default();
        let mut is_stated = false;
        for name in FIELDS {
            let old = changes
                .object(name)
                .map(|change| change.value("old").unwrap_or(json::null()));
            is_stated |= old.is_some();
            if let Some(value) = old.or(fields.value(name)) {
                before.set(name, value);
            }
        }
        Self::of(&before).filter(|_| is_stated)
    }

    /// True if one of `changes` has a field that can say it.
    pub fn concerns(changes: &[&Object]) -> bool {
        let mut names = FIELDS.iter();
        names.any(|name| changes.iter().any(|fields| fields.value(name).is_some()))
    }

    fn named(status: &str) -> Option<Self> {
        let status = status.trim().to_ascii_lowercase();
        let mut words = status.split(|letter: char| !letter.is_ascii_alphanumeric());
        match words.next()? {
            "vacant" | "unoccupied" => Some(Self::Vacant),
            "occupied" => Some(Self::Occupied),
            _ => None,
        }
    }

    fn vacant_if(is_vacant: bool) -> Self {
        if is_vacant {
            Self::Vacant
        } else {
            Self::Occupied
        }
    }

    /// The notice of a turn to it.
    pub fn notice(self) -> &'static str {
        match self {
            Self::Vacant => "unit.vacated",
            Self::Occupied => "unit.occupied",
        }
    }

    /// What the notice `name` says a unit turned to.
    fn noticed(name: &str) -> Option<Self> {
        let mut all = [Self::Vacant, Self::Occupied].into_iter();
        all.find(|one| one.notice() == name)
    }
}

/// A turn of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// What it is since.
    pub to: Occupancy,
    /// Since when, as far as is known when it is noticed.
    pub at: Timestamp,
}

/// What an event says of a unit.
pub struct Sight<'a> {
    /// What it was right before.
    pub before: Option<Occupancy>,
    /// What it is.
    pub now: Option<Occupancy>,
    /// The event's own time, and its dedupe key, which tells events of the
    /// same time apart.
    pub occurred: Option<(Timestamp, DedupeKey)>,
    /// Keys of the events of that time, its own among them, the oldest first;
    /// without them it comes last.
    pub among: &'a [DedupeKey],
    /// When it was received.
    pub received_at: Timestamp,
}

/// A unit's known states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    points: Vec<Point>,
    /// There were older ones.
    is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    at: Timestamp,
    /// Which event says it: the beginning of its key. The last bit tells how
    /// things were before the event, 0, from how they are since, 1.
    id: u32,
    state: Occupancy,
}

/// Microseconds, id and state.
const POINT_BYTES: usize = 13;
/// The same, and the nanoseconds beyond them.
const WIDE_POINT_BYTES: usize = 15;

/// Bits of the first byte: there were older points, and those that follow are
/// wide ones. Version 0.1.0 knows the first alone, so points are wide only
/// where nanoseconds ask for it.
const IS_CUT: u8 = 1;
const IS_WIDE: u8 = 2;

impl Timeline {
    /// Adds what an event says; returns the turns that are new.
    pub fn add(&mut self, sight: &Sight) -> Vec<Turn> {
        let Some((at, key)) = sight.occurred else {
            return self.add_timeless(sight).into_iter().collect();
        };
        let id = id(key);
        let was = sight.before.map(|state| Point { at, id, state });
        let is = sight.now.map(|state| Point {
            at,
            id: id | 1,
            state,
        });
        self.insert(was.into_iter().chain(is).collect(), at, sight.among)
    }

    /// The last known state is all that there is to compare with.
    fn add_timeless(&mut self, sight: &Sight) -> Option<Turn> {
        let at = sight.received_at;
        let before = sight.before.or(self.points.last().map(|last| last.state));
        let state = sight.now.or(sight.before)?;
        self.points = Vec::from([Point { at, id: 0, state }]);
        let turned = sight.now.is_some() && before.is_some_and(|before| before != state);
        turned.then_some(Turn { to: state, at })
    }

    /// Puts what the event at `at` has `said` among what is known of that time,
    /// all of it in the order of `among`: an event that says nothing of the unit
    /// can still show which of two others came first.
    fn insert(&mut self, mut said: Vec<Point>, at: Timestamp, among: &[DedupeKey]) -> Vec<Turn> {
        let from = self.points.partition_point(|point| point.at < at);
        let to = self.points.partition_point(|point| point.at <= at);
        let known = self.points.get(from..to).unwrap_or_default();
        let before = from.checked_sub(1).and_then(|at| self.points.get(at));
        said.retain(|new| known.iter().all(|point| point.event() != new.event()));
        let among: Vec<u32> = among.iter().map(|key| id(*key)).collect();
        let all = [known, &said].concat();
        // What the order says nothing of is older.
        let older = all.iter().filter(|point| !among.contains(&point.event()));
        let mut ordered: Vec<Point> = older.copied().collect();
        for (at, id) in among.iter().enumerate() {
            let is_first = !among.iter().take(at).any(|before| before == id);
            ordered.extend(all.iter().filter(|point| is_first && point.event() == *id));
        }
        let is_oldest = before.is_none() && ordered.first() == said.first();
        if is_oldest && self.is_cut {
            return Vec::new();
        }
        let around = |points: &[Point]| {
            let after = self.points.get(to);
            let all = before.into_iter().chain(points).chain(after);
            turns(&all.copied().collect::<Vec<_>>())
        };
        let new = without(around(&ordered), around(known));
        self.points.splice(from..to, ordered);
        let surplus = self.points.len().saturating_sub(POINTS_MAX);
        self.points.drain(..surplus);
        self.is_cut |= surplus > 0;
        new
    }

    /// Takes out what an event had added.
    pub fn remove(&mut self, at: Timestamp, key: DedupeKey) {
        let id = id(key);
        self.points
            .retain(|point| (point.at, point.event()) != (at, id));
    }

    /// True if something is known of the time `at`.
    pub fn has(&self, at: Timestamp) -> bool {
        self.points.iter().any(|point| point.at == at)
    }

    /// True if nothing is known.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Reads what [`Timeline::to_bytes`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, SqlError> {
        let broken = || SqlError("a unit's states are broken".to_owned());
        let Some((flags, points)) = bytes.split_first() else {
            return Ok(Self::default());
        };
        let points = match flags & IS_WIDE {
            0 => parse(points, |point: &[u8; POINT_BYTES]| {
                Point::parse(point, &[0; 2])
            }),
            _ => parse(points, |point: &[u8; WIDE_POINT_BYTES]| {
                let (point, ns) = point.split_last_chunk()?;
                Point::parse(point.first_chunk()?, ns)
            }),
        };
        Ok(Self {
            points: points.ok_or_else(broken)?,
            is_cut: flags & IS_CUT != 0,
        })
    }

    /// As it is kept; nothing if nothing is known.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.points.is_empty() {
            return Vec::new();
        }
        let is_wide = self.points.iter().any(|point| point.at.ns() > 0);
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        let mut bytes = vec![flag(self.is_cut, IS_CUT) | flag(is_wide, IS_WIDE)];
        for point in &self.points {
            bytes.extend_from_slice(&point.at.us().to_le_bytes());
            bytes.extend_from_slice(&point.id.to_le_bytes());
            bytes.push(u8::from(point.state == Occupancy::Vacant));
            if is_wide {
                bytes.extend_from_slice(&point.at.ns().to_le_bytes());
            }
        }
        bytes
    }
}

/// Points of one width each; `None` if there is a rest.
fn parse<const N: usize>(
    bytes: &[u8],
    point: impl Fn(&[u8; N]) -> Option<Point>,
) -> Option<Vec<Point>> {
    let (points, rest) = bytes.as_chunks();
    let points: Option<Vec<Point>> = points.iter().map(point).collect();
    points.filter(|_| rest.is_empty())
}

impl Point {
    /// The id without what tells before from after.
    fn event(&self) -> u32 {
        self.id & !1
    }

    fn parse(bytes: &[u8; POINT_BYTES], ns: &[u8; 2]) -> Option<Self> {
        let (us, rest) = bytes.split_first_chunk()?;
        let (id, state) = rest.split_first_chunk()?;
        Some(Self {
            at: Timestamp::from_us(i64::from_le_bytes(*us)).with_ns(u16::from_le_bytes(*ns)),
            id: u32::from_le_bytes(*id),
            state: Occupancy::vacant_if(*state.first()? != 0),
        })
    }
}

/// What an event's points are known by.
fn id(key: DedupeKey) -> u32 {
    let [a, b, c, d, ..] = key.0;
    u32::from_be_bytes([a, b, c, d]) & !1
}

/// The turns along `points`.
fn turns(points: &[Point]) -> Vec<Turn> {
    let pairs = points.iter().zip(points.iter().skip(1));
    let differ = pairs.filter(|(one, next)| one.state != next.state);
    let turn = |(_, next): (&Point, &Point)| Turn {
        to: next.state,
        at: next.at,
    };
    differ.map(turn).collect()
}

/// `turns` without those that were `noticed`: the same ones, then as many of
/// others the same way.
fn without(mut turns: Vec<Turn>, noticed: Vec<Turn>) -> Vec<Turn> {
    let mut take = |is_it: &dyn Fn(&Turn) -> bool| {
        let at = turns.iter().position(is_it);
        at.map(|at| turns.remove(at)).is_some()
    };
    let mut others = noticed;
    others.retain(|one| !take(&|turn| turn == one));
    others.retain(|one| !take(&|turn| turn.to == one.to));
    turns
}

/// The turns that an event about a unit reveals, as members of its forwarded
/// data, JSON; empty if there are none.
pub fn members(turns: &[Turn]) -> String {
    if turns.is_empty() {
        return String::new();
    }
    let notices = turns.iter().map(|turn| json::quoted(turn.to.notice()));
    let times = turns.iter().map(|turn| json::quoted(&turn.at.to_string()));
    let (notices, times) = (json::list(notices), json::list(times));
    [r#","notices":"#, &notices, r#","notices_at":"#, &times].concat()
}

/// The turns that an event's `data` has, as [`members`] wrote them.
pub fn turns_of(data: &Object) -> Vec<Turn> {
    let texts = |name| data.value(name).and_then(json::texts).unwrap_or_default();
    let turns = texts("notices").into_iter().zip(texts("notices_at"));
    turns
        .filter_map(|(notice, at)| {
            Some(Turn {
                to: Occupancy::noticed(&notice)?,
                at: Timestamp::parse(&at)?,
            })
        })
        .collect()
}

/// All notices of a unit that a replay has folded again: of its events from
/// the first to the last one that is kept, those hold and no others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noticed {
    /// The first event that is kept.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// Number, notice and time, in the order of the log.
    pub notices: Vec<(u64, String, String)>,
}

impl Noticed {
    /// Adds the turns that the event `seq` reveals.
    pub fn add(&mut self, seq: u64, turns: &[Turn]) {
        let notices = turns
            .iter()
            .map(|turn| (seq, turn.to.notice().to_owned(), turn.at.to_string()));
        self.notices.extend(notices);
    }

    /// The turns that the event `seq` revealed.
    pub fn turns_of(&self, seq: u64) -> Vec<Turn> {
        let of = self.notices.iter().filter(|(of, ..)| *of == seq);
        of.filter_map(|(_, notice, at)| {
            Some(Turn {
                to: Occupancy::noticed(notice)?,
                at: Timestamp::parse(at)?,
            })
        })
        .collect()
    }

    /// Reads [`Noticed::to_json`]; `None` if it is anything else.
    pub fn parse(json: &str) -> Option<Self> {
        let fields = Object::parse(json)?;
        let notice = |value: &Value| {
            let parts = json::items(value.get())?;
            let [seq, kind, at] = parts.as_slice() else {
                return None;
            };
            let text = |value| json::text(value).map(Cow::into_owned);
            Some((seq.get().parse().ok()?, text(kind)?, text(at)?))
        };
        let notices = json::items(fields.value("notices")?.get())?;
        Some(Self {
            from: fields.number("from")?,
            to: fields.number("to")?,
            notices: notices.into_iter().map(notice).collect::<Option<_>>()?,
        })
    }

    /// As a member of the forwarded data, JSON.
    pub fn member(&self) -> String {
        [r#","noticed":"#, &self.to_json()].concat()
    }

    /// As a JSON object.
    pub fn to_json(&self) -> String {
        let notice = |(seq, kind, at): &(u64, String, String)| {
            format!("[{seq},{},{}]", json::quoted(kind), json::quoted(at))
        };
        Writer::default()
            .number("from", self.from)
            .number("to", self.to)
            .raw("notices", &json::list(self.notices.iter().map(notice)))
            .end()
    }
}
