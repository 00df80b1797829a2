//! The choices in which servers differ, and every combination of those that a path leaves open.

use super::token::{self, Token, tokens};
use super::{MAX_READINGS, PathError, Readings, fold, shape};

/// Bytes of text that are made for one path, at most: what an agent's longest and oddest path
/// may cost.
const MAX_WORK: usize = 256 * 1024;
/// Texts that decoding again and folding may give, the path itself included.
const MAX_TEXTS: usize = 6;
/// In no reading, since a dot is unreserved.
const ESCAPED_DOT: &str = "%2E";

/// Whether there is anything in the path that servers read differently.
pub(super) fn could_differ(path: &[u8]) -> bool {
    let mut before = 0;
    tokens(path).any(|Token { byte, escaped }| {
        let odd = match byte {
            b'\\' | b';' | b'%' | 0x80.. => true,
            b'/' => escaped || before == b'/',
            b'.' => before == b'/',
            b'?' | b'#' => escaped,
            _ => false,
        };
        before = byte;
        odd
    })
}

/// Every reading of a path.
pub(super) fn all(path: &[u8]) -> Result<Readings, PathError> {
    let first = token::canonical(path)?;
    let mut found = Found { readings: vec![first.clone()], work: 0 };
    let texts = texts(path)?;
    let mut plain = texts.len() == 1;
    for text in &texts {
        let tokens: Vec<_> = tokens(text).collect();
        let open = Open::of(&tokens);
        plain &= Open { escaped_dot: false, ..open }.ways().count() == 1;
        for way in open.ways() {
            let text = way.read(&tokens)?;
            for shape in shape::all(text) {
                found.add(if way.escaped_dots {
                    shape.replace(ESCAPED_DOT, ".")
                } else {
                    shape
                })?;
            }
        }
    }
    let mut others = found.readings;
    let first = others.remove(0);
    let collapsed = shape::resolved(&shape::merged(&first));
    let collapsed = (plain && collapsed != first).then_some(collapsed);
    Ok(Readings { first, others, collapsed })
}

struct Found {
    readings: Vec<String>,
    work: usize,
}

impl Found {
    fn add(&mut self, reading: String) -> Result<(), PathError> {
        self.work += reading.len();
        if self.work > MAX_WORK {
            return Err(PathError::TooManyReadings);
        }
        if !self.readings.contains(&reading) {
            self.readings.push(reading);
        }
        if self.readings.len() > MAX_READINGS {
            return Err(PathError::TooManyReadings);
        }
        Ok(())
    }
}

/// The path, what it is where escapes are decoded again, and where lenient decoders fold bytes.
fn texts(path: &[u8]) -> Result<Vec<Vec<u8>>, PathError> {
    let mut texts = vec![path.to_vec()];
    let mut at = 0;
    while let Some(text) = texts.get(at) {
        let decoded: Vec<u8> = tokens(text).map(|token| token.byte).collect();
        let folded = fold::folded(&decoded);
        let again = token::has_escape(&decoded) && decoded != *text;
        let fold = (folded != decoded).then_some(folded);
        for more in again.then_some(decoded).into_iter().chain(fold) {
            if !texts.contains(&more) {
                texts.push(more);
            }
        }
        if texts.len() > MAX_TEXTS {
            return Err(PathError::TooManyReadings);
        }
        at += 1;
    }
    Ok(texts)
}

/// What a text leaves open.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    escaped_slash: bool,
    backslash: bool,
    escaped_backslash: bool,
    escaped_dot: bool,
    semicolon: bool,
    end: bool,
}

impl Open {
    fn of(tokens: &[Token]) -> Self {
        let mut open = Self::default();
        for token in tokens {
            match token.byte {
                b'/' if token.escaped => open.escaped_slash = true,
                b'\\' if token.escaped => open.escaped_backslash = true,
                b'\\' => open.backslash = true,
                b'.' if token.escaped => open.escaped_dot = true,
                b';' => open.semicolon = true,
                b'?' | b'#' => open.end = true,
                _ => {}
            }
        }
        open
    }

    fn ways(self) -> impl Iterator<Item = Way> {
        let both = |open: bool| [false, true].into_iter().take(if open { 2 } else { 1 });
        let backslashes: &[_] = match (self.backslash, self.escaped_backslash) {
            (true, true) => &[Backslashes::Kept, Backslashes::Plain, Backslashes::Separate],
            (false, false) => &[Backslashes::Kept],
            _ => &[Backslashes::Kept, Backslashes::Separate],
        };
        let parameters: &[_] = match self.semicolon {
            true => &[Parameters::Kept, Parameters::CutFirst, Parameters::CutLast],
            false => &[Parameters::Kept],
        };
        let slashes = both(self.escaped_slash).flat_map(move |escaped_slash| {
            backslashes.iter().map(move |backslash| (escaped_slash, *backslash))
        });
        let ends = move || {
            both(self.end).flat_map(move |end| {
                both(self.escaped_dot).map(move |escaped_dots| (end, escaped_dots))
            })
        };
        slashes.flat_map(move |(escaped_slash, backslash)| {
            parameters.iter().flat_map(move |parameters| {
                ends().map(move |(end, escaped_dots)| Way {
                    escaped_slash,
                    backslash,
                    parameters: *parameters,
                    end,
                    escaped_dots,
                })
            })
        })
    }
}

/// One server's choices.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// `%2F` separates segments.
    escaped_slash: bool,
    backslash: Backslashes,
    parameters: Parameters,
    /// `%3F` and `%23` end the path.
    end: bool,
    /// `%2e` is no dot while dot segments are resolved.
    escaped_dots: bool,
}

/// Whether backslashes separate segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backslashes {
    Kept,
    /// `\` does, `%5C` does not: what URL parsers do.
    Plain,
    /// `\` and `%5C` do.
    Separate,
}

/// What becomes of `;` and what follows it in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameters {
    Kept,
    /// Cut off before anything is decoded: from `;` up to the next slash as written.
    CutFirst,
    /// Cut off after decoding: from `;` or `%3B` up to the next separator.
    CutLast,
}

impl Way {
    fn read(self, tokens: &[Token]) -> Result<String, PathError> {
        let mut text = String::with_capacity(tokens.len());
        let mut cut = false;
        for token in tokens {
            let written = token.byte == b'/' && !token.escaped;
            let separates = written
                || token.byte == b'/' && self.escaped_slash
                || token.byte == b'\\'
                    && match self.backslash {
                        Backslashes::Kept => false,
                        Backslashes::Plain => !token.escaped,
                        Backslashes::Separate => true,
                    };
            cut &= match self.parameters {
                Parameters::CutFirst => !written,
                _ => !separates,
            };
            cut |= token.byte == b';'
                && match self.parameters {
                    Parameters::Kept => false,
                    Parameters::CutFirst => !token.escaped,
                    Parameters::CutLast => true,
                };
            if self.end && matches!(token.byte, b'?' | b'#') && !cut {
                break;
            }
            if token.byte.is_ascii_control() {
                return Err(PathError::Control);
            }
            match (cut, separates) {
                (true, _) => {}
                (false, true) => text.push('/'),
                (false, false) if self.escaped_dots && token.escaped && token.byte == b'.' => {
                    text.push_str(ESCAPED_DOT);
                }
                (false, false) => token.write(&mut text)?,
            }
        }
        Ok(text)
    }
}
