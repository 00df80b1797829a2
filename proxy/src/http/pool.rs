//! Connections to upstream servers, kept for the next request to the same place.
//!
//! A connection is reused only for the scheme, name and port that it was dialled for, while the
//! roots that verified it are still the roots, and while its address is still one that may be
//! dialled. Everything is bounded: per place, in all, and in time.

use super::leftover::Leftover;
use crate::inspect::Outgoing;
use exeat_policy::normal::Host;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Idle connections kept per place, and in all. An agent that asks one place over more HTTP/1.1
/// connections than are kept keeps paying for TLS handshakes.
const PER_PLACE: usize = 64;
const IN_ALL: usize = 256;
/// An idle connection older than this is dropped. Short of what servers usually wait, so that
/// few requests meet a closing connection.
const IDLE: Duration = Duration::from_secs(30);
/// How long a connection may take to be ready again after a response was read to its end.
const READY: Duration = Duration::from_millis(250);

/// The body of every request that goes out.
pub type UpstreamBody = Outgoing<Leftover>;

/// What a connection was dialled for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub tls: bool,
    pub host: Host,
    pub port: u16,
    /// Of the roots; see [`crate::tls::UpstreamRoots`].
    pub epoch: u64,
    /// HTTP/2 in the clear, by prior knowledge.
    pub prior_knowledge: bool,
}

/// One way to send a request.
pub enum Sender {
    One(http1::SendRequest<UpstreamBody>),
    Two(http2::SendRequest<UpstreamBody>),
}

/// A connection, and where it leads.
pub struct Upstream {
    pub sender: Sender,
    pub address: SocketAddr,
}

impl Upstream {
    pub fn version(&self) -> http::Version {
        match self.sender {
            Sender::One(_) => http::Version::HTTP_11,
            Sender::Two(_) => http::Version::HTTP_2,
        }
    }

    /// Sends. Where not a byte of the request was written, the error carries it back.
    pub async fn send(
        &mut self,
        request: Request<UpstreamBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<UpstreamBody>>> {
        match &mut self.sender {
            Sender::One(sender) => sender.try_send_request(request).await,
            Sender::Two(sender) => sender.try_send_request(request).await,
        }
    }
}

struct Idle {
    upstream: Upstream,
    since: Instant,
}

/// See the module.
#[derive(Default)]
pub struct Pool {
    places: Mutex<HashMap<Key, Vec<Idle>>>,
}

impl Pool {
    /// A connection that is ready, if there is one whose address `acceptable` accepts.
    pub async fn take(
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
                Sender::One(sender) if sender.is_ready() => true,
                Sender::One(sender) => {
                    matches!(tokio::time::timeout(READY, sender.ready()).await, Ok(Ok(())))
                }
                Sender::Two(sender) => sender.is_ready() && !sender.is_closed(),
            };
            if ready {
                return Some(upstream);
            }
            if matches!(upstream.sender, Sender::Two(_)) {
                self.forget(key);
                return None;
            }
        }
    }

    fn forget(&self, key: &Key) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Keeps a connection. HTTP/2 may be put back while requests are under way on it.
    pub fn put(&self, key: Key, upstream: Upstream) {
        let closed = match &upstream.sender {
            Sender::One(sender) => sender.is_closed(),
            Sender::Two(sender) => sender.is_closed(),
        };
        if closed {
            return;
        }
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.values().map(Vec::len).sum::<usize>() >= IN_ALL {
            let now = Instant::now();
            places.retain(|_, idle| {
                idle.retain(|one| now.duration_since(one.since) < IDLE);
                !idle.is_empty()
            });
            if places.values().map(Vec::len).sum::<usize>() >= IN_ALL {
                return;
            }
        }
        let idle = places.entry(key).or_default();
        if idle.len() < PER_PLACE {
            idle.push(Idle { upstream, since: Instant::now() });
        }
    }

    /// The most recently used one. HTTP/2 connections stay in the pool beside the one taken.
    fn pop(&self, key: &Key) -> Option<Upstream> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = places.get_mut(key)?;
        let now = Instant::now();
        let newest = idle.pop().filter(|one| now.duration_since(one.since) < IDLE);
        let Some(mut one) = newest else {
            // The others are older still.
            places.remove(key);
            return None;
        };
        if let Sender::Two(sender) = &one.upstream.sender
            && !sender.is_closed()
        {
            let sender = Sender::Two(sender.clone());
            let address = one.upstream.address;
            one.since = now;
            idle.push(one);
            return Some(Upstream { sender, address });
        }
        Some(one.upstream)
    }
}
