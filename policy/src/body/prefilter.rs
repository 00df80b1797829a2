//! Finds where a match may begin, far faster than an automaton can.
//!
//! Every match begins with one of a set of literals. The search looks at words of two to four bytes,
//! and then skips as many places as it can without passing over a literal: of the first eight bytes
//! of a literal, one of five neighbouring words of four bytes is always looked at. A word is looked
//! up in a table of bits by its hash; where it is in, the literals that may be around it are
//! compared. The search may find too much, and never too little: the automaton decides.

use super::prefixes::{self, KEPT_BITS, MAX_LITERAL};
use super::views;
use regex_syntax::hir::Hir;

/// Behind a place in a chunk there must be this much for the search to look at it.
pub(super) const MARGIN: usize = MAX_LITERAL;
/// Bytes of each literal by which it is found, at most.
pub(super) const MAX_HEAD: usize = 8;
const HEAD_BITS: u32 = 12;
/// Small enough to stay in the nearest cache beside a chunk.
const WORD_BITS: u32 = 16;
/// How often, at most, the search may stop in ordinary text, by the estimate of [`frequency`].
const MAX_STOPS: f64 = 0.1;
/// What stopping costs, compared with looking at one word.
const STOP_COST: f64 = 12.0;

const KEPT_FOUR: u32 = u32::from_le_bytes([KEPT_BITS; 4]);
const KEPT_EIGHT: u64 = u64::from_le_bytes([KEPT_BITS; 8]);
/// What folding keeps of sixteen bytes.
const KEPT: u128 = u128::from_le_bytes([KEPT_BITS; 16]);

/// Where the matches of a set of patterns may begin.
#[derive(Debug)]
pub(super) struct Prefilter {
    /// Words in the heads of literals, which are their first bytes, as many as the shortest has.
    heads: Words,
    /// Bytes, and pairs of neighbouring bytes, in the heads.
    bytes: [bool; 256],
    pairs: Bits<{ 1 << (14 - 6) }>,
    /// By the hash of a head, the first of the literals that begin with it, plus one.
    by_head: Box<[u16; 1 << HEAD_BITS]>,
    literals: Vec<Literal>,
    /// The length of each head, and what it keeps of eight bytes.
    head: usize,
    head_mask: u64,
    /// From one word to the next that is looked at.
    stride: usize,
}

/// A folded literal of up to sixteen bytes.
#[derive(Debug, Clone, Copy)]
struct Literal {
    /// Of its head.
    hash: usize,
    bytes: u128,
    mask: u128,
}

/// A set of bits.
#[derive(Debug)]
struct Bits<const N: usize>(Box<[u64; N]>);

impl<const N: usize> Bits<N> {
    fn insert(&mut self, bit: usize) {
        self.0[bit >> 6] |= 1 << (bit & 63);
    }

    #[inline]
    fn contains(&self, bit: usize) -> bool {
        self.0[bit >> 6] >> (bit & 63) & 1 != 0
    }
}

/// Words of one width, by hash.
#[derive(Debug)]
struct Words {
    bits: Bits<{ 1 << (WORD_BITS - 6) }>,
    /// In bytes, at most four.
    width: usize,
}

impl Words {
    fn new(width: usize) -> Self {
        Self { bits: Bits(Box::new([0; 1 << (WORD_BITS - 6)])), width }
    }

    fn insert_all(&mut self, literal: &[u8]) {
        for word in literal.windows(self.width) {
            let mut four = [0; 4];
            four[..word.len()].copy_from_slice(word);
            self.bits.insert(hash(u32::from_le_bytes(four)));
        }
    }

    /// Whether the first of these four bytes may be a word of the set.
    #[inline]
    fn has(&self, four: u32) -> bool {
        self.bits.contains(hash(four & (KEPT_FOUR >> (32 - 8 * self.width))))
    }
}

#[inline]
const fn hash(word: u32) -> usize {
    (word.wrapping_mul(0x9E37_79B1) >> (32 - WORD_BITS)) as usize
}

/// Four bytes of a text, the first in the lowest place; zeros where the text ends before.
#[inline]
pub(super) fn four_at(text: &[u8], at: usize) -> u32 {
    text.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Eight bytes, as [`four_at`].
#[inline]
pub(super) fn eight_at(text: &[u8], at: usize) -> u64 {
    text.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

impl Prefilter {
    /// None where some pattern has no literal of two bytes in front, or where literals are so common
    /// in ordinary text that the search would stop all the time.
    pub(super) fn new<'h>(patterns: impl IntoIterator<Item = &'h Hir>) -> Option<Self> {
        let mut literals: Vec<_> = patterns.into_iter().flat_map(prefixes::of).collect();
        literals.sort_unstable();
        literals.dedup();
        let head = literals.iter().map(Vec::len).min()?.min(MAX_HEAD);
        if head < 2 || literals.len() > usize::from(u16::MAX) {
            return None;
        }
        let mut heads: Vec<_> = literals.iter().map(|literal| &literal[..head]).collect();
        heads.dedup();
        let costs = (2..=head.min(4)).map(|width| (cost(&heads, width), width));
        let ((_, stops), width) = costs.min_by(|a, b| a.0.0.total_cmp(&b.0.0))?;
        if stops > MAX_STOPS {
            return None;
        }
        let mut filter = Self {
            heads: Words::new(width),
            bytes: [false; 256],
            pairs: Bits(Box::new([0; 1 << (14 - 6)])),
            by_head: Box::new([0; 1 << HEAD_BITS]),
            literals: Vec::with_capacity(literals.len()),
            head,
            head_mask: u64::MAX >> (64 - 8 * head),
            stride: head - width + 1,
        };
        for head in &heads {
            filter.heads.insert_all(head);
            head.iter().for_each(|byte| filter.bytes[usize::from(*byte)] = true);
            head.windows(2).for_each(|pair| filter.pairs.insert(pair_index(pair[0], pair[1])));
        }
        literals.iter().for_each(|literal| filter.insert(literal));
        filter.literals.sort_unstable_by_key(|literal| literal.hash);
        for (at, literal) in filter.literals.iter().enumerate().rev() {
            filter.by_head[literal.hash] = u16::try_from(at + 1).ok()?;
        }
        Some(filter)
    }

    fn insert(&mut self, literal: &[u8]) {
        let mut padded = [0; MAX_LITERAL];
        padded[..literal.len()].copy_from_slice(literal);
        let bytes = u128::from_le_bytes(padded);
        let mask = u128::MAX >> (128 - 8 * literal.len());
        let hash = head_hash(head_of(bytes) & self.head_mask);
        self.literals.push(Literal { hash, bytes, mask });
    }

    /// Whether this byte is in the head of a literal.
    pub(super) fn has_byte(&self, byte: u8) -> bool {
        self.bytes[usize::from(byte & KEPT_BITS)]
    }

    /// Whether these bytes are neighbours in the head of a literal.
    pub(super) fn has_pair(&self, first: u8, second: u8) -> bool {
        self.pairs.contains(pair_index(first, second))
    }

    /// The length of each head.
    pub(super) fn head(&self) -> usize {
        self.head
    }

    /// Whether a word that has the last of `before`, or that has bytes of both, may be in a head. Said
    /// without a jump for each word, for it is asked at every escape.
    #[inline]
    pub(super) fn has_word_around(&self, before: u64, behind: u32) -> bool {
        let around = before >> 32 | u64::from(behind) << 32;
        let first = 4 - self.heads.width;
        #[expect(clippy::cast_possible_truncation, reason = "four bytes are looked at")]
        let word = |at: usize| (around >> (8 * (first + at))) as u32;
        (0..4).fold(false, |any, at| any | self.heads.has(word(at)))
    }

    /// Whether the last of these eight bytes are a head.
    #[inline]
    pub(super) fn is_head(&self, eight: u64) -> bool {
        let head = (eight & KEPT_EIGHT) >> (64 - 8 * self.head);
        self.with_head(head).is_some_and(|mut same| {
            same.any(|literal| head_of(literal.bytes) & self.head_mask == head)
        })
    }

    /// The first place from `from` and before `end` at which a match may begin. Both are at least
    /// [`MARGIN`] before the end of the chunk.
    pub(super) fn find(&self, chunk: &[u8], from: usize, end: usize) -> Option<usize> {
        match self.stride {
            1 => self.find_by::<1>(chunk, from, end),
            2 => self.find_by::<2>(chunk, from, end),
            3 => self.find_by::<3>(chunk, from, end),
            4 => self.find_by::<4>(chunk, from, end),
            5 => self.find_by::<5>(chunk, from, end),
            6 => self.find_by::<6>(chunk, from, end),
            _ => self.find_by::<7>(chunk, from, end),
        }
    }

    fn find_by<const STRIDE: usize>(&self, chunk: &[u8], from: usize, end: usize) -> Option<usize> {
        let literal_around = |word: usize| {
            let first = (word + 1 - STRIDE).max(from);
            (first..=word.min(end - 1)).find(|at| self.begins(chunk, *at))
        };
        let mut at = from + STRIDE - 1;
        let end_of_words = end + STRIDE - 1;
        // Four words at a time, so that the length is checked and a jump is made once for all.
        while at + 3 * STRIDE < end_of_words
            && let Some(block) = chunk.get(at..at + 3 * STRIDE + 4)
        {
            let has = |n: usize| u32::from(self.heads.has(four_at(block, n * STRIDE))) << n;
            let mut hits = has(0) | has(1) | has(2) | has(3);
            while hits != 0 {
                let word = at + STRIDE * hits.trailing_zeros() as usize;
                if let Some(found) = literal_around(word) {
                    return Some(found);
                }
                hits &= hits - 1;
            }
            at += 4 * STRIDE;
        }
        while at < end_of_words {
            if self.heads.has(four_at(chunk, at))
                && let Some(found) = literal_around(at)
            {
                return Some(found);
            }
            at += STRIDE;
        }
        None
    }

    /// Whether a literal begins here, as far as can be seen.
    #[inline]
    fn begins(&self, chunk: &[u8], at: usize) -> bool {
        let head = eight_at(chunk, at) & KEPT_EIGHT & self.head_mask;
        self.by_head[head_hash(head)] != 0 && self.literal_begins(chunk, at)
    }

    /// From an escape on, a view may go on differently than the bytes as sent.
    #[inline(never)]
    fn literal_begins(&self, chunk: &[u8], at: usize) -> bool {
        let Some(bytes) = chunk.get(at..at + 16).and_then(|bytes| bytes.try_into().ok()) else {
            return true;
        };
        let folded = u128::from_le_bytes(bytes) & KEPT;
        let Some(mut same) = self.with_head(head_of(folded) & self.head_mask) else { return false };
        same.any(|literal| {
            let differs = (folded ^ literal.bytes) & literal.mask;
            let first = (differs.trailing_zeros() / 8) as usize;
            differs == 0
                || first >= self.head
                    && chunk[at + self.head..=at + first].iter().any(|b| views::begins_any(*b))
        })
    }

    /// The literals whose head has the hash of this one.
    #[inline]
    fn with_head(&self, head: u64) -> Option<impl Iterator<Item = &Literal>> {
        let hash = head_hash(head);
        let first = usize::from(self.by_head[hash]).checked_sub(1)?;
        Some(self.literals[first..].iter().take_while(move |literal| literal.hash == hash))
    }
}

/// The first eight of sixteen bytes.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the others are not wanted")]
const fn head_of(bytes: u128) -> u64 {
    bytes as u64
}

#[inline]
const fn head_hash(head: u64) -> usize {
    (head.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - HEAD_BITS)) as usize
}

fn pair_index(first: u8, second: u8) -> usize {
    // Bit 5 is left out, by which cases differ.
    let squeeze = |b: u8| usize::from((b & 0x1f) | (b >> 1 & 0x60));
    squeeze(first) << 7 | squeeze(second)
}

/// The cost of a search by words of this width for each byte, and how often it stops.
fn cost(heads: &[&[u8]], width: usize) -> (f64, f64) {
    let stride = heads.first().map_or(1, |head| head.len() - width + 1);
    let mut words: Vec<_> = heads.iter().flat_map(|head| head.windows(width)).collect();
    words.sort_unstable();
    words.dedup();
    let often = |word: &&[u8]| word.iter().map(|b| frequency(*b)).product::<f64>();
    let by_chance = words.len() as f64 / f64::from(1 << WORD_BITS);
    let stops = words.iter().map(often).sum::<f64>() + by_chance;
    ((1.0 + STOP_COST * stops) / stride as f64, stops)
}

/// About how often a folded byte occurs in English text and in programs.
fn frequency(byte: u8) -> f64 {
    match byte {
        // A space, of which folding leaves nothing.
        0 => 0.16,
        b'E' | b'T' => 0.09,
        b'A' | b'O' | b'I' | b'N' | b'S' | b'R' | b'H' => 0.06,
        b'L' | b'D' | b'C' | b'U' | b'M' | b'F' | b'P' | b'G' | b'W' | b'Y' | b'B' => 0.025,
        // The other letters, and digits.
        b'A'..=b'Z' | 0x10..=0x19 => 0.015,
        1..=0x5f => 0.01,
        _ => 0.005,
    }
}
