//! What an agent wants to do, as far as a policy can tell.

use crate::action::Action;
use crate::normal::{Host, Name};
use crate::pattern::Scheme;
use crate::reading::Readings;
use crate::record_type::RecordType;

/// One act that is to be decided.
#[derive(Debug, Clone, Copy)]
pub enum Intent<'a> {
    /// An HTTP request; the method is as it is sent.
    Request { scheme: Scheme, host: &'a Host, port: u16, path: &'a Readings, method: &'a str },
    /// An opaque connection; `Scheme::Tls` where the agent speaks TLS that is passed through.
    Connect { scheme: Scheme, host: &'a Host, port: u16 },
    /// A DNS question.
    Resolve { name: &'a Name, record_type: RecordType },
}

impl Intent<'_> {
    pub const fn action(&self) -> Action {
        match self {
            Self::Request { .. } => Action::NetworkRequest,
            Self::Connect { .. } => Action::NetworkConnect,
            Self::Resolve { .. } => Action::NetworkDns,
        }
    }

    /// Where it goes; a DNS question goes nowhere.
    pub const fn host(&self) -> Option<&Host> {
        match self {
            Self::Request { host, .. } | Self::Connect { host, .. } => Some(host),
            Self::Resolve { .. } => None,
        }
    }

    /// The port that is meant; a DNS question has none.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Request { port, .. } | Self::Connect { port, .. } => Some(*port),
            Self::Resolve { .. } => None,
        }
    }
}
