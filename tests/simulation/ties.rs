//! Which of several whole objects of one time came first, computed the slow
//! way.

use crate::fact::{Change, Content, Fact, Fields};

/// What an event says of its record.
#[derive(Debug, Clone)]
pub struct Said {
    pub us: i64,
    pub key: [u8; 16],
    pub fields: Fields,
    /// Bytes of its body.
    pub bytes: usize,
    is_creation: bool,
    /// What the fields that it says have changed were before.
    before: Fields,
}

impl Said {
    /// Of an event with a whole object.
    pub fn of(fact: &Fact) -> Option<Self> {
        let Content::Record {
            change:
                Change::Whole {
                    fields,
                    before,
                    changed,
                },
            is_creation,
            ..
        } = &fact.content
        else {
            return None;
        };
        Some(Self {
            us: fact.occurred_us?,
            key: fact.identity.key,
            fields: fields.clone(),
            bytes: fact.body.len(),
            is_creation: *is_creation,
            before: before
                .iter()
                .filter(|(name, _)| changed.contains(*name))
                .map(|(name, was)| (name.clone(), was.clone()))
                .collect(),
        })
    }

    /// Of a record, of which no more is known.
    pub fn state((us, key): (i64, [u8; 16]), fields: Fields) -> Self {
        Self {
            us,
            key,
            fields,
            bytes: 0,
            is_creation: false,
            before: Fields::new(),
        }
    }

    /// 0 if something else was before this than `other`, or nothing is said; 1
    /// if what changed was as `other` has it; 2 if all was.
    fn follows(&self, other: &Self) -> u8 {
        fn value<'a>(of: &'a Fields, name: &String) -> &'a str {
            lease_id(of.get(name).map_or("null", String::as_str))
        }
        // What neither has is no field of theirs.
        let is_field = |name: &String| [self, other].iter().any(|of| of.fields.contains_key(name));
        let mut before = self.before.clone();
        before.retain(|name, _| is_field(name));
        let mut was = self.fields.clone();
        was.extend(before.clone());
        let mut changed = before.keys();
        let Some(first) = changed.next() else {
            return 0;
        };
        let is_before = |name: &String| value(&was, name) == value(&other.fields, name);
        if !is_before(first) || !changed.all(is_before) {
            return 0;
        }
        1 + u8::from(was.keys().chain(other.fields.keys()).all(is_before))
    }
}

/// An object with an id, and the id, are one.
fn lease_id(value: &str) -> &str {
    let id = value.strip_prefix("{\"id\":");
    id.and_then(|id| id.strip_suffix('}')).unwrap_or(value)
}

/// The oldest first; `tied` are in the order of arrival.
pub fn in_order(tied: &[Said]) -> Vec<Said> {
    let all = 0..tied.len();
    // What each says of each other one, the best alone.
    let follows: Vec<Vec<u8>> = tied
        .iter()
        .map(|one| {
            let fit = |other: &Said| match one.key == other.key {
                true => 0,
                false => one.follows(other),
            };
            let fits: Vec<u8> = tied.iter().map(fit).collect();
            let best = fits.iter().max().copied();
            let is_best = |fit: u8| if Some(fit) == best { fit } else { 0 };
            fits.into_iter().map(is_best).collect()
        })
        .collect();
    let mut left: Vec<usize> = all.collect();
    let mut ordered: Vec<usize> = Vec::new();
    while !left.is_empty() {
        let behind = |one: &usize| left.iter().map(|other| follows[*one][*other]).max();
        let least = left.iter().map(behind).min();
        let mut first = left.clone();
        first.retain(|one| Some(behind(one)) == least);
        if first.iter().any(|one| tied[*one].is_creation) {
            first.retain(|one| tied[*one].is_creation);
        }
        if let Some(last) = ordered.last() {
            let best = first.iter().map(|one| follows[*one][*last]).max();
            first.retain(|one| Some(follows[*one][*last]) == best);
        }
        let next = first[0];
        ordered.push(next);
        left.retain(|one| tied[*one].key != tied[next].key);
    }
    ordered.into_iter().map(|one| tied[one].clone()).collect()
}
