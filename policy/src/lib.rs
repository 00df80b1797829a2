//! What an agent may do: pure values in, pure values out.

pub mod action;
pub mod snapshot;
pub mod source;
