//! HTTP/1 to a server: the request line goes out with the target as the agent sent it.
//!
//! The HTTP library gets a target that nobody can guess, and it is found where the library writes it.
//! So no bytes of a body are ever taken for it, whatever the agent puts there and however the
//! library's writes are cut.

use super::late::Late;
use bytes::{Bytes, BytesMut};
use http::{Request, Uri};
use memchr::memmem;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The target of the next request over one connection, which carries one request at a time.
#[derive(Debug, Clone, Default)]
pub(in crate::protocol::http) struct NextTarget(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether there is one. Most requests have none, and ask no more than this.
    set: AtomicBool,
    target: Mutex<Option<Target>>,
}

#[derive(Debug)]
struct Target {
    /// As the HTTP library writes it, a space on both sides.
    written: String,
    sent: Bytes,
}

impl NextTarget {
    /// This request, which is sent next, has the target that was `sent`. None: that of its URI.
    pub(in crate::protocol::http) fn set<B>(&self, request: &mut Request<B>, sent: Option<&Bytes>) {
        if sent.is_none() && !self.is_set() {
            return;
        }
        let target = sent.and_then(|sent| {
            let written = format!("/{:032x}", rand::random::<u128>());
            *request.uri_mut() = Uri::try_from(&written).ok()?;
            Some(Target { written: format!(" {written} "), sent: sent.clone() })
        });
        let mut kept = self.0.target.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.set.store(target.is_some(), Ordering::Release);
        *kept = target;
    }

    fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Acquire)
    }

    /// The same bytes with the target that was sent, where the one that the library writes is in them.
    fn replace(&self, bytes: &[u8], out: &mut BytesMut) -> bool {
        let mut kept = self.0.target.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(target) = &*kept else { return false };
        let Some(at) = memmem::find(bytes, target.written.as_bytes()) else { return false };
        for part in [&bytes[..=at], &target.sent, &bytes[at + target.written.len() - 1..]] {
            out.extend_from_slice(part);
        }
        self.0.set.store(false, Ordering::Release);
        *kept = None;
        true
    }
}

/// The stream that hyper's HTTP/1 client writes to.
pub(in crate::protocol::http) struct Lines<T> {
    inner: T,
    next: NextTarget,
    late: Late,
}

impl<T> Lines<T> {
    pub(in crate::protocol::http) fn new(inner: T) -> Self {
        Self { inner, next: NextTarget::default(), late: Late::default() }
    }

    /// The handle that says what the next target is.
    pub(in crate::protocol::http) fn next(&self) -> NextTarget {
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
        if this.next.is_set() && this.next.replace(buf, this.late.bytes()) {
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
