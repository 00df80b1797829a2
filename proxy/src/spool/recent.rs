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

/// The newest entries in memory, for shipping.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::segment::{FRAME_BYTES, seal};
    use exeat_audit::chain::ChainId;
    use proptest::prelude::*;

    /// Pushes one record and returns where the chain stands then.
    fn push(recent: &mut Recent, tip: Tip, record: &[u8]) -> Tip {
        let after = tip.after(record).unwrap();
        let mut frame = vec![0; FRAME_BYTES];
        seal(&mut frame, record.len(), &after.link);
        frame.extend_from_slice(record);
        recent.push(&frame, after);
        after
    }

    proptest! {
        /// Whatever was sealed, let go or acknowledged: what comes is consecutive, begins where it
        /// was asked for, ends by what may be shipped, and is what was pushed.
        #[test]
        fn runs_are_consecutive_and_whole(
            steps in prop::collection::vec((1_usize..3000, any::<bool>()), 1..200),
            acknowledged in 0_u64..200,
            most in 1_usize..200_000,
            bytes in 1_usize..200_000,
        ) {
            let chain: ChainId = "pod-1".parse().unwrap();
            let mut tip = Tip::start(&chain);
            let mut recent = Recent::new(most, tip);
            let (mut tips, mut synced) = (vec![tip], 0);
            for (length, sync) in &steps {
                tip = push(&mut recent, tip, &vec![b'r'; *length]);
                tips.push(tip);
                if *sync {
                    recent.seal(tip);
                    synced = tip.next;
                }
            }
            prop_assert!(recent.bytes <= most);
            recent.forget(acknowledged);
            for from in 0..=steps.len() as u64 {
                let runs = recent.runs(from, synced, 50, bytes);
                let mut at = from;
                for run in &runs {
                    prop_assert_eq!(run.start, tips[at as usize]);
                    let mut expected = Vec::new();
                    for (length, _) in &steps[at as usize..run.end.next as usize] {
                        expected.extend_from_slice(&(*length as u32).to_be_bytes());
                        expected.extend(std::iter::repeat_n(b'r', *length));
                    }
                    prop_assert_eq!(&run.frames[..], &expected[..]);
                    at = run.end.next;
                }
                prop_assert!(at <= synced.max(from) && at - from <= 50);
            }
        }
    }

    #[test]
    fn what_is_synced_is_there_until_it_is_acknowledged() {
        let start = Tip::start(&"pod-1".parse().unwrap());
        let mut recent = Recent::new(1 << 20, start);
        let mut tip = push(&mut recent, start, b"{}");
        assert!(recent.runs(0, 1, 10, 100).is_empty(), "not sealed, so not synced");
        recent.seal(tip);
        tip = push(&mut recent, tip, b"{}");
        recent.seal(tip);
        assert_eq!(recent.runs(0, 2, 10, 100).len(), 2);
        assert_eq!(recent.runs(0, 1, 10, 100).len(), 1);
        assert_eq!(recent.runs(0, 2, 10, 11).len(), 1, "six bytes each");
        recent.forget(1);
        assert!(recent.runs(0, 2, 10, 100).is_empty());
        assert_eq!(recent.runs(1, 2, 10, 100).len(), 1);
        recent.forget(2);
        assert_eq!((recent.bytes, recent.runs.len()), (0, 0));
    }
}
