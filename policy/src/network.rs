//! What holds for all traffic of a pod, beside its rules.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `spec.dns`, united over the policies of a pod, and what the installation adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSettings {
    #[serde(default)]
    pub denied_names: DeniedNames,
    /// Ranges that no name may lead to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<IpNet>,
}

/// How a question for a name is answered that no rule allows and none denies. Later ones are
/// stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeniedNames {
    /// With an address whose connections are refused in words.
    #[default]
    Explain,
    /// With REFUSED.
    Refuse,
}

impl NetworkSettings {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether no name may lead to this address.
    pub fn excludes(&self, address: IpAddr) -> bool {
        self.excluded.iter().any(|net| net.contains(&address))
    }
}
