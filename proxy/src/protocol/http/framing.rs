//! Where an HTTP/1 message begins and ends, read strictly. A proxy and a server that disagree
//! about this are how a second request is smuggled inside a first, so everything that any two
//! parsers are known to read differently is refused here, before hyper sees a byte of it:
//! bare CR or LF, folded lines, spaces before a colon, several Host or Content-Length lines,
//! Content-Length beside Transfer-Encoding, codings other than `chunked`, chunk extensions, and
//! header names that turn into framing headers where `_` is read as `-`.
//!
//! [`Framing`] is a machine without input or output: it says how many bytes of what it is shown are
//! good. What is good stays where it is; only a head or line that comes in pieces is copied.

use crate::refusal::Refusal;
use bytes::BytesMut;
use memchr::{memchr, memchr3_iter, memmem};
use thiserror::Error;

/// A request's head may be this long. Beyond it the request is refused.
pub const HEAD_LIMIT: usize = 64 * 1024;
/// And have this many header lines.
pub const HEADER_LIMIT: usize = 256;
const TRAILER_LIMIT: usize = 8 * 1024;

/// Why a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{}", self.as_str())]
pub enum Violation {
    HeadTooLong,
    LineEnding,
    RequestLine,
    HeaderName,
    Host,
    ContentLength,
    TransferEncoding,
    BothLengths,
    Chunk,
    /// Nothing is wrong with the head, but there is no memory for the rest of it.
    NoRoom,
}

impl Violation {
    const ALL: [Self; 10] = [
        Self::HeadTooLong,
        Self::LineEnding,
        Self::RequestLine,
        Self::HeaderName,
        Self::Host,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::BothLengths,
        Self::Chunk,
        Self::NoRoom,
    ];

    /// What is wrong, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeadTooLong => {
                "the request's head is longer than 64 KiB or has more than 256 lines"
            }
            Self::LineEnding => "a line does not end in CRLF, or holds a stray control byte",
            Self::RequestLine => "the request line is not `METHOD target HTTP/1.x`",
            Self::HeaderName => "a header line is folded, empty-named or has a malformed name",
            Self::Host => "exactly one Host header is required",
            Self::ContentLength => "Content-Length appears twice or is not a plain number",
            Self::TransferEncoding => {
                "the only Transfer-Encoding accepted is `chunked`, once, under HTTP/1.1"
            }
            Self::BothLengths => "Content-Length and Transfer-Encoding exclude each other",
            Self::Chunk => "a chunk of the body is malformed",
            Self::NoRoom => "there is no memory for the request's head",
        }
    }

    /// A small number that names this violation, for the stand-in request.
    pub(crate) fn index(self) -> usize {
        Self::ALL.iter().position(|one| *one == self).unwrap_or(0)
    }

    pub(crate) fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}

/// Follows one direction of an HTTP/1 connection from message to message.
#[derive(Debug)]
pub struct Framing {
    state: State,
    /// The beginning of a line or head whose end has not come.
    held: Vec<u8>,
    /// How much of that beginning was looked at.
    seen: usize,
    /// A head is held that cannot be passed on as it is: [`Framing::read`] rewrites it.
    rewrites: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// This many bytes of a body of known length are to come.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    /// The CRLF behind a chunk's data; how many of its bytes were seen.
    ChunkEnd(u8),
    Trailers,
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::NoRoom => Self::Overloaded,
            violation => Self::Malformed(violation.as_str()),
        }
    }
}

/// How long a message's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    Known(u64),
    Chunked,
}

impl Default for Framing {
    fn default() -> Self {
        Self { state: State::Head, held: Vec::new(), seen: 0, rewrites: false }
    }
}

impl Framing {
    /// Reads `input` whole and appends to `good` what may be passed on. A head is passed on only
    /// once it is complete and found good; bytes of its target that the HTTP library does not know
    /// are percent-encoded. After an error the machine must not be used again.
    ///
    /// # Errors
    /// The violation; what came before it is in `good`.
    pub fn read(&mut self, input: &[u8], good: &mut BytesMut) -> Result<(), Violation> {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(input);
        let mut passed = 0;
        let violation = loop {
            if self.rewrites {
                self.rewrites = false;
                let more = self.head_of_any_target(&all[passed..]).map(|more| {
                    target::encode(&all[passed..passed + more], good);
                    passed += more;
                });
                match more {
                    Ok(()) => self.seen = 0,
                    Err(violation) => break Some(violation),
                }
            }
            let (more, violation) = self.step(&all[passed..]);
            good.extend_from_slice(&all[passed..passed + more]);
            passed += more;
            if !self.rewrites || violation.is_some() {
                break violation;
            }
        };
        all.drain(..passed);
        self.held = all;
        violation.map_or(Ok(()), Err)
    }

    /// Whether nothing is held, so that [`advance`](Self::advance) may be used.
    pub fn is_clear(&self) -> bool {
        self.held.is_empty()
    }

    /// As [`read`](Self::read), for a machine that holds nothing: returns how many bytes at the
    /// beginning of `input` may be passed on. The rest is held here, and must not be passed on;
    /// where [`rewrites`](Self::rewrites) then holds, `read` goes on with it.
    pub fn advance(&mut self, input: &[u8]) -> (usize, Option<Violation>) {
        let (passed, violation) = self.step(input);
        self.held.extend_from_slice(&input[passed..]);
        (passed, violation)
    }

    /// Whether a head is held that `read` has to rewrite.
    pub fn rewrites(&self) -> bool {
        self.rewrites
    }

    /// Bytes of a head or line whose end has not come.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether the message's head is complete and its body is not.
    pub fn in_body(&self) -> bool {
        self.state != State::Head
    }

    /// Looks at bytes that begin where the last ones that passed ended. Returns how many pass.
    fn step(&mut self, input: &[u8]) -> (usize, Option<Violation>) {
        let mut passed = 0;
        while passed < input.len() {
            match self.one(&input[passed..]) {
                Ok(0) => {
                    self.seen = input.len() - passed;
                    return (passed, None);
                }
                Ok(more) => {
                    passed += more;
                    self.seen = 0;
                }
                Err(violation) => return (passed, Some(violation)),
            }
        }
        (passed, None)
    }

    /// One head, line or run of body bytes. Zero: its end has not come.
    fn one(&mut self, input: &[u8]) -> Result<usize, Violation> {
        match self.state {
            State::Head => self.head(input),
            State::Body(left) => {
                let (taken, left) = run(input, left);
                self.state = if left == 0 { State::Head } else { State::Body(left) };
                Ok(taken)
            }
            State::ChunkSize => self.chunk_size(input),
            State::ChunkData(left) => {
                let (taken, left) = run(input, left);
                self.state = if left == 0 { State::ChunkEnd(0) } else { State::ChunkData(left) };
                Ok(taken)
            }
            State::ChunkEnd(seen) => {
                if input[0] != b"\r\n"[usize::from(seen)] {
                    return Err(Violation::Chunk);
                }
                self.state = if seen == 0 { State::ChunkEnd(1) } else { State::ChunkSize };
                Ok(1)
            }
            State::Trailers => self.trailer(input),
        }
    }

    fn head(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let from = self.seen.saturating_sub(3);
        let Some(at) = memmem::find(&input[from..], b"\r\n\r\n") else {
            // Found early, so that a head that can no longer become good does not wait for an
            // end that never comes.
            if input.len() > HEAD_LIMIT {
                return Err(Violation::HeadTooLong);
            }
            check_lines(input, self.seen)?;
            return Ok(0);
        };
        if target::must_be_encoded(&input[..from + at + 4]) {
            self.rewrites = true;
            return Ok(0);
        }
        self.head_of_any_target(input)
    }

    /// A complete head.
    fn head_of_any_target(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let from = self.seen.saturating_sub(3);
        let Some(at) = memmem::find(&input[from..], b"\r\n\r\n") else { return Ok(0) };
        let end = from + at + 4;
        if end > HEAD_LIMIT {
            return Err(Violation::HeadTooLong);
        }
        self.state = match check_head(&input[..end])? {
            BodyLength::Known(0) => State::Head,
            BodyLength::Known(length) => State::Body(length),
            BodyLength::Chunked => State::ChunkSize,
        };
        Ok(end)
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let Some(line) = self.line(input, 18).ok_or(Violation::Chunk)? else { return Ok(0) };
        let digits = line.strip_suffix(b"\r\n").ok_or(Violation::Chunk)?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Violation::Chunk);
        }
        let text = std::str::from_utf8(digits).map_err(|_| Violation::Chunk)?;
        let size = u64::from_str_radix(text, 16).map_err(|_| Violation::Chunk)?;
        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        Ok(line.len())
    }

    fn trailer(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let Some(line) = self.line(input, TRAILER_LIMIT).ok_or(Violation::HeadTooLong)? else {
            return Ok(0);
        };
        let text = line.strip_suffix(b"\r\n").ok_or(Violation::LineEnding)?;
        if text.is_empty() {
            self.state = State::Head;
        } else {
            let (name, _) = header_line(text)?;
            if ["host", "content-length", "transfer-encoding"].iter().any(|n| is_named(name, n)) {
                return Err(Violation::HeaderName);
            }
        }
        Ok(line.len())
    }

    /// Up to and including a LF, where it has come; `None` when the line is longer than `limit`.
    fn line<'a>(&self, input: &'a [u8], limit: usize) -> Option<Option<&'a [u8]>> {
        let from = self.seen.min(input.len());
        let end = memchr(b'\n', &input[from..]).map(|at| from + at + 1);
        let length = end.unwrap_or(input.len());
        (length <= limit).then(|| end.map(|end| &input[..end]))
    }
}

/// How many bytes of a run are here, and how many are still to come.
fn run(input: &[u8], left: u64) -> (usize, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    (taken, left - taken as u64)
}

/// No bare CR, no bare LF, no NUL among what came behind the first `known` bytes. A CR at the
/// very end may yet be completed.
fn check_lines(held: &[u8], known: usize) -> Result<(), Violation> {
    // What was last seen may have been a CR, which what follows has to complete.
    let from = known.saturating_sub(1);
    for at in memchr3_iter(b'\r', b'\n', 0, &held[from..]).map(|at| from + at) {
        let good = match held[at] {
            b'\r' => held.get(at + 1).is_none_or(|next| *next == b'\n'),
            b'\n' => at > 0 && held[at - 1] == b'\r',
            _ => false,
        };
        if !good {
            return Err(Violation::LineEnding);
        }
    }
    if held.starts_with(b"\r") { Err(Violation::RequestLine) } else { Ok(()) }
}

/// Checks a complete head, its empty line included, and says how long the body is.
pub fn check_head(head: &[u8]) -> Result<BodyLength, Violation> {
    check_lines(head, 0)?;
    let text = head.strip_suffix(b"\r\n\r\n").ok_or(Violation::LineEnding)?;
    let mut lines = text.split(|byte| *byte == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    let eleven = request_line(lines.next().unwrap_or_default())?;

    let (mut hosts, mut length, mut chunked) = (0_usize, None, false);
    for (count, line) in lines.enumerate() {
        if count >= HEADER_LIMIT {
            return Err(Violation::HeadTooLong);
        }
        let (name, value) = header_line(line)?;
        if is_named(name, "host") {
            hosts += 1;
        } else if is_named(name, "content-length") {
            if length.is_some() || !exactly(name, "content-length") {
                return Err(Violation::ContentLength);
            }
            length = Some(content_length(value)?);
        } else if is_named(name, "transfer-encoding") {
            let good = eleven && !chunked && exactly(name, "transfer-encoding");
            if !good || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::TransferEncoding);
            }
            chunked = true;
        }
    }
    if hosts > 1 || (eleven && hosts == 0) {
        return Err(Violation::Host);
    }
    match (length, chunked) {
        (Some(_), true) => Err(Violation::BothLengths),
        (None, true) => Ok(BodyLength::Chunked),
        (length, false) => Ok(BodyLength::Known(length.unwrap_or(0))),
    }
}

/// Whether the version is 1.1.
fn request_line(line: &[u8]) -> Result<bool, Violation> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Violation::RequestLine);
    };
    let good = !method.is_empty()
        && method.iter().all(|byte| is_token(*byte))
        && method != STAND_IN_METHOD.as_bytes()
        && !target.is_empty()
        && target.iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80);
    match (good, version) {
        (true, b"HTTP/1.1") => Ok(true),
        (true, b"HTTP/1.0") => Ok(false),
        _ => Err(Violation::RequestLine),
    }
}

fn header_line(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Violation::HeaderName)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Violation::HeaderName);
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Violation::LineEnding);
    }
    Ok((name, value))
}

fn content_length(value: &[u8]) -> Result<u64, Violation> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).map_err(|_| Violation::ContentLength)?;
    match text.parse::<u64>() {
        // hyper's own bound: the greatest values are markers there.
        Ok(length) if digits && length < u64::MAX - 2 => Ok(length),
        _ => Err(Violation::ContentLength),
    }
}

/// Whether a server that reads `_` as `-` would take this header for `wanted`.
pub(super) fn is_named(name: &[u8], wanted: &str) -> bool {
    name.len() == wanted.len()
        && name
            .iter()
            .zip(wanted.bytes())
            .all(|(have, want)| have.eq_ignore_ascii_case(&want) || (*have == b'_' && want == b'-'))
}

fn exactly(name: &[u8], wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted.as_bytes())
}

/// `tchar` of RFC 9110 §5.6.2.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// The method of the request that stands in for a refused one, so that hyper can answer it. No
/// agent can send it over HTTP/1: the request line check above refuses it.
pub(crate) const STAND_IN_METHOD: &str = "X-EXEAT-REFUSED";

mod target;

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
