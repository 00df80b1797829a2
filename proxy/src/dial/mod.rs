//! The only way out. A [`Route`] is where a name leads, every address of it checked; a [`Permit`]
//! is a route that was decided and recorded; and [`dial`] takes a permit and nothing else.

mod class;

pub use class::{AddressClass, classify};

use crate::connection::{Allowed, Connect, Pipeline, Recorded, Wish};
use crate::problem::Refusal;
use crate::state::Active;
use exeat_policy::normal::Host;
use futures::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Addresses tried, and how long each.
const CANDIDATES: usize = 6;
const ATTEMPT: Duration = Duration::from_secs(5);

/// Addresses of one host that may be dialled now.
#[derive(Debug)]
pub struct Route {
    host: Host,
    addresses: Vec<SocketAddr>,
}

/// The right to open one connection to the host and port that were decided. It is spent by use,
/// and the addresses in it are never resolved again.
pub struct Permit {
    route: Route,
}

impl Route {
    /// Resolves and checks. One address of a class that may not be dialled refuses the name as a
    /// whole: whoever owns the name is trying something.
    pub async fn find(pipeline: &Pipeline, allowed: &Allowed) -> Result<Self, Refusal> {
        let (host, port) = (allowed.wish.host.clone(), allowed.wish.port);
        let addresses = match &host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => {
                pipeline.resolver.resolve(name).await.map_err(|_| Refusal::UpstreamUnresolved)?
            }
        };
        if addresses.is_empty() {
            return Err(Refusal::UpstreamUnresolved);
        }
        let addresses: Vec<_> =
            addresses.into_iter().map(|ip| SocketAddr::new(ip.to_canonical(), port)).collect();
        if addresses.iter().any(|address| !acceptable(&allowed.active, &allowed.wish, *address)) {
            return Err(Refusal::AddressClass);
        }
        Ok(Self { host, addresses })
    }

    /// The address that is tried first.
    pub fn first(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }
}

impl Permit {
    /// From a wish that was allowed and recorded, for a route to that same host.
    pub fn grant(allowed: &Allowed, _recorded: &Recorded, route: Route) -> Result<Self, Refusal> {
        let same = route.host == allowed.wish.host
            && route.addresses.iter().all(|address| address.port() == allowed.wish.port);
        if same { Ok(Self { route }) } else { Err(Refusal::HostMismatch) }
    }
}

/// Whether an address may be dialled under a policy for what was asked for: as if the address had
/// been asked for itself.
pub fn acceptable(active: &Active, wish: &Wish, address: SocketAddr) -> bool {
    let intent = wish.intent();
    let denied = |ip| active.policies.denies_address(&intent, ip).is_some();
    if class::readings(address.ip()).any(denied) {
        return false;
    }
    match classify(address.ip()) {
        AddressClass::Ordinary => true,
        AddressClass::Private => active.policies.names_address(&intent, address.ip()),
        AddressClass::Forbidden => false,
    }
}

/// Opens the connection, one address after the other.
pub async fn dial(pipeline: &Pipeline, permit: Permit) -> Result<(TcpStream, SocketAddr), Refusal> {
    for address in permit.route.addresses.into_iter().take(CANDIDATES) {
        match timeout(ATTEMPT, pipeline.connector.connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, address)),
            Ok(Err(error)) => tracing::debug!(%address, %error, "Address not reached"),
            Err(_) => tracing::debug!(%address, "Address not reached in time"),
        }
    }
    Err(Refusal::UpstreamUnreachable)
}

/// Dials for real.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Connect for Tcp {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            keep_alive(&stream)?;
            Ok(stream)
        })
    }
}

/// A peer that vanished without a word is noticed within some minutes.
pub(crate) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(20))
        .with_retries(3);
    socket2::SockRef::from(stream).set_tcp_keepalive(&probes)
}

/// The address as an agent may ask for it: mapped IPv4 is IPv4.
pub(crate) fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}
