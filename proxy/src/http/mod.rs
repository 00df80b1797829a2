//! HTTP between the agent and the world, request by request.
//!
//! [`Session`] is one connection of the agent's; [`exchange`] takes one request through it:
//! normalise, decide, inspect, route, record, dial, send, relay. The steps are in that order in
//! one function, and each needs what the one before it made.

mod exchange;
pub mod framing;
mod headers;
mod leftover;
pub mod pool;
mod relayed;
mod strict;
mod target;
mod upstream;
mod websocket;

pub(crate) use target::METHOD_LIMIT;
pub use target::{Place, Target};

use crate::connection::Pipeline;
use crate::problem::Refusal;
use framing::{HEAD_LIMIT, HEADER_LIMIT};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use strict::{Strict, Switch};
use tokio::io::{AsyncRead, AsyncWrite};

/// A head must be complete in this time; also how long a kept connection may idle.
const HEAD_TIME: Duration = Duration::from_secs(60);
const STREAMS: u32 = 128;
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// One connection of the agent's.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    pipeline: Arc<Pipeline>,
    place: Place,
    /// Answers every request: the connection itself was wrong.
    refusal: Option<Refusal>,
    /// The agent speaks HTTP/2 in the clear, so the server is taken to do so too.
    prior_knowledge: bool,
    /// Ends the strict reading of HTTP/1 once a connection becomes a WebSocket.
    switch: Option<Switch>,
}

impl Session {
    pub fn new(pipeline: Arc<Pipeline>, place: Place, refusal: Option<Refusal>) -> Self {
        Self(Arc::new(Inner { pipeline, place, refusal, prior_knowledge: false, switch: None }))
    }

    /// The agent speaks HTTP/2 in the clear.
    pub fn prior_knowledge(self) -> Self {
        self.with(|inner| inner.prior_knowledge = true)
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let Inner { pipeline, place, refusal, prior_knowledge, switch } = &*self.0;
        let mut inner = Inner {
            pipeline: pipeline.clone(),
            place: place.clone(),
            refusal: refusal.clone(),
            prior_knowledge: *prior_knowledge,
            switch: switch.clone(),
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Serves HTTP/1.
    pub async fn serve_one<T>(self, stream: T) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Strict::new(stream);
        let switch = stream.switch();
        let session = self.with(|inner| inner.switch = Some(switch));
        let drain = session.0.pipeline.drain.clone();
        let service = service_fn(move |request| {
            let session = session.0.clone();
            async move { Ok::<_, Infallible>(exchange::answer(session, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // A client may end its side once it has asked, and still read.
            .half_close(true)
            .header_read_timeout(HEAD_TIME)
            .max_headers(HEADER_LIMIT)
            .max_buf_size(2 * HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        ended.map_err(io::Error::other)
    }

    /// Serves HTTP/2.
    pub async fn serve_two<T>(self, stream: T) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let drain = self.0.pipeline.drain.clone();
        let service = service_fn(move |request| {
            let session = self.0.clone();
            async move { Ok::<_, Infallible>(exchange::answer(session, request).await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD_LIMIT as u32)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64)
            .initial_stream_window_size(256 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_send_buf_size(256 * 1024)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        ended.map_err(io::Error::other)
    }
}
