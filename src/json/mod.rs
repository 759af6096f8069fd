//! JSON whose values keep their text.
//!
//! A record's fields pass through Leasewire untouched: `750000.0` stays
//! `750000.0` and an integer above 2^53 keeps every digit (decision 10 of the
//! dialects). So objects are read one level deep, as names and slices of the
//! text they came in, and written back from the same slices.
//!
//! Where a name occurs twice, the last value counts and the first place is
//! kept, which is what `JSON.parse` does in the senders' own language. A name
//! that is no text, because half of a surrogate pair stands in it, is one too.

/// What a visitor makes of numbers, booleans and `null`. The trait's own
/// answers are errors that tell what was found, and printing floating-point
/// numbers is a tenth of the Worker.
macro_rules! flat_values {
    ($made:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($made)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($made)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($made)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($made)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($made)
        }
    };
}

mod depth;
pub(crate) mod form;
mod pick;
mod same;
mod stated;
mod writer;

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use depth::{DEPTH_MAX, too_deep};
pub use pick::{Picked, pick, pick_each};
pub use same::same;
pub use stated::{Stated, Unreadable};
pub use writer::{Writer, list, push_all, quoted, texts_or_null};

/// Rows of D1 whose columns are all texts, from their JSON; `None` if it is
/// anything else.
pub fn rows(text: &str) -> Option<Vec<Vec<String>>> {
    items(text)?.into_iter().map(texts).collect()
}

/// A JSON value as the text it came in.
pub type Value = RawValue;

/// An object's fields in the order of their first occurrence.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    fields: Map<Name<'a>, &'a Value>,
}

/// A map in the order of insertion. Its hash is a fast one: names come from
/// authentic bodies, so nobody else can choose some that collide.
pub type Map<K, V> = IndexMap<K, V, RandomState>;

/// Room for the fields that most objects have.
const USUAL_FIELDS: usize = 14;

impl<'a> Object<'a> {
    /// Reads one object; `None` if `text` is anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        match Shape::of(text)? {
            Shape::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The value of `name`, `null` included.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).copied()
    }

    /// True if `name` is there and isn't `null`.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !is_null(value))
    }

    /// The string under `name`; `None` if it is missing or not a string.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name).and_then(text)
    }

    /// The identifier under `name`: a string, or the digits of an integer.
    pub fn id(&self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name).and_then(id)
    }

    /// The object under `name`; `None` if it is missing or not an object.
    pub fn object(&self, name: &str) -> Option<Object<'a>> {
        self.value(name)
            .and_then(|value| Object::parse(value.get()))
    }

    /// The number under `name`, if it is whole, not negative and has 64 bits.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name).and_then(number)
    }

    /// The boolean under `name`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.value(name).and_then(flag)
    }

    /// The only field, where there is exactly one.
    pub fn single(&self) -> Option<(&str, &'a Value)> {
        match self.fields.first() {
            Some((name, value)) if self.fields.len() == 1 => Some((&name.0, value)),
            _ => None,
        }
    }

    /// Sets `name` to `value`; a field already known keeps its place.
    pub fn set(&mut self, name: &str, value: &'a Value) {
        if let Some(known) = self.fields.get_mut(name) {
            *known = value;
        } else {
            self.fields.insert(Name(Cow::Owned(name.to_owned())), value);
        }
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) {
        self.fields.shift_remove(name);
    }

    /// Names and values, in order. A name is the text that it stands for, or
    /// its JSON: where it is no text, or begins with a quotation mark.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a Value)> {
        self.fields.iter().map(|(name, value)| (&*name.0, *value))
    }

    /// True if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The object as compact JSON, each value as it came.
    pub fn to_json(&self) -> String {
        let field = |json: Writer, (name, value): (&str, &Value)| json.field(name, &[value.get()]);
        self.iter().fold(Writer::default(), field).end()
    }
}

/// The items of the array that `text` is, if it is one.
pub fn items(text: &str) -> Option<Vec<&Value>> {
    match Shape::of(text)? {
        Shape::Items(items) => Some(items),
        _ => None,
    }
}

/// The strings of the array that `value` is, if it is one of strings.
pub fn texts(value: &Value) -> Option<Vec<String>> {
    let items = items(value.get())?;
    items
        .into_iter()
        .map(|item| text(item).map(Cow::into_owned))
        .collect()
}

/// The value that `text` is, if it is JSON.
pub fn value(text: &str) -> Option<&Value> {
    serde_json::from_str(text).ok()
}

/// The string that `value` is, if it is one.
pub fn text(value: &Value) -> Option<Cow<'_, str>> {
    let raw = value.get();
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    match Shape::of(raw)? {
        Shape::Text(text) => Some(text),
        _ => None,
    }
}

/// The identifier that `value` is: a string, or the digits of an integer.
pub fn id(value: &Value) -> Option<Cow<'_, str>> {
    text(value).or_else(|| {
        let digits = value.get();
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(Cow::Borrowed(digits))
    })
}

/// The number that `value` is, if it is whole, not negative and has 64 bits.
pub fn number(value: &Value) -> Option<u64> {
    value.get().parse().ok()
}

/// The boolean that `value` is, if it is one.
pub fn flag(value: &Value) -> Option<bool> {
    match value.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// True for `null`.
pub fn is_null(value: &Value) -> bool {
    value.get() == "null"
}

/// `null`.
pub fn null() -> &'static Value {
    Value::NULL
}

/// What a JSON text is, read one level deep.
enum Shape<'a> {
    Object(Object<'a>),
    Items(Vec<&'a Value>),
    Text(Cow<'a, str>),
    Other,
}

impl<'a> Shape<'a> {
    /// Reads `text`; `None` if it isn't JSON.
    fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

// One reader for everything that is ever read, and one that takes whatever is
// there: a type's own reader each, and the texts that tell expected from found,
// floating-point numbers among them, were nearly a fifth of the Worker.
impl<'de: 'a, 'a> Deserialize<'de> for Shape<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Shape<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape<'de>, A::Error> {
        let mut fields = Map::with_capacity_and_hasher(USUAL_FIELDS, RandomState::default());
        while let Some((name, value)) = map.next_entry::<&Value, &Value>()? {
            fields.insert(Name::of(name), value);
        }
        Ok(Shape::Object(Object { fields }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Shape::Items(items))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Shape<'de>, E> {
        Ok(Shape::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Shape<'de>, E> {
        Ok(Shape::Text(Cow::Owned(text.to_owned())))
    }

    flat_values!(Shape::Other);
}

/// A field's name: the text that it stands for; or its JSON, where it is no
/// text or begins with a quotation mark. So no two names share a form, and
/// each can be written again as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name<'a>(Cow<'a, str>);

impl<'a> Name<'a> {
    /// The name whose JSON is `json`.
    fn of(json: &'a Value) -> Self {
        Self(match text(json) {
            Some(name) if name.starts_with('"') => Cow::Owned(quoted(&name)),
            Some(name) => name,
            None => Cow::Borrowed(json.get()),
        })
    }
}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ref().hash(state);
    }
}

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}
