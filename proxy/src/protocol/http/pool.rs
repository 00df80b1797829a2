//! Connections to upstream servers, kept for the next request to the same endpoint.
//!
//! A connection is reused only for the scheme, name and port that it was dialled for, while the
//! roots that verified it are still the roots, and while its address is still one that may be
//! dialled. Everything is bounded: per endpoint, in all, and in time.

use super::leftover::Leftover;
use super::outgoing::Outgoing;
use crate::gate::Endpoint;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Idle connections kept per endpoint, and in all. An agent that asks one endpoint over more HTTP/1.1
/// connections than are kept keeps paying for TLS handshakes.
const PER_ENDPOINT: usize = 64;
const IN_ALL: usize = 256;
/// An idle connection older than this is dropped. Short of what servers usually wait, so that
/// few requests meet a closing connection.
const IDLE: Duration = Duration::from_secs(30);
/// How long a connection may take to be ready again after a response was read to its end.
const READY: Duration = Duration::from_millis(250);

/// The body of every request that goes out.
pub(super) type UpstreamBody = Outgoing<Leftover>;

/// What a connection was dialled for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tls: bool,
    pub(super) to: Arc<Endpoint>,
    /// Of the roots; see [`crate::tls::UpstreamRoots`].
    pub(super) epoch: u64,
    /// HTTP/2 in the clear, by prior knowledge.
    pub(super) prior_knowledge: bool,
}

/// One way to send a request.
pub(super) enum Sender {
    Http1(http1::SendRequest<UpstreamBody>),
    Http2(http2::SendRequest<UpstreamBody>),
}

/// A connection, and where it leads.
pub(super) struct Upstream {
    pub(super) sender: Sender,
    pub(super) address: SocketAddr,
}

impl Upstream {
    pub(super) fn version(&self) -> http::Version {
        match self.sender {
            Sender::Http1(_) => http::Version::HTTP_11,
            Sender::Http2(_) => http::Version::HTTP_2,
        }
    }

    /// Sends. Where not a byte of the request was written, the error carries it back.
    pub(super) async fn send(
        &mut self,
        request: Request<UpstreamBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<UpstreamBody>>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

struct Idle {
    upstream: Upstream,
    since: Instant,
}

/// See the module.
#[derive(Default)]
pub(super) struct Pool(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_key: HashMap<Key, Vec<Idle>>,
    /// Of all keys together.
    count: usize,
}

impl Pool {
    /// A connection that is ready, if there is one whose address `acceptable` accepts.
    pub(super) async fn take(
        &self,
        key: &Key,
        acceptable: impl Fn(SocketAddr) -> bool,
    ) -> Option<Upstream> {
        loop {
            let mut upstream = self.pop(key)?;
            if !acceptable(upstream.address) {
                self.forget(key);
                return None;
            }
            let ready = match &mut upstream.sender {
                Sender::Http1(sender) if sender.is_ready() => true,
                Sender::Http1(sender) => {
                    matches!(tokio::time::timeout(READY, sender.ready()).await, Ok(Ok(())))
                }
                Sender::Http2(sender) => sender.is_ready() && !sender.is_closed(),
            };
            if ready {
                return Some(upstream);
            }
            if matches!(upstream.sender, Sender::Http2(_)) {
                self.forget(key);
                return None;
            }
        }
    }

    fn forget(&self, key: &Key) {
        self.kept().remove(key);
    }

    /// Keeps a connection. HTTP/2 may be put back while requests are under way on it.
    pub(super) fn put(&self, key: Key, upstream: Upstream) {
        let closed = match &upstream.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        };
        if closed {
            return;
        }
        let mut kept = self.kept();
        if kept.count >= IN_ALL {
            kept.drop_old(Instant::now());
        }
        if kept.count >= IN_ALL {
            return;
        }
        let idle = kept.by_key.entry(key).or_default();
        if idle.len() < PER_ENDPOINT {
            idle.push(Idle { upstream, since: Instant::now() });
            kept.count += 1;
        }
    }

    /// The most recently used one. HTTP/2 connections stay in the pool beside the one taken.
    fn pop(&self, key: &Key) -> Option<Upstream> {
        let mut kept = self.kept();
        let idle = kept.by_key.get_mut(key)?;
        let now = Instant::now();
        let newest = idle.last_mut().filter(|one| now.duration_since(one.since) < IDLE);
        let Some(one) = newest else {
            // The others are older still.
            kept.remove(key);
            return None;
        };
        if let Sender::Http2(sender) = &one.upstream.sender
            && !sender.is_closed()
        {
            one.since = now;
            let (sender, address) = (Sender::Http2(sender.clone()), one.upstream.address);
            return Some(Upstream { sender, address });
        }
        let one = idle.pop()?;
        kept.count -= 1;
        Some(one.upstream)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) {
        let removed = self.by_key.remove(key).map_or(0, |idle| idle.len());
        self.count -= removed;
    }

    fn drop_old(&mut self, now: Instant) {
        self.by_key.retain(|_, idle| {
            idle.retain(|one| now.duration_since(one.since) < IDLE);
            !idle.is_empty()
        });
        self.count = self.by_key.values().map(Vec::len).sum();
    }
}
