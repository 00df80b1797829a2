//! Where a stream stands: `body (gzip) part "file" filename`, `body.messages[3].content (base64)`.

use crate::error::{DecodeError, Why};
use crate::json::Path;
use std::fmt;

/// A place, lent for one call: a chain from the innermost step to the body. Prints itself.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    outer: Option<&'a Place<'a>>,
    step: Step<'a>,
}

/// One step of a place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// The outermost: `body`, `message 4`.
    Root(&'a str),
    /// A declared coding or charset, or a speculative reading: `(gzip)`.
    Layer(&'static str),
    /// A string of a JSON text, or a key of it.
    Json(&'a Path),
    Key(&'a Path),
    /// The same path of a sequence of JSON texts, joined.
    Joined(&'a str),
    Part(u32, &'a [u8]),
    /// `headers`, `name`, `filename` of a part; `name` of a field.
    Word(&'static str),
    Field(&'a [u8]),
    Number(&'static str, u64),
}

impl<'a> Place<'a> {
    pub(crate) fn root(name: &'a str) -> Self {
        Self { outer: None, step: Step::Root(name) }
    }

    pub(crate) fn step(&'a self, step: Step<'a>) -> Self {
        Self { outer: Some(self), step }
    }

    pub(crate) fn outer(&self) -> Option<&'a Self> {
        self.outer
    }

    /// The error of the innermost layer here.
    pub(crate) fn error(&self, why: Why) -> DecodeError {
        let mut place = self;
        loop {
            match (place.step, place.outer) {
                (Step::Layer(name), outer) => {
                    let framed = outer.and_then(|outer| match outer.step {
                        Step::Number(kind @ "grpc message", _) => Some(kind),
                        _ => None,
                    });
                    return match framed {
                        Some(kind) => DecodeError::new(format!("{kind} ({name})"), why),
                        None => DecodeError::new(name, why),
                    };
                }
                (Step::Number(kind, _), _) => return DecodeError::new(kind, why),
                (Step::Part(..), _) => return DecodeError::new("multipart", why),
                (Step::Json(_) | Step::Key(_) | Step::Joined(_), _) => {
                    return DecodeError::new("json", why);
                }
                (_, Some(outer)) => place = outer,
                (_, None) => return DecodeError::new("body", why),
            }
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            outer.fmt(f)?;
        }
        match self.step {
            Step::Root(name) => f.write_str(name),
            Step::Layer(name) => write!(f, " ({name})"),
            Step::Json(path) => path.fmt(f),
            Step::Key(path) => {
                path.of_key(f)?;
                f.write_str(" key")
            }
            Step::Joined(path) => write!(f, "{path} (joined)"),
            Step::Part(number, []) => write!(f, " part {number}"),
            Step::Part(_, name) => write!(f, " part {:?}", String::from_utf8_lossy(name)),
            Step::Word(word) => write!(f, " {word}"),
            Step::Field(name) => write!(f, " field {:?}", String::from_utf8_lossy(name)),
            Step::Number(kind, number) => write!(f, " {kind} {number}"),
        }
    }
}
