//! Where tokens begin, in text of any kind: at a letter or digit behind something else, at a capital
//! behind a small letter, and behind escapes.
//!
//! Whole blocks are looked at without a branch, in loops that the compiler turns into vector
//! instructions: ordinary text passes at several GB/s.

use super::triggers::Triggers;
use std::ops::ControlFlow;

/// Bytes in front of a place that decide whether a token begins there.
pub(super) const BEHIND: usize = 6;
/// Letters and digits in a row that make a long run.
pub(super) const RUN: usize = 12;
const BLOCK: usize = 64;
/// Bytes behind a block that are seen with it.
const AHEAD: usize = 4;

/// What to look at.
pub(super) struct Look<'t> {
    pub(super) triggers: &'t Triggers,
    /// Tokens that begin with a long run count, whatever it is.
    pub(super) runs: bool,
    /// Before this place every token counts.
    pub(super) all_until: usize,
}

/// Calls `at` with each place in `from..` of `text` where a token begins that counts, in order, and whether
/// [`RUN`] letters and digits may follow. It says from where on again only some tokens count, or to stop: then
/// the place is returned.
pub(super) fn each(
    text: &[u8],
    from: usize,
    mut look: Look<'_>,
    mut at: impl FnMut(usize, bool) -> ControlFlow<(), usize>,
) -> usize {
    let until = text.len();
    let mut place = from;
    while place < until {
        let block = place.checked_sub(BEHIND).and_then(|begin| text.get(begin..)?.first_chunk());
        let (starts, runs, hits, length) = match block {
            Some(block) => {
                let masks = Masks::of(block);
                let starts = masks.fresh | masks.camel;
                let runs = if look.runs { masks.fresh & long_runs(masks.letters) } else { 0 };
                (starts, runs, hits(block, starts, look.triggers), BLOCK)
            }
            None => {
                let (start, fresh) = is_start(text, place);
                let runs = u64::from(look.runs && fresh);
                (u64::from(start), runs, u64::from(look.triggers.may_stand(text, place)), 1)
            }
        };
        let mut rest = starts & (if place < look.all_until { u64::MAX } else { hits | runs });
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            let token = place + bit as usize;
            let counts = (hits | runs) >> bit & 1 == 1 || token < look.all_until;
            if !counts {
                continue;
            }
            match at(token, runs >> bit & 1 == 1) {
                ControlFlow::Break(()) => return token,
                ControlFlow::Continue(all_until) => look.all_until = all_until,
            }
            if token < look.all_until {
                rest = starts & !(u64::MAX >> (63 - bit));
            }
        }
        place += length;
    }
    until
}

/// A block with what stands around it: [`BEHIND`] bytes before, and so many that a literal's head can be
/// seen at its last byte.
type Block = [u8; BEHIND + BLOCK + AHEAD];

/// Those of the starts at which a literal may stand.
fn hits(block: &Block, starts: u64, triggers: &Triggers) -> u64 {
    let mut hits = 0;
    let mut rest = starts;
    while rest != 0 {
        let bit = rest.trailing_zeros();
        rest &= rest - 1;
        let head = block.get(BEHIND + bit as usize..).and_then(|head| head.first_chunk::<4>());
        hits |= head.map_or(0, |head| triggers.has_head(*head)) << bit;
    }
    hits
}

/// A bit for each byte of a block.
struct Masks {
    /// Tokens begin there, behind something else than a letter or digit, or behind an escape.
    fresh: u64,
    /// Capitals behind small letters.
    camel: u64,
    /// Letters and digits.
    letters: u64,
}

impl Masks {
    fn of(block: &Block) -> Self {
        let (mut fresh, mut camel, mut letters) = ([0_u8; BLOCK], [0_u8; BLOCK], [0_u8; BLOCK]);
        let window = |behind: usize| {
            block.get(BEHIND - behind..).and_then(|bytes| bytes.first_chunk::<BLOCK>()).copied()
        };
        let (Some(here), Some(one), Some(two), Some(three), Some(six)) =
            (window(0), window(1), window(2), window(3), window(6))
        else {
            return Self { fresh: u64::MAX, camel: u64::MAX, letters: u64::MAX };
        };
        let out = letters.iter_mut().zip(fresh.iter_mut().zip(camel.iter_mut()));
        let bytes = here.iter().zip(&one).zip(two.iter().zip(&three).zip(&six));
        for ((letter, (fresh, camel)), ((&here, &one), ((&two, &three), &six))) in out.zip(bytes) {
            let is = is_alphanumeric(here);
            *letter = is;
            *fresh = is & begins(one, two, three, six);
            *camel = is_camel(here, one);
        }
        Self { fresh: bits(&fresh), camel: bits(&camel), letters: bits(&letters) }
    }
}

/// Whether a token begins there, and whether it does so behind something else.
fn is_start(text: &[u8], place: usize) -> (bool, bool) {
    let byte = |behind: usize| {
        place.checked_sub(behind).and_then(|at| text.get(at)).copied().unwrap_or_default()
    };
    let fresh = is_alphanumeric(byte(0)) & begins(byte(1), byte(2), byte(3), byte(6)) != 0;
    (fresh || is_camel(byte(0), byte(1)) != 0, fresh)
}

/// All ones, or nothing.
#[inline(always)]
fn is_alphanumeric(byte: u8) -> u8 {
    mask((byte | 0x20).wrapping_sub(b'a') < 26) | mask(byte.wrapping_sub(b'0') < 10)
}

#[inline(always)]
fn is_camel(here: u8, one: u8) -> u8 {
    mask(here.wrapping_sub(b'A') < 26) & mask(one.wrapping_sub(b'a') < 26)
}

#[inline(always)]
fn begins(one: u8, two: u8, three: u8, six: u8) -> u8 {
    !is_alphanumeric(one) | mask(two == b'\\') | mask(three == b'%') | mask(six == b'\\')
}

#[inline(always)]
fn mask(is: bool) -> u8 {
    u8::from(is).wrapping_neg()
}

/// One bit of each byte.
fn bits(bytes: &[u8; BLOCK]) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().enumerate().fold(0, |bits, (at, word)| {
        bits | ((u64::from_le_bytes(*word) & LOW).wrapping_mul(GATHER) >> 56) << (8 * at)
    })
}

/// Places with twelve bits set from there on; what lies behind the block counts as set.
fn long_runs(letters: u64) -> u64 {
    let ahead = |bits: u64, by: u32| bits >> by | !(u64::MAX >> by);
    let two = letters & ahead(letters, 1);
    let four = two & ahead(two, 2);
    let eight = four & ahead(four, 4);
    eight & ahead(four, 8)
}
