//! JSON, written. Piece by piece into one text: what goes through a general
//! serialiser takes a call for each of its pieces.

use std::borrow::Borrow;

use crate::time::Timestamp;

/// `text` as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len().saturating_add(2));
    push_quoted(&mut json, text);
    json
}

/// Adds `text` to `json` as a JSON string.
fn push_quoted(json: &mut String, text: &str) {
    let is_plain = |byte| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        push_all(json, &["\"", text, "\""]);
    } else {
        // A text can always be written.
        json.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

/// Adds all `parts` to `json`.
pub fn push_all(json: &mut String, parts: &[&str]) {
    for part in parts {
        json.push_str(part);
    }
}

/// An array of `items`, JSON each.
pub fn list(items: impl Iterator<Item = impl Borrow<str>>) -> String {
    let mut json = "[".to_owned();
    for item in items {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(item.borrow());
    }
    json.push(']');
    json
}

/// An array of `texts`, or `null`.
pub fn texts_or_null(texts: &Option<Vec<String>>) -> String {
    match texts {
        Some(texts) => list(texts.iter().map(|text| quoted(text))),
        None => "null".to_owned(),
    }
}

/// An object being written, field by field. Names need no escapes, except
/// those of [`Writer::field`].
pub struct Writer(String);

impl Default for Writer {
    /// With room for most objects: to grow step by step takes longer than to
    /// write one.
    fn default() -> Self {
        Self(String::with_capacity(256))
    }
}

impl Writer {
    /// Adds `value`, JSON.
    pub fn raw(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.0.push_str(value);
        self
    }

    /// Adds an array of `items`, JSON each.
    pub fn list(self, name: &str, items: &[impl Borrow<str>]) -> Self {
        self.raw(name, &list(items.iter().map(Borrow::borrow)))
    }

    /// Adds a string.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        push_quoted(&mut self.0, value);
        self
    }

    /// Adds a string, if there is one.
    pub fn maybe_text(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds a string, or `null`.
    pub fn text_or_null(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// Adds a time.
    pub fn time(self, name: &str, value: Timestamp) -> Self {
        self.text(name, &value.to_string())
    }

    /// Adds a time, or `null`.
    pub fn time_or_null(self, name: &str, value: Option<Timestamp>) -> Self {
        match value {
            Some(value) => self.time(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// Adds a boolean.
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// Adds a number.
    pub fn number(self, name: &str, value: u64) -> Self {
        self.raw(name, &value.to_string())
    }

    /// Adds a number, or `null`.
    pub fn number_or_null(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// Adds a number, if there is one.
    pub fn maybe_number(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    /// Adds JSON, in parts, under a name that may need escapes, or is one of
    /// those that [`Object::iter`](super::Object::iter) gives as JSON.
    pub fn field(mut self, name: &str, value: &[&str]) -> Self {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        if name.starts_with('"') {
            self.0.push_str(name);
        } else {
            push_quoted(&mut self.0, name);
        }
        self.0.push(':');
        push_all(&mut self.0, value);
        self
    }

    fn name(&mut self, name: &str) {
        let before = if self.0.is_empty() { "{\"" } else { ",\"" };
        push_all(&mut self.0, &[before, name, "\":"]);
    }

    /// The object.
    pub fn end(self) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        self.0 + "}"
    }
}
