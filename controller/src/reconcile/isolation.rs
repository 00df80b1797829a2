//! Other NetworkPolicies that let more through. NetworkPolicies add up, so any rule of another one
//! that selects the same pod widens what the pod may do. Which are ours, and as they should be, is not
//! told by a label, for anybody can write it: the caller leaves those out.

use crate::index::{PodInfo, Selector};
use exeat_api::labels::OWNER_LABEL;
use exeat_crds::GROUP;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use std::sync::Arc;

/// One NetworkPolicy that widens the isolation of a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Widening {
    pub network_policy: String,
    /// `egress`, `ingress` or both.
    pub directions: &'static str,
}

/// Whether a NetworkPolicy is one of ours, by its label and owner.
pub(super) fn ours(policy: &NetworkPolicy) -> bool {
    let labelled = policy.metadata.labels.as_ref().is_some_and(|l| l.contains_key(OWNER_LABEL));
    let owners = policy.metadata.owner_references.iter().flatten();
    let is_policy = |version: &str| version.split_once('/').is_some_and(|(it, _)| it == GROUP);
    labelled && owners.into_iter().any(|owner| is_policy(&owner.api_version))
}

/// Those of `policies` (of one namespace) that widen what one of `pods` may do.
pub fn widenings(policies: &[Arc<NetworkPolicy>], pods: &[Arc<PodInfo>]) -> Vec<Widening> {
    let mut found: Vec<_> = policies
        .iter()
        .filter_map(|policy| {
            let spec = policy.spec.as_ref()?;
            let egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
            let ingress = spec.ingress.as_ref().is_some_and(|rules| !rules.is_empty());
            let directions = match (egress, ingress) {
                (true, true) => "egress and ingress",
                (true, false) => "egress",
                (false, true) => "ingress",
                (false, false) => return None,
            };
            let selector = spec.pod_selector.clone().unwrap_or_default();
            // A selector that cannot be read may select anything.
            let selector = Selector::parse(&selector).unwrap_or_default();
            let selects = pods.iter().any(|pod| {
                policy.metadata.namespace.as_deref() == Some(pod.namespace.as_str())
                    && selector.matches(&pod.labels)
            });
            let network_policy = policy.metadata.name.clone().unwrap_or_default();
            selects.then_some(Widening { network_policy, directions })
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn found(spec: Value, labelled: bool) -> Vec<Widening> {
        let mut value = json!({"metadata": {"namespace": "n", "name": "other"}, "spec": spec});
        if labelled {
            value["metadata"]["labels"] = json!({"exeat.dev/policy-uid": "u"});
            value["metadata"]["ownerReferences"] = json!([{"apiVersion": "exeat.dev/v1alpha1",
                "kind": "AgentPolicy", "name": "p", "uid": "u"}]);
        }
        let labels = [("app".to_owned(), "a".to_owned())].into();
        let pod = PodInfo { namespace: "n".into(), name: "p".into(), labels, ..PodInfo::default() };
        widenings(&[Arc::new(serde_json::from_value(value).unwrap())], &[Arc::new(pod)])
    }

    #[test]
    fn rules_of_others_over_our_pods_widen() {
        for (spec, directions) in [
            (json!({"podSelector": {}, "egress": [{}]}), Some("egress")),
            (json!({"podSelector": {}, "ingress": [{}]}), Some("ingress")),
            (
                json!({"podSelector": {}, "ingress": [{}], "egress": [{}]}),
                Some("egress and ingress"),
            ),
            (json!({"podSelector": {}, "policyTypes": ["Egress"]}), None),
            (json!({"podSelector": {"matchLabels": {"app": "b"}}, "egress": [{}]}), None),
        ] {
            let found = found(spec.clone(), false);
            assert_eq!(found.first().map(|w| w.directions), directions, "{spec}");
        }
    }

    #[test]
    fn a_label_and_an_owner_excuse_nothing() {
        assert_eq!(found(json!({"podSelector": {}, "egress": [{}]}), true).len(), 1);
    }
}
