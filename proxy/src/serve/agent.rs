//! One agent: what it may do, what it did, and as what the proxy answers it.

use crate::dns::Names;
use crate::gate::Gate;
use crate::tls::{Leaves, PodCa};
use std::sync::Arc;

/// Everything that belongs to one agent rather than to the process, so that one process can serve
/// several.
#[derive(Clone)]
pub struct Agent {
    /// Its policy and its chain.
    pub gate: Gate,
    /// Certificates of its own authority, by name.
    pub leaves: Arc<Leaves>,
    /// The names behind the addresses that its DNS gave out.
    pub names: Arc<dyn Names>,
}

impl Agent {
    pub fn new(gate: Gate, ca: Arc<PodCa>, names: Arc<dyn Names>) -> Self {
        Self { gate, leaves: Arc::new(Leaves::new(ca)), names }
    }
}
