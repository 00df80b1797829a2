use super::*;
use crate::action::Effect;
use crate::compile::compile_policy;
use crate::decide::Policies;
use crate::intent::Intent;
use crate::normal::Host;
use crate::pattern::Scheme;
use crate::reading::Readings;
use crate::snapshot::Snapshot;
use crate::source::{CredentialSource, Mode, RuleSource, SecretKeySource, Tier};
use crate::{Code, Decision};

fn header() -> CredentialSource {
    CredentialSource {
        header: Some("Authorization".into()),
        template: Some("Bearer {value}".into()),
        ..CredentialSource::new(SecretKeySource { name: "model".into(), key: "token".into() })
    }
}

fn rule(name: &str, resource: &str, credential: CredentialSource) -> RuleSource {
    let rule = RuleSource::new(name, "network.request", resource, Effect::Allow);
    RuleSource { credential: Some(credential), ..rule }
}

fn policy(rules: Vec<RuleSource>) -> PolicySource {
    PolicySource::new(PolicyRef::namespaced("agents", "p"), rules)
}

fn errors(rule: RuleSource) -> String {
    let errors = compile_policy(&policy(vec![rule])).map(|_| ()).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_credential_compiles_with_its_rule() {
    for credential in [
        header(),
        CredentialSource { header: Some("X-Api-Key".into()), template: None, ..header() },
        CredentialSource { header: None, template: None, query: Some("key".into()), ..header() },
        CredentialSource { header: None, template: None, basic: Some("bot".into()), ..header() },
        CredentialSource { env: Some("ANTHROPIC_API_KEY".into()), ..header() },
    ] {
        let source = policy(vec![rule("r", "https://api.example.com/**", credential)]);
        compile_policy(&source).unwrap();
        let named = named_by(&source);
        assert_eq!(named[0].secret.to_string(), "agents/model[token]");
        assert_eq!(named[0].host, "api.example.com");
    }
}

#[test]
fn what_cannot_be_held_to_is_refused_with_its_field() {
    let at = |resource: &str| rule("r", resource, header());
    let with = |credential| rule("r", "https://api.example.com/**", credential);
    for (rule, field, words) in [
        (at("http://api.example.com/**"), "resource", "in the clear"),
        (at("wss://api.example.com/**"), "resource", "https"),
        (at("*://api.example.com:443/**"), "resource", "https"),
        (at("https://*.example.com/**"), "resource", "one host"),
        (at("https://**"), "resource", "one host"),
        (at("https://203.0.113.0/24"), "resource", "one host"),
        (at("https://api.example.com:*/**"), "resource", "one port"),
        (
            RuleSource { effect: Effect::Deny, ..at("https://api.example.com/**") },
            "credential",
            "Allow",
        ),
        (
            with(CredentialSource { header: None, template: None, ..header() }),
            "credential",
            "header, query or basic",
        ),
        (
            with(CredentialSource { query: Some("key".into()), ..header() }),
            "credential",
            "more than one",
        ),
        (
            with(CredentialSource { header: None, query: Some("key".into()), ..header() }),
            "template",
            "header",
        ),
        (
            with(CredentialSource { template: Some("Bearer".into()), ..header() }),
            "template",
            "{value}",
        ),
        (
            with(CredentialSource { template: Some("{value}{value}".into()), ..header() }),
            "template",
            "{value}",
        ),
        (
            with(CredentialSource { template: Some("\u{e9}{value}".into()), ..header() }),
            "template",
            "ASCII",
        ),
        (
            with(CredentialSource { header: Some("Host".into()), ..header() }),
            "header",
            "proxy's own",
        ),
        (with(CredentialSource { header: Some("x_key".into()), ..header() }), "header", "name"),
        (with(CredentialSource { env: Some("1A".into()), ..header() }), "env", "variable"),
        (with(CredentialSource { env: Some("EXEAT_LOG".into()), ..header() }), "env", "variable"),
        (
            with(CredentialSource {
                secret_ref: SecretKeySource { name: "No Name".into(), key: "token".into() },
                ..header()
            }),
            "secretRef.name",
            "Secret",
        ),
        (
            with(CredentialSource {
                secret_ref: SecretKeySource { name: "model".into(), key: "a/b".into() },
                ..header()
            }),
            "secretRef.key",
            "key",
        ),
    ] {
        let found = errors(rule.clone());
        assert!(found.contains(field) && found.contains(words), "{rule:?}: {found}");
    }
}

#[test]
fn only_a_policy_of_the_namespace_names_its_secrets() {
    let mut source = policy(vec![rule("r", "https://api.example.com/**", header())]);
    source.origin = PolicyRef { tier: Tier::Baseline, namespace: String::new(), name: "b".into() };
    let found = compile_policy(&source).map(|_| ()).unwrap_err();
    assert!(found[0].to_string().contains("AgentPolicy"), "{found:?}");
    assert!(named_by(&source).is_empty());
}

fn decide(policies: &Policies, path: &str) -> Decision {
    let host = Host::parse("api.example.com").unwrap();
    let path = Readings::of(path).unwrap();
    let scheme = Scheme::Https;
    policies.decide(&Intent::Request { scheme, host: &host, port: 443, path: &path, method: "GET" })
}

#[test]
fn rules_that_agree_are_one_credential_and_others_deny() {
    let required = CredentialSource { placeholder: PlaceholderUse::Required, ..header() };
    let other = CredentialSource { header: Some("X-Api-Key".into()), ..header() };
    let rules = vec![
        rule("all", "https://api.example.com/**", header()),
        rule("some", "https://api.example.com/strict/**", required),
        rule("other", "https://api.example.com/other/**", other),
    ];
    let policies = Policies::compile(&Snapshot::new("pod", vec![policy(rules.clone())]));
    let decision = decide(&policies, "/a");
    assert_eq!(decision.obligations.credential().unwrap().placeholder, PlaceholderUse::Optional);
    let decision = decide(&policies, "/strict/a");
    assert_eq!(decision.obligations.credential().unwrap().placeholder, PlaceholderUse::Required);
    let decision = decide(&policies, "/other/a");
    assert!(!decision.allows() && decision.code == Code::CredentialConflict, "{decision:?}");
    assert!(decision.obligations.credential().is_none());
    // Which order the rules have makes no difference.
    let backwards = rules.into_iter().rev().collect();
    let policies = Policies::compile(&Snapshot::new("pod", vec![policy(backwards)]));
    let decision = decide(&policies, "/strict/a");
    assert_eq!(decision.obligations.credential().unwrap().placeholder, PlaceholderUse::Required);
    assert_eq!(decide(&policies, "/other/a").code, Code::CredentialConflict);
    assert_eq!(policies.credentials().count(), 3);
}

#[test]
fn policies_that_observe_have_no_credentials() {
    let observes = PolicySource {
        mode: Mode::Observe,
        ..policy(vec![rule("r", "https://api.example.com/**", header())])
    };
    let policies = Policies::compile(&Snapshot::new("pod", vec![observes]));
    assert_eq!(policies.credentials().count(), 0);
}

#[test]
fn tls_to_a_host_with_a_credential_is_terminated() {
    let mut open =
        RuleSource::new("o", "network.request", "https://api.example.com", Effect::Allow);
    open.tls = crate::source::TlsMode::Passthrough;
    let host = Host::parse("api.example.com").unwrap();
    let of = |rules| Policies::compile(&Snapshot::new("pod", vec![policy(rules)]));
    assert!(!of(vec![open.clone()]).intercepts(Scheme::Tls, &host, 443));
    let both = of(vec![open, rule("r", "https://api.example.com/v1/**", header())]);
    assert!(both.intercepts(Scheme::Tls, &host, 443));
    let mut inside = rule("r", "https://api.example.com", header());
    inside.tls = crate::source::TlsMode::Passthrough;
    assert!(errors(inside).contains("tls"));
}

#[test]
fn a_placeholder_differs_by_pod_and_secret_and_is_known_in_its_shapes() {
    let secret = |key: &str| SecretKey {
        namespace: "agents".into(),
        name: "model".into(),
        key: key.to_owned(),
    };
    let of = |seed, key| Placeholder::of(seed, &secret(key)).unwrap();
    assert_eq!(of("seed", "token"), of("seed", "token"));
    assert_ne!(of("seed", "token"), of("other", "token"));
    assert_ne!(of("seed", "token"), of("seed", "other"));
    assert_eq!(Placeholder::of("", &secret("token")), None);
    let placeholder = of("seed", "token");
    let shaped = placeholder.shaped_for("api.anthropic.com");
    assert!(shaped.starts_with("sk-ant-api03-") && placeholder.is(&shaped), "{shaped}");
    assert!(placeholder.is(&placeholder.shaped_for("any.example")));
    for not in [
        format!("{shaped} "),
        format!("x{shaped}"),
        shaped.to_uppercase(),
        of("other", "token").shaped_for("any.example"),
    ] {
        assert!(!placeholder.is(&not), "{not}");
    }
}
