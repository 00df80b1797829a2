//! The CEL rules, evaluated without an API server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kube_cel::Validator;
use serde_json::{Value, json};

/// The messages with which the definition refuses the spec of a kind.
fn refusals(file: &str, spec: Value) -> Vec<String> {
    let definitions = exeat_crds::definitions().unwrap();
    let definition = definitions.iter().find(|d| d.file == file).unwrap();
    let schema = &definition.value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let object =
        json!({"apiVersion": "exeat.dev/v1alpha1", "metadata": {"name": "p"}, "spec": spec});
    match Validator::new().validate(schema, &object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|e| e.to_string()).collect(),
    }
}

fn rule(changes: Value) -> Vec<String> {
    let mut rule = json!({"name": "r", "action": "network.request", "effect": "Allow",
        "resource": "https://api.example.com/**"});
    for (key, value) in changes.as_object().unwrap() {
        rule[key] = value.clone();
    }
    refusals("agentpolicies.yaml", json!({"podSelector": {}, "rules": [rule]}))
}

#[test]
fn rules_that_belong_together_are_accepted() {
    for changes in [
        json!({}),
        json!({"methods": ["GET"], "denyBodyPatterns": ["secret"]}),
        json!({"denyPatterns": ["secret"], "denyDetectors": ["private-key"]}),
        json!({"effect": "Deny", "resource": "http://**"}),
        json!({"resource": "*://api.example.com:8443/**"}),
        json!({"action": "network.connect", "resource": "tcp://10.20.0.0/16:5432"}),
        json!({"action": "network.dns", "resource": "*.example.com", "methods": []}),
        json!({"action": "network.dns", "resource": "*.example.com", "types": ["SRV", "TXT"]}),
        json!({"types": []}),
        json!({"credential": {"secretRef": {"name": "s", "key": "k"}, "header": "Authorization",
            "template": "Bearer {value}"}}),
        json!({"resource": "https://api.example.com:8443", "credential": {"query": "key",
            "secretRef": {"name": "s", "key": "k"}, "placeholder": "Required", "env": "KEY"}}),
        json!({"credential": {"secretRef": {"name": "s", "key": "k"}, "basic": {"username": ""}}}),
    ] {
        assert_eq!(rule(changes.clone()), Vec::<String>::new(), "{changes}");
    }
}

/// A credential of a Secret, with more said of it.
fn credential(more: Value) -> Value {
    let mut credential = json!({"secretRef": {"name": "s", "key": "k"}});
    for (key, value) in more.as_object().unwrap() {
        credential[key] = value.clone();
    }
    json!({"credential": credential})
}

/// A rule with a credential, with more said of it.
fn with(more: Value) -> Value {
    let mut rule = credential(json!({"header": "Authorization"}));
    for (key, value) in more.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

#[test]
fn rules_that_contradict_themselves_are_refused_with_a_sentence() {
    for (changes, expected) in [
        (
            json!({"action": "network.connect", "resource": "tcp://a.example:1", "methods": ["GET"]}),
            "methods belong to network.request",
        ),
        (json!({"types": ["SRV"]}), "belong to network.dns"),
        (
            json!({"action": "network.connect", "resource": "tcp://a.example:1", "types": ["A"]}),
            "belong to network.dns",
        ),
        (
            json!({"action": "network.dns", "resource": "a.example", "denyBodyPatterns": ["x"]}),
            "denyBodyPatterns belong to network.request",
        ),
        (json!({"effect": "Deny", "denyBodyPatterns": ["x"]}), "denyBodyPatterns narrow an Allow"),
        (json!({"effect": "Deny", "denyPatterns": ["x"]}), "denyPatterns narrow an Allow"),
        (
            json!({"action": "network.dns", "resource": "a.example", "denyDetectors": ["iban"]}),
            "denyDetectors narrow an Allow",
        ),
        (json!({"tls": "Passthrough", "denyDetectors": ["iban"]}), "tls: Passthrough is not read"),
        (
            json!({"action": "network.dns", "resource": "https://a.example"}),
            "a host pattern without a scheme",
        ),
        (json!({"resource": "tcp://a.example:1"}), "begins with http://"),
        (credential(json!({"header": "A", "query": "a"})), "exactly one place"),
        (credential(json!({})), "exactly one place"),
        (credential(json!({"query": "a", "template": "{value}"})), "a template is for a header"),
        (credential(json!({"header": "A", "template": "Bearer x"})), "must have {value}"),
        (with(json!({"effect": "Deny"})), "a credential belongs to"),
        (with(json!({"resource": "http://api.example.com/**"})), "a credential belongs to"),
        (with(json!({"resource": "https://*.example.com/**"})), "a credential belongs to"),
        (with(json!({"resource": "https://api.example.com:*/**"})), "a credential belongs to"),
        (with(json!({"tls": "Passthrough"})), "a credential belongs to"),
        (json!({"resource": "api.example.com/**"}), "begins with http://"),
        (
            json!({"action": "network.connect", "resource": "https://a.example"}),
            "begins with tcp://",
        ),
    ] {
        let found = rule(changes.clone());
        assert!(found.iter().any(|text| text.contains(expected)), "{changes}: {found:?}");
    }
}

#[test]
fn a_guardrail_only_denies() {
    let deny = json!({"name": "d", "action": "network.request", "effect": "Deny", "resource": "http://**"});
    let mut allow = deny.clone();
    allow["effect"] = json!("Allow");
    let file = "clusteragentpolicies.yaml";
    assert!(refusals(file, json!({"tier": "Guardrail", "rules": [deny.clone()]})).is_empty());
    assert!(refusals(file, json!({"tier": "Baseline", "rules": [allow]})).is_empty());
    let found = refusals(file, json!({"tier": "Guardrail", "rules": [allow]}));
    assert!(found.iter().any(|text| text.contains("a Guardrail only denies")), "{found:?}");
    let mut named = deny.clone();
    named["credential"] = credential(json!({"header": "A"}))["credential"].clone();
    let found = refusals(file, json!({"tier": "Baseline", "rules": [named]}));
    assert!(found.iter().any(|text| text.contains("move the rule to an AgentPolicy")), "{found:?}");
    let found = refusals(file, json!({"tier": "Guardrail", "ingress": [{}]}));
    assert!(found.iter().any(|text| text.contains("ingress belongs to")), "{found:?}");
}
