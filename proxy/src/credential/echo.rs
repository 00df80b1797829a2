//! Takes a value out of what a server answers: every occurrence of it becomes as many asterisks, so
//! that lengths stay true. It is found as it is, percent-encoded, as text of JSON or HTML, in
//! hexadecimal, and in base64 wherever it begins there, but for the two characters of base64 at each
//! end that it shares with what stands beside it.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

const FILL: u8 = b'*';

/// Finds one value in its spellings.
pub struct Echo {
    finder: Option<AhoCorasick>,
    /// Longest first.
    spellings: Vec<Zeroizing<Vec<u8>>>,
}

impl Echo {
    /// What finds `value`.
    pub fn of(value: &str) -> Self {
        let spellings: BTreeSet<Vec<u8>> = spellings(value).into_iter().collect();
        let mut spellings: Vec<_> = spellings.into_iter().map(Zeroizing::new).collect();
        spellings.sort_by_key(|one| std::cmp::Reverse(one.len()));
        // Of a few kilobytes an automaton can always be made; if not, everything is masked.
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(spellings.iter().map(|one| one.as_slice()))
            .inspect_err(|error| tracing::error!(%error, "Answers are masked whole"));
        Self { finder: finder.ok(), spellings }
    }

    /// Masks a text that is whole. False: there was nothing.
    pub fn mask(&self, text: &mut [u8]) -> bool {
        let original = Zeroizing::new(text.to_vec());
        self.fill(&original, text)
    }

    fn fill(&self, original: &[u8], out: &mut [u8]) -> bool {
        let Some(finder) = &self.finder else {
            out.fill(FILL);
            return !out.is_empty();
        };
        let mut any = false;
        for found in finder.find_overlapping_iter(original) {
            out[found.range()].fill(FILL);
            any = true;
        }
        any
    }

    /// How many bytes at the end could be the beginning of a spelling.
    fn open(&self, text: &[u8]) -> usize {
        let longest = self.spellings.first().map_or(0, |one| one.len());
        let first = text.len().saturating_sub(longest.saturating_sub(1));
        let begins = |at: usize| {
            let rest = &text[at..];
            self.spellings.iter().any(|one| one.len() > rest.len() && one.starts_with(rest))
        };
        (first..text.len()).find(|at| begins(*at)).map_or(0, |at| text.len() - at)
    }
}

/// Masks a stream: whatever its chunks are, what comes out is the same.
#[derive(Default)]
pub struct Mask {
    /// What may be the beginning of the value: as it came, and as it will leave.
    original: Zeroizing<Vec<u8>>,
    masked: Vec<u8>,
}

impl Mask {
    /// Takes what comes and returns what may leave.
    pub fn push(&mut self, echo: &Echo, data: &[u8]) -> Bytes {
        self.original.extend_from_slice(data);
        self.masked.extend_from_slice(data);
        echo.fill(&self.original, &mut self.masked);
        let end = self.original.len() - echo.open(&self.original);
        self.original.drain(..end);
        self.masked.drain(..end).collect::<Vec<u8>>().into()
    }

    /// What is left when nothing more comes.
    pub fn finish(&mut self) -> Bytes {
        self.original.clear();
        std::mem::take(&mut self.masked).into()
    }

    /// Whether nothing is kept back.
    pub fn is_empty(&self) -> bool {
        self.masked.is_empty()
    }

    /// Bytes that are kept back.
    pub fn len(&self) -> usize {
        self.masked.len()
    }
}

fn spellings(value: &str) -> Vec<Vec<u8>> {
    let plain = value.as_bytes();
    let hex = hex::encode(plain);
    let mut all = vec![
        plain.to_vec(),
        percent(value, |byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte), "%20"),
        percent(value, |byte| !byte.is_ascii_alphanumeric(), "+"),
        json(value, false),
        json(value, true),
        html(value),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ];
    let lower: Vec<_> = all[1..3].iter().map(|one| lowered(one)).collect();
    all.extend(lower);
    // In base64 three bytes are four characters: the value begins at the first, second or third.
    for before in 0..3_usize {
        let padded = Zeroizing::new([vec![0; before], plain.to_vec()].concat());
        for encoded in [STANDARD_NO_PAD.encode(&*padded), URL_SAFE_NO_PAD.encode(&*padded)] {
            // Characters that only the value decides.
            let first = (before * 8).div_ceil(6);
            let last = padded.len() * 8 / 6;
            all.push(encoded.as_bytes()[first..last].to_vec());
        }
    }
    all
}

fn percent(value: &str, escaped: impl Fn(u8) -> bool, space: &str) -> Vec<u8> {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b' ' => out.push_str(space),
            byte if escaped(byte) => out.push_str(&format!("%{byte:02X}")),
            byte => out.push(char::from(byte)),
        }
    }
    out.into_bytes()
}

/// The digits of its escapes in lower case.
fn lowered(escaped: &[u8]) -> Vec<u8> {
    let mut out = escaped.to_vec();
    let mut at = 0;
    while at < out.len() {
        if out[at] == b'%' {
            let end = (at + 3).min(out.len());
            out[at..end].make_ascii_lowercase();
            at = end;
        } else {
            at += 1;
        }
    }
    out
}

fn json(value: &str, slash: bool) -> Vec<u8> {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    if slash { value.replace('/', "\\/").into_bytes() } else { value.into_bytes() }
}

fn html(value: &str) -> Vec<u8> {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    value.replace('"', "&quot;").replace('\'', "&#39;").into_bytes()
}

#[cfg(test)]
mod tests;
