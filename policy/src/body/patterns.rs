//! Compiles body patterns into automata, and into what it needs to skip text.

use super::machine::{Machine, Pattern};
use super::prefilter::Prefilter;
use super::shorten::shorten;
use crate::limits::{MAX_BODY_PATTERN, MAX_BODY_PATTERNS};
use regex_automata::util::syntax;
use regex_syntax::hir::Hir;
use std::fmt;
use thiserror::Error;

/// Largest automata of one rule, in bytes.
const MAX_AUTOMATA: usize = 8 << 20;

/// The compiled `denyBodyPatterns` of one rule.
pub struct BodyPatterns {
    patterns: Vec<String>,
    /// Patterns that can be skipped to, and those that cannot.
    pub(super) groups: Vec<Group>,
}

/// Patterns whose matches are looked for in the same way.
pub(super) struct Group {
    /// Finds where a match may begin; none where every byte must be seen.
    pub(super) prefilter: Option<Prefilter>,
    /// Whether the bytes around a match matter.
    pub(super) looks_around: bool,
    pub(super) machines: Vec<Machine>,
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
    /// for patterns that need automata over 8 MiB, all together.
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
            parse(pattern).map(|hir| Pattern { index, hir: shorten(hir) }).map_err(of)
        });
        let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
        let (led, unled): (Vec<_>, Vec<_>) =
            parsed.into_iter().partition(|p| Prefilter::new([&p.hir]).is_some());
        let mut groups = Vec::new();
        let mut room = MAX_AUTOMATA;
        for patterns in [led, unled].into_iter().filter(|patterns| !patterns.is_empty()) {
            let prefilter = Prefilter::new(patterns.iter().map(|pattern| &pattern.hir));
            let looks_around =
                patterns.iter().any(|pattern| !pattern.hir.properties().look_set().is_empty());
            let (machines, left) =
                Machine::all(&patterns, prefilter.is_some(), room).map_err(too_complex)?;
            room = left;
            groups.push(Group { prefilter, looks_around, machines });
        }
        Ok(Self { patterns: patterns.to_vec(), groups })
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

fn too_complex(index: usize) -> BodyPatternError {
    BodyPatternError {
        index: Some(index),
        problem:
            "the pattern needs too large an automaton, by itself or beside those of the other \
                  patterns, or a Unicode word boundary"
                .to_owned(),
        fix: "use ASCII classes such as (?-u:\\w) and (?-u:\\b), and smaller repetitions"
            .to_owned(),
    }
}

pub(super) fn syntax_config() -> syntax::Config {
    syntax::Config::new().case_insensitive(true).utf8(false).nest_limit(64)
}

/// A pattern as it is compiled; the error is the problem and its fix.
pub(crate) fn parse(pattern: &str) -> Result<Hir, (String, String)> {
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
