//! Paths, under every reading that servers are known to give them.
//!
//! Servers differ on what a path means: whether `%2F` separates segments, whether `;` begins a
//! parameter that is cut off, whether `//` is one slash, how often escapes are decoded. A request
//! is decided under each of these readings, and goes out byte for byte as it came. So a path that
//! is signed or scoped (`/@types%2fnode`, S3 keys, SigV4) keeps working, and no reading leads where
//! the policy does not allow.
//!
//! A reading is text in one form: unreserved characters stand for themselves (RFC 3986 §6.2.2.2),
//! every other escape is in upper case, and what a URL cannot hold unencoded is escaped. A slash in
//! it separates segments; one that is data is `%2F`.

use thiserror::Error;

mod fold;
mod shape;
mod token;
mod ways;

use token::Token;

/// Longest path that is decided, in bytes; longer ones are refused.
pub const MAX_PATH: usize = 8 * 1024;
/// Most readings of one path.
pub const MAX_READINGS: usize = 64;

/// Why a path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    #[error("it does not begin with a slash")]
    NotAbsolute,
    #[error("it is longer than 8 KiB")]
    TooLong,
    #[error("it holds a query or a fragment")]
    Character,
    #[error("it holds a control character, encoded or not")]
    Control,
    #[error("it has a percent sign that is not followed by two hexadecimal digits")]
    Escape,
    #[error("servers could read it in too many ways")]
    TooManyReadings,
}

/// Every reading of one path. There is always one, and nearly always no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    /// What stands there: nothing resolved, nothing cut off, nothing decoded twice.
    first: String,
    others: Vec<String>,
    collapsed: Option<String>,
}

impl Readings {
    /// Reads the path of a request target, as it was sent.
    ///
    /// # Errors
    /// Paths that are not absolute, longer than [`MAX_PATH`], with control characters under any
    /// reading, or with more than [`MAX_READINGS`] readings.
    pub fn of(path: &str) -> Result<Self, PathError> {
        if path.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        if !path.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        if path.contains(['?', '#']) {
            return Err(PathError::Character);
        }
        if !ways::could_differ(path.as_bytes()) {
            let first = token::canonical(path.as_bytes())?;
            return Ok(Self { first, others: Vec::new(), collapsed: None });
        }
        ways::all(path.as_bytes())
    }

    /// The asterisk form of OPTIONS (RFC 9112 §3.2.4): the server as a whole, so that no rule with
    /// a path speaks of it.
    pub fn asterisk() -> Self {
        Self { first: "*".to_owned(), others: Vec::new(), collapsed: None }
    }

    /// What stands there, in the form described above: for records and for people.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// All of them, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.first.as_str()).chain(self.others.iter().map(String::as_str))
    }

    /// Where the readings differ in dot segments and empty segments alone: the path without any,
    /// which every server reads alike. It may be sent instead.
    pub fn collapsed(&self) -> Option<Self> {
        let first = self.collapsed.clone()?;
        Some(Self { first, others: Vec::new(), collapsed: None })
    }
}

/// The bytes that a reading stands for; borrowed where it has no escapes.
pub(crate) fn fully_decoded(reading: &str) -> std::borrow::Cow<'_, [u8]> {
    percent_encoding::percent_decode_str(reading).into()
}

/// A piece of a path pattern, in the form of a reading. Dot segments and empty ones are the
/// caller's.
pub(crate) fn normalise_literal(piece: &str) -> Result<String, PathError> {
    let stray = |token: &Token| token.byte == b'%' && !token.escaped;
    if token::tokens(piece.as_bytes()).any(|token| stray(&token)) {
        return Err(PathError::Escape);
    }
    token::canonical(piece.as_bytes())
}

#[cfg(test)]
mod tests;
