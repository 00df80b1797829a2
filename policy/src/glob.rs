//! Path globs: `*` stays inside one segment, `**` crosses them.
//!
//! A glob is a literal beginning and at most [`MAX_WILDCARDS`] pieces, each a wildcard and the
//! literal behind it. Matching keeps, piece by piece, every place at which the rest could go on, and
//! finds the literal there in one walk ([`literal`]): its cost is bounded by the length of the path
//! times the number of wildcards, however long the literals are and whatever the agent asks for.

mod literal;

use crate::pattern::error::PatternError;
use crate::reading;
use literal::{AnyCase, Exact, Letters, Literal};
use std::borrow::Cow;

/// Most wildcards of one pattern.
const MAX_WILDCARDS: usize = 8;

/// A path pattern over [readings](crate::reading). `/**` at the end also matches the path without it, and
/// `/**/` matches a single slash too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    wire: Pieces,
    /// The same pattern over decoded paths, where it has escapes.
    decoded: Option<Box<Pieces>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Pieces {
    start: Vec<u8>,
    rest: Vec<(Wildcard, Literal)>,
    /// A final `/**`: what is matched may be followed by a slash and anything.
    below: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    Star,
    DoubleStar,
    /// `**/` after a slash: any number of whole segments.
    Segments,
}

impl Glob {
    /// Parses a path pattern; its literal parts are brought into the form of a reading.
    ///
    /// # Errors
    /// For what no path that is sent has, since such a pattern would never match.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let reject = |problem: &str, fix: &str| PatternError {
            problem: format!("the path {text:?} {problem}"),
            fix: fix.to_owned(),
        };
        if text.contains(['?', '#']) {
            return Err(reject(
                "has a query or a fragment, which are not matched",
                "remove it; rules match paths alone",
            ));
        }
        if text.contains("***") {
            return Err(reject("has ***", "write * for one segment or ** for any number"));
        }
        let (text_body, below) =
            text.strip_suffix("/**").map_or((text, false), |rest| (rest, true));
        for segment in text_body.split('/').skip(1) {
            if matches!(segment, "." | "..") {
                return Err(reject("has a dot segment", "write the path that it resolves to"));
            }
        }
        let inner = text_body.strip_suffix('/').unwrap_or(text_body);
        if inner.contains("//") || (below && text_body.ends_with('/')) {
            return Err(reject(
                "has an empty segment",
                "write a single slash, or /** for what follows",
            ));
        }
        if text.matches("**").count() + text.replace("**", "").matches('*').count() > MAX_WILDCARDS
        {
            return Err(reject(
                "has more than 8 wildcards",
                "write a shorter pattern, or several rules",
            ));
        }
        let mut wire = Draft::default();
        for (at, piece) in text_body.split("/**/").enumerate() {
            if at > 0 {
                wire.literal().push(b'/');
                wire.rest.push((Wildcard::Segments, Vec::new()));
            }
            wire.push(piece).map_err(|e| {
                reject(
                    &format!("is never what a request asks for: {e}"),
                    "write it as a URL path, with %25 for a percent sign",
                )
            })?;
        }
        let decoded = wire.has_escapes().then(|| Box::new(wire.decoded().finish(below)));
        Ok(Self { wire: wire.finish(below), decoded })
    }

    /// Whether a reading matches, byte for byte.
    pub fn matches(&self, path: &str) -> bool {
        self.wire.matches::<Exact>(path.as_bytes())
    }

    /// As [`matches`](Self::matches), but wider, for a Deny: servers differ on letter case, on a
    /// final slash, and on escapes of characters that need none, so all readings are tried.
    pub fn matches_any_reading(&self, path: &str) -> bool {
        let decoded = reading::fully_decoded(path);
        let trimmed = decoded.strip_suffix(b"/").unwrap_or(&decoded);
        let slashed = match decoded.last() {
            Some(b'/') => Cow::Borrowed(&*decoded),
            _ => Cow::Owned([trimmed, b"/"].concat()),
        };
        let wire = matches!(decoded, Cow::Owned(_)).then_some(path.as_bytes());
        let globs = [Some(&self.wire), self.decoded.as_deref()];
        wire.into_iter()
            .chain([trimmed, &slashed])
            .any(|path| globs.iter().flatten().any(|glob| glob.matches::<AnyCase>(path)))
    }

    /// The whole segments that every path that matches begins with, in any letter case and any
    /// reading. It ends before the first wildcard, escape or final slash.
    pub(crate) fn leading_segments(&self) -> impl Iterator<Item = &[u8]> {
        let start = &self.wire.start;
        let whole = match start.iter().rposition(|b| *b == b'/') {
            Some(slash) if !self.wire.rest.is_empty() => &start[..slash],
            _ => start,
        };
        let segments = whole.split(|b| *b == b'/').skip(1);
        segments.take_while(|segment| !segment.is_empty() && !segment.contains(&b'%'))
    }
}

/// Pieces that are being written.
#[derive(Debug, Default)]
struct Draft {
    start: Vec<u8>,
    rest: Vec<(Wildcard, Vec<u8>)>,
}

impl Draft {
    /// The literal that is being written.
    fn literal(&mut self) -> &mut Vec<u8> {
        match self.rest.last_mut() {
            Some((_, literal)) => literal,
            None => &mut self.start,
        }
    }

    /// Appends a part of the pattern that has no `/**/`.
    fn push(&mut self, part: &str) -> Result<(), reading::PathError> {
        for (at, part) in part.split("**").enumerate() {
            if at > 0 {
                self.rest.push((Wildcard::DoubleStar, Vec::new()));
            }
            for (at, literal) in part.split('*').enumerate() {
                if at > 0 {
                    self.rest.push((Wildcard::Star, Vec::new()));
                }
                let wire = reading::normalise_literal(literal)?;
                self.literal().extend(wire.bytes());
            }
        }
        Ok(())
    }

    fn has_escapes(&self) -> bool {
        self.start.contains(&b'%') || self.rest.iter().any(|(_, literal)| literal.contains(&b'%'))
    }

    fn decoded(&self) -> Self {
        let decode = |literal: &[u8]| percent_encoding::percent_decode(literal).collect();
        Self {
            start: decode(&self.start),
            rest: self.rest.iter().map(|(wildcard, one)| (*wildcard, decode(one))).collect(),
        }
    }

    fn finish(self, below: bool) -> Pieces {
        let piece = |(wildcard, literal)| (wildcard, Literal::new(literal));
        Pieces { start: self.start, rest: self.rest.into_iter().map(piece).collect(), below }
    }
}

impl Pieces {
    fn matches<L: Letters>(&self, path: &[u8]) -> bool {
        let ends_at = |at: usize| {
            at == path.len() || (self.below && path.get(at).is_some_and(|b| *b == b'/'))
        };
        if !path.get(..self.start.len()).is_some_and(|here| L::equal(here, &self.start)) {
            return false;
        }
        let Some(((last, literal), inner)) = self.rest.split_last() else {
            return ends_at(self.start.len());
        };
        let first = [self.start.len()];
        let mut places = Cow::Borrowed(first.as_slice());
        for (wildcard, literal) in inner {
            let mut search = literal.search::<L>(path);
            let ends = wildcard.ends(path, &places).filter(|at| search.is_at(*at));
            places = ends.map(|at| at + literal.len()).collect();
        }
        let mut search = literal.search::<L>(path);
        last.ends(path, &places).any(|at| ends_at(at + literal.len()) && search.is_at(at))
    }
}

impl Wildcard {
    /// The places at which this wildcard may end, in order, where it may begin at any of `places`,
    /// which are in order too.
    fn ends(self, path: &[u8], places: &[usize]) -> impl Iterator<Item = usize> {
        let from = places.first().copied().unwrap_or(path.len() + 1);
        let mut begins = places.iter().peekable();
        let mut open = false;
        (from..=path.len()).filter(move |at| {
            let slash = at.checked_sub(1).is_some_and(|before| path[before] == b'/');
            let begin = begins.next_if_eq(&at).is_some();
            open = match self {
                Self::Star => begin || (open && !slash),
                Self::DoubleStar => true,
                Self::Segments => slash,
            };
            open
        })
    }
}

#[cfg(test)]
mod tests;
