//! What an agent may do: pure values in, pure values out. No clock, no network, no Kubernetes.
//!
//! A [`snapshot::Snapshot`] compiles into [`Policies`], which decide [`Intent`]s. The order of
//! decision is in [`decide`]; the syntax of resources in [`pattern`]; the one form of names and
//! paths in [`normal`].
//!
//! Failure: a policy that does not compile is a state that denies, with the reason.

pub mod action;
pub mod body;
pub mod code;
pub mod compile;
pub mod decide;
mod glob;
mod index;
pub mod limits;
pub mod normal;
pub mod pattern;
pub mod snapshot;
pub mod source;

pub use code::Code;
pub use compile::{CompileError, compile_policy};
pub use decide::{Decision, Intent, Policies, Verdict};
