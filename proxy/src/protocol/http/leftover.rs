//! A request's body that is read to its end for a while even when nobody wants it any more.
//!
//! A refusal is often answered before the body was read. Over HTTP/2 a stream whose body is let go
//! is reset, and clients then report the reset instead of the answer that says why.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// More than this is not waited for; the reset is then the client's own doing.
const MOST: usize = 1 << 20;
const LONGEST: Duration = Duration::from_secs(2);

/// Reads the rest of itself, and throws it away, when it is dropped.
#[derive(Debug)]
pub(super) struct Leftover {
    inner: Option<Incoming>,
    /// The client waits for leave to send its body: reading would give it.
    waits: bool,
}

impl Leftover {
    /// `waits`: the request has an `Expect` header.
    pub(super) const fn new(inner: Incoming, waits: bool) -> Self {
        Self { inner: Some(inner), waits }
    }
}

impl Body for Leftover {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take().filter(|inner| !inner.is_end_stream()) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.waits {
            return;
        }
        // Bounded in bytes and time, and ends with its connection at the latest.
        runtime.spawn(async move {
            let rest = async {
                let mut read = 0;
                while read < MOST
                    && let Some(Ok(frame)) = inner.frame().await
                {
                    read += frame.data_ref().map_or(0, Bytes::len);
                }
            };
            timeout(LONGEST, rest).await.ok();
        });
    }
}
