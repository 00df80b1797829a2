//! What the cluster looks like, in memory: policies, namespaces, agent pods, NetworkPolicies, and the
//! Services that rules may name.
//!
//! Writers are the watches; readers are admission, publish and reconcile. A policy object that
//! cannot be read stays in the index as a policy that denies, over everything it could have
//! selected. Before every kind has been listed once, [`Index::synced`] is false, and no answer of
//! the index may be taken for a permission.

mod pod;
mod policy;
mod selector;
mod services;

pub use pod::PodInfo;
pub use policy::{Selection, StoredPolicy};
pub use selector::{Selector, SelectorError};
pub use services::{Named, ServiceInfo, ServicePort, SliceInfo};

use exeat_api::labels::{NAMESPACE_LABEL, NAMESPACE_LABEL_ALL};
use exeat_policy::source::PolicySource;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use services::Services;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Labels of a pod or a namespace.
pub type Labels = BTreeMap<String, String>;

/// The kinds that must have been listed before the index can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchedKind {
    AgentPolicies,
    ClusterAgentPolicies,
    Namespaces,
    Pods,
    NetworkPolicies,
    Services,
    EndpointSlices,
}

impl WatchedKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AgentPolicies,
        Self::ClusterAgentPolicies,
        Self::Namespaces,
        Self::Pods,
        Self::NetworkPolicies,
        Self::Services,
        Self::EndpointSlices,
    ];
}

/// What is known of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceInfo {
    pub labels: Labels,
}

impl NamespaceInfo {
    /// Whether every pod of this namespace is an agent.
    pub fn agents_only(&self) -> bool {
        self.labels.get(NAMESPACE_LABEL).is_some_and(|v| v == NAMESPACE_LABEL_ALL)
    }
}

/// An object of one of the watched kinds, as far as the index keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    Policy(Box<StoredPolicy>),
    Namespace(String, NamespaceInfo),
    Pod(Box<PodInfo>),
    NetworkPolicy(Box<NetworkPolicy>),
    Service(Box<ServiceInfo>),
    EndpointSlice(Box<SliceInfo>),
}

/// Name of an object within its kind; the namespace is empty for cluster-scoped kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    /// The key of `namespace/name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// The objects of the cluster that Exeat decides by.
#[derive(Debug)]
pub struct Index {
    state: RwLock<State>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    policies: BTreeMap<Key, Arc<StoredPolicy>>,
    cluster_policies: BTreeMap<Key, Arc<StoredPolicy>>,
    namespaces: BTreeMap<Key, NamespaceInfo>,
    pods: BTreeMap<Key, Arc<PodInfo>>,
    network_policies: BTreeMap<Key, Arc<NetworkPolicy>>,
    behind: Services,
    listed: BTreeSet<WatchedKind>,
}

impl Index {
    /// An empty index, not synced.
    pub fn shared() -> Arc<Self> {
        Arc::new(Self { state: RwLock::default(), version: watch::Sender::new(0) })
    }

    /// Whether every kind has been listed once.
    pub fn synced(&self) -> bool {
        self.read(|state| state.listed.len() == WatchedKind::ALL.len())
    }

    /// A counter that grows with every change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The policies that select a pod with `pod_labels` in a namespace, sorted by origin. Empty
    /// means that nothing selects it, which is a reason to refuse and never one to allow.
    pub fn policies_for(
        &self,
        namespace: &str,
        namespace_labels: &Labels,
        pod_labels: &Labels,
    ) -> Vec<PolicySource> {
        let stored = self.selecting(namespace, namespace_labels, pod_labels);
        stored.iter().map(|policy| policy.source.clone()).collect()
    }

    /// As [`Self::policies_for`], with everything that is stored of the policies.
    pub fn selecting(
        &self,
        namespace: &str,
        namespace_labels: &Labels,
        pod_labels: &Labels,
    ) -> Vec<Arc<StoredPolicy>> {
        let mut found: Vec<_> = self.read(|state| {
            let cluster = state.cluster_policies.values();
            let own = state
                .policies
                .range(Key::new(namespace, "")..)
                .take_while(|(key, _)| key.namespace == namespace)
                .map(|(_, policy)| policy);
            cluster
                .chain(own)
                .filter(|policy| policy.selection.selects(namespace, namespace_labels, pod_labels))
                .cloned()
                .collect()
        });
        found.sort_by(|a, b| a.source.origin.cmp(&b.source.origin));
        found
    }

    /// A namespace, if it exists.
    pub fn namespace(&self, name: &str) -> Option<NamespaceInfo> {
        self.read(|state| state.namespaces.get(&Key::new("", name)).cloned())
    }

    /// Every namespace by name.
    pub fn namespaces(&self) -> Vec<(String, NamespaceInfo)> {
        self.read(|state| {
            state.namespaces.iter().map(|(key, info)| (key.name.clone(), info.clone())).collect()
        })
    }

    /// A pod, if it exists.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<Arc<PodInfo>> {
        self.read(|state| state.pods.get(&Key::new(namespace, name)).cloned())
    }

    /// Every pod that is an agent: by its own label, by its namespace's, or because it was injected.
    pub fn agent_pods(&self) -> Vec<Arc<PodInfo>> {
        self.read(|state| state.pods.values().filter(|pod| state.is_agent(pod)).cloned().collect())
    }

    /// Whether `pod` is an agent under the labels that its namespace has now.
    pub fn is_agent(&self, pod: &PodInfo) -> bool {
        self.read(|state| state.is_agent(pod))
    }

    /// Every policy, AgentPolicies first.
    pub fn policies(&self) -> Vec<Arc<StoredPolicy>> {
        self.read(|state| {
            state.policies.values().chain(state.cluster_policies.values()).cloned().collect()
        })
    }

    /// The NetworkPolicies of a namespace.
    pub fn network_policies(&self, namespace: &str) -> Vec<Arc<NetworkPolicy>> {
        self.read(|state| {
            state
                .network_policies
                .range(Key::new(namespace, "")..)
                .take_while(|(key, _)| key.namespace == namespace)
                .map(|(_, policy)| policy.clone())
                .collect()
        })
    }

    /// Every NetworkPolicy.
    pub fn all_network_policies(&self) -> Vec<Arc<NetworkPolicy>> {
        self.read(|state| state.network_policies.values().cloned().collect())
    }

    /// A Service, if it exists.
    pub fn service(&self, key: &Key) -> Option<Arc<ServiceInfo>> {
        self.read(|state| state.behind.services.get(key).cloned())
    }

    /// The names of the Services of a namespace.
    pub fn services_of(&self, namespace: &str) -> Vec<Key> {
        self.read(|state| {
            let own = state.behind.services.range(Key::new(namespace, "")..);
            own.map(|(key, _)| key).take_while(|key| key.namespace == namespace).cloned().collect()
        })
    }

    /// What stands behind a Service.
    pub fn slices(&self, service: &Key) -> Vec<Arc<SliceInfo>> {
        self.read(|state| {
            let own = state.behind.slices.range(Key::new(service.namespace.as_str(), "")..);
            own.take_while(|(key, _)| key.namespace == service.namespace)
                .map(|(_, slice)| slice)
                .filter(|slice| slice.service == service.name)
                .cloned()
                .collect()
        })
    }

    /// Says which Services readers are woken for from now on.
    pub fn name_services(&self, named: Named) {
        self.write(|state| {
            state.behind.named = named;
            false
        });
    }

    /// Stores an object, replacing what was there.
    pub fn apply(&self, kind: WatchedKind, key: Key, object: Object) {
        self.write(|state| state.insert(kind, key, object));
    }

    /// Removes an object.
    pub fn delete(&self, kind: WatchedKind, key: &Key) {
        self.write(|state| state.remove(kind, key));
    }

    /// Replaces everything of a kind by a complete listing, and marks the kind as listed.
    pub fn replace(&self, kind: WatchedKind, objects: Vec<(Key, Object)>) {
        self.write(|state| {
            let listed: BTreeSet<_> = objects.iter().map(|(key, _)| key.clone()).collect();
            let mut changed = state.listed.insert(kind);
            for gone in state.keys(kind).into_iter().filter(|key| !listed.contains(key)) {
                changed |= state.remove(kind, &gone);
            }
            for (key, object) in objects {
                changed |= state.insert(kind, key, object);
            }
            changed
        });
    }

    fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `f` and tells the subscribers when it says that something changed.
    fn write(&self, f: impl FnOnce(&mut State) -> bool) {
        let changed = f(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
        if changed {
            self.version.send_modify(|version| *version += 1);
        }
    }
}

impl State {
    fn is_agent(&self, pod: &PodInfo) -> bool {
        let namespace = self.namespaces.get(&Key::new("", pod.namespace.as_str()));
        pod.is_agent || namespace.is_some_and(NamespaceInfo::agents_only)
    }

    fn keys(&self, kind: WatchedKind) -> Vec<Key> {
        match kind {
            WatchedKind::AgentPolicies => self.policies.keys().cloned().collect(),
            WatchedKind::ClusterAgentPolicies => self.cluster_policies.keys().cloned().collect(),
            WatchedKind::Namespaces => self.namespaces.keys().cloned().collect(),
            WatchedKind::Pods => self.pods.keys().cloned().collect(),
            WatchedKind::NetworkPolicies => self.network_policies.keys().cloned().collect(),
            WatchedKind::Services => self.behind.services.keys().cloned().collect(),
            WatchedKind::EndpointSlices => self.behind.slices.keys().cloned().collect(),
        }
    }

    fn remove(&mut self, kind: WatchedKind, key: &Key) -> bool {
        match kind {
            WatchedKind::AgentPolicies => self.policies.remove(key).is_some(),
            WatchedKind::ClusterAgentPolicies => self.cluster_policies.remove(key).is_some(),
            WatchedKind::Namespaces => self.namespaces.remove(key).is_some(),
            WatchedKind::Pods => self.pods.remove(key).is_some(),
            WatchedKind::NetworkPolicies => self.network_policies.remove(key).is_some(),
            WatchedKind::Services => self.behind.remove_service(key),
            WatchedKind::EndpointSlices => self.behind.remove_slice(key),
        }
    }

    fn insert(&mut self, kind: WatchedKind, key: Key, object: Object) -> bool {
        match object {
            Object::Policy(policy) if kind == WatchedKind::ClusterAgentPolicies => {
                put(&mut self.cluster_policies, key, Arc::new(*policy))
            }
            Object::Policy(policy) => put(&mut self.policies, key, Arc::new(*policy)),
            Object::Namespace(_, info) => put(&mut self.namespaces, key, info),
            Object::Pod(pod) => put(&mut self.pods, key, Arc::new(*pod)),
            Object::NetworkPolicy(policy) => {
                put(&mut self.network_policies, key, Arc::new(*policy))
            }
            Object::Service(service) => self.behind.insert_service(key, *service),
            Object::EndpointSlice(slice) => self.behind.insert_slice(key, *slice),
        }
    }
}

/// Inserts; false when the same value was there already, so that resyncs wake nobody.
fn put<V: PartialEq>(map: &mut BTreeMap<Key, V>, key: Key, value: V) -> bool {
    if map.get(&key) == Some(&value) {
        return false;
    }
    map.insert(key, value);
    true
}

#[cfg(test)]
mod tests;
