//! A stream whose first bytes were already read.

use super::{Io, writes_pass};
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Gives back what detection read, then the stream itself.
#[derive(Debug)]
pub struct Prefixed<T> {
    prefix: BytesMut,
    inner: T,
}

impl<T> Prefixed<T> {
    pub fn new(prefix: BytesMut, inner: T) -> Self {
        Self { prefix, inner }
    }

    /// The stream below. Whoever reads from it must have taken the prefix before.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Gives back bytes that were read last and not used.
    pub fn put_back(&mut self, mut bytes: BytesMut) {
        bytes.extend_from_slice(&self.prefix);
        self.prefix = bytes;
    }

    /// The bytes that were read and not yet given back.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }
}

impl Prefixed<Io> {
    /// Closing is seen by the peer as a reset.
    pub fn reset(&self) {
        self.inner.reset();
    }
}

impl<T: AsyncRead + Unpin> Prefixed<T> {
    /// Reads once more from the stream, behind what is already held. Zero: the peer has ended.
    pub async fn fill(&mut self) -> io::Result<usize> {
        tokio::io::AsyncReadExt::read_buf(&mut self.inner, &mut self.prefix).await
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Prefixed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let take = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..take]);
        self.prefix.advance(take);
        Poll::Ready(Ok(()))
    }
}

writes_pass!(Prefixed);
