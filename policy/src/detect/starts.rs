//! Where tokens begin, in text of any kind: at a letter or digit behind something else, at a capital
//! behind a small letter, and behind escapes.
//!
//! Whole blocks are looked at without a branch, in loops that the compiler turns into vector
//! instructions: ordinary text passes at several GB/s.

/// Bytes in front of a place that decide whether a token begins there.
pub(super) const BEHIND: usize = 6;
/// Letters and digits in a row that make a long run.
pub(super) const RUN: usize = 12;
const BLOCK: usize = 64;

/// Calls `at` with each place in `from..until` of `text` where a token begins, in order, and whether
/// [`RUN`] letters and digits may follow, without a break. Stops, and returns the place, where it says so.
pub(super) fn each(
    text: &[u8],
    from: usize,
    until: usize,
    mut at: impl FnMut(usize, bool) -> bool,
) -> usize {
    let mut place = from;
    while place < until {
        let block = place
            .checked_sub(BEHIND)
            .and_then(|begin| text.get(begin..)?.first_chunk::<{ BLOCK + BEHIND }>());
        let (mut starts, runs, length) = match block {
            Some(block) if until - place >= BLOCK => {
                let (starts, letters) = masks(block);
                (starts, long_runs(letters), BLOCK)
            }
            _ => (u64::from(is_start(text, place)), u64::MAX, 1),
        };
        while starts != 0 {
            let bit = starts.trailing_zeros();
            let start = place + bit as usize;
            if at(start, runs >> bit & 1 == 1) {
                return start;
            }
            starts &= starts - 1;
        }
        place += length;
    }
    until
}

/// The places of a block at which a token begins, and those with letters and digits.
fn masks(block: &[u8; BLOCK + BEHIND]) -> (u64, u64) {
    let mut starts = [0_u8; BLOCK];
    let mut letters = [0_u8; BLOCK];
    let window = |behind: usize| {
        block.get(BEHIND - behind..).and_then(|bytes| bytes.first_chunk::<BLOCK>()).copied()
    };
    let (Some(here), Some(one), Some(two), Some(three), Some(six)) =
        (window(0), window(1), window(2), window(3), window(6))
    else {
        return (u64::MAX, u64::MAX);
    };
    for ((letter, start), ((here, one), ((two, three), six))) in letters
        .iter_mut()
        .zip(starts.iter_mut())
        .zip(here.iter().zip(&one).zip(two.iter().zip(&three).zip(&six)))
    {
        let is = is_alphanumeric(*here);
        *letter = is;
        *start = is & begins(*here, *one, *two, *three, *six);
    }
    (bits(&starts), bits(&letters))
}

fn is_start(text: &[u8], place: usize) -> bool {
    let byte = |behind: usize| {
        place.checked_sub(behind).and_then(|at| text.get(at)).copied().unwrap_or_default()
    };
    is_alphanumeric(byte(0)) & begins(byte(0), byte(1), byte(2), byte(3), byte(6)) != 0
}

/// All ones, or nothing.
#[inline(always)]
fn is_alphanumeric(byte: u8) -> u8 {
    mask((byte | 0x20).wrapping_sub(b'a') < 26) | mask(byte.wrapping_sub(b'0') < 10)
}

#[inline(always)]
fn begins(here: u8, one: u8, two: u8, three: u8, six: u8) -> u8 {
    let camel = mask(here.wrapping_sub(b'A') < 26) & mask(one.wrapping_sub(b'a') < 26);
    !is_alphanumeric(one) | camel | mask(two == b'\\') | mask(three == b'%') | mask(six == b'\\')
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
