//! The body of a request, lent to the connection that sends it: a request that the server did not
//! process is sent again, whatever its method (RFC 9113 §8.7), where its body can be.

use super::leftover::Leftover;
use super::outgoing::Outgoing;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a connection may take to let go of the body of a request that it has given up.
const RETURN: Duration = Duration::from_secs(1);

/// A body, given back where somebody waits for it.
pub(super) struct Lent {
    body: Option<Outgoing<Leftover>>,
    back: Option<oneshot::Sender<Outgoing<Leftover>>>,
}

/// Where a body comes back to.
pub(super) struct Lender(oneshot::Receiver<Outgoing<Leftover>>);

/// Why a server did not process a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unprocessed {
    /// It refused this stream.
    Refused,
    /// It takes no more over this connection.
    GoneAway,
}

impl Lent {
    /// A body that is sent once.
    pub(super) const fn for_good(body: Outgoing<Leftover>) -> Self {
        Self { body: Some(body), back: None }
    }

    /// A body that comes back.
    pub(super) fn for_now(mut body: Outgoing<Leftover>) -> (Self, Lender) {
        body.remember();
        let (back, returned) = oneshot::channel();
        (Self { body: Some(body), back: Some(back) }, Lender(returned))
    }

    pub(super) fn body(&mut self) -> Option<&mut Outgoing<Leftover>> {
        self.body.as_mut()
    }

    /// The body, of which nothing was sent.
    pub(super) fn take_back(mut self) -> Option<Outgoing<Leftover>> {
        self.body.take()
    }
}

impl Lender {
    /// The body as it was at first, where it came back and can be sent again.
    pub(super) async fn take_back(self) -> Option<Outgoing<Leftover>> {
        let mut body = timeout(RETURN, self.0).await.ok()?.ok()?;
        body.rewind().then_some(body)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits once the answer has come.
            drop(back.send(body));
        }
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Whether the server said that it did not process the request: it refused the stream, or it left
/// and named an earlier stream as the last that it processed.
pub(super) fn unprocessed(error: &hyper::Error) -> Option<Unprocessed> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            if !error.is_remote() {
                return None;
            }
            let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return match (refused, error.is_go_away()) {
                (true, _) => Some(Unprocessed::Refused),
                (_, true) => Some(Unprocessed::GoneAway),
                _ => None,
            };
        }
        source = error.source();
    }
    None
}
