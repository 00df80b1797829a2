//! The first bytes of a connection that is relayed as it is.
//!
//! It was let pass because of what it was taken for. So its first bytes are looked at once more on
//! their way out, under the policy of the moment at which they come: whether the client spoke at
//! once or kept silent at first.

use crate::gate::{Ask, Endpoint, Gate};
use crate::protocol::relay::{Guard, Looked};
use crate::refusal::Refusal;
use crate::tls::hello::{self, ClientHello, HelloError};
use crate::wire::detect::{Care, Look, Protocol, classify};
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use std::sync::Arc;

/// What the first bytes may be of a connection that was let pass without TLS.
pub(super) struct First {
    pub(super) gate: Gate,
    pub(super) to: Arc<Endpoint>,
}

impl Guard for First {
    fn check(&self, first: &[u8]) -> Option<Looked> {
        let (gate, to) = (&self.gate, &self.to);
        let protocol = classify(first, gate.care(to)).ok()?;
        let scheme = match protocol {
            Protocol::Opaque => return Some(Looked::Passes),
            Protocol::Http1 | Protocol::Http2 => Scheme::Tcp,
            Protocol::Tls => Scheme::Tls,
        };
        if gate.intercepts(scheme, to) {
            return Some(Looked::Is(protocol));
        }
        if scheme == Scheme::Tcp {
            return Some(Looked::Passes);
        }
        // What was decided so far is a connection without TLS.
        if let Err(denied) = gate.rule(Ask::Connect { scheme, to: to.clone() }).at_once() {
            return Some(Looked::Refused(denied.refusal));
        }
        match hello::parse(first) {
            Err(HelloError::Incomplete) => None,
            read => Some(held_to_name(read, gate, &to.host).into()),
        }
    }
}

/// The schemes under which requests may be inside: where a policy has them decided, this connection
/// would not have been relayed. Nothing is, where [`First`] has still to see the first bytes and
/// refuses requests already.
pub(super) fn readable(
    gate: &Gate,
    first: &[u8],
    scheme: Scheme,
    to: &Endpoint,
) -> &'static [Scheme] {
    let decided = || [Scheme::Tcp, Scheme::Tls].map(|as_| gate.intercepts(as_, to));
    // Where nothing is taken apart yet, requests are looked for all the same.
    let care = match gate.care(to) {
        Care { tls, http: Look::Skip } => Care { tls, http: Look::Plain },
        care => care,
    };
    match scheme {
        Scheme::Tls => &[Scheme::Tls],
        _ if first.is_empty() && decided().contains(&true) => &[],
        _ if first.is_empty() => &[Scheme::Tcp, Scheme::Tls],
        _ if classify(first, care).is_ok_and(|it| it == Protocol::Opaque) => &[],
        _ => &[Scheme::Tcp],
    }
}

/// The ClientHello must name the host, in the clear.
pub(super) fn held_to_name(
    read: Result<ClientHello, HelloError>,
    gate: &Gate,
    host: &Host,
) -> Result<(), Refusal> {
    let hello = read.map_err(|_| Refusal::Malformed("the ClientHello cannot be read"))?;
    if hello.encrypted {
        return Err(Refusal::EncryptedHello);
    }
    match (host, hello.server_name) {
        // A rule that names an address allows whatever answers there.
        (Host::Ip(_), _) => Ok(()),
        (Host::Name(_), None) => Err(Refusal::SniMissing),
        (Host::Name(name), Some(asked)) => match Name::parse(&asked) {
            Ok(asked) if asked == *name || gate.also_called(host).contains(&asked) => Ok(()),
            _ => Err(Refusal::SniMismatch),
        },
    }
}
