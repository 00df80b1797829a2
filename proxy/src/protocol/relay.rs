//! Bytes both ways, until either side ends, nothing moves for long, or the policy changes.

use super::pump::pump;
pub(super) use super::quiet::quiet;
use crate::gate::{Counts, Standing};
use crate::refusal::Refusal;
use crate::tls::hello::HELLO_LIMIT;
use crate::wire::Memory;
use crate::wire::detect::Protocol;
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// First bytes that are held until it is clear what they are.
const FIRST_LIMIT: usize = HELLO_LIMIT;
/// How long open relays may go on once the proxy drains: a little less than it waits for them, so
/// that how they ended is still recorded.
const DRAIN: Duration = Duration::from_secs(4);

/// Relays. Returns why it was cut off, where it was.
pub(super) async fn relay<A, B>(
    agent: &mut A,
    upstream: &mut B,
    counts: &Counts,
    standing: &mut Standing,
    memory: &Memory,
    drain: &CancellationToken,
) -> Option<Refusal>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let drained = async {
        drain.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = pump(agent, upstream, memory) => match ended {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                error.downcast::<Refusal>().ok()
            }
            _ => None,
        },
        refusal = standing.revoked() => Some(refusal),
        () = quiet(counts.clone()) => None,
        () = drained => None,
    }
}

/// Looks at the first bytes of a relay, however late they come.
pub(super) trait Guard: Send {
    /// Whether these bytes may pass; `None` where more are needed to tell.
    fn check(&self, first: &[u8]) -> Option<Looked>;
}

/// What a [`Guard`] says of the first bytes.
pub(super) enum Looked {
    Passes,
    /// Another protocol, of which every request is decided.
    Is(Protocol),
    Refused(Refusal),
}

impl From<Result<(), Refusal>> for Looked {
    fn from(passes: Result<(), Refusal>) -> Self {
        passes.map_or_else(Self::Refused, |()| Self::Passes)
    }
}

const DISGUISED: Refusal = Refusal::Malformed("HTTP or TLS where requests are decided one by one");

/// The agent's side of a relay: counts, and where guarded holds the first bytes until it is clear
/// that they may pass.
pub(super) struct Watched<T> {
    inner: T,
    counts: Counts,
    guard: Option<Box<dyn Guard>>,
    held: BytesMut,
    is: Option<Protocol>,
}

impl<T> Watched<T> {
    /// Where the agent's first bytes are another protocol's and the server had said nothing before
    /// them: that protocol, and the bytes, none of which was passed on.
    pub(super) fn turned(self) -> Option<(Protocol, BytesMut)> {
        let protocol = self.is?;
        (self.counts.totals() == (0, 0)).then_some((protocol, self.held))
    }

    pub(super) fn new(inner: T, counts: Counts, guard: Option<Box<dyn Guard>>) -> Self {
        Self { inner, counts, guard, held: BytesMut::new(), is: None }
    }
}

impl<T: AsyncRead + Unpin> Watched<T> {
    fn poll_guarded(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(guard) = &self.guard {
            let mut space = [0; 2048];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            let ended = read.filled().is_empty();
            self.held.extend_from_slice(read.filled());
            match guard.check(&self.held) {
                Some(Looked::Passes) => self.guard = None,
                None if !ended && self.held.len() < FIRST_LIMIT => {}
                _ if ended && self.held.is_empty() => self.guard = None,
                Some(Looked::Is(protocol)) => {
                    self.is = Some(protocol);
                    return Poll::Ready(Err(refused(DISGUISED)));
                }
                Some(Looked::Refused(refusal)) => return Poll::Ready(Err(refused(refusal))),
                None => {
                    let refusal = Refusal::Malformed("the first bytes say too little");
                    return Poll::Ready(Err(refused(refusal)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn refused(refusal: Refusal) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, refusal)
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_guarded(cx))?;
        let before = buf.filled().len();
        if this.held.is_empty() {
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        } else {
            let take = this.held.len().min(buf.remaining());
            buf.put_slice(&this.held[..take]);
            this.held.advance(take);
        }
        let read = buf.filled().len() - before;
        this.counts.add_out(read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.counts.add_in(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
