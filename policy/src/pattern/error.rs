//! Why a resource pattern is rejected.

use thiserror::Error;

/// Why a pattern was rejected; `fix` says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct PatternError {
    pub problem: String,
    pub fix: String,
}

pub(crate) fn reject<T>(
    problem: impl Into<String>,
    fix: impl Into<String>,
) -> Result<T, PatternError> {
    Err(PatternError { problem: problem.into(), fix: fix.into() })
}
