//! Why something was refused, in the three parts that a person needs.

use std::fmt;

/// One reason for a refusal: where, what is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    /// Path of the field, as `kubectl explain` would have it, with indices.
    pub(super) field: String,
    pub(super) problem: String,
    pub(super) fix: String,
}

impl Refusal {
    pub(super) fn new(
        field: impl Into<String>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. Fix: {}", self.field, self.problem, self.fix)
    }
}
