//! AgentPolicy: what the agents of a namespace may do.

use crate::{Audit, Dns, Mode, PolicyStatus, Rule as PolicyRule};
use exeat_policy::limits::MAX_RULES;
use exeat_policy::source::{PolicyRef, PolicySource, Tier};
use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What the selected agents may do. Everything that no rule allows is denied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "exeat.dev",
    version = "v1alpha1",
    kind = "AgentPolicy",
    plural = "agentpolicies",
    singular = "agentpolicy",
    shortname = "agentpol",
    category = "agents",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "What the agents of a namespace may do. A pod that is an agent and that no policy selects is refused. Several policies that select one pod are united: a Deny of any of them wins, and what none allows is denied.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Matched",
        type_ = "integer",
        json_path = ".status.matchedPods",
        description = "Agent pods that this policy selects"
    ),
    printcolumn(
        name = "Protected",
        type_ = "integer",
        json_path = ".status.protectedPods",
        description = "Those whose proxy is ready"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
pub struct AgentPolicySpec {
    /// The pods of this namespace that the policy speaks about. Empty: all of them.
    #[schemars(schema_with = "crate::bounds::label_selector")]
    pub pod_selector: LabelSelector,
    /// Enforce, or Observe: decide and record, and let pass.
    #[serde(default)]
    pub mode: Mode,
    /// What is allowed and what is denied. Empty: everything is denied.
    #[serde(default)]
    #[schemars(length(max = MAX_RULES))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub rules: Vec<PolicyRule>,
    /// Who may connect to the agents, as in a NetworkPolicy. Empty: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::bounds::ingress")]
    pub ingress: Vec<NetworkPolicyIngressRule>,
    /// How decisions are recorded.
    #[serde(default)]
    pub audit: Audit,
    /// How DNS questions are answered.
    #[serde(default)]
    pub dns: Dns,
}

impl AgentPolicy {
    /// The policy as the compiler takes it.
    pub fn source(&self) -> PolicySource {
        PolicySource {
            origin: PolicyRef {
                tier: Tier::Namespaced,
                namespace: self.metadata.namespace.clone().unwrap_or_default(),
                name: self.metadata.name.clone().unwrap_or_default(),
            },
            generation: self.metadata.generation.unwrap_or_default(),
            mode: self.spec.mode.into(),
            rules: self.spec.rules.iter().map(Into::into).collect(),
            invalid: None,
        }
    }
}
