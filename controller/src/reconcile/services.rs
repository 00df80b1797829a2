//! What to open for the Services that rules name.
//!
//! A NetworkPolicy judges a packet by the address that it bears, which behind the translation is
//! that of a pod: `orders.prod:80` goes to port 8080 of whatever pods the Service selects. So those are
//! opened, and the Service's own addresses too, for plugins that judge before the translation.

use super::network::{Ports, block, namespace_peer, opened, port};
use crate::index::{Index, Key, Named, ServiceInfo, ServicePort, SliceInfo};
use exeat_policy::cluster::Vicinity;
use exeat_policy::normal::Name;
use exeat_policy::pattern::HostPattern;
use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Services in one NetworkPolicy, and addresses behind one of them that has no selector.
const MOST_SERVICES: usize = 128;
const MOST_ADDRESSES: usize = 64;

/// The Services that the rules of a policy name, with the ports that they allow.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    services: BTreeMap<Key, Ports>,
    namespaces: BTreeMap<String, Ports>,
    everywhere: bool,
}

/// What was found of them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) rules: Vec<NetworkPolicyEgressRule>,
    /// Ports of names for hosts elsewhere: they may lead anywhere in the world.
    pub(super) world: Ports,
    /// What could not be opened, in words.
    pub(super) notes: Vec<String>,
    pub(super) named: Named,
}

impl Wanted {
    /// Takes the host of an Allow; false where it names no Service.
    pub(super) fn take(&mut self, vicinity: &Vicinity, host: &HostPattern, ports: &[u16]) -> bool {
        let service = |name: &Name| {
            vicinity.parts(name).map(|(namespace, service)| Key::new(namespace, service))
        };
        match host {
            HostPattern::Exact(name) => match service(name) {
                Some(key) => self.services.entry(key).or_default().add(ports),
                None => return false,
            },
            HostPattern::Below(parent) => match (service(parent), vicinity.namespace(parent)) {
                (Some(key), _) => self.services.entry(key).or_default().add(ports),
                (None, Some("")) => self.everywhere = true,
                (None, Some(own)) => self.namespaces.entry(own.to_owned()).or_default().add(ports),
                (None, None) => return false,
            },
            HostPattern::AnyName | HostPattern::Net(_) => return false,
        }
        true
    }

    /// Looks them up.
    pub(super) fn find(self, index: &Index) -> Found {
        let Self { mut services, namespaces, everywhere } = self;
        let mut found = Found::default();
        found.named.services = services.keys().cloned().collect();
        if everywhere {
            found.notes.push("*.svc names every Service; name namespaces (*.NAMESPACE.svc)".into());
        }
        for (namespace, ports) in namespaces {
            for key in index.services_of(&namespace) {
                services.entry(key).or_default().join(&ports);
            }
            found.named.namespaces.insert(namespace);
        }
        if services.len() > MOST_SERVICES {
            found.notes.push(format!("more than {MOST_SERVICES} Services are named"));
        }
        for (key, ports) in services.into_iter().take(MOST_SERVICES) {
            found.open(index, &key, &ports);
        }
        found
    }
}

impl Found {
    fn open(&mut self, index: &Index, key: &Key, ports: &Ports) {
        let title = format!("Service {}/{}", key.namespace, key.name);
        let Some(service) = index.service(key) else {
            self.notes.push(format!("{title} does not exist"));
            return;
        };
        if service.external {
            self.world.join(ports);
            return;
        }
        let slices = index.slices(key);
        let headless = service.addresses.is_empty();
        let wanted: Vec<_> = service.ports.iter().filter(|port| ports.has(port.port)).collect();
        if !headless {
            if wanted.is_empty() {
                self.notes.push(format!("{title} has none of the rules' ports"));
                return;
            }
            let mut own = Ports::default();
            own.add(&wanted.iter().map(|port| port.port).collect::<Vec<_>>());
            let to = service.addresses.iter().map(|ip| block(IpNet::from(*ip), Vec::new()));
            self.rules.push(opened(to.collect(), &own));
        }
        let to = match self.peers(key, &title, &service, &slices) {
            peers if peers.is_empty() => return,
            peers => peers,
        };
        // Whoever calls a pod by itself, as clients of a headless Service do, is not translated.
        self.rules.push(match headless {
            true => opened(to, ports),
            false => {
                NetworkPolicyEgressRule { to: Some(to), ports: Some(targets(&wanted, &slices)) }
            }
        });
    }

    /// The pods that a Service selects, or the addresses that somebody wrote for it.
    fn peers(
        &mut self,
        key: &Key,
        title: &str,
        service: &ServiceInfo,
        slices: &[Arc<SliceInfo>],
    ) -> Vec<NetworkPolicyPeer> {
        if !service.selector.is_empty() {
            let selector = LabelSelector {
                match_labels: Some(service.selector.clone()),
                match_expressions: None,
            };
            let peer = NetworkPolicyPeer {
                pod_selector: Some(selector),
                ..namespace_peer(&key.namespace)
            };
            return vec![peer];
        }
        let all: BTreeSet<IpAddr> =
            slices.iter().flat_map(|slice| &slice.addresses).copied().filter(leads_out).collect();
        if all.is_empty() {
            self.notes.push(format!("{title} has neither a selector nor endpoints"));
        }
        if all.len() > MOST_ADDRESSES {
            self.notes.push(format!("{title} has more than {MOST_ADDRESSES} endpoints"));
        }
        let block = |ip| block(IpNet::from(ip), Vec::new());
        all.into_iter().take(MOST_ADDRESSES).map(block).collect()
    }
}

/// The ports behind the translation: as numbers where endpoints tell them, since few plugins know the
/// names of containers' ports.
fn targets(wanted: &[&ServicePort], slices: &[Arc<SliceInfo>]) -> Vec<NetworkPolicyPort> {
    let mut numbers = BTreeSet::new();
    let mut names = BTreeSet::new();
    for port in wanted {
        let told = slices.iter().flat_map(|slice| &slice.ports);
        let told: Vec<u16> =
            told.filter(|(name, _)| *name == port.name).map(|(_, number)| *number).collect();
        match &port.target {
            IntOrString::Int(number) => numbers.extend(u16::try_from(*number)),
            IntOrString::String(name) if told.is_empty() => drop(names.insert(name.clone())),
            IntOrString::String(_) => {}
        }
        numbers.extend(told);
    }
    let by_name =
        |name| NetworkPolicyPort { port: Some(IntOrString::String(name)), ..port("TCP", 0) };
    numbers
        .into_iter()
        .map(|number| port("TCP", number))
        .chain(names.into_iter().map(by_name))
        .collect()
}

/// An address outside of the node that a packet could come back from.
fn leads_out(ip: &IpAddr) -> bool {
    let special = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(special || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::WatchedKind;
    use serde_json::{Value, json};

    fn index(objects: &[(WatchedKind, Value)]) -> Arc<Index> {
        let index = Index::shared();
        for (kind, value) in objects {
            let (key, object) =
                crate::watch::read(*kind, &serde_json::from_value(value.clone()).unwrap());
            index.apply(*kind, key, object);
        }
        index
    }

    fn service(name: &str, spec: Value) -> (WatchedKind, Value) {
        (
            WatchedKind::Services,
            json!({"metadata": {"namespace": "prod", "name": name}, "spec": spec}),
        )
    }

    fn slice(service: &str, addresses: &[&str], ports: Value) -> (WatchedKind, Value) {
        let metadata = json!({"namespace": "prod", "name": format!("{service}-x"),
            "labels": {"kubernetes.io/service-name": service}});
        let endpoints: Vec<_> = addresses.iter().map(|ip| json!({"addresses": [ip]})).collect();
        let value = json!({"addressType": "IPv4", "metadata": metadata, "endpoints": endpoints,
            "ports": ports});
        (WatchedKind::EndpointSlices, value)
    }

    /// What is opened, a line a rule: peers, then ports.
    fn found(
        host: &str,
        ports: &[u16],
        objects: &[(WatchedKind, Value)],
    ) -> (Vec<String>, Vec<String>) {
        let vicinity = Vicinity::new("agents", &Name::parse("cluster.local").unwrap());
        let mut wanted = Wanted::default();
        let host = match host.strip_prefix("*.") {
            Some(parent) => HostPattern::Below(Name::parse(parent).unwrap()),
            None => HostPattern::Exact(Name::parse(host).unwrap()),
        };
        assert!(wanted.take(&vicinity, &host, ports));
        let found = wanted.find(&index(objects));
        let rules = found.rules.iter().map(|rule| {
            let peers = rule.to.iter().flatten().map(|peer| match &peer.ip_block {
                Some(block) => block.cidr.clone(),
                None => {
                    let labels = |s: &Option<LabelSelector>| {
                        let all = s.clone().unwrap_or_default().match_labels.unwrap_or_default();
                        all.into_values().collect::<Vec<_>>().join("+")
                    };
                    format!("{}/{}", labels(&peer.namespace_selector), labels(&peer.pod_selector))
                }
            });
            let ports = rule.ports.iter().flatten().map(|port| match &port.port {
                Some(IntOrString::Int(number)) => number.to_string(),
                Some(IntOrString::String(name)) => name.clone(),
                None => "*".into(),
            });
            format!(
                "{} {}",
                peers.collect::<Vec<_>>().join(","),
                ports.collect::<Vec<_>>().join(",")
            )
        });
        (rules.collect(), found.notes)
    }

    const ORDERS: &str = "orders.prod.svc.cluster.local";

    #[test]
    fn what_is_behind_the_translation_is_opened() {
        let orders = service(
            "orders",
            json!({"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "selector": {"app": "o"},
                "ports": [{"name": "http", "port": 80, "targetPort": 8080},
                    {"name": "admin", "port": 81, "targetPort": 9090}]}),
        );
        let (rules, notes) = found(ORDERS, &[80], std::slice::from_ref(&orders));
        assert_eq!(rules, ["10.96.0.7/32 80", "prod/o 8080"]);
        assert!(notes.is_empty());
        assert_eq!(
            found(ORDERS, &[], std::slice::from_ref(&orders)).0,
            ["10.96.0.7/32 80,81", "prod/o 8080,9090"]
        );
        assert_eq!(
            found("*.prod.svc.cluster.local", &[80], std::slice::from_ref(&orders)).0.len(),
            2
        );
        let (rules, notes) = found(ORDERS, &[443], &[orders]);
        assert!(rules.is_empty() && notes[0].contains("none of the rules' ports"), "{notes:?}");
        let (rules, notes) = found(ORDERS, &[80], &[]);
        assert!(rules.is_empty() && notes[0].contains("does not exist"), "{notes:?}");
    }

    #[test]
    fn a_port_by_name_is_opened_by_the_numbers_of_its_endpoints() {
        let orders = service(
            "orders",
            json!({"clusterIP": "10.96.0.7", "selector": {"app": "o"},
                "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}),
        );
        assert_eq!(found(ORDERS, &[80], std::slice::from_ref(&orders)).0[1], "prod/o web");
        let ports = json!([{"name": "http", "port": 8080}, {"name": "other", "port": 1}]);
        let endpoints = slice("orders", &["10.0.0.1"], ports);
        assert_eq!(found(ORDERS, &[80], &[orders, endpoints]).0[1], "prod/o 8080");
    }

    #[test]
    fn a_service_without_selector_is_opened_by_its_endpoints() {
        let orders = service(
            "orders",
            json!({"clusterIP": "10.96.0.1",
            "ports": [{"name": "https", "port": 443, "targetPort": 6443}]}),
        );
        let ports = json!([{"name": "https", "port": 6443}]);
        let endpoints =
            slice("orders", &["172.16.0.2", "169.254.169.254", "127.0.0.1"], ports.clone());
        let (rules, _) = found(ORDERS, &[443], &[orders.clone(), endpoints]);
        assert_eq!(rules, ["10.96.0.1/32 443", "172.16.0.2/32 6443"]);
        let many: Vec<String> = (0..100).map(|n| format!("10.1.0.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (rules, notes) = found(ORDERS, &[443], &[orders, slice("orders", &many, ports)]);
        assert_eq!(rules[1].matches("/32").count(), MOST_ADDRESSES);
        assert!(notes[0].contains("more than 64"), "{notes:?}");
    }

    #[test]
    fn clients_of_a_headless_service_are_not_translated() {
        let orders = service(
            "orders",
            json!({"clusterIP": "None", "selector": {"app": "o"},
            "ports": [{"port": 80, "targetPort": 8080}]}),
        );
        assert_eq!(found(ORDERS, &[5432], std::slice::from_ref(&orders)).0, ["prod/o 5432"]);
        let pod = "db-0.orders.prod.svc.cluster.local";
        assert_eq!(found(pod, &[5432], &[orders]).0, ["prod/o 5432"]);
    }
}
