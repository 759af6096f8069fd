//! How a ledger's source is set up today.

use std::rc::Rc;

use super::log::retention::Retention;
use super::owed::Wants;
use crate::dialect::Dialect;
use crate::dialect::filter::Filter;

/// How a source is set up today.
#[derive(Clone)]
pub struct Setup {
    /// How its bodies are read; `None` while the source can't be used.
    pub dialect: Option<&'static dyn Dialect>,
    /// What its owner wants to have.
    pub filter: Rc<Filter>,
    /// How long its history is kept.
    pub retention: Retention,
    /// What is asked for at its API; `None` if it has none.
    pub wants: Option<Rc<Wants>>,
}
