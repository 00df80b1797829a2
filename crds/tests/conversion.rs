//! Objects as users write them become what the compiler takes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exeat_crds::{AgentPolicy, ClusterAgentPolicy};
use exeat_policy::source::{Mode, Tier};

#[test]
fn an_agent_policy_converts_field_by_field() {
    let policy: AgentPolicy = serde_yaml::from_str(
        r#"
apiVersion: exeat.dev/v1alpha1
kind: AgentPolicy
metadata: {name: research, namespace: agents, generation: 3}
spec:
  podSelector: {matchLabels: {app: research}}
  mode: Observe
  rules:
    - {name: api, action: network.request, resource: "https://api.example.com/**", methods: [GET], effect: Allow, reason: why, denyBodyPatterns: [secret]}
"#,
    )
    .unwrap();
    let source = policy.source();
    assert_eq!(source.origin.tier, Tier::Namespaced);
    assert_eq!(
        (source.origin.namespace.as_str(), source.origin.name.as_str()),
        ("agents", "research")
    );
    assert_eq!((source.generation, source.mode), (3, Mode::Observe));
    let rule = &source.rules[0];
    assert_eq!(
        (rule.action.as_str(), rule.methods.as_slice()),
        ("network.request", &["GET".to_owned()][..])
    );
    assert_eq!(rule.deny_body_patterns, ["secret"]);
    assert!(exeat_policy::compile_policy(&source).is_ok());
}

#[test]
fn fields_that_do_not_exist_are_refused() {
    for spec in [
        "{podSelector: {}, modus: Enforce}",
        "{podSelector: {}, rules: [{name: a, action: network.dns, resource: a.example, effect: Allow, port: 1}]}",
        "{podSelector: {}, rules: [{name: a, action: shell.exec, resource: curl, effect: Deny}]}",
        "{podSelector: {}, rules: [{name: a, action: network.dns, resource: a.example, effect: RequireApproval}]}",
        "{rules: []}",
    ] {
        let text = format!(
            "{{apiVersion: exeat.dev/v1alpha1, kind: AgentPolicy, metadata: {{name: p}}, spec: {spec}}}"
        );
        assert!(serde_yaml::from_str::<AgentPolicy>(&text).is_err(), "{spec}");
    }
}

#[test]
fn a_cluster_policy_has_its_tier_and_no_namespace() {
    let policy: ClusterAgentPolicy = serde_yaml::from_str(
        "{apiVersion: exeat.dev/v1alpha1, kind: ClusterAgentPolicy, metadata: {name: g}, spec: {tier: Guardrail}}",
    )
    .unwrap();
    let source = policy.source();
    assert_eq!((source.origin.tier, source.origin.namespace.as_str()), (Tier::Guardrail, ""));
}
