//! The front door: where a connection was going, what it speaks, and who takes it from there.
//!
//! 1. The original destination becomes a name (a synthetic address), an address, or nothing.
//! 2. The first bytes tell the protocol ([`detect`]), the more carefully the more is at stake.
//! 3. TLS is terminated and HTTP is read, request by request ([`crate::protocol::http`]), unless
//!    only a `network.connect` rule speaks of the host: then it is relayed as it is
//!    ([`crate::protocol::opaque`]), as is every other protocol that such a rule allows.
//! 4. What nothing allows is answered where it can be, and reset where it cannot.

mod agent;
mod heard;
mod intercept;
mod silent;

pub use agent::Agent;

use crate::dial::Dialer;
use crate::dns::Meaning;
use crate::gate::{Ask, Endpoint, Subject};
use crate::protocol::http::{Http, Origin, Session};
use crate::protocol::opaque::Opaque;
use crate::refusal::Refusal;
use crate::wire::detect::{Detected, Protocol, detect};
use crate::wire::{Io, Prefixed};
use exeat_policy::normal::Host;
use exeat_policy::pattern::Scheme;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a silent client is waited for where its server may speak first, where requests are
/// decided too or nothing is allowed, and where only the client can begin.
const SERVER_MAY_SPEAK: Duration = Duration::from_millis(1500);
const EITHER_MAY_SPEAK: Duration = Duration::from_secs(5);
const CLIENT_MUST_SPEAK: Duration = Duration::from_secs(60);

/// Takes the connections of one agent.
pub struct Front {
    agent: Agent,
    http: Arc<Http>,
    opaque: Opaque,
    drain: CancellationToken,
}

impl Front {
    /// `drain`: cancelled when the proxy drains.
    pub fn new(agent: Agent, dialer: Dialer, drain: CancellationToken) -> Self {
        let gate = agent.gate.clone();
        let http = Arc::new(Http::new(gate.clone(), dialer.clone(), drain.clone()));
        let opaque = Opaque { gate, dialer, drain: drain.clone() };
        Self { agent, http, opaque, drain }
    }

    /// Serves one connection to its end. `original` is where the agent connected to.
    pub async fn serve(self: Arc<Self>, stream: Io, original: SocketAddr) {
        let metrics = self.agent.gate.journal().metrics();
        metrics.connections_open.inc();
        if let Err(error) = self.dispatch(stream, original).await {
            tracing::debug!(%error, "Connection ended");
        }
        metrics.connections_open.dec();
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
                self.said_nothing(&to);
                Ok(())
            }
            Detected::Silent(stream) => {
                if self.refused_in_silence(&stream, &to) {
                    return Ok(());
                }
                self.opaque.serve(stream, Scheme::Tcp, to).await;
                Ok(())
            }
            Detected::Spoke(protocol, stream) => self.hand_over(protocol, stream, to).await,
        }
    }

    /// How long a silent client is waited for.
    fn patience(&self, to: &Arc<Endpoint>) -> Duration {
        let gate = &self.agent.gate;
        let ask = Ask::Connect { scheme: Scheme::Tcp, to: to.clone() };
        match (gate.rule(ask).at_once().is_ok(), gate.intercepts(Scheme::Tcp, to)) {
            (true, false) => SERVER_MAY_SPEAK,
            (true, true) => EITHER_MAY_SPEAK,
            (false, _) if self.is_hopeless(to) => EITHER_MAY_SPEAK,
            (false, _) => CLIENT_MUST_SPEAK,
        }
    }

    /// Gives a connection to the protocol that it speaks.
    async fn hand_over(
        &self,
        protocol: Protocol,
        stream: Prefixed<Io>,
        to: Arc<Endpoint>,
    ) -> io::Result<()> {
        let scheme = if protocol == Protocol::Tls { Scheme::Tls } else { Scheme::Tcp };
        if protocol == Protocol::Opaque || !self.agent.gate.intercepts(scheme, &to) {
            self.opaque.serve(stream, scheme, to).await;
            return Ok(());
        }
        if protocol == Protocol::Tls {
            return self.intercept(stream, to).await;
        }
        let session = Session::new(self.http.clone(), Origin::new(false, to.clone()), None);
        match protocol {
            Protocol::Http2 => session.prior_knowledge().serve_http2(stream).await,
            _ => self.listen_to(session, stream, &to).await,
        }
    }
}
