//! The controller: admission, reconciliation, publishing of policy and collection of audit.
//!
//! `watch` feeds one in-memory [`index`]; `admission`, `publish` and `reconcile` answer from it and
//! know nothing of each other. Every replica serves; only the holder of the Lease writes. What the
//! index does not know is denied: an object that cannot be read is a policy that denies, and before
//! the first complete listing nothing is admitted.

pub mod admission;
pub mod certs;
pub mod check;
pub mod cleanup;
pub mod cli;
pub mod collect;
pub mod credentials;
pub mod identity;
pub mod index;
pub mod metrics;
pub mod ops;
pub mod places;
mod problem;
pub mod publish;
pub mod reconcile;
pub mod roles;
pub mod server;
pub mod watch;
