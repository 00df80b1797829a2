//! The world's side of an exchange: a connection from the pool or a new one, and the request on it.

use super::Inner;
use super::headers;
use super::pool::{Key, Sender, Upstream, UpstreamBody};
use super::target::Target;
use crate::gate::{Allowed, Permit, Recorded, Route};
use crate::refusal::Refusal;
use crate::wire::Bulk;
use exeat_policy::normal::Host;
use http::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a server may think before its response begins. Models think long.
const RESPONSE: Duration = Duration::from_secs(15 * 60);
const HEAD: usize = 128 * 1024;

/// How to reach the server.
pub(super) enum Way {
    Pooled(Key, Upstream),
    Route(Key, Route),
}

/// What was settled before anything is sent.
pub(super) struct Cleared<'a> {
    pub(super) target: &'a Target,
    pub(super) allowed: &'a Allowed,
    pub(super) recorded: &'a Recorded,
}

/// A request that was answered, and the connection that it was answered on.
pub(super) struct Sent {
    pub(super) response: Response<Incoming>,
    pub(super) upstream: Upstream,
    pub(super) key: Key,
}

impl Way {
    /// The address that is used, or tried first.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Pooled(_, upstream) => Some(upstream.address),
            Self::Route(_, route) => route.first(),
        }
    }
}

impl Inner {
    /// A kept connection that may still be used under the policy that allowed this request, or else
    /// a route for a new one. A WebSocket gets a connection of its own.
    pub(super) async fn way(&self, target: &Target, allowed: &Allowed) -> Result<Way, Refusal> {
        let key = self.key(allowed);
        if !target.websocket
            && let Some(upstream) =
                self.http.pool.take(&key, |address| allowed.accepts(address)).await
        {
            return Ok(Way::Pooled(key, upstream));
        }
        Ok(Way::Route(key, Box::pin(self.http.dialer.find(allowed)).await?))
    }

    /// The place in the pool.
    fn key(&self, allowed: &Allowed) -> Key {
        let epoch = self.http.upstream.under(allowed.active().roots(&self.origin.to.host)).epoch;
        let (tls, to) = (self.origin.tls, self.origin.to.clone());
        Key { tls, to, epoch, prior_knowledge: self.prior_knowledge }
    }

    /// Sends, on the pooled connection or else on a new one. A pooled connection that closed
    /// before a byte was written is replaced once.
    pub(super) async fn send(
        &self,
        way: Way,
        head: Request<()>,
        body: UpstreamBody,
        cleared: &Cleared<'_>,
    ) -> Result<Sent, Refusal> {
        // What is seldom done is boxed: the future of every request has room for all that is not.
        let (key, mut upstream, kept) = match way {
            Way::Pooled(key, upstream) => (key, upstream, true),
            Way::Route(key, route) => {
                let upstream = Box::pin(self.open(&key, route, cleared)).await?;
                (key, upstream, false)
            }
        };
        let request = self.addressed(head.map(|()| body), &upstream, cleared)?;
        let mut failed = match timeout(RESPONSE, upstream.send(request)).await {
            Err(_) => return Err(Refusal::UpstreamUnreachable),
            Ok(Ok(response)) => return Ok(Sent { response, upstream, key }),
            Ok(Err(failed)) => failed,
        };
        tracing::debug!(error = %failed.error(), kept, "Upstream failed");
        let Some(request) = failed.take_message().filter(|_| kept) else {
            return Err(Refusal::UpstreamProtocol);
        };
        let mut upstream = Box::pin(async {
            let route = self.http.dialer.find(cleared.allowed).await?;
            self.open(&key, route, cleared).await
        })
        .await?;
        let request = self.addressed(request, &upstream, cleared)?;
        match timeout(RESPONSE, upstream.send(request)).await {
            Ok(Ok(response)) => Ok(Sent { response, upstream, key }),
            _ => Err(Refusal::UpstreamProtocol),
        }
    }

    /// The request in the form that is spoken on this connection.
    fn addressed(
        &self,
        mut request: Request<UpstreamBody>,
        upstream: &Upstream,
        cleared: &Cleared<'_>,
    ) -> Result<Request<UpstreamBody>, Refusal> {
        cleared.allowed.dialled(upstream.address);
        headers::address(&mut request, cleared.target, &self.origin, upstream.version())
            .map_err(|_| Refusal::Malformed("the request makes no URI"))?;
        Ok(request)
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
            return match self.prior_knowledge {
                true => self.http2(key, stream, address).await,
                false => http1(stream, address, cleared.target.websocket).await,
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
        let stream = Bulk::new(stream);
        match http2 {
            true => self.http2(key, stream, address).await,
            false => http1(stream, address, cleared.target.websocket).await,
        }
    }

    /// HTTP/2, put into the pool at once: others may share it.
    async fn http2<T>(&self, key: &Key, stream: T, address: SocketAddr) -> Result<Upstream, Refusal>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD as u32)
            .initial_stream_window_size(512 * 1024)
            .initial_connection_window_size(2 * 1024 * 1024)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .handshake(TokioIo::new(stream));
        let (sender, connection) = match timeout(HANDSHAKE, handshake).await {
            Ok(Ok(made)) => made,
            _ => return Err(Refusal::UpstreamProtocol),
        };
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "Upstream connection ended");
            }
        });
        let shared = Upstream { sender: Sender::Http2(sender.clone()), address };
        self.http.pool.put(key.clone(), shared);
        Ok(Upstream { sender: Sender::Http2(sender), address })
    }
}

/// HTTP/1.
async fn http1<T>(stream: T, address: SocketAddr, upgrades: bool) -> Result<Upstream, Refusal>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new().max_buf_size(2 * HEAD).handshake(TokioIo::new(stream));
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
    Ok(Upstream { sender: Sender::Http1(sender), address })
}
