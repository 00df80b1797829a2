//! The body that goes out: as it came, as it was held, or held and followed by what comes.

use super::expect::Waiting;
use super::headers;
use super::lanes::Lane;
use crate::content::Inspected;
use crate::gate::{Recorded, Standing};
use crate::refusal::Refusal;
use crate::wire::Room;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// As much of a body is remembered while its request may have to be sent again.
const REMEMBERED: usize = 16 * 1024;

/// A body on its way to a server. Every frame is counted, and sent only while the policy still allows it.
pub(super) struct Outgoing<B> {
    source: Source<B>,
    /// None for a body without a byte.
    standing: Option<Standing>,
    /// Held for as long as bytes may go out, so that the record of how it ended waits for them.
    recorded: Option<Recorded>,
    /// The stream that it goes over.
    lane: Option<Arc<Lane>>,
    /// The agent waits for leave to send it.
    waiting: Option<Waiting>,
    /// Something of it was taken.
    begun: bool,
    /// What was taken of a body as it comes, where it is remembered.
    memory: Option<VecDeque<Bytes>>,
    /// Goes out before what comes.
    again: VecDeque<Bytes>,
}

enum Source<B> {
    AsItComes(B),
    Held { chunks: VecDeque<Bytes>, at: usize, _room: Option<Room> },
    Following { rest: mpsc::Receiver<Result<Bytes, Refusal>>, announced: Option<u64> },
    Empty,
    Cut,
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
        let Inspected { chunks, rest, announced, room, .. } = inspected;
        let source = match rest {
            None => Source::Held { chunks, at: 0, _room: room },
            Some(rest) => Source::Following { rest, announced },
        };
        Self::new(source, Some(standing))
    }

    fn new(source: Source<B>, standing: Option<Standing>) -> Self {
        Self {
            source,
            standing,
            recorded: None,
            lane: None,
            waiting: None,
            begun: false,
            memory: None,
            again: VecDeque::new(),
        }
    }

    /// Whose bytes these are.
    pub(super) fn belongs_to(&mut self, recorded: &Recorded) {
        self.recorded = Some(recorded.clone());
    }

    /// The stream counts as open for as long as bytes may go out over it.
    pub(super) fn goes_over(&mut self, lane: Option<&Arc<Lane>>) {
        self.lane = lane.cloned();
    }

    /// Nothing is taken before this says so.
    pub(super) fn waits_for(&mut self, waiting: Option<Waiting>) {
        self.waiting = waiting;
    }

    /// Whether trailers may follow it.
    pub(super) const fn has_trailers(&self) -> bool {
        matches!(self.source, Source::AsItComes(_))
    }

    /// From now on its beginning is remembered, so that it can be sent again.
    pub(super) fn remember(&mut self) {
        if !self.begun && matches!(self.source, Source::AsItComes(_)) {
            self.memory = Some(VecDeque::new());
        }
    }

    /// Makes it what it was before it was sent. False: it cannot be.
    pub(super) fn rewind(&mut self) -> bool {
        let whole = match &mut self.source {
            Source::Held { at, .. } => {
                *at = 0;
                true
            }
            Source::Empty => true,
            Source::Cut => false,
            Source::AsItComes(_) | Source::Following { .. } if !self.begun => true,
            Source::Following { .. } => false,
            Source::AsItComes(_) => match self.memory.take() {
                Some(mut sent) => {
                    sent.append(&mut self.again);
                    self.again = sent;
                    true
                }
                None => false,
            },
        };
        self.begun = false;
        self.lane = None;
        whole
    }

    fn trip(&mut self, refusal: Refusal) -> BoxError {
        self.source = Source::Cut;
        self.again.clear();
        if let Some(recorded) = &self.recorded {
            recorded.cut_off(refusal.clone());
        }
        refusal.into()
    }

    /// Takes note of what is sent.
    fn sent(&mut self, frame: &Frame<Bytes>) {
        self.begun = true;
        let data = frame.data_ref();
        let Some(memory) = &mut self.memory else { return };
        let before: usize = memory.iter().map(Bytes::len).sum();
        match data.filter(|data| before + data.len() <= REMEMBERED) {
            // A copy: a few bytes may be part of a large buffer.
            Some(data) => memory.push_back(Bytes::copy_from_slice(data)),
            None => self.memory = None,
        }
    }
}

impl<B> Outgoing<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    /// The next frame of the source.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        if let Some(chunk) = self.again.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        Poll::Ready(match &mut self.source {
            Source::Empty | Source::Cut => None,
            Source::AsItComes(body) => match ready!(Pin::new(body).poll_frame(cx)) {
                // The agent's side broke, which must not be blamed on the server.
                Some(Err(_)) => Some(Err(Refusal::BodyBroken)),
                Some(Ok(frame)) => headers::without_foreign_trailers(frame).map(Ok),
                None => None,
            },
            Source::Held { chunks, at, .. } => chunks.get(*at).map(|chunk| {
                *at += 1;
                Ok(Frame::data(chunk.clone()))
            }),
            Source::Following { rest, .. } => {
                ready!(rest.poll_recv(cx)).map(|chunk| chunk.map(Frame::data))
            }
        })
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
        if let Some(waiting) = &mut this.waiting {
            let given = ready!(waiting.poll(cx));
            this.waiting = None;
            if !given {
                this.source = Source::Cut;
                return Poll::Ready(Some(Err("the server did not ask for the body".into())));
            }
        }
        let frame = match ready!(this.poll_source(cx)) {
            None => return Poll::Ready(None),
            Some(Err(refusal)) => return Poll::Ready(Some(Err(this.trip(refusal)))),
            Some(Ok(frame)) => frame,
        };
        if let Some(Err(refusal)) = this.standing.as_mut().map(Standing::check) {
            return Poll::Ready(Some(Err(this.trip(refusal))));
        }
        this.sent(&frame);
        let length = frame.data_ref().map_or(0, Bytes::len);
        if let Some(recorded) = &this.recorded {
            recorded.counts().add_out(length);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty | Source::Cut => true,
            Source::AsItComes(body) => self.again.is_empty() && body.is_end_stream(),
            Source::Held { chunks, at, .. } => *at >= chunks.len(),
            Source::Following { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty | Source::Cut => SizeHint::with_exact(0),
            Source::AsItComes(body) => {
                let again: usize = self.again.iter().map(Bytes::len).sum();
                let rest = body.size_hint();
                rest.exact().map_or(rest, |rest| SizeHint::with_exact(rest + again as u64))
            }
            Source::Held { chunks, at, .. } => {
                let left: usize = chunks.iter().skip(*at).map(Bytes::len).sum();
                SizeHint::with_exact(left as u64)
            }
            Source::Following { announced, .. } => {
                announced.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}
