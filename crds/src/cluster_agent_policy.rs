//! ClusterAgentPolicy: what holds for agents of many namespaces.

use crate::{Audit, Dns, Mode, PolicyStatus, Rule as PolicyRule};
use exeat_policy::limits::MAX_RULES;
use exeat_policy::source::{self, PolicyRef, PolicySource};
use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What holds for the selected agents of the selected namespaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "exeat.dev",
    version = "v1alpha1",
    kind = "ClusterAgentPolicy",
    plural = "clusteragentpolicies",
    singular = "clusteragentpolicy",
    shortname = "cagentpol",
    category = "agents",
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "What holds for agents of many namespaces. A Guardrail only denies, and no AgentPolicy lifts it. A Baseline is united with the AgentPolicies that select the same pod, and suffices where none does.",
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
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
#[x_kube(
    validation = Rule::new("self.tier != 'Guardrail' || !has(self.rules) || self.rules.all(r, r.effect == 'Deny')").message("a Guardrail only denies: set every rule's effect to Deny, or set tier to Baseline"),
    validation = Rule::new("!has(self.rules) || self.rules.all(r, !has(r.credential))").message("a credential is a key of a Secret in the policy's own namespace: move the rule to an AgentPolicy"),
    validation = Rule::new("self.tier != 'Guardrail' || !has(self.ingress) || size(self.ingress) == 0").message("a Guardrail only denies: ingress belongs to a Baseline or an AgentPolicy"),
)]
pub struct ClusterAgentPolicySpec {
    /// Guardrail: denials that nothing lifts. Baseline: united with the AgentPolicies of a pod.
    pub tier: Tier,
    /// The namespaces that the policy speaks about. Empty: all of them.
    #[serde(default)]
    #[schemars(schema_with = "crate::bounds::label_selector")]
    pub namespace_selector: LabelSelector,
    /// The pods of those namespaces. Empty: all agents.
    #[serde(default)]
    #[schemars(schema_with = "crate::bounds::label_selector")]
    pub pod_selector: LabelSelector,
    /// Enforce, or Observe: decide and record, and let pass.
    #[serde(default)]
    pub mode: Mode,
    /// What is allowed and what is denied.
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

/// What a ClusterAgentPolicy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tier {
    /// Denials that no other policy lifts.
    Guardrail,
    /// United with the AgentPolicies that select the same pod; suffices where none does.
    Baseline,
}

impl From<Tier> for source::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Guardrail => Self::Guardrail,
            Tier::Baseline => Self::Baseline,
        }
    }
}

impl ClusterAgentPolicy {
    /// The policy as the compiler takes it.
    pub fn source(&self) -> PolicySource {
        PolicySource {
            origin: PolicyRef {
                tier: self.spec.tier.into(),
                namespace: String::new(),
                name: self.metadata.name.clone().unwrap_or_default(),
            },
            generation: self.metadata.generation.unwrap_or_default(),
            mode: self.spec.mode.into(),
            rules: self.spec.rules.iter().map(Into::into).collect(),
            invalid: None,
        }
    }
}
