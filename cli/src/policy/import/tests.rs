#![allow(clippy::unwrap_used)]

use super::convert::{Became, Converted, all};
use super::written::read;

fn import(text: &str) -> Converted {
    all(&read(text).unwrap())
}

/// What each rule of a file in flow style becomes: its resources, or why it has none.
fn resources(rule: &str) -> Vec<String> {
    let Converted { rules, said } = import(&format!("rules: [{rule}]"));
    match &said[0].became {
        Became::Rules(_) => rules.into_iter().map(|rule| rule.resource).collect(),
        Became::Needless(why) => vec![format!("needless: {why}")],
        Became::LeftOut(why) => vec![format!("left out: {why}")],
    }
}

#[test]
fn every_spelling_of_a_target_becomes_resources() {
    let allow = |target: &str| {
        resources(&format!("{{action: network.request, resource: '{target}', effect: allow}}"))
    };
    let deny = |target: &str| {
        resources(&format!("{{action: network.request, resource: '{target}', effect: DENY}}"))
    };
    for (target, want) in [
        ("https://api.your-company.com/**", vec!["https://api.your-company.com/**"]),
        ("api.openai.com", vec!["https://api.openai.com/**"]),
        ("api.openai.com:8443/v1/*", vec!["https://api.openai.com:8443/v1/*"]),
        ("*.internal.company.com", vec!["https://*.internal.company.com/**"]),
        ("10.1.2.3", vec!["https://10.1.2.3/**"]),
        ("10.20.*", vec!["https://10.20.0.0/16/**"]),
        (
            r"^https?://api\.example\.com/v1/.*$",
            vec!["http://api.example.com/v1/**", "https://api.example.com/v1/**"],
        ),
        (
            r"https://(api|files)\.example\.com",
            vec!["https://api.example.com/**", "https://files.example.com/**"],
        ),
        (
            r"https://(.*\.)?example\.com/",
            vec!["https://example.com/**", "https://*.example.com/**"],
        ),
    ] {
        assert_eq!(allow(target), want, "{target}");
    }
    for (target, want) in [
        ("https://.pastebin.com/*", vec!["https://pastebin.com/**", "https://*.pastebin.com/**"]),
        (r"https://\d+\.\d+\.\d+\.\d+/**", vec!["https://0.0.0.0/0/**", "https://[::]/0/**"]),
        (
            r"https://\\d+\\.\\d+\\.\\d+\\.\\d+/**",
            vec!["https://0.0.0.0/0/**", "https://[::]/0/**"],
        ),
        (r"^http://(\d{1,3}\.){3}\d{1,3}/.*", vec!["http://0.0.0.0/0/**", "http://[::]/0/**"]),
        ("169.254.169.254*", vec!["*://169.254.169.254/**"]),
        ("*.ngrok.io", vec!["*://*.ngrok.io/**"]),
        ("http://**", vec!["http://**/**", "http://0.0.0.0/0/**", "http://[::]/0/**"]),
    ] {
        assert_eq!(deny(target), want, "{target}");
    }
}

#[test]
fn nothing_becomes_wider() {
    for (rule, why) in [
        ("{action: network.request, domain: '*', effect: allow}", "Allow of every host"),
        (
            r"{action: network.request, url: 'https://\d+\.\d+\.\d+\.\d+/', effect: allow}",
            "every address",
        ),
        ("{action: network.request, domain: 'api*.example.com', effect: allow}", "whole labels"),
        ("{action: network.request, domain: a.example, ports: [1], effect: allow}", "ports"),
        ("{action: network.request, domain: a.example, effect: require_approval}", "approvals"),
        (
            "{action: network.request, domain: a.example, deny_body_patterns: ['(?=x)'], effect: allow}",
            "",
        ),
        (
            "{action: network.request, domain: a.example, deny_body_patterns: [x1], effect: deny}",
            "put the patterns",
        ),
        (r"{action: network.request, resource: 'https://a\.example/(?!x)', effect: allow}", ""),
        ("{action: shell.exec, resource: 'curl *', effect: deny}", "shell.exec is not decided yet"),
        ("{action: file_write, path: '/tmp/**', effect: allow}", "does not leave the pod"),
        ("{action: network.request, resource: 'https://a.example/?q=*', effect: deny}", "queries"),
    ] {
        let said = resources(rule);
        assert!(said[0].starts_with("left out") && said[0].contains(why), "{rule}: {said:?}");
    }
}

#[test]
fn a_denial_of_everything_is_the_default() {
    for rule in [
        "{action: network.request, domain: '*', effect: deny}",
        "{action: '*', effect: deny}",
        "{action: network.dns, resource: '**', decision: Deny}",
    ] {
        assert_eq!(resources(rule), ["needless: what no rule allows is denied"], "{rule}");
    }
}

#[test]
fn every_form_of_a_rule_is_read() {
    for rule in [
        "{id: x, action: network.request, match: {destination: a.example}, effect: allow, audit: true}",
        "{name: x, type: network, hosts: [a.example], decision: ALLOW}",
        "{name: x, conditions: [{field: type, operator: equals, value: network}, {field: domain, operator: in, value: [a.example]}], effect: ALLOW}",
        "{id: x, condition: {all: [{field: action.type, operator: eq, value: network.request}, {field: action.resource, operator: startsWith, value: 'https://a.example/'}]}, effect: allow}",
        "{id: x, action: network.request, condition: {any: [{field: url, operator: matches, value: '^https://a\\.example/.*'}]}, effect: allow}",
    ] {
        assert_eq!(resources(rule), ["https://a.example/**"], "{rule}");
    }
    let json = r#"{"defaultAction": "deny", "rules": [{"action": "network", "domain": "a.example", "decision": "allow"}]}"#;
    assert_eq!(import(json).rules.len(), 1);
    assert!(matches!(import("default: allow\nrules: []").said[0].became, Became::LeftOut(_)));
    assert!(read("rules: 7").is_err() && read("a: [").is_err());
}

#[test]
fn fields_come_along_and_names_are_made() {
    let text = "
rules:
  - {name: Internal API!, action: network.request, resource: 'https://api.example/**', methods: [get, POST], effect: Allow, reason: own, deny_body_patterns: [password]}
  - {action: network.request, resource: 'https://api.example/admin/*', effect: Deny}
  - {name: internal-api, action: network.dns, resource: .example.org, effect: Allow}
";
    let Converted { rules, said } = import(text);
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        ["internal-api", "https-api-example-admin", "internal-api-2", "internal-api-3"]
    );
    assert_eq!(rules[0].methods, ["GET", "POST"]);
    assert_eq!(rules[0].deny_body_patterns, ["password"]);
    assert_eq!(rules[0].reason.as_deref(), Some("own"));
    assert_eq!(
        (rules[2].resource.as_str(), rules[3].resource.as_str()),
        ("example.org", "*.example.org")
    );
    assert!(said[1].to_string().contains("wins over internal-api"), "{}", said[1]);
}
