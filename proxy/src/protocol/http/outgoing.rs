//! The body that goes out: as it came, as it was held, or held and followed by what comes.

use crate::content::Inspected;
use crate::gate::{Recorded, Standing};
use crate::refusal::Refusal;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// See the module. Every frame is counted, and sent only while the policy still allows it.
pub(super) struct Outgoing<B> {
    source: Source<B>,
    /// None for a body without a byte.
    standing: Option<Standing>,
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
    pub(super) fn as_it_comes(body: B, standing: Standing) -> Self {
        Self::new(Source::AsItComes(body), Some(standing))
    }

    /// No body.
    pub(super) fn empty() -> Self {
        Self::new(Source::Empty, None)
    }

    /// A body under content rules.
    pub(super) fn inspected(inspected: Inspected, standing: Standing) -> Self {
        let Inspected { chunks, length, rest, announced, room, .. } = inspected;
        let source = match rest {
            None => Source::Held { chunks, length, _room: room },
            Some(rest) => Source::Following { rest, announced },
        };
        Self::new(source, Some(standing))
    }

    fn new(source: Source<B>, standing: Option<Standing>) -> Self {
        Self { source, standing, recorded: None }
    }

    /// Whose bytes these are.
    pub(super) fn belongs_to(&mut self, recorded: &Recorded) {
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
        if let Some(Err(refusal)) = this.standing.as_mut().map(Standing::check) {
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
