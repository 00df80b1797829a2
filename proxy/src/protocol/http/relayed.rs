//! A response's body on its way to the agent: counted, cut off when the policy changes, and the
//! end of it stated however it comes.

use super::Inner;
use super::expect::Leave;
use super::headers;
use super::masked::Back;
use super::pool::{Key, Sender, Upstream};
use crate::gate::{Ending, Recorded, Standing};
use crate::protocol::relay::quiet;
use crate::refusal::Refusal;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What happens once a response has ended.
pub(super) struct Closing {
    pub(super) session: Arc<Inner>,
    pub(super) recorded: Recorded,
    pub(super) ending: Ending,
    /// Goes back to the pool if the response was read to its end.
    pub(super) upstream: Option<(Key, Upstream)>,
    /// For a request's body that the server did not ask for.
    pub(super) leave: Option<Leave>,
}

/// A response's body on its way to the agent.
pub(super) struct Relayed {
    inner: Back,
    standing: Standing,
    ended: bool,
    closing: Option<Closing>,
    /// Ready once nothing has moved for too long. Made when there is something to wait for.
    quiet: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Relayed {
    pub(super) fn new(inner: Back, standing: Standing, closing: Closing) -> Self {
        Self { inner, standing, ended: false, closing: Some(closing), quiet: None }
    }

    /// Whether nothing moves any more.
    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(closing) = &self.closing else { return Poll::Pending };
        let counts = closing.recorded.counts();
        self.quiet.get_or_insert_with(|| Box::pin(quiet(counts.clone()))).as_mut().poll(cx)
    }

    fn cut(&mut self, refusal: Refusal) -> BoxError {
        if let Some(closing) = &mut self.closing {
            closing.ending.refusal = Some(refusal.clone());
        }
        refusal.into()
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = this.inner.poll(cx) else {
            ready!(this.poll_quiet(cx));
            return Poll::Ready(Some(Err(this.cut(Refusal::UpstreamSilent))));
        };
        match frame {
            None => {
                this.ended = true;
                Poll::Ready(None)
            }
            Some(Err(refusal)) => Poll::Ready(Some(Err(this.cut(refusal)))),
            Some(Ok(frame)) => {
                if let Err(refusal) = this.standing.check() {
                    return Poll::Ready(Some(Err(this.cut(refusal))));
                }
                if let (Some(closing), Some(data)) = (&this.closing, frame.data_ref()) {
                    closing.recorded.counts().add_in(data.len());
                }
                // Trailers come last.
                Poll::Ready(headers::without_foreign_trailers(frame).map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        let Some(mut closing) = self.closing.take() else { return };
        if let Some(leave) = &closing.leave {
            leave.withhold();
        }
        let whole = self.ended || self.inner.is_end_stream();
        // HTTP/2 is in the pool already.
        if let Some((key, upstream)) = closing.upstream.take()
            && matches!(upstream.sender, Sender::Http1(..))
            && whole
        {
            closing.session.http.pool.put(key, upstream);
        }
        // The record follows once the request's body has ended too.
        closing.recorded.end(closing.ending);
    }
}
