use super::*;
use crate::action::Action;

fn vicinity() -> Vicinity {
    Vicinity::new("agents", &name("cluster.local"))
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[test]
fn short_names_mean_services_and_names_of_hosts_mean_hosts() {
    for (short, whole) in [
        ("orders", Some("orders.agents.svc.cluster.local")),
        ("orders.prod", Some("orders.prod.svc.cluster.local")),
        ("Orders.Prod.", Some("orders.prod.svc.cluster.local")),
        ("orders.prod.svc", Some("orders.prod.svc.cluster.local")),
        ("orders.dev.svc", Some("orders.dev.svc.cluster.local")),
        ("db-0.orders.prod.svc", Some("db-0.orders.prod.svc.cluster.local")),
        ("foo.svc", Some("foo.svc.svc.cluster.local")),
        // Hosts, of the public DNS and of networks.
        ("orders.dev", None),
        ("github.com", None),
        ("wiki.internal", None),
        ("wiki.corp", None),
        ("evil.example", None),
        ("bücher.xn--p1ai", None),
        ("localhost", None),
        ("com", None),
        ("api.example.com", None),
        ("orders.prod.svc.cluster.local", None),
        ("orders.prod.svc.other", None),
    ] {
        let found = vicinity().service(&name(short));
        assert_eq!(found.as_ref().map(Name::as_str), whole, "{short}");
    }
}

#[test]
fn a_service_is_called_by_what_the_search_list_makes_its_name_of() {
    let of = |whole: &str, called: &str| {
        vicinity().short_forms(&name(whole)).iter().any(|form| form.as_str() == called)
    };
    for called in ["orders.prod", "orders.prod.svc"] {
        assert!(of("orders.prod.svc.cluster.local", called), "{called}");
    }
    assert!(of("orders.agents.svc.cluster.local", "orders"));
    assert!(of("foo.dev.svc.cluster.local", "foo.dev"));
    for called in [
        // Of another namespace, of another Service, of no Service.
        "orders",
        "orders.agents",
        "prod",
        "order",
        "orders.pro",
        "svc",
        "evil.example",
        "orders.prod.svc.cluster.local.evil.example",
    ] {
        assert!(!of("orders.prod.svc.cluster.local", called), "{called}");
    }
    // Only names of Services are called by less than the whole.
    assert!(!of("api.example.com", "api"));
    assert!(!of("api.cluster.local", "api"));
    assert!(!of("prod.svc.cluster.local", "prod"));
}

#[test]
fn an_allow_has_one_meaning_and_a_deny_all_of_them() {
    let meanings = |pattern: &HostPattern, absolute, effect| {
        let all = vicinity().meanings(pattern, absolute, effect).into_iter();
        all.map(|pattern| match pattern {
            HostPattern::Exact(name) => name.to_string(),
            HostPattern::Below(name) => format!("*.{name}"),
            other => format!("{other:?}"),
        })
        .collect::<Vec<_>>()
    };
    let exact = |text: &str| HostPattern::Exact(name(text));
    let below = |text: &str| HostPattern::Below(name(text));
    for (pattern, allows, denies) in [
        (
            exact("orders.prod"),
            "orders.prod.svc.cluster.local",
            vec!["orders.prod", "orders.prod.svc.cluster.local"],
        ),
        (exact("foo.dev"), "foo.dev", vec!["foo.dev", "foo.dev.svc.cluster.local"]),
        (
            exact("orders"),
            "orders.agents.svc.cluster.local",
            vec!["orders", "orders.agents.svc.cluster.local"],
        ),
        (
            below("prod.svc"),
            "*.prod.svc.cluster.local",
            vec!["*.prod.svc", "*.prod.svc.cluster.local"],
        ),
        (below("svc"), "*.svc.cluster.local", vec!["*.svc", "*.svc.cluster.local"]),
        (below("prod"), "*.prod", vec!["*.prod", "*.prod.svc.cluster.local"]),
        (exact("api.example.com"), "api.example.com", vec!["api.example.com"]),
        (HostPattern::AnyName, "AnyName", vec!["AnyName"]),
    ] {
        assert_eq!(meanings(&pattern, false, Effect::Allow), [allows], "{pattern:?}");
        assert_eq!(meanings(&pattern, false, Effect::Deny), denies, "{pattern:?}");
    }
    assert_eq!(meanings(&exact("wiki.acme"), true, Effect::Allow), ["wiki.acme"]);
}

#[test]
fn a_whole_name_has_its_parts() {
    let parts = |text: &str| {
        let name = name(text);
        vicinity().parts(&name).map(|(ns, service)| format!("{ns}/{service}"))
    };
    assert_eq!(parts("orders.prod.svc.cluster.local").as_deref(), Some("prod/orders"));
    assert_eq!(parts("db-0.orders.prod.svc.cluster.local").as_deref(), Some("prod/orders"));
    assert_eq!(parts("prod.svc.cluster.local"), None);
    assert_eq!(parts("orders.prod.svc.other.local"), None);
    assert!(vicinity().is_api_server(&name("kubernetes.default.svc.cluster.local")));
    assert!(!vicinity().is_api_server(&name("kubernetes.agents.svc.cluster.local")));
    assert!(!vicinity().is_api_server(&name("a.kubernetes.default.svc.cluster.local")));
}

#[test]
fn an_author_is_told_how_to_name_the_service() {
    let hint = |text: &str| {
        let resource = format!("http://{text}/**");
        let parsed = ResourcePattern::parse(&resource, Action::NetworkRequest, Effect::Allow);
        likely_service(&parsed.unwrap())
    };
    assert_eq!(hint("orders.dev").as_deref(), Some("orders.dev.svc"));
    for text in ["orders.dev.", "github.com", "orders.prod", "api.orders.dev", "orders.dev.svc"] {
        assert_eq!(hint(text), None, "{text}");
    }
}
