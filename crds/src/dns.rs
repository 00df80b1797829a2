//! `spec.dns`, and what rules say of DNS records.

use exeat_policy as policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the agents' DNS questions are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// How a question for a name is answered that no rule allows and no rule denies. Explain: with an
    /// address whose connections are refused with the reason, so that whoever asked can read it.
    /// Refuse: with REFUSED. No question leaves the pod in either case. Where several policies
    /// select a pod, Refuse holds.
    #[serde(default)]
    pub denied: DeniedNames,
}

/// How a question for a name that no rule allows is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeniedNames {
    /// With an address whose connections are refused with the reason.
    #[default]
    Explain,
    /// With REFUSED.
    Refuse,
}

/// A type of DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses; the agent gets synthetic ones.
    A,
    /// IPv6 addresses; the agent gets synthetic ones.
    Aaaa,
    /// Which authorities may issue certificates (RFC 8659).
    Caa,
    /// The name that a name stands for.
    Cname,
    /// How HTTPS servers are reached (RFC 9460), without addresses and keys.
    Https,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
    /// The name of an address.
    Ptr,
    /// Servers of a service (RFC 2782).
    Srv,
    /// How servers are reached (RFC 9460), without addresses and keys.
    Svcb,
    /// Text.
    Txt,
}

impl From<DeniedNames> for policy::DeniedNames {
    fn from(value: DeniedNames) -> Self {
        match value {
            DeniedNames::Explain => Self::Explain,
            DeniedNames::Refuse => Self::Refuse,
        }
    }
}

impl From<RecordType> for policy::RecordType {
    fn from(value: RecordType) -> Self {
        match value {
            RecordType::A => Self::A,
            RecordType::Aaaa => Self::Aaaa,
            RecordType::Caa => Self::Caa,
            RecordType::Cname => Self::Cname,
            RecordType::Https => Self::Https,
            RecordType::Mx => Self::Mx,
            RecordType::Ns => Self::Ns,
            RecordType::Ptr => Self::Ptr,
            RecordType::Srv => Self::Srv,
            RecordType::Svcb => Self::Svcb,
            RecordType::Txt => Self::Txt,
        }
    }
}
