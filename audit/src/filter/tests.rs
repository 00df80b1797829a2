use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_767_323_045_678;

fn denied() -> Record {
    Record {
        method: Some("POST".to_owned()),
        rule: Some("Namespaced/agents/research/no-upload".to_owned()),
        ..Record::intent(
            time::rfc3339(NOW),
            1,
            "network.request",
            "https://files.example.com:8443/up",
            "Deny",
            "Rule",
        )
    }
}

fn holds(expression: &str) -> bool {
    let record = denied();
    let subject = Subject { record: &record, namespace: "agents", pod: "research-0" };
    Filter::parse(expression, NOW + 60_000).unwrap().matches(subject)
}

#[test]
fn folded_denials_are_as_young_as_the_last_of_them() {
    let mut record = denied();
    let holds = |record: &Record, expression: &str| {
        let subject = Subject { record, namespace: "agents", pod: "research-0" };
        Filter::parse(expression, NOW + 60_000).unwrap().matches(subject)
    };
    assert!(!holds(&record, "since:30s"));
    (record.count, record.until) = (Some(3), Some(time::rfc3339(NOW + 40_000)));
    assert!(holds(&record, "since:30s") && !holds(&record, "since:10s"));
}

#[test]
fn expressions_that_hold() {
    for expression in [
        "",
        "action:network",
        "action:network.request",
        "action:network.*",
        "effect:Deny",
        "effect:deny",
        "kind:intent",
        "method:post",
        "host:files.example.com",
        "host:FILES.example.com",
        "host:*.example.com",
        "rule:no-upload",
        "rule:research/no-upload",
        "rule:Namespaced/agents/research/no-upload",
        "code:Rule",
        "pod:research-0",
        "namespace:agents",
        "since:1h",
        "since:60s",
        "since:2026-01-02T03:04:05Z",
        "since:2026-01-02T03:04:05.678Z",
        "since:2026-01-02t04:04:05.6+01:00",
        "  action:network   effect:Deny ",
        "effect:Deny -code:SearchDomain",
        "-namespace:other -host:*.example.org",
    ] {
        assert!(holds(expression), "{expression}");
    }
}

#[test]
fn expressions_that_do_not_hold() {
    for expression in [
        "action:net",
        "action:network.connect",
        "effect:Allow",
        "kind:Outcome",
        "method:GET",
        "host:example.com",
        "host:*.files.example.com",
        "host:*.ample.com",
        "rule:upload",
        "code:rule",
        "pod:research",
        "namespace:agent",
        "since:59s",
        "since:2026-01-02T03:04:05.679Z",
        "action:network effect:Allow",
        "-effect:Deny",
        "action:network -pod:research-0",
    ] {
        assert!(!holds(expression), "{expression}");
    }
}

#[test]
fn mistakes_are_named_with_what_would_be_right() {
    for (expression, said) in [
        ("network", "key:value"),
        ("action:", "key:value"),
        ("-action", "-key:value"),
        ("--code:Rule", "not a key"),
        (
            "verb:GET",
            "keys are action, effect, rule, code, host, method, pod, namespace, kind, since",
        ),
        ("effect:Block", "effects are Allow, Deny"),
        ("kind:Begin", "kinds are Genesis"),
        ("since:yesterday", "write 90s"),
        ("since:+1h", "write 90s"),
        ("since:2026-02-30T00:00:00Z", "write 90s"),
        ("since:99999999999999999999d", "write 90s"),
    ] {
        let error = Filter::parse(expression, NOW).unwrap_err().to_string();
        assert!(error.contains(said), "{expression}: {error}");
    }
    assert_eq!(Filter::parse(&"x".repeat(MAX_FILTER_BYTES + 1), NOW), Err(FilterError::TooLong));
}

#[test]
fn a_record_without_the_field_does_not_match() {
    let record = Record::heartbeat(time::rfc3339(NOW));
    let subject = Subject { record: &record, namespace: "agents", pod: "research-0" };
    for expression in ["action:network", "effect:Deny", "host:a", "rule:a", "code:a", "method:GET"]
    {
        assert!(!Filter::parse(expression, NOW).unwrap().matches(subject), "{expression}");
        let contrary = format!("-{expression}");
        assert!(Filter::parse(&contrary, NOW).unwrap().matches(subject), "{contrary}");
    }
}

proptest! {
    #[test]
    fn no_text_crashes_the_parser(text in "\\PC{0,80}", prefix in prop::sample::select(KEYS.to_vec())) {
        let _ = Filter::parse(&text, NOW);
        let parsed = Filter::parse(&format!("{prefix}:{text}"), NOW);
        if let Ok(filter) = parsed {
            let record = denied();
            filter.matches(Subject { record: &record, namespace: "agents", pod: "research-0" });
            prop_assert!(filter.terms().len() <= text.len() + 1);
        }
    }
}
