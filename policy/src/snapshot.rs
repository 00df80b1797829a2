//! What the controller publishes to one pod's proxy.

use crate::network::NetworkSettings;
use crate::source::PolicySource;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Everything a proxy needs to decide, for one pod, at one moment. Sent as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Grows with every change that this controller replica published; for people, not for order.
    pub generation: u64,
    /// The pod this was computed for; a proxy refuses a snapshot for another pod.
    pub pod_uid: String,
    /// Sorted by origin, so that equal policies have equal digests. Empty: everything is denied.
    pub policies: Vec<PolicySource>,
    pub audit: AuditSettings,
    /// A proxy from before it was there leaves it out, and so does a controller.
    #[serde(default, skip_serializing_if = "NetworkSettings::is_default")]
    pub network: NetworkSettings,
    /// PEM certificates that upstream servers may chain to, beside the proxy image's own roots.
    #[serde(default)]
    pub upstream_roots: String,
    /// PEM certificates that the control API's certificate may chain to from now on.
    #[serde(default)]
    pub control_roots: String,
}

impl Snapshot {
    /// The first one of a pod, with every setting as it is where nobody set it.
    pub fn new(pod_uid: impl Into<String>, policies: Vec<PolicySource>) -> Self {
        Self {
            generation: 1,
            pod_uid: pod_uid.into(),
            policies,
            audit: AuditSettings::default(),
            network: NetworkSettings::default(),
            upstream_roots: String::new(),
            control_roots: String::new(),
        }
    }

    /// `sha256:<hex>` over the JSON of `policies`, `audit` and `network`: equal for every pod and replica
    /// that enforces the same rules.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"exeat.dev/snapshot/v1\n");
        hash.update(serde_json::to_vec(&(&self.policies, &self.audit)).unwrap_or_default());
        if !self.network.is_default() {
            hash.update(serde_json::to_vec(&self.network).unwrap_or_default());
        }
        format!("sha256:{}", hex::encode(hash.finalize()))
    }
}

/// `spec.audit`, united over the policies of a pod: the stricter value wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditSettings {
    #[serde(default)]
    pub durability: Durability,
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What an allowed request waits for before its first byte goes out. Later ones are stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Durability {
    /// The record is with the node's kernel, and within 20 ms on its disk.
    #[default]
    Spooled,
    /// The record is on the node's disk.
    Synced,
    /// The record is on the collector's disk.
    Acknowledged,
}

impl Durability {
    /// The name in a policy and in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spooled => "Spooled",
            Self::Synced => "Synced",
            Self::Acknowledged => "Acknowledged",
        }
    }
}

/// What happens to a request whose record cannot be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OnFailure {
    /// It passes, and the gap is counted.
    Allow,
    #[default]
    Deny,
}
