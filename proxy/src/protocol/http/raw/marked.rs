//! HTTP/2 to a server: a marker among the headers of a request becomes its `:path`.
//!
//! The h2 library writes `:path` as a literal that is in no table, and a sensitive header too (RFC
//! 7541 §6.2.3). So both can be taken out of a block, or changed, and the server's table is none the
//! wiser. Where a block cannot be read the connection ends, for a marker may be in it.

use super::frame::{Frame, HEAD, HEADERS, Headers, Limits, PREFACE};
use super::hpack::{self, Field, Fields, Keeping, Malformed, Name};
use super::late::Late;
use super::{MARKER, encoded};
use crate::protocol::http::framing::HEAD_LIMIT;
use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderValue};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Heads that this proxy lets pass are shorter. A frame is as long as the server allows.
const LIMITS: Limits = Limits { frame: usize::MAX, block: 8 * HEAD_LIMIT };

/// Whether a marker was ever sent over one connection. Until then no header block is looked into.
#[derive(Debug, Clone, Default)]
pub(in crate::protocol::http) struct Markers(Arc<AtomicBool>);

impl Markers {
    /// Puts the target of a request among its headers.
    pub(in crate::protocol::http) fn mark(&self, headers: &mut HeaderMap, target: &Bytes) {
        // Any bytes that were a target make a value.
        if let Ok(mut value) = HeaderValue::from_maybe_shared(target.clone()) {
            value.set_sensitive(true);
            self.0.store(true, Ordering::Release);
            headers.insert(MARKER, value);
        }
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The stream that hyper's HTTP/2 client writes to.
pub(in crate::protocol::http) struct Marked<T> {
    inner: T,
    markers: Markers,
    state: State,
    /// Frames of a header block whose end was not written yet.
    held: Vec<u8>,
    late: Late,
}

/// Where in the frames what is written next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As many bytes come before the head of the next frame.
    Payload(usize),
    /// In the head of a frame of which some bytes have passed, and its length as far as these say.
    Head { passed: usize, length: usize },
}

impl State {
    const BETWEEN: Self = Self::Head { passed: 0, length: 0 };

    /// As far as one payload or one head goes: how many bytes, and what is then.
    fn step(self, input: &[u8]) -> (usize, Self) {
        match self {
            Self::Payload(left) if left > input.len() => {
                (input.len(), Self::Payload(left - input.len()))
            }
            Self::Payload(left) => (left, Self::BETWEEN),
            Self::Head { passed, mut length } => {
                let taken = input.len().min(HEAD - passed);
                for byte in input[..taken].iter().take(3_usize.saturating_sub(passed)) {
                    length = length << 8 | usize::from(*byte);
                }
                let passed = passed + taken;
                (
                    taken,
                    if passed == HEAD {
                        Self::Payload(length)
                    } else {
                        Self::Head { passed, length }
                    },
                )
            }
        }
    }

    fn after(mut self, mut input: &[u8]) -> Self {
        while !input.is_empty() {
            let (taken, next) = self.step(input);
            (self, input) = (next, &input[taken..]);
        }
        self
    }

    /// How many bytes come before a head that has to be looked at.
    fn before_headers(mut self, input: &[u8]) -> usize {
        let mut at = 0;
        while at < input.len() {
            if self == Self::BETWEEN
                && Frame::read(&input[at..]).is_none_or(|it| it.kind() == HEADERS)
            {
                break;
            }
            let (taken, next) = self.step(&input[at..]);
            (self, at) = (next, at + taken);
        }
        at
    }
}

impl<T> Marked<T> {
    pub(in crate::protocol::http) fn new(inner: T) -> Self {
        Self {
            inner,
            markers: Markers::default(),
            state: State::Payload(PREFACE),
            held: Vec::new(),
            late: Late::default(),
        }
    }

    /// The handle that puts markers among headers.
    pub(in crate::protocol::http) fn markers(&self) -> Markers {
        self.markers.clone()
    }

    /// Whether bytes are written as they are and nothing is looked at.
    fn is_plain(&self) -> bool {
        self.held.is_empty() && !self.markers.any()
    }

    /// Takes what is written into what is held, and what is whole of it into what goes out late.
    fn take(&mut self, buf: &[u8]) -> Result<(), Malformed> {
        self.held.extend_from_slice(buf);
        let mut at = 0;
        while let Some(frame) = Frame::read(&self.held[at..]) {
            if frame.kind() != HEADERS {
                // Another frame, or the head of one: what of it is to come passes by itself.
                let end = self.held.len().min(at + HEAD + frame.length());
                self.state = State::BETWEEN.after(&self.held[at..end]);
                self.late.bytes().put_slice(&self.held[at..end]);
                at = end;
                continue;
            }
            let Some(headers) = Headers::read(&self.held[at..], LIMITS)? else { break };
            match without_marker(&headers.block)? {
                Some(block) => headers.with(&block, headers.most(), self.late.bytes()),
                None => self.late.bytes().put_slice(&self.held[at..at + headers.length]),
            }
            at += headers.length;
        }
        self.held.drain(..at);
        Ok(())
    }
}

/// A block with a marker, without it. None: it has none.
fn without_marker(block: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let name = MARKER;
    let mut target = None;
    for field in Fields::of(block) {
        if let (Field::Literal { keeping: Keeping::Never, name: Name::Literal(text), value }, _) =
            field?
            && text.says(name.as_str().as_bytes())
        {
            target = value.decoded();
        }
    }
    let Some(target) = target else { return Ok(None) };
    let mut out = Vec::with_capacity(block.len());
    for field in Fields::of(block) {
        match field? {
            (Field::Literal { name: Name::Literal(text), .. }, _)
                if text.says(name.as_str().as_bytes()) => {}
            (Field::Literal { keeping: Keeping::Not, name, value }, wire) if name.is_path() => {
                if value.decoded().is_some_and(|path| encoded(&target) == path) {
                    hpack::put_path(&target, &mut out);
                } else {
                    out.extend_from_slice(wire);
                }
            }
            (_, wire) => out.extend_from_slice(wire),
        }
    }
    Ok(Some(out))
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Marked<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.late.poll(cx, &mut this.inner))?;
        let passes = match (this.held.is_empty(), this.is_plain()) {
            (false, _) => 0,
            (true, true) => buf.len(),
            (true, false) => this.state.before_headers(buf),
        };
        if passes > 0 || buf.is_empty() {
            let written = ready!(Pin::new(&mut this.inner).poll_write(cx, &buf[..passes]))?;
            this.state = this.state.after(&buf[..written]);
            return Poll::Ready(Ok(written));
        }
        this.take(buf).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        this.late.begin(cx, &mut this.inner, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.late.poll(cx, &mut this.inner))?;
        if !this.is_plain() {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            return self.poll_write(cx, first.map_or(&[], |buf| buf));
        }
        let written = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let more = left.min(buf.len());
            this.state = this.state.after(&buf[..more]);
            left -= more;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.late.poll(cx, &mut this.inner))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.late.poll(cx, &mut this.inner))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Marked<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests;
