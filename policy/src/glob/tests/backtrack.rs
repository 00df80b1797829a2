//! The matcher that globs had before, which goes back when a wildcard was matched wrongly. It is
//! slow on some paths, and what the present one is compared with.

use crate::reading;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// One byte of the normalised path.
    Byte(u8),
    Star,
    DoubleStar,
    /// `**/` after a slash: any number of whole segments.
    Segments,
    /// A final `/**`.
    Below,
}

pub(super) struct Tokens(pub(super) Vec<Token>);

impl Tokens {
    /// Of a glob that parses.
    pub(super) fn of(text: &str) -> Self {
        let (text, below) = text.strip_suffix("/**").map_or((text, false), |rest| (rest, true));
        let mut tokens = Vec::new();
        for (at, piece) in text.split("/**/").enumerate() {
            if at > 0 {
                tokens.extend([Token::Byte(b'/'), Token::Segments]);
            }
            push_piece(&mut tokens, piece).unwrap();
        }
        if below {
            tokens.push(Token::Below);
        }
        Self(tokens)
    }

    /// Whether a normalised path matches, byte for byte.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.matches_by(path.as_bytes(), |a, b| a == b)
    }

    /// As [`matches`](Self::matches), but wider, for a Deny: servers differ on letter case, on a
    /// final slash, and on escapes of characters that need none, so all readings are tried.
    pub(super) fn matches_any_reading(&self, path: &str) -> bool {
        let decoded = reading::fully_decoded(path);
        let folded = |a: u8, b: u8| a.eq_ignore_ascii_case(&b);
        let trimmed = decoded.strip_suffix(b"/").unwrap_or(&decoded);
        let slashed = [trimmed, b"/"].concat();
        let readings = [path.as_bytes(), &*decoded, trimmed, slashed.as_slice()];
        let own = Self(decoded_tokens(&self.0));
        readings
            .into_iter()
            .any(|path| self.matches_by(path, folded) || own.matches_by(path, folded))
    }

    fn matches_by(&self, path: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
        let tokens = self.0.as_slice();
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        let mut outer: Option<Outer> = None;
        loop {
            match tokens.get(t) {
                Some(Token::Below) if p == path.len() || path[p] == b'/' => return true,
                Some(token @ (Token::DoubleStar | Token::Segments)) => {
                    outer = Some(Outer { after: t + 1, from: p, whole: *token == Token::Segments });
                    star = None;
                    t += 1;
                    continue;
                }
                Some(Token::Star) => {
                    star = Some((t + 1, p));
                    t += 1;
                    continue;
                }
                Some(Token::Byte(b)) if path.get(p).is_some_and(|a| same(*a, *b)) => {
                    p += 1;
                    t += 1;
                    continue;
                }
                None if p == path.len() => return true,
                _ => {}
            }
            // A mismatch: the inner wildcard takes one byte more, else the outer one takes more.
            if let Some((after, from)) = star
                && from < path.len()
                && path[from] != b'/'
            {
                star = Some((after, from + 1));
                (t, p) = (after, from + 1);
            } else if let Some(next) = outer.as_ref().and_then(|outer| outer.further(path)) {
                star = None;
                (t, p) = (next.after, next.from);
                outer = Some(next);
            } else {
                return false;
            }
        }
    }
}

/// Where to go on when what follows `**` did not match.
struct Outer {
    after: usize,
    from: usize,
    /// Only behind a slash.
    whole: bool,
}

impl Outer {
    fn further(&self, path: &[u8]) -> Option<Self> {
        let rest = path.get(self.from..).filter(|rest| !rest.is_empty())?;
        let step = if self.whole { rest.iter().position(|b| *b == b'/')? + 1 } else { 1 };
        Some(Self { from: self.from + step, ..*self })
    }
}

/// The same pattern over decoded paths.
fn decoded_tokens(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut literal = String::new();
    let flush = |literal: &mut String, out: &mut Vec<Token>| {
        out.extend(reading::fully_decoded(literal).iter().copied().map(Token::Byte));
        literal.clear();
    };
    for token in tokens {
        if let Token::Byte(b) = token {
            literal.push(char::from(*b));
        } else {
            flush(&mut literal, &mut out);
            out.push(token.clone());
        }
    }
    flush(&mut literal, &mut out);
    out
}

/// A piece without `/**/`.
fn push_piece(tokens: &mut Vec<Token>, piece: &str) -> Result<(), reading::PathError> {
    for (at, piece) in piece.split("**").enumerate() {
        if at > 0 {
            tokens.push(Token::DoubleStar);
        }
        for (at, literal) in piece.split('*').enumerate() {
            if at > 0 {
                tokens.push(Token::Star);
            }
            push_literal(tokens, literal)?;
        }
    }
    Ok(())
}

fn push_literal(tokens: &mut Vec<Token>, literal: &str) -> Result<(), reading::PathError> {
    if literal.is_empty() {
        return Ok(());
    }
    let wire = reading::normalise_literal(literal)?;
    tokens.extend(wire.bytes().map(Token::Byte));
    Ok(())
}
