//! The world's side of an exchange: a connection from the pool or a new one, and the request on it.

use super::Inner;
use super::headers;
use super::pool::{Key, Sender, Upstream, UpstreamBody};
use super::target::Target;
use crate::connection::{Allowed, Recorded};
use crate::dial::{Permit, Route, acceptable, dial};
use crate::problem::Refusal;
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
    Pooled(Upstream),
    Route(Route),
}

/// What has been settled before anything is sent.
pub(super) struct Step<'a> {
    pub(super) target: &'a Target,
    pub(super) allowed: &'a Allowed,
    pub(super) recorded: &'a Recorded,
}

/// A request that was answered, and the connection that it was answered on.
pub(super) struct Sent {
    pub(super) response: Response<Incoming>,
    pub(super) upstream: Upstream,
}

impl Inner {
    /// The place in the pool.
    pub(super) fn key(&self, allowed: &Allowed) -> Key {
        let epoch = self.pipeline.upstream.under(&allowed.active.upstream_roots).epoch;
        let (tls, host, port) = (self.place.tls, self.place.host.clone(), self.place.port);
        Key { tls, host, port, epoch, prior_knowledge: self.prior_knowledge }
    }

    /// A kept connection that may still be used under the policy that allowed this request. A
    /// WebSocket gets a connection of its own.
    pub(super) async fn pooled(
        &self,
        key: &Key,
        target: &Target,
        allowed: &Allowed,
    ) -> Option<Upstream> {
        if target.websocket {
            return None;
        }
        self.pipeline
            .pool
            .take(key, |address| acceptable(&allowed.active, &allowed.wish, address))
            .await
    }

    /// Sends, on the pooled connection or else on a new one. A pooled connection that closed
    /// before a byte was written is replaced once.
    pub(super) async fn send(
        &self,
        key: &Key,
        way: Way,
        head: Request<()>,
        body: UpstreamBody,
        step: &Step<'_>,
    ) -> Result<Sent, Refusal> {
        let (mut upstream, kept) = match way {
            Way::Pooled(upstream) => (upstream, true),
            Way::Route(route) => (self.open(key, route, step).await?, false),
        };
        step.allowed.dialled(upstream.address);
        let mut request = head.map(|()| body);
        headers::address(&mut request, step.target, &self.place, upstream.version())
            .map_err(|_| Refusal::MalformedHead("the request makes no URI"))?;
        let mut failed = match timeout(RESPONSE, upstream.send(request)).await {
            Err(_) => return Err(Refusal::UpstreamUnreachable),
            Ok(Ok(response)) => return Ok(Sent { response, upstream }),
            Ok(Err(failed)) => failed,
        };
        tracing::debug!(error = %failed.error(), kept, "Upstream failed");
        let Some(mut request) = failed.take_message().filter(|_| kept) else {
            return Err(Refusal::UpstreamProtocol);
        };
        let route = Route::find(&self.pipeline, step.allowed).await?;
        let mut upstream = self.open(key, route, step).await?;
        step.allowed.dialled(upstream.address);
        headers::address(&mut request, step.target, &self.place, upstream.version())
            .map_err(|_| Refusal::MalformedHead("the request makes no URI"))?;
        match timeout(RESPONSE, upstream.send(request)).await {
            Ok(Ok(response)) => Ok(Sent { response, upstream }),
            _ => Err(Refusal::UpstreamProtocol),
        }
    }

    /// Dials, and speaks what the place and the server agree on.
    async fn open(&self, key: &Key, route: Route, step: &Step<'_>) -> Result<Upstream, Refusal> {
        let permit = Permit::grant(step.allowed, step.recorded, route)?;
        let (stream, address) = dial(&self.pipeline, permit).await?;
        if !self.place.tls {
            return match self.prior_knowledge {
                true => self.two(key, stream, address).await,
                false => one(stream, address, step.target.websocket).await,
            };
        }
        let roots = self.pipeline.upstream.under(&step.allowed.active.upstream_roots);
        let config = if step.target.websocket { &roots.one } else { &roots.any };
        let name = match &self.place.host {
            Host::Name(name) => {
                ServerName::try_from(name.as_str().to_owned()).map_err(|_| Refusal::UpstreamTls)?
            }
            Host::Ip(ip) => ServerName::from(*ip),
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = match timeout(HANDSHAKE, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::info!(host = %self.place.host, %error, "Upstream TLS refused");
                return Err(Refusal::UpstreamTls);
            }
            Err(_) => return Err(Refusal::UpstreamTls),
        };
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => self.two(key, stream, address).await,
            _ => one(stream, address, step.target.websocket).await,
        }
    }

    /// HTTP/2, put into the pool at once: others may share it.
    async fn two<T>(&self, key: &Key, stream: T, address: SocketAddr) -> Result<Upstream, Refusal>
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
        let shared = Upstream { sender: Sender::Two(sender.clone()), address };
        self.pipeline.pool.put(key.clone(), shared);
        Ok(Upstream { sender: Sender::Two(sender), address })
    }
}

/// HTTP/1.
async fn one<T>(stream: T, address: SocketAddr, upgrades: bool) -> Result<Upstream, Refusal>
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
    Ok(Upstream { sender: Sender::One(sender), address })
}
