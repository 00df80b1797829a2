//! The cost of a decision by the number of rules: `cargo bench -p exeat-policy`.
//!
//! Each rule names a host of its own, as in a large allow list, or a path of its own on one host that
//! all share; `**`, `*.name` and a range are among the rules, so that every kind of look-up is paid
//! for.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use exeat_policy::{
    Intent, Policies, Verdict,
    action::{Action, Effect},
    limits::MAX_RULES,
    normal::Host,
    pattern::{ResourcePattern, Scheme},
    reading::Readings,
    snapshot::Snapshot,
    source::{PolicyRef, PolicySource, RuleSource},
};
use std::hint::black_box;

/// `count` rules in all, each for a host of its own or for a path of its own, in as many policies as
/// they need.
fn policies(count: usize, shared: bool) -> Policies {
    let request = "network.request";
    let mut rules = vec![
        RuleSource::new("plain", request, "http://**", Effect::Deny),
        RuleSource::new("below", request, "https://*.wild.example/v1/**", Effect::Allow),
        RuleSource::new("range", "network.connect", "tcp://10.20.0.0/16:5432", Effect::Allow),
    ];
    rules.extend((rules.len()..count).map(|n| {
        let resource = if shared {
            format!("https://shared.example.com/v1/items-{n}/**")
        } else {
            format!("https://host-{n}.example.com/**")
        };
        RuleSource::new(format!("rule-{n}"), request, resource, Effect::Allow)
    }));
    let policy = |(n, rules): (usize, &[RuleSource])| {
        PolicySource::new(PolicyRef::namespaced("agents", format!("bench-{n}")), rules.to_vec())
    };
    let policies = rules.chunks(MAX_RULES).enumerate().map(policy).collect();
    Policies::compile(&Snapshot::new("", policies))
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for (label, host, path, verdict) in [
        ("allowed", "host-5.example.com", "/v1/items/7", Verdict::Allow),
        ("allowed-below", "a.b.wild.example", "/v1/items/7", Verdict::Allow),
        ("denied", "unknown.example.com", "/v1/items/7", Verdict::Deny),
        ("denied-address", "192.0.2.7", "/v1/items/7", Verdict::Deny),
        ("allowed-path", "shared.example.com", "/v1/items-5/7", Verdict::Allow),
        ("denied-path", "shared.example.com", "/v1/other/7", Verdict::Deny),
    ] {
        let host = Host::parse(host).expect("the host is fixed");
        let path = &Readings::of(path).expect("the path is fixed");
        let intent =
            Intent::Request { scheme: Scheme::Https, host: &host, port: 443, path, method: "GET" };
        for count in [10, 100, 1_000, 10_000] {
            let policies = policies(count, label.ends_with("-path"));
            assert_eq!(policies.decide(&intent).verdict, verdict, "{label} at {count}");
            group.bench_function(BenchmarkId::new(label, count), |b| {
                b.iter(|| policies.decide(black_box(&intent)));
            });
        }
    }
    group.finish();
}

/// A path that nearly matches at every place.
fn glob(c: &mut Criterion) {
    let mut group = c.benchmark_group("glob");
    let path = format!("/{}", "a".repeat(8_000));
    for literal in [8, 64, 240] {
        let text = format!("https://a.example/{}b", format!("**{}", "a".repeat(literal)).repeat(4));
        for effect in [Effect::Allow, Effect::Deny] {
            let resource = ResourcePattern::parse(&text, Action::NetworkRequest, effect);
            let glob = resource.ok().and_then(|resource| resource.path).expect("a path");
            group.bench_function(BenchmarkId::new(format!("{effect:?}"), literal), |b| {
                b.iter(|| match effect {
                    Effect::Allow => glob.matches(black_box(&path)),
                    Effect::Deny => glob.matches_any_reading(black_box(&path)),
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, decide, glob);
criterion_main!(benches);
