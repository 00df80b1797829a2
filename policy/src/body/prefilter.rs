//! Finds where a match may begin, far faster than an automaton can.
//!
//! Every match begins with one of a set of literals. The search looks at words of two to four bytes,
//! and then skips as many places as it can without passing over a literal: of the first eight bytes
//! of a literal, one of five neighbouring words of four bytes is always looked at. A word is looked
//! up in a table of bits by its hash; where it is in, the literals that may be around it are
//! compared. The search may find too much, and never too little: the automaton decides.

use super::prefixes::{self, KEPT_BITS, MAX_LITERAL};
use regex_syntax::hir::Hir;

/// Behind a place in a chunk there must be this much for the search to look at it.
pub(super) const MARGIN: usize = MAX_LITERAL;
/// Bytes of each literal by which it is found, at most.
const MAX_HEAD: usize = 8;
const HEAD_BITS: u32 = 12;
/// Small enough to stay in the nearest cache beside a chunk.
const WORD_BITS: u32 = 16;
const GRAM_BITS: u32 = 16;
/// How often, at most, the search may stop in ordinary text, by the estimate of [`frequency`].
const MAX_STOPS: f64 = 0.1;
/// What stopping costs, compared with looking at one word.
const STOP_COST: f64 = 12.0;

const KEPT_FOUR: u32 = u32::from_le_bytes([KEPT_BITS; 4]);
const KEPT_EIGHT: u64 = u64::from_le_bytes([KEPT_BITS; 8]);
/// What folding keeps of sixteen bytes.
const KEPT: u128 = u128::from_le_bytes([KEPT_BITS; 16]);

/// Where the matches of a set of patterns may begin.
pub(super) struct Prefilter {
    /// Words in the heads of literals.
    heads: Words,
    /// Grams anywhere in literals: as many neighbouring bytes as the shortest literal has.
    grams: Bits<{ 1 << (GRAM_BITS - 6) }>,
    gram: usize,
    /// Pairs of neighbouring bytes anywhere in literals.
    pairs: Bits<{ 1 << (14 - 6) }>,
    /// By the hash of a head, the first of the literals that begin with it, plus one.
    by_head: Box<[u16; 1 << HEAD_BITS]>,
    literals: Vec<Literal>,
    head_mask: u64,
    /// From one word to the next that is looked at.
    stride: usize,
    /// The longest literal.
    longest: usize,
}

/// A folded literal of up to sixteen bytes.
#[derive(Debug, Clone, Copy)]
struct Literal {
    head: usize,
    bytes: u128,
    mask: u128,
}

/// A set of bits.
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

    /// The first of the places `at`, `at + STRIDE`, ... before `end` at which there may be a word of
    /// the set.
    fn next_of<const STRIDE: usize>(
        &self,
        chunk: &[u8],
        mut at: usize,
        end: usize,
    ) -> Option<usize> {
        let kept = KEPT_FOUR >> (32 - 8 * self.width);
        let has = |four: u32| self.bits.contains(hash(four & kept));
        // Four at a time, so that the lengths are checked and a jump is made once for all of them.
        while at + 3 * STRIDE < end
            && let Some(block) = chunk.get(at..at + 3 * STRIDE + 4)
        {
            if (0..4).fold(false, |any, n| any | has(four_at(block, n * STRIDE))) {
                break;
            }
            at += 4 * STRIDE;
        }
        while at < end {
            if has(four_at(chunk, at)) {
                return Some(at);
            }
            at += STRIDE;
        }
        None
    }
}

#[inline]
const fn hash(word: u32) -> usize {
    (word.wrapping_mul(0x9E37_79B1) >> (32 - WORD_BITS)) as usize
}

/// Four bytes of a text, the first in the lowest place; zeros where the text ends before.
#[inline]
fn four_at(text: &[u8], at: usize) -> u32 {
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
    pub(super) fn new(patterns: &[Hir]) -> Option<Self> {
        let mut literals: Vec<_> = patterns.iter().flat_map(prefixes::of).collect();
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
            grams: Bits(Box::new([0; 1 << (GRAM_BITS - 6)])),
            gram: head,
            pairs: Bits(Box::new([0; 1 << (14 - 6)])),
            by_head: Box::new([0; 1 << HEAD_BITS]),
            literals: Vec::with_capacity(literals.len()),
            head_mask: u64::MAX >> (64 - 8 * head),
            stride: head - width + 1,
            longest: literals.iter().map(Vec::len).max()?,
        };
        heads.iter().for_each(|head| filter.heads.insert_all(head));
        literals.iter().for_each(|literal| filter.insert(literal));
        filter.literals.sort_unstable_by_key(|literal| literal.head);
        for (at, literal) in filter.literals.iter().enumerate().rev() {
            filter.by_head[literal.head] = u16::try_from(at + 1).ok()?;
        }
        Some(filter)
    }

    fn insert(&mut self, literal: &[u8]) {
        for gram in literal.windows(self.gram) {
            let mut eight = [0; 8];
            eight[..gram.len()].copy_from_slice(gram);
            let bits = gram_hashes(u64::from_le_bytes(eight));
            bits.into_iter().for_each(|bit| self.grams.insert(bit));
        }
        for pair in literal.windows(2) {
            self.pairs.insert(pair_index(pair[0], pair[1]));
        }
        let mut padded = [0; MAX_LITERAL];
        padded[..literal.len()].copy_from_slice(literal);
        let bytes = u128::from_le_bytes(padded);
        let mask = u128::MAX >> (128 - 8 * literal.len());
        self.literals.push(Literal { head: self.head_hash(bytes), bytes, mask });
    }

    /// How far before the last byte of a literal its first may be.
    pub(super) fn reach(&self) -> usize {
        self.longest - 1
    }

    /// Whether these bytes are neighbours in some literal.
    pub(super) fn has_pair(&self, first: u8, second: u8) -> bool {
        self.pairs.contains(pair_index(first, second))
    }

    /// The length of a gram.
    pub(super) fn gram(&self) -> usize {
        self.gram
    }

    /// Whether the last of these eight bytes may be a gram of a literal.
    #[inline]
    pub(super) fn has_gram(&self, eight: u64) -> bool {
        let [a, b] = gram_hashes((eight & KEPT_EIGHT) >> (64 - 8 * self.gram));
        self.grams.contains(a) && self.grams.contains(b)
    }

    /// The first place from `from` and before `end` at which a match may begin. Both are at least
    /// [`MARGIN`] before the end of the chunk.
    pub(super) fn find(&self, chunk: &[u8], from: usize, end: usize) -> Option<usize> {
        let next_word = match self.stride {
            1 => Words::next_of::<1>,
            2 => Words::next_of::<2>,
            3 => Words::next_of::<3>,
            4 => Words::next_of::<4>,
            5 => Words::next_of::<5>,
            6 => Words::next_of::<6>,
            _ => Words::next_of::<7>,
        };
        let skipped = self.stride - 1;
        let mut at = from + skipped;
        while let Some(word) = next_word(&self.heads, chunk, at, end + skipped) {
            let first = (word - skipped).max(from);
            if let Some(found) = (first..=word.min(end - 1)).find(|at| self.begins(chunk, *at)) {
                return Some(found);
            }
            at = word + self.stride;
        }
        None
    }

    fn begins(&self, chunk: &[u8], at: usize) -> bool {
        let Some(bytes) = chunk.get(at..at + 16).and_then(|bytes| bytes.try_into().ok()) else {
            return true;
        };
        let folded = u128::from_le_bytes(bytes) & KEPT;
        let head = self.head_hash(folded);
        let Some(first) = usize::from(self.by_head[head]).checked_sub(1) else { return false };
        let mut same = self.literals[first..].iter().take_while(|literal| literal.head == head);
        same.any(|literal| folded & literal.mask == literal.bytes)
    }

    #[inline]
    fn head_hash(&self, folded: u128) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the head is in the lower half")]
        let head = folded as u64 & self.head_mask;
        (head.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - HEAD_BITS)) as usize
    }
}

/// Two bits, so that a gram that is in no literal seldom looks as if it were.
#[inline]
const fn gram_hashes(gram: u64) -> [usize; 2] {
    let hash = gram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - 2 * GRAM_BITS);
    [(hash >> GRAM_BITS) as usize, hash as usize & ((1 << GRAM_BITS) - 1)]
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
impl Prefilter {
    pub(super) fn describe(&self) -> String {
        format!(
            "literals {} width {} stride {} longest {} words {}",
            self.literals.len(),
            self.heads.width,
            self.stride,
            self.longest,
            self.heads.bits.0.iter().map(|w| w.count_ones()).sum::<u32>()
        )
    }
}
