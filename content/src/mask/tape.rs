//! The bytes that have not left yet, and what changes in them.
//!
//! Offsets are those of the body as it came, without its codings.

use super::replace::{Masks, digits};
use exeat_policy::mask::Numbers;
use std::collections::{BTreeMap, VecDeque};

/// How often each detector's values were masked, by its name.
pub type Counts = BTreeMap<String, u64>;

/// What may be changed in a body: everything else is its structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// An escape: it is changed whole or not at all.
    Unit,
    /// A number of a JSON text.
    Number,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    start: u64,
    end: u64,
    kind: Kind,
}

/// A place that was found, or one of the places that one value stands in.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Of the first place of a value: what stands for it.
    pub(super) text: Option<Vec<u8>>,
    pub(super) mask: usize,
    pub(super) detector: usize,
}

/// A change within one part.
struct Piece {
    start: u64,
    end: u64,
    change: Change,
    counted: Option<(usize, usize)>,
}

enum Change {
    /// Nothing, for the places of a value behind its first.
    Text(Vec<u8>),
    /// Other digits in a number that begins here.
    Digits(u64),
}

#[derive(Default)]
pub(super) struct Tape {
    base: u64,
    bytes: Vec<u8>,
    parts: VecDeque<Part>,
    edits: Vec<Edit>,
    pub(super) counts: Counts,
    /// Whether what is written is percent-encoded.
    pub(super) form: bool,
}

impl Tape {
    /// Where what has not left begins.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(super) fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// These bytes may be changed.
    pub(super) fn part(&mut self, start: u64, end: u64, kind: Kind) {
        if start >= end {
            return;
        }
        match self.parts.back_mut() {
            Some(last) if last.end == start && last.kind == kind && kind != Kind::Unit => {
                last.end = end;
            }
            _ => self.parts.push_back(Part { start, end, kind }),
        }
    }

    /// Changes what stands at a place, but for what has left.
    pub(super) fn edit(&mut self, edit: Edit) {
        if edit.end > self.base {
            self.edits.push(Edit { start: edit.start.max(self.base), ..edit });
        }
    }

    /// Gives out what stands before `until`, changed. Less where a change reaches beyond it.
    pub(super) fn release(&mut self, until: u64, masks: &Masks, out: &mut Vec<u8>) {
        let until = self.whole(until.clamp(self.base, self.end()));
        if until == self.base {
            return;
        }
        let pieces = self.pieces(until, masks);
        let mut at = self.base;
        for piece in pieces {
            out.extend_from_slice(self.slice(at, piece.start));
            match &piece.change {
                Change::Digits(number) => {
                    let before = self.slice(*number, piece.start).to_vec();
                    digits(self.slice(piece.start, piece.end), &before, out);
                }
                Change::Text(text) if self.form => percent(text, out),
                Change::Text(text) => out.extend_from_slice(text),
            }
            if let Some((mask, detector)) = piece.counted {
                *self.counts.entry(masks.name(mask, detector).to_owned()).or_default() += 1;
            }
            at = piece.end;
        }
        out.extend_from_slice(self.slice(at, until));
        self.bytes.drain(..self.index(until));
        self.base = until;
        self.edits.retain(|edit| edit.end > until);
        while self.parts.front().is_some_and(|part| part.end <= until) {
            self.parts.pop_front();
        }
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.bytes.len())
    }

    fn slice(&self, start: u64, end: u64) -> &[u8] {
        self.bytes.get(self.index(start)..self.index(end)).unwrap_or_default()
    }

    /// The last place before `until` that cuts neither a change nor what is changed whole.
    fn whole(&self, mut until: u64) -> u64 {
        loop {
            let edit = self.edits.iter().filter(|it| it.start < until && it.end > until);
            let first = edit.map(|it| it.start).min();
            let at = self.parts.partition_point(|part| part.end <= until);
            let part = self.parts.get(at).filter(|it| it.kind != Kind::Text && it.start < until);
            match first.into_iter().chain(part.map(|it| it.start)).min() {
                Some(before) => until = before,
                None => return until.max(self.base),
            }
        }
    }

    /// The changes before `until`, in order; they do not overlap.
    fn pieces(&mut self, until: u64, masks: &Masks) -> Vec<Piece> {
        self.edits.sort_by_key(|it| {
            (it.start, std::cmp::Reverse(it.end), it.text.is_none(), it.mask, it.detector)
        });
        let mut pieces = Vec::new();
        for edit in self.edits.iter().filter(|edit| edit.end <= until) {
            let from = self.parts.partition_point(|part| part.end <= edit.start);
            let mut text = edit.text.as_deref();
            let inside = self.parts.iter().skip(from).take_while(|part| part.start < edit.end);
            for part in inside {
                pieces.push(piece(edit, *part, text.take(), masks));
            }
        }
        pieces.sort_by_key(|piece| piece.start);
        let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match merged.last_mut() {
                Some(last) if piece.start < last.end => {
                    last.end = last.end.max(piece.end);
                    if last.counted.is_none() {
                        last.change = piece.change;
                        last.counted = piece.counted;
                    }
                }
                _ => merged.push(piece),
            }
        }
        merged
    }
}

fn piece(edit: &Edit, part: Part, text: Option<&[u8]>, masks: &Masks) -> Piece {
    let counted = text.map(|_| (edit.mask, edit.detector));
    let text = text.unwrap_or_default();
    let (start, end) = (edit.start.max(part.start), edit.end.min(part.end));
    match part.kind {
        Kind::Text => Piece { start, end, change: Change::Text(text.to_vec()), counted },
        Kind::Unit => {
            let change = Change::Text(text.to_vec());
            Piece { start: part.start, end: part.end, change, counted }
        }
        Kind::Number if masks.numbers(edit.mask) == Numbers::String => {
            let change = Change::Text([b"\"", text, b"\""].concat());
            Piece { start: part.start, end: part.end, change, counted }
        }
        Kind::Number => Piece { start, end, change: Change::Digits(part.start), counted },
    }
}

fn percent(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*') {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}
