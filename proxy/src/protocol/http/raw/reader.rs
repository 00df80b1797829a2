//! The stream that hyper's HTTP/2 server reads from: every byte has passed [`Heads`] first.

use super::heads::Heads;
use crate::protocol::http::heads::Heads as Held;
use crate::wire::{Memory, writes_pass};
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// A stream of which every byte that is read has passed [`Heads`].
pub(in crate::protocol::http) struct Reader<T> {
    inner: T,
    heads: Heads,
    /// Not yet read by hyper. Empty but for blocks that were rewritten or came in pieces: what passes
    /// as it is stays in the buffer that it was read into.
    good: BytesMut,
    /// The memory of a block that comes in pieces.
    held: Held,
}

impl<T> Reader<T> {
    pub(in crate::protocol::http) fn new(inner: T, memory: Memory) -> Self {
        Self { inner, heads: Heads::default(), good: BytesMut::new(), held: Held::new(memory) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Reader<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.good.is_empty() {
                let take = this.good.len().min(buf.remaining());
                buf.put_slice(&this.good[..take]);
                this.good.advance(take);
                return Poll::Ready(Ok(()));
            }
            if ready!(this.held.poll(cx, this.heads.held())).is_err() {
                return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
            let read = &buf.filled()[before..];
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let passed = this.heads.read(read, &mut this.good);
            buf.set_filled(before + *passed.as_ref().unwrap_or(&0));
            match passed {
                Err(unreadable) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        unreadable,
                    )));
                }
                Ok(0) => {}
                Ok(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

writes_pass!(Reader);
