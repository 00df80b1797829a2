//! Values that are assigned to a name which tells of a secret: `"db_password": "..."`, `API_KEY=...`.

/// Most of a value before its first long run, in bytes.
const MOST_BEFORE: usize = 24;
/// Longest name.
const MOST: usize = 64;
/// Most signs between name and value on either side of `=` or `:`.
const MOST_SIGNS: usize = 4;

/// What names of secrets contain, folded and without `_` and `-`.
const SECRET: [&[u8]; 14] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"pwd",
    b"secret",
    b"token",
    b"apikey",
    b"accesskey",
    b"privatekey",
    b"signingkey",
    b"encryptionkey",
    b"masterkey",
    b"authkey",
    b"credential",
];

/// What such names end in when they do not hold the secret itself.
const ABOUT: [&[u8]; 21] = [
    b"id", b"name", b"url", b"uri", b"path", b"file", b"hash", b"count", b"type", b"length",
    b"size", b"limit", b"expiry", b"arn", b"hint", b"policy", b"version", b"tokens", b"field",
    b"at", b"ref",
];

/// Where the value begins that has a long run at `place`, if a secret's name stands before it.
pub(super) fn value(text: &[u8], place: usize) -> Option<usize> {
    let front = text.get(..place)?;
    let length =
        front.iter().rev().take(MOST_BEFORE + 1).take_while(|&&byte| is_value(byte)).count();
    let value = place - length;
    (length <= MOST_BEFORE && named(text.get(..value)?)).then_some(value)
}

/// How many bytes at the end of the text may begin such a value.
pub(super) fn open(text: &[u8]) -> usize {
    let most = MOST_BEFORE + super::starts::RUN;
    let length = text.iter().rev().take(most + 1).take_while(|&&byte| is_value(byte)).count();
    let front = text.get(..text.len() - length).unwrap_or_default();
    if length > 0 && length <= most && named(front) { length } else { 0 }
}

/// Whether a value may hold this byte.
#[inline]
pub(super) fn is_value(byte: u8) -> bool {
    const IS: [bool; 256] = {
        let mut is = [false; 256];
        let mut byte = 0_u8;
        loop {
            is[byte as usize] = byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'.' | b'~')
                || matches!(byte, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'*');
            if byte == u8::MAX {
                break is;
            }
            byte += 1;
        }
    };
    IS.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Whether a text ends in a name that tells of a secret, and an assignment.
fn named(front: &[u8]) -> bool {
    let is_sign = |byte: u8| matches!(byte, b'"' | b'\'' | b'`' | b' ' | b'\t' | b'\\');
    let without_signs = |text: &[u8]| {
        let signs = text.iter().rev().take(MOST_SIGNS + 1).take_while(|&&it| is_sign(it)).count();
        text.len().checked_sub(signs).filter(|_| signs <= MOST_SIGNS)
    };
    let Some(front) = without_signs(front).and_then(|end| front.get(..end)) else { return false };
    let front = match front {
        [front @ .., b':', b'='] | [front @ .., b'=', b'>'] => front,
        [front @ .., b'=' | b':'] => front,
        _ => return false,
    };
    let Some(front) = without_signs(front).and_then(|end| front.get(..end)) else { return false };
    tells(front)
}

/// Whether a text ends in a name that tells of a secret.
fn tells(front: &[u8]) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let mut name = [0; MOST];
    let mut at = MOST;
    for &byte in front.iter().rev().take_while(|&&byte| is_name(byte)) {
        if byte.is_ascii_alphanumeric() {
            let Some(before) = at.checked_sub(1) else { return false };
            at = before;
            if let Some(place) = name.get_mut(at) {
                *place = byte.to_ascii_lowercase();
            }
        }
    }
    let name = name.get(at..).unwrap_or_default();
    SECRET.iter().any(|word| name.windows(word.len()).any(|part| part == *word))
        && !ABOUT.iter().any(|word| name.ends_with(word))
}

/// Whether the value of a secret's name looks like one that was made by chance: mixed, dense, and no
/// identifier of another kind.
pub(super) fn is_random(value: &[u8]) -> bool {
    let count = |class: fn(&u8) -> bool| value.iter().filter(|byte| class(byte)).count();
    let (digits, letters) = (count(u8::is_ascii_digit), count(u8::is_ascii_alphabetic));
    if digits < 2 || letters < 2 || is_uuid(value) || is_wordy(value) {
        return false;
    }
    let is_hex = value.iter().all(u8::is_ascii_hexdigit);
    let least = if is_hex { 3.0 } else { 3.5 };
    super::checksum::entropy(value) >= least
}

/// UUIDs are ids far more often than secrets.
fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether it is made of words, as paths, URLs and names of variables are: most letters stand in runs of
/// four or more of one case.
fn is_wordy(value: &[u8]) -> bool {
    let (mut in_words, mut run, mut last) = (0, 0, 0);
    for &byte in value.iter().chain(b" ") {
        let class = match byte {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            _ => 0,
        };
        if class != last {
            in_words += if run >= 4 { run } else { 0 };
            run = 0;
        }
        run += usize::from(class > 0);
        last = class;
    }
    2 * in_words > value.len()
}
