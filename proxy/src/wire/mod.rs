//! Bytes on a connection, before anybody knows what they mean.

mod bulk;
pub mod detect;
mod io;
mod prefixed;

pub use bulk::Bulk;
pub use io::Io;
pub use prefixed::Prefixed;
