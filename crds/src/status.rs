//! `status` of both kinds.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller found and did. Written by the controller alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted: it compiles. Programmed: its NetworkPolicies are in place, or, as `AppliedInPart`, but
    /// for Services that are not there. Isolated: no other NetworkPolicy lets more through. Ready: all of these, and every selected pod is protected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::bounds::conditions")]
    pub conditions: Vec<Condition>,
    /// Agent pods that the policy selects.
    #[serde(default)]
    pub matched_pods: i32,
    /// Those of them whose proxy is in place and ready.
    #[serde(default)]
    pub protected_pods: i32,
    /// Digest of this policy's rules, as proxies see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub snapshot_digest: Option<String>,
    /// The latest denial by a rule of this policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_denied: Option<LastDenied>,
}

/// A denial, without anything that only readers of the audit may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastDenied {
    /// RFC 3339.
    #[schemars(length(max = 64))]
    pub time: String,
    #[schemars(length(max = 64))]
    pub action: String,
    /// The host alone.
    #[schemars(length(max = 512))]
    pub resource: String,
    #[schemars(length(max = 64))]
    pub code: String,
}
