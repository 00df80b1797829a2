//! Values and keywords as tokens: runs of letters and digits, in lower case.
//!
//! Up to four tokens in a row are taken together, so that `Jane Doe`, `jane-doe` and `JANE.DOE` are one
//! value. Exact data is compared by a salted digest; which lengths occur, and a filter of a few bits a
//! value, spare most tokens the digest.

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use thiserror::Error;

/// Longest token, in bytes.
pub const MAX_WORD: usize = 64;
/// Most tokens that are taken together.
const MOST: usize = 4;
/// Most bytes between two tokens that are taken together.
const MOST_BETWEEN: u64 = 4;
/// Bytes of a digest that are kept.
const DIGEST: usize = 10;
/// Shortest value, in bytes.
const MIN_VALUE: usize = 4;

/// Digests of values: what `exeat detectors digest` writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExactData {
    /// Hex, of 16 bytes or more.
    pub salt: String,
    /// Hex, each of the first ten bytes of SHA-256 over the salt and the normalised value.
    pub digests: Vec<String>,
    /// The lengths of the normalised values, in bytes.
    pub lengths: Vec<u16>,
}

/// Why values have no digests.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExactError {
    #[error("the salt has fewer than 16 bytes")]
    Salt,
    #[error("value {line}: {problem}")]
    Value { line: usize, problem: String },
}

impl ExactData {
    /// Digests of values, one a line; empty lines are left out.
    ///
    /// # Errors
    /// For a salt under 16 bytes, and values with fewer than four letters and digits or more than four
    /// words, or a word over 64 bytes: they would be found by accident, or never.
    pub fn of<'a>(salt: &[u8], values: impl Iterator<Item = &'a str>) -> Result<Self, ExactError> {
        if salt.len() < 16 {
            return Err(ExactError::Salt);
        }
        let mut digests = Vec::new();
        let mut lengths = Vec::new();
        for (line, value) in (1..).zip(values).filter(|(_, value)| !value.trim().is_empty()) {
            let of = |problem: &str| ExactError::Value { line, problem: problem.to_owned() };
            let words = normalised(value);
            if words.len() > MOST || words.iter().any(|word| word.len() > MAX_WORD) {
                return Err(of("more than four words, or a word of more than 64 bytes"));
            }
            let joined = words.concat();
            if joined.len() < MIN_VALUE {
                return Err(of("fewer than four letters and digits"));
            }
            lengths.push(joined.len() as u16);
            digests.push(hex::encode(digest(salt, joined.as_bytes())));
        }
        lengths.sort_unstable();
        lengths.dedup();
        digests.sort_unstable();
        digests.dedup();
        Ok(Self { salt: hex::encode(salt), digests, lengths })
    }
}

fn digest(salt: &[u8], value: &[u8]) -> [u8; DIGEST] {
    let whole = Sha256::new().chain_update(salt).chain_update(value).finalize();
    whole.first_chunk().copied().unwrap_or_default()
}

/// The words of a value, as they are compared: letters and digits, in lower case.
pub fn normalised(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in value.as_bytes().split(|&byte| !is_token(byte)).filter(|word| !word.is_empty()) {
        words.push(String::from_utf8_lossy(&lower(word)).into_owned());
    }
    words
}

/// Every byte of a character outside ASCII counts as a letter.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn lower(word: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(word) {
        Ok(text) if !text.is_ascii() => text.to_lowercase().into_bytes(),
        _ => word.to_ascii_lowercase(),
    }
}

#[derive(Debug, Clone)]
pub(super) struct Tokens {
    /// Lengths of what is looked for, up to `MOST * MAX_WORD`.
    lengths: Vec<bool>,
    wanted: Wanted,
}

#[derive(Debug, Clone)]
enum Wanted {
    /// Words, with one space between two.
    Keywords(HashSet<Vec<u8>>),
    Digests {
        salt: Vec<u8>,
        digests: HashSet<[u8; DIGEST]>,
    },
}

impl Tokens {
    pub(super) fn keywords(keywords: &[String]) -> Result<Self, String> {
        if keywords.len() > super::MAX_KEYWORDS {
            return Err(format!("there are more than {} keywords", super::MAX_KEYWORDS));
        }
        let mut lengths = vec![false; MOST * (MAX_WORD + 1)];
        let mut wanted = HashSet::with_capacity(keywords.len());
        for keyword in keywords {
            let words = normalised(keyword);
            if words.is_empty()
                || words.len() > MOST
                || keyword.chars().count() > super::MAX_KEYWORD
            {
                return Err(format!(
                    "keyword {keyword:?} must have one to four words and at most {} characters",
                    super::MAX_KEYWORD
                ));
            }
            let joined = words.join(" ").into_bytes();
            if let Some(length) = lengths.get_mut(joined.len()) {
                *length = true;
            }
            wanted.insert(joined);
        }
        Ok(Self { lengths, wanted: Wanted::Keywords(wanted) })
    }

    pub(super) fn exact(data: &ExactData) -> Result<Self, String> {
        let salt = hex::decode(&data.salt).map_err(|_| "the salt is not hex".to_owned())?;
        if salt.len() < 16 || salt.len() > 64 {
            return Err("the salt must have 16 to 64 bytes".to_owned());
        }
        if data.digests.is_empty() || data.digests.len() > super::MAX_DIGESTS {
            return Err(format!("there must be 1 to {} digests", super::MAX_DIGESTS));
        }
        let mut lengths = vec![false; MOST * (MAX_WORD + 1)];
        for &length in &data.lengths {
            match lengths.get_mut(usize::from(length)) {
                Some(known) => *known = true,
                None => return Err(format!("no value has {length} bytes")),
            }
        }
        let digests = data.digests.iter().map(|text| {
            let mut bytes = [0; DIGEST];
            hex::decode_to_slice(text, &mut bytes)
                .map_err(|_| format!("a digest is not {} hex digits", 2 * DIGEST))
                .map(|()| bytes)
        });
        let digests = digests.collect::<Result<_, _>>()?;
        Ok(Self { lengths, wanted: Wanted::Digests { salt, digests } })
    }

    fn has(&self, words: &[&Token]) -> bool {
        let spaces = match self.wanted {
            Wanted::Keywords(_) => words.len() - 1,
            Wanted::Digests { .. } => 0,
        };
        let length = words.iter().map(|word| word.text.len()).sum::<usize>() + spaces;
        if !self.lengths.get(length).copied().unwrap_or(false) {
            return false;
        }
        let texts: Vec<&[u8]> = words.iter().map(|word| word.text.as_slice()).collect();
        match &self.wanted {
            Wanted::Keywords(wanted) => wanted.contains(&texts.join(&b' ')),
            Wanted::Digests { salt, digests } => digests.contains(&digest(salt, &texts.concat())),
        }
    }
}

#[derive(Debug, Clone)]
struct Token {
    start: u64,
    end: u64,
    text: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct TokenHunt<'s> {
    tokens: &'s Tokens,
    /// The next byte.
    at: u64,
    /// Tokens in a row.
    last: VecDeque<Token>,
    first_open: u64,
}

impl<'s> TokenHunt<'s> {
    pub(super) fn new(tokens: &'s Tokens, start: u64) -> Self {
        Self { tokens, at: start, last: VecDeque::new(), first_open: start }
    }

    pub(super) fn first_open(&self) -> u64 {
        self.first_open
    }

    pub(super) fn scan(
        &mut self,
        text: &[u8],
        base: u64,
        ended: bool,
        found: &mut impl FnMut(u64, u64),
    ) {
        let end = base + text.len() as u64;
        while self.at < end {
            let from = usize::try_from(self.at - base).unwrap_or(usize::MAX);
            let rest = text.get(from..).unwrap_or_default();
            let between = rest.iter().take_while(|&&byte| !is_token(byte)).count();
            let token = rest.get(between..).unwrap_or_default();
            // One that goes on beyond the longest is passed piece by piece.
            let length = token.iter().take(MAX_WORD + 1).take_while(|&&it| is_token(it)).count();
            if token.is_empty() || (length == token.len() && length <= MAX_WORD && !ended) {
                // Looked at again when there is more of it.
                if token.is_empty() {
                    self.at = end;
                } else {
                    self.at += between as u64;
                }
                break;
            }
            let start = self.at + between as u64;
            self.at = start + length as u64;
            self.take(start, token.get(..length).unwrap_or_default(), found);
        }
        if self.last.back().is_some_and(|last| self.at > last.end + MOST_BETWEEN) {
            self.last.clear();
        }
        let open = self.last.iter().rev().take(MOST - 1).next_back();
        self.first_open = open.map_or(self.at, |token| token.start);
    }

    fn take(&mut self, start: u64, word: &[u8], found: &mut impl FnMut(u64, u64)) {
        let joins = self
            .last
            .back()
            .is_some_and(|last| last.end < start && start <= last.end + MOST_BETWEEN);
        let end = start + word.len() as u64;
        // A piece of a longer one joins nothing, and is nothing by itself.
        let whole = word.len() <= MAX_WORD
            && self.last.back().is_none_or(|last| last.end != start || last.text.len() <= MAX_WORD);
        if !joins {
            self.last.clear();
        }
        if !whole {
            self.last.clear();
            self.last.push_back(Token { start, end, text: vec![0; MAX_WORD + 1] });
            return;
        }
        self.last.retain(|token| token.text.len() <= MAX_WORD);
        if self.last.len() == MOST {
            self.last.pop_front();
        }
        self.last.push_back(Token { start, end, text: lower(word) });
        let row: Vec<&Token> = self.last.iter().collect();
        for at in 0..row.len() {
            if let Some((words, first)) = row.get(at..).zip(row.get(at))
                && self.tokens.has(words)
            {
                found(first.start, end);
                break;
            }
        }
    }
}
