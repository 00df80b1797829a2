//! HTTP/1 to a server: the request line goes out with the target as the agent sent it.

use super::late::Late;
use bytes::Bytes;
use http::{Method, Uri};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The next request line of one connection, which carries one request at a time.
#[derive(Debug, Clone, Default)]
pub(in crate::protocol::http) struct NextLine(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether there is a line. Most requests have none, and ask no more than this.
    set: AtomicBool,
    line: Mutex<Option<Line>>,
}

#[derive(Debug)]
struct Line {
    /// As the HTTP library writes it.
    written: Vec<u8>,
    instead: Vec<u8>,
}

impl NextLine {
    /// The request that is sent next has this target. None: as it is written.
    pub(in crate::protocol::http) fn set(
        &self,
        method: &Method,
        uri: &Uri,
        target: Option<&Bytes>,
    ) {
        if target.is_none() && !self.is_set() {
            return;
        }
        let line = target.zip(uri.path_and_query()).map(|(target, written)| {
            let line = |target: &[u8]| {
                [method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n"].concat()
            };
            Line { written: line(written.as_str().as_bytes()), instead: line(target) }
        });
        self.0.set.store(line.is_some(), Ordering::Release);
        *self.0.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }

    fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Acquire)
    }

    /// What is written instead of the first bytes of a request, and how many these are. Whatever they
    /// are, the line is used up: it must never be found in a body.
    fn take(&self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        self.0.set.store(false, Ordering::Release);
        let line = self.0.line.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        bytes.starts_with(&line.written).then_some((line.instead, line.written.len()))
    }
}

/// The stream that hyper's HTTP/1 client writes to.
pub(in crate::protocol::http) struct Lines<T> {
    inner: T,
    next: NextLine,
    late: Late,
}

impl<T> Lines<T> {
    pub(in crate::protocol::http) fn new(inner: T) -> Self {
        Self { inner, next: NextLine::default(), late: Late::default() }
    }

    /// The handle that says what the next request line is.
    pub(in crate::protocol::http) fn next(&self) -> NextLine {
        self.next.clone()
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Lines<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.late.poll(cx, &mut this.inner))?;
        if this.next.is_set()
            && !buf.is_empty()
            && let Some((line, length)) = this.next.take(buf)
        {
            this.late.bytes().extend_from_slice(&line);
            this.late.bytes().extend_from_slice(&buf[length..]);
            return this.late.begin(cx, &mut this.inner, buf.len());
        }
        Pin::new(&mut this.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.late.poll(cx, &mut this.inner))?;
        if this.next.is_set()
            && let Some(first) = bufs.iter().find(|buf| !buf.is_empty())
        {
            return self.poll_write(cx, first);
        }
        Pin::new(&mut this.inner).poll_write_vectored(cx, bufs)
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

impl<T: AsyncRead + Unpin> AsyncRead for Lines<T> {
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
