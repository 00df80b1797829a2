//! The newest entries in memory, framed as a batch has them, so that shipping does not read back
//! what was just written. Bounded: the oldest are let go, and are then read from the disk.

use super::segment::{Tip, records};
use bytes::Bytes;
use std::collections::VecDeque;

/// A run is sealed once it is this long.
const RUN_BYTES: usize = 64 << 10;

/// Consecutive entries, framed: length (u32, big endian), record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Before the first entry.
    pub(super) start: Tip,
    /// After the last entry.
    pub(super) end: Tip,
    pub(super) frames: Bytes,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Recent {
    most: usize,
    runs: VecDeque<Run>,
    /// Of all runs.
    bytes: usize,
    /// What is not sealed yet, and where it begins.
    open: Vec<u8>,
    start: Tip,
}

impl Recent {
    /// Keeps about `most` bytes. The first entry follows `tip`.
    pub(super) const fn new(most: usize, tip: Tip) -> Self {
        Self { most, runs: VecDeque::new(), bytes: 0, open: Vec::new(), start: tip }
    }

    /// Takes in the frames of a segment, after which the chain stands at `tip`.
    pub(super) fn push(&mut self, frames: &[u8], tip: Tip) {
        for record in records(frames) {
            // A record is at most 64 KiB.
            self.open.extend_from_slice(&(record.len() as u32).to_be_bytes());
            self.open.extend_from_slice(record);
        }
        if self.open.len() >= RUN_BYTES {
            self.seal(tip);
        }
    }

    /// Ends the run that is open, so that it can be shipped once it is synced. The chain stands at
    /// `tip`, where the last `push` left it.
    pub(super) fn seal(&mut self, tip: Tip) {
        if self.open.is_empty() {
            return;
        }
        let frames = Bytes::from(std::mem::take(&mut self.open));
        self.bytes += frames.len();
        self.runs.push_back(Run { start: self.start, end: tip, frames });
        self.start = tip;
        while self.bytes > self.most {
            self.let_go();
        }
    }

    /// Forgets runs all of whose entries are below `acknowledged`.
    pub(super) fn forget(&mut self, acknowledged: u64) {
        while self.runs.front().is_some_and(|run| run.end.next <= acknowledged) {
            self.let_go();
        }
    }

    /// The runs that begin with the entry `from` and end at or before `until`, up to about `entries`
    /// and `bytes`. Empty where the entry is not here, or not at the beginning of a run.
    pub(super) fn runs(&self, from: u64, until: u64, entries: usize, bytes: usize) -> Vec<Run> {
        let at = self.runs.partition_point(|run| run.start.next < from);
        if self.runs.get(at).is_none_or(|run| run.start.next != from) {
            return Vec::new();
        }
        let mut left = bytes;
        let fits = |run: &&Run| {
            let fits = run.frames.len() <= left;
            left = left.saturating_sub(run.frames.len());
            fits && run.end.next <= until && run.end.next - from <= entries as u64
        };
        self.runs.range(at..).take_while(fits).cloned().collect()
    }

    fn let_go(&mut self) {
        if let Some(run) = self.runs.pop_front() {
            self.bytes -= run.frames.len();
        }
    }
}
