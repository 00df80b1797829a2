//! Bytes on a connection, before anybody knows what they mean.

mod bulk;
pub mod detect;
mod io;
mod memory;
mod peer;
mod prefixed;
mod writes;

pub use bulk::Bulk;
pub use io::Io;
pub use memory::{Memory, NoRoom, Room};
pub use peer::Peer;
pub use prefixed::Prefixed;
pub(crate) use writes::writes_pass;
