//! Writes to the cluster: only what differs, only what is ours, each one timed.

use super::Wanted;
use super::conditions::{Facts, status};
use super::isolation::ours;
use crate::index::{Index, Key, StoredPolicy, WatchedKind};
use crate::metrics::Metrics;
use crate::watch::resource;
use exeat_api::labels::OWNER_LABEL;
use exeat_policy::source::Tier;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

const MANAGER: &str = "exeat-controller";
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes, and remembers which pods were warned about.
pub(super) struct Writer {
    client: Client,
    metrics: Arc<Metrics>,
    recorder: Recorder,
    warned: HashSet<String>,
}

impl Writer {
    pub(super) fn new(client: Client, metrics: Arc<Metrics>, replica: &str) -> Self {
        let reporter =
            Reporter { controller: "exeat.dev/controller".into(), instance: Some(replica.into()) };
        let recorder = Recorder::new(client.clone(), reporter);
        Self { client, metrics, recorder, warned: HashSet::new() }
    }

    /// Puts a NetworkPolicy in place; the error is a sentence for the condition.
    pub(super) async fn network_policy(
        &self,
        index: &Index,
        key: &Key,
        desired: &NetworkPolicy,
    ) -> Result<(), String> {
        let all = index.network_policies(&key.namespace);
        let current = all.iter().find(|np| np.metadata.name.as_ref() == Some(&key.name));
        if let Some(current) = current {
            if !ours(current) {
                self.metrics.reconcile_errors.inc();
                return Err(format!(
                    "NetworkPolicy {}/{} exists and is not Exeat's. Fix: delete or rename it",
                    key.namespace, key.name
                ));
            }
            if agrees(current, desired) {
                return Ok(());
            }
        }
        let api: Api<NetworkPolicy> = Api::namespaced(self.client.clone(), &key.namespace);
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(desired);
        let write = api.patch(&key.name, &params, &patch);
        self.written(write).await.map_err(|why| {
            format!("NetworkPolicy {}/{} was not written: {why}", key.namespace, key.name)
        })?;
        info!(namespace = key.namespace, name = key.name, "NetworkPolicy applied");
        Ok(())
    }

    /// Removes NetworkPolicies of ours that no policy wants any more, and adds them to `gone`; false
    /// when one stayed.
    pub(super) async fn remove_leftovers(
        &self,
        index: &Index,
        wanted: &Wanted<'_>,
        gone: &mut HashSet<Key>,
    ) -> bool {
        let mut done = true;
        for policy in index.all_network_policies().iter().filter(|policy| ours(policy)) {
            let metadata = &policy.metadata;
            let (Some(namespace), Some(name)) = (&metadata.namespace, &metadata.name) else {
                continue;
            };
            let key = Key::new(namespace.as_str(), name.as_str());
            if wanted.contains_key(&key) || metadata.deletion_timestamp.is_some() {
                continue;
            }
            let api: Api<NetworkPolicy> = Api::namespaced(self.client.clone(), namespace);
            let params = DeleteParams::default();
            match self.written(api.delete(name, &params)).await {
                Ok(_) => {
                    info!(namespace, name, "NetworkPolicy removed");
                    gone.insert(key);
                }
                Err(why) => {
                    warn!(namespace, name, why, "NetworkPolicy not removed");
                    done = false;
                }
            }
        }
        done
    }

    /// Writes the status where it differs, with events for conditions that turned; false when it
    /// could not be written.
    pub(super) async fn status(&self, policy: &StoredPolicy, facts: &Facts) -> bool {
        let desired = status(policy, facts, Timestamp::now());
        if covers(&policy.status, &desired) {
            return true;
        }
        let origin = &policy.source.origin;
        let kind = match origin.tier {
            Tier::Namespaced => WatchedKind::AgentPolicies,
            Tier::Guardrail | Tier::Baseline => WatchedKind::ClusterAgentPolicies,
        };
        let resource = resource(kind);
        let api: Api<DynamicObject> = if kind == WatchedKind::AgentPolicies {
            Api::namespaced_with(self.client.clone(), &origin.namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        };
        let patch = json!({"apiVersion": resource.api_version, "kind": resource.kind,
            "metadata": {"name": origin.name}, "status": desired});
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(&patch);
        if let Err(why) = self.written(api.patch_status(&origin.name, &params, &patch)).await {
            warn!(policy = origin.name, why, "Status not written");
            return false;
        }
        let regarding = ObjectReference {
            api_version: Some(resource.api_version.clone()),
            kind: Some(resource.kind.clone()),
            name: Some(origin.name.clone()),
            namespace: Some(origin.namespace.clone()).filter(|n| !n.is_empty()),
            uid: Some(policy.uid.clone()),
            ..ObjectReference::default()
        };
        for (good, kind, reason, message) in turned(policy, &desired) {
            self.event(good, kind, &reason, &message, &regarding).await;
        }
        true
    }

    /// An event on each agent pod without a proxy, once.
    pub(super) async fn warn_unprotected(&mut self, index: &Index) {
        let pods = index.agent_pods();
        self.warned.retain(|uid| pods.iter().any(|pod| pod.uid == *uid));
        for pod in pods.iter().filter(|pod| !pod.injected && !pod.ended) {
            if !self.warned.insert(pod.uid.clone()) {
                continue;
            }
            let regarding = ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(pod.name.clone()),
                namespace: Some(pod.namespace.clone()),
                uid: Some(pod.uid.clone()),
                ..ObjectReference::default()
            };
            let text = "This pod is an agent and runs without the proxy, because it existed before. \
                Delete it, so that it is made again.";
            warn!(namespace = pod.namespace, pod = pod.name, "Agent pod unprotected");
            self.event(false, "Protect", "Unprotected", text, &regarding).await;
        }
    }

    async fn event(
        &self,
        good: bool,
        action: &str,
        reason: &str,
        message: &str,
        regarding: &ObjectReference,
    ) {
        let event = Event {
            type_: if good { EventType::Normal } else { EventType::Warning },
            reason: reason.to_owned(),
            // The API server takes 1024 bytes.
            note: Some(message.chars().filter(char::is_ascii).take(1000).collect()),
            action: action.to_owned(),
            secondary: None,
        };
        if let Err(why) = self.written(self.recorder.publish(&event, regarding)).await {
            warn!(reason, why, "Event not published");
        }
    }

    async fn written<T>(
        &self,
        write: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, String> {
        let result = match tokio::time::timeout(PATIENCE, write).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the API server did not answer in time".to_owned()),
        };
        if result.is_err() {
            self.metrics.reconcile_errors.inc();
        }
        result
    }
}

/// Whether what is stored is what is wanted, as far as we write it. What agrees is ours.
pub(super) fn agrees(current: &NetworkPolicy, desired: &NetworkPolicy) -> bool {
    let owner = |np: &NetworkPolicy| {
        np.metadata.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL).cloned())
    };
    current.spec == desired.spec
        && owner(current) == owner(desired)
        && current.metadata.owner_references == desired.metadata.owner_references
}

/// Whether `current` has everything that `desired` says; more, of other writers, does not matter.
fn covers(current: &Value, desired: &Value) -> bool {
    let fields = desired.as_object();
    fields.is_some_and(|fields| fields.iter().all(|(key, value)| current.get(key) == Some(value)))
}

/// Conditions whose status or reason is not what it was: good or bad, type, reason, message.
fn turned(policy: &StoredPolicy, desired: &Value) -> Vec<(bool, &'static str, String, String)> {
    let mut turned = Vec::new();
    for kind in ["Accepted", "Programmed", "Isolated", "Ready"] {
        let conditions = desired["conditions"].as_array();
        let Some(now) = conditions.and_then(|all| all.iter().find(|c| c["type"] == kind)) else {
            continue;
        };
        let before = policy.conditions.iter().find(|condition| condition.type_ == kind);
        let same = before.is_some_and(|b| now["status"] == *b.status && now["reason"] == *b.reason);
        let good = now["status"] == "True";
        // A fresh policy's good news is told once, by Ready.
        if same || (before.is_none() && good && kind != "Ready") {
            continue;
        }
        // What is wrong with another condition is told by that one.
        let text = |field: &str| now[field].as_str().unwrap_or_default().to_owned();
        turned.push((good, kind, text("reason"), text("message")));
    }
    turned.dedup_by(|a, b| a.2 == b.2);
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> StoredPolicy {
        let object = json!({"metadata": {"namespace": "n", "name": "p", "uid": "u"},
            "spec": {"podSelector": {}, "rules": []}});
        crate::watch::policy(WatchedKind::AgentPolicies, &serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_status_with_fields_of_others_is_not_written_again() {
        let policy = policy();
        let desired = status(&policy, &Facts::default(), Timestamp::UNIX_EPOCH);
        let mut current = desired.clone();
        current["lastDenied"] = json!({"time": "x"});
        assert!(covers(&current, &desired));
        current["matchedPods"] = json!(7);
        assert!(!covers(&current, &desired));
        assert!(!covers(&Value::Null, &desired));
    }

    #[test]
    fn a_status_comes_back_from_the_index_as_it_was_written() {
        let mut policy = policy();
        let written = status(&policy, &Facts::default(), Timestamp::now());
        policy.conditions = serde_json::from_value(written["conditions"].clone()).unwrap();
        policy.status = written;
        let again = status(&policy, &Facts::default(), Timestamp::now());
        assert!(covers(&policy.status, &again));
    }

    #[test]
    fn events_tell_what_turned_and_only_that() {
        let mut policy = policy();
        let fresh = status(&policy, &Facts::default(), Timestamp::UNIX_EPOCH);
        let told: Vec<_> = turned(&policy, &fresh).into_iter().map(|t| (t.0, t.1)).collect();
        assert_eq!(told, [(true, "Ready")]);
        policy.conditions = serde_json::from_value(fresh["conditions"].clone()).unwrap();
        assert!(turned(&policy, &fresh).is_empty());
    }
}
