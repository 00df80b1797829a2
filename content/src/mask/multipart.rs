//! Multipart (RFC 2046 §5.1): all is text but the lines that tell the parts apart.

use super::tape::Kind;
use super::watch::Cx;

pub(super) struct Multipart {
    delimiter: Vec<u8>,
    line: Line,
}

enum Line {
    /// It begins here, and so many bytes of it are those of a delimiter.
    Begin(u64, usize),
    Delimiter,
    Text,
}

impl Multipart {
    pub(super) fn new(boundary: &[u8]) -> Self {
        Self { delimiter: [b"--", boundary].concat(), line: Line::Begin(0, 0) }
    }

    pub(super) fn push(&mut self, bytes: &[u8], at: u64, cx: &mut Cx<'_>) {
        for (byte, here) in bytes.iter().zip(at..) {
            let ends = *byte == b'\n';
            match self.line {
                Line::Begin(start, read) if self.delimiter.get(read) == Some(byte) => {
                    let whole = read + 1 == self.delimiter.len();
                    self.line = if whole { Line::Delimiter } else { Line::Begin(start, read + 1) };
                }
                Line::Begin(start, _) => {
                    cx.tape.part(start, here + u64::from(!ends), Kind::Text);
                    self.line = Line::Text;
                }
                Line::Text if !matches!(byte, b'\r' | b'\n') => {
                    cx.tape.part(here, here + 1, Kind::Text);
                }
                Line::Text | Line::Delimiter => {}
            }
            if ends {
                self.line = Line::Begin(here + 1, 0);
            }
        }
    }

    pub(super) fn finish(&self, end: u64, cx: &mut Cx<'_>) {
        if let Line::Begin(start, _) = self.line {
            cx.tape.part(start, end, Kind::Text);
        }
    }

    pub(super) fn unfinished(&self) -> Option<u64> {
        match self.line {
            Line::Begin(start, 1..) => Some(start),
            _ => None,
        }
    }
}
