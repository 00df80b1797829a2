//! What an agent wants to do.

use exeat_policy::action::Action;
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use exeat_policy::reading::Readings;
use exeat_policy::{Intent, RecordType};
use std::fmt;
use std::sync::Arc;

/// Where a connection was made to. One for all acts of that connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub host: Host,
    pub port: u16,
}

/// One act that the agent asks for. Owns its text, so that it can be decided again later.
#[derive(Debug, Clone)]
pub enum Ask {
    /// An HTTP request. The method is as it was sent.
    Request { scheme: Scheme, to: Arc<Endpoint>, path: Readings, method: String },
    /// A connection whose content stays unread.
    Connect { scheme: Scheme, to: Arc<Endpoint> },
    /// A DNS question.
    Resolve { name: Name, record_type: RecordType },
}

impl Ask {
    /// The act as the policy decides it.
    pub fn intent(&self) -> Intent<'_> {
        match self {
            Self::Request { scheme, to, path, method } => {
                let (scheme, host, port) = (*scheme, &to.host, to.port);
                Intent::Request { scheme, host, port, path, method }
            }
            Self::Connect { scheme, to } => {
                Intent::Connect { scheme: *scheme, host: &to.host, port: to.port }
            }
            Self::Resolve { name, record_type } => {
                Intent::Resolve { name, record_type: *record_type }
            }
        }
    }

    pub fn action(&self) -> Action {
        self.intent().action()
    }

    /// Where it goes; a question goes nowhere.
    pub fn to(&self) -> Option<&Arc<Endpoint>> {
        match self {
            Self::Request { to, .. } | Self::Connect { to, .. } => Some(to),
            Self::Resolve { .. } => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
