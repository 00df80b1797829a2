//! The body that goes out: as it came, as it was held, or held and followed by what comes.

use super::Inspected;
use crate::connection::Recorded;
use crate::problem::Refusal;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Asks whether what was allowed is still allowed.
pub type Recheck = Box<dyn FnMut() -> Result<(), Refusal> + Send + Sync>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// See the module. Every frame is counted, and sent only while the policy still allows it.
pub struct Outgoing<B> {
    source: Source<B>,
    recheck: Recheck,
    /// Held for as long as bytes may go out, so that the record of how it ended waits for them.
    recorded: Option<Recorded>,
}

enum Source<B> {
    AsItComes(B),
    Held { chunks: VecDeque<Bytes>, length: usize, _room: Option<OwnedSemaphorePermit> },
    Following { rest: mpsc::Receiver<Result<Bytes, Refusal>>, announced: Option<u64> },
    Empty,
}

impl<B> Outgoing<B> {
    /// A body under no content rule.
    pub fn as_it_comes(body: B, recheck: Recheck) -> Self {
        Self::new(Source::AsItComes(body), recheck)
    }

    /// No body.
    pub fn empty() -> Self {
        Self::new(Source::Empty, Box::new(|| Ok(())))
    }

    /// A body under content rules.
    pub fn inspected(inspected: Inspected, recheck: Recheck) -> Self {
        let Inspected { chunks, length, rest, announced, permit, .. } = inspected;
        let source = match rest {
            None => Source::Held { chunks, length, _room: permit },
            Some(rest) => Source::Following { rest, announced },
        };
        Self::new(source, recheck)
    }

    fn new(source: Source<B>, recheck: Recheck) -> Self {
        Self { source, recheck, recorded: None }
    }

    /// Whose bytes these are.
    pub(crate) fn belongs_to(&mut self, recorded: &Recorded) {
        self.recorded = Some(recorded.clone());
    }

    fn trip(&mut self, refusal: Refusal) -> BoxError {
        self.source = Source::Empty;
        if let Some(recorded) = &self.recorded {
            recorded.cut_off(refusal.clone());
        }
        refusal.into()
    }
}

impl<B> Body for Outgoing<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Empty => None,
            Source::AsItComes(body) => match ready!(Pin::new(body).poll_frame(cx)) {
                // The agent's side broke, which must not be blamed on the server.
                Some(Err(_)) => return Poll::Ready(Some(Err(this.trip(Refusal::BodyBroken)))),
                frame => frame.and_then(Result::ok),
            },
            Source::Held { chunks, length, .. } => chunks.pop_front().map(|chunk| {
                *length -= chunk.len();
                Frame::data(chunk)
            }),
            Source::Following { rest, .. } => match ready!(rest.poll_recv(cx)) {
                Some(Err(refusal)) => return Poll::Ready(Some(Err(this.trip(refusal)))),
                chunk => chunk.and_then(Result::ok).map(Frame::data),
            },
        };
        let Some(frame) = frame else { return Poll::Ready(None) };
        if let Err(refusal) = (this.recheck)() {
            return Poll::Ready(Some(Err(this.trip(refusal))));
        }
        let length = frame.data_ref().map_or(0, Bytes::len);
        if let Some(recorded) = &this.recorded {
            recorded.counts().add_out(length);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::AsItComes(body) => body.is_end_stream(),
            Source::Held { chunks, .. } => chunks.is_empty(),
            Source::Following { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::AsItComes(body) => body.size_hint(),
            Source::Held { length, .. } => SizeHint::with_exact(*length as u64),
            Source::Following { announced, .. } => {
                announced.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}
