//! HTTP between the agent and the world, request by request.
//!
//! [`Session`] is one connection of the agent's; [`exchange`] takes one request through it:
//! normalise, decide, inspect, route, record, dial, send, relay. Each step needs what the one
//! before it made.

mod content;
mod credential;
mod echo;
mod ended;
mod exchange;
mod expect;
pub mod framing;
mod headers;
mod heads;
mod lanes;
mod leftover;
mod masked;
mod outgoing;
mod pool;
mod problem;
pub mod raw;
mod relayed;
mod resend;
mod strict;
mod target;
mod upstream;
mod websocket;

pub use target::{Origin, Target};

use crate::credential::Credentials;
use crate::dial::Dialer;
use crate::gate::Gate;
use crate::metrics::Spoken;
use crate::refusal::Refusal;
use crate::tls::UpstreamTls;
use crate::wire::{Bulk, Memory, Peer};
use ended::UnderWay;
use framing::{HEAD_LIMIT, HEADER_LIMIT};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pool::Pool;
use raw::reader::Reader;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use strict::{Strict, Switch};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use websocket::Tunnel;

/// A head must be complete in this time; also how long a kept connection may idle.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// How often idle connections to servers are looked at.
const TEND: Duration = Duration::from_secs(10);
/// What may be on its way over one HTTP/2 connection of the agent's before it is passed on.
const WINDOW: u32 = 256 * 1024;
/// The least that HTTP/2 has (RFC 9113 §6.9.2).
const LEAST_WINDOW: u32 = 65_535;
/// Requests at once over one HTTP/2 connection of the agent's.
const STREAMS: u32 = 512;

/// What a request may touch. One for all connections of an agent.
pub struct Http {
    gate: Gate,
    dialer: Dialer,
    upstream: UpstreamTls,
    pool: Arc<Pool>,
    memory: Memory,
    credentials: Arc<Credentials>,
    drain: CancellationToken,
}

impl Http {
    /// `drain`: cancelled when the proxy drains; requests under way end, connections take no more.
    pub fn new(
        gate: Gate,
        dialer: Dialer,
        memory: Memory,
        credentials: Arc<Credentials>,
        drain: CancellationToken,
    ) -> Self {
        let (upstream, pool) = (UpstreamTls::default(), Arc::default());
        Self { gate, dialer, upstream, pool, memory, credentials, drain }
    }
}

impl Http {
    /// Closes connections that nobody used for long. For ever.
    pub async fn tend(&self) {
        loop {
            tokio::time::sleep(TEND).await;
            self.pool.drop_old();
        }
    }
}

/// Serves a connection; once the proxy drains, only to the end of what is under way. A macro, for
/// hyper's connections have this method in common and no trait.
macro_rules! until_drained {
    ($connection:expr, $drain:expr) => {{
        let mut connection = pin!($connection);
        let ended: hyper::Result<()> = tokio::select! {
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
    under_way: UnderWay,
    /// What an HTTP/1 connection becomes once it was upgraded.
    tunnel: Tunnel,
    /// The program behind the connection, where it can be asked for.
    peer: Option<Peer>,
}

/// Whether a connection carried a request.
pub struct Asked(UnderWay);

impl Asked {
    pub fn anything(&self) -> bool {
        self.0.any()
    }
}

impl Session {
    /// `refusal`: the answer to every request, where the connection itself is refused.
    pub fn new(http: Arc<Http>, origin: Origin, refusal: Option<Refusal>) -> Self {
        Self(Inner {
            http,
            origin,
            refusal,
            prior_knowledge: false,
            switch: None,
            under_way: UnderWay::default(),
            tunnel: Tunnel::default(),
            peer: None,
        })
    }

    /// The agent speaks HTTP/2 in the clear (RFC 9113 §3.3).
    pub fn prior_knowledge(mut self) -> Self {
        self.0.prior_knowledge = true;
        self
    }

    /// Who is at the other end of the connection.
    pub fn with_peer(mut self, peer: Option<Peer>) -> Self {
        self.0.peer = peer;
        self
    }

    /// Tells, after the connection, whether anything was asked over it.
    pub fn asked(&self) -> Asked {
        Asked(self.0.under_way.clone())
    }

    /// Serves HTTP/1.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn serve_http1<T>(mut self, stream: T) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (under_way, peer) = (self.0.under_way.clone(), self.0.peer.take());
        let metrics = self.0.http.gate.journal().metrics().clone();
        let memory = self.0.http.memory.clone();
        let stream = Bulk::new(stream, memory.clone());
        let stream = Strict::new(stream, under_way, peer, metrics, memory);
        self.0.switch = Some(stream.switch());
        let session = Arc::new(self.0);
        let (drain, carrier) = (session.http.drain.clone(), session.clone());
        let service = service_fn(move |request| {
            let session = session.clone();
            async move { Ok::<_, Infallible>(exchange::answer(session, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // What an end means is told by `Strict`: a client may end its side once it has asked,
            // and still read; one that has left is not answered any more.
            .half_close(false)
            .header_read_timeout(HEAD_TIME)
            // And one line of the proxy's own, see `raw`.
            .max_headers(HEADER_LIMIT + 1)
            .max_buf_size(2 * HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        until_drained!(connection, drain)?;
        carrier.tunnel.carry().await;
        Ok(())
    }

    /// Serves HTTP/2.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn serve_http2<T>(mut self, stream: T) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let metrics = self.0.http.gate.journal().metrics().clone();
        let memory = self.0.http.memory.clone();
        let room = memory.take(WINDOW as usize + HEAD_LIMIT).await;
        // Without room every request is refused, and little is read to find out what they are.
        let (window, streams) = if room.is_ok() { (WINDOW, STREAMS) } else { (LEAST_WINDOW, 1) };
        if room.is_err() {
            self.0.refusal.get_or_insert(Refusal::Overloaded);
        }
        let session = Arc::new(self.0);
        let drain = session.http.drain.clone();
        let service = service_fn(move |request| {
            let session = session.clone();
            async move { Ok::<_, Infallible>(exchange::answer(session, request).await) }
        });
        let stream = Reader::new(Bulk::new(stream, memory.clone()), memory);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(streams)
            .max_header_list_size(HEAD_LIMIT as u32)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64)
            .initial_stream_window_size(window / 4)
            .initial_connection_window_size(window)
            // No pings: a client that writes a long body reads nothing meanwhile, and would answer
            // none. That it is gone is told by the kernel.
            .max_send_buf_size(256 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        let ended = until_drained!(connection, drain);
        if ended.as_ref().is_err_and(breaks_http2) {
            metrics.malformed(Spoken::Http2);
        }
        drop(room);
        ended
    }
}

/// Whether a connection was ended because the agent broke HTTP/2.
fn breaks_http2(error: &io::Error) -> bool {
    let mut source = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.is_library();
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.get_ref().is_some_and(|inner| inner.is::<raw::heads::Unreadable>());
        }
        source = error.source();
    }
    false
}
