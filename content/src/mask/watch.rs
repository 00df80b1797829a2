//! Looks for what is masked in one stream of text, and knows where each byte of it came from.

use super::replace::Masks;
use super::tape::{Edit, Tape};
use exeat_policy::detect::{Finder, Finding};
use std::collections::VecDeque;

/// What every reader of a body works on.
pub(super) struct Cx<'c> {
    pub(super) masks: &'c Masks,
    pub(super) tape: Tape,
    /// Where events or lines ended that have not left.
    pub(super) marks: VecDeque<u64>,
}

impl Cx<'_> {
    /// An event or a line ends here.
    pub(super) fn mark(&mut self, at: u64) {
        self.marks.push_back(at);
    }
}

/// One stream.
pub(super) struct Watch<'c> {
    finders: Vec<Finder<'c>>,
    /// The last of the text, from `base` on: as much as may be part of what is found.
    text: Vec<u8>,
    base: u64,
    runs: VecDeque<Run>,
}

/// Where text came from. Byte by byte where the lengths are equal, else as a whole.
#[derive(Debug, Clone, Copy)]
struct Run {
    at: u64,
    length: u64,
    raw: u64,
    raw_length: u64,
    whole: bool,
}

impl<'c> Watch<'c> {
    pub(super) fn new(masks: &'c Masks) -> Self {
        let finders = masks.list().iter().map(|mask| Finder::new(&mask.set)).collect();
        Self { finders, text: Vec::new(), base: 0, runs: VecDeque::new() }
    }

    fn end(&self) -> u64 {
        self.base + self.text.len() as u64
    }

    /// Text that stands so in the body, at `raw`.
    pub(super) fn plain(&mut self, text: &[u8], raw: u64, cx: &mut Cx<'_>) {
        let length = text.len() as u64;
        match self.runs.back_mut() {
            Some(last) if !last.whole && last.raw + last.raw_length == raw => {
                last.length += length;
                last.raw_length += length;
            }
            _ => {
                let run = Run { at: self.end(), length, raw, raw_length: length, whole: false };
                self.runs.push_back(run);
            }
        }
        self.take(text, cx);
    }

    /// Text that an escape in the body stands for.
    pub(super) fn unit(&mut self, text: &[u8], raw: (u64, u64), cx: &mut Cx<'_>) {
        let (raw, raw_length) = (raw.0, raw.1.saturating_sub(raw.0));
        let length = text.len() as u64;
        self.runs.push_back(Run { at: self.end(), length, raw, raw_length, whole: true });
        self.take(text, cx);
    }

    fn take(&mut self, text: &[u8], cx: &mut Cx<'_>) {
        self.text.extend_from_slice(text);
        let mut found = Vec::new();
        for (mask, finder) in self.finders.iter_mut().enumerate() {
            finder.push(text, &mut |finding| found.push((mask, finding)));
        }
        self.note(found, cx);
        let open = self.finders.iter().map(Finder::open).max().unwrap_or(0);
        let keep = self.end().saturating_sub(open);
        let gone = usize::try_from(keep.saturating_sub(self.base)).unwrap_or(0);
        self.text.drain(..gone.min(self.text.len()));
        self.base = keep;
        while self.runs.front().is_some_and(|run| run.at + run.length <= keep) {
            self.runs.pop_front();
        }
    }

    /// The stream has ended.
    pub(super) fn finish(mut self, cx: &mut Cx<'_>) {
        let mut found = Vec::new();
        for (mask, finder) in std::mem::take(&mut self.finders).into_iter().enumerate() {
            finder.finish(&mut |finding| found.push((mask, finding)));
        }
        self.note(found, cx);
    }

    fn note(&self, found: Vec<(usize, Finding)>, cx: &mut Cx<'_>) {
        for (mask, Finding { start, end, detector }) in found {
            let from = usize::try_from(start.saturating_sub(self.base)).unwrap_or(usize::MAX);
            let to = usize::try_from(end.saturating_sub(self.base)).unwrap_or(usize::MAX);
            let value = self.text.get(from..to).unwrap_or_default();
            let mut text = Some(cx.masks.replacement(mask, detector, value));
            for (start, end) in self.ranges(start, end) {
                if end > cx.tape.base() {
                    cx.tape.edit(Edit { start, end, text: text.take(), mask, detector });
                }
            }
        }
    }

    /// Where this text stands in the body.
    fn ranges(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for run in self.runs.iter().filter(|run| run.at < end && run.at + run.length > start) {
            let range = if run.whole {
                (run.raw, run.raw + run.raw_length)
            } else {
                let from = start.max(run.at) - run.at;
                let to = end.min(run.at + run.length) - run.at;
                (run.raw + from, run.raw + to)
            };
            match ranges.last_mut() {
                Some(last) if last.1 == range.0 => last.1 = range.1,
                _ => ranges.push(range),
            }
        }
        ranges
    }

    /// Where the first byte stands that may be part of what will be found, and how many bytes of text
    /// there are from there on.
    pub(super) fn open(&self) -> Option<(u64, usize)> {
        let open = self.text.len();
        let run = self.runs.front().filter(|_| open > 0)?;
        let into = if run.whole { 0 } else { self.base.saturating_sub(run.at) };
        Some((run.raw + into, open))
    }
}
