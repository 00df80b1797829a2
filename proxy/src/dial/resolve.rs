//! The proxy's own look-ups, by the DNS servers that admission named.
//!
//! `/etc/hosts` and `/etc/resolv.conf` of a pod are one file for all its containers, and root in
//! an agent's container can write them: neither is read here.
//!
//! No server outside answers with a synthetic address. One that does is the proxy's own DNS, asked by
//! a question that went astray: the answer is forgotten, and the question asked again.

use crate::gate::is_synthetic;
use exeat_policy::normal::Name;
use hickory_proto::rr::{Record, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// Longest that one look-up takes, retries included.
const LIMIT: Duration = Duration::from_secs(8);
const PORT: u16 = 53;
/// Questions at once on one TCP connection to a server, where answers are long.
const REQUESTS: usize = 1024;
/// Attempts to get an answer that is not the proxy's own.
const ATTEMPTS: u8 = 2;

/// Why a name has no addresses.
#[derive(Debug, Error)]
pub enum ResolveError {
    #[error("the name does not exist, or has nothing of what was asked for")]
    NotFound,
    #[error("the name does not exist")]
    NoName,
    #[error("the DNS servers did not answer")]
    Unanswered,
    #[error("the resolver could not be set up: {0}")]
    Setup(String),
}

/// Resolves names to addresses; keeps a cache that honours TTLs.
#[derive(Clone)]
pub struct Resolver(TokioResolver);

impl Resolver {
    /// # Errors
    /// When the servers make no configuration.
    pub fn new(servers: &[IpAddr]) -> Result<Self, ResolveError> {
        Self::at(servers.iter().map(|ip| SocketAddr::new(*ip, PORT)))
    }

    fn at(servers: impl Iterator<Item = SocketAddr>) -> Result<Self, ResolveError> {
        let servers = servers.map(|at| {
            let mut server = NameServerConfig::udp_and_tcp(at.ip());
            server.connections.iter_mut().for_each(|connection| connection.port = at.port());
            server
        });
        let servers = servers.collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.ndots = 0;
        options.timeout = Duration::from_secs(2);
        options.attempts = 2;
        options.max_active_requests = REQUESTS;
        options.positive_max_ttl = Some(Duration::from_secs(60));
        options.negative_max_ttl = Some(Duration::from_secs(5));
        builder.build().map(Self).map_err(|error| ResolveError::Setup(error.to_string()))
    }

    /// IPv4 and IPv6 addresses of a name, in no order of merit.
    ///
    /// # Errors
    /// When there are none, or nobody answers within eight seconds.
    pub async fn resolve(&self, name: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        timeout(LIMIT, self.outside(name)).await.unwrap_or(Err(ResolveError::Unanswered))
    }

    async fn outside(&self, name: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        for _ in 0..ATTEMPTS {
            let found = self.look_up(name).await?;
            if !found.iter().copied().any(is_synthetic) {
                return Ok(found);
            }
            tracing::warn!(%name, "The proxy's own DNS answered the proxy");
            for record_type in [RecordType::A, RecordType::AAAA] {
                self.0.clear_lookup_cache(format!("{name}."), record_type);
            }
        }
        Err(ResolveError::Unanswered)
    }

    /// Records of this type, perhaps among others, such as the aliases that led to them.
    ///
    /// # Errors
    /// When there are none, or nobody answers in time.
    pub async fn records(&self, name: &Name, of: RecordType) -> Result<Vec<Record>, ResolveError> {
        let asked = self.0.lookup(format!("{name}."), of);
        match timeout(LIMIT, asked).await {
            Ok(Ok(found)) => Ok(found.answers().to_vec()),
            Ok(Err(error)) if error.is_nx_domain() => Err(ResolveError::NoName),
            Ok(Err(error)) if error.is_no_records_found() => Err(ResolveError::NotFound),
            _ => Err(ResolveError::Unanswered),
        }
    }

    async fn look_up(&self, name: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        match self.0.lookup_ip(format!("{name}.")).await {
            Ok(found) => {
                let all: Vec<_> = found.iter().collect();
                if all.is_empty() { Err(ResolveError::NotFound) } else { Ok(all) }
            }
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => {
                Err(ResolveError::NotFound)
            }
            Err(_) => Err(ResolveError::Unanswered),
        }
    }
}

#[cfg(test)]
mod tests;
