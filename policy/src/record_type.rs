//! Types of DNS records that a rule can speak of.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is asked for of a name: the types that `types` of a `network.dns` rule may list, and all
/// others together. Closed, so that it can label a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    A,
    Aaaa,
    Caa,
    Cname,
    Https,
    Mx,
    Ns,
    Ptr,
    Srv,
    Svcb,
    Txt,
    /// No rule can list it.
    Other,
}

impl RecordType {
    /// Every type that a rule can list.
    pub const LISTED: [Self; 11] = [
        Self::A,
        Self::Aaaa,
        Self::Caa,
        Self::Cname,
        Self::Https,
        Self::Mx,
        Self::Ns,
        Self::Ptr,
        Self::Srv,
        Self::Svcb,
        Self::Txt,
    ];

    /// The mnemonic (IANA, DNS resource record types), as in a policy, a record and a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Caa => "CAA",
            Self::Cname => "CNAME",
            Self::Https => "HTTPS",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Srv => "SRV",
            Self::Svcb => "SVCB",
            Self::Txt => "TXT",
            Self::Other => "Other",
        }
    }

    /// The type of a mnemonic; [`Self::Other`] where no rule can list it.
    pub fn named(mnemonic: &str) -> Self {
        let same = |listed: &Self| listed.as_str() == mnemonic;
        Self::LISTED.into_iter().find(same).unwrap_or(Self::Other)
    }

    /// Whether it asks where a name leads.
    pub const fn is_address(self) -> bool {
        matches!(self, Self::A | Self::Aaaa)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
