//! What the end of the agent's sending side means while a request of its is under way.
//!
//! A client that has asked may end its side and still read: the end is then told only once it was
//! answered. A client that left is waited for no longer, so that its request ends at the server too.

use crate::wire::Peer;
use futures::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// How often the kernel is asked whether the client is still there: at first, and at most.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Counts the requests of one connection that were not answered whole.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    open: AtomicUsize,
    /// There was one.
    any: AtomicBool,
    /// Of whoever waits for the last of them.
    waker: AtomicWaker,
}

/// One request. It is over when this is dropped.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Count>);

impl UnderWay {
    pub(super) fn begin(&self) -> Exchange {
        self.0.open.fetch_add(1, Ordering::AcqRel);
        self.0.any.store(true, Ordering::Release);
        Exchange(self.0.clone())
    }

    /// Whether there was ever a request.
    pub(super) fn any(&self) -> bool {
        self.0.any.load(Ordering::Acquire)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waker.wake();
        }
    }
}

/// The body of a response, and the request that it answers.
pub(super) struct Answer<B> {
    body: B,
    _under_way: Exchange,
}

impl<B> Answer<B> {
    pub(super) const fn new(body: B, under_way: Exchange) -> Self {
        Self { body, _under_way: under_way }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The end of a stream, once it was read.
#[derive(Debug)]
pub(super) struct End {
    under_way: UnderWay,
    peer: Option<Peer>,
    reached: bool,
    /// An answer waits for the client to take it.
    blocked: bool,
    look: Option<(Pin<Box<Sleep>>, Duration)>,
}

impl End {
    pub(super) const fn new(under_way: UnderWay, peer: Option<Peer>) -> Self {
        Self { under_way, peer, reached: false, blocked: false, look: None }
    }

    /// Ready once the end may be told.
    ///
    /// # Errors
    /// When the client has left.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reached = true;
        self.under_way.0.waker.register(cx.waker());
        if self.under_way.0.open.load(Ordering::Acquire) == 0 && !self.blocked {
            return Poll::Ready(Ok(()));
        }
        let Some(peer) = self.peer else { return Poll::Pending };
        loop {
            let (pause, after) = self.look.get_or_insert_with(|| {
                // Looked at once: most ends are those of clients that left.
                (Box::pin(sleep(Duration::ZERO)), FIRST_LOOK)
            });
            ready!(pause.as_mut().poll(cx));
            if peer.has_left() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            let after = *after;
            self.look = Some((Box::pin(sleep(after)), (2 * after).min(LAST_LOOK)));
        }
    }

    /// Takes note of what became of a write.
    pub(super) fn wrote<R>(&mut self, cx: &Context<'_>, written: &Poll<R>) {
        let before = std::mem::replace(&mut self.blocked, written.is_pending());
        if self.reached && before && !self.blocked {
            cx.waker().wake_by_ref();
        }
    }
}
