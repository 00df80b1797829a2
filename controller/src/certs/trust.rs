//! The certificates that clients of this installation have to trust.

use arc_swap::ArcSwap;
use std::sync::Arc;

/// The current CA bundle, in PEM. Empty until one is known; whoever hands it out must refuse then.
#[derive(Debug, Default)]
pub struct Trust {
    bundle: ArcSwap<String>,
}

impl Trust {
    /// A bundle that is known from the start.
    pub fn fixed(pem: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { bundle: ArcSwap::from_pointee(pem.into()) })
    }

    /// All certificates to trust: during a rotation the old and the new.
    pub fn bundle(&self) -> Arc<String> {
        self.bundle.load_full()
    }

    /// Replaces the bundle.
    pub fn replace(&self, pem: String) {
        self.bundle.store(Arc::new(pem));
    }
}
