use super::*;
use exeat_policy::snapshot::AuditSettings;
use exeat_policy::source::{PolicyRef, Tier};

fn policy(tier: Tier, namespace: &str, name: &str, pods: serde_json::Value) -> Object {
    let pod_selector = serde_json::from_value(pods).unwrap();
    Object::Policy(Box::new(StoredPolicy {
        uid: format!("uid-{name}"),
        source: PolicySource::new(
            PolicyRef { tier, namespace: namespace.to_owned(), name: name.to_owned() },
            Vec::new(),
        ),
        selection: Selection {
            namespace: (tier == Tier::Namespaced).then(|| namespace.to_owned()),
            namespaces: None,
            pods: Selector::parse(&pod_selector).ok(),
            pod_selector,
        },
        ingress: Vec::new(),
        audit: AuditSettings::default(),
        denied_names: Default::default(),
        conditions: Vec::new(),
        status: serde_json::Value::Null,
    }))
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn names(index: &Index, namespace: &str, pod: &Labels) -> Vec<String> {
    let found = index.policies_for(namespace, &Labels::new(), pod);
    found.into_iter().map(|policy| policy.origin.name).collect()
}

#[test]
fn a_pod_gets_the_policies_of_its_namespace_and_of_the_cluster_sorted() {
    let index = Index::shared();
    let any = serde_json::json!({});
    let app = serde_json::json!({"matchLabels": {"app": "a"}});
    for (namespace, name, pods) in
        [("n", "z", &any), ("n", "b", &app), ("na", "other", &any), ("m", "other", &any)]
    {
        index.apply(
            WatchedKind::AgentPolicies,
            Key::new(namespace, name),
            policy(Tier::Namespaced, namespace, name, pods.clone()),
        );
    }
    for (tier, name) in [(Tier::Baseline, "base"), (Tier::Guardrail, "guard")] {
        let object = policy(tier, "", name, any.clone());
        index.apply(WatchedKind::ClusterAgentPolicies, Key::new("", name), object);
    }
    assert_eq!(names(&index, "n", &labels(&[("app", "a")])), ["guard", "b", "z", "base"]);
    assert_eq!(names(&index, "n", &Labels::new()), ["guard", "z", "base"]);
}

#[test]
fn a_selector_that_cannot_be_read_selects_everything() {
    let index = Index::shared();
    let bad = serde_json::json!({"matchExpressions": [{"key": "a", "operator": "Like"}]});
    index.apply(
        WatchedKind::AgentPolicies,
        Key::new("n", "bad"),
        policy(Tier::Namespaced, "n", "bad", bad),
    );
    assert_eq!(names(&index, "n", &Labels::new()), ["bad"]);
}

#[test]
fn it_is_synced_only_when_every_kind_was_listed() {
    let index = Index::shared();
    for kind in WatchedKind::ALL {
        assert!(!index.synced(), "before {kind:?}");
        index.replace(kind, Vec::new());
    }
    assert!(index.synced());
}

#[test]
fn a_listing_removes_what_it_does_not_contain() {
    let index = Index::shared();
    let any = serde_json::json!({});
    for name in ["a", "b"] {
        let object = policy(Tier::Namespaced, "n", name, any.clone());
        index.apply(WatchedKind::AgentPolicies, Key::new("n", name), object);
    }
    let kept = (Key::new("n", "b"), policy(Tier::Namespaced, "n", "b", any));
    index.replace(WatchedKind::AgentPolicies, vec![kept]);
    assert_eq!(names(&index, "n", &Labels::new()), ["b"]);
}

#[test]
fn subscribers_wake_on_changes_and_on_nothing_else() {
    let index = Index::shared();
    let changes = index.subscribe();
    let object = policy(Tier::Namespaced, "n", "a", serde_json::json!({}));
    index.apply(WatchedKind::AgentPolicies, Key::new("n", "a"), object.clone());
    assert_eq!(*changes.borrow(), 1);
    index.apply(WatchedKind::AgentPolicies, Key::new("n", "a"), object);
    assert_eq!(*changes.borrow(), 1);
    index.delete(WatchedKind::AgentPolicies, &Key::new("n", "a"));
    assert_eq!(*changes.borrow(), 2);
}

#[test]
fn the_namespace_label_makes_every_pod_an_agent_until_it_goes() {
    let index = Index::shared();
    let pod = PodInfo { namespace: "n".into(), name: "p".into(), ..PodInfo::default() };
    index.apply(WatchedKind::Pods, Key::new("n", "p"), Object::Pod(Box::new(pod)));
    assert!(index.agent_pods().is_empty());
    let all = NamespaceInfo { labels: labels(&[("exeat.dev/agents", "all")]) };
    index.apply(WatchedKind::Namespaces, Key::new("", "n"), Object::Namespace("n".into(), all));
    assert_eq!(index.agent_pods().len(), 1);
}
