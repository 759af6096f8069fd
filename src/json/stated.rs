//! What an object states, where it makes a difference whether a field is
//! missing or can't be read.
//!
//! A field that is there and isn't what it has to be must not count as one
//! that is missing: what stands in for a missing one would be taken for what
//! the sender said.

use std::borrow::Cow;

use super::{Object, Value, id, is_null, text};

/// A field is there, and isn't what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// A field's value; `None` if it is missing or `null`.
pub type Stated<T> = Result<Option<T>, Unreadable>;

impl<'a> Object<'a> {
    /// The string under `name`.
    pub fn stated_text(&self, name: &str) -> Stated<Cow<'a, str>> {
        self.stated(name, text)
    }

    /// The identifier under `name`, as [`Object::id`] reads it.
    pub fn stated_id(&self, name: &str) -> Stated<Cow<'a, str>> {
        self.stated(name, id)
    }

    /// The object under `name`.
    pub fn stated_object(&self, name: &str) -> Stated<Self> {
        self.stated(name, |value| Self::parse(value.get()))
    }

    /// What `read` makes of the value of `name`; its `None` is for a value
    /// that can't be read.
    pub fn stated<T>(&self, name: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Stated<T> {
        match self.value(name).filter(|value| !is_null(value)) {
            Some(value) => read(value).map(Some).ok_or(Unreadable),
            None => Ok(None),
        }
    }
}
