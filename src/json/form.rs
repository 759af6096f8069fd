//! Objects that people write: settings and commands.
//!
//! Nothing in them is passed over. What can't be used is named, with what
//! would do.

use std::borrow::Cow;

use super::{Object, Value, is_null, text, texts};

/// An object of which every field is known.
pub struct Form<'a>(Object<'a>);

impl<'a> Form<'a> {
    /// Takes `object`, whose fields must be among `known`; or says which one
    /// isn't.
    pub fn new(object: Object<'a>, known: &[&str]) -> Result<Self, String> {
        let mut names = object.iter().map(|(name, _)| name);
        if let Some(name) = names.find(|name| !known.contains(name)) {
            let known = known.join("`, `");
            return Err(format!("unknown field `{name}`; expected one of `{known}`"));
        }
        drop(names);
        Ok(Self(object))
    }

    /// The text under `name`, if there is anything.
    pub fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.read(name, "a text", |value| text(value).map(Cow::into_owned))
    }

    /// The number under `name`, if there is anything.
    pub fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let whole = "a whole number, not below 0";
        self.read(name, whole, |value| value.get().parse().ok())
    }

    /// True or false under `name`, if there is anything.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        self.read(name, "true or false", |value| value.get().parse().ok())
    }

    /// The list of texts under `name`, if there is anything.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        self.read(name, "a list of texts", texts)
    }

    fn read<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let value = self.0.value(name).filter(|value| !is_null(value));
        let refuse = || format!("`{name}` must be {wanted}");
        value
            .map(|value| read(value).ok_or_else(refuse))
            .transpose()
    }
}

/// `value`, which must be there under `name`.
pub fn required<T>(name: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("missing field `{name}`"))
}
