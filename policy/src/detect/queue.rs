//! Which of overlapping matches are findings: the leftmost, then the longest, then the first in the
//! set. What the generic detector found is no finding where a specific one found any of it.

use super::finder::Finding;

/// Matches that are complete, and not yet reported because one that begins earlier may still come.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    waiting: Vec<Waiting>,
    /// The end of the last finding that was reported.
    last: u64,
    /// The furthest end of specific matches that were taken out: generic ones in front overlap them.
    specific: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    start: u64,
    generic: bool,
    /// Longer ones first.
    before_end: std::cmp::Reverse<u64>,
    detector: usize,
}

impl Queue {
    pub(super) fn push(&mut self, finding: Finding, generic: bool) {
        let Finding { detector, start, end } = finding;
        let before_end = std::cmp::Reverse(end);
        self.waiting.push(Waiting { start, generic, before_end, detector });
    }

    /// The first byte of what waits.
    pub(super) fn start(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.start).min()
    }

    /// Reports what can no longer change when no match will come that begins before `frontier`.
    pub(super) fn report(&mut self, frontier: u64, found: &mut impl FnMut(Finding)) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_unstable();
        let mut taken = 0;
        for (at, waiting) in self.waiting.iter().enumerate() {
            let Waiting { start, generic, before_end: std::cmp::Reverse(end), detector } = *waiting;
            if start >= frontier || (generic && end > frontier) {
                break;
            }
            taken = at + 1;
            let beaten = generic && {
                let behind = self.waiting.iter().skip(at + 1);
                let overlaps = |it: &Waiting| !it.generic && it.start < end;
                self.specific > start || behind.take_while(|it| it.start < end).any(overlaps)
            };
            if !generic {
                self.specific = self.specific.max(end);
            }
            if start >= self.last && !beaten {
                self.last = end;
                found(Finding { detector, start, end });
            }
        }
        self.waiting.drain(..taken);
    }
}
