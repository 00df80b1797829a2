//! Body patterns: case-insensitive regular expressions over a body as it streams.
//!
//! Automata run over four views of the same bytes: as sent, percent-decoded (forms), JSON-unescaped,
//! and without NUL bytes (UTF-16 of ASCII). Their states are carried from chunk to chunk, so a match is
//! found wherever the chunks are cut, and however long it is.
//!
//! Most bytes are never seen by an automaton: text in which no match can begin is skipped, and a
//! view is looked at by itself only from an escape until it is the same as the bytes as sent again.
//! Patterns that begin with a literal of two bytes or more are the fast ones; for the others every
//! byte is stepped over, by itself, so that they do not slow down the fast ones.

mod escapes;
mod machine;
mod patterns;
mod prefilter;
mod prefixes;
mod run;
mod scanner;
mod shorten;
mod views;

pub(crate) use patterns::parse;
pub use patterns::{BodyPatternError, BodyPatterns};
pub use scanner::Scanner;

#[cfg(test)]
mod tests;
