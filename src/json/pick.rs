//! Objects of which some fields are wanted, whose names are known.
//!
//! What can be looked up by any name has to be hashed by all of them; here it
//! is enough to compare.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

use super::{Name, Value};

/// The values of some names, in the order of the names.
pub type Picked<'a, const N: usize> = [Option<&'a Value>; N];

/// The values of `names` in the object that `text` is; `None` if it is none.
pub fn pick<'a, const N: usize>(text: &'a str, names: &[&str; N]) -> Option<Picked<'a, N>> {
    let mut picked = [None; N];
    let mut reader = Deserializer::from_str(text);
    let fields = Fields {
        names,
        values: &mut picked,
    };
    let is_object = fields.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    is_object.then_some(picked)
}

/// The same of each object in the array that `text` is; `None` if it is none
/// of objects.
pub fn pick_each<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Option<Vec<Picked<'a, N>>> {
    let mut reader = Deserializer::from_str(text);
    let all = reader.deserialize_any(Each(names)).ok()?;
    reader.end().ok()?;
    all
}

/// Reads a value, and returns whether it is an object.
struct Fields<'n, 'a> {
    names: &'n [&'n str],
    values: &'n mut [Option<&'a Value>],
}

impl<'a> DeserializeSeed<'a> for Fields<'_, 'a> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'a>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Fields<'_, 'a> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some((name, value)) = map.next_entry::<&Value, &Value>()? {
            let Name(name) = Name::of(name);
            let at = self.names.iter().position(|wanted| *wanted == name);
            if let Some(place) = at.and_then(|at| self.values.get_mut(at)) {
                *place = Some(value);
            }
        }
        Ok(true)
    }

    // What isn't read to its end is an error to whoever reads on.
    fn visit_seq<A: SeqAccess<'a>>(self, _: A) -> Result<bool, A::Error> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    flat_values!(false);
}

/// Reads an array of objects.
struct Each<'n, const N: usize>(&'n [&'n str; N]);

impl<'a, const N: usize> Visitor<'a> for Each<'_, N> {
    type Value = Option<Vec<Picked<'a, N>>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        loop {
            let mut picked = [None; N];
            let fields = Fields {
                names: self.0,
                values: &mut picked,
            };
            match seq.next_element_seed(fields)? {
                Some(true) => all.push(picked),
                Some(false) => return Ok(None),
                None => return Ok(Some(all)),
            }
        }
    }

    fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    flat_values!(None);
}
