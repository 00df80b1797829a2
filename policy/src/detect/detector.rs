//! What a detector is: data that the catalogue lists and [`Set`](super::Set) compiles.

use super::assignment;
use serde::Serialize;

/// What a detector finds belongs to one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    Cloud,
    Model,
    Vcs,
    Chat,
    Payment,
    Ci,
    Registry,
    Saas,
    Keys,
    Finance,
    Contact,
    People,
}

/// One detector of the catalogue.
#[derive(Debug)]
pub struct Detector {
    /// Kebab-case; never changes, and is never used again for something else.
    pub name: &'static str,
    pub group: Group,
    /// One line: what it finds.
    pub doc: &'static str,
    /// Where the format is written down.
    pub source: &'static str,
    /// Where a match can begin.
    pub begin: Begin,
    /// What a match looks like: an ASCII regular expression over bytes, in the syntax of the
    /// `regex` crate.
    pub shape: &'static str,
    /// What else must hold of the matched bytes: a checksum, or values that cannot be.
    pub check: Option<Check>,
    /// What must not stand beside a match.
    pub edge: Edge,
    /// Whether it belongs to [`Set::standard`](super::Set::standard).
    pub standard: bool,
    /// Longest match in bytes, where the shape sets no bound or a larger one.
    pub longest: usize,
    /// Texts that each hold one match, from the first `⟦` to `⟧`, or as a whole where there is none. `¦`
    /// is taken out first: it keeps scanners of repositories from taking an example for a secret.
    pub positive: &'static [&'static str],
    /// Texts, likewise, in which it finds nothing.
    pub negative: &'static [&'static str],
}

/// A check of the matched bytes.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What it is, for the documentation: `CRC-32`, `Luhn`.
    pub name: &'static str,
    /// Whether it is a checksum; otherwise it only rules out what cannot be.
    pub sum: bool,
    pub(super) holds: fn(&[u8]) -> bool,
}

/// Where a match can begin.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    /// At one of these literals, case included, of three bytes or more, `back` bytes into the match.
    Anchor { literals: &'static [&'static str], back: usize },
    /// At one of the three-byte literals that the function makes.
    Heads(fn() -> Vec<[u8; 3]>),
    /// Behind one of these names, in any case, and what assigns to it (`=`, `:`, quotes). A space in
    /// a name stands for a space, `_`, `-`, `.` or nothing.
    Named(&'static [&'static str]),
    /// At most [`NEAR`] bytes behind one of these words, in any case; spaces as in names.
    Near(&'static [&'static str]),
    /// At twelve letters and digits or more in a row.
    Run,
    /// Before this byte: at the first of at most `most` bytes in front of it, all of the class.
    Before { byte: u8, class: fn(u8) -> bool, most: usize },
    /// At a value of twelve letters and digits or more that is assigned to a name that tells of a secret.
    Assigned,
    /// At words of a list of BIP 39; the shape is not used.
    Phrase,
}

/// How far in front of a match its context may be, in bytes.
pub const NEAR: usize = 64;

/// What must not stand before and behind a match, beside letters, digits and `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Nothing else.
    Word,
    /// `-` behind it.
    Dash,
    /// `+`, `/`, `-` and `=` behind it.
    Base64,
    /// Signs that make it part of a longer number, a version or a path: `.`, `-`, `/`, `+`, `=`, `$`, `,`
    /// before it, and all of these but `.`, `$` and `,` behind it.
    Number,
    /// What a value may hold, behind it.
    Value,
    /// Nothing matters.
    Open,
}

impl Detector {
    /// Whether it has an anchor: a literal, name or context word that every match has.
    pub fn anchored(&self) -> bool {
        matches!(self.begin, Begin::Anchor { .. } | Begin::Named(_) | Begin::Near(_))
    }

    /// Whether the check holds of these bytes, or there is none. The shape is not looked at.
    pub fn accepts(&self, matched: &[u8]) -> bool {
        self.check.is_none_or(|check| (check.holds)(matched))
    }

    pub fn has_checksum(&self) -> bool {
        self.check.is_some_and(|check| check.sum)
    }

    /// The literals, names or words that stand in or before every match.
    pub fn anchors(&self) -> &'static [&'static str] {
        match self.begin {
            Begin::Anchor { literals, .. } => literals,
            Begin::Named(words) | Begin::Near(words) => words,
            _ => &[],
        }
    }
}

/// An example as it is used, and where the match in it begins and ends, if it marks one.
pub fn example(text: &str) -> (String, std::ops::Range<usize>) {
    let text = text.replace('¦', "");
    let Some((before, rest)) = text.split_once('⟦') else {
        let whole = 0..text.len();
        return (text, whole);
    };
    let (inside, behind) = rest.split_once('⟧').unwrap_or((rest, ""));
    let range = before.len()..before.len() + inside.len();
    (format!("{before}{inside}{behind}"), range)
}

impl Edge {
    /// Whether a match may begin behind `before`, which ends where it begins.
    pub(super) fn may_begin(self, before: &[u8]) -> bool {
        let Some(&last) = before.last() else { return true };
        if self == Self::Open {
            return true;
        }
        if is_word(last) {
            return behind_escape(before);
        }
        self != Self::Number
            || !matches!(last, b'.' | b'-' | b'/' | b'+' | b'=' | b'$' | b',')
            || (last == b'=' && before.len() > 1 && is_name_end(before))
            || (last == b',' && before.len() > 1 && !ends_in_digit(before))
    }

    /// Whether a match may end before this byte.
    pub(super) fn may_end(self, next: u8) -> bool {
        match self {
            Self::Open => true,
            Self::Word => !is_word(next),
            Self::Dash => !is_word(next) && next != b'-',
            Self::Value => !assignment::is_value(next) && next != b'=',
            Self::Base64 | Self::Number => {
                !is_word(next) && !matches!(next, b'+' | b'/' | b'-' | b'=')
            }
        }
    }
}

/// `name=123` is an assignment, and `==123` the end of base64.
fn is_name_end(before: &[u8]) -> bool {
    before.iter().rev().nth(1).is_some_and(|&byte| byte != b'=')
}

/// `1,234` is one number, `a,123` two fields.
fn ends_in_digit(before: &[u8]) -> bool {
    before.iter().rev().nth(1).is_some_and(u8::is_ascii_digit)
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether what comes before ends in an escape whose last character is a letter or digit: `\n`,
/// `\u0022`, `%3D`.
fn behind_escape(before: &[u8]) -> bool {
    let is_hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match before {
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f'] => true,
        _ => {
            let percent = before
                .last_chunk::<3>()
                .is_some_and(|[sign, hex @ ..]| *sign == b'%' && is_hex(hex));
            let unicode = before
                .last_chunk::<6>()
                .is_some_and(|[slash, u, hex @ ..]| *slash == b'\\' && *u == b'u' && is_hex(hex));
            percent || unicode
        }
    }
}
