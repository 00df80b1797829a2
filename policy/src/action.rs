//! What an agent may be allowed to do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of act that rules speak about. Closed: an action that this build does not know is a
/// compile error of its policy, and such a policy denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// An HTTP request, decided by scheme, host, port, path and method.
    #[serde(rename = "network.request")]
    NetworkRequest,
    /// A TCP connection whose content is opaque, decided by host and port.
    #[serde(rename = "network.connect")]
    NetworkConnect,
    /// A DNS question, decided by name and record type.
    #[serde(rename = "network.dns")]
    NetworkDns,
}

impl Action {
    /// Every action, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::NetworkRequest, Self::NetworkConnect, Self::NetworkDns];

    /// The name in a policy, an audit record and a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NetworkRequest => "network.request",
            Self::NetworkConnect => "network.connect",
            Self::NetworkDns => "network.dns",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a rule that matches does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effect {
    Allow,
    Deny,
}
