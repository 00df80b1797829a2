//! The front door: where a connection was going, what it speaks, and who takes it from there.
//!
//! 1. The original destination becomes a name (a synthetic address), an address, or nothing.
//! 2. The first bytes tell the protocol ([`detect`]), the more carefully the more is at stake.
//! 3. TLS is terminated and HTTP is read, request by request ([`crate::protocol::http`]), unless
//!    only a `network.connect` rule speaks of the host: then it is relayed as it is
//!    ([`crate::protocol::opaque`]), as is every other protocol that such a rule allows.
//! 4. What nothing allows is answered where it can be, and reset where it cannot.

mod agent;
mod intercept;
mod silent;

pub use agent::Agent;

use crate::credential::Credentials;
use crate::dial::Dialer;
use crate::dns::Meaning;
use crate::gate::{Ask, Endpoint, Subject};
use crate::metrics::ProxyMetrics;
use crate::protocol::http::{Http, Origin, Session};
use crate::protocol::opaque::Opaque;
use crate::refusal::Refusal;
use crate::wire::detect::{Detected, Protocol, detect};
use crate::wire::{Io, Memory, Peer, Prefixed};
use exeat_policy::normal::Host;
use exeat_policy::pattern::Scheme;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a silent client is waited for where its server may speak first: long enough for the
/// first bytes of a client that begins. What comes later is looked at all the same.
const SERVER_MAY_SPEAK: Duration = Duration::from_millis(50);
/// The same where nothing is allowed, and where only the client can begin.
const HOPELESS: Duration = Duration::from_secs(5);
const CLIENT_MUST_SPEAK: Duration = Duration::from_secs(60);

/// Takes the connections of one agent.
pub struct Front {
    agent: Agent,
    http: Arc<Http>,
    opaque: Opaque,
    drain: CancellationToken,
}

impl Front {
    /// `memory`: for what the agent sends. `drain`: cancelled when the proxy drains.
    pub fn new(
        agent: Agent,
        dialer: Dialer,
        memory: Memory,
        credentials: Arc<Credentials>,
        drain: CancellationToken,
    ) -> Self {
        let gate = agent.gate.clone();
        let (outside, held) = (dialer.clone(), memory.clone());
        let http = Http::new(gate.clone(), outside, held, credentials, drain.clone());
        let http = Arc::new(http);
        let opaque = Opaque { gate, dialer, memory, drain: drain.clone() };
        Self { agent, http, opaque, drain }
    }

    /// Looks after what connections leave behind. For ever.
    pub async fn tend(self: Arc<Self>) {
        self.http.tend().await;
    }

    /// Serves one connection to its end. `original` is where the agent connected to.
    pub async fn serve(self: Arc<Self>, stream: Io, original: SocketAddr) {
        let metrics = self.metrics();
        metrics.connected();
        if let Err(error) = self.dispatch(stream, original).await {
            tracing::debug!(%error, "Connection ended");
        }
        metrics.connections_open.dec();
    }

    fn metrics(&self) -> &ProxyMetrics {
        self.agent.gate.journal().metrics()
    }

    async fn dispatch(&self, stream: Io, original: SocketAddr) -> io::Result<()> {
        stream.prepare()?;
        // Mapped IPv4 is IPv4.
        let address = original.ip().to_canonical();
        let (host, known) = match self.agent.names.meaning(address) {
            Meaning::Name(name) => (Host::Name(name), true),
            Meaning::Address => (Host::Ip(address), true),
            Meaning::Nothing => (Host::Ip(address), false),
        };
        let to = Arc::new(Endpoint { host, port: original.port() });
        if !known {
            let subject = Subject::connection(Scheme::Tcp, &to);
            self.agent.gate.refuse(&subject, &Refusal::UnknownAddress, None);
            stream.reset();
            return Ok(());
        }
        let peer = Peer::of(&stream, original);
        if self.refused_at_once(&stream, &to) {
            return Ok(());
        }
        let (patience, care) = (self.patience(&to), self.agent.gate.care(&to));
        let found = tokio::select! {
            found = detect(stream, patience, care) => found?,
            () = self.drain.cancelled() => return Ok(()),
        };
        match found {
            Detected::Left => {
                self.said_nothing(Scheme::Tcp, &to);
                Ok(())
            }
            Detected::Silent(stream) => {
                if self.refused_in_silence(&stream, &to) {
                    return Ok(());
                }
                match self.opaque.serve(stream, Scheme::Tcp, to.clone()).await {
                    Some((protocol, stream)) => self.hand_over(protocol, stream, to, peer).await,
                    None => Ok(()),
                }
            }
            Detected::Spoke(protocol, stream) => self.hand_over(protocol, stream, to, peer).await,
        }
    }

    /// How long a silent client is waited for.
    fn patience(&self, to: &Arc<Endpoint>) -> Duration {
        let gate = &self.agent.gate;
        let ask = Ask::Connect { scheme: Scheme::Tcp, to: to.clone() };
        match gate.rule(ask).at_once() {
            Ok(_) => SERVER_MAY_SPEAK,
            Err(_) if self.is_hopeless(to) => HOPELESS,
            Err(_) => CLIENT_MUST_SPEAK,
        }
    }

    /// Gives a connection to the protocol that it speaks.
    async fn hand_over(
        &self,
        protocol: Protocol,
        stream: Prefixed<Io>,
        to: Arc<Endpoint>,
        peer: Option<Peer>,
    ) -> io::Result<()> {
        let scheme = if protocol == Protocol::Tls { Scheme::Tls } else { Scheme::Tcp };
        if protocol == Protocol::Opaque || !self.agent.gate.intercepts(scheme, &to) {
            // Its first bytes are here: it cannot turn out to be something else.
            let _ = self.opaque.serve(stream, scheme, to).await;
            return Ok(());
        }
        if protocol == Protocol::Tls {
            return self.intercept(stream, to, peer).await;
        }
        let forms = self.agent.gate.also_called(&to.host);
        let origin = Origin::new(false, to.clone()).also_called(forms);
        let session = Session::new(self.http.clone(), origin, None).with_peer(peer);
        let asked = session.asked();
        let ended = match protocol {
            Protocol::Http2 => session.prior_knowledge().serve_http2(stream).await,
            _ => session.serve_http1(stream).await,
        };
        if !asked.anything() {
            self.said_nothing(Scheme::Tcp, &to);
        }
        ended
    }
}
