//! Payload bytes that a server read, per address, protocol and port.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

type Key = (IpAddr, &'static str, u16);

/// All doors; clones count into the same numbers.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<BTreeMap<Key, Door>>>);

/// The bytes read at one address, protocol and port.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<AtomicU64>);

/// A stream that counts what is read from it.
pub(crate) struct Counted<S> {
    stream: S,
    door: Door,
}

impl Counters {
    pub(crate) fn door(&self, address: IpAddr, protocol: &'static str, port: u16) -> Door {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.entry((address, protocol, port)).or_default().clone()
    }

    fn reset(&self) {
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.values().for_each(|door| door.0.store(0, Ordering::Relaxed));
    }

    fn rows(&self) -> serde_json::Value {
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = doors.iter().map(|((address, protocol, port), door)| {
            json!({"address": address, "protocol": protocol, "port": port, "payload": door.0.load(Ordering::Relaxed)})
        });
        rows.collect()
    }
}

impl Door {
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S, door: Door) -> Self {
        Self { stream, door }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.door.add(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Answers the control socket.
pub(crate) fn answer(
    counters: &Counters,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/counters") => {
            *response.body_mut() = Full::from(counters.rows().to_string())
        }
        (&Method::DELETE, "/counters") => counters.reset(),
        _ => *response.status_mut() = http::StatusCode::NOT_FOUND,
    }
    Ok(response)
}
