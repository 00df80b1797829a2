//! Bytes on a connection, before anybody knows what they mean.

pub mod detect;
mod io;
mod prefixed;

pub use io::{Io, keep_alive};
pub use prefixed::Prefixed;
