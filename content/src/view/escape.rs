//! Single escapes: what the bytes at the begin of a slice stand for.

use super::Kind;
use crate::charset::push_unit;
use crate::coding::base64::{Bits, NONE, VALUES};

/// Longest escape: a surrogate pair.
pub(super) const LONGEST: usize = 12;

/// What the begin of a slice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    None,
    /// More bytes are needed to know. Never said of [`LONGEST`] bytes.
    More,
    Escape {
        text: [u8; 12],
        len: usize,
        taken: usize,
    },
}

impl Match {
    fn of(text: &[u8], taken: usize) -> Self {
        let mut out = [0; 12];
        let mut len = 0;
        for (slot, byte) in out.iter_mut().zip(text) {
            *slot = *byte;
            len += 1;
        }
        Self::Escape { text: out, len, taken }
    }

    fn char(value: u32, taken: usize) -> Self {
        let char = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
        Self::of(char.encode_utf8(&mut [0; 4]).as_bytes(), taken)
    }
}

pub(super) fn matches(kind: Kind, bytes: &[u8]) -> Match {
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    let found = match (kind, bytes) {
        (Kind::Web, [b'%', rest @ ..]) => number(rest, 16, 2, 2).map(|(value, taken)| {
            let byte = u8::try_from(value).unwrap_or(b'?');
            Match::of(&[byte], taken + 1)
        }),
        (Kind::Web, [b'&', b'#', rest @ ..]) => entity_number(rest),
        (Kind::Web, [b'&', rest @ ..]) => entity_name(rest),
        (Kind::Backslash, [b'\\', rest @ ..]) => backslash(rest),
        (Kind::Wide, [0, ..]) => Ok(Match::of(&[], 1)),
        (Kind::Utf7, [b'+', rest @ ..]) => utf7(rest),
        _ => Err(Match::None),
    };
    match found {
        Ok(found) => found,
        Err(Match::More) if bytes.len() >= LONGEST => Match::None,
        Err(why) => why,
    }
}

/// Between `least` and `most` digits: their value, and how many there are.
fn number(bytes: &[u8], radix: u32, least: usize, most: usize) -> Result<(u32, usize), Match> {
    let mut value = 0_u32;
    let mut len = 0;
    for byte in bytes.iter().take(most) {
        let Some(digit) = char::from(*byte).to_digit(radix) else { break };
        value = value.saturating_mul(radix).saturating_add(digit);
        len += 1;
    }
    if len < most && len == bytes.len() {
        return Err(Match::More);
    }
    if len < least { Err(Match::None) } else { Ok((value, len)) }
}

/// `&#65;` and `&#x41;`, HTML Standard §13.2.5.80; the semicolon may be missing.
fn entity_number(bytes: &[u8]) -> Result<Match, Match> {
    let (hex, digits) = match bytes {
        [] => return Err(Match::More),
        [b'x' | b'X', digits @ ..] => (1, digits),
        digits => (0, digits),
    };
    let radix = if hex == 1 { 16 } else { 10 };
    let (value, len) = number(digits, radix, 1, 8)?;
    let taken = 2 + hex + len;
    match digits.get(len) {
        Some(b';') => Ok(Match::char(value, taken + 1)),
        Some(_) => Ok(Match::char(value, taken)),
        None => Err(Match::More),
    }
}

/// The named characters of HTML that stand for ASCII, and the space that does not break.
const NAMES: [(&str, &str); 45] = [
    ("lt", "<"),
    ("gt", ">"),
    ("amp", "&"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("Tab", "\t"),
    ("NewLine", "\n"),
    ("excl", "!"),
    ("num", "#"),
    ("dollar", "$"),
    ("percnt", "%"),
    ("lpar", "("),
    ("rpar", ")"),
    ("ast", "*"),
    ("midast", "*"),
    ("plus", "+"),
    ("comma", ","),
    ("period", "."),
    ("sol", "/"),
    ("colon", ":"),
    ("semi", ";"),
    ("equals", "="),
    ("quest", "?"),
    ("commat", "@"),
    ("lsqb", "["),
    ("lbrack", "["),
    ("bsol", "\\"),
    ("rsqb", "]"),
    ("rbrack", "]"),
    ("Hat", "^"),
    ("lowbar", "_"),
    ("UnderBar", "_"),
    ("grave", "`"),
    ("lcub", "{"),
    ("lbrace", "{"),
    ("verbar", "|"),
    ("vert", "|"),
    ("VerticalLine", "|"),
    ("rcub", "}"),
    ("rbrace", "}"),
    ("LT", "<"),
    ("GT", ">"),
    ("AMP", "&"),
    ("QUOT", "\""),
];

fn entity_name(bytes: &[u8]) -> Result<Match, Match> {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (name, behind) = bytes.split_at(len);
    match behind.first() {
        Some(b';') => NAMES
            .iter()
            .find(|(one, _)| one.as_bytes() == name)
            .map(|(_, text)| Match::of(text.as_bytes(), len + 2))
            .ok_or(Match::None),
        Some(_) => Err(Match::None),
        None if NAMES.iter().any(|(one, _)| one.as_bytes().starts_with(name)) => Err(Match::More),
        None => Err(Match::None),
    }
}

/// Escapes of JSON, JavaScript, C and shells.
fn backslash(bytes: &[u8]) -> Result<Match, Match> {
    let Some(&first) = bytes.first() else { return Err(Match::More) };
    let behind = bytes.get(1..).unwrap_or_default();
    let plain = |byte: u8| Ok(Match::of(&[byte], 2));
    match first {
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        b'b' => plain(8),
        b'f' => plain(12),
        b'"' | b'\'' | b'\\' | b'/' => plain(first),
        b'x' => {
            let (value, _) = number(behind, 16, 2, 2)?;
            Ok(Match::of(&[u8::try_from(value).unwrap_or(b'?')], 4))
        }
        b'0'..=b'3' => {
            let (value, _) = number(bytes, 8, 3, 3)?;
            Ok(Match::of(&[u8::try_from(value).unwrap_or(b'?')], 4))
        }
        b'u' if behind.first() == Some(&b'{') => {
            let digits = behind.get(1..).unwrap_or_default();
            let (value, len) = number(digits, 16, 1, 7)?;
            match digits.get(len) {
                Some(b'}') => Ok(Match::char(value, len + 4)),
                _ => Err(Match::None),
            }
        }
        b'u' => unicode(behind),
        _ => Err(Match::None),
    }
}

/// Behind `\u`: four digits, or a surrogate pair.
fn unicode(bytes: &[u8]) -> Result<Match, Match> {
    let (high, _) = number(bytes, 16, 4, 4)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Ok(Match::char(high, 6));
    }
    let low = match bytes.get(4..).unwrap_or_default() {
        [] | [b'\\'] => return Err(Match::More),
        [b'\\', b'u', digits @ ..] => match number(digits, 16, 4, 4) {
            Ok((low, _)) => low,
            Err(Match::More) => return Err(Match::More),
            Err(_) => return Ok(Match::char(high, 6)),
        },
        _ => return Ok(Match::char(high, 6)),
    };
    if !(0xdc00..0xe000).contains(&low) {
        return Ok(Match::char(high, 6));
    }
    Ok(Match::char(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12))
}

/// Up to three units of UTF-16 below U+0400 in base64, RFC 2152; what `-` ends is part of it. Longer
/// ones are runs of base64.
fn utf7(bytes: &[u8]) -> Result<Match, Match> {
    match bytes {
        [] | [b'A'] => return Err(Match::More),
        [b'A', b'A'..=b'P', ..] => {}
        _ => return Err(Match::None),
    }
    let value = |byte: &u8| match byte {
        b'-' | b'_' => NONE,
        other => VALUES[usize::from(*other)],
    };
    let len = bytes.iter().take_while(|byte| value(byte) != NONE).count();
    let Some(end) = bytes.get(len) else { return Err(Match::More) };
    if !matches!(len, 3 | 6 | 8) {
        return Err(Match::None);
    }
    let mut bits = Bits::default();
    let mut text = Vec::new();
    let mut high = None;
    let mut first = None;
    for byte in bytes.iter().take(len).filter_map(|byte| bits.push(value(byte))) {
        match first.take() {
            None => first = Some(byte),
            Some(first) => {
                let unit = u32::from(u16::from_be_bytes([first, byte]));
                push_unit(&mut high, unit, &mut text);
            }
        }
    }
    let taken = 1 + len + usize::from(*end == b'-');
    Ok(Match::of(&text, taken))
}
