//! Resource patterns: `scheme://host[:port][/path]`.
//!
//! | accepted | matches |
//! |---|---|
//! | `https://api.example.com/**` | every path of that host, on the scheme's port (see below) |
//! | `https://api.example.com` | the same: no path means `/**` |
//! | `https://api.example.com/v1/*` | `/v1/items`, not `/v1/items/7` and not `/v1` |
//! | `https://api.example.com/v1/**` | `/v1`, `/v1/` and everything below |
//! | `https://*.example.com/**` | `a.example.com`, `a.b.example.com`; never `example.com` |
//! | `http://**` | every name; never an address |
//! | `https://api.example.com:8443/**` | that port alone |
//! | `*://api.example.com:*/**` | every scheme of the action, every port |
//! | `https://203.0.113.10/**`, `https://[2001:db8::1]/**` | that address, asked for as an address |
//! | `tcp://10.20.0.0/16:5432`, `tcp://[fd00::]/8:5432` | every address of that range |
//! | `wss://feed.example.com/**` | WebSocket upgrades; an https pattern does not match them |
//! | `https://registry.example/@scope%2F*` | `%2F` as data, as it is in `/@scope%2Fname` (see [readings](crate::reading)) |
//! | `http://orders.prod/**`, `http://orders.prod.svc/**` | a Service of the cluster: see [`crate::cluster`] |
//! | `*.example.com` | in a `network.dns` rule: a host pattern alone |
//!
//! | rejected | why |
//! |---|---|
//! | `api.example.com/**` | no scheme |
//! | `ftp://example.com` | a scheme that no action has |
//! | `https://user@example.com/` | user information is no part of a resource |
//! | `https://a*.example.com/`, `https://*.*.com/`, `https://*/` | `*.` stands for whole labels, once, in front |
//! | `https://example.com/a?b=c`, `…#x` | queries and fragments are not matched |
//! | `https://example.com/../a`, `…/a//b` | a rule names the place itself, not a way to it |
//! | `https://example.com/%00`, `…/100%` | no request may hold control characters; write `%25` |
//! | `https://example.com/***` | neither `*` nor `**` |
//! | `https://10.0.0.1/16` | a range has no bits beyond its prefix; as a path it reads like one |
//! | `https://127.1/` | some readers see an address, others a name |
//! | `tcp://db.example.com:5432/x` | opaque connections have no path |
//! | `https://example.com:0/`, `:99999`, `:abc` | not a port |
//!
//! **Ports.** Without a port, an Allow means the scheme's default port and a Deny every port, so
//! that leaving it out is the narrower permission and the wider prohibition. Schemes without a
//! default port (`tcp`, `tls`, `*`) need one in an Allow; `:*` is every port.

use crate::action::Action;
use crate::glob::Glob;
use crate::normal::{Host, Name};
use ipnet::IpNet;
use std::fmt;

pub(crate) mod error;
mod parse;

pub use error::PatternError;

/// How a resource is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    Http,
    Https,
    Ws,
    Wss,
    Tcp,
    Tls,
}

impl Scheme {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The port that a URL of this scheme means when it names none.
    pub const fn default_port(self) -> Option<u16> {
        match self {
            Self::Http | Self::Ws => Some(80),
            Self::Https | Self::Wss => Some(443),
            Self::Tcp | Self::Tls => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https, Self::Ws, Self::Wss, Self::Tcp, Self::Tls]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }

    const fn action(self) -> Action {
        match self {
            Self::Tcp | Self::Tls => Action::NetworkConnect,
            _ => Action::NetworkRequest,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which hosts a pattern speaks of. The first three never match an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    Exact(Name),
    /// One or more whole labels in front of this name.
    Below(Name),
    AnyName,
    Net(IpNet),
}

impl HostPattern {
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(want), Host::Name(name)) => want == name,
            (Self::Below(parent), Host::Name(name)) => {
                let rest = name.as_str().strip_suffix(parent.as_str());
                rest.is_some_and(|front| front.len() > 1 && front.ends_with('.'))
            }
            (Self::AnyName, Host::Name(_)) => true,
            (Self::Net(net), Host::Ip(ip)) => net.contains(ip),
            _ => false,
        }
    }
}

/// Which ports a pattern speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortPattern {
    Any,
    /// The default port of whichever scheme is asked for.
    Default,
    One(u16),
}

/// A compiled resource pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePattern {
    /// None: every scheme of the action.
    pub scheme: Option<Scheme>,
    pub host: HostPattern,
    pub port: PortPattern,
    /// None: every path.
    pub path: Option<Glob>,
    /// A name that was written with a dot at its end: it is whole, and no Service's short name.
    pub absolute: bool,
}

impl ResourcePattern {
    /// Whether scheme and port are those of the pattern; the host is matched by the index.
    pub fn matches_endpoint(&self, scheme: Scheme, port: u16) -> bool {
        self.scheme.is_none_or(|want| want == scheme) && self.matches_port(scheme, port)
    }

    fn matches_port(&self, scheme: Scheme, port: u16) -> bool {
        match self.port {
            PortPattern::Any => true,
            PortPattern::Default => scheme.default_port() == Some(port),
            PortPattern::One(want) => want == port,
        }
    }

    /// Whether the pattern speaks of this port under any of its schemes.
    pub(crate) fn speaks_of_port(&self, port: u16) -> bool {
        match (self.port, self.scheme) {
            (PortPattern::Any, _) => true,
            (PortPattern::One(want), _) => want == port,
            (PortPattern::Default, Some(scheme)) => scheme.default_port() == Some(port),
            (PortPattern::Default, None) => matches!(port, 80 | 443),
        }
    }

    /// Whether the pattern speaks of requests that travel so (`Tcp`: in the clear, `Tls`) to this
    /// port.
    pub(crate) fn speaks_over(&self, transport: Scheme, port: u16) -> bool {
        let schemes = match transport {
            Scheme::Tls | Scheme::Https | Scheme::Wss => [Scheme::Https, Scheme::Wss],
            Scheme::Tcp | Scheme::Http | Scheme::Ws => [Scheme::Http, Scheme::Ws],
        };
        schemes.into_iter().any(|scheme| self.matches_endpoint(scheme, port))
    }

    /// The ports that a layer-4 filter must open for this pattern; empty: every port.
    pub fn layer4_ports(&self) -> Vec<u16> {
        match (self.port, self.scheme) {
            (PortPattern::Any, _) => Vec::new(),
            (PortPattern::One(port), _) => vec![port],
            (PortPattern::Default, Some(scheme)) => scheme.default_port().into_iter().collect(),
            (PortPattern::Default, None) => vec![80, 443],
        }
    }
}

#[cfg(test)]
mod tests;
