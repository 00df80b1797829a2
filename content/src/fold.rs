//! Letters folded to one form, before patterns are matched: NFKC without marks, lower case, without
//! characters that nobody sees, and look-alikes of Latin letters and of digits as those.
//!
//! As it streams: each character by itself, so that where the text is cut does not matter. Marks are
//! dropped after decomposition; so what would be composed again stays apart (Hangul as its letters), in
//! patterns and in text alike. ASCII costs a table. Bytes that are no UTF-8 pass as they are.

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_security::skeleton;

/// Folds a text that comes in pieces.
#[derive(Debug, Default, Clone)]
pub struct Fold {
    /// The begin of a character that the end of the last piece cut.
    held: [u8; 4],
    len: usize,
}

impl Fold {
    /// Folds bytes; what they stand for is appended to `out`, but for a character that is cut.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while self.len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return };
            if let Some(slot) = self.held.get_mut(self.len) {
                *slot = byte;
            }
            let held = self.held;
            let text = held.get(..=self.len).unwrap_or_default();
            match std::str::from_utf8(text) {
                Ok(text) => {
                    fold_text(text, out);
                    self.len = 0;
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => {
                    self.len += 1;
                    bytes = rest;
                }
                Err(_) => self.finish(out),
            }
        }
        self.whole(bytes, out);
    }

    fn whole(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let (valid, wrong) = match std::str::from_utf8(bytes) {
                Ok(text) => return fold_text(text, out),
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            let (text, rest) = bytes.split_at(valid);
            fold_text(std::str::from_utf8(text).unwrap_or_default(), out);
            let Some(wrong) = wrong else {
                for (slot, byte) in self.held.iter_mut().zip(rest) {
                    *slot = *byte;
                }
                self.len = rest.len().min(self.held.len());
                return;
            };
            let (wrong, rest) = rest.split_at(wrong.min(rest.len()));
            out.extend_from_slice(wrong);
            bytes = rest;
        }
    }

    /// The text has ended: a character that was cut passes as it is.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = self.held.get(..std::mem::take(&mut self.len)).unwrap_or_default();
        out.extend_from_slice(held);
    }
}

/// A whole text, folded.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    fold_text(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn fold_text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let (ascii, behind) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        out.extend(ascii.bytes().map(|byte| byte.to_ascii_lowercase()));
        let mut chars = behind.chars();
        if let Some(char) = chars.next() {
            fold_char(char, out);
        }
        rest = chars.as_str();
    }
}

fn fold_char(char: char, out: &mut Vec<u8>) {
    let normalizer = DecomposingNormalizerBorrowed::new_nfkd();
    for char in normalizer.normalize_iter(std::iter::once(char)) {
        if is_unseen(char) {
            continue;
        }
        match look_alike(char) {
            Some(latin) => out.push(latin),
            None => {
                for char in char.to_lowercase() {
                    if !is_unseen(char) {
                        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
            }
        }
    }
}

/// Marks, and what is not drawn: joiners, directions, selectors, tags, fillers.
fn is_unseen(char: char) -> bool {
    if char.is_ascii() {
        return false;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(char);
    let mark = matches!(
        category,
        GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark | GeneralCategory::Format
    );
    mark || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
}

/// The ASCII letter or digit, in lower case, that the character is confused with, by Unicode's table
/// (UTS #39), or by that of its upper case.
fn look_alike(char: char) -> Option<u8> {
    if char.is_ascii() {
        return Some(u8::try_from(char).ok()?.to_ascii_lowercase());
    }
    let lower = single(char.to_lowercase());
    let upper = single(char.to_uppercase());
    let candidates = [lower, Some(char), upper];
    let (from, latin) =
        candidates.into_iter().flatten().find_map(|one| Some((one, ascii_skeleton(one)?)))?;
    // The table takes a capital I for an l.
    let capital = latin == b'l' && from.is_uppercase();
    Some(if capital { b'i' } else { latin.to_ascii_lowercase() })
}

fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

fn ascii_skeleton(char: char) -> Option<u8> {
    let text = char.to_string();
    let latin = single(skeleton(&text))?;
    latin.is_ascii_alphanumeric().then(|| u8::try_from(latin).ok()).flatten()
}

#[cfg(test)]
mod tests;
