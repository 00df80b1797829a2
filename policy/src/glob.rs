//! Path globs: `*` stays inside one segment, `**` crosses them.

use crate::normal;
use crate::pattern::PatternError;

/// A path pattern over normalised paths. `/**` at the end also matches the path without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// One byte of the normalised path.
    Byte(u8),
    Star,
    DoubleStar,
    /// A final `/**`.
    Below,
}

impl Glob {
    /// Parses a path pattern; its literal parts are normalised as a request's path is.
    ///
    /// # Errors
    /// For what a normalised path can never have, since such a pattern would never match.
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
                "write a single slash; requests are collapsed likewise",
            ));
        }
        let mut tokens = Vec::new();
        for (at, piece) in text_body.split("**").enumerate() {
            if at > 0 {
                tokens.push(Token::DoubleStar);
            }
            for (at, literal) in piece.split('*').enumerate() {
                if at > 0 {
                    tokens.push(Token::Star);
                }
                push_literal(&mut tokens, literal).map_err(|e| {
                    reject(
                        &format!("is never what a request asks for: {e}"),
                        "write it as a normalised URL path",
                    )
                })?;
            }
        }
        if below {
            tokens.push(Token::Below);
        }
        Ok(Self(tokens))
    }

    /// Whether a normalised path matches. Costs at most path length times pattern length.
    pub fn matches(&self, path: &str) -> bool {
        let (path, tokens) = (path.as_bytes(), self.0.as_slice());
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        let mut double: Option<(usize, usize)> = None;
        loop {
            match tokens.get(t) {
                Some(Token::Below) if p == path.len() || path[p] == b'/' => return true,
                Some(Token::DoubleStar) => {
                    double = Some((t + 1, p));
                    star = None;
                    t += 1;
                    continue;
                }
                Some(Token::Star) => {
                    star = Some((t + 1, p));
                    t += 1;
                    continue;
                }
                Some(Token::Byte(b)) if path.get(p) == Some(b) => {
                    p += 1;
                    t += 1;
                    continue;
                }
                None if p == path.len() => return true,
                _ => {}
            }
            // A mismatch: the inner wildcard takes one byte more, else the outer one does.
            if let Some((after, from)) = star
                && from < path.len()
                && path[from] != b'/'
            {
                star = Some((after, from + 1));
                (t, p) = (after, from + 1);
            } else if let Some((after, from)) = double
                && from < path.len()
            {
                star = None;
                double = Some((after, from + 1));
                (t, p) = (after, from + 1);
            } else {
                return false;
            }
        }
    }
}

fn push_literal(tokens: &mut Vec<Token>, literal: &str) -> Result<(), normal::PathError> {
    if literal.is_empty() {
        return Ok(());
    }
    let wire = normal::normalise_literal(literal)?;
    tokens.extend(wire.bytes().map(Token::Byte));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars() {
        for (glob, path, want) in [
            ("/v1/*", "/v1/items", true),
            ("/v1/*", "/v1/items/7", false),
            ("/v1/*", "/v1", false),
            ("/v1/**", "/v1", true),
            ("/v1/**", "/v1/", true),
            ("/v1/**", "/v1/a/b", true),
            ("/v1/**", "/v10", false),
            ("/**/admin", "/a/b/admin", true),
            ("/**/admin/**", "/a/admin/x", true),
            ("/*/x/*/y", "/a/x/b/y", true),
            ("/*/x/*/y", "/a/b/x/c/y", false),
            ("/a*c", "/abc", true),
            ("/a*c", "/ab/c", false),
            ("/a**c", "/ab/c", true),
            ("/%7Ea", "/~a", true),
            ("/", "/", true),
            ("/", "/a", false),
            ("/a/**/b/*", "/a/b/b/c/b/d", true),
            ("/caf%c3%a9", "/caf%C3%A9", true),
        ] {
            assert_eq!(Glob::parse(glob).unwrap().matches(path), want, "{glob} on {path}");
        }
        for glob in
            ["/a/../b", "/./a", "/a//b", "/a?b", "/a#b", "/***", "/a;b", "/%2f", "/a\\b", "/%252e"]
        {
            assert!(Glob::parse(glob).is_err(), "{glob}");
        }
    }

    /// The definition, by recursion.
    fn slow(tokens: &[Token], path: &[u8]) -> bool {
        match tokens.split_first() {
            None => path.is_empty(),
            Some((Token::Byte(b), rest)) => path.first() == Some(b) && slow(rest, &path[1..]),
            Some((Token::Below, _)) => path.is_empty() || path[0] == b'/',
            Some((Token::Star, rest)) => {
                let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
                (0..=end).any(|n| slow(rest, &path[n..]))
            }
            Some((Token::DoubleStar, rest)) => (0..=path.len()).any(|n| slow(rest, &path[n..])),
        }
    }

    proptest! {
        #[test]
        fn matches_its_definition(glob in "/(a|b|/a|\\*|/\\*\\*/){0,8}", path in "/(a|b|/){0,12}") {
            if let Ok(glob) = Glob::parse(&glob) {
                prop_assert_eq!(glob.matches(&path), slow(&glob.0, path.as_bytes()));
            }
        }
    }
}
