//! Joins outcomes to intents.
//!
//! An intent that was denied has no outcome, and a `network.dns` question needs none: it is answered
//! where it is decided (an outcome for one is not judged; it states the action). Every other
//! allowed intent has exactly one.

use super::Gap;
use crate::record::{Kind, Record};
use std::collections::BTreeMap;

/// Intents that are open at once beyond this many are counted only.
const MAX_OPEN: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Intents {
    /// Sequence by id.
    open: BTreeMap<u64, u64>,
    omitted: u64,
}

impl Intents {
    pub(super) fn read(&mut self, seq: u64, record: &Record, mut gap: impl FnMut(Gap)) {
        match record.kind {
            Kind::Intent if record.awaits_outcome() => self.begin(seq, record, gap),
            Kind::Outcome if !record.is_question() => {
                let joined = record.id.is_some_and(|id| self.open.remove(&id).is_some());
                // What was not kept cannot be joined; that is our limit and not a gap.
                if !joined && self.omitted == 0 {
                    gap(Gap::NoIntent { seq, id: record.id });
                }
            }
            Kind::Restart => {
                for (id, intent) in std::mem::take(&mut self.open) {
                    gap(Gap::Interrupted { seq: intent, id, restart: seq });
                }
            }
            _ => {}
        }
    }

    /// Allowed intents without an outcome so far.
    pub(super) fn open(&self) -> u64 {
        self.open.len() as u64
    }

    /// The chain has ended: what is open stays open.
    pub(super) fn end(&mut self, mut gap: impl FnMut(Gap)) {
        for (id, seq) in std::mem::take(&mut self.open) {
            gap(Gap::NoOutcome { seq, id });
        }
    }

    pub(super) const fn omitted(&self) -> u64 {
        self.omitted
    }

    fn begin(&mut self, seq: u64, record: &Record, mut gap: impl FnMut(Gap)) {
        match record.id {
            None => gap(Gap::AmbiguousIntent { seq }),
            Some(_) if self.open.len() >= MAX_OPEN => self.omitted += 1,
            Some(id) => {
                if self.open.insert(id, seq).is_some() {
                    gap(Gap::AmbiguousIntent { seq });
                }
            }
        }
    }
}
