//! Seed phrases: 12 to 24 words of the English list of BIP 39, whose last bits are a checksum.
//!
//! A phrase has 47 bytes or more, so that one word every 44 bytes is enough to look at until one
//! of the list is found.

use hashbrown::HashMap;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::LazyLock;

const WORDS: &str = include_str!("words.txt");
/// From one word that is looked at to the next, in bytes.
const STRIDE: u64 = 44;
const LONGEST_WORD: usize = 8;
/// Longest text between two words: spaces, quotes, commas, numbers.
const MOST_BETWEEN: usize = 6;
const LENGTHS: [usize; 5] = [24, 21, 18, 15, 12];
const MOST_WORDS: usize = 24;
const BITS: u32 = 16;

static LIST: LazyLock<HashMap<u64, u16>> = LazyLock::new(|| {
    WORDS.split_ascii_whitespace().zip(0..).map(|(word, at)| (key(word.as_bytes()), at)).collect()
});

/// The bits of all words; most others are told by theirs.
static SOME: LazyLock<Box<[u64; 1 << (BITS - 6)]>> = LazyLock::new(|| {
    let mut bits = Box::new([0; 1 << (BITS - 6)]);
    for bit in LIST.keys().map(|key| bit(*key)) {
        if let Some(word) = bits.get_mut(bit >> 6) {
            *word |= 1 << (bit & 63);
        }
    }
    bits
});

fn bit(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BITS)) as usize
}

/// Looks for phrases in a stream.
#[derive(Debug, Clone)]
pub(super) struct Phrases {
    /// Where to look next.
    next: u64,
    /// No phrase to be found begins before this.
    floor: u64,
    /// Words of the list in a row: where each begins and ends, and its number.
    words: VecDeque<(u64, u64, u16)>,
    first_open: u64,
}

/// Up to eight letters, folded, as a number.
fn key(word: &[u8]) -> u64 {
    word.iter().fold(0, |key, byte| key << 8 | u64::from(byte | 0x20))
}

fn number(word: &[u8]) -> Option<u16> {
    if word.len() < 3 || word.len() > LONGEST_WORD { None } else { by_key(key(word)) }
}

/// Letters from a place on, up to one more than the longest word has, and the key of what fits.
fn letters(text: &[u8], at: usize) -> (usize, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let rest = text.get(at..).unwrap_or_default();
    let Some(eight) = rest.first_chunk::<8>() else {
        let length = rest.iter().take_while(|it| it.is_ascii_alphabetic()).count();
        return (length, key(rest.get(..length).unwrap_or_default()));
    };
    // The high bit of each byte tells whether it is a letter.
    let bytes = u64::from_be_bytes(*eight);
    let folded = (bytes | (0x20 * ONES)) & (0x7F * ONES);
    let from_a = folded + ONES * u64::from(0x80 - b'a');
    let beyond_z = folded + ONES * u64::from(0x80 - b'z' - 1);
    let odd = !(from_a & !beyond_z & !bytes) & (0x80 * ONES);
    let length = (odd.leading_zeros() / 8) as usize;
    if length == 0 {
        return (0, 0);
    }
    let longer = length == 8 && rest.get(8).is_some_and(u8::is_ascii_alphabetic);
    (length + usize::from(longer), (bytes | (0x20 * ONES)) >> (64 - 8 * length))
}

fn by_key(key: u64) -> Option<u16> {
    let bit = bit(key);
    let may_be = SOME.get(bit >> 6).is_some_and(|bits| bits >> (bit & 63) & 1 == 1);
    if may_be { LIST.get(&key).copied() } else { None }
}

fn is_between(byte: u8) -> bool {
    byte.is_ascii_digit()
        || matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'"' | b'\'' | b'.' | b')' | b'-')
}

/// A word and what is known of it.
enum Word {
    /// There is none of the list.
    None,
    /// The text ends before it is known.
    Unknown,
    Is {
        start: usize,
        end: usize,
        number: u16,
    },
}

/// The word at or behind a place, with at most [`MOST_BETWEEN`] bytes before it.
fn word_from(text: &[u8], at: usize, ended: bool) -> Word {
    let rest = text.get(at..).unwrap_or_default();
    let between = rest.iter().take(MOST_BETWEEN + 1).take_while(|&&it| is_between(it)).count();
    if between > MOST_BETWEEN {
        return Word::None;
    }
    let start = at + between;
    let (length, key) = letters(text, start);
    if start + length == text.len() && !ended {
        return Word::Unknown;
    }
    let whole = text.get(start + length).is_none_or(|&next| next < 0x80 && next != b'_');
    let fits = (3..=LONGEST_WORD).contains(&length);
    match by_key(key).filter(|_| fits) {
        Some(number) if whole => Word::Is { start, end: start + length, number },
        _ => Word::None,
    }
}

/// The start of the word that a place is in.
fn word_start(text: &[u8], at: usize) -> usize {
    let front = text.get(..at).unwrap_or_default();
    if !text.get(at).is_some_and(u8::is_ascii_alphabetic) {
        return at;
    }
    let before = front.iter().rev().take(LONGEST_WORD + 1);
    let start = at - before.take_while(|it| it.is_ascii_alphabetic()).count();
    behind_escape(text, start).min(at)
}

/// Where a word begins that stands behind `\n` or the like, whose letter is not its first.
fn behind_escape(text: &[u8], start: usize) -> usize {
    let slash = start.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'\\');
    let letter = matches!(text.get(start), Some(b'n' | b'r' | b't'));
    start + usize::from(slash && letter)
}

/// The word of the list before the one at `start`, or before the end of the text.
fn word_before(text: &[u8], start: usize) -> Option<usize> {
    let front = text.get(..start)?;
    let between = front.iter().rev().take(MOST_BETWEEN + 1).take_while(|&&it| is_between(it));
    let between = between.count();
    let front = front.get(..front.len() - between)?;
    let letters =
        front.iter().rev().take(LONGEST_WORD + 1).take_while(|it| it.is_ascii_alphabetic());
    let begin = behind_escape(text, front.len() - letters.count());
    let odd = begin
        .checked_sub(1)
        .and_then(|at| text.get(at))
        .is_some_and(|&it| it >= 0x80 || it == b'_');
    if between == 0 || between > MOST_BETWEEN || odd {
        return None;
    }
    number(front.get(begin..)?).map(|_| begin)
}

impl Phrases {
    pub(super) fn new(start: u64) -> Self {
        Self { next: start + STRIDE, floor: start, words: VecDeque::new(), first_open: start }
    }

    /// No phrase to be found begins before this.
    pub(super) fn first_open(&self) -> u64 {
        self.first_open
    }

    /// Goes on over a text that lies at `base` in the stream.
    pub(super) fn scan(
        &mut self,
        text: &[u8],
        base: u64,
        ended: bool,
        found: &mut impl FnMut(u64, u64),
    ) {
        let place = |offset: u64| usize::try_from(offset - base).unwrap_or(usize::MAX);
        let end = base + text.len() as u64;
        loop {
            if self.words.is_empty() {
                // With a whole word behind it, so that none at the end is taken for another.
                let needs = if ended { 1 } else { MOST_BETWEEN + LONGEST_WORD + 2 };
                if self.next + needs as u64 > end {
                    break;
                }
                let start = word_start(text, place(self.next));
                let Word::Is { start, .. } = word_from(text, start, ended) else {
                    self.floor = self.next;
                    self.next += STRIDE;
                    continue;
                };
                let floor = place(self.floor.max(base));
                let mut first = start;
                while let Some(before) = word_before(text, first).filter(|&it| it >= floor) {
                    first = before;
                }
                self.next = base + first as u64;
            }
            match word_from(text, place(self.next), ended) {
                Word::Unknown => break,
                Word::Is { start, end, number } => {
                    self.words.push_back((base + start as u64, base + end as u64, number));
                    self.next = base + end as u64;
                    if self.words.len() == MOST_WORDS {
                        self.decide(found);
                    }
                }
                Word::None => {
                    while self.words.len() >= 12 {
                        self.decide(found);
                    }
                    self.words.clear();
                    self.floor = self.next;
                    self.next += STRIDE;
                }
            }
        }
        self.first_open = self.words.front().map_or_else(
            || base + trailing(text, place(self.floor.max(base))) as u64,
            |(start, ..)| *start,
        );
    }

    /// Decides about the phrase that begins at the first word, and takes out what is decided.
    fn decide(&mut self, found: &mut impl FnMut(u64, u64)) {
        let numbers: Vec<u16> = self.words.iter().map(|(_, _, number)| *number).collect();
        let length = LENGTHS.into_iter().find(|&length| numbers.get(..length).is_some_and(checks));
        if let (Some(length), Some(&(start, ..))) = (length, self.words.front())
            && let Some(&(_, end, _)) = self.words.get(length - 1)
        {
            found(start, end);
            self.floor = end;
            self.words.drain(..length);
        } else {
            self.words.pop_front();
        }
    }
}

/// Where the words of the list begin that the text ends in, the last of them perhaps cut off.
fn trailing(text: &[u8], floor: usize) -> usize {
    let cut =
        text.iter().rev().take(LONGEST_WORD + 1).take_while(|it| it.is_ascii_alphabetic()).count();
    if cut > LONGEST_WORD {
        return text.len();
    }
    let mut first = text.len() - cut;
    while let Some(before) = word_before(text, first).filter(|&it| it >= floor) {
        first = before;
    }
    first
}

/// Whether the last bits of words are the head of the SHA-256 of the others (BIP 39).
fn checks(numbers: &[u16]) -> bool {
    let bits = numbers.len() * 11;
    let entropy = bits / 33 * 32;
    let mut bytes = [0_u8; 33];
    for (word, number) in numbers.iter().enumerate() {
        for bit in 0..11 {
            let at = word * 11 + bit;
            if let Some(byte) = bytes.get_mut(at / 8) {
                *byte |= ((number >> (10 - bit) & 1) as u8) << (7 - at % 8);
            }
        }
    }
    let Some((random, rest)) = bytes.split_at_checked(entropy / 8) else { return false };
    let sum = Sha256::digest(random);
    let differ = sum.first().zip(rest.first()).map_or(u8::MAX, |(sum, rest)| sum ^ rest);
    numbers.len() >= 12 && differ >> (8 - entropy / 32) == 0
}
