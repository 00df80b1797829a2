//! What an agent may do: pure values in, pure values out. No clock, no network, no Kubernetes.
//!
//! A [`snapshot::Snapshot`] compiles into [`Policies`], which decide [`Intent`]s. The order of
//! decision is in [`decide`]; the syntax of resources in [`pattern`]; the one form of names in
//! [`normal`]; what a path can mean in [`reading`].
//!
//! Failure: a policy that does not compile is a state that denies, with the reason.

pub mod action;
pub mod body;
pub mod cluster;
pub mod code;
pub mod compile;
pub mod content;
pub mod credential;
pub mod decide;
mod decision;
pub mod detect;
mod glob;
mod index;
mod intent;
pub mod limits;
pub mod mask;
mod network;
pub mod normal;
mod obligations;
pub mod pattern;
pub mod reading;
mod record_type;
pub mod rule;
mod ruleset;
pub mod snapshot;
pub mod source;
mod warnings;

pub use code::Code;
pub use compile::{CompileError, compile_policy};
pub use decide::Policies;
pub use decision::{Decision, Observed, Verdict};
pub use intent::Intent;
pub use network::{DeniedNames, NetworkSettings};
pub use obligations::Obligations;
pub use record_type::RecordType;
pub use warnings::warnings;
