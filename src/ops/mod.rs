//! Running it: whether all is well, figures, and a daily look at everything.

pub mod health;
pub mod metrics;
pub mod sweep;
