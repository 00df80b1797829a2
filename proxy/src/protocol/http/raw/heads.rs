//! HTTP/2 as the agent sends it, frame by frame: header blocks with a `:path` that the HTTP library
//! does not know are rewritten, and all other bytes are the agent's own.
//!
//! [`Heads`] is a machine without input or output. It judges nothing: what it does not understand
//! it leaves to the library, which reads everything that is decided on.

use super::blocks::{Block, Blocks};
use super::frame::{CONTINUATION, Frame, HEAD, HEADERS, Headers, Limits, PREFACE, PUSH_PROMISE};
use super::hpack::Malformed;
use crate::protocol::http::framing::HEAD_LIMIT;
use bytes::BytesMut;
use thiserror::Error;

/// A frame may be this long, for the client is told nothing else (RFC 9113 §6.5.2).
const FRAME: usize = 16 * 1024;
const LIMITS: Limits = Limits { frame: FRAME, block: HEAD_LIMIT };

/// Nothing that follows on the connection can be read as it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a header block cannot be read, or is longer than 64 KiB")]
pub struct Unreadable;

/// The frames of one client.
#[derive(Debug)]
pub struct Heads {
    state: State,
    /// Frames whose end has not come.
    held: Vec<u8>,
    blocks: Blocks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As many bytes pass before the head of the next frame.
    Passing(usize),
    /// Nothing is looked at any more.
    Blind,
}

/// The next bytes.
enum Piece {
    /// As many pass as they are.
    Whole(usize),
    /// As many are replaced.
    Instead(usize, BytesMut),
    /// Their end has not come.
    Open,
}

impl Default for Heads {
    fn default() -> Self {
        Self { state: State::Passing(PREFACE), held: Vec::new(), blocks: Blocks::default() }
    }
}

impl Heads {
    /// Reads `input` whole: as many bytes at its beginning as are returned pass as they are. What
    /// passes behind them is appended to `good`; a header block whose end has not come is held.
    ///
    /// # Errors
    /// Where the library cannot be left to refuse what follows. The machine must not be used again.
    pub fn read(&mut self, input: &[u8], good: &mut BytesMut) -> Result<usize, Unreadable> {
        let mut all = std::mem::take(&mut self.held);
        let clear = all.is_empty();
        let source = if clear {
            input
        } else {
            all.extend_from_slice(input);
            &all
        };
        let (mut passed, mut at) = (0, 0);
        // Only what nothing came before stays where it is.
        let mut stays = clear && good.is_empty();
        while at < source.len() {
            at += match self.piece(&source[at..])? {
                Piece::Open => break,
                Piece::Whole(more) if stays => {
                    passed += more;
                    more
                }
                Piece::Whole(more) => {
                    good.extend_from_slice(&source[at..at + more]);
                    more
                }
                Piece::Instead(more, frames) => {
                    stays = false;
                    good.unsplit(frames);
                    more
                }
            }
        }
        if clear {
            all.extend_from_slice(&input[at..]);
        } else {
            all.drain(..at);
        }
        self.held = all;
        Ok(passed)
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn piece(&mut self, input: &[u8]) -> Result<Piece, Unreadable> {
        match self.state {
            State::Blind => return Ok(Piece::Whole(input.len())),
            State::Passing(0) => {}
            State::Passing(left) => {
                let passed = left.min(input.len());
                self.state = State::Passing(left - passed);
                return Ok(Piece::Whole(passed));
            }
        }
        let Some(frame) = Frame::read(input) else { return Ok(Piece::Open) };
        match frame.kind() {
            HEADERS => self.head(input).or_else(|Malformed| self.blind(input)),
            // No client may send these here, and both have a header block.
            PUSH_PROMISE | CONTINUATION => self.blind(input),
            _ => {
                self.state = State::Passing(frame.length());
                Ok(Piece::Whole(HEAD))
            }
        }
    }

    fn head(&mut self, input: &[u8]) -> Result<Piece, Malformed> {
        let Some(headers) = Headers::read(input, LIMITS)? else { return Ok(Piece::Open) };
        Ok(match self.blocks.read(&headers.block)? {
            Block::AsItIs => Piece::Whole(headers.length),
            Block::Instead(block) => {
                let mut frames = BytesMut::with_capacity(block.len() + 64);
                headers.with(&block, FRAME, &mut frames);
                Piece::Instead(headers.length, frames)
            }
        })
    }

    /// Leaves everything to the library, as long as its table is the client's.
    fn blind(&mut self, input: &[u8]) -> Result<Piece, Unreadable> {
        if self.blocks.is_apart() {
            return Err(Unreadable);
        }
        self.state = State::Blind;
        Ok(Piece::Whole(input.len()))
    }
}

#[cfg(test)]
mod tests;
