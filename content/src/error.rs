//! Why content could not be read.

use std::borrow::Cow;

/// A declared layer that could not be read, or a limit that was reached. Under a content rule it
/// denies: what is behind it was not seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{layer}: {why}")]
pub struct DecodeError {
    /// The layer, as in `gzip`, `grpc message (gzip)`, `multipart`.
    pub layer: Cow<'static, str>,
    pub why: Why,
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("is not known")]
    Unknown,
    #[error("is damaged")]
    Damaged,
    #[error("ends too early")]
    Truncated,
    #[error("has bytes behind its end")]
    Trailing,
    #[error("has a header that is too long")]
    HeaderTooLong,
    #[error("is nested too deeply")]
    TooDeep,
    #[error("decodes to more than the limit")]
    TooMuchOutput,
    #[error("needs more memory than the limit")]
    TooMuchMemory,
    #[error("names no boundary, or a boundary that is not allowed")]
    Boundary,
    #[error("breaks its protocol")]
    Protocol,
    #[error("has a message that is too long")]
    MessageTooLong,
    #[error("cannot be masked")]
    Unmaskable,
}

impl DecodeError {
    pub(crate) fn new(layer: impl Into<Cow<'static, str>>, why: Why) -> Self {
        Self { layer: layer.into(), why }
    }
}
