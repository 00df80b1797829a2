//! The proxy's own look-ups, by the DNS servers that admission named.
//!
//! `/etc/hosts` and `/etc/resolv.conf` of a pod are one file for all its containers, and root in
//! an agent's container can write them: neither is read here.

use exeat_policy::normal::Name;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// Longest that one look-up takes, retries included.
const LIMIT: Duration = Duration::from_secs(8);

/// Why a name has no addresses.
#[derive(Debug, Error)]
pub enum ResolveError {
    #[error("the name does not exist or has no address")]
    NotFound,
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
        let servers = servers.iter().map(|ip| NameServerConfig::udp_and_tcp(*ip)).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.ndots = 0;
        options.timeout = Duration::from_secs(2);
        options.attempts = 2;
        options.positive_max_ttl = Some(Duration::from_secs(60));
        options.negative_max_ttl = Some(Duration::from_secs(5));
        builder.build().map(Self).map_err(|error| ResolveError::Setup(error.to_string()))
    }

    /// IPv4 and IPv6 addresses of a name, in no order of merit.
    ///
    /// # Errors
    /// When there are none, or nobody answers within eight seconds.
    pub async fn resolve(&self, name: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        let look_up = self.0.lookup_ip(format!("{name}."));
        match timeout(LIMIT, look_up).await {
            Ok(Ok(found)) => {
                let all: Vec<_> = found.iter().collect();
                if all.is_empty() { Err(ResolveError::NotFound) } else { Ok(all) }
            }
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => {
                Err(ResolveError::NotFound)
            }
            _ => Err(ResolveError::Unanswered),
        }
    }
}
