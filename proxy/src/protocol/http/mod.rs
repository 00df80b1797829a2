//! HTTP between the agent and the world, request by request.
//!
//! [`Session`] is one connection of the agent's; [`exchange`] takes one request through it:
//! normalise, decide, inspect, route, record, dial, send, relay. Each step needs what the one
//! before it made.

mod exchange;
pub mod framing;
mod headers;
mod leftover;
mod outgoing;
mod pool;
mod problem;
mod relayed;
mod strict;
mod target;
mod upstream;
mod websocket;

pub use target::{Origin, Target};

use crate::content::Budget;
use crate::dial::Dialer;
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::tls::UpstreamTls;
use framing::{HEAD_LIMIT, HEADER_LIMIT};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pool::Pool;
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use strict::{Strict, Switch};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// A head must be complete in this time; also how long a kept connection may idle.
const HEAD_TIME: Duration = Duration::from_secs(60);
const STREAMS: u32 = 128;
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// What a request may touch. One for all connections of an agent.
pub struct Http {
    gate: Gate,
    dialer: Dialer,
    upstream: UpstreamTls,
    pool: Pool,
    budget: Budget,
    drain: CancellationToken,
}

impl Http {
    /// `drain`: cancelled when the proxy drains; requests under way end, connections take no more.
    pub fn new(gate: Gate, dialer: Dialer, drain: CancellationToken) -> Self {
        let (upstream, pool, budget) = (UpstreamTls::default(), Pool::default(), Budget::default());
        Self { gate, dialer, upstream, pool, budget, drain }
    }
}

/// Serves a connection; once the proxy drains, only to the end of what is under way. A macro, for
/// hyper's connections have this method in common and no trait.
macro_rules! until_drained {
    ($connection:expr, $drain:expr) => {{
        let mut connection = pin!($connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = $drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        ended.map_err(io::Error::other)
    }};
}

/// One connection of the agent's.
pub struct Session(Inner);

struct Inner {
    http: Arc<Http>,
    origin: Origin,
    /// Answers every request: the connection itself was wrong.
    refusal: Option<Refusal>,
    /// The agent speaks HTTP/2 in the clear, so the server is taken to do so too.
    prior_knowledge: bool,
    /// Ends the strict reading of HTTP/1 once a connection becomes a WebSocket.
    switch: Option<Switch>,
}

impl Session {
    /// `refusal`: the answer to every request, where the connection itself is refused.
    pub fn new(http: Arc<Http>, origin: Origin, refusal: Option<Refusal>) -> Self {
        Self(Inner { http, origin, refusal, prior_knowledge: false, switch: None })
    }

    /// The agent speaks HTTP/2 in the clear (RFC 9113 §3.3).
    pub fn prior_knowledge(mut self) -> Self {
        self.0.prior_knowledge = true;
        self
    }

    /// Serves HTTP/1.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn serve_http1<T>(mut self, stream: T) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Strict::new(stream);
        self.0.switch = Some(stream.switch());
        let session = Arc::new(self.0);
        let drain = session.http.drain.clone();
        let service = service_fn(move |request| {
            let session = session.clone();
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
        until_drained!(connection, drain)
    }

    /// Serves HTTP/2.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn serve_http2<T>(self, stream: T) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let session = Arc::new(self.0);
        let drain = session.http.drain.clone();
        let service = service_fn(move |request| {
            let session = session.clone();
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
        until_drained!(connection, drain)
    }
}
