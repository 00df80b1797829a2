//! The schema and the compiler hold a policy to the same limits: what is as large as the schema
//! allows compiles, and what is larger does not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exeat_policy::action::Effect;
use exeat_policy::compile_policy;
use exeat_policy::source::{
    CredentialSource, PolicyRef, PolicySource, RuleSource, SecretKeySource,
};
use regex_automata::Input;
use regex_automata::dfa::{Automaton, dense};
use serde_json::Value;

/// The schema of `spec.rules`, of both kinds.
fn rules() -> Vec<Value> {
    let rules = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/rules";
    let definitions = exeat_crds::definitions().unwrap();
    definitions.iter().map(|it| it.value.pointer(rules).unwrap().clone()).collect()
}

fn number(schema: &Value, pointer: &str) -> usize {
    let number = schema.pointer(pointer).and_then(Value::as_u64);
    usize::try_from(number.unwrap_or_else(|| panic!("{pointer}: {schema}"))).unwrap()
}

fn rule(name: &str) -> RuleSource {
    RuleSource::new(name, "network.request", "https://api.example.com/**", Effect::Allow)
}

fn compiles(rules: Vec<RuleSource>) -> bool {
    compile_policy(&PolicySource::new(PolicyRef::namespaced("agents", "limits"), rules)).is_ok()
}

/// That `make(most)` compiles and `make(most + 1)` does not.
fn ends_at(most: usize, what: &str, make: impl Fn(usize) -> Vec<RuleSource>) {
    assert!(compiles(make(most)), "{what}: {most} must compile");
    assert!(!compiles(make(most + 1)), "{what}: {} must not compile", most + 1);
}

#[test]
fn the_compiler_ends_where_the_schema_does() {
    for schema in rules() {
        let most = |pointer: &str| number(&schema, &format!("/items/properties/{pointer}"));
        ends_at(number(&schema, "/maxItems"), "rules", |count| {
            (0..count).map(|n| rule(&format!("r{n}"))).collect()
        });
        ends_at(most("name/maxLength"), "name", |count| vec![rule(&"n".repeat(count))]);
        ends_at(most("resource/maxLength"), "resource", |count| {
            let start = "https://api.example.com/";
            let resource = format!("{start}{}", "a".repeat(count - start.len()));
            vec![RuleSource { resource, ..rule("r") }]
        });
        // Two bytes each: lengths are in characters.
        ends_at(most("reason/maxLength"), "reason", |count| {
            vec![RuleSource { reason: Some("é".repeat(count)), ..rule("r") }]
        });
        ends_at(most("methods/maxItems"), "methods", |count| {
            let methods = vec!["GET".to_owned(); count];
            vec![RuleSource { methods, ..rule("r") }]
        });
        ends_at(most("methods/items/maxLength"), "method", |count| {
            vec![RuleSource { methods: vec!["M".repeat(count)], ..rule("r") }]
        });
        ends_at(most("types/maxItems"), "types", |count| {
            let types = vec!["SRV".to_owned(); count];
            vec![RuleSource {
                action: "network.dns".into(),
                resource: "a.example".into(),
                types,
                ..rule("r")
            }]
        });
        let listed = schema.pointer("/items/properties/types/items/enum").unwrap();
        let listed: Vec<_> =
            listed.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let compiled = exeat_policy::RecordType::LISTED.map(|it| it.as_str());
        assert_eq!(listed, compiled, "the schema lists the compiler's types");
        ends_at(most("denyBodyPatterns/maxItems"), "body patterns", |count| {
            let deny_body_patterns = (0..count).map(|n| format!("secret-{n}")).collect();
            vec![RuleSource { deny_body_patterns, ..rule("r") }]
        });
        ends_at(most("denyPatterns/maxItems"), "patterns", |count| {
            let deny_patterns = (0..count).map(|n| format!("secret-{n}")).collect();
            vec![RuleSource { deny_patterns, ..rule("r") }]
        });
        ends_at(most("denyDetectors/maxItems"), "detectors", |count| {
            vec![RuleSource { deny_detectors: vec!["iban".to_owned(); count], ..rule("r") }]
        });
        let credential = |change: &dyn Fn(&mut CredentialSource)| {
            let secret = SecretKeySource { name: "s".into(), key: "k".into() };
            let mut credential = CredentialSource::new(secret);
            credential.header = Some("Authorization".into());
            change(&mut credential);
            vec![RuleSource { credential: Some(credential), ..rule("r") }]
        };
        let of = |pointer: &str| most(&format!("credential/properties/{pointer}/maxLength"));
        ends_at(of("secretRef/properties/name"), "name of a Secret", |count| {
            credential(&|it| it.secret_ref.name = "s".repeat(count))
        });
        ends_at(of("secretRef/properties/key"), "key of a Secret", |count| {
            credential(&|it| it.secret_ref.key = "k".repeat(count))
        });
        ends_at(of("header"), "header", |count| {
            credential(&|it| it.header = Some("h".repeat(count)))
        });
        ends_at(of("template"), "template", |count| {
            credential(&|it| it.template = Some(format!("{{value}}{}", "x".repeat(count - 7))))
        });
        ends_at(of("query"), "parameter", |count| {
            credential(&|it| (it.header, it.query) = (None, Some("q".repeat(count))))
        });
        ends_at(of("basic/properties/username"), "user name", |count| {
            credential(&|it| (it.header, it.basic) = (None, Some("u".repeat(count))))
        });
        ends_at(of("env"), "variable", |count| credential(&|it| it.env = Some("E".repeat(count))));
        let longest = most("denyDetectors/items/maxLength");
        assert!(exeat_policy::detect::all().iter().all(|it| it.name.len() <= longest));
        ends_at(most("denyBodyPatterns/items/maxLength"), "body pattern", |count| {
            vec![RuleSource { deny_body_patterns: vec!["é".repeat(count)], ..rule("r") }]
        });
    }
}

#[test]
fn the_compiler_takes_the_names_and_methods_that_the_schemas_patterns_take() {
    let matcher = |schema: &Value, pointer: &str| {
        let pattern = schema.pointer(pointer).and_then(Value::as_str).unwrap();
        dense::DFA::new(pattern).unwrap()
    };
    let matches = |dfa: &dense::DFA<Vec<u32>>, text: &str| {
        dfa.try_search_fwd(&Input::new(text)).unwrap().is_some()
    };
    for schema in rules() {
        let name = matcher(&schema, "/items/properties/name/pattern");
        let method = matcher(&schema, "/items/properties/methods/items/pattern");
        for text in [
            "a", "a-1", "1", "-a", "a-", "a--b", "A", "a_b", "a.b", "", "GET", "M-SEARCH", "-GET",
            "GET1",
        ] {
            assert_eq!(compiles(vec![rule(text)]), matches(&name, text), "the name {text:?}");
            let rule = RuleSource { methods: vec![text.to_owned()], ..rule("r") };
            assert_eq!(compiles(vec![rule]), matches(&method, text), "the method {text:?}");
        }
    }
}
