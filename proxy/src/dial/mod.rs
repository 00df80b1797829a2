//! The only way out: [`Dialer::dial`] takes a [`Permit`] and nothing else.

mod resolve;

pub use resolve::{ResolveError, Resolver};

use crate::gate::{Allowed, Permit, Route};
use crate::refusal::Refusal;
use crate::wire::Io;
use exeat_policy::normal::{Host, Name};
use futures::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Addresses tried, and how long each.
const CANDIDATES: usize = 6;
const ATTEMPT: Duration = Duration::from_secs(5);

/// Who knows the addresses of names.
pub trait Resolve: Send + Sync {
    fn resolve<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Who opens connections. The one implementation outside tests is [`Tcp`].
pub trait Connect: Send + Sync {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Io>>;
}

/// Finds routes and opens connections along them.
#[derive(Clone)]
pub struct Dialer {
    resolver: Arc<dyn Resolve>,
    connector: Arc<dyn Connect>,
}

impl Dialer {
    pub fn new(resolver: Arc<dyn Resolve>, connector: Arc<dyn Connect>) -> Self {
        Self { resolver, connector }
    }

    /// Resolves and checks where an allowed act leads.
    ///
    /// # Errors
    /// When the name has no address, or one that may not be dialled.
    pub async fn find(&self, allowed: &Allowed) -> Result<Route, Refusal> {
        let addresses = match allowed.ask().to().map(|to| &to.host) {
            Some(Host::Ip(ip)) => vec![*ip],
            Some(Host::Name(name)) => {
                self.resolver.resolve(name).await.map_err(|_| Refusal::UpstreamUnresolved)?
            }
            None => Vec::new(),
        };
        Route::over(allowed, addresses)
    }

    /// Opens the connection, trying one address after the other.
    ///
    /// # Errors
    /// When none of them answers in time.
    pub async fn dial(&self, permit: Permit) -> Result<(Io, SocketAddr), Refusal> {
        for address in permit.into_addresses().into_iter().take(CANDIDATES) {
            match timeout(ATTEMPT, self.connector.connect(address)).await {
                Ok(Ok(stream)) => return Ok((stream, address)),
                Ok(Err(error)) => tracing::debug!(%address, %error, "Address not reached"),
                Err(_) => tracing::debug!(%address, "Address not reached in time"),
            }
        }
        Err(Refusal::UpstreamUnreachable)
    }
}

/// Dials for real.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Connect for Tcp {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Io>> {
        Box::pin(async move {
            let stream = Io::from(TcpStream::connect(address).await?);
            stream.prepare()?;
            Ok(stream)
        })
    }
}

impl Resolve for Resolver {
    fn resolve<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Resolver::resolve(self, name).await.map_err(io::Error::other) })
    }
}
