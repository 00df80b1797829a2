//! TLS that is taken apart: the agent's side of it.

use super::{Opening, Pipeline, connect_subject};
use crate::http::{Place, Session};
use crate::problem::Refusal;
use crate::tls::LeafError;
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use rustls::ServerConfig;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

const HANDSHAKE: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Ends the agent's TLS here and serves the HTTP inside. A handshake for another name than
    /// the connection's is completed too, so that its client can read why it is refused.
    pub(super) async fn intercept(
        self: &Arc<Self>,
        stream: Opening,
        host: Host,
        port: u16,
    ) -> io::Result<()> {
        let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
        let start = match timeout(HANDSHAKE, acceptor).await? {
            Ok(start) => start,
            Err(error) => {
                let subject = connect_subject(Scheme::Tls, &host, port);
                let refusal = Refusal::MalformedHead("the TLS ClientHello cannot be read");
                self.refused(&subject, &refusal, None).await;
                return Err(error);
            }
        };
        let (config, refusal) =
            self.leaf_for(&host, start.client_hello().server_name()).map_err(io::Error::other)?;
        let stream = match timeout(HANDSHAKE, start.into_stream(config)).await? {
            Ok(stream) => stream,
            Err(error) => {
                // Most often a client that does not read the variables which name our bundle.
                tracing::info!(%host, %error, "TLS handshake with the agent failed");
                return Err(error);
            }
        };
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let session = Session::new(self.clone(), Place { tls: true, host, port }, refusal);
        if two { session.serve_two(stream).await } else { session.serve_one(stream).await }
    }

    /// The certificate to show, and why every request is refused where the name is not the one.
    fn leaf_for(
        &self,
        host: &Host,
        server_name: Option<&str>,
    ) -> Result<(Arc<ServerConfig>, Option<Refusal>), LeafError> {
        let asked = server_name.map(Name::parse);
        match (host, asked) {
            (Host::Name(name), Some(Ok(asked))) if asked == *name => {
                Ok((self.leaves.config(name.as_str())?, None))
            }
            (Host::Ip(ip), None) => Ok((self.leaves.config(&address(*ip))?, None)),
            (Host::Name(name), None) => {
                Ok((self.leaves.config(name.as_str())?, Some(Refusal::SniMissing)))
            }
            (_, Some(Ok(asked))) => {
                Ok((self.leaves.config_once(asked.as_str())?, Some(Refusal::SniMismatch)))
            }
            (host, Some(Err(_))) => {
                let name = match host {
                    Host::Name(name) => name.to_string(),
                    Host::Ip(ip) => address(*ip),
                };
                Ok((self.leaves.config_once(&name)?, Some(Refusal::SniMismatch)))
            }
        }
    }
}

fn address(ip: IpAddr) -> String {
    ip.to_string()
}
