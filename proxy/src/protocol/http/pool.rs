//! Connections to servers that are used again. HTTP/1.1 connections are lent out; HTTP/2
//! connections are shared, by as many requests as the server takes at once. A connection is reused
//! only for what it was dialled for, while the roots that verified it are still the roots, and by
//! requests that may go to its address. Everything is bounded: per endpoint, in all, and in time.
//!
//! Where a server may speak HTTP/2, one request dials and the others wait for what comes of it: so
//! many first requests make one connection. Once every shared connection is full, one more is made.

use super::lanes::{Lane, Lanes};
use super::raw::line::NextTarget;
use super::raw::marked::Markers;
use super::resend::Lent;
use crate::gate::Endpoint;
use crate::refusal::Refusal;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, timeout, timeout_at};

/// Idle HTTP/1.1 connections kept per endpoint, and in all. An agent that asks one endpoint over
/// more of them than are kept keeps paying for TLS handshakes.
const PER_ENDPOINT: usize = 64;
const IN_ALL: usize = 256;
/// HTTP/2 connections to one endpoint.
const SHARED: usize = 64;
/// An idle connection older than this is dropped. Short of what servers usually wait, so that
/// few requests meet a closing connection.
const IDLE: Duration = Duration::from_secs(30);
/// How long a connection may take to be ready again after a response was read to its end.
const READY: Duration = Duration::from_millis(250);
/// How long a request waits for a connection that another dials, or for a stream.
const PATIENCE: Duration = Duration::from_secs(60);
/// Endpoints of which it is remembered what they speak.
const PLACES: usize = 1024;

/// The body of every request that goes out.
pub(super) type UpstreamBody = Lent;

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
    Http1(http1::SendRequest<UpstreamBody>, NextTarget),
    Http2(http2::SendRequest<UpstreamBody>, Arc<Lane>, Markers),
}

/// A connection, and where it leads.
pub(super) struct Upstream {
    pub(super) sender: Sender,
    pub(super) address: SocketAddr,
}

impl Upstream {
    pub(super) fn version(&self) -> http::Version {
        match self.sender {
            Sender::Http1(..) => http::Version::HTTP_11,
            Sender::Http2(..) => http::Version::HTTP_2,
        }
    }

    /// The stream that the request goes over, where there are several.
    pub(super) fn lane(&self) -> Option<&Arc<Lane>> {
        match &self.sender {
            Sender::Http1(..) => None,
            Sender::Http2(_, lane, _) => Some(lane),
        }
    }

    /// Sends. Where not a byte of the request was written, the error carries it back. `target`: the
    /// bytes that its path and query go out as, where they are others than those of its URI.
    pub(super) async fn send(
        &mut self,
        mut request: Request<UpstreamBody>,
        target: Option<&Bytes>,
    ) -> Result<Response<Incoming>, TrySendError<Request<UpstreamBody>>> {
        match &mut self.sender {
            Sender::Http1(sender, next) => {
                next.set(&mut request, target);
                sender.try_send_request(request).await
            }
            Sender::Http2(sender, _, markers) => {
                if let Some(target) = target {
                    markers.mark(request.headers_mut(), target);
                }
                sender.try_send_request(request).await
            }
        }
    }
}

/// What there is for a request.
pub(super) enum Taken {
    Kept(Upstream),
    /// Nothing: a connection is to be made.
    Dial(Option<Flight>),
}

/// The right to make a connection that others wait for. They go on when this is dropped.
pub(super) struct Flight {
    pool: Arc<Pool>,
    key: Key,
}

/// Connections to servers that are used again.
#[derive(Default)]
pub(super) struct Pool(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    places: HashMap<Key, OfEndpoint>,
    /// Idle HTTP/1.1 connections of all places.
    idle: usize,
}

/// One endpoint.
#[derive(Default)]
struct OfEndpoint {
    idle: Vec<Idle>,
    shared: Vec<Shared>,
    /// Somebody makes a connection that can be shared.
    dialling: bool,
    /// The last connection spoke HTTP/1.1: nobody waits for the next one.
    lone: bool,
    changed: Arc<Notify>,
}

struct Idle {
    sender: http1::SendRequest<UpstreamBody>,
    next: NextTarget,
    address: SocketAddr,
    since: Instant,
}

struct Shared {
    sender: http2::SendRequest<UpstreamBody>,
    markers: Markers,
    address: SocketAddr,
    lanes: Arc<Lanes>,
    used: Instant,
}

enum Look {
    Found(Upstream),
    Nothing(Option<Key>),
    Wait(OwnedNotified),
}

impl Pool {
    /// A connection that is ready and leads to an address that `acceptable` accepts, or the right to
    /// make one.
    ///
    /// # Errors
    /// When all connections that there may be are full for [`PATIENCE`].
    pub(super) async fn take(
        self: &Arc<Self>,
        key: &Key,
        acceptable: impl Fn(SocketAddr) -> bool,
    ) -> Result<Taken, Refusal> {
        let end = Instant::now() + PATIENCE;
        loop {
            let look = self.kept().look(key, &acceptable);
            match look {
                Look::Found(mut upstream) => {
                    if upstream.is_ready().await {
                        return Ok(Taken::Kept(upstream));
                    }
                    // Closed: the next look does not find it.
                }
                Look::Nothing(key) => {
                    let flight = key.map(|key| Flight { pool: self.clone(), key });
                    return Ok(Taken::Dial(flight));
                }
                Look::Wait(changed) => {
                    timeout_at(end, changed).await.map_err(|_| Refusal::Crowded)?;
                }
            }
        }
    }

    /// Keeps an HTTP/1.1 connection whose response was read to its end.
    pub(super) fn put(&self, key: Key, upstream: Upstream) {
        let Upstream { sender: Sender::Http1(sender, next), address } = upstream else { return };
        if sender.is_closed() {
            return;
        }
        let (mut kept, now) = (self.kept(), Instant::now());
        if kept.idle >= IN_ALL {
            kept.drop_old(now);
        }
        if kept.idle >= IN_ALL {
            return;
        }
        let place = kept.place(&key);
        if place.idle.len() < PER_ENDPOINT {
            place.idle.push(Idle { sender, next, address, since: now });
            kept.idle += 1;
        }
    }

    /// Keeps an HTTP/2 connection, which others may use from now on, and takes its first stream.
    /// `stated`: how many the server takes at this moment. None where it takes none.
    pub(super) fn share(
        &self,
        key: &Key,
        sender: http2::SendRequest<UpstreamBody>,
        markers: Markers,
        address: SocketAddr,
        stated: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Option<Upstream> {
        let mut kept = self.kept();
        let place = kept.place(key);
        place.lone = false;
        let lanes = Lanes::new(stated, place.changed.clone());
        let lane = Arc::new(lanes.enter()?);
        let used = Instant::now();
        let (kept, marks) = (sender.clone(), markers.clone());
        place.shared.push(Shared { sender: kept, markers: marks, address, lanes, used });
        Some(Upstream { sender: Sender::Http2(sender, lane, markers), address })
    }

    /// The server speaks HTTP/1.1: nobody waits for a connection that another makes.
    pub(super) fn alone(&self, key: &Key) {
        self.kept().place(key).lone = true;
    }

    /// Drops what has been idle for long.
    pub(super) fn drop_old(&self) {
        self.kept().drop_old(Instant::now());
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut kept = self.pool.kept();
        let place = kept.place(&self.key);
        place.dialling = false;
        place.changed.notify_waiters();
    }
}

impl Upstream {
    async fn is_ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender, _) => {
                sender.is_ready() || matches!(timeout(READY, sender.ready()).await, Ok(Ok(())))
            }
            Sender::Http2(sender, ..) => !sender.is_closed(),
        }
    }
}

impl Kept {
    fn place(&mut self, key: &Key) -> &mut OfEndpoint {
        if !self.places.contains_key(key) && self.places.len() >= PLACES {
            self.places.retain(|_, place| place.is_used());
        }
        self.places.entry(key.clone()).or_default()
    }

    /// See [`Pool::take`].
    fn look(&mut self, key: &Key, acceptable: &impl Fn(SocketAddr) -> bool) -> Look {
        let place = self.place(key);
        let before = place.idle.len();
        let look = place.look(key, acceptable);
        let after = place.idle.len();
        self.idle = (self.idle + after).saturating_sub(before);
        look
    }

    fn drop_old(&mut self, now: Instant) {
        for place in self.places.values_mut() {
            place.drop_old(now);
        }
        self.idle = self.places.values().map(|place| place.idle.len()).sum();
    }
}

impl OfEndpoint {
    fn look(&mut self, key: &Key, acceptable: &impl Fn(SocketAddr) -> bool) -> Look {
        let now = Instant::now();
        self.drop_old(now);
        for one in self.shared.iter_mut().filter(|one| acceptable(one.address)) {
            if let Some(lane) = one.lanes.enter() {
                one.used = now;
                let (sender, markers) = (one.sender.clone(), one.markers.clone());
                let sender = Sender::Http2(sender, Arc::new(lane), markers);
                return Look::Found(Upstream { sender, address: one.address });
            }
        }
        // The most recently used one.
        if let Some(at) = self.idle.iter().rposition(|one| acceptable(one.address)) {
            let Idle { sender, next, address, .. } = self.idle.remove(at);
            return Look::Found(Upstream { sender: Sender::Http1(sender, next), address });
        }
        if self.lone || !(key.tls || key.prior_knowledge) {
            return Look::Nothing(None);
        }
        if self.dialling || self.shared.len() >= SHARED {
            return Look::Wait(self.changed.clone().notified_owned());
        }
        self.dialling = true;
        Look::Nothing(Some(key.clone()))
    }

    fn drop_old(&mut self, now: Instant) {
        let fresh = |since| now.duration_since(since) < IDLE;
        self.idle.retain(|one| fresh(one.since) && !one.sender.is_closed());
        self.shared.retain(|one| {
            let used = !one.lanes.is_idle() || fresh(one.used);
            used && !one.sender.is_closed() && !one.lanes.is_retired()
        });
    }

    const fn is_used(&self) -> bool {
        !self.idle.is_empty() || !self.shared.is_empty() || self.dialling
    }
}
