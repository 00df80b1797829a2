//! The chart is YAML and cannot use a constant, so it repeats names, paths and ports of this crate.
//! These tests read its templates as text and compare; what a template renders to is tested by
//! `charts/test`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exeat_api::{audiences, labels, objects, paths, pod, ports};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names that the chart alone knows.
const CHART_ALONE: [&str; 8] = [
    "exeat-additional-roots",
    "exeat-all-credentials",
    "exeat-audit-reader",
    "exeat-check",
    "exeat-cleanup",
    "exeat-metrics",
    "exeat-policy-editor",
    "exeat-policy-viewer",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn template(name: &str) -> String {
    let path = repository().join("charts/exeat/templates").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file of the chart's templates, the hooks of `helm test` included.
fn templates() -> Vec<(String, String)> {
    let top = repository().join("charts/exeat/templates");
    let mut found = Vec::new();
    for folder in [top.clone(), top.join("tests")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 10, "the templates are elsewhere");
    found
}

/// Every run of `part` characters after `start`, with `start` itself, wherever it stands.
fn tokens(text: &str, start: &str, part: impl Fn(char) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(start) {
        let rest = &text[at + start.len()..];
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        found.insert(format!("{start}{}", &rest[..end]).trim_end_matches('-').to_owned());
    }
    found
}

fn everywhere(start: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_lowercase() || c == '-';
    templates().iter().flat_map(|(_, text)| tokens(text, start, part)).collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// The number after each `key: ` of a text whose value is one.
fn numbers(text: &str, keys: &[&str]) -> Vec<u16> {
    let mut found = Vec::new();
    for line in text.lines() {
        for field in line.split(['{', ',', '}']).map(|field| field.trim().trim_start_matches("- "))
        {
            let Some((key, value)) = field.split_once(": ") else { continue };
            if keys.contains(&key) {
                found.extend(value.parse::<u16>());
            }
        }
    }
    found
}

#[test]
fn labels_and_annotations() {
    let ours = [
        labels::NAMESPACE_LABEL,
        labels::POD_LABEL,
        labels::INJECTED_ANNOTATION,
        labels::OWNER_LABEL,
        audiences::AUDIT,
    ];
    // Marks that the chart makes for itself.
    let chart_alone = ["exeat.dev/additional-roots", "exeat.dev/metrics"];
    assert_eq!(everywhere(labels::PREFIX), set(ours.into_iter().chain(chart_alone)));
}

#[test]
fn names_of_objects_containers_and_volumes() {
    let ours = [
        pod::INIT_CONTAINER,
        pod::PROXY_CONTAINER,
        pod::TRUST_VOLUME,
        pod::KEYS_VOLUME,
        pod::SPOOL_VOLUME,
        pod::IDENTITY_VOLUME,
        objects::CONTROL_WORKLOAD,
        objects::COLLECT_WORKLOAD,
        objects::ADMISSION_SERVICE,
        objects::PUBLISH_SERVICE,
        objects::COLLECT_SERVICE,
        objects::CA_SECRET,
        objects::CONTROL_CA,
        objects::LEASE,
        objects::AUDITOR,
    ];
    let mut found = everywhere(pod::RESERVED_PREFIX);
    // The prefix itself: names that are put together, and what is reserved.
    assert!(found.remove(pod::RESERVED_PREFIX.trim_end_matches('-')));
    let known = set(ours.into_iter().chain(CHART_ALONE).chain(objects::BACKSTOP));
    assert_eq!(found, known);
}

#[test]
fn the_backstop_is_deleted_whole() {
    let text = template("cleanup.yaml");
    let names = text.split("resourceNames: [").filter(|list| list.starts_with("exeat-"));
    let names = names.flat_map(|list| list.split(']').next().unwrap().split(", "));
    assert_eq!(set(names), set(objects::BACKSTOP));
    let defined = template("backstop.yaml");
    for name in objects::BACKSTOP {
        let ranged = ["exeat-agent-pods-namespaces", "exeat-agent-pods-labelled"].contains(&name);
        assert!(ranged || defined.contains(&format!("  name: {name}\n")), "{name}");
    }
}

#[test]
fn the_backstop_knows_an_agent_and_its_proxy() {
    let text = template("backstop.yaml");
    let (agent, all) = (labels::POD_LABEL_AGENT, labels::NAMESPACE_LABEL_ALL);
    for expected in [
        format!("object.metadata.labels['{}'] == '{agent}'", labels::POD_LABEL),
        format!("object.metadata.labels['{}'] == '{all}'", labels::NAMESPACE_LABEL),
        format!("values: [\"{}\"]", labels::POD_LABEL_NO_AGENT),
        format!("variables.inits[0].name == '{}'", pod::INIT_CONTAINER),
        format!("variables.inits[1].name == '{}'", pod::PROXY_CONTAINER),
        format!("? ['{}'] : ['{}'])", pod::INIT_COMMAND, pod::PROXY_COMMAND),
        format!("c.name.startsWith('{}')", pod::RESERVED_PREFIX),
        format!("serviceAccountToken.audience.startsWith('{}')", audiences::PROXY),
        format!("a.startsWith('{}') && a != '{}'", audiences::PROXY, audiences::AUDIT),
    ] {
        assert!(text.contains(&expected), "the backstop does not say {expected}");
    }
    let theirs = [pod::KEYS_VOLUME, pod::SPOOL_VOLUME, pod::IDENTITY_VOLUME];
    let listed = format!("m.name in ['{}']", theirs.join("', '"));
    assert_eq!(text.matches(&listed).count(), 2, "{listed}");
}

#[test]
fn ports_of_services_containers_and_network_policies() {
    let expected = |name: &str| -> &[u16] {
        match name {
            "_helpers.tpl" => &[ports::ADMISSION_SERVICE],
            "collect.yaml" => &[ports::CONTROL, ports::CONTROLLER_OPS],
            "control.yaml" => &[ports::ADMISSION, ports::CONTROL, ports::CONTROLLER_OPS],
            "monitoring.yaml" => &[ports::OPS],
            // The last two are of the cluster's DNS.
            "networkpolicies.yaml" => {
                &[ports::ADMISSION, ports::CONTROL, ports::CONTROLLER_OPS, 53, 53]
            }
            "services.yaml" => {
                &[ports::ADMISSION_SERVICE, ports::CONTROL, ports::CONTROL, ports::CONTROLLER_OPS]
            }
            _ => &[],
        }
    };
    for (name, text) in templates() {
        let found = numbers(&text, &["port", "containerPort", "portNumber", "targetPort"]);
        assert_eq!(found, expected(&name), "{name}");
    }
}

#[test]
fn paths_of_webhooks_probes_and_metrics() {
    let webhooks = template("webhooks.yaml");
    let called = webhooks.split("\"path\" \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let served =
        [paths::MUTATE_POD, paths::VALIDATE_POD, paths::VALIDATE_POLICY, paths::WARN_WORKLOAD];
    assert_eq!(set(called), set(served));
    assert!(webhooks.contains(&format!("startsWith('{}')", pod::RESERVED_PREFIX)));
    let (name, policies) = objects::POLICY_WEBHOOK.split_once('.').unwrap();
    assert!(webhooks.contains(&format!("- name: {name}.{policies}\n")));
    let helpers = template("_helpers.tpl");
    assert_eq!(helpers.matches(&format!("path: {}, port: ops", paths::LIVEZ)).count(), 2);
    assert_eq!(helpers.matches(&format!("path: {}, port: ops", paths::READYZ)).count(), 1);
    assert!(template("monitoring.yaml").contains(&format!("path: {}\n", paths::METRICS)));
}

#[test]
fn readers_of_the_audit_and_the_installation_itself() {
    let people = template("rbac-people.yaml");
    assert!(people.contains(&format!("resources: [{}]", audiences::AUDIT_RECORDS)));
    for name in ["webhooks.yaml", "cleanup.yaml", "rbac-control.yaml"] {
        let text = template(name);
        let is_named = ["  name: ", "resourceNames: ["].iter().any(|before| {
            text.lines().any(|line| {
                let value = line.split_once(before).map(|(_, value)| value.trim_end_matches(']'));
                value == Some(objects::WEBHOOKS)
            })
        });
        assert!(is_named, "{name} does not name the webhook configurations");
    }
    let helpers = template("_helpers.tpl");
    assert!(helpers.contains(&format!("{}: {}\n", objects::NAME_LABEL, objects::NAME)));
    assert!(helpers.contains(&format!("{}: {{{{ .component }}}}", objects::COMPONENT_LABEL)));
    let collect = template("collect.yaml");
    let component = format!("\"component\" \"{}\"", objects::COLLECT_COMPONENT);
    assert!(collect.contains(&component));
}

#[test]
fn the_test_clusters_prometheus_scrapes_the_proxies() {
    let script = repository().join("e2e/cluster/addons/prometheus-targets");
    let text = std::fs::read_to_string(script).unwrap();
    let label = format!("[\"{}\"] == \"{}\"", labels::POD_LABEL, labels::POD_LABEL_AGENT);
    assert!(text.contains(&label), "{label}");
    assert!(text.contains(&format!("{})", ports::OPS)));
}
