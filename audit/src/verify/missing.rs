//! Sequences that were passed over, as ranges; a late arrival takes its own out again.

use super::MAX_FINDINGS;
use std::collections::BTreeMap;

/// Disjoint inclusive ranges by their start. Never more than [`MAX_FINDINGS`].
#[derive(Debug, Default)]
pub(super) struct Missing(BTreeMap<u64, u64>);

impl Missing {
    /// Notes `from..=to`; returns how many ranges could not be kept.
    pub(super) fn insert(&mut self, from: u64, to: u64) -> u64 {
        if self.0.len() >= MAX_FINDINGS {
            return 1;
        }
        self.0.insert(from, to);
        0
    }

    /// Whether `seq` was missing; it no longer is.
    pub(super) fn remove(&mut self, seq: u64) -> bool {
        let Some((&from, &to)) = self.0.range(..=seq).next_back() else { return false };
        if seq > to {
            return false;
        }
        self.0.remove(&from);
        if from < seq {
            self.0.insert(from, seq - 1);
        }
        if seq < to {
            self.0.insert(seq + 1, to);
        }
        true
    }

    pub(super) fn ranges(&self) -> Vec<(u64, u64)> {
        self.0.iter().map(|(from, to)| (*from, *to)).collect()
    }
}
