//! Payload bytes of one act.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that were relayed so far: from the agent, and to it.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<(AtomicU64, AtomicU64)>);

impl Counts {
    /// Out, and in.
    pub fn totals(&self) -> (u64, u64) {
        (self.0.0.load(Ordering::Relaxed), self.0.1.load(Ordering::Relaxed))
    }

    pub fn add_out(&self, bytes: usize) {
        self.0.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn add_in(&self, bytes: usize) {
        self.0.1.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
