//! `spec.audit`.

use exeat_policy::snapshot;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How decisions are recorded. Where several policies select a pod, the stricter value holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Audit {
    /// What a request waits for before its first byte goes out. Spooled: its record is with the
    /// node's kernel, and on the disk within 20 ms; a power cut may lose those. Synced: it is on the
    /// node's disk. Acknowledged: it is on the collector's disk.
    #[serde(default)]
    pub durability: Durability,
    /// What happens to a request that cannot be recorded.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What a request waits for; later ones are stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Durability {
    /// The record is with the node's kernel, which survives the proxy, and within 20 ms on the disk,
    /// which survives the node.
    #[default]
    Spooled,
    /// The record is on the node's disk.
    Synced,
    /// The record is on the collector's disk.
    Acknowledged,
}

/// What happens to a request that cannot be recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// It passes, and the gap is counted.
    Allow,
    /// It is refused.
    #[default]
    Deny,
}

impl From<Audit> for snapshot::AuditSettings {
    fn from(audit: Audit) -> Self {
        Self {
            durability: match audit.durability {
                Durability::Spooled => snapshot::Durability::Spooled,
                Durability::Synced => snapshot::Durability::Synced,
                Durability::Acknowledged => snapshot::Durability::Acknowledged,
            },
            on_failure: match audit.on_failure {
                OnFailure::Allow => snapshot::OnFailure::Allow,
                OnFailure::Deny => snapshot::OnFailure::Deny,
            },
        }
    }
}
