//! Services and what is behind them, as far as NetworkPolicies need it.
//!
//! All of them are kept, in a few words each; readers are woken for those alone that rules name,
//! since a busy cluster changes others all the time.

use super::{Key, Labels};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The label by which an EndpointSlice says whose it is.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is known of a Service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceInfo {
    /// Its cluster addresses; none of a headless one.
    pub addresses: Vec<IpAddr>,
    /// It is a name for a host elsewhere.
    pub external: bool,
    /// Of its pods; empty where its endpoints are written by somebody else.
    pub selector: Labels,
    /// Those of TCP.
    pub ports: Vec<ServicePort>,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServicePort {
    pub name: String,
    pub port: u16,
    /// Of the pods: a number, or the name of a container's port.
    pub target: IntOrString,
}

/// What is known of an EndpointSlice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SliceInfo {
    /// Name of its Service; empty where it has none.
    pub service: String,
    pub addresses: Vec<IpAddr>,
    /// Those of TCP: the name of the Service's port, and the number that the endpoints listen on.
    pub ports: Vec<(String, u16)>,
}

impl From<&Service> for ServiceInfo {
    fn from(service: &Service) -> Self {
        let spec = service.spec.clone().unwrap_or_default();
        let all = spec.cluster_ips.unwrap_or_default().into_iter().chain(spec.cluster_ip);
        let addresses: BTreeSet<IpAddr> = all.filter_map(|text| text.parse().ok()).collect();
        let ports =
            spec.ports.into_iter().flatten().filter(|port| is_tcp(port.protocol.as_deref()));
        Self {
            addresses: addresses.into_iter().collect(),
            external: spec.type_.as_deref() == Some("ExternalName"),
            selector: spec.selector.unwrap_or_default(),
            ports: ports
                .filter_map(|port| {
                    Some(ServicePort {
                        name: port.name.unwrap_or_default(),
                        port: u16::try_from(port.port).ok()?,
                        target: port.target_port.unwrap_or(IntOrString::Int(port.port)),
                    })
                })
                .collect(),
        }
    }
}

impl From<&EndpointSlice> for SliceInfo {
    fn from(slice: &EndpointSlice) -> Self {
        let labels = slice.metadata.labels.as_ref();
        let ports = slice.ports.iter().flatten().filter(|port| is_tcp(port.protocol.as_deref()));
        let endpoints = slice.endpoints.iter().flatten();
        let addresses = endpoints.flat_map(|endpoint| &endpoint.addresses);
        Self {
            service: labels.and_then(|all| all.get(SERVICE_NAME)).cloned().unwrap_or_default(),
            addresses: addresses.filter_map(|text| text.parse().ok()).collect(),
            ports: ports
                .filter_map(|port| {
                    let number = u16::try_from(port.port?).ok()?;
                    Some((port.name.clone().unwrap_or_default(), number))
                })
                .collect(),
        }
    }
}

fn is_tcp(protocol: Option<&str>) -> bool {
    matches!(protocol, None | Some("" | "TCP"))
}

/// Which Services readers are woken for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub services: BTreeSet<Key>,
    /// Namespaces all of whose Services are named.
    pub namespaces: BTreeSet<String>,
}

impl Named {
    fn covers(&self, namespace: &str, name: &str) -> bool {
        self.namespaces.contains(namespace) || self.services.contains(&Key::new(namespace, name))
    }
}

/// The part of the index that holds them.
#[derive(Debug, Default)]
pub(super) struct Services {
    pub(super) services: BTreeMap<Key, Arc<ServiceInfo>>,
    pub(super) slices: BTreeMap<Key, Arc<SliceInfo>>,
    pub(super) named: Named,
}

impl Services {
    /// True where a Service that is named changed.
    pub(super) fn insert_service(&mut self, key: Key, info: ServiceInfo) -> bool {
        let named = self.named.covers(&key.namespace, &key.name);
        super::put(&mut self.services, key, Arc::new(info)) && named
    }

    /// True where a Service that is named changed.
    pub(super) fn insert_slice(&mut self, key: Key, info: SliceInfo) -> bool {
        let before = self.slices.get(&key).is_some_and(|before| self.is_named(&key, before));
        let named = before || self.is_named(&key, &info);
        super::put(&mut self.slices, key, Arc::new(info)) && named
    }

    pub(super) fn remove_service(&mut self, key: &Key) -> bool {
        self.services.remove(key).is_some() && self.named.covers(&key.namespace, &key.name)
    }

    pub(super) fn remove_slice(&mut self, key: &Key) -> bool {
        self.slices.remove(key).is_some_and(|slice| self.is_named(key, &slice))
    }

    fn is_named(&self, key: &Key, slice: &SliceInfo) -> bool {
        self.named.covers(&key.namespace, &slice.service)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Index, Object, WatchedKind};
    use super::*;
    use serde_json::json;

    fn slice(service: &str, address: &str) -> Object {
        let slice = json!({"addressType": "IPv4", "metadata": {"labels": {SERVICE_NAME: service}},
            "endpoints": [{"addresses": [address]}], "ports": [{"name": "", "port": 8080}]});
        Object::EndpointSlice(Box::new(SliceInfo::from(&serde_json::from_value(slice).unwrap())))
    }

    #[test]
    fn only_what_rules_name_wakes_readers() {
        let index = Index::shared();
        let mut changes = index.subscribe();
        index.name_services(Named {
            services: [Key::new("prod", "orders")].into(),
            namespaces: ["shop".to_owned()].into(),
        });
        changes.borrow_and_update();
        for (namespace, service, wakes) in [
            ("prod", "billing", false),
            ("prod", "orders", true),
            ("shop", "anything", true),
            ("test", "orders", false),
        ] {
            let key = Key::new(namespace, format!("{service}-x"));
            for address in ["10.0.0.1", "10.0.0.2"] {
                index.apply(WatchedKind::EndpointSlices, key.clone(), slice(service, address));
                assert_eq!(changes.has_changed().unwrap(), wakes, "{namespace}/{service}");
                changes.borrow_and_update();
            }
            let found = index.slices(&Key::new(namespace, service));
            assert_eq!(found[0].addresses, ["10.0.0.2".parse::<IpAddr>().unwrap()]);
            index.delete(WatchedKind::EndpointSlices, &key);
            assert_eq!(changes.has_changed().unwrap(), wakes, "{namespace}/{service}");
            changes.borrow_and_update();
        }
    }

    #[test]
    fn a_service_is_read_as_it_is() {
        let service = json!({"spec": {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"],
        "selector": {"app": "orders"}, "ports": [
            {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"},
            {"name": "named", "port": 81, "targetPort": "web"},
            {"name": "same", "port": 82},
            {"name": "dns", "port": 53, "protocol": "UDP"},
        ]}});
        let info = ServiceInfo::from(&serde_json::from_value(service).unwrap());
        assert_eq!(info.addresses.len(), 2);
        let ports: Vec<_> =
            info.ports.iter().map(|port| (port.port, port.target.clone())).collect();
        let expected = [
            (80, IntOrString::Int(8080)),
            (81, IntOrString::String("web".into())),
            (82, IntOrString::Int(82)),
        ];
        assert_eq!(ports, expected);
        let headless = json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}});
        let info = ServiceInfo::from(&serde_json::from_value(headless).unwrap());
        assert!(info.addresses.is_empty() && !info.external);
    }
}
