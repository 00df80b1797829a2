//! Objects of the API server, read into what the index keeps. Nothing here fails: what cannot be
//! read is kept as the value that denies most.

use crate::index::{
    Key, NamespaceInfo, Object, PodInfo, Selection, Selector, ServiceInfo, SliceInfo, StoredPolicy,
    WatchedKind,
};
use exeat_crds::{AgentPolicy, ClusterAgentPolicy};
use exeat_policy::DeniedNames;
use exeat_policy::snapshot::{AuditSettings, OnFailure};
use exeat_policy::source::{Mode, PolicyRef, PolicySource, Tier};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::DynamicObject;
use serde_json::Value;

/// Key and content of an object of `kind`.
pub fn read(kind: WatchedKind, object: &DynamicObject) -> (Key, Object) {
    let key = key(object);
    let content = match kind {
        WatchedKind::AgentPolicies | WatchedKind::ClusterAgentPolicies => {
            Object::Policy(Box::new(policy(kind, object)))
        }
        WatchedKind::Namespaces => {
            let labels = object.metadata.labels.clone().unwrap_or_default();
            Object::Namespace(key.name.clone(), NamespaceInfo { labels })
        }
        WatchedKind::Pods => {
            let metadata = object.metadata.clone();
            let pod = object.clone().try_parse::<Pod>();
            let pod = pod.unwrap_or_else(|_| Pod { metadata, ..Pod::default() });
            Object::Pod(Box::new(PodInfo::from(&pod)))
        }
        WatchedKind::NetworkPolicies => {
            let metadata = object.metadata.clone();
            let policy = object.clone().try_parse::<NetworkPolicy>();
            let mut policy =
                policy.unwrap_or_else(|_| NetworkPolicy { metadata, ..NetworkPolicy::default() });
            policy.metadata.managed_fields = None;
            Object::NetworkPolicy(Box::new(policy))
        }
        // What cannot be read opens nothing.
        WatchedKind::Services => {
            let service = object.clone().try_parse::<Service>().unwrap_or_default();
            Object::Service(Box::new(ServiceInfo::from(&service)))
        }
        WatchedKind::EndpointSlices => {
            let slice = object.clone().try_parse::<EndpointSlice>();
            let slice = slice.map(|slice| SliceInfo::from(&slice)).unwrap_or_default();
            Object::EndpointSlice(Box::new(slice))
        }
    };
    (key, content)
}

pub(super) fn key(object: &DynamicObject) -> Key {
    Key::new(
        object.metadata.namespace.clone().unwrap_or_default(),
        object.metadata.name.clone().unwrap_or_default(),
    )
}

/// A policy of either kind. One that its type cannot hold is `invalid` and selects whatever it can
/// have meant to select: where its selectors cannot be read, everything.
pub fn policy(kind: WatchedKind, object: &DynamicObject) -> StoredPolicy {
    let value = serde_json::to_value(object).unwrap_or_default();
    let read = if kind == WatchedKind::ClusterAgentPolicies {
        serde_json::from_value::<ClusterAgentPolicy>(value.clone()).map(from_cluster_policy)
    } else {
        serde_json::from_value::<AgentPolicy>(value.clone()).map(from_agent_policy)
    };
    let mut stored = read.unwrap_or_else(|why| unreadable(kind, object, &value, &why.to_string()));
    stored.uid = object.metadata.uid.clone().unwrap_or_default();
    stored.status = value.get("status").cloned().unwrap_or_default();
    stored.conditions = stored
        .status
        .get("conditions")
        .and_then(|conditions| serde_json::from_value(conditions.clone()).ok())
        .unwrap_or_default();
    stored
}

fn from_agent_policy(policy: AgentPolicy) -> StoredPolicy {
    let mut source = policy.source();
    let selection = Selection {
        namespace: Some(source.origin.namespace.clone()),
        namespaces: None,
        pods: parse(&policy.spec.pod_selector, "spec.podSelector", &mut source),
        pod_selector: policy.spec.pod_selector,
    };
    let denied_names = policy.spec.dns.denied.into();
    StoredPolicy {
        denied_names,
        ..stored(source, selection, policy.spec.ingress, policy.spec.audit.into())
    }
}

fn from_cluster_policy(policy: ClusterAgentPolicy) -> StoredPolicy {
    let mut source = policy.source();
    let selection = Selection {
        namespace: None,
        namespaces: parse(&policy.spec.namespace_selector, "spec.namespaceSelector", &mut source),
        pods: parse(&policy.spec.pod_selector, "spec.podSelector", &mut source),
        pod_selector: policy.spec.pod_selector,
    };
    let denied_names = policy.spec.dns.denied.into();
    StoredPolicy {
        denied_names,
        ..stored(source, selection, policy.spec.ingress, policy.spec.audit.into())
    }
}

fn stored(
    source: PolicySource,
    selection: Selection,
    ingress: Vec<k8s_openapi::api::networking::v1::NetworkPolicyIngressRule>,
    audit: AuditSettings,
) -> StoredPolicy {
    StoredPolicy {
        uid: String::new(),
        source,
        selection,
        ingress,
        audit,
        denied_names: DeniedNames::default(),
        conditions: Vec::new(),
        status: Value::Null,
    }
}

/// Parses a selector; one that cannot be parsed makes the policy invalid.
fn parse(selector: &LabelSelector, path: &str, source: &mut PolicySource) -> Option<Selector> {
    Selector::parse(selector).map_err(|why| source.invalid = Some(format!("{path}: {why}"))).ok()
}

fn unreadable(kind: WatchedKind, object: &DynamicObject, value: &Value, why: &str) -> StoredPolicy {
    let cluster = kind == WatchedKind::ClusterAgentPolicies;
    let spec = &value["spec"];
    let tier = match (cluster, spec["tier"].as_str()) {
        (false, _) => Tier::Namespaced,
        (true, Some("Baseline")) => Tier::Baseline,
        (true, _) => Tier::Guardrail,
    };
    let key = key(object);
    let selector = |field: &str| -> Option<LabelSelector> {
        match spec.get(field) {
            None => None,
            Some(text) => serde_json::from_value(text.clone()).ok(),
        }
    };
    let pod_selector = selector("podSelector");
    let pods = pod_selector.as_ref().and_then(|selector| Selector::parse(selector).ok());
    let selection = Selection {
        namespace: (!cluster).then(|| key.namespace.clone()),
        namespaces: selector("namespaceSelector").and_then(|s| Selector::parse(&s).ok()),
        pod_selector: if pods.is_some() {
            pod_selector.unwrap_or_default()
        } else {
            LabelSelector::default()
        },
        pods,
    };
    let source = PolicySource {
        origin: PolicyRef { tier, namespace: key.namespace, name: key.name },
        generation: object.metadata.generation.unwrap_or_default(),
        mode: Mode::Enforce,
        rules: Vec::new(),
        invalid: Some(why.to_owned()),
    };
    let audit = AuditSettings { on_failure: OnFailure::Deny, ..AuditSettings::default() };
    stored(source, selection, Vec::new(), audit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored_policy(kind: WatchedKind, spec: Value) -> StoredPolicy {
        let object = json!({"metadata": {"namespace": "n", "name": "p", "uid": "u"}, "spec": spec});
        policy(kind, &serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_policy_with_an_unknown_effect_denies_over_what_it_selects() {
        let stored = stored_policy(
            WatchedKind::AgentPolicies,
            json!({"podSelector": {"matchLabels": {"a": "b"}},
                "rules": [{"name": "r", "action": "network.request", "resource": "https://x", "effect": "Perhaps"}]}),
        );
        assert!(stored.source.invalid.as_ref().unwrap().contains("Perhaps"));
        assert!(!stored.selection.selects("n", &Default::default(), &Default::default()));
        let labels = [("a".to_owned(), "b".to_owned())].into();
        assert!(stored.selection.selects("n", &Default::default(), &labels));
    }

    #[test]
    fn selectors_that_cannot_be_read_select_everything() {
        for spec in [
            json!({}),
            json!({"podSelector": 3}),
            json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
        ] {
            let stored = stored_policy(WatchedKind::AgentPolicies, spec.clone());
            assert!(stored.source.invalid.is_some(), "{spec}");
            assert!(stored.selection.selects("n", &Default::default(), &Default::default()));
            assert!(!stored.selection.selects("m", &Default::default(), &Default::default()));
        }
    }

    #[test]
    fn an_unreadable_cluster_policy_is_a_guardrail_over_every_namespace() {
        let stored = stored_policy(WatchedKind::ClusterAgentPolicies, json!({"tier": "Something"}));
        assert_eq!(stored.source.origin.tier, Tier::Guardrail);
        assert!(stored.selection.selects("any", &Default::default(), &Default::default()));
    }
}
