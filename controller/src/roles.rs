//! Wires the roles of one process together.

use crate::certs::Trust;
use crate::cli::Flags;
use crate::index::Index;
use crate::metrics::Metrics;
use std::sync::Arc;

/// What every role is given.
#[derive(Clone)]
pub struct Context {
    pub flags: Arc<Flags>,
    pub client: kube::Client,
    pub index: Arc<Index>,
    pub metrics: Arc<Metrics>,
    pub trust: Arc<Trust>,
}
