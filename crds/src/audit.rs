//! `spec.audit`.

use exeat_policy::snapshot;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How decisions are recorded. Where several policies select a pod, the stricter value holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Audit {
    /// When a decision counts as recorded: Spooled is on the node's disk, Acknowledged is on the
    /// collector's.
    #[serde(default)]
    pub durability: Durability,
    /// What happens to a request that cannot be recorded.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// When a decision counts as recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Durability {
    /// When it is in the pod's spool, on the node's disk.
    #[default]
    Spooled,
    /// When it is on the collector's disk; requests wait for that.
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
                Durability::Acknowledged => snapshot::Durability::Acknowledged,
            },
            on_failure: match audit.on_failure {
                OnFailure::Allow => snapshot::OnFailure::Allow,
                OnFailure::Deny => snapshot::OnFailure::Deny,
            },
        }
    }
}
