//! The stream that hyper's HTTP/1 server reads from: every byte has passed [`Framing`] first.
//!
//! A head that is refused is replaced by a stand-in request that only this file can produce, and
//! nothing follows it: so the refusal is answered in its turn, after the requests before it, by
//! the same code that answers every other. A refusal inside a body is an error of that body.

use super::ended::{End, UnderWay};
use super::framing::{Framing, STAND_IN_METHOD, Violation};
use super::heads::Heads;
use crate::metrics::{ProxyMetrics, Spoken};
use crate::wire::{Memory, Peer};
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Ends the checks once a connection has changed protocol.
#[derive(Debug, Clone, Default)]
pub(super) struct Switch(Arc<AtomicBool>);

impl Switch {
    /// From now on bytes pass as they are. Only after a 101 was decided.
    pub(super) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A stream of which every byte has passed [`Framing`].
pub(super) struct Strict<T> {
    inner: T,
    framing: Framing,
    /// Checked, not yet read by hyper. Empty but for heads that came in pieces and stand-ins: what
    /// is found good is passed on in the buffer that it was read into.
    good: BytesMut,
    refused: Option<Violation>,
    switch: Switch,
    end: End,
    metrics: Arc<ProxyMetrics>,
    heads: Heads,
}

impl<T> Strict<T> {
    /// `under_way`: the requests of this connection. `peer`: who sends them.
    pub(super) fn new(
        inner: T,
        under_way: UnderWay,
        peer: Option<Peer>,
        metrics: Arc<ProxyMetrics>,
        memory: Memory,
    ) -> Self {
        Self {
            inner,
            framing: Framing::default(),
            good: BytesMut::new(),
            refused: None,
            switch: Switch::default(),
            end: End::new(under_way, peer),
            metrics,
            heads: Heads::new(memory),
        }
    }

    /// The handle that ends the checks.
    pub(super) fn switch(&self) -> Switch {
        self.switch.clone()
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let take = self.good.len().min(buf.remaining());
        buf.put_slice(&self.good[..take]);
        self.good.advance(take);
    }

    /// Checks what was read behind the first `before` bytes of `buf`, and leaves in it what may be
    /// passed on.
    fn check(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        if self.switch.is_open() {
            return;
        }
        let read = &buf.filled()[before..];
        let (passed, violation) = if self.framing.is_clear() {
            match self.framing.advance(read) {
                (passed, None) if self.framing.rewrites() => {
                    (passed, self.framing.read(&[], &mut self.good).err())
                }
                checked => checked,
            }
        } else {
            (0, self.framing.read(read, &mut self.good).err())
        };
        buf.set_filled(before + passed);
        if let Some(violation) = violation {
            self.metrics.malformed(Spoken::Http1);
            self.refuse(violation);
        }
    }

    fn refuse(&mut self, violation: Violation) {
        self.refused = Some(violation);
        if !self.framing.in_body() {
            let head = format!(
                "{STAND_IN_METHOD} /{} HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n",
                violation.index()
            );
            self.good.extend_from_slice(head.as_bytes());
        }
    }
}

/// The violation that a stand-in request carries.
pub(super) fn refused(method: &http::Method, path: &str) -> Option<Violation> {
    if method.as_str() != STAND_IN_METHOD {
        return None;
    }
    path.strip_prefix('/')?.parse().ok().and_then(Violation::from_index)
}

impl<T: AsyncRead + Unpin> AsyncRead for Strict<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.good.is_empty() {
                this.give(buf);
                return Poll::Ready(Ok(()));
            }
            match this.refused {
                Some(violation) if this.framing.in_body() => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation)));
                }
                // The stand-in was read; its answer closes the connection. An end here would make
                // hyper drop the answer.
                Some(_) => return Poll::Pending,
                None => {}
            }
            if ready!(this.heads.poll(cx, this.framing.held())).is_err() {
                this.refuse(Violation::NoRoom);
                continue;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                // The end of an unfinished body is an error of that body, for hyper to state.
                let told = this.switch.is_open() || this.framing.in_body();
                return if told { Poll::Ready(Ok(())) } else { this.end.poll(cx) };
            }
            this.check(buf, before);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Strict<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.end.wrote(cx, &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.end.wrote(cx, &written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.end.wrote(cx, &flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
