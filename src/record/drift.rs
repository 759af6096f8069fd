//! Drift: which fields of a record a provider has contradicted (decision 8).
//!
//! It ends field by field, with the next event that says of a field what is
//! known of it, and for all of them with a whole object.

use crate::json;

/// Bytes of the list as it is kept: it stands beside the record in one row.
/// Beyond, only that there is drift is known, as of old records.
const LIST_BYTES_MAX: usize = 16_384;

/// The fields in which a record may be wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// In order.
    fields: Vec<String>,
    /// There is drift in fields that nobody has noted: only a whole object ends
    /// it.
    is_unlisted: bool,
}

impl Drift {
    /// Reads the flag and the list as they are kept. Version 0.1.0 kept the
    /// flag alone, and knows nothing of the list where it clears it.
    pub fn parse(is_drifted: bool, list: Option<&str>) -> Self {
        let items = list.and_then(json::items);
        match items {
            _ if !is_drifted => Self::default(),
            None => Self {
                is_unlisted: true,
                ..Self::default()
            },
            Some(items) => {
                let texts = items.iter().filter_map(|item| json::text(item));
                Self {
                    fields: texts.map(|name| name.into_owned()).collect(),
                    is_unlisted: items.iter().any(|item| json::is_null(item)),
                }
            }
        }
    }

    /// The list as it is kept: JSON names, and `null` for what isn't listed.
    /// `None` if there is no drift.
    pub fn to_json(&self) -> Option<String> {
        if !self.is_some() {
            return None;
        }
        let unlisted = || "null".to_owned();
        let names = self.fields.iter().map(|name| json::quoted(name));
        let list = json::list(self.is_unlisted.then(unlisted).into_iter().chain(names));
        Some(if list.len() > LIST_BYTES_MAX {
            json::list([unlisted()].into_iter())
        } else {
            list
        })
    }

    /// True if the record may be wrong.
    pub fn is_some(&self) -> bool {
        self.is_unlisted || !self.fields.is_empty()
    }

    /// Notes that an event contradicted the field `name`.
    pub fn mark(&mut self, name: &str) {
        let at = self
            .fields
            .binary_search_by(|field| field.as_str().cmp(name));
        if let Err(at) = at {
            self.fields.insert(at, name.to_owned());
        }
    }

    /// Notes that an event agrees with what is known of the field `name`.
    pub fn clear(&mut self, name: &str) {
        self.fields.retain(|field| field != name);
    }
}
