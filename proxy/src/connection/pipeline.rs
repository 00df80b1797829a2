//! What every captured connection shares, and what the pipeline asks of the rest of the proxy.

use crate::http::pool::Pool;
use crate::inspect::Budget;
use crate::metrics::ProxyMetrics;
use crate::resolve::Resolver;
use crate::spool::AuditLog;
use crate::state::PolicyState;
use crate::tls::{Leaves, PodCa, UpstreamTls};
use exeat_policy::normal::Name;
use futures::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Who knows the addresses of names.
pub trait Resolve: Send + Sync {
    fn resolve<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

impl Resolve for Resolver {
    fn resolve<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Resolver::resolve(self, name).await.map_err(io::Error::other) })
    }
}

/// What an original destination stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The address was given out for this name.
    Name(Name),
    /// The address is one of ours, and stands for nothing (any more).
    Nothing,
    /// The agent asked for the address itself.
    Address,
}

/// Who turns synthetic addresses back into names.
pub trait Names: Send + Sync {
    fn meaning(&self, address: IpAddr) -> Meaning;
}

/// Who opens TCP connections. The one implementation outside tests is [`crate::dial::Tcp`].
pub trait Connect: Send + Sync {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// See the module.
pub struct Pipeline {
    pub(crate) policy: Arc<PolicyState>,
    pub(crate) metrics: Arc<ProxyMetrics>,
    pub(crate) audit: AuditLog,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) names: Arc<dyn Names>,
    pub(crate) connector: Arc<dyn Connect>,
    pub(crate) leaves: Leaves,
    pub(crate) upstream: UpstreamTls,
    pub(crate) pool: Arc<Pool>,
    pub(crate) budget: Budget,
    pub(crate) drain: CancellationToken,
}

/// What a [`Pipeline`] is made of.
pub struct Parts {
    pub policy: Arc<PolicyState>,
    pub metrics: Arc<ProxyMetrics>,
    pub audit: AuditLog,
    pub resolver: Arc<dyn Resolve>,
    pub names: Arc<dyn Names>,
    pub connector: Arc<dyn Connect>,
    pub ca: Arc<PodCa>,
    /// Cancelled when the proxy drains: requests under way end, connections take no more.
    pub drain: CancellationToken,
}

impl Pipeline {
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            policy: parts.policy,
            metrics: parts.metrics,
            audit: parts.audit,
            resolver: parts.resolver,
            names: parts.names,
            connector: parts.connector,
            leaves: Leaves::new(parts.ca),
            upstream: UpstreamTls::default(),
            pool: Arc::default(),
            budget: Budget::default(),
            drain: parts.drain,
        })
    }
}
