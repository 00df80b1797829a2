//! Bytes that were taken from a writer and go out instead of what it wrote.

use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Bytes that go out before everything that is written next.
#[derive(Debug, Default)]
pub(super) struct Late(BytesMut);

impl Late {
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.0
    }

    /// Ready once all of them were written.
    pub(super) fn poll<T: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        inner: &mut T,
    ) -> Poll<io::Result<()>> {
        while !self.0.is_empty() {
            match ready!(Pin::new(&mut *inner).poll_write(cx, &self.0))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.0.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what can be written now: `taken` bytes count as written, for they are kept here.
    pub(super) fn begin<T: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        inner: &mut T,
        taken: usize,
    ) -> Poll<io::Result<usize>> {
        match self.poll(cx, inner) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // The rest goes out with the next write or flush.
            _ => Poll::Ready(Ok(taken)),
        }
    }
}
