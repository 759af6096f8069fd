//! What one invocation of the consumer may ask of D1.
//!
//! The platform's limit is the invocation's, whatever is in its batch. Beyond
//! it everything fails, and looks like an outage.

/// Statements that one invocation may run: the platform allows 1,000 queries,
/// of which a tenth is left to what is counted behind the batch.
pub const QUERIES_MAX: usize = 900;
/// Of these, what the packs may have that are applied together: 40 of them have
/// about four each. More than half is left for taking packs apart.
pub const TOGETHER_QUERIES_MAX: usize = 400;

/// What is left for the messages of a batch.
#[derive(Debug, Clone)]
pub struct Budget {
    queries: usize,
    /// Why D1 does nothing, if it was seen to: then nothing is tried any more.
    away: Option<String>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            queries: QUERIES_MAX,
            away: None,
        }
    }
}

impl Budget {
    /// Takes `queries` out, if so many are left.
    pub fn take(&mut self, queries: usize) -> bool {
        let left = self.queries.checked_sub(queries);
        self.queries = left.unwrap_or(self.queries);
        left.is_some()
    }

    /// Notes that D1 does nothing, and why.
    pub fn note_away(&mut self, why: &str) {
        self.away = Some(why.to_owned());
    }

    /// Why D1 does nothing, if it was seen to.
    pub fn away(&self) -> Option<&str> {
        self.away.as_deref()
    }
}
