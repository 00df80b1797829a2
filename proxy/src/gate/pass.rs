//! The right to open one connection.

use super::class::{AddressClass, classify, readings};
use super::{Allowed, Ask, Endpoint, Recorded};
use crate::refusal::Refusal;
use exeat_policy::normal::Host;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Addresses of one endpoint, all of which may be dialled under the decision that asked for them.
#[derive(Debug)]
pub struct Route {
    to: Arc<Endpoint>,
    addresses: Vec<SocketAddr>,
}

/// The right to open one connection to the endpoint that was decided. It is spent by use, and the
/// addresses in it are never resolved again.
pub struct Permit {
    route: Route,
}

impl Route {
    /// The route of an allowed act over the addresses that its name has. One address of a class
    /// that may not be dialled refuses the name as a whole: whoever owns the name is trying
    /// something.
    ///
    /// # Errors
    /// When there is no address, or one that may not be dialled.
    pub fn over(
        allowed: &Allowed,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<Self, Refusal> {
        let Some(to) = allowed.ask.to().cloned() else { return Err(Refusal::HostMismatch) };
        let addresses: Vec<_> =
            addresses.into_iter().map(|ip| SocketAddr::new(ip.to_canonical(), to.port)).collect();
        if addresses.is_empty() {
            return Err(Refusal::UpstreamUnresolved);
        }
        for address in &addresses {
            check(allowed, *address)?;
        }
        Ok(Self { to, addresses })
    }

    /// The address that is tried first.
    pub fn first(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }
}

impl Permit {
    /// From an act that was allowed and recorded, for a route to that same endpoint.
    ///
    /// # Errors
    /// When the route leads elsewhere, or the record is of another endpoint.
    pub fn grant(allowed: &Allowed, recorded: &Recorded, route: Route) -> Result<Self, Refusal> {
        let same = allowed.ask.to().is_some_and(|to| *to == route.to && recorded.is_for(to));
        if same { Ok(Self { route }) } else { Err(Refusal::HostMismatch) }
    }

    /// The addresses that may be dialled. Spends the permit.
    pub(crate) fn into_addresses(self) -> Vec<SocketAddr> {
        self.route.addresses
    }
}

impl Allowed {
    /// Whether a connection that leads to this address may be used for this act.
    pub fn accepts(&self, address: SocketAddr) -> bool {
        acceptable(self, address)
    }
}

/// Whether an address may be dialled for what was asked: as if the address had been asked for
/// itself.
pub(super) fn acceptable(allowed: &Allowed, address: SocketAddr) -> bool {
    check(allowed, address).is_ok()
}

fn check(allowed: &Allowed, address: SocketAddr) -> Result<(), Refusal> {
    if by_name(allowed) && readings(address.ip()).any(|ip| allowed.active.network.excludes(ip)) {
        return Err(Refusal::Excluded);
    }
    if of_a_class(allowed, address) { Ok(()) } else { Err(Refusal::AddressClass) }
}

/// What a rule over addresses allows names its addresses itself.
fn by_name(allowed: &Allowed) -> bool {
    !allowed.ask.to().is_some_and(|to| matches!(to.host, Host::Ip(_)))
}

fn of_a_class(allowed: &Allowed, address: SocketAddr) -> bool {
    let (Ask::Request { .. } | Ask::Connect { .. }) = &*allowed.ask else { return false };
    let (intent, policies) = (allowed.ask.intent(), &allowed.active.policies);
    let denied = |ip| policies.denies_address(&intent, ip).is_some();
    if readings(address.ip()).any(denied) {
        return false;
    }
    match classify(address.ip()) {
        AddressClass::Ordinary => true,
        AddressClass::Private => policies.names_address(&intent, address.ip()),
        AddressClass::Forbidden => false,
    }
}
