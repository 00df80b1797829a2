//! Compiles body patterns into one automaton, and into what it needs to skip text.

use super::prefilter::Prefilter;
use super::views;
use crate::limits::{MAX_BODY_PATTERN, MAX_BODY_PATTERNS};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_syntax::hir::Hir;
use std::fmt;
use thiserror::Error;

/// Largest automaton of one rule, in bytes.
const MAX_DFA: usize = 8 << 20;
const MAX_BUILD: usize = 32 << 20;

/// The compiled `denyBodyPatterns` of one rule.
pub struct BodyPatterns {
    patterns: Vec<String>,
    pub(super) dfa: dense::DFA<Vec<u32>>,
    /// The state at the beginning of a body.
    pub(super) start: StateID,
    /// The state behind each byte, where no match has begun.
    pub(super) after: Box<[StateID; 256]>,
    /// None where some pattern does not begin with a literal; start states are special otherwise.
    pub(super) prefilter: Option<Prefilter>,
    /// Whether the bytes around a match matter.
    pub(super) looks_around: bool,
    /// Bytes at which neither a match nor an escape begins; none where the bytes around matter.
    pub(super) idle: Box<[bool; 256]>,
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
    /// Compiles patterns in the syntax of the `regex` crate (RE2-like: no look-around but for
    /// anchors and ASCII word boundaries, and no back-references).
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
        let parsed = patterns.iter().enumerate().map(|(index, pattern)| {
            let of = |(problem, fix)| BodyPatternError { index: Some(index), problem, fix };
            parse(pattern).map_err(of)
        });
        let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
        let prefilter = Prefilter::new(&parsed);
        let dfa = build(patterns, prefilter.is_some()).ok_or_else(|| {
            too_complex((0..patterns.len()).find(|i| build(&patterns[*i..=*i], false).is_none()))
        })?;
        let start_at = |behind| {
            let config = start::Config::new().look_behind(behind);
            dfa.start_state(&config).map_err(|_| too_complex(None))
        };
        let start = start_at(None)?;
        let mut after = Box::new([start; 256]);
        for byte in 0..=u8::MAX {
            after[usize::from(byte)] = start_at(Some(byte))?;
        }
        let looks_around = parsed.iter().any(|hir| !hir.properties().look_set().is_empty());
        let mut idle = Box::new([false; 256]);
        for byte in 0..=u8::MAX {
            idle[usize::from(byte)] =
                !looks_around && !views::begins_any(byte) && dfa.next_state(start, byte) == start;
        }
        let patterns = patterns.to_vec();
        Ok(Self { patterns, dfa, start, after, prefilter, looks_around, idle })
    }

    /// The patterns as written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The pattern at an index that a [`Scanner`](super::Scanner) returned.
    pub fn pattern(&self, index: usize) -> &str {
        self.patterns.get(index).map_or("", String::as_str)
    }
}

fn build(patterns: &[String], special_starts: bool) -> Option<dense::DFA<Vec<u32>>> {
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .specialize_start_states(special_starts)
                .accelerate(false)
                .dfa_size_limit(Some(MAX_DFA))
                .determinize_size_limit(Some(MAX_BUILD)),
        )
        .syntax(syntax_config())
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(4 << 20)))
        .build_many(patterns)
        .ok()
}

fn too_complex(index: Option<usize>) -> BodyPatternError {
    BodyPatternError {
        index,
        problem: "the pattern needs too large an automaton, or a Unicode word boundary".to_owned(),
        fix: "use ASCII classes such as (?-u:\\w) and (?-u:\\b), and smaller repetitions"
            .to_owned(),
    }
}

pub(super) fn syntax_config() -> syntax::Config {
    syntax::Config::new().case_insensitive(true).utf8(false).nest_limit(64)
}

fn parse(pattern: &str) -> Result<Hir, (String, String)> {
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
        Ok(hir) => Ok(hir),
    }
}

fn last_line(text: &str) -> &str {
    text.lines().next_back().unwrap_or_default().trim_start_matches("error: ")
}
