//! Occupancy: when a unit goes from vacant to occupied, or back.
//!
//! Each such turn is noticed once, whatever is repeated, late or replayed.
//! Where events carry their own time, a unit's known states stand in the order
//! of that time, and an event adds what it says: how the unit is, and how it
//! was right before, where the provider states that. A turn is where two
//! neighbours differ, so a late event between two equal states reveals two
//! turns, and one between two different ones none: they were noticed already.
//! The same events make the same number of turns in any order.
//!
//! Where events carry no time, what the provider states is all there is: a
//! change from vacant to occupied is a turn, in whichever order it comes.

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
        let [status, is_vacant, lease] = FIELDS;
        let status = fields.text(status).and_then(|status| Self::named(&status));
        let is_vacant = || fields.flag(is_vacant).map(Self::vacant_if);
        let has_lease = || {
            let lease = fields.value(lease)?;
            Some(Self::vacant_if(matches!(lease.get(), "null" | "\"\"")))
        };
        status.or_else(is_vacant).or_else(has_lease)
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
pub struct Sight {
    /// What it was right before.
    pub before: Option<Occupancy>,
    /// What it is.
    pub now: Option<Occupancy>,
    /// The event's own time, and its dedupe key, which tells events of the
    /// same time apart.
    pub occurred: Option<(Timestamp, DedupeKey)>,
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
    place: Place,
    state: Occupancy,
}

/// A time, and what orders points of the same time: the beginning of the
/// event's key, then whether it is how things were before the event or after.
type Place = (Timestamp, u32);

/// Time, order and state.
const POINT_BYTES: usize = 13;

impl Timeline {
    /// Adds what an event says; gives the turns that are new.
    pub fn add(&mut self, sight: &Sight) -> Vec<Turn> {
        let Some((time, key)) = sight.occurred else {
            return self.add_timeless(sight).into_iter().collect();
        };
        let [before, after] = places(time, key);
        let was = sight.before.map(|state| (before, state));
        let is = sight.now.map(|state| (after, state));
        [was, is]
            .into_iter()
            .flatten()
            .flat_map(|(place, state)| self.insert(Point { place, state }))
            .collect()
    }

    fn add_timeless(&mut self, sight: &Sight) -> Option<Turn> {
        let now = sight.now?;
        let at = sight.received_at;
        let before = sight.before.or(self.points.last().map(|last| last.state));
        self.points = Vec::from([Point {
            place: (at, 0),
            state: now,
        }]);
        (before.is_some_and(|before| before != now)).then_some(Turn { to: now, at })
    }

    fn insert(&mut self, point: Point) -> Vec<Turn> {
        let at = self
            .points
            .partition_point(|known| known.place < point.place);
        let next = self.points.get(at).copied();
        let previous = at
            .checked_sub(1)
            .and_then(|before| self.points.get(before))
            .copied();
        let is_known = next.is_some_and(|next| next.place == point.place);
        if is_known || previous.is_none() && self.is_cut {
            return Vec::new();
        }
        self.points.insert(at, point);
        if self.points.len() > POINTS_MAX {
            self.points.remove(0);
            self.is_cut = true;
        }
        let was_noticed = previous
            .zip(next)
            .is_some_and(|(previous, next)| previous.state != next.state);
        if was_noticed {
            return Vec::new();
        }
        let turned = previous.filter(|previous| previous.state != point.state);
        let turns_next = next.filter(|next| next.state != point.state);
        let turn = |point: Point| Turn {
            to: point.state,
            at: point.place.0,
        };
        let turns = [turned.map(|_| turn(point)), turns_next.map(turn)];
        turns.into_iter().flatten().collect()
    }

    /// Takes out what an event had added.
    pub fn remove(&mut self, time: Timestamp, key: DedupeKey) {
        let places = places(time, key);
        self.points.retain(|point| !places.contains(&point.place));
    }

    /// Reads what [`Timeline::to_bytes`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, SqlError> {
        let broken = || SqlError("a unit's states are broken".to_owned());
        let Some((is_cut, points)) = bytes.split_first() else {
            return Ok(Self::default());
        };
        let (points, rest) = points.as_chunks::<POINT_BYTES>();
        let points: Option<_> = points.iter().map(Point::parse).collect();
        Ok(Self {
            points: points.filter(|_| rest.is_empty()).ok_or_else(broken)?,
            is_cut: *is_cut != 0,
        })
    }

    /// As it is kept; nothing if nothing is known.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.points.is_empty() {
            return Vec::new();
        }
        let mut bytes = vec![u8::from(self.is_cut)];
        for point in &self.points {
            bytes.extend_from_slice(&point.place.0.us().to_le_bytes());
            bytes.extend_from_slice(&point.place.1.to_le_bytes());
            bytes.push(u8::from(point.state == Occupancy::Vacant));
        }
        bytes
    }
}

impl Point {
    fn parse(bytes: &[u8; POINT_BYTES]) -> Option<Self> {
        let (us, rest) = bytes.split_first_chunk()?;
        let (order, state) = rest.split_first_chunk()?;
        Some(Self {
            place: (
                Timestamp::from_us(i64::from_le_bytes(*us)),
                u32::from_le_bytes(*order),
            ),
            state: Occupancy::vacant_if(*state.first()? != 0),
        })
    }
}

/// Where an event's two points are.
fn places(time: Timestamp, key: DedupeKey) -> [Place; 2] {
    let [a, b, c, d, ..] = key.0;
    let order = u32::from_be_bytes([a, b, c, d]) & !1;
    [(time, order), (time, order | 1)]
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
    /// None of the events with these numbers.
    pub fn none_of(events: &[u64]) -> Self {
        Self {
            from: events.first().copied().unwrap_or(0),
            to: events.last().copied().unwrap_or(0),
            notices: Vec::new(),
        }
    }

    /// Adds the turns that the event `seq` reveals.
    pub fn add(&mut self, seq: u64, turns: &[Turn]) {
        let notices = turns
            .iter()
            .map(|turn| (seq, turn.to.notice().to_owned(), turn.at.to_string()));
        self.notices.extend(notices);
    }

    /// Reads [`Noticed::member`]'s value; `None` if it is anything else.
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
        let notice = |(seq, kind, at): &(u64, String, String)| {
            format!("[{seq},{},{}]", json::quoted(kind), json::quoted(at))
        };
        let noticed = Writer::default()
            .number("from", self.from)
            .number("to", self.to)
            .raw("notices", &json::list(self.notices.iter().map(notice)));
        [r#","noticed":"#, &noticed.end()].concat()
    }
}
