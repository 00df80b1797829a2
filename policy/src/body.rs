//! Body patterns: case-insensitive regular expressions over a body as it streams.
//!
//! One automaton runs over four views of the same bytes: as sent, percent-decoded (forms),
//! JSON-unescaped, and without NUL bytes (UTF-16 of ASCII). Its state is carried from chunk to
//! chunk, so a match is found wherever the chunks are cut, and however long it is.

use crate::limits::{MAX_BODY_PATTERN, MAX_BODY_PATTERNS};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use std::fmt;
use thiserror::Error;

/// Largest automaton of one rule, in bytes.
const MAX_DFA: usize = 8 << 20;
const MAX_BUILD: usize = 32 << 20;

/// The compiled `denyBodyPatterns` of one rule.
pub struct BodyPatterns {
    patterns: Vec<String>,
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

impl fmt::Debug for BodyPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyPatterns").field(&self.patterns).finish()
    }
}

/// Why patterns do not compile; `index` is the pattern's place in its list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct BodyPatternError {
    pub index: Option<usize>,
    pub problem: String,
    pub fix: String,
}

impl BodyPatterns {
    /// Compiles patterns in the syntax of the `regex` crate (RE2-like: no look-around and no
    /// back-references).
    ///
    /// # Errors
    /// For a pattern that is empty, matches the empty text, is too long, or does not parse, and
    /// for patterns that together need an automaton over 8 MiB.
    pub fn compile(patterns: &[String]) -> Result<Self, BodyPatternError> {
        if patterns.len() > MAX_BODY_PATTERNS {
            return Err(BodyPatternError {
                index: None,
                problem: format!(
                    "there are {} patterns, more than {MAX_BODY_PATTERNS}",
                    patterns.len()
                ),
                fix: "join some with |, or split the rule".to_owned(),
            });
        }
        for (index, pattern) in patterns.iter().enumerate() {
            check(pattern).map_err(|(problem, fix)| BodyPatternError {
                index: Some(index),
                problem,
                fix,
            })?;
        }
        let build = |patterns: &[String]| {
            let built = dense::Builder::new()
                .configure(
                    dense::Config::new()
                        .start_kind(StartKind::Unanchored)
                        .dfa_size_limit(Some(MAX_DFA))
                        .determinize_size_limit(Some(MAX_BUILD)),
                )
                .syntax(syntax_config())
                .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(4 << 20)))
                .build_many(patterns);
            built.ok()
        };
        let too_complex = |index| BodyPatternError {
            index,
            problem: "the pattern needs too large an automaton, or a Unicode word boundary"
                .to_owned(),
            fix: "use ASCII classes such as (?-u:\\w) and (?-u:\\b), and smaller repetitions"
                .to_owned(),
        };
        let dfa = build(patterns).ok_or_else(|| {
            too_complex((0..patterns.len()).find(|i| build(&patterns[*i..=*i]).is_none()))
        })?;
        let start = dfa.start_state(&start::Config::new()).map_err(|_| too_complex(None))?;
        Ok(Self { patterns: patterns.to_vec(), dfa, start })
    }

    /// The patterns as written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The pattern at an index that a [`Scanner`] returned.
    pub fn pattern(&self, index: usize) -> &str {
        self.patterns.get(index).map_or("", String::as_str)
    }
}

fn syntax_config() -> syntax::Config {
    syntax::Config::new().case_insensitive(true).utf8(false).nest_limit(64)
}

fn check(pattern: &str) -> Result<(), (String, String)> {
    if pattern.is_empty() {
        return Err(("the pattern is empty and would match every body".into(), "remove it".into()));
    }
    if pattern.chars().count() > MAX_BODY_PATTERN {
        let problem = format!("the pattern is longer than {MAX_BODY_PATTERN} characters");
        return Err((problem, "split it".into()));
    }
    match syntax::parse_with(pattern, &syntax_config()) {
        Err(error) => Err((
            format!("the pattern is not a regular expression: {}", last_line(&error.to_string())),
            "escape special characters with a backslash to match them as they are".into(),
        )),
        Ok(hir) if hir.properties().minimum_len().unwrap_or(0) == 0 => Err((
            "the pattern matches the empty text, and so every body".into(),
            "make it match at least one character".into(),
        )),
        Ok(_) => Ok(()),
    }
}

fn last_line(text: &str) -> &str {
    text.lines().next_back().unwrap_or_default().trim_start_matches("error: ")
}

/// Scans one body. After a match it stays matched.
#[derive(Debug)]
pub struct Scanner<'p> {
    patterns: &'p BodyPatterns,
    views: [StateID; 4],
    percent: Percent,
    json: Json,
    found: Option<usize>,
}

const RAW: usize = 0;
const PERCENT: usize = 1;
const JSON: usize = 2;
const NO_NUL: usize = 3;

impl<'p> Scanner<'p> {
    pub fn new(patterns: &'p BodyPatterns) -> Self {
        Self {
            patterns,
            views: [patterns.start; 4],
            percent: Percent::default(),
            json: Json::default(),
            found: None,
        }
    }

    /// Takes the next bytes of the body, in order. Returns the index of a pattern as soon as one
    /// has matched in any view. Costs a few table look-ups a byte.
    pub fn push(&mut self, chunk: &[u8]) -> Option<usize> {
        for &byte in chunk {
            if self.found.is_some() {
                break;
            }
            self.step(RAW, byte);
            if byte != 0 {
                self.step(NO_NUL, byte);
            }
            let decoded = self.percent.push(byte);
            for &b in decoded.as_slice() {
                self.step(PERCENT, b);
            }
            let unescaped = self.json.push(byte);
            for &b in unescaped.as_slice() {
                self.step(JSON, b);
            }
        }
        self.found
    }

    /// The body has ended: patterns that need to see the end (`$`, `\b`) are decided.
    pub fn finish(&mut self) -> Option<usize> {
        let rest = self.percent.finish();
        for &b in rest.as_slice() {
            self.step(PERCENT, b);
        }
        for view in 0..self.views.len() {
            if self.found.is_none() {
                let end = self.patterns.dfa.next_eoi_state(self.views[view]);
                self.examine(end);
            }
        }
        self.found
    }

    fn step(&mut self, view: usize, byte: u8) {
        if self.found.is_some() {
            return;
        }
        let next = self.patterns.dfa.next_state(self.views[view], byte);
        self.views[view] = next;
        if self.patterns.dfa.is_special_state(next) {
            self.examine(next);
        }
    }

    /// A match, or a state from which the automaton cannot tell: the latter counts as a match of
    /// the first pattern, since what cannot be decided is denied.
    fn examine(&mut self, state: StateID) {
        let dfa = &self.patterns.dfa;
        if dfa.is_match_state(state) {
            self.found = Some(dfa.match_pattern(state, 0).as_usize());
        } else if dfa.is_quit_state(state) {
            self.found = Some(0);
        }
    }
}

/// Up to four bytes that a transducer puts out for one that it takes.
#[derive(Debug, Default, Clone, Copy)]
struct Out {
    bytes: [u8; 4],
    len: usize,
}

impl Out {
    fn of(bytes: &[u8]) -> Self {
        let mut out = Self::default();
        for &b in bytes.iter().take(4) {
            out.bytes[out.len] = b;
            out.len += 1;
        }
        out
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `application/x-www-form-urlencoded` decoding; what is no escape passes as it is.
#[derive(Debug, Default)]
struct Percent {
    held: [u8; 2],
    len: usize,
}

impl Percent {
    fn push(&mut self, byte: u8) -> Out {
        match self.len {
            0 if byte == b'%' => {
                self.hold(byte);
                Out::default()
            }
            0 if byte == b'+' => Out::of(b" "),
            0 => Out::of(&[byte]),
            1 if byte.is_ascii_hexdigit() => {
                self.hold(byte);
                Out::default()
            }
            2 if byte.is_ascii_hexdigit() => {
                let value = hex(self.held[1]) * 16 + hex(byte);
                self.len = 0;
                Out::of(&[value])
            }
            held => {
                let kept = [self.held[0], self.held[1]];
                self.len = 0;
                let again = self.push(byte);
                let mut all = [0; 4];
                all[..held].copy_from_slice(&kept[..held]);
                all[held..held + again.len].copy_from_slice(again.as_slice());
                Out::of(&all[..held + again.len])
            }
        }
    }

    fn finish(&mut self) -> Out {
        let out = Out::of(&self.held[..self.len]);
        self.len = 0;
        out
    }

    fn hold(&mut self, byte: u8) {
        self.held[self.len] = byte;
        self.len += 1;
    }
}

fn hex(byte: u8) -> u8 {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0)
}

/// JSON string escapes, RFC 8259 §7, wherever they stand: what surrounds them does not matter.
#[derive(Debug, Default)]
struct Json {
    state: JsonState,
    high: Option<u32>,
}

#[derive(Debug, Default, Clone, Copy)]
enum JsonState {
    #[default]
    Plain,
    Escape,
    Unicode(u8, u32),
}

impl Json {
    fn push(&mut self, byte: u8) -> Out {
        match self.state {
            JsonState::Plain if byte == b'\\' => {
                self.state = JsonState::Escape;
                Out::default()
            }
            JsonState::Plain => {
                self.high = None;
                Out::of(&[byte])
            }
            JsonState::Escape => self.escaped(byte),
            JsonState::Unicode(n, value) if byte.is_ascii_hexdigit() => {
                let value = value * 16 + u32::from(hex(byte));
                self.state = JsonState::Unicode(n + 1, value);
                if n == 3 { self.unit(value) } else { Out::default() }
            }
            JsonState::Unicode(..) => {
                self.state = JsonState::Plain;
                self.push(byte)
            }
        }
    }

    fn escaped(&mut self, byte: u8) -> Out {
        self.state = JsonState::Plain;
        let plain = match byte {
            b'u' => {
                self.state = JsonState::Unicode(0, 0);
                return Out::default();
            }
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        };
        self.high = None;
        Out::of(&[plain])
    }

    /// One UTF-16 unit; a surrogate pair is joined.
    fn unit(&mut self, value: u32) -> Out {
        self.state = JsonState::Plain;
        let point = match (self.high.take(), value) {
            (_, 0xD800..=0xDBFF) => {
                self.high = Some(value);
                return Out::default();
            }
            (Some(high), 0xDC00..=0xDFFF) => 0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00),
            _ => value,
        };
        let mut buffer = [0; 4];
        let ch = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
        Out::of(ch.encode_utf8(&mut buffer).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compiled(patterns: &[&str]) -> BodyPatterns {
        BodyPatterns::compile(&patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
            .unwrap()
    }

    fn scan(patterns: &BodyPatterns, body: &[u8], cut: usize) -> Option<usize> {
        let mut scanner = Scanner::new(patterns);
        for chunk in body.chunks(cut.max(1)) {
            scanner.push(chunk);
        }
        scanner.finish()
    }

    #[test]
    fn finds_every_view_at_every_cut() {
        let patterns = compiled(&["password", "secret", r"AKIA[0-9A-Z]{16}"]);
        for (body, want) in [
            (&b"my PassWord is"[..], Some(0)),
            (b"a=1&b=s%65cret", Some(1)),
            (br#"{"a":"pass\u0077ord"}"#, Some(0)),
            (br#"{"a":"pass\u0077\u006Frd"}"#, Some(0)),
            (b"s\0e\0c\0r\0e\0t\0", Some(1)),
            (b"xAKIAABCDEFGHIJKLMNOPx", Some(2)),
            (b"passwor", None),
            (b"pass word", None),
            (b"%", None),
            (br"\u00", None),
            (b"", None),
        ] {
            for cut in 1..=body.len().max(1) {
                assert_eq!(
                    scan(&patterns, body, cut),
                    want,
                    "{} at {cut}",
                    String::from_utf8_lossy(body)
                );
            }
        }
    }

    #[test]
    fn bad_patterns_say_which_and_why() {
        for bad in ["", "(", "a*", "\\", &"x".repeat(600), r"\bword\b", "(\\pL{40}){40}"] {
            let error = BodyPatterns::compile(&["fine".to_owned(), bad.to_owned()]).expect_err(bad);
            assert_eq!(error.index, Some(1), "{bad}: {error}");
            assert!(!error.fix.is_empty());
        }
        assert!(BodyPatterns::compile(&vec!["a".to_owned(); 65]).is_err());
        assert!(BodyPatterns::compile(&[r"(?-u:\b)token(?-u:\b)".to_owned()]).is_ok());
    }

    #[test]
    fn an_end_anchor_is_decided_at_the_end() {
        let patterns = compiled(&["token$"]);
        assert_eq!(scan(&patterns, b"a token", 3), Some(0));
        assert_eq!(scan(&patterns, b"a token ", 3), None);
    }

    proptest! {
        #[test]
        fn chunks_never_matter(body in prop::collection::vec(prop::sample::select(b"pas%5Cword\\u0037+\0x".to_vec()), 0..60), cut in 1usize..20) {
            let patterns = compiled(&["pass", "s+w", "word7"]);
            prop_assert_eq!(scan(&patterns, &body, cut), scan(&patterns, &body, body.len().max(1)));
        }
    }
}
