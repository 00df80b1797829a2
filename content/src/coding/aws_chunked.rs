//! `aws-chunked`: `SIZE[;chunk-signature=…]\r\n DATA \r\n` as often as wanted, then a chunk of size zero
//! and trailers (Amazon S3, Signature Version 4, "transferring payload in multiple chunks").

use super::quoted::digit;
use super::{Out, Stop};
use crate::error::Why;
use crate::limits::Budget;

/// Longest line of a chunk's size and extensions, and of all trailers together.
const MAX_LINE: usize = 16 << 10;

#[derive(Debug, Default)]
pub(crate) struct AwsChunked {
    state: State,
    size: u64,
    digits: usize,
    line: usize,
    begun: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataLine,
    /// Lines behind the last chunk. `true` at the begin of a line.
    Trailers(bool),
}

impl AwsChunked {
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        while let Some((&byte, rest)) = input.split_first() {
            self.begun = true;
            if self.state == State::Data {
                let len = usize::try_from(self.size).unwrap_or(usize::MAX).min(input.len());
                let (data, behind) = input.split_at(len);
                out(data, budget)?;
                self.size -= len as u64;
                if self.size == 0 {
                    self.state = State::DataEnd;
                }
                input = behind;
            } else {
                self.step(byte)?;
                input = rest;
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), Why> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err(Why::HeaderTooLong);
        }
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if self.digits < 15 => {
                self.digits += 1;
                self.size = self.size << 4 | u64::from(digit(byte));
                State::Size
            }
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, b'\r') if self.digits > 0 => State::SizeEnd,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, other) if other != b'\n' => State::Extension,
            (State::SizeEnd, b'\n') => {
                self.line = 0;
                self.digits = 0;
                if self.size == 0 { State::Trailers(true) } else { State::Data }
            }
            (State::DataEnd, b'\r') => State::DataLine,
            (State::DataLine, b'\n') => {
                self.line = 0;
                State::Size
            }
            (State::Trailers(_), other) => State::Trailers(other == b'\n'),
            _ => return Err(Why::Damaged),
        };
        Ok(())
    }

    pub(crate) fn is_whole(&self) -> bool {
        !self.begun || self.state == State::Trailers(true)
    }
}
