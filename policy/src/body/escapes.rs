//! Looks ahead for the places of a chunk that the automata must see.
//!
//! While no match has begun in any view, text can be skipped up to the next place at which one may
//! begin. In the bytes as sent the [`Prefilter`] finds it. A view differs from them only at escapes,
//! and the head of a literal is in the view alone if it spans what an escape puts out. Escapes of which
//! that is not true are skipped too; behind a head, the filter takes an escape for anything.

use super::prefilter::{MARGIN, MAX_HEAD, Prefilter, eight_at, four_at};
use super::views::{Decoder, Json, NoNul, Percent, hex, unescaped};
use memchr::{memchr, memchr2};

/// Longest escape that is decoded here, with the byte behind it: a surrogate pair of JSON.
const LONGEST: usize = 13;
/// Longest single escape.
const ESCAPE: usize = 6;

/// An escape is near to the one before if fewer plain bytes than this are between them.
const NEAR: usize = 8;

/// The last eight bytes of a view, the newest in the highest place, and where they end in the chunk.
#[derive(Debug, Clone, Copy)]
struct Recent {
    eight: u64,
    end: usize,
}

impl Recent {
    fn push(&mut self, byte: u8) {
        self.eight = self.eight >> 8 | u64::from(byte) << 56;
    }

    /// Takes bytes that are the same in the view, up to `end`.
    fn take_plain(&mut self, chunk: &[u8], end: usize) {
        let plain = end - self.end;
        match end.checked_sub(NEAR) {
            Some(begin) if plain >= NEAR => self.eight = eight_at(chunk, begin),
            Some(begin) if plain > 0 => {
                let older = u64::MAX >> (8 * plain);
                self.eight = self.eight >> (8 * plain) | eight_at(chunk, begin) & !older;
            }
            _ => chunk[self.end..end].iter().for_each(|byte| self.push(*byte)),
        }
        self.end = end;
    }

    fn newest(self) -> u8 {
        self.eight.to_le_bytes()[NEAR - 1]
    }
}

/// Where to go on in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    /// Nothing before this place matters; no view is inside an escape there.
    pub(super) from: usize,
    /// Up to here, at least, every byte must be seen.
    pub(super) until: usize,
}

/// One chunk of a body, and the next escape of each view that matters.
pub(super) struct Ahead<'a> {
    prefilter: &'a Prefilter,
    chunk: &'a [u8],
    /// From here on everything must be seen: what matters may end in the next chunk.
    tail: usize,
    /// Whether the byte before a match matters, so that it must be the same in every view.
    looks_around: bool,
    escapes: [Option<Span>; 3],
}

/// Escapes of a view that a head spans.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// The first of those that the same head may span.
    first: usize,
    /// The one behind which it shows.
    last: usize,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(prefilter: &'a Prefilter, chunk: &'a [u8], looks_around: bool) -> Self {
        let tail = chunk.len().saturating_sub(MARGIN);
        Self { prefilter, chunk, tail, looks_around, escapes: [None; 3] }
    }

    /// The next place that matters, from `at` on, where no match has begun and no view is inside an
    /// escape.
    pub(super) fn next(&mut self, at: usize) -> Stop {
        if at >= self.tail {
            return Stop { from: at, until: self.chunk.len() };
        }
        let of: [fn(&Self, usize) -> Span; 3] = [Self::percent, Self::json, Self::nul];
        let mut escape = self.nowhere();
        for (view, find) in of.into_iter().enumerate() {
            let known = self.escapes[view].filter(|span| span.first >= at);
            let span = known.unwrap_or_else(|| find(self, at));
            self.escapes[view] = Some(span);
            if span.first < escape.first {
                escape = span;
            }
        }
        let end = escape.first.saturating_sub(self.prefilter.head() - 1).min(self.tail).max(at);
        let found = (at < end).then(|| self.prefilter.find(self.chunk, at, end)).flatten();
        let until = match found {
            Some(begin) => begin + 1,
            None if escape.first < self.tail => escape.last + 1,
            None => self.chunk.len(),
        };
        Stop { from: self.plain_before(at, found.unwrap_or(end)), until }
    }

    /// The last place up to `want`, and from `at` on, before which the bytes are the same in every
    /// view, so that no view is inside an escape there.
    fn plain_before(&self, at: usize, want: usize) -> usize {
        let escape = |b: &u8| match b {
            b'%' | b'\\' => true,
            b'+' | 0 => self.looks_around,
            _ => false,
        };
        let mut place = want;
        while place > at {
            let before = place.saturating_sub(ESCAPE).max(at);
            match self.chunk[before..place].iter().position(escape) {
                Some(found) => place = before + found,
                None => break,
            }
        }
        place
    }

    /// Walks the escapes of one view from `at` on, to the first that a head spans. `decode` gives what
    /// an escape puts out and where it ends, or nothing where that is not known.
    fn walk<D: Decoder>(
        &self,
        at: usize,
        find: impl Fn(&[u8]) -> Option<usize>,
        decode: impl Fn(usize) -> Option<([u8; 4], usize, usize)>,
    ) -> Span {
        let mut last = Recent { eight: 0, end: at };
        // Where the last escapes begin that one head may span, in turn: each stands for a byte of it at
        // least, or has one behind it. No head that is still of interest begins before `least`.
        let mut begins = [at; MAX_HEAD];
        let mut count = 0;
        let mut least = at;
        while let Some(found) = find(&self.chunk[last.end..]) {
            let begin = last.end + found;
            if begin >= last.end + NEAR {
                least = begin;
            }
            begins[count % MAX_HEAD] = begin;
            count += 1;
            let span = Span { first: begins[count % MAX_HEAD].max(least), last: begin };
            if begin + LONGEST > self.tail {
                return span;
            }
            let Some((out, len, end)) = decode(begin) else { return span };
            if len == 1 && !self.prefilter.has_byte(out[0]) {
                // No head spans it, so what is before it no longer matters.
                last = Recent { eight: 0, end };
                least = end;
                continue;
            }
            last.take_plain(self.chunk, begin);
            last.end = end;
            if self.spans::<D>(&mut last, &out[..len]) {
                return span;
            }
        }
        self.nowhere()
    }

    fn nowhere(&self) -> Span {
        Span { first: self.chunk.len(), last: self.chunk.len() }
    }

    /// Whether a head has a byte of what an escape puts out, which is taken, or spans an escape that
    /// puts out nothing. A head that goes on to the next escape is seen there.
    fn spans<D: Decoder>(&self, last: &mut Recent, out: &[u8]) -> bool {
        let ends = if out.len() < 2 {
            out.iter().for_each(|byte| last.push(*byte));
            if !self.prefilter.has_word_around(last.eight, four_at(self.chunk, last.end)) {
                return false;
            }
            self.prefilter.is_head(last.eight)
        } else {
            out.iter().any(|byte| {
                let neighbours = self.prefilter.has_pair(last.newest(), *byte);
                last.push(*byte);
                neighbours && self.prefilter.is_head(last.eight)
            })
        };
        ends || self.spans_behind::<D>(*last)
    }

    /// Whether a head that begins before the end of `last` ends behind it. An escape so near looks at
    /// what is behind itself.
    fn spans_behind<D: Decoder>(&self, mut last: Recent) -> bool {
        for byte in &self.chunk[last.end..last.end + self.prefilter.head() - 1] {
            if D::begins(*byte) || !self.prefilter.has_pair(last.newest(), *byte) {
                return false;
            }
            last.push(*byte);
            if self.prefilter.is_head(last.eight) {
                return true;
            }
        }
        false
    }

    fn percent(&self, at: usize) -> Span {
        self.walk::<Percent>(
            at,
            |text| memchr2(b'%', b'+', text),
            |begin| {
                let [first, a, b] = [0, 1, 2].map(|n| self.chunk[begin + n]);
                let (out, len) = match first {
                    b'+' => (b' ', 1),
                    _ if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                        (hex(a) * 16 + hex(b), 3)
                    }
                    // No escape: it passes as it is.
                    other => (other, 1),
                };
                Some(([out, 0, 0, 0], 1, begin + len))
            },
        )
    }

    fn json(&self, at: usize) -> Span {
        self.walk::<Json>(
            at,
            |text| memchr(b'\\', text),
            |begin| match self.chunk[begin + 1] {
                b'u' => {
                    let (char, end) = self.unicode(begin)?;
                    let mut out = [0; 4];
                    let len = char.encode_utf8(&mut out).len();
                    Some((out, len, end))
                }
                other => Some(([unescaped(other), 0, 0, 0], 1, begin + 2)),
            },
        )
    }

    /// The character of a `\u` escape or of a surrogate pair, and where it ends.
    fn unicode(&self, begin: usize) -> Option<(char, usize)> {
        let unit = |at: usize| {
            let digits = self.chunk.get(at + 2..at + 6)?;
            let escape = self.chunk[at..].starts_with(b"\\u");
            (escape && digits.iter().all(u8::is_ascii_hexdigit))
                .then(|| digits.iter().fold(0, |value, b| value * 16 + u32::from(hex(*b))))
        };
        let (first, end) = (unit(begin)?, begin + 6);
        if let Some(char) = char::from_u32(first) {
            return Some((char, end));
        }
        let second = unit(end).filter(|low| (0xDC00..=0xDFFF).contains(low))?;
        let high = first.checked_sub(0xD800).filter(|high| *high < 0x400)?;
        char::from_u32(0x10000 + (high << 10) + (second - 0xDC00)).map(|char| (char, end + 6))
    }

    /// A run of NUL bytes is one escape, which puts out nothing. Nothing spans one that begins at `at`.
    fn nul(&self, at: usize) -> Span {
        let run = self.chunk[at..].iter().take_while(|b| **b == 0).count();
        self.walk::<NoNul>(
            at + run,
            |text| memchr(0, text),
            |begin| {
                let run = self.chunk[begin..].iter().position(|b| *b != 0)?;
                (begin + run < self.tail).then_some(([0; 4], 0, begin + run))
            },
        )
    }
}
