//! Frames of HTTP/2 that carry header blocks (RFC 9113 §4.1, §6.2, §6.10).

use super::hpack::Malformed;
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;

/// The preface of a client (RFC 9113 §3.4) has this length.
pub(super) const PREFACE: usize = 24;
/// Length, type, flags and stream of a frame.
pub(super) const HEAD: usize = 9;
/// A block within any limit of this proxy needs no more frames than this.
const FRAMES: usize = 32;

pub(super) const HEADERS: u8 = 1;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The head of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frame {
    /// The head at the beginning of some bytes, where it is whole.
    pub(super) fn read(input: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, s, t, u, v] = *input.first_chunk::<HEAD>()?;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let stream = u32::from_be_bytes([s, t, u, v]) & (u32::MAX >> 1);
        Some(Self { length, kind, flags, stream })
    }

    pub(super) const fn length(&self) -> usize {
        self.length
    }

    pub(super) const fn kind(&self) -> u8 {
        self.kind
    }

    fn write(self, out: &mut BytesMut) {
        out.put_slice(&(self.length as u32).to_be_bytes()[1..]);
        out.put_slice(&[self.kind, self.flags]);
        out.put_u32(self.stream);
    }
}

/// What is longer is malformed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) frame: usize,
    pub(super) block: usize,
}

/// A whole header block, and the frames that it came in.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    first: Frame,
    priority: &'a [u8],
    pub(super) block: Cow<'a, [u8]>,
    /// Of all frames together.
    pub(super) length: usize,
}

impl<'a> Headers<'a> {
    /// A HEADERS frame at the beginning of some bytes, and the CONTINUATION frames behind it. None
    /// where their end has not come.
    pub(super) fn read(input: &'a [u8], limits: Limits) -> Result<Option<Self>, Malformed> {
        let Some((first, payload)) = frame(input, limits)? else { return Ok(None) };
        let (priority, fragment) = split(first, payload).ok_or(Malformed)?;
        if first.stream == 0 || first.kind != HEADERS || fragment.len() > limits.block {
            return Err(Malformed);
        }
        let mut headers =
            Self { first, priority, block: Cow::Borrowed(fragment), length: HEAD + first.length };
        if first.flags & END_HEADERS != 0 {
            return Ok(Some(headers));
        }
        let mut block = fragment.to_vec();
        for _ in 1..FRAMES {
            let Some((next, payload)) = frame(&input[headers.length..], limits)? else {
                return Ok(None);
            };
            let follows = next.kind == CONTINUATION && next.stream == first.stream;
            if !follows || block.len() + payload.len() > limits.block {
                return Err(Malformed);
            }
            block.extend_from_slice(payload);
            headers.length += HEAD + next.length;
            if next.flags & END_HEADERS != 0 {
                headers.block = Cow::Owned(block);
                return Ok(Some(headers));
            }
        }
        Err(Malformed)
    }

    /// Another block in frames of at most `most` bytes, as these frames but without their padding.
    pub(super) fn with(&self, block: &[u8], most: usize, out: &mut BytesMut) {
        let first = block.len().min(most.saturating_sub(self.priority.len()));
        let (part, mut rest) = block.split_at(first);
        let ends = |rest: &[u8]| if rest.is_empty() { END_HEADERS } else { 0 };
        let flags = self.first.flags & (END_STREAM | PRIORITY) | ends(rest);
        let length = self.priority.len() + part.len();
        Frame { length, flags, ..self.first }.write(out);
        out.put_slice(self.priority);
        out.put_slice(part);
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(rest.len().min(most.max(1)));
            rest = behind;
            let (kind, flags, length) = (CONTINUATION, ends(rest), part.len());
            Frame { length, kind, flags, ..self.first }.write(out);
            out.put_slice(part);
        }
    }

    /// As long as the frames were that could not be longer.
    pub(super) const fn most(&self) -> usize {
        self.first.length
    }
}

/// A whole frame.
fn frame(input: &[u8], limits: Limits) -> Result<Option<(Frame, &[u8])>, Malformed> {
    let Some(frame) = Frame::read(input) else { return Ok(None) };
    if frame.length > limits.frame {
        return Err(Malformed);
    }
    Ok(input.get(HEAD..HEAD + frame.length).map(|payload| (frame, payload)))
}

/// The priority in a HEADERS frame, and its part of the block.
fn split(frame: Frame, mut payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut padding = 0;
    if frame.flags & PADDED != 0 {
        let (length, rest) = payload.split_first()?;
        (padding, payload) = (usize::from(*length), rest);
    }
    let priority = if frame.flags & PRIORITY != 0 { 5 } else { 0 };
    let (priority, rest) = payload.split_at_checked(priority)?;
    Some((priority, rest.get(..rest.len().checked_sub(padding)?)?))
}
