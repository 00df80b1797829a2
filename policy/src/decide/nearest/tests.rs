use super::*;
use crate::pattern::Scheme;
use crate::reading::Readings;
use crate::record_type::RecordType;
use crate::snapshot::Snapshot;
use crate::source::{PolicyRef, PolicySource, RuleSource};
use proptest::prelude::*;

fn compiled(rules: serde_json::Value) -> Policies {
    let rules: Vec<RuleSource> = serde_json::from_value(rules).unwrap();
    let policy = PolicySource::new(PolicyRef::namespaced("agents", "p"), rules);
    Policies::compile(&Snapshot::new("u", vec![policy]))
}

fn policies() -> Policies {
    compiled(serde_json::json!([
        {"name": "internal-api", "action": "network.request", "effect": "Allow",
         "resource": "https://api.example.com/v1/**", "methods": ["GET", "POST"]},
        {"name": "uploads", "action": "network.request", "effect": "Allow",
         "resource": "https://files.example.org/**"},
        {"name": "db", "action": "network.connect", "effect": "Allow",
         "resource": "tcp://db.example.com:5432"},
        {"name": "below", "action": "network.request", "effect": "Allow",
         "resource": "https://*.wild.example/**"},
        {"name": "never", "action": "network.request", "effect": "Deny",
         "resource": "https://secret.example.net/**"},
        {"name": "any", "action": "network.request", "effect": "Allow", "methods": ["OPTIONS"],
         "resource": "https://**"},
    ]))
}

fn near(method: &str, scheme: Scheme, host: &str, port: u16, path: &str) -> Option<String> {
    let (host, path) = (Host::parse(host).unwrap(), Readings::of(path).unwrap());
    policies().nearest(&Intent::Request { scheme, host: &host, port, path: &path, method })
}

#[test]
fn the_nearest_rule_says_what_to_change() {
    use Scheme::{Http, Https};
    for (method, scheme, host, port, path, said) in [
        ("PUT", Https, "api.example.com", 443, "/v1/x", "rule internal-api allows GET, POST here"),
        (
            "GET",
            Https,
            "api.example.com",
            443,
            "/v2",
            "rule internal-api allows GET, POST https://api.example.com/v1/**",
        ),
        (
            "GET",
            Https,
            "files.example.org",
            8443,
            "/",
            "rule uploads allows https://files.example.org/**",
        ),
        (
            "GET",
            Http,
            "files.example.org",
            80,
            "/",
            "rule uploads allows https://files.example.org/**",
        ),
        ("GET", Https, "db.example.com", 443, "/", "rule db allows tcp://db.example.com:5432"),
        ("GET", Https, "wild.example", 443, "/", "rule below allows https://*.wild.example/**"),
        (
            "GET",
            Https,
            "fliles.example.org",
            443,
            "/",
            "rule uploads allows https://files.example.org/**",
        ),
    ] {
        assert_eq!(near(method, scheme, host, port, path).as_deref(), Some(said), "{host}{path}");
    }
}

#[test]
fn what_nothing_is_near_to_gets_no_advice() {
    for host in ["unrelated.test", "secret.example.net", "203.0.113.9", "com"] {
        assert_eq!(near("GET", Scheme::Https, host, 443, "/"), None, "{host}");
    }
}

#[test]
fn connections_and_names_have_near_rules_too() {
    let policies = policies();
    let host = Host::parse("db.example.com").unwrap();
    let port = policies.nearest(&Intent::Connect { scheme: Scheme::Tcp, host: &host, port: 5433 });
    assert_eq!(port.as_deref(), Some("rule db allows tcp://db.example.com:5432"));
    let name = Name::parse("apu.example.com").unwrap();
    let typed = policies.nearest(&Intent::Resolve { name: &name, record_type: RecordType::A });
    assert_eq!(
        typed.as_deref(),
        Some("rule internal-api allows GET, POST https://api.example.com/v1/**")
    );
}

#[test]
fn what_is_said_is_short() {
    let methods: Vec<_> = (0..16).map(|n| format!("M{}", "X".repeat(n))).collect();
    let policies = compiled(serde_json::json!([
        {"name": "long", "action": "network.request", "effect": "Allow", "methods": methods,
         "resource": format!("https://api.example.com/{}", "a".repeat(1900))},
    ]));
    let (host, path) = (Host::parse("api.example.com").unwrap(), Readings::of("/b").unwrap());
    let asked = Intent::Request {
        scheme: Scheme::Https,
        host: &host,
        port: 443,
        path: &path,
        method: "GET",
    };
    assert!(policies.nearest(&asked).unwrap().len() < 400);
}

/// The plain definition.
fn levenshtein(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for (row, x) in a.iter().enumerate() {
        let mut now = vec![row + 1];
        for (column, y) in b.iter().enumerate() {
            let replaced = before[column] + usize::from(x != y);
            now.push(replaced.min(before[column + 1] + 1).min(now[column] + 1));
        }
        before = now;
    }
    before[b.len()]
}

proptest! {
    #[test]
    fn differences_are_counted_up_to_a_limit(a in "[ab.]{0,12}", b in "[ab.]{0,12}") {
        let whole = levenshtein(a.as_bytes(), b.as_bytes());
        let counted = differences(a.as_bytes(), b.as_bytes());
        prop_assert_eq!(counted, (whole <= TYPING).then_some(whole));
    }
}
