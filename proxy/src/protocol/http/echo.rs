//! The body of an answer without the credential that its request was sent with.

use super::credential::mask_lines;
use crate::credential::{Mask, Secret};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A body as it comes, or masked. Its length stays what it is.
pub(super) struct Unechoed<B> {
    inner: B,
    masked: Option<(Arc<Secret>, Mask)>,
    /// Comes after what was kept back.
    trailers: Option<Frame<Bytes>>,
    ended: bool,
}

impl<B> Unechoed<B> {
    pub(super) fn new(inner: B, secret: Option<Arc<Secret>>) -> Self {
        let masked = secret.map(|secret| (secret, Mask::default()));
        Self { inner, masked, trailers: None, ended: false }
    }

    /// What was kept back, once nothing more comes.
    fn last(&mut self) -> Option<Frame<Bytes>> {
        let (_, mask) = self.masked.as_mut().filter(|(_, mask)| !mask.is_empty())?;
        Some(Frame::data(mask.finish()))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Unechoed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(this.last().or_else(|| this.trailers.take()).map(Ok));
            }
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                None => {
                    this.ended = true;
                    continue;
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => frame,
            };
            let Some((secret, mask)) = &mut this.masked else {
                return Poll::Ready(Some(Ok(frame)));
            };
            match frame.into_data() {
                Ok(data) => {
                    let data = mask.push(secret.echo(), &data);
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Err(frame) => {
                    if let Ok(mut trailers) = frame.into_trailers() {
                        mask_lines(secret, &mut trailers);
                        this.trailers = Some(Frame::trailers(trailers));
                    }
                    this.ended = true;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let kept = self.masked.as_ref().is_some_and(|(_, mask)| !mask.is_empty());
        !kept && self.trailers.is_none() && (self.ended || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.masked.as_ref().map_or(0, |(_, mask)| mask.len() as u64);
        let rest = self.inner.size_hint();
        if kept == 0 {
            return rest;
        }
        let mut all = SizeHint::new();
        if let Some(upper) = rest.upper() {
            all.set_upper(upper + kept);
        }
        all.set_lower(rest.lower() + kept);
        all
    }
}
