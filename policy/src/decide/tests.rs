use super::*;
use crate::action::Effect;
use crate::normal::{Host, Name};
use crate::pattern::Scheme;
use crate::reading::Readings;
use crate::record_type::RecordType;
use crate::source::{PolicyRef, RuleSource, TlsMode};
use proptest::prelude::*;
use std::sync::LazyLock;

fn rule(name: &str, action: &str, resource: &str, effect: Effect) -> RuleSource {
    RuleSource::new(name, action, resource, effect)
}

fn policy(name: &str, tier: Tier, rules: Vec<RuleSource>) -> PolicySource {
    let namespace = if tier == Tier::Namespaced { "agents" } else { "" };
    PolicySource::new(PolicyRef { tier, namespace: namespace.into(), name: name.into() }, rules)
}

fn compiled(policies: Vec<PolicySource>) -> Policies {
    Policies::compile(&Snapshot::new("u", policies))
}

fn request(policies: &Policies, method: &str, url: &str) -> Decision {
    let (scheme, rest) = url.split_once("://").unwrap();
    let scheme = [Scheme::Http, Scheme::Https, Scheme::Wss]
        .into_iter()
        .find(|s| s.as_str() == scheme)
        .unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap()),
        _ => (authority, scheme.default_port().unwrap()),
    };
    let host = Host::parse(host).unwrap();
    let path = Readings::of(&format!("/{path}")).unwrap();
    policies.decide(&Intent::Request { scheme, host: &host, port, path: &path, method })
}

fn seed() -> Vec<RuleSource> {
    let mut api =
        rule("internal-api", "network.request", "https://api.your-company.com/**", Effect::Allow);
    api.methods = vec!["GET".into(), "POST".into()];
    api.deny_body_patterns = vec!["password".into()];
    vec![
        api,
        rule("no-plain-http", "network.request", "http://**", Effect::Deny),
        rule("resolve-own", "network.dns", "*.your-company.com", Effect::Allow),
        rule("db", "network.connect", "tcp://10.20.0.0/16:5432", Effect::Allow),
    ]
}

#[test]
fn the_seed_policy() {
    let policies = compiled(vec![policy("p", Tier::Namespaced, seed())]);
    let allowed = request(&policies, "GET", "https://api.your-company.com/v1");
    assert_eq!(
        (allowed.verdict, allowed.code, allowed.obligations.deny.len()),
        (Verdict::Allow, Code::Allowed, 1)
    );
    assert_eq!(allowed.rule.unwrap().to_string(), "Namespaced/agents/p/internal-api");
    for (method, url, code) in [
        ("DELETE", "https://api.your-company.com/v1", Code::DefaultDeny),
        ("GET", "http://api.your-company.com/v1", Code::RuleDeny),
        ("GET", "https://evil.example/", Code::DefaultDeny),
        ("GET", "https://api.your-company.com:8443/", Code::DefaultDeny),
        ("GET", "https://api.your-company.com.evil.example/", Code::DefaultDeny),
        ("GET", "https://203.0.113.10/", Code::DefaultDeny),
        ("GET", "wss://api.your-company.com/", Code::DefaultDeny),
    ] {
        assert_eq!(request(&policies, method, url).code, code, "{method} {url}");
    }
    let name = |text: &str| {
        policies
            .decide(&Intent::Resolve {
                name: &Name::parse(text).unwrap(),
                record_type: RecordType::A,
            })
            .code
    };
    assert_eq!(name("api.your-company.com"), Code::Allowed);
    assert_eq!(name("other.your-company.com"), Code::Allowed);
    assert_eq!(name("your-company.com"), Code::DefaultDeny);
    assert_eq!(name("evil.example"), Code::DefaultDeny);
    let named = |ip: &str, port| policies.names_address(&opaque(port), ip.parse().unwrap());
    assert!(named("10.20.3.4", 5432));
    assert!(!named("10.20.3.4", 5433));
    assert!(!named("10.21.3.4", 5432));
}

#[test]
fn a_stronger_verdict_is_greater() {
    assert!(Verdict::Deny > Verdict::Hold && Verdict::Hold > Verdict::Allow);
}

#[test]
fn the_obligations_of_every_allow_that_matches_apply_and_a_deny_has_none() {
    let held_to = |name: &str, resource: &str, pattern: &str| {
        let mut rule = rule(name, "network.request", resource, Effect::Allow);
        rule.deny_body_patterns = vec![pattern.into()];
        rule
    };
    let rules = vec![
        held_to("one", "https://a.example/**", "first"),
        held_to("two", "https://*.example/v1/**", "second"),
        held_to("other", "https://a.example/v2/**", "third"),
        rule("no", "network.request", "https://a.example/v1/no", Effect::Deny),
    ];
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    let patterns = |url| {
        let deny = request(&policies, "GET", url).obligations.deny;
        let mut all: Vec<_> =
            deny.iter().flat_map(|one| one.body.as_ref().unwrap().patterns().to_vec()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(patterns("https://a.example/v1/x"), ["first", "second"]);
    assert!(patterns("https://a.example/v1/no").is_empty());
    let name = Name::parse("a.example").unwrap();
    assert!(
        policies
            .decide(&Intent::Resolve { name: &name, record_type: RecordType::A })
            .obligations
            .deny
            .is_empty()
    );
}

#[test]
fn a_guardrail_wins_and_alone_is_no_policy() {
    let guard = policy(
        "g",
        Tier::Guardrail,
        vec![rule("no-evil", "network.request", "https://**", Effect::Deny)],
    );
    let both = compiled(vec![policy("p", Tier::Namespaced, seed()), guard.clone()]);
    assert_eq!(request(&both, "GET", "https://api.your-company.com/").code, Code::GuardrailDeny);
    assert_eq!(request(&compiled(vec![guard]), "GET", "https://a.example/").code, Code::NoPolicy);
    assert_eq!(request(&compiled(vec![]), "GET", "https://a.example/").code, Code::NoPolicy);
}

#[test]
fn a_connect_deny_denies_requests_and_a_dns_deny_names() {
    let mut rules = seed();
    rules.push(rule("no-443", "network.connect", "tcp://api.your-company.com:443", Effect::Deny));
    rules.push(rule("no-name", "network.dns", "api.your-company.com", Effect::Deny));
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    assert_eq!(request(&policies, "GET", "https://api.your-company.com/").code, Code::RuleDeny);
    let name = Name::parse("api.your-company.com").unwrap();
    assert_eq!(
        policies.decide(&Intent::Resolve { name: &name, record_type: RecordType::A }).code,
        Code::RuleDeny
    );
}

#[test]
fn an_invalid_policy_denies_even_when_it_observes() {
    let mut broken = policy(
        "b",
        Tier::Namespaced,
        vec![rule("x", "network.request", "nonsense", Effect::Allow)],
    );
    broken.mode = Mode::Observe;
    let policies = compiled(vec![policy("p", Tier::Namespaced, seed()), broken]);
    let decision = request(&policies, "GET", "https://api.your-company.com/");
    assert_eq!((decision.verdict, decision.code), (Verdict::Deny, Code::InvalidPolicy));
}

#[test]
fn observe_reports_and_never_widens_an_enforced_policy() {
    let mut watching = policy(
        "o",
        Tier::Namespaced,
        vec![rule("all", "network.request", "https://**", Effect::Allow)],
    );
    watching.mode = Mode::Observe;
    let alone = compiled(vec![watching.clone()]);
    let decision = request(&alone, "GET", "http://evil.example/");
    assert!(decision.allows() && decision.observing);
    assert_eq!(decision.observed.unwrap().verdict, Verdict::Deny);
    let both = compiled(vec![policy("p", Tier::Namespaced, seed()), watching]);
    let decision = request(&both, "GET", "https://evil.example/");
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(decision.observed.unwrap().verdict, Verdict::Allow);
}

#[test]
fn tls_to_a_host_that_only_connect_rules_name_is_left_alone() {
    let policies = compiled(vec![policy(
        "p",
        Tier::Namespaced,
        vec![
            rule("db", "network.connect", "tls://db.example:443", Effect::Allow),
            rule("api", "network.request", "https://api.example", Effect::Allow),
        ],
    )]);
    let host = |text: &str| Host::parse(text).unwrap();
    assert!(!policies.intercepts(Scheme::Tls, &host("db.example"), 443));
    assert!(policies.intercepts(Scheme::Tcp, &host("db.example"), 443));
    assert!(policies.intercepts(Scheme::Tls, &host("api.example"), 443));
    assert!(policies.intercepts(Scheme::Tls, &host("evil.example"), 443));
}

#[test]
fn a_deny_is_read_wider_than_an_allow() {
    let mut post = rule("no-post", "network.request", "https://a.example", Effect::Deny);
    post.methods = vec!["POST".into()];
    let rules = vec![
        rule("all", "network.request", "*://**:*", Effect::Allow),
        rule("no-b", "network.request", "https://b.example/**", Effect::Deny),
        post,
    ];
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    for (method, url, code) in [
        ("GET", "wss://a.example/", Code::Allowed),
        ("GET", "wss://b.example/", Code::RuleDeny),
        ("post", "https://a.example/", Code::RuleDeny),
        ("PUT", "https://a.example:8443/", Code::Allowed),
    ] {
        assert_eq!(request(&policies, method, url).code, code, "{method} {url}");
    }
}

#[test]
fn broad_ranges_do_not_name_private_addresses() {
    let rules = vec![
        rule("world", "network.connect", "tcp://0.0.0.0/0:5432", Effect::Allow),
        rule("own", "network.connect", "tcp://10.1.0.0/16:5432", Effect::Allow),
        rule("not-this", "network.connect", "tcp://203.0.113.0/24:443", Effect::Deny),
    ];
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    let named = |ip: &str, port| policies.names_address(&opaque(port), ip.parse().unwrap());
    let denied =
        |ip: &str, port| policies.denies_address(&opaque(port), ip.parse().unwrap()).is_some();
    assert!(named("10.1.2.3", 5432));
    assert!(!named("10.2.2.3", 5432));
    assert!(denied("203.0.113.9", 443));
    assert!(!denied("203.0.113.9", 80));
    assert!(!denied("10.1.2.3", 5432));
}

/// A connection to some name that has been allowed.
fn opaque(port: u16) -> Intent<'static> {
    static HOST: LazyLock<Host> = LazyLock::new(|| Host::parse("db.example.com").unwrap());
    Intent::Connect { scheme: Scheme::Tcp, host: &HOST, port }
}

#[test]
fn by_a_name_an_address_is_held_to_the_rules_of_the_address() {
    let mut reads = rule("reads", "network.request", "http://10.1.2.3/public/**", Effect::Allow);
    reads.methods = vec!["GET".into()];
    let rules = vec![
        reads,
        rule("all", "network.request", "http://**", Effect::Allow),
        rule("connects", "network.connect", "tcp://10.9.0.0/16:80", Effect::Allow),
        rule("no-admin", "network.request", "http://203.0.113.10/admin/**", Effect::Deny),
    ];
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    let host = Host::parse("alias.example.com").unwrap();
    let wish = |method, path: &str| {
        let path: &Readings = Box::leak(Box::new(Readings::of(path).unwrap()));
        Intent::Request { scheme: Scheme::Http, host: &host, port: 80, path, method }
    };
    let (private, denied) = ("10.1.2.3".parse().unwrap(), "203.0.113.10".parse().unwrap());
    assert!(policies.names_address(&wish("GET", "/public/status"), private));
    assert!(!policies.names_address(&wish("POST", "/public/status"), private));
    assert!(!policies.names_address(&wish("GET", "/admin"), private));
    assert!(!policies.names_address(&opaque(80), private), "a request's rule opens no connection");
    assert!(policies.names_address(&wish("POST", "/any"), "10.9.1.1".parse().unwrap()));
    assert!(policies.denies_address(&wish("GET", "/admin/x"), denied).is_some());
    assert!(policies.denies_address(&wish("GET", "/public"), denied).is_none());
}

#[test]
fn an_allowed_method_is_that_spelling_alone() {
    let mut reads = rule("reads", "network.request", "https://a.example/**", Effect::Allow);
    reads.methods = vec!["GET".into()];
    let any = rule("any", "network.request", "https://b.example/**", Effect::Allow);
    let policies = compiled(vec![policy("p", Tier::Namespaced, vec![reads, any])]);
    for (method, url, code) in [
        ("GET", "https://a.example/", Code::Allowed),
        ("get", "https://a.example/", Code::DefaultDeny),
        ("get", "https://b.example/", Code::Allowed),
        ("connect", "https://b.example/", Code::DefaultDeny),
        ("Trace", "https://b.example/", Code::DefaultDeny),
    ] {
        assert_eq!(request(&policies, method, url).code, code, "{method} {url}");
    }
}

#[test]
fn a_guardrail_is_enforced_over_policies_that_observe() {
    let mut watching = policy("o", Tier::Namespaced, vec![]);
    watching.mode = Mode::Observe;
    let guard = policy(
        "g",
        Tier::Guardrail,
        vec![rule("x", "network.request", "https://evil.example", Effect::Deny)],
    );
    let policies = compiled(vec![watching, guard]);
    assert_eq!(request(&policies, "GET", "https://evil.example/").code, Code::GuardrailDeny);
    assert_eq!(request(&policies, "GET", "https://other.example/").code, Code::Observed);
}

#[test]
fn a_guardrails_request_deny_leaves_nothing_unread() {
    let a = Host::parse("a.example").unwrap();
    let b = Host::parse("b.example").unwrap();
    let guard = policy(
        "g",
        Tier::Guardrail,
        vec![rule("x", "network.request", "https://a.example:443/admin/**", Effect::Deny)],
    );
    for effect in [Effect::Allow, Effect::Deny] {
        let rules = vec![rule("c", "network.connect", "*://**:*", effect)];
        let mut watching = policy("o", Tier::Namespaced, rules);
        watching.mode = Mode::Observe;
        let policies = compiled(vec![watching, guard.clone()]);
        let connect =
            |host, port| policies.decide(&Intent::Connect { scheme: Scheme::Tcp, host, port }).code;
        assert!(policies.intercepts(Scheme::Tls, &a, 443), "{effect:?}");
        assert_eq!(connect(&a, 443), Code::GuardrailDeny, "{effect:?}");
        // Other hosts and ports are observed, and taken apart unless a rule would let them pass.
        assert_eq!(connect(&a, 5432), Code::Observed, "{effect:?}");
        assert_eq!(connect(&b, 443), Code::Observed, "{effect:?}");
        assert_eq!(policies.intercepts(Scheme::Tls, &b, 443), effect == Effect::Deny);
        let decides = |scheme, port| policies.decides_requests(scheme, &a, port);
        assert!(decides(Scheme::Tls, 443) && !decides(Scheme::Tls, 5432));
        assert!(!decides(Scheme::Tcp, 443));
    }
}

/// A rule about plain HTTP says nothing of TLS, and one about a port nothing of others.
#[test]
fn a_connect_rule_is_intercepted_only_where_requests_are_decided() {
    let rules = vec![
        rule("no-plain", "network.request", "http://**", Effect::Deny),
        rule("web", "network.request", "https://b.example/v1/**", Effect::Allow),
        rule("services", "network.request", "http://10.96.0.0/16/**", Effect::Allow),
        rule("opaque", "network.connect", "*://**:*", Effect::Allow),
        rule("range", "network.connect", "*://10.96.0.0/16:*", Effect::Allow),
    ];
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    for (scheme, to, port, want) in [
        (Scheme::Tls, "a.example", 443, false),
        (Scheme::Tcp, "a.example", 443, true),
        (Scheme::Tcp, "a.example", 22, true),
        (Scheme::Tls, "b.example", 443, true),
        (Scheme::Tls, "b.example", 5432, false),
        (Scheme::Tls, "10.96.0.1", 443, false),
        (Scheme::Tcp, "10.96.0.1", 443, false),
        (Scheme::Tcp, "10.96.0.1", 80, true),
    ] {
        let host = Host::parse(to).unwrap();
        assert_eq!(policies.intercepts(scheme, &host, port), want, "{scheme} {to}:{port}");
    }
}

#[test]
fn tls_passes_through_by_name_unless_another_rule_must_read_it() {
    let mut pinned = rule("pinned", "network.request", "https://pinned.example", Effect::Allow);
    pinned.tls = TlsMode::Passthrough;
    let mut held = rule("held", "network.request", "https://*.example/**", Effect::Allow);
    held.deny_body_patterns = vec!["secret".into()];
    let others = [
        (rule("wide", "network.request", "https://**", Effect::Allow), true),
        (rule("port", "network.request", "https://pinned.example:8443/x", Effect::Deny), true),
        (rule("plain", "network.request", "http://**", Effect::Deny), true),
        (rule("admin", "network.request", "https://pinned.example/admin/**", Effect::Deny), false),
        (held, false),
    ];
    for (other, passes) in others {
        let name = other.name.clone();
        let policies = compiled(vec![policy("p", Tier::Namespaced, vec![pinned.clone(), other])]);
        let host = Host::parse("pinned.example").unwrap();
        assert_eq!(!policies.intercepts(Scheme::Tls, &host, 443), passes, "{name}");
        assert!(policies.intercepts(Scheme::Tcp, &host, 443), "{name}");
        let intent = |scheme, port| Intent::Connect { scheme, host: &host, port };
        assert!(policies.decide(&intent(Scheme::Tls, 443)).allows(), "{name}");
        assert!(!policies.decide(&intent(Scheme::Tls, 8443)).allows(), "{name}");
        assert!(!policies.decide(&intent(Scheme::Tcp, 443)).allows(), "{name}");
    }
    for change in [
        |rule: &mut RuleSource| rule.resource = "https://pinned.example/v1/**".into(),
        |rule: &mut RuleSource| rule.resource = "http://pinned.example".into(),
        |rule: &mut RuleSource| rule.resource = "https://203.0.113.10".into(),
        |rule: &mut RuleSource| rule.methods = vec!["GET".into()],
        |rule: &mut RuleSource| rule.effect = Effect::Deny,
    ] {
        let mut wrong = pinned.clone();
        change(&mut wrong);
        let errors = compile_policy(&policy("p", Tier::Namespaced, vec![wrong])).unwrap_err();
        assert!(errors.iter().any(|error| error.path == "spec.rules[0].tls"), "{errors:?}");
    }
}

/// What stays unread could be any of the requests that a rule denies.
#[test]
fn an_opaque_connection_by_name_is_held_to_every_deny_of_its_address() {
    let mut posts = rule("posts", "network.request", "https://203.0.113.11", Effect::Deny);
    posts.methods = vec!["POST".into()];
    let rules = vec![
        rule("admin", "network.request", "https://203.0.113.10/admin/**", Effect::Deny),
        posts,
        rule("plain", "network.request", "http://203.0.113.12/x/**", Effect::Deny),
        rule("all", "network.connect", "*://**:*", Effect::Allow),
    ];
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    let host = Host::parse("alias.example.com").unwrap();
    for (scheme, ip, want) in [
        (Scheme::Tls, "203.0.113.10", true),
        (Scheme::Tls, "203.0.113.11", true),
        (Scheme::Tls, "203.0.113.12", false),
        (Scheme::Tcp, "203.0.113.10", true),
        (Scheme::Tcp, "203.0.113.12", true),
        (Scheme::Tls, "203.0.113.13", false),
    ] {
        let intent = Intent::Connect { scheme, host: &host, port: 8443 };
        let denied = policies.denies_address(&intent, ip.parse().unwrap());
        assert_eq!(denied.is_some(), want, "{scheme} {ip}");
    }
}

/// A path is allowed when every reading of it is, and denied when any is.
#[test]
fn every_reading_of_a_path_is_decided() {
    let mut held = rule("a", "network.request", "https://a.example/a/**", Effect::Allow);
    held.deny_body_patterns = vec!["secret".into()];
    let rules = vec![
        held,
        rule("npm", "network.request", "https://a.example/@types%2F*", Effect::Allow),
        rule("types", "network.request", "https://a.example/@types/*", Effect::Allow),
        rule("all", "network.request", "https://b.example/**", Effect::Allow),
        rule("admin", "network.request", "https://b.example/admin/**", Effect::Deny),
    ];
    let policies = compiled(vec![policy("p", Tier::Namespaced, rules)]);
    for (url, code) in [
        ("https://a.example/a/b%2Fc;d//e", Code::Allowed),
        ("https://a.example/@types%2fnode", Code::Allowed),
        ("https://a.example/@types/node", Code::Allowed),
        ("https://a.example/a/..%2Fx", Code::DefaultDeny),
        ("https://a.example/a/%252e%252e/x", Code::DefaultDeny),
        ("https://a.example/a/%EF%BC%8E%EF%BC%8E/x", Code::DefaultDeny),
        ("https://a.example/a/..;/x", Code::DefaultDeny),
        ("https://b.example/a%2Fb;c//d/../e", Code::Allowed),
        ("https://b.example/x/..%2fadmin/y", Code::RuleDeny),
        ("https://b.example/x/..;/admin/y", Code::RuleDeny),
        ("https://b.example/admin;x/y", Code::RuleDeny),
        ("https://b.example//admin/y", Code::RuleDeny),
        ("https://b.example//h/admin/y", Code::RuleDeny),
        ("https://b.example/%61dmin%3F/..", Code::RuleDeny),
        ("https://b.example/%25%36%31dmin/y", Code::RuleDeny),
        ("https://b.example/%EF%BD%81dmin/y", Code::RuleDeny),
        ("https://b.example/\\admin\\y", Code::RuleDeny),
    ] {
        assert_eq!(request(&policies, "GET", url).code, code, "{url}");
    }
    let split = request(&policies, "GET", "https://a.example/a/..%2Fx");
    assert_eq!(&*split.reason, "no rule allows this path as some servers read it: /x");
    let held = request(&policies, "GET", "https://a.example/a/b%2Fc");
    assert_eq!(held.obligations.deny.len(), 1);
}

#[test]
fn tunnels_match_no_rule() {
    let policies = compiled(vec![policy(
        "p",
        Tier::Namespaced,
        vec![rule("all", "network.request", "*://**:*", Effect::Allow)],
    )]);
    assert_eq!(request(&policies, "CONNECT", "https://a.example/").code, Code::DefaultDeny);
    assert_eq!(request(&policies, "TRACE", "https://a.example/").code, Code::DefaultDeny);
}

fn any_rule() -> impl Strategy<Value = RuleSource> {
    let resources = prop::sample::select(vec![
        ("network.request", "https://a.example/**"),
        ("network.request", "https://*.example/x/*"),
        ("network.request", "*://**:*"),
        ("network.request", "http://10.0.0.0/8"),
        ("network.connect", "tcp://a.example:443"),
        ("network.connect", "*://10.1.0.0/16:*"),
        ("network.dns", "*.example"),
        ("network.dns", "**"),
    ]);
    (resources, prop::sample::select(vec![Effect::Allow, Effect::Deny]), 0u8..200).prop_map(
        |((action, resource), effect, n)| rule(&format!("r{n}"), action, resource, effect),
    )
}

fn distinct(rules: Vec<RuleSource>) -> Vec<RuleSource> {
    let mut seen = std::collections::HashSet::new();
    rules.into_iter().filter(|r| seen.insert(r.name.clone())).collect()
}

const URLS: [&str; 5] = [
    "https://a.example/x/y",
    "https://b.example/x/y",
    "http://10.1.2.3/",
    "https://other.test/",
    "https://10.1.2.3/",
];

fn outcomes(policies: &Policies) -> Vec<(Verdict, Code, Option<String>)> {
    let mut all: Vec<_> = URLS
        .iter()
        .map(|url| request(policies, "GET", url))
        .chain(["a.example", "x.test"].iter().map(|n| {
            policies.decide(&Intent::Resolve {
                name: &Name::parse(n).unwrap(),
                record_type: RecordType::A,
            })
        }))
        .map(|d| (d.verdict, d.code, d.rule.map(|r| r.to_string())))
        .collect();
    let host = Host::parse("10.1.2.3").unwrap();
    let connect = policies.decide(&Intent::Connect { scheme: Scheme::Tcp, host: &host, port: 22 });
    all.push((connect.verdict, connect.code, connect.rule.map(|r| r.to_string())));
    all
}

#[test]
fn a_host_is_named_by_less_than_everything() {
    let policies = compiled(vec![policy(
        "p",
        Tier::Namespaced,
        vec![
            rule("all", "network.request", "https://**/**", Effect::Allow),
            rule("one", "network.connect", "tcp://db.example:1", Effect::Allow),
            rule("some", "network.dns", "*.own.example", Effect::Allow),
            rule("not", "network.dns", "bad.example", Effect::Deny),
        ],
    )]);
    for (name, named) in [
        ("db.example", true),
        ("a.own.example", true),
        ("own.example", false),
        ("bad.example", false),
        ("db.example.svc.cluster.local", false),
    ] {
        assert_eq!(policies.names_host(&Name::parse(name).unwrap()), named, "{name}");
    }
}

proptest! {
    #[test]
    fn order_never_matters(rules in prop::collection::vec(any_rule(), 0..12), cut in 0usize..12, turn in 0usize..12) {
        let rules = distinct(rules);
        let cut = cut.min(rules.len());
        let split = |rules: &[RuleSource]| vec![
            policy("a", Tier::Namespaced, rules[..cut].to_vec()),
            policy("b", Tier::Namespaced, rules[cut..].to_vec()),
        ];
        let first = split(&rules);
        let mut second = first.clone();
        second.reverse();
        for p in &mut second {
            let n = p.rules.len().max(1);
            p.rules.rotate_left(turn % n);
        }
        prop_assert_eq!(outcomes(&compiled(first)), outcomes(&compiled(second)));
    }

    #[test]
    fn a_deny_never_allows_more(rules in prop::collection::vec(any_rule(), 0..12), extra in any_rule(), tier in prop::bool::ANY) {
        let rules = distinct(rules);
        let mut extra = extra;
        extra.effect = Effect::Deny;
        extra.name = "extra".into();
        let tier = if tier { Tier::Guardrail } else { Tier::Namespaced };
        let before = outcomes(&compiled(vec![policy("a", Tier::Namespaced, rules.clone())]));
        let after = outcomes(&compiled(vec![policy("a", Tier::Namespaced, rules), policy("z", tier, vec![extra])]));
        for (b, a) in before.iter().zip(&after) {
            prop_assert!(!(b.0 == Verdict::Deny && a.0 == Verdict::Allow), "{:?} became {:?}", b, a);
        }
    }

    #[test]
    fn observing_lets_nothing_pass_that_a_guardrail_denies(
        guard in prop::collection::vec(any_rule(), 0..6),
        observed in prop::collection::vec(any_rule(), 0..6),
        more in prop::collection::vec(any_rule(), 0..6),
    ) {
        let mut guard = distinct(guard);
        guard.iter_mut().for_each(|rule| rule.effect = Effect::Deny);
        let guard = policy("g", Tier::Guardrail, guard);
        let observing = |name: &str, tier, rules| {
            let mut policy = policy(name, tier, distinct(rules));
            policy.mode = Mode::Observe;
            policy
        };
        let alone = compiled(vec![guard.clone(), observing("o", Tier::Namespaced, vec![])]);
        let with = compiled(vec![
            guard,
            observing("o", Tier::Namespaced, observed),
            observing("b", Tier::Baseline, more),
        ]);
        for (a, w) in outcomes(&alone).iter().zip(&outcomes(&with)) {
            prop_assert_eq!(a.0, w.0, "{:?} became {:?}", a, w);
        }
        // Nor does anything that holds such a request pass unread.
        for url in URLS {
            let denied = request(&alone, "GET", url).code == Code::GuardrailDeny;
            let (scheme, rest) = url.split_once("://").unwrap();
            let host = Host::parse(rest.split('/').next().unwrap()).unwrap();
            let (scheme, port) =
                if scheme == "https" { (Scheme::Tls, 443) } else { (Scheme::Tcp, 80) };
            prop_assert!(!denied || with.intercepts(scheme, &host, port), "{}", url);
            let opaque = with.decide(&Intent::Connect { scheme: Scheme::Tcp, host: &host, port });
            // HTTP in the clear is told by its first bytes.
            prop_assert!(!denied || scheme == Scheme::Tcp || !opaque.allows(), "{}", url);
        }
    }

    #[test]
    fn nothing_is_allowed_by_no_rule(rules in prop::collection::vec(any_rule(), 0..12)) {
        for (verdict, code, rule) in outcomes(&compiled(vec![policy("a", Tier::Namespaced, distinct(rules))])) {
            prop_assert_eq!(verdict == Verdict::Allow, code == Code::Allowed);
            prop_assert!(verdict == Verdict::Deny || rule.is_some());
        }
    }
}
