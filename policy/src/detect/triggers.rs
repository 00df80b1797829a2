//! The literals at which something may begin, found by the first three bytes of a token.
//!
//! Bytes are folded (ASCII capitals are small letters) before they are looked up; who needs the case
//! compares it afterwards.

const BITS: u32 = 16;
/// Folds eight bytes.
const FOLD: u64 = 0x2020_2020_2020_2020;
/// No literal, with what is assigned behind it, needs more text than this.
pub(super) const MOST: usize = 96;
const BUCKETS: usize = 1 << 11;

/// What a literal tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// A match may begin, so many bytes in front.
    Begins { back: usize },
    /// A value may be assigned behind it.
    Names,
    /// It is context.
    Context,
}

#[derive(Debug)]
pub(super) struct Trigger {
    literal: Vec<u8>,
    /// Its first eight bytes, folded, up to what may differ, and which bits of them count.
    head: u64,
    mask: u64,
    /// The place of the detector in its set.
    pub(super) member: usize,
    pub(super) tells: Tells,
}

/// How a literal compares with text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    No,
    /// The text ends before this is known.
    Unknown,
    /// The literal is there, and ends there.
    Until(usize),
}

/// A set of literals.
#[derive(Debug)]
pub(super) struct Triggers {
    /// Hashes of the first three bytes, the first two, and the first.
    three: Box<[u64; 1 << (BITS - 6)]>,
    two: Box<[u64; 1 << (BITS - 6)]>,
    one: [u64; 4],
    /// Places in `all`, by bucket.
    buckets: Vec<std::ops::Range<u32>>,
    all: Vec<Trigger>,
}

fn fold(byte: u8) -> u32 {
    u32::from(byte | 0x20)
}

fn hash(one: u8, two: u8, three: u8) -> usize {
    let key = fold(one) | fold(two) << 8 | fold(three) << 16;
    (key.wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

fn has(bits: &[u64], bit: usize) -> bool {
    bits.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 == 1)
}

fn set(bits: &mut [u64], bit: usize) {
    if let Some(word) = bits.get_mut(bit >> 6) {
        *word |= 1 << (bit & 63);
    }
}

/// What the first three bytes of a literal may be: a space in a word stands for several.
fn heads(literal: &[u8], tells: Tells) -> Vec<[u8; 3]> {
    let head = |bytes: &[u8]| bytes.first_chunk::<3>().copied();
    let space = literal.iter().take(3).position(|&byte| byte == b' ');
    let Some(space) = space.filter(|_| !matches!(tells, Tells::Begins { .. })) else {
        return head(literal).into_iter().collect();
    };
    let (front, behind) = literal.split_at(space);
    let behind = behind.get(1..).unwrap_or_default();
    let between: [&[u8]; 5] = [b" ", b"_", b"-", b".", b""];
    between.iter().filter_map(|it| head(&[front, it, behind].concat())).collect()
}

fn pair(one: u8, two: u8) -> usize {
    (fold(one) << 8 | fold(two)) as usize
}

fn bucket(hash: usize) -> usize {
    hash % BUCKETS
}

impl Triggers {
    pub(super) fn new(literals: Vec<(Vec<u8>, usize, Tells)>) -> Self {
        let mut triggers = Self {
            three: Box::new([0; 1 << (BITS - 6)]),
            two: Box::new([0; 1 << (BITS - 6)]),
            one: [0; 4],
            buckets: Vec::with_capacity(BUCKETS),
            all: Vec::with_capacity(literals.len()),
        };
        let mut hashed: Vec<(usize, Trigger)> = Vec::with_capacity(literals.len());
        for (literal, member, tells) in literals {
            for [one, two, three] in heads(&literal, tells) {
                let hash = hash(one, two, three);
                set(triggers.three.as_mut_slice(), hash);
                set(triggers.two.as_mut_slice(), pair(one, two));
                set(&mut triggers.one, fold(one) as usize);
                let literal = literal.clone();
                hashed.push((bucket(hash), Trigger::new(literal, member, tells)));
            }
        }
        hashed.sort_by_key(|(bucket, _)| *bucket);
        let mut at = 0;
        for bucket in 0..BUCKETS {
            let count = hashed.iter().skip(at).take_while(|(of, _)| *of == bucket).count();
            triggers.buckets.push(at as u32..(at + count) as u32);
            at += count;
        }
        triggers.all.extend(hashed.into_iter().map(|(_, trigger)| trigger));
        triggers
    }

    /// One if a literal may stand where these bytes are, of which three are looked at.
    #[inline]
    pub(super) fn has_head(&self, [one, two, three, _]: [u8; 4]) -> u64 {
        let bit = hash(one, two, three);
        self.three.get(bit >> 6).copied().unwrap_or_default() >> (bit & 63) & 1
    }

    /// Whether a literal may stand at `at`: where the text is too short for three bytes, whether what
    /// is there may begin one.
    #[inline]
    pub(super) fn may_stand(&self, text: &[u8], at: usize) -> bool {
        match text.get(at..) {
            Some(&[one, two, three, ..]) => has(self.three.as_slice(), hash(one, two, three)),
            Some(&[one, two]) => has(self.two.as_slice(), pair(one, two)),
            Some(&[one]) => has(&self.one, fold(one) as usize),
            _ => false,
        }
    }

    /// The literals that may stand at `at`, where there are three bytes.
    pub(super) fn at(&self, text: &[u8], at: usize) -> &[Trigger] {
        let Some(&[one, two, three, ..]) = text.get(at..) else { return &[] };
        let range = self.buckets.get(bucket(hash(one, two, three))).cloned().unwrap_or_default();
        self.all.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

impl Trigger {
    fn new(literal: Vec<u8>, member: usize, tells: Tells) -> Self {
        let is_word = !matches!(tells, Tells::Begins { .. });
        let sure = literal.iter().take(8).take_while(|&&byte| !is_word || byte != b' ').count();
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(literal.iter().take(sure)).for_each(|(to, &from)| *to = from);
        let mask = if sure == 8 { u64::MAX } else { (1 << (8 * sure)) - 1 };
        let head = (u64::from_le_bytes(bytes) | FOLD) & mask;
        Self { literal, head, mask, member, tells }
    }

    /// Whether it cannot be what these bytes begin.
    #[inline]
    pub(super) fn differs(&self, bytes: [u8; 8]) -> bool {
        (u64::from_le_bytes(bytes) | FOLD) & self.mask != self.head
    }

    /// Compares with the text from `at` on.
    pub(super) fn fits(&self, text: &[u8], at: usize, ended: bool) -> Fit {
        match self.tells {
            Tells::Begins { .. } => {
                let there = text.get(at..).unwrap_or_default();
                let length = there.len().min(self.literal.len());
                if there.get(..length) != self.literal.get(..length) {
                    Fit::No
                } else if length == self.literal.len() {
                    Fit::Until(at + length)
                } else if ended {
                    Fit::No
                } else {
                    Fit::Unknown
                }
            }
            Tells::Names | Tells::Context => self.fits_word(text, at, ended),
        }
    }

    /// As a word: folded, spaces are optional, and no letter follows, but for a capital behind a
    /// small one.
    fn fits_word(&self, text: &[u8], at: usize, ended: bool) -> Fit {
        let missing = if ended { Fit::No } else { Fit::Unknown };
        let mut at = at;
        for &letter in &self.literal {
            let Some(&there) = text.get(at) else { return missing };
            if letter == b' ' {
                at += usize::from(matches!(there, b' ' | b'_' | b'-' | b'.'));
                continue;
            }
            // Of the letters outside ASCII that words have, capitals differ in the same bit.
            let folded = if there < 0x80 { there.to_ascii_lowercase() } else { there | 0x20 };
            let wanted = if letter < 0x80 { letter } else { letter | 0x20 };
            if folded != wanted {
                return Fit::No;
            }
            at += 1;
        }
        let small =
            at.checked_sub(1).and_then(|last| text.get(last)).is_some_and(u8::is_ascii_lowercase);
        match text.get(at) {
            None if !ended => Fit::Unknown,
            Some(next) if next.is_ascii_lowercase() => Fit::No,
            Some(next) if next.is_ascii_uppercase() && !small => Fit::No,
            _ => Fit::Until(at),
        }
    }
}

/// What stands between a name and its value.
pub(super) enum Assigned {
    No,
    Unknown,
    /// The value begins there.
    At(usize),
}

/// Reads an assignment from `at`, the end of a name: quotes, spaces, `=`, `:`, `=>`, `:=` and quotes
/// again, in sixteen bytes.
pub(super) fn assigned(text: &[u8], at: usize, ended: bool) -> Assigned {
    const MOST: usize = 16;
    let mut signs = 0;
    for place in at..at + MOST {
        match text.get(place) {
            None if ended => return Assigned::No,
            None => return Assigned::Unknown,
            Some(b'=' | b':' | b'>') => signs += 1,
            Some(b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\') => {}
            Some(_) if signs > 0 => return Assigned::At(place),
            Some(_) => return Assigned::No,
        }
    }
    Assigned::No
}
