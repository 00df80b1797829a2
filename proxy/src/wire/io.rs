//! One stream of bytes, whatever it runs over: the agent's side and the world's side of every
//! connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A byte stream. TCP is told apart, since only it can be reset.
pub struct Io(Over);

enum Over {
    Tcp(TcpStream),
    Other(Box<dyn Stream>),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

impl Io {
    /// A stream inside something else, such as a tunnel.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static) -> Self {
        Self(Over::Other(Box::new(stream)))
    }

    /// Closing is seen by the peer as a reset rather than as an end. Over anything but TCP it is
    /// an end.
    pub fn reset(&self) {
        if let Over::Tcp(stream) = &self.0 {
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Our own address and the other side's, of TCP.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match &self.0 {
            Over::Tcp(stream) => Some((stream.local_addr().ok()?, stream.peer_addr().ok()?)),
            Over::Other(_) => None,
        }
    }

    /// Small writes go out at once, and a peer that vanished is noticed within some minutes.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn prepare(&self) -> io::Result<()> {
        if let Over::Tcp(stream) = &self.0 {
            stream.set_nodelay(true)?;
            keep_alive(stream)?;
        }
        Ok(())
    }
}

/// A peer that vanished without a word is noticed within some minutes.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(20))
        .with_retries(3);
    socket2::SockRef::from(stream).set_tcp_keepalive(&probes)
}

impl From<TcpStream> for Io {
    fn from(stream: TcpStream) -> Self {
        Self(Over::Tcp(stream))
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Over::Tcp(stream) => f.debug_tuple("Io").field(stream).finish(),
            Over::Other(_) => f.write_str("Io(..)"),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Over::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Over::Other(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Over::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Over::Other(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Over::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Over::Other(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Over::Tcp(stream) => stream.is_write_vectored(),
            Over::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Over::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Over::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Over::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Over::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
