//! Pods, as far as the index keeps them.

use super::Labels;
use exeat_api::labels::{INJECTED_ANNOTATION, POD_LABEL, POD_LABEL_AGENT};
use exeat_api::pod::{INIT_COMMAND, INIT_CONTAINER, PROXY_COMMAND, PROXY_CONTAINER};
use k8s_openapi::api::core::v1::{Container, Pod};

/// What is known of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodInfo {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub labels: Labels,
    pub service_account: String,
    pub node: String,
    /// By the pod's own label, or because a sidecar has the proxy's name. The namespace's label is applied by
    /// the index when it is asked, because it can change.
    pub is_agent: bool,
    /// Admission made it what it is: see [`injected`].
    pub injected: bool,
    /// Injected, and the proxy is ready: traffic leaves through it alone.
    pub protected: bool,
    /// Succeeded or failed: nothing of it runs any more.
    pub ended: bool,
}

impl From<&Pod> for PodInfo {
    fn from(pod: &Pod) -> Self {
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        let spec = pod.spec.as_ref();
        let named = spec.is_some_and(|spec| {
            let mut containers = spec.init_containers.iter().flatten();
            containers.any(|it| it.name == PROXY_CONTAINER && is_sidecar(it))
        });
        let injected = injected(pod);
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
            is_agent: named || labels.get(POD_LABEL).is_some_and(|v| v == POD_LABEL_AGENT),
            injected,
            protected: injected && ready,
            ended: matches!(phase, Some("Succeeded" | "Failed")),
            labels,
        }
    }
}

/// Whether admission injected this pod. Names of containers are anybody's to choose while a pod is
/// no agent; the label cannot be added later, and with it admission has seen to everything else.
fn injected(pod: &Pod) -> bool {
    let metadata = &pod.metadata;
    let label = metadata.labels.as_ref().and_then(|all| all.get(POD_LABEL));
    let annotated = metadata.annotations.iter().any(|all| all.contains_key(INJECTED_ANNOTATION));
    let containers = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref());
    let [init, proxy, ..] = containers.unwrap_or_default() else { return false };
    let runs = |container: &Container, name: &str, arg: &str| {
        container.name == name
            && container.args.as_deref() == Some(&[arg.to_owned()])
            && container.command.as_ref().is_none_or(Vec::is_empty)
    };
    label.is_some_and(|value| value == POD_LABEL_AGENT)
        && annotated
        && runs(init, INIT_CONTAINER, INIT_COMMAND)
        && !is_sidecar(init)
        && runs(proxy, PROXY_CONTAINER, PROXY_COMMAND)
        && is_sidecar(proxy)
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn info(json: serde_json::Value) -> PodInfo {
        PodInfo::from(&serde_json::from_value::<Pod>(json).unwrap())
    }

    fn whole() -> Value {
        json!({
            "metadata": {"namespace": "n", "name": "p", "uid": "u",
                "labels": {"exeat.dev/agent": "true"}, "annotations": {"exeat.dev/injected": "v1"}},
            "spec": {"containers": [], "initContainers": [
                {"name": "exeat-init", "args": ["init"]},
                {"name": "exeat-proxy", "args": ["run"], "restartPolicy": "Always"}]},
            "status": {"phase": "Running", "initContainerStatuses": [{
                "name": "exeat-proxy", "ready": true, "restartCount": 0, "image": "i", "imageID": "d"}]},
        })
    }

    #[test]
    fn an_injected_pod_is_an_agent_and_protected_once_the_proxy_is_ready() {
        let pod = info(whole());
        assert!(pod.is_agent && pod.injected && pod.protected && !pod.ended);
        let mut starting = whole();
        starting["status"]["initContainerStatuses"][0]["ready"] = json!(false);
        let pod = info(starting);
        assert!(pod.is_agent && pod.injected && !pod.protected);
    }

    #[test]
    fn a_pod_that_only_looks_injected_is_an_agent_without_protection() {
        for (at, value) in [
            ("/metadata/labels", json!({})),
            ("/metadata/labels", json!({"exeat.dev/agent": "false"})),
            ("/metadata/annotations", json!({})),
            ("/spec/initContainers/0/name", json!("init")),
            ("/spec/initContainers/0/args", json!(["run"])),
            ("/spec/initContainers/0/command", json!(["true"])),
            ("/spec/initContainers/1/args", json!([])),
            ("/spec/initContainers/1/command", json!(["sleep"])),
        ] {
            let mut pod = whole();
            let (parent, key) = at.rsplit_once('/').unwrap();
            pod.pointer_mut(parent).unwrap()[key] = value.clone();
            let pod = info(pod);
            assert!(pod.is_agent && !pod.injected && !pod.protected, "{at} {value}");
        }
        let mut alone = whole();
        alone["spec"]["initContainers"].as_array_mut().unwrap().remove(0);
        assert!(!info(alone).injected);
        let mut later = whole();
        let first = json!({"name": "mine", "image": "i"});
        later["spec"]["initContainers"].as_array_mut().unwrap().insert(0, first);
        assert!(!info(later).injected);
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
