//! The world's side of an exchange: a connection from the pool or a new one, and the request on it.

use super::Inner;
use super::credential::Injection;
use super::expect::Leave;
use super::headers;
use super::leftover::Leftover;
use super::outgoing::Outgoing;
use super::pool::{Flight, Key, Sender, Taken, Upstream, UpstreamBody};
use super::raw::line::Lines;
use super::raw::marked::Marked;
use super::resend::{Lent, Unprocessed, unprocessed};
use super::target::Target;
use crate::credential::Secret;
use crate::gate::{Allowed, Permit, Recorded, Route};
use crate::protocol::relay::quiet;
use crate::refusal::Refusal;
use crate::wire::Bulk;
use exeat_policy::normal::Host;
use http::header::EXPECT;
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// A server's head may be this long and have this many lines; buffers have room for twice of it.
const HEAD: usize = 256 * 1024;
const HEADERS: usize = 512;

/// What a server may send over one HTTP/2 connection before it is passed on, where there is memory to
/// spare, and the least that HTTP/2 has (RFC 9113 §6.9.2).
const WINDOW: u32 = 2 * 1024 * 1024;
const LEAST_WINDOW: u32 = 65_535;

/// How often a request is sent that a server did not process.
const ATTEMPTS: usize = 3;

/// How to reach the server.
pub(super) enum Way {
    Pooled(Key, Upstream),
    Route(Key, Route, Option<Flight>),
}

/// What was settled before anything is sent.
pub(super) struct Cleared<'a> {
    pub(super) target: &'a Target,
    pub(super) allowed: &'a Allowed,
    pub(super) recorded: &'a Recorded,
    /// The agent waits for leave to send the body.
    pub(super) leave: Option<Leave>,
    /// Added as the request is sent.
    pub(super) credential: Option<Injection>,
}

/// A request that was answered, and the connection that it was answered on.
pub(super) struct Sent {
    pub(super) response: Response<Incoming>,
    pub(super) upstream: Upstream,
    pub(super) key: Key,
    /// What was added to the request, and must not be in what comes.
    pub(super) secret: Option<Arc<Secret>>,
}

/// What became of one attempt.
enum Attempt {
    Answered(Response<Incoming>),
    /// The server did not process it; here is what it was.
    Unprocessed(Box<(Request<()>, Outgoing<Leftover>)>),
    Failed(Refusal),
}

impl Way {
    /// The address that is used, or tried first.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Pooled(_, upstream) => Some(upstream.address),
            Self::Route(_, route, _) => route.first(),
        }
    }
}

impl Inner {
    /// A kept connection that may still be used under the policy that allowed this request, or else
    /// a route for a new one. A WebSocket gets a connection of its own.
    pub(super) async fn way(&self, target: &Target, allowed: &Allowed) -> Result<Way, Refusal> {
        let key = self.key(allowed);
        let mut flight = None;
        if !target.websocket {
            match self.http.pool.take(&key, |address| allowed.accepts(address)).await? {
                Taken::Kept(upstream) => return Ok(Way::Pooled(key, upstream)),
                Taken::Dial(dial) => flight = dial,
            }
        }
        Ok(Way::Route(key, Box::pin(self.http.dialer.find(allowed)).await?, flight))
    }

    /// The place in the pool.
    fn key(&self, allowed: &Allowed) -> Key {
        let epoch = self.http.upstream.under(allowed.active().roots(&self.origin.to.host)).epoch;
        let (tls, to) = (self.origin.tls, self.origin.to.clone());
        Key { tls, to, epoch, prior_knowledge: self.prior_knowledge }
    }

    /// Sends, on the pooled connection or else on a new one. What a server did not process is sent
    /// again: a pooled connection may close before a byte was written, and an HTTP/2 server may
    /// refuse a stream or leave.
    pub(super) async fn send(
        &self,
        way: Way,
        mut head: Request<()>,
        mut body: Outgoing<Leftover>,
        cleared: &Cleared<'_>,
    ) -> Result<Sent, Refusal> {
        let mut way = Some(way);
        for _ in 0..ATTEMPTS {
            let next = match way.take() {
                Some(way) => way,
                None => Box::pin(self.way(cleared.target, cleared.allowed)).await?,
            };
            // What is seldom done is boxed: the future of every request has room for all that is
            // not.
            let (key, mut upstream) = match next {
                Way::Pooled(key, upstream) => (key, upstream),
                Way::Route(key, route, flight) => {
                    let upstream = Box::pin(self.open(&key, route, cleared)).await?;
                    drop(flight);
                    (key, upstream)
                }
            };
            cleared.allowed.dialled(upstream.address);
            match self.attempt(&mut upstream, head, body, cleared).await {
                Attempt::Answered(mut response) => {
                    let credential = cleared.credential.as_ref();
                    credential.map_or(Ok(()), |it| it.mask_head(&mut response))?;
                    let secret = credential.map(|it| it.secret.clone());
                    return Ok(Sent { response, upstream, key, secret });
                }
                Attempt::Unprocessed(again) => (head, body) = *again,
                Attempt::Failed(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::UpstreamProtocol)
    }

    /// Sends once.
    async fn attempt(
        &self,
        upstream: &mut Upstream,
        head: Request<()>,
        mut body: Outgoing<Leftover>,
        cleared: &Cleared<'_>,
    ) -> Attempt {
        body.goes_over(upstream.lane());
        let kept_head = upstream.lane().map(|_| head.clone());
        let (lent, lender) = match kept_head {
            Some(_) => {
                let (lent, lender) = Lent::for_now(body);
                (lent, Some(lender))
            }
            None => (Lent::for_good(body), None),
        };
        let mut request = head.map(|()| lent);
        let (target, version) = (cleared.target, upstream.version());
        if headers::address(&mut request, target, &self.origin, version).is_err() {
            return Attempt::Failed(Refusal::Malformed("the request makes no URI"));
        }
        if let Some(Err(refusal)) = cleared.credential.as_ref().map(|it| it.put(&mut request)) {
            return Attempt::Failed(refusal);
        }
        self.expecting(&mut request, cleared);
        let sent = tokio::select! {
            biased;
            sent = upstream.send(request, target.sent_as.as_ref()) => sent,
            () = quiet(cleared.recorded.counts().clone()) => {
                return Attempt::Failed(Refusal::UpstreamSilent);
            }
        };
        let mut failed = match sent {
            Ok(response) => return Attempt::Answered(response),
            Err(failed) => failed,
        };
        tracing::debug!(error = %failed.error(), "Upstream failed");
        if let Some(request) = failed.take_message() {
            let (parts, lent) = request.into_parts();
            return match lent.take_back() {
                Some(body) => {
                    Attempt::Unprocessed(Box::new((Request::from_parts(parts, ()), body)))
                }
                None => Attempt::Failed(Refusal::UpstreamProtocol),
            };
        }
        let (Some(why), Some(lane)) = (unprocessed(failed.error()), upstream.lane()) else {
            return Attempt::Failed(Refusal::UpstreamProtocol);
        };
        match why {
            Unprocessed::Refused => lane.refused(),
            Unprocessed::GoneAway => lane.retire(),
        }
        let (Some(lender), Some(head)) = (lender, kept_head) else {
            return Attempt::Failed(Refusal::UpstreamProtocol);
        };
        match lender.take_back().await {
            Some(body) => Attempt::Unprocessed(Box::new((head, body))),
            None => Attempt::Failed(Refusal::UpstreamProtocol),
        }
    }

    /// The expectation of a request that is sent over HTTP/1.1, and what the server says to it. Over
    /// HTTP/2 the body goes at once: there is no word of it to wait for.
    fn expecting(&self, request: &mut Request<UpstreamBody>, cleared: &Cleared<'_>) {
        let Some(leave) = &cleared.leave else { return };
        if request.version() != Version::HTTP_11 {
            leave.give();
            return;
        }
        request.headers_mut().insert(EXPECT, HeaderValue::from_static("100-continue"));
        if let Some(body) = request.body_mut().body() {
            body.waits_for(Some(leave.waiting()));
        }
        let leave = leave.clone();
        hyper::ext::on_informational(request, move |interim| {
            if interim.status() == StatusCode::CONTINUE {
                leave.give();
            }
        });
    }

    /// Dials, and speaks what the agent's side and the server agree on.
    async fn open(
        &self,
        key: &Key,
        route: Route,
        cleared: &Cleared<'_>,
    ) -> Result<Upstream, Refusal> {
        let permit = Permit::grant(cleared.allowed, cleared.recorded, route)?;
        let (stream, address) = self.http.dialer.dial(permit).await?;
        if !self.origin.tls {
            // Plain HTTP/1.1 is never waited for: see `Pool`.
            return match self.prior_knowledge {
                true => self.http2(key, stream, address).await,
                false => self.http1(stream, address, cleared.target.websocket).await,
            };
        }
        let roots = self.http.upstream.under(cleared.allowed.active().roots(&self.origin.to.host));
        let config = if cleared.target.websocket { &roots.http1 } else { &roots.any };
        let name = match self.origin.certified() {
            Host::Name(name) => {
                ServerName::try_from(name.as_str().to_owned()).map_err(|_| Refusal::UpstreamTls)?
            }
            Host::Ip(ip) => ServerName::from(*ip),
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = match timeout(HANDSHAKE, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::info!(host = %self.origin.to.host, %error, "Upstream TLS refused");
                return Err(Refusal::UpstreamTls);
            }
            Err(_) => return Err(Refusal::UpstreamTls),
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if http2 {
            return self.http2(key, stream, address).await;
        }
        if !cleared.target.websocket {
            self.http.pool.alone(key);
        }
        self.http1(stream, address, cleared.target.websocket).await
    }

    /// HTTP/2, put into the pool at once: others may share it.
    async fn http2<T>(&self, key: &Key, stream: T, address: SocketAddr) -> Result<Upstream, Refusal>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let memory = &self.http.memory;
        let room = match memory.spare(WINDOW as usize) {
            Some(room) => room,
            None => memory.take(LEAST_WINDOW as usize).await.map_err(|_| Refusal::Overloaded)?,
        };
        let window = if room.bytes() >= WINDOW as usize { WINDOW } else { LEAST_WINDOW };
        let stream = Marked::new(Bulk::new(stream, memory.clone()));
        let markers = stream.markers();
        let handshake = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(2 * HEAD as u32)
            .initial_stream_window_size(window.min(512 * 1024))
            // No pings: gRPC servers end connections that send more than one in five minutes without
            // data (GOAWAY `too_many_pings`). TCP keep-alive finds servers that vanished.
            .initial_connection_window_size(window)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = match timeout(HANDSHAKE, handshake).await {
            Ok(Ok(made)) => made,
            _ => return Err(Refusal::UpstreamProtocol),
        };
        // Shared with the pool, which asks it how many streams the server takes.
        let connection = Arc::new(Mutex::new(connection));
        let asked = Arc::downgrade(&connection);
        tokio::spawn(poll_fn(move |cx| {
            let _until_ended = &room;
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            Pin::new(&mut *connection).poll(cx).map(|ended| {
                if let Err(error) = ended {
                    tracing::debug!(%error, "Upstream connection ended");
                }
            })
        }));
        let stated = move || {
            asked.upgrade().map_or(0, |connection| {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                connection.current_max_send_streams()
            })
        };
        self.http.pool.share(key, sender, markers, address, stated).ok_or(Refusal::Crowded)
    }

    /// HTTP/1.
    async fn http1<T>(
        &self,
        stream: T,
        address: SocketAddr,
        upgrades: bool,
    ) -> Result<Upstream, Refusal>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Lines::new(Bulk::new(stream, self.http.memory.clone()));
        let next = stream.next();
        let handshake = http1::Builder::new()
            .max_buf_size(2 * HEAD)
            .max_headers(HEADERS)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = match timeout(HANDSHAKE, handshake).await {
            Ok(Ok(made)) => made,
            _ => return Err(Refusal::UpstreamProtocol),
        };
        tokio::spawn(async move {
            let ended = if upgrades { connection.with_upgrades().await } else { connection.await };
            if let Err(error) = ended {
                tracing::debug!(%error, "Upstream connection ended");
            }
        });
        Ok(Upstream { sender: Sender::Http1(sender, next), address })
    }
}
