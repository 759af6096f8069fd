//! How a ledger's source is set up today.

use std::rc::Rc;

use super::log::retention::Retention;
use crate::dialect::Dialect;
use crate::dialect::filter::Filter;
use crate::provider::Api;

/// How a source is set up today.
#[derive(Clone)]
pub struct Setup {
    /// How its bodies are read; `None` while the source can't be used.
    pub dialect: Option<&'static dyn Dialect>,
    /// What its owner wants to have.
    pub filter: Rc<Filter>,
    /// How long its history is kept.
    pub retention: Retention,
    /// Its API; `None` if it has none.
    pub api: Option<Rc<Api>>,
}
