//! JSON whose values keep their text.
//!
//! A record's fields pass through Leasewire untouched: `750000.0` stays
//! `750000.0` and an integer above 2^53 keeps every digit (decision 10 of the
//! dialects). So objects are read one level deep, as names and slices of the
//! text they came in, and written back from the same slices.
//!
//! Where a name occurs twice, the last value counts and the first place is
//! kept, which is what `JSON.parse` does in the senders' own language.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};

use indexmap::IndexMap;
use memchr::memchr2;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// How deep a body may nest. Parsers that read records later (SQLite's stops
/// at 1,000, many at 128) must not fail on what was accepted here.
pub const DEPTH_MAX: usize = 100;

/// Rows of D1 whose columns are all texts, from their JSON; `None` if it is
/// anything else.
pub fn rows(text: &str) -> Option<Vec<Vec<String>>> {
    items(text)?.into_iter().map(texts).collect()
}

/// An object being written, field by field. Names need no escapes.
#[derive(Default)]
pub struct Writer(String);

impl Writer {
    /// Adds `value`, JSON.
    pub fn raw(mut self, name: &str, value: &str) -> Self {
        let before = if self.0.is_empty() { "{\"" } else { ",\"" };
        for part in [before, name, "\":", value] {
            self.0.push_str(part);
        }
        self
    }

    /// Adds an array of `items`, JSON each.
    pub fn list(self, name: &str, items: &[impl Borrow<str>]) -> Self {
        self.raw(name, &format!("[{}]", items.join(",")))
    }

    /// Adds whatever can be written.
    pub fn json(self, name: &str, value: &impl Serialize) -> Self {
        self.raw(name, &to_json(value))
    }

    /// Adds a string.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.json(name, &value)
    }

    /// Adds a number.
    pub fn number(self, name: &str, value: u64) -> Self {
        self.raw(name, &value.to_string())
    }

    /// The object.
    pub fn end(self) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        self.0 + "}"
    }
}

/// A JSON value as the text it came in.
pub type Value = RawValue;

/// An object's fields in the order of their first occurrence.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    fields: IndexMap<Name<'a>, &'a Value>,
}

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
        let value = self.value(name)?;
        text(value).or_else(|| {
            let digits = value.get();
            digits
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some(Cow::Borrowed(digits))
        })
    }

    /// The object under `name`; `None` if it is missing or not an object.
    pub fn object(&self, name: &str) -> Option<Object<'a>> {
        self.value(name)
            .and_then(|value| Object::parse(value.get()))
    }

    /// The number under `name`, if it is whole, not negative and has 64 bits.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.get().parse().ok()
    }

    /// The boolean under `name`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)?.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
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

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a Value)> {
        self.fields.iter().map(|(name, value)| (&*name.0, *value))
    }

    /// True if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The object as compact JSON, each value as it came.
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

/// `value` as JSON text. Everything written here has string keys and writes
/// to memory, so it can't fail; were it to, the result would be `null`.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
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

/// True for `null`.
pub fn is_null(value: &Value) -> bool {
    value.get() == "null"
}

/// `null`.
pub fn null() -> &'static Value {
    Value::NULL
}

/// True if two values mean the same: the same text, or the same content under
/// another order of names, other white space, escapes or number notation.
pub fn same(a: &Value, b: &Value) -> bool {
    let (a_text, b_text) = (a.get(), b.get());
    if a_text == b_text {
        return true;
    }
    match (a_text.as_bytes().first(), b_text.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => same_fields(a_text, b_text),
        (Some(b'['), Some(b'[')) => same_items(a_text, b_text),
        (Some(b'"'), Some(b'"')) => text(a).is_some_and(|a| Some(a) == text(b)),
        _ => same_number(a_text, b_text),
    }
}

fn same_fields(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (Object::parse(a), Object::parse(b)) else {
        return false;
    };
    a.fields.len() == b.fields.len()
        && a.iter()
            .all(|(name, a)| b.value(name).is_some_and(|b| same(a, b)))
}

fn same_items(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (items(a), items(b)) else {
        return false;
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// Numbers are compared digit by digit, since a double would make neighbours
/// above 2^53 equal.
fn same_number(a: &str, b: &str) -> bool {
    decimal(a).is_some_and(|a| Some(a) == decimal(b))
}

/// Sign, digits without zeros around them, and power of ten: the same for
/// every notation of a number.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = mantissa.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all = format!("{whole}{fraction}");
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = all.trim_matches('0');
    if digits.is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = all.len().checked_sub(all.trim_end_matches('0').len())?;
    let exponent = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(i64::try_from(zeros).ok()?)?;
    Some((mantissa.starts_with('-'), digits.to_owned(), exponent))
}

/// True if `text` nests objects and arrays deeper than [`DEPTH_MAX`].
pub fn too_deep(text: &str) -> bool {
    let opens = |byte: &u8| matches!(byte, b'{' | b'[');
    // Most bodies don't have so many at all.
    if text.bytes().filter(opens).count() <= DEPTH_MAX {
        return false;
    }
    let (mut rest, mut depth) = (text.as_bytes(), 0_usize);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => rest = behind_string(behind),
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// What stands behind the string whose first character is that of `rest`.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let (_, found) = rest.split_at_checked(at).unwrap_or_default();
        match found {
            [b'\\', _, behind @ ..] => rest = behind,
            [_, behind @ ..] => return behind,
            [] => break,
        }
    }
    &[]
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
        let mut fields = IndexMap::new();
        while let Some((name, value)) = map.next_entry::<Name, &Value>()? {
            fields.insert(name, value);
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

    fn visit_bool<E>(self, _: bool) -> Result<Shape<'de>, E> {
        Ok(Shape::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape<'de>, E> {
        Ok(Shape::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape<'de>, E> {
        Ok(Shape::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape<'de>, E> {
        Ok(Shape::Other)
    }

    fn visit_unit<E>(self) -> Result<Shape<'de>, E> {
        Ok(Shape::Other)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// A field's name; borrowed from the text unless it holds escapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

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
