//! Detectors that a customer writes: a pattern, keywords, or digests of own values.

mod pattern;
mod tokens;

use super::finder::Finding;
use pattern::{Pattern, PatternHunt};
use serde::{Deserialize, Serialize};
use tokens::{TokenHunt, Tokens};

pub use tokens::{ExactData, ExactError, MAX_WORD, normalised};

/// Most keywords of one detector.
pub const MAX_KEYWORDS: usize = 4096;
/// Longest keyword, in characters.
pub const MAX_KEYWORD: usize = 64;
/// Most values of one detector of exact data.
pub const MAX_DIGESTS: usize = 1 << 20;

/// A detector of a customer's own. Exactly one of `pattern`, `keywords` and `exact` says what it
/// finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomDetector {
    /// Not that of a detector of the catalogue.
    pub name: String,
    /// A regular expression, in the dialect and under the limits of body patterns. A match is at most
    /// 4 KiB long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Words, or up to four words in a row; case and what stands between them do not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Digests of values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactData>,
}

impl CustomDetector {
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A compiled custom detector.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    member: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Pattern(Box<Pattern>),
    Tokens(Tokens),
}

impl Compiled {
    pub(super) fn new(custom: &CustomDetector, member: usize) -> Result<Self, String> {
        if custom.name.is_empty() || custom.name.len() > 63 {
            return Err("the name must have 1 to 63 characters".to_owned());
        }
        let kind = match (&custom.pattern, custom.keywords.as_slice(), &custom.exact) {
            (Some(pattern), [], None) => Kind::Pattern(Box::new(Pattern::compile(pattern)?)),
            (None, [_, ..], None) => Kind::Tokens(Tokens::keywords(&custom.keywords)?),
            (None, [], Some(exact)) => Kind::Tokens(Tokens::exact(exact)?),
            _ => return Err("give exactly one of pattern, keywords and exact".to_owned()),
        };
        Ok(Self { member, kind })
    }
}

/// A custom detector at work on one stream.
#[derive(Debug, Clone)]
pub(super) struct Hunt<'s> {
    member: usize,
    kind: HuntKind<'s>,
}

#[derive(Debug, Clone)]
enum HuntKind<'s> {
    Pattern(PatternHunt<'s>),
    Tokens(TokenHunt<'s>),
}

impl<'s> Hunt<'s> {
    pub(super) fn new(custom: &'s Compiled, start: u64) -> Self {
        let kind = match &custom.kind {
            Kind::Pattern(pattern) => HuntKind::Pattern(PatternHunt::new(pattern, start)),
            Kind::Tokens(tokens) => HuntKind::Tokens(TokenHunt::new(tokens, start)),
        };
        Self { member: custom.member, kind }
    }

    pub(super) fn scan(
        &mut self,
        text: &[u8],
        base: u64,
        ended: bool,
        found: &mut impl FnMut(Finding),
    ) {
        let detector = self.member;
        let mut found = |start, end| found(Finding { start, end, detector });
        match &mut self.kind {
            HuntKind::Pattern(hunt) => hunt.scan(text, base, ended, &mut found),
            HuntKind::Tokens(hunt) => hunt.scan(text, base, ended, &mut found),
        }
    }

    /// No match to come begins before this.
    pub(super) fn first_open(&self) -> u64 {
        match &self.kind {
            HuntKind::Pattern(hunt) => hunt.first_open(),
            HuntKind::Tokens(hunt) => hunt.first_open(),
        }
    }
}
