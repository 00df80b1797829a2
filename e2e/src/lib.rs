//! Framework of the tests on a real cluster.
//!
//! A test is a [`Case`]: objects in YAML beside it, applied into a random namespace whose pods
//! are all agents, and a body that acts as the agent would, with ordinary clients inside the
//! agent's container. When the body fails, the state of the namespace is printed and the
//! namespace stays for a look; else it goes.
//!
//! The cluster is that of `KUBECONFIG`, else the test cluster (`e2e/cluster/cluster up`). A
//! cluster that cannot be reached fails the test, it never skips it.
//!
//! Bytes at the other side are counted by the test internet: beside the test cluster, in any
//! other one inside of it (`e2e/internet up`). Its hosts are of two sorts, so
//! that cases can run side by side: nothing may ever reach a [`Host::FORBIDDEN`] one.

mod agent;
mod case;
mod cluster;
mod command;
mod internet;

pub use agent::{Agent, Output};
pub use case::Case;
pub use cluster::Cluster;
pub use command::exeat;
pub use internet::{Arrivals, Host, arrivals, arrivals_at};
