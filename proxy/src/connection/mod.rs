//! One captured connection: where it was going, what it speaks, and who takes it from there.
//!
//! 1. The original destination becomes a name (a synthetic address), an address, or nothing.
//! 2. The first bytes tell the protocol ([`detect`]), the more carefully the more is at stake.
//! 3. TLS is terminated and HTTP is read, request by request ([`crate::http`]), unless only a
//!    `network.connect` rule speaks of the host: then it is relayed as it is
//!    ([`crate::opaque`]), as is every other protocol that such a rule allows.
//! 4. What nothing allows is answered where it can be, and reset where it cannot.

pub mod detect;
mod intercept;
mod journal;
mod pipeline;
mod prefixed;
mod ruling;

pub use journal::{Ending, Recorded, Subject};
pub use pipeline::{Connect, Meaning, Names, Parts, Pipeline, Resolve};
pub use prefixed::Prefixed;
pub use ruling::{Allowed, Carries, Denied, Standing, Wish};

use crate::dial::{canonical, keep_alive};
use crate::http::{Place, Session};
use crate::opaque;
use crate::problem::Refusal;
use detect::{Care, Detected, Protocol, detect};
use exeat_policy::action::Action;
use exeat_policy::normal::Host;
use exeat_policy::pattern::Scheme;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a silent client is waited for where its server may speak first, where requests are
/// decided too, and where only the client can begin.
const SERVER_MAY_SPEAK: Duration = Duration::from_millis(1500);
const EITHER_MAY_SPEAK: Duration = Duration::from_secs(5);
const CLIENT_MUST_SPEAK: Duration = Duration::from_secs(60);

/// A captured connection of which only its first bytes were read.
pub(crate) type Opening = Prefixed<TcpStream>;

impl Pipeline {
    /// Serves one captured connection to its end. `original` is where the agent connected to.
    pub async fn serve(self: Arc<Self>, stream: TcpStream, original: SocketAddr) {
        self.metrics.connections_open.inc();
        if let Err(error) = self.dispatch(stream, original).await {
            tracing::debug!(%error, "Connection ended");
        }
        self.metrics.connections_open.dec();
    }

    async fn dispatch(self: &Arc<Self>, stream: TcpStream, original: SocketAddr) -> io::Result<()> {
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        let address = canonical(original);
        let (host, known) = match self.names.meaning(address) {
            Meaning::Name(name) => (Host::Name(name), true),
            Meaning::Address => (Host::Ip(address), true),
            Meaning::Nothing => (Host::Ip(address), false),
        };
        let port = original.port();
        if !known {
            let subject = connect_subject(Scheme::Tcp, &host, port);
            self.refused(&subject, &Refusal::UnknownAddress, None).await;
            reset(&stream);
            return Ok(());
        }
        let opaque = connect_wish(Scheme::Tcp, &host, port).rule(&self.policy).is_ok();
        let patience = match (opaque, self.intercepts(Scheme::Tcp, &host, port)) {
            (true, false) => SERVER_MAY_SPEAK,
            (true, true) => EITHER_MAY_SPEAK,
            (false, _) => CLIENT_MUST_SPEAK,
        };
        let found = tokio::select! {
            found = detect(stream, patience, self.care(&host, port)) => found?,
            () = self.drain.cancelled() => return Ok(()),
        };
        let (protocol, stream) = match found {
            Detected::Left => return Ok(()),
            Detected::Silent(stream) => {
                opaque::serve(self, stream, Scheme::Tcp, host, port).await;
                return Ok(());
            }
            Detected::Spoke(protocol, stream) => (protocol, stream),
        };
        let scheme = if protocol == Protocol::Tls { Scheme::Tls } else { Scheme::Tcp };
        if protocol == Protocol::Opaque || !self.intercepts(scheme, &host, port) {
            opaque::serve(self, stream, scheme, host, port).await;
            return Ok(());
        }
        match protocol {
            Protocol::Tls => self.intercept(stream, host, port).await,
            Protocol::Http2 => {
                let session = Session::new(self.clone(), Place { tls: false, host, port }, None);
                session.prior_knowledge().serve_two(stream).await
            }
            Protocol::Http1 | Protocol::Opaque => {
                let session = Session::new(self.clone(), Place { tls: false, host, port }, None);
                session.serve_one(stream).await
            }
        }
    }

    /// Before the first policy everything is taken apart, so that the refusal can be read.
    pub(crate) fn intercepts(&self, scheme: Scheme, host: &Host, port: u16) -> bool {
        self.policy.load().is_none_or(|active| active.policies.intercepts(scheme, host, port))
    }

    /// How the first bytes to this host and port are looked at.
    pub(crate) fn care(&self, host: &Host, port: u16) -> Care {
        let decides =
            self.policy.load().is_none_or(|active| active.policies.decides_requests(host, port));
        let intercepts = |scheme| self.intercepts(scheme, host, port);
        match decides {
            true => Care::Port,
            false if intercepts(Scheme::Tcp) || intercepts(Scheme::Tls) => Care::Host,
            false => Care::Name,
        }
    }
}

pub(crate) fn connect_wish(scheme: Scheme, host: &Host, port: u16) -> Wish {
    Wish { scheme, host: host.clone(), port, request: None }
}

pub(crate) fn connect_subject(scheme: Scheme, host: &Host, port: u16) -> Subject {
    Subject {
        action: Action::NetworkConnect,
        resource: format!("{}://{host}:{port}", scheme.as_str()),
        query_digest: None,
        method: None,
    }
}

/// Closes so that the peer sees a reset rather than an end.
pub(crate) fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
