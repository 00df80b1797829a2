//! Pods, as far as the index keeps them.

use super::Labels;
use k8s_openapi::api::core::v1::Pod;

/// On a namespace, with value `all`: every pod of it is an agent.
pub const AGENTS_NAMESPACE_LABEL: &str = "exeat.dev/agents";
/// On a pod, with value `true`: it is an agent.
pub const AGENT_LABEL: &str = "exeat.dev/agent";
/// The name of the injected proxy's container.
pub const PROXY_CONTAINER: &str = "exeat-proxy";

/// What is known of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodInfo {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub labels: Labels,
    pub service_account: String,
    pub node: String,
    /// By the pod's own label or because the proxy was injected. The namespace's label is applied by
    /// the index when it is asked, because it can change.
    pub is_agent: bool,
    /// The proxy's container is part of the pod, as a native sidecar.
    pub injected: bool,
    /// The proxy's container is part of the pod and ready: traffic leaves through it alone.
    pub protected: bool,
    /// Succeeded or failed: nothing of it runs any more.
    pub ended: bool,
}

impl From<&Pod> for PodInfo {
    fn from(pod: &Pod) -> Self {
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        let spec = pod.spec.as_ref();
        let injected = spec.is_some_and(|spec| {
            spec.init_containers.iter().flatten().any(|container| {
                container.name == PROXY_CONTAINER
                    && container.restart_policy.as_deref() == Some("Always")
            })
        });
        let status = pod.status.as_ref();
        let ready = status.is_some_and(|status| {
            let statuses = status.init_container_statuses.iter().flatten();
            statuses
                .into_iter()
                .any(|container| container.name == PROXY_CONTAINER && container.ready)
        });
        let phase = status.and_then(|status| status.phase.as_deref());
        Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            service_account: spec
                .and_then(|spec| spec.service_account_name.clone())
                .unwrap_or_default(),
            node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            is_agent: injected || labels.get(AGENT_LABEL).is_some_and(|v| v == "true"),
            injected,
            protected: injected && ready,
            ended: matches!(phase, Some("Succeeded" | "Failed")),
            labels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(json: serde_json::Value) -> PodInfo {
        PodInfo::from(&serde_json::from_value::<Pod>(json).unwrap())
    }

    #[test]
    fn an_injected_pod_is_an_agent_and_protected_once_the_proxy_is_ready() {
        let pod = info(serde_json::json!({
            "metadata": {"namespace": "n", "name": "p", "uid": "u"},
            "spec": {"containers": [], "initContainers": [
                {"name": "exeat-proxy", "restartPolicy": "Always"}]},
            "status": {"phase": "Running", "initContainerStatuses": [{
                "name": "exeat-proxy", "ready": true, "restartCount": 0, "image": "i", "imageID": "d"}]},
        }));
        assert!(pod.is_agent && pod.injected && pod.protected && !pod.ended);
    }

    #[test]
    fn a_ready_container_of_that_name_that_is_no_sidecar_protects_nothing() {
        let pod = info(serde_json::json!({
            "metadata": {"namespace": "n", "name": "p"},
            "spec": {"containers": [{"name": "exeat-proxy"}]},
            "status": {"containerStatuses": [{
                "name": "exeat-proxy", "ready": true, "restartCount": 0, "image": "i", "imageID": "d"}]},
        }));
        assert!(!pod.injected && !pod.protected && !pod.is_agent);
    }

    #[test]
    fn only_the_value_true_makes_an_agent() {
        for (value, agent) in [("true", true), ("false", false), ("", false)] {
            let pod = info(serde_json::json!({
                "metadata": {"name": "p", "labels": {"exeat.dev/agent": value}}}));
            assert_eq!(pod.is_agent, agent, "{value:?}");
        }
    }
}
