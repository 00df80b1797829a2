//! What is spoken on a connection, a room for each. A protocol reads what the agent asks for, passes
//! it through the [gate](crate::gate), and carries the bytes of what is allowed. No protocol uses
//! another; what they share is [`relay`].

pub mod http;
pub mod opaque;
mod pump;
mod quiet;
mod relay;
