//! NetworkPolicies: the smallest layer-4 superset of a policy's rules, as pure values.
//!
//! NetworkPolicies cannot say names, so a rule over names opens every address that is neither
//! private nor special, on the rule's ports; the proxy narrows that down. A rule over a Service of the
//! cluster opens what stands behind it ([`super::services`]). A policy that does not
//! compile opens nothing but DNS and the control API.

use super::services::{Found, Wanted};
use crate::index::{Index, Named, StoredPolicy};
use exeat_api::labels::{OWNER_LABEL, POD_LABEL, POD_LABEL_AGENT};
use exeat_api::{objects, ports};
use exeat_crds::{AGENT_POLICY, API_VERSION, CLUSTER_AGENT_POLICY};
use exeat_policy::action::{Action, Effect};
use exeat_policy::cluster::Vicinity;
use exeat_policy::compile_policy;
use exeat_policy::normal::Name;
use exeat_policy::pattern::HostPattern;
use exeat_policy::source::{Mode, Tier};
use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, OwnerReference,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Never reached by name: private, metadata, link-local, loopback, special and embedding ranges.
const EXCLUDED_V4: [&str; 11] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
const EXCLUDED_V6: [&str; 7] =
    ["::/96", "64:ff9b::/96", "2001::/32", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8"];

/// What the NetworkPolicies of an installation have in common.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Our own namespace.
    pub namespace: String,
    pub dns_servers: Vec<IpAddr>,
    pub excluded: Vec<IpNet>,
    /// Namespaces that may scrape the proxies; empty: anybody.
    pub metrics_from: Vec<String>,
    /// The DNS domain of Services; empty: rules name none.
    pub cluster_domain: String,
}

/// A NetworkPolicy, and what it was made of.
#[derive(Debug)]
pub struct Desired {
    pub object: NetworkPolicy,
    /// Services that could not be opened, in words.
    pub notes: Vec<String>,
    /// Services that its rules name: when one of them changes, so does it.
    pub named: Named,
}

/// The NetworkPolicy of `policy` in `namespace`. A Guardrail has none.
pub fn network_policy(
    policy: &StoredPolicy,
    namespace: &str,
    agents_only: bool,
    around: &Surroundings,
    index: &Index,
) -> Option<Desired> {
    let kind = match policy.source.origin.tier {
        Tier::Guardrail => return None,
        Tier::Namespaced => AGENT_POLICY,
        Tier::Baseline => CLUSTER_AGENT_POLICY,
    };
    let origin = &policy.source.origin;
    let labels = BTreeMap::from([
        ("app.kubernetes.io/managed-by".to_owned(), "exeat-controller".to_owned()),
        (OWNER_LABEL.to_owned(), policy.uid.clone()),
    ]);
    let (egress, found) = egress(policy, namespace, around, index);
    let object = NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(name(kind, &origin.name)),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            owner_references: Some(vec![OwnerReference {
                api_version: API_VERSION.to_owned(),
                kind: kind.to_owned(),
                name: origin.name.clone(),
                uid: policy.uid.clone(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods(&policy.selection.pod_selector, agents_only)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress(policy, around)),
            egress: Some(egress),
        }),
    };
    Some(Desired { object, notes: found.notes, named: found.named })
}

/// `agentpolicy-<name>`, cut with a digest where that is too long. The prefixes of the two kinds
/// are not prefixes of each other.
fn name(kind: &str, policy: &str) -> String {
    let name = format!("{}-{policy}", kind.to_lowercase());
    if name.len() <= 253 {
        return name;
    }
    let digest = hex::encode(Sha256::digest(policy.as_bytes()));
    format!("{}-{}", name[..220].trim_end_matches(['.', '-']), &digest[..16])
}

/// Outside namespaces of agents, pods that are none are left alone.
fn pods(selector: &LabelSelector, agents_only: bool) -> LabelSelector {
    let mut selector = selector.clone();
    if !agents_only {
        selector.match_expressions.get_or_insert_default().push(LabelSelectorRequirement {
            key: POD_LABEL.to_owned(),
            operator: "In".to_owned(),
            values: Some(vec![POD_LABEL_AGENT.to_owned()]),
        });
    }
    selector
}

fn ingress(policy: &StoredPolicy, around: &Surroundings) -> Vec<NetworkPolicyIngressRule> {
    let from = around.metrics_from.iter().map(|namespace| namespace_peer(namespace)).collect();
    let metrics = NetworkPolicyIngressRule {
        from: Some(from).filter(|peers: &Vec<_>| !peers.is_empty()),
        ports: Some(vec![port("TCP", ports::OPS)]),
    };
    let own = policy.ingress.iter().cloned().map(|mut rule| {
        for port in rule.ports.iter_mut().flatten() {
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
        rule
    });
    own.chain([metrics]).collect()
}

fn egress(
    policy: &StoredPolicy,
    namespace: &str,
    around: &Surroundings,
    index: &Index,
) -> (Vec<NetworkPolicyEgressRule>, Found) {
    let mut rules = vec![dns(around), control(around)];
    let Ok(compiled) = compile_policy(&policy.source) else { return (rules, Found::default()) };
    let domain = Name::parse(&around.cluster_domain).ok();
    let vicinity = domain.map(|domain| Vicinity::new(namespace, &domain));
    let mut services = Wanted::default();
    // Ports by destination; an empty set is every port.
    let mut nets: BTreeMap<IpNet, Ports> = BTreeMap::new();
    let mut names = Ports::default();
    for rule in &compiled.rules {
        if rule.effect != Effect::Allow || rule.action == Action::NetworkDns {
            continue;
        }
        let ports = rule.pattern.layer4_ports();
        let host = vicinity.as_ref().map(|vicinity| vicinity.allowed(&rule.pattern));
        let is_service = vicinity
            .iter()
            .zip(&host)
            .any(|(vicinity, host)| services.take(vicinity, host, &ports));
        match rule.pattern.host {
            HostPattern::Net(net) => nets.entry(net.trunc()).or_default().add(&ports),
            _ if is_service => {}
            _ => names.add(&ports),
        }
    }
    let mut found = services.find(index);
    names.join(&found.world);
    if policy.source.mode == Mode::Observe {
        names.add(&[]);
    }
    if names.any() {
        rules.push(opened(world(around), &names));
    }
    for (net, ports) in nets {
        rules.push(opened(vec![block(net, Vec::new())], &ports));
    }
    rules.append(&mut found.rules);
    (rules, found)
}

/// A set of ports that can be "all".
#[derive(Debug, Default)]
pub(super) struct Ports {
    all: bool,
    some: BTreeSet<u16>,
}

impl Ports {
    pub(super) fn add(&mut self, ports: &[u16]) {
        self.all |= ports.is_empty();
        self.some.extend(ports);
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.all |= other.all;
        self.some.extend(&other.some);
    }

    pub(super) fn has(&self, port: u16) -> bool {
        self.all || self.some.contains(&port)
    }

    fn any(&self) -> bool {
        self.all || !self.some.is_empty()
    }
}

pub(super) fn opened(to: Vec<NetworkPolicyPeer>, ports: &Ports) -> NetworkPolicyEgressRule {
    let ports = if ports.all {
        // Every TCP port, and nothing but TCP.
        vec![NetworkPolicyPort {
            end_port: Some(65_535),
            port: Some(IntOrString::Int(1)),
            protocol: Some("TCP".to_owned()),
        }]
    } else {
        ports.some.iter().map(|number| port("TCP", *number)).collect()
    };
    NetworkPolicyEgressRule { to: Some(to), ports: Some(ports) }
}

/// Every address that a name may stand for.
fn world(around: &Surroundings) -> Vec<NetworkPolicyPeer> {
    let except = |fixed: &[&str], v4: bool| {
        let more = around.excluded.iter().filter(|net| net.addr().is_ipv4() == v4);
        let more = more.filter(|net| net.prefix_len() > 0).map(|net| net.trunc().to_string());
        fixed.iter().map(|net| (*net).to_owned()).chain(more).collect::<Vec<_>>()
    };
    let peer = |cidr: &str, except| NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.to_owned(), except: Some(except) }),
        ..NetworkPolicyPeer::default()
    };
    vec![peer("0.0.0.0/0", except(&EXCLUDED_V4, true)), peer("::/0", except(&EXCLUDED_V6, false))]
}

fn dns(around: &Surroundings) -> NetworkPolicyEgressRule {
    let mut to = vec![NetworkPolicyPeer {
        pod_selector: Some(matching("k8s-app", "kube-dns")),
        ..namespace_peer("kube-system")
    }];
    to.extend(around.dns_servers.iter().map(|server| block(IpNet::from(*server), Vec::new())));
    NetworkPolicyEgressRule { to: Some(to), ports: Some(vec![port("UDP", 53), port("TCP", 53)]) }
}

fn control(around: &Surroundings) -> NetworkPolicyEgressRule {
    let peer = NetworkPolicyPeer {
        pod_selector: Some(matching(objects::NAME_LABEL, objects::NAME)),
        ..namespace_peer(&around.namespace)
    };
    NetworkPolicyEgressRule { to: Some(vec![peer]), ports: Some(vec![port("TCP", ports::CONTROL)]) }
}

pub(super) fn namespace_peer(namespace: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(matching("kubernetes.io/metadata.name", namespace)),
        ..NetworkPolicyPeer::default()
    }
}

fn matching(key: &str, value: &str) -> LabelSelector {
    let labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

pub(super) fn block(net: IpNet, except: Vec<String>) -> NetworkPolicyPeer {
    let except = Some(except).filter(|ranges| !ranges.is_empty());
    NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: net.to_string(), except }),
        ..NetworkPolicyPeer::default()
    }
}

pub(super) fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::WatchedKind;
    use serde_json::{Value, json};

    fn computed(mode: &str, rules: Value) -> NetworkPolicy {
        let object = json!({"metadata": {"namespace": "agents", "name": "p", "uid": "u"},
            "spec": {"podSelector": {}, "mode": mode, "rules": rules}});
        let object = serde_json::from_value(object).unwrap();
        let policy = crate::watch::policy(WatchedKind::AgentPolicies, &object);
        let around = Surroundings {
            namespace: "exeat-system".into(),
            dns_servers: vec!["10.96.0.10".parse().unwrap()],
            cluster_domain: "cluster.local".into(),
            ..Surroundings::default()
        };
        network_policy(&policy, "agents", false, &around, &Index::shared()).unwrap().object
    }

    /// What is opened beside DNS and the control API: cidr and ports.
    fn opened_by(mode: &str, rules: Value) -> Vec<(String, String)> {
        let egress = computed(mode, rules).spec.unwrap().egress.unwrap();
        let ports = |rule: &NetworkPolicyEgressRule| {
            let each = rule.ports.iter().flatten().map(|p| match (&p.port, p.end_port) {
                (Some(IntOrString::Int(from)), Some(to)) => format!("{from}-{to}"),
                (Some(IntOrString::Int(one)), None) => one.to_string(),
                _ => "?".to_owned(),
            });
            each.collect::<Vec<_>>().join(",")
        };
        egress[2..]
            .iter()
            .flat_map(|rule| {
                rule.to.iter().flatten().map(move |peer| {
                    (
                        peer.ip_block.as_ref().map(|b| b.cidr.clone()).unwrap_or_default(),
                        ports(rule),
                    )
                })
            })
            .collect()
    }

    fn rule(action: &str, effect: &str, resource: &str) -> Value {
        json!({"name": "r", "action": action, "effect": effect, "resource": resource})
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn rules_open_what_they_name_and_nothing_else() {
        let world = |ports| pairs(&[("0.0.0.0/0", ports), ("::/0", ports)]);
        for (rules, expected) in [
            (json!([]), vec![]),
            (json!([rule("network.request", "Allow", "https://a.example/**")]), world("443")),
            (json!([rule("network.request", "Deny", "https://a.example/**")]), vec![]),
            (json!([rule("network.dns", "Allow", "a.example")]), vec![]),
            (
                json!([rule("network.connect", "Allow", "tcp://10.20.0.0/16:5432")]),
                pairs(&[("10.20.0.0/16", "5432")]),
            ),
            (json!([rule("network.connect", "Allow", "tcp://a.example:*")]), world("1-65535")),
            // A Service is opened by what stands behind it, and leads nowhere else.
            (json!([rule("network.request", "Allow", "http://orders.prod/**")]), vec![]),
            (json!([rule("network.request", "Allow", "http://orders/**")]), vec![]),
        ] {
            assert_eq!(opened_by("Enforce", rules.clone()), expected, "{rules}");
        }
    }

    #[test]
    fn a_policy_that_does_not_compile_opens_nothing() {
        let rules = json!([rule("network.request", "Allow", "https://a*.example/**"),]);
        assert_eq!(opened_by("Enforce", rules), vec![]);
    }

    #[test]
    fn observing_lets_every_port_of_the_world_pass_but_no_private_range() {
        let opened = opened_by("Observe", json!([]));
        assert_eq!(opened, pairs(&[("0.0.0.0/0", "1-65535"), ("::/0", "1-65535")]));
    }

    #[test]
    fn the_whole_object() {
        let rules = json!([
            {"name": "api", "action": "network.request", "effect": "Allow", "resource": "https://api.example.com/**"},
            {"name": "db", "action": "network.connect", "effect": "Allow", "resource": "tcp://10.20.0.0/16:5432"},
        ]);
        let value = serde_json::to_value(computed("Enforce", rules)).unwrap();
        assert_eq!(value["metadata"]["name"], "agentpolicy-p");
        assert_eq!(value["metadata"]["ownerReferences"][0]["uid"], "u");
        assert_eq!(
            value["spec"]["podSelector"]["matchExpressions"][0],
            json!({"key": "exeat.dev/agent", "operator": "In", "values": ["true"]})
        );
        let except = value["spec"]["egress"][2]["to"][0]["ipBlock"]["except"].as_array().unwrap();
        for range in ["169.254.0.0/16", "10.0.0.0/8", "100.64.0.0/10"] {
            assert!(except.contains(&json!(range)), "{range}");
        }
        assert_eq!(
            value["spec"]["ingress"],
            json!([{"ports": [{"port": 15020, "protocol": "TCP"}]}])
        );
    }

    #[test]
    fn the_charts_backstop_guards_the_names_of_ours() {
        let backstop = include_str!("../../../charts/exeat/templates/backstop.yaml");
        for kind in [AGENT_POLICY, CLUSTER_AGENT_POLICY] {
            let guarded = format!("request.name.startsWith('{}')", name(kind, ""));
            assert!(backstop.contains(&guarded), "{guarded}");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = "a".repeat(253);
        let other = format!("{}b", "a".repeat(252));
        let (one, two) = (name("AgentPolicy", &long), name("AgentPolicy", &other));
        assert!(one.len() <= 253 && one != two);
    }
}
