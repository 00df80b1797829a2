//! TLS that is taken apart: the agent's side of it.

use super::Front;
use crate::gate::{Endpoint, Subject};
use crate::metrics::Spoken;
use crate::protocol::http::{Origin, Session};
use crate::refusal::Refusal;
use crate::tls::{ClientFault, LeafError};
use crate::wire::{Io, Peer, Prefixed};
use exeat_policy::normal::{Host, Name, NameError};
use exeat_policy::pattern::Scheme;
use rustls::ServerConfig;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

const HANDSHAKE: Duration = Duration::from_secs(30);

impl Front {
    /// Ends the agent's TLS here and serves the HTTP inside. A handshake for another name than
    /// the connection's is completed too, so that its client can read why it is refused.
    pub(super) async fn intercept(
        &self,
        stream: Prefixed<Io>,
        to: Arc<Endpoint>,
        peer: Option<Peer>,
    ) -> io::Result<()> {
        let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
        let start = match timeout(HANDSHAKE, acceptor).await {
            Ok(Ok(start)) => start,
            Ok(Err(error)) => {
                self.metrics().malformed(Spoken::Tls);
                let subject = Subject::connection(Scheme::Tls, &to);
                let refusal = Refusal::Malformed("the TLS ClientHello cannot be read");
                self.agent.gate.refuse(&subject, &refusal, None);
                return Err(error);
            }
            Err(_) => return Err(self.gave_up(&to, ClientFault::Silent)),
        };
        let asked = start.client_hello().server_name().map(Name::parse);
        let origin = Origin::new(true, to.clone())
            .also_called(self.agent.gate.also_called(&to.host))
            .asked_for(asked.as_ref().and_then(|asked| asked.as_ref().ok()));
        let (config, refusal) = self.leaf_for(&origin, asked).map_err(io::Error::other)?;
        let stream = match timeout(HANDSHAKE, start.into_stream(config)).await {
            Ok(Ok(stream)) => stream,
            // Most often a client that does not read the variables which name our bundle.
            Ok(Err(error)) => return Err(self.gave_up(&to, ClientFault::of(&error))),
            Err(_) => return Err(self.gave_up(&to, ClientFault::Silent)),
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let session = Session::new(self.http.clone(), origin, refusal.clone()).with_peer(peer);
        let asked = session.asked();
        let ended = match http2 {
            true => session.serve_http2(stream).await,
            false => session.serve_http1(stream).await,
        };
        match refusal {
            _ if asked.anything() => {}
            Some(refusal) => {
                self.agent.gate.refuse(&Subject::connection(Scheme::Tls, &to), &refusal, None);
            }
            None => self.said_nothing(Scheme::Tls, &to),
        }
        ended
    }

    /// Counts and records a handshake that the agent's client did not finish.
    fn gave_up(&self, to: &Endpoint, fault: ClientFault) -> io::Error {
        self.metrics().client_tls(fault);
        let refusal = Refusal::ClientTls(fault.text());
        self.agent.gate.refuse(&Subject::connection(Scheme::Tls, to), &refusal, None);
        io::Error::other(refusal)
    }

    /// The certificate to show, and why every request is refused where the name is not the one.
    fn leaf_for(
        &self,
        origin: &Origin,
        asked: Option<Result<Name, NameError>>,
    ) -> Result<(Arc<ServerConfig>, Option<Refusal>), LeafError> {
        match (&origin.to.host, asked) {
            (Host::Name(_), Some(Ok(asked))) if origin.is_called(&Host::Name(asked.clone())) => {
                Ok((self.agent.leaves.config(asked.as_str())?, None))
            }
            (Host::Ip(ip), None) => Ok((self.agent.leaves.config(&address(*ip))?, None)),
            (Host::Name(name), None) => {
                Ok((self.agent.leaves.config(name.as_str())?, Some(Refusal::SniMissing)))
            }
            (_, Some(Ok(asked))) => {
                Ok((self.agent.leaves.config_once(asked.as_str())?, Some(Refusal::SniMismatch)))
            }
            (host, Some(Err(_))) => {
                let name = match host {
                    Host::Name(name) => name.to_string(),
                    Host::Ip(ip) => address(*ip),
                };
                Ok((self.agent.leaves.config_once(&name)?, Some(Refusal::SniMismatch)))
            }
        }
    }
}

fn address(ip: IpAddr) -> String {
    ip.to_string()
}
