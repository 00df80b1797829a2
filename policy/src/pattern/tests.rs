use super::*;
use crate::action::{Action, Effect};

fn request(text: &str) -> Result<ResourcePattern, PatternError> {
    ResourcePattern::parse(text, Action::NetworkRequest, Effect::Allow)
}

#[test]
fn the_accepted_table() {
    for text in [
        "https://api.example.com/**",
        "https://api.example.com",
        "https://api.example.com/v1/*",
        "https://*.example.com/**",
        "http://**",
        "https://api.example.com:8443/**",
        "*://api.example.com:*/**",
        "https://203.0.113.10/**",
        "https://203.0.113.10/v1/7",
        "https://[2001:db8::1]/**",
        "https://10.0.0.0/8:8443/api/**",
        "https://10.0.0.0/8/api/**",
        "HTTPS://API.Example.com./**",
        "https://bücher.example/",
        "wss://feed.example.com/**",
        "https://example.com/a;b",
        "https://example.com/@scope%2f*",
        "https://example.com/caf\u{e9}",
    ] {
        assert!(request(text).is_ok(), "{text}: {:?}", request(text));
    }
    for text in [
        "tcp://10.20.0.0/16:5432",
        "tcp://[fd00::]/8:5432",
        "tcp://db.example:5432",
        "tls://**:443",
        "*://db.example:*",
    ] {
        let parsed = ResourcePattern::parse(text, Action::NetworkConnect, Effect::Allow);
        assert!(parsed.is_ok(), "{text}: {parsed:?}");
    }
    for text in ["*.example.com", "example.com", "**"] {
        assert!(ResourcePattern::parse(text, Action::NetworkDns, Effect::Allow).is_ok(), "{text}");
    }
}

#[test]
fn the_rejected_table() {
    for text in [
        "",
        "api.example.com/**",
        "ftp://example.com",
        "tcp://example.com:1",
        "https://user@example.com/",
        "https://a*.example.com/",
        "https://*.*.com/",
        "https://*/",
        "https://*",
        "https://***",
        "https://example.com/a?b=c",
        "https://example.com/a#x",
        "https://example.com/../a",
        "https://example.com/a//b",
        "https://example.com/%00",
        "https://example.com/100%",
        "https://example.com/***",
        "https://10.0.0.1/16",
        "https://10.0.0.0/33",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://[::ffff:10.0.0.1]/",
        "https://2001:db8::1/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:abc/",
        "https://example.com:+80/",
        "https://exa mple.com/",
        "https://",
        "*://example.com/**",
    ] {
        let error = request(text).expect_err(text);
        assert!(!error.problem.is_empty() && !error.fix.is_empty(), "{text}");
    }
    for text in ["tcp://db.example:5432/x", "tcp://db.example", "https://db.example/"] {
        assert!(
            ResourcePattern::parse(text, Action::NetworkConnect, Effect::Allow).is_err(),
            "{text}"
        );
    }
    for text in ["https://example.com", "example.com:53", "10.0.0.1", "*"] {
        assert!(ResourcePattern::parse(text, Action::NetworkDns, Effect::Allow).is_err(), "{text}");
    }
}

#[test]
fn hosts_match_whole_labels_and_never_addresses() {
    let host = |text: &str| Host::parse(text).unwrap();
    let below = request("https://*.example.com").unwrap().host;
    for (name, want) in [
        ("a.example.com", true),
        ("a.b.example.com", true),
        ("example.com", false),
        ("badexample.com", false),
        ("example.com.evil.org", false),
    ] {
        assert_eq!(below.matches(&host(name)), want, "{name}");
    }
    let any = request("http://**").unwrap().host;
    assert!(any.matches(&host("a.b")));
    assert!(!any.matches(&host("10.0.0.1")) && !any.matches(&host("[::1]")));
    let net =
        ResourcePattern::parse("tcp://10.20.0.0/16:5432", Action::NetworkConnect, Effect::Allow)
            .unwrap();
    assert_eq!(net.port, PortPattern::One(5432));
    assert!(net.host.matches(&host("10.20.255.1")) && !net.host.matches(&host("10.21.0.1")));
}

#[test]
fn a_range_in_front_of_a_path() {
    let pattern = request("https://10.0.0.0/8:8443/api/**").unwrap();
    let path = pattern.path.unwrap();
    assert_eq!(pattern.port, PortPattern::One(8443));
    assert!(path.matches("/api/x") && !path.matches("/x"));
    let path = request("https://203.0.113.10/v1/7").unwrap().path.unwrap();
    assert!(path.matches("/v1/7") && !path.matches("/v1"));
}

#[test]
fn a_missing_port_is_narrow_in_an_allow_and_wide_in_a_deny() {
    let allow = request("https://example.com").unwrap();
    assert!(
        allow.matches_endpoint(Scheme::Https, 443) && !allow.matches_endpoint(Scheme::Https, 8443)
    );
    assert!(!allow.matches_endpoint(Scheme::Http, 443));
    let deny = ResourcePattern::parse("http://**", Action::NetworkRequest, Effect::Deny).unwrap();
    assert!(deny.matches_endpoint(Scheme::Http, 80) && deny.matches_endpoint(Scheme::Http, 8080));
}
