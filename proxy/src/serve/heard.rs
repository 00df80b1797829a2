//! Whether a connection ever said something whole: an HTTP/1 head came to its end, or was answered.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Passes everything on, and looks for the end of the first head.
pub(super) struct Heard<T> {
    inner: T,
    /// Nothing but the end of a line, and perhaps a CR, has been read since.
    line_ended: bool,
    whole: Arc<AtomicBool>,
}

/// What was heard, for after the connection.
pub(super) struct Hearing(Arc<AtomicBool>);

impl Hearing {
    pub(super) fn anything(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<T> Heard<T> {
    pub(super) fn new(inner: T) -> (Self, Hearing) {
        let whole = Arc::new(AtomicBool::new(false));
        (Self { inner, line_ended: false, whole: whole.clone() }, Hearing(whole))
    }

    fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    /// An empty line ends a head (RFC 9112 §2.1); servers take a bare LF too.
    fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.line_ended => return self.whole.store(true, Ordering::Relaxed),
                b'\n' => self.line_ended = true,
                b'\r' => {}
                _ => self.line_ended = false,
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if !self.is_whole() {
            self.hear(&buf.filled()[before..]);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.whole.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.whole.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn heard(parts: &[&str], answer: bool) -> bool {
        let (mut client, server) = tokio::io::duplex(1024);
        let (mut server, hearing) = Heard::new(server);
        for part in parts {
            client.write_all(part.as_bytes()).await.unwrap();
            assert!(server.read(&mut [0; 64]).await.unwrap() > 0);
        }
        if answer {
            server.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
        hearing.anything()
    }

    #[tokio::test]
    async fn a_head_or_an_answer_is_something() {
        for (parts, whole) in [
            (&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"][..], true),
            (&["GET / HTTP/1.1\r\n", "Host: a\r\n\r", "\n"], true),
            (&["GET / HTTP/1.0\n\n"], true),
            (&["GET / HTTP/1.1\r\nHost: a\r\n"], false),
            (&["GET /"], false),
            (&["\r\n"], false),
            (&["GET / HTTP/1.1\r\n", "a: b\r\n", "c: d\r\n"], false),
        ] {
            assert_eq!(heard(parts, false).await, whole, "{parts:?}");
        }
        assert!(heard(&["GET /"], true).await);
    }
}
