//! Bytes on a connection, before anybody knows what they mean.

pub mod detect;
mod io;
mod prefixed;

pub use io::Io;
pub use prefixed::Prefixed;
